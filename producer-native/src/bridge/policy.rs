//! Which addresses may a page reach?
//!
//! A page says where it wants to go by the text that a name server's route has: `10.0.0.5:10911`.
//! That text is read once, strictly, into an address; the address is compared and the same value is
//! dialled. No name from a page is ever looked up, so there is no second answer to trick us with.
//!
//! Name servers are no authority either: brokers register any address they like (REGISTER_BROKER,
//! without a password by default). So what routes say is cut down to what the operator permits: the
//! ports of brokers, networks if any are listed, and never the addresses at which a machine finds
//! itself or its cloud's metadata, unless a listed network lies within such a range.

mod target;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

pub use target::{InvalidTarget, Target};

/// What the operator permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Networks that brokers are in; an empty list is all but the special ones. A network that lies
    /// within a special range (loopback, link-local and so on) opens it; one that is larger does not.
    pub networks: Vec<Network>,
    /// Ports that brokers listen at. Default 10911, and 10909, the second port of 10911.
    pub ports: Vec<u16>,
    /// Addresses that are permitted in any case, whether or not a route has them.
    pub always: Vec<SocketAddr>,
    /// Names that a page may ask for, with their ports: brokers that are registered by name. The
    /// bridge looks them up itself, and applies the policy to what it finds.
    pub names: Vec<(String, u16)>,
    /// Where this bridge listens. It does not connect to itself. The port of a listener at all
    /// addresses (`0.0.0.0:443`) is refused at all addresses.
    pub listeners: Vec<SocketAddr>,
    /// Whether this machine's own addresses may be reached, at any port. For development.
    pub loopback: bool,
    /// Advertised addresses and what is dialled in their place: behind address translation. The
    /// operator wrote both, so the second is dialled as it stands.
    pub map: Vec<(SocketAddr, SocketAddr)>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            ports: vec![10_911, 10_909],
            always: Vec::new(),
            names: Vec::new(),
            listeners: Vec::new(),
            loopback: false,
            map: Vec::new(),
        }
    }
}

/// Why an address is not permitted.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// It is of this special range, and no listed network opens it.
    Special(&'static str),
    /// It is in none of the listed networks.
    Network,
    /// It is not a listed port.
    Port,
    /// It is this bridge.
    Listener,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special(range) => write!(f, "it is a {range} address"),
            Self::Network => f.write_str("it is in none of the permitted networks"),
            Self::Port => f.write_str("its port is not permitted"),
            Self::Listener => f.write_str("the bridge listens there itself"),
        }
    }
}

impl std::error::Error for Denied {}

impl Policy {
    /// Whether this address, which a route has or a name was found to have, may be dialled.
    ///
    /// # Errors
    /// [`Denied`] says why not. It tells about the operator's configuration, so it is for the
    /// operator's eyes: a page gets one answer for all of them.
    pub fn allows(&self, address: SocketAddr) -> Result<(), Denied> {
        let (ip, port) = (address.ip(), address.port());
        if self.is_own(address) {
            return Err(Denied::Listener);
        }
        if self.always.contains(&address) || self.loopback && ip.is_loopback() {
            return Ok(());
        }
        // Whatever else holds for the address: that an operator permits `0.0.0.0/0` does not mean
        // that a page may talk to this machine.
        let special = SPECIAL.iter().find(|special| special.network.has(ip));
        let opened = |special: &Special| {
            let within = |network: &Network| network.has(ip) && special.network.holds(network);
            special.can_be_opened && self.networks.iter().any(within)
        };
        if let Some(special) = special.filter(|special| !opened(special)) {
            return Err(Denied::Special(special.name));
        }
        if !self.networks.is_empty() && !self.networks.iter().any(|network| network.has(ip)) {
            return Err(Denied::Network);
        }
        if port == 0 || !self.ports.contains(&port) {
            return Err(Denied::Port);
        }
        Ok(())
    }

    /// What to dial for an advertised address, if that may be dialled at all.
    ///
    /// # Errors
    /// [`Denied`], as from [`allows`](Self::allows).
    pub fn dialled(&self, advertised: SocketAddr) -> Result<SocketAddr, Denied> {
        match self.map.iter().find(|(from, _)| *from == advertised) {
            Some((_, to)) if self.is_own(*to) => Err(Denied::Listener),
            Some((_, to)) => Ok(*to),
            None => self.allows(advertised).map(|()| advertised),
        }
    }

    /// A listed name that some reader would take for an address: `127.1`, `0x7f.1`. Settings with
    /// one are to be refused.
    pub fn misleading_name(&self) -> Option<&str> {
        let mut names = self.names.iter().map(|(name, _)| name.as_str());
        names.find(|name| target::looks_like_address(name))
    }

