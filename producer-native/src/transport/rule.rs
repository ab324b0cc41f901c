//! Which addresses does a setting concern?

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use producer_core::Address;

use crate::number;

/// A set of addresses, as text:
///
/// | text | covers |
/// |---|---|
/// | `*` | every address |
/// | `10.0.0.0/8`, `fd00::/8` | hosts that are written as an IP address of that network |
/// | `.example.com`, `*.example.com` | `example.com` and every name below it |
/// | `broker-1.example.com`, `10.0.0.7`, `[::1]` | that host, at any port |
/// | `broker-1:10911` | that address |
///
/// A rule sees the address that is dialled (after the [address map](crate::Config::address_map)) as
/// it is written; names are not resolved for it, so a network covers no name. The case of letters
/// does not matter.
#[derive(Clone, PartialEq, Eq)]
pub struct AddressRule(Covers);

#[derive(Clone, PartialEq, Eq)]
enum Covers {
    All,
    /// The address of the network with its host bits zero, and how many bits count.
    Network(IpAddr, u8),
    /// `example.com` and what ends in `.example.com`.
    Domain(String),
    Host(String),
    One(Address),
}

/// Why a text is no [`AddressRule`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRule {
    given: String,
    problem: &'static str,
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no rule for addresses: {}", self.given, self.problem)
    }
}

impl std::error::Error for InvalidRule {}

impl AddressRule {
    /// Every address.
    pub const ALL: Self = Self(Covers::All);

    /// Reads a rule.
    ///
    /// # Errors
    /// [`InvalidRule`] says what is wrong with the text.
    pub fn new(text: &str) -> Result<Self, InvalidRule> {
        let text = text.trim();
        let covers = read(text);
        covers.map(Self).map_err(|problem| InvalidRule { given: text.to_owned(), problem })
    }

    /// Whether `address` is among them.
    pub fn covers(&self, address: &Address) -> bool {
        let host = address.host();
        match &self.0 {
            Covers::All => true,
            Covers::Network(network, bits) => ip(host).is_some_and(|ip| {
                network.is_ipv4() == ip.is_ipv4() && masked(ip, *bits) == *network
            }),
            Covers::Domain(domain) => {
                let head =
                    host.len().checked_sub(domain.len()).filter(|&at| host.is_char_boundary(at));
                head.is_some_and(|at| {
                    host[at..].eq_ignore_ascii_case(domain)
                        && (at == 0 || host[..at].ends_with('.'))
                })
            }
            Covers::Host(wanted) => match (ip(host), ip(wanted)) {
                (Some(one), Some(other)) => one == other,
                _ => host.eq_ignore_ascii_case(wanted),
            },
            Covers::One(wanted) => wanted.as_str().eq_ignore_ascii_case(address.as_str()),
        }
    }
}

fn read(text: &str) -> Result<Covers, &'static str> {
    if text == "*" {
        return Ok(Covers::All);
    }
    if let Some((network, bits)) = text.split_once('/') {
        let network = ip(network).ok_or("before the slash stands no IP address")?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = number::of_digits::<u8>(bits).filter(|&bits| bits <= most);
        let bits = bits.ok_or("after the slash stands no number of bits")?;
        if masked(network, bits) != network {
            return Err("the address has bits outside the network");
        }
        return Ok(Covers::Network(network, bits));
    }
    if let Some(domain) = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')) {
        return host(domain).map(|domain| Covers::Domain(domain.to_owned()));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if ip(bare).is_some() {
        return Ok(Covers::Host(bare.to_owned()));
    }
    match text.contains(':') {
        true => Address::new(text).map(Covers::One).map_err(|_| "it is not host:port"),
        false => host(text).map(|host| Covers::Host(host.to_owned())),
    }
}

fn host(text: &str) -> Result<&str, &'static str> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"*[]:;,/@".contains(c);
    match text {
        "" => Err("it names no host"),
        text if text.chars().all(plain) => Ok(text),
        _ => Err("a character cannot be part of a host's name"),
    }
}

fn ip(host: &str) -> Option<IpAddr> {
    let host = host.split('%').next()?;
    host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    let shift = u32::from(bits);
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - shift).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - shift).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Covers::All => f.write_str("*"),
            Covers::Network(network, bits) => write!(f, "{network}/{bits}"),
            Covers::Domain(domain) => write!(f, ".{domain}"),
            Covers::Host(host) => f.write_str(host),
            Covers::One(address) => write!(f, "{address}"),
        }
    }
}

impl fmt::Debug for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for AddressRule {
    type Err = InvalidRule;
    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        Self::new(text)
    }
}

impl TryFrom<&str> for AddressRule {
    type Error = InvalidRule;
    fn try_from(text: &str) -> Result<Self, InvalidRule> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(rule: &str, address: &str) -> bool {
        let rule = AddressRule::new(rule).expect(rule);
        assert_eq!(AddressRule::new(&rule.to_string()), Ok(rule.clone()), "it round-trips");
        rule.covers(&Address::new(address).expect(address))
    }

    #[test]
    fn rules_cover_what_their_text_says() {
        let yes = [
            ("*", "anything:1"),
            ("10.0.0.0/8", "10.200.3.4:10911"),
            ("0.0.0.0/0", "8.8.8.8:1"),
            ("10.0.0.7/32", "10.0.0.7:1"),
            ("fd00::/8", "[fd12::1]:9876"),
            ("::/0", "[2001:db8::1]:1"),
            ("fe80::/10", "[fe80::1%eth0]:1"),
            ("10.0.0.0/8", "[::ffff:10.1.2.3]:1"),
            (".example.com", "a.b.example.com:1"),
            ("*.example.com", "EXAMPLE.com:1"),
            ("Broker-1", "broker-1:10911"),
            ("[::1]", "[0:0::1]:1"),
            ("::1", "[::1]:1"),
            ("broker-1:10911", "Broker-1:10911"),
        ];
        let no = [
            ("10.0.0.0/8", "11.0.0.1:1"),
            ("10.0.0.0/8", "ten.example.com:1"),
            ("10.0.0.0/8", "[fd00::1]:1"),
            ("::/0", "10.0.0.1:1"),
            (".example.com", "notexample.com:1"),
            (".example.com", "example.com.evil:1"),
            (".exämple.com", "x.ä:1"),
            ("broker-1:10911", "broker-1:10912"),
            ("broker-1", "broker-10:1"),
        ];

        for (rule, address) in yes {
            assert!(covers(rule, address), "{rule} {address}");
        }
        for (rule, address) in no {
            assert!(!covers(rule, address), "{rule} {address}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let bad = [
            "",
            " ",
            ".",
            "*.",
            "**",
            "a*b",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "a/8",
            "::/129",
            "a:0",
            "a:b",
            "a b",
            "a,b",
            "[::1",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "a:+1",
        ];
        for text in bad {
            let error = AddressRule::new(text).expect_err(text);
            assert!(error.to_string().contains("no rule"), "{error}");
        }
    }
}
