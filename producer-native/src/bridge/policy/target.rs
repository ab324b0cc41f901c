//! Where does a page want to go?

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What a page asks for: the last part of `/v1/connect/...`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// `ns`: a name server of the bridge's own choice.
    NameServer,
    /// `10.0.0.5:10911` or `[fd00::5]:10911`, as a route has it.
    Address(SocketAddr),
    /// A name that the operator lists, with its port. The bridge looks it up.
    Name(String, u16),
}

impl Target {
    /// Reads the text of a page. There is one way to write an address, the one in which it is shown:
    /// no octal or decimal numbers, no leading zeros, no zones, no mapped IPv4, nothing percent-encoded.
    ///
    /// # Errors
    /// [`InvalidTarget`] for all else, and for names that are not among `names`. It is the same for
    /// all of them: which names there are is nothing a page should find out by trying.
    pub fn parse(text: &str, names: &[(String, u16)]) -> Result<Self, InvalidTarget> {
        if text == "ns" {
            return Ok(Self::NameServer);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(InvalidTarget);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self::address(address, text);
        }
        // A name is compared as it was listed, which is how brokers register it.
        let (name, port) = text.rsplit_once(':').ok_or(InvalidTarget)?;
        let listed = names.iter().find(|(known, at)| known == name && port == at.to_string());
        let (name, port) = listed.ok_or(InvalidTarget)?;
        Ok(Self::Name(name.clone(), *port))
    }

    fn address(address: SocketAddr, text: &str) -> Result<Self, InvalidTarget> {
        let mapped = matches!(address.ip(), IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
        let zone = matches!(address, SocketAddr::V6(address) if address.scope_id() != 0);
        if mapped || zone || address.port() == 0 || address.to_string() != text {
            return Err(InvalidTarget);
        }
        Ok(Self::Address(address))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameServer => f.write_str("ns"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// A text is no target that this bridge knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTarget;

impl fmt::Display for InvalidTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target is ns, or an address as a route has it: 10.0.0.5:10911")
    }
}

impl std::error::Error for InvalidTarget {}

/// Whether a name would be taken for an address by some reader: `0x7f.1`, `017700000001`, `127.1`.
/// Such names are not to be listed, nor to be looked up if a broker registers one.
pub(in crate::bridge) fn looks_like_address(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    number || name.parse::<Ipv4Addr>().is_ok() || name.contains([':', '[', ']', '%', '@', '/'])
}

/// The longest name in the domain name system, and a port.
const TEXT_BYTES_MAX: usize = 253 + 6;