    /// Whether the bridge would connect to itself.
    fn is_own(&self, address: SocketAddr) -> bool {
        // An address that was given in a map or list by hand may be written in the long form.
        let ip = address.ip().to_canonical();
        self.listeners.iter().any(|listener| {
            let at = listener.ip().to_canonical();
            let everywhere = at.is_unspecified() && !self.always.contains(&address);
            let here = at == ip || ip.is_unspecified() || ip.is_loopback() && at.is_unspecified();
            listener.port() == address.port() && (everywhere || here)
        })
    }
}

/// A network: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    bits: u8,
}

/// Why a text is no [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidNetwork;

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a network is written like 10.0.0.0/8 or fd00::/8, with no bits set behind")
    }
}

impl std::error::Error for InvalidNetwork {}

impl Network {
    /// Whether an address is in the network.
    pub fn has(&self, ip: IpAddr) -> bool {
        masked(ip, self.bits) == Some(self.ip)
    }

    /// Whether all of another network is in this one.
    fn holds(&self, other: &Self) -> bool {
        other.bits >= self.bits && self.has(other.ip)
    }

    const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Self {
        Self { ip: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    /// From the first three and the last of eight parts.
    const fn v6(first: [u16; 3], rest: [u16; 3], bits: u8) -> Self {
        let ([a, b, c], [f, g, h]) = (first, rest);
        Self { ip: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, f, g, h)), bits }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| InvalidNetwork)?;
        let all = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|digit| digit.is_ascii_digit()) => {
                bits.parse().map_err(|_| InvalidNetwork)?
            }
            Some(_) => return Err(InvalidNetwork),
            None => all,
        };
        // With bits behind, it is not clear what was meant.
        if masked(ip, bits) != Some(ip) {
            return Err(InvalidNetwork);
        }
        Ok(Self { ip, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.bits)
    }
}

/// The first bits of an address; `None` if it has not so many.
fn masked(ip: IpAddr, bits: u8) -> Option<IpAddr> {
    let bits = u32::from(bits);
    Some(match ip {
        IpAddr::V4(ip) => {
            let rest = 32_u32.checked_sub(bits)?;
            let mask = u32::MAX.checked_shl(rest).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & mask).into()
        }
        IpAddr::V6(ip) => {
            let rest = 128_u32.checked_sub(bits)?;
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
    })
}

/// Addresses that are no broker's unless the operator says so.
struct Special {
    network: Network,
    name: &'static str,
    /// Whether a listed network within it permits it.
    can_be_opened: bool,
}

const fn special(network: Network, name: &'static str) -> Special {
    Special { network, name, can_be_opened: true }
}

const fn closed(network: Network, name: &'static str) -> Special {
    Special { network, name, can_be_opened: false }
}

/// Of the registries of special addresses (RFC 6890) what leads back to this machine, to its
/// cloud's metadata, to many machines, or in disguise to an address of the other kind.
static SPECIAL: [Special; 20] = [
    closed(Network::v4(0, 0, 0, 0, 8), "unspecified"),
    special(Network::v4(127, 0, 0, 0, 8), "loopback"),
    special(Network::v4(169, 254, 0, 0, 16), "link-local"),
    // Where Alibaba Cloud's machines ask about themselves.
    special(Network::v4(100, 100, 100, 200, 32), "metadata"),
    // And Oracle's.
    special(Network::v4(192, 0, 0, 0, 24), "special"),
    closed(Network::v4(224, 0, 0, 0, 4), "multicast"),
    closed(Network::v4(240, 0, 0, 0, 4), "reserved"),
    closed(Network::v6([0, 0, 0], [0, 0, 0], 128), "unspecified"),
    special(Network::v6([0, 0, 0], [0, 0, 1], 128), "loopback"),
    closed(Network::v6([0, 0, 0], [0xffff, 0, 0], 96), "mapped"),
    closed(Network::v6([0, 0, 0], [0, 0, 0], 96), "compatible"),
    special(Network::v6([0xfe80, 0, 0], [0, 0, 0], 10), "link-local"),
    special(Network::v6([0xfec0, 0, 0], [0, 0, 0], 10), "site-local"),
    closed(Network::v6([0xff00, 0, 0], [0, 0, 0], 8), "multicast"),
    special(Network::v6([0xfd00, 0xec2, 0], [0, 0, 0], 32), "metadata"),
    special(Network::v6([0xfd20, 0xce, 0], [0, 0, 0], 32), "metadata"),
    closed(Network::v6([0x64, 0xff9b, 0], [0, 0, 0], 96), "translated"),
    closed(Network::v6([0x64, 0xff9b, 1], [0, 0, 0], 48), "translated"),
    closed(Network::v6([0x2002, 0, 0], [0, 0, 0], 16), "6to4"),
    closed(Network::v6([0x2001, 0, 0], [0, 0, 0], 32), "Teredo"),
];
