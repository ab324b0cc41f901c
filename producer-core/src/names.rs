//! Names that cannot be wrong: topics, groups and addresses, checked once at the edge.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::say::Quoted;
use crate::wire::names;

/// Why a topic, group or address was refused before anything was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidName {
    /// The name is empty or white space.
    Blank,
    /// The name has more characters than the protocol allows.
    TooLong {
        /// Characters in the name.
        chars: usize,
        /// Characters allowed.
        chars_max: usize,
    },
    /// A character outside `%|a-zA-Z0-9_-`.
    Character {
        /// The character.
        character: char,
        /// Its position, counted in characters from 0.
        position: usize,
    },
    /// The topic belongs to the broker; clients must not send to it.
    Reserved,
    /// An address is not `host:port`.
    Address {
        /// What was given.
        given: String,
    },
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => write!(f, "the name is blank"),
            Self::TooLong { chars, chars_max } => {
                write!(f, "the name has {chars} characters, {chars_max} are allowed")
            }
            Self::Character { character, position } => write!(
                f,
                "character {} at position {position} is not one of %|a-zA-Z0-9_-",
                Quoted('\'', character.encode_utf8(&mut [0; 4]))
            ),
            Self::Reserved => write!(f, "the topic is reserved for the broker"),
            Self::Address { given } => write!(f, "{} is not host:port", Quoted('"', given)),
        }
    }
}

impl core::error::Error for InvalidName {}

/// Says where a name that Java would refuse is wrong.
fn explain(name: &str, error: names::NameError) -> InvalidName {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '%' | '|' | '_' | '-');
    match error {
        names::NameError::Blank => InvalidName::Blank,
        names::NameError::TooLong { max } => {
            InvalidName::TooLong { chars: name.encode_utf16().count(), chars_max: max }
        }
        names::NameError::IllegalCharacter => {
            let bad = name.chars().enumerate().find(|&(_, c)| !allowed(c));
            let (position, character) = bad.unwrap_or_default();
            InvalidName::Character { character, position }
        }
    }
}

/// A topic to which a client may send. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// Checks `name` as Java's `Validators.checkTopic` and `isNotAllowedSendTopic` do.
    ///
    /// # Errors
    /// [`InvalidName`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        names::check_topic(name).map_err(|error| explain(name, error))?;
        if names::is_forbidden_topic(name) {
            return Err(InvalidName::Reserved);
        }
        Ok(Self(Arc::from(name)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A producer group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// Checks `name` as Java's `Validators.checkGroup` does; `DEFAULT_PRODUCER` is refused as
    /// `DefaultMQProducerImpl.checkConfig` refuses it.
    ///
    /// # Errors
    /// [`InvalidName`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        names::check_group(name, names::GROUP_UNITS_MAX).map_err(|error| explain(name, error))?;
        if name == "DEFAULT_PRODUCER" {
            return Err(InvalidName::Reserved);
        }
        Ok(Self(Arc::from(name)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a name server or broker listens: `host:port`, `1.2.3.4:port` or `[v6]:port`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: Arc<str>,
    host_bytes: u16,
    port: u16,
}

impl Address {
    /// Parses `host:port`, splitting at the last colon; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// [`InvalidName::Address`] when there is no host, or no port from 1 to 65535.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let refuse = || InvalidName::Address { given: String::from(text) };
        let (host, port) = text.rsplit_once(':').ok_or_else(refuse)?;
        // Rust reads a plus sign, too.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse::<u16>().ok().filter(|&p| digits && p > 0).ok_or_else(refuse)?;
        let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"[]:;,/@".contains(c);
        let good = match literal {
            Some(v6) => v6.split('%').next().is_some_and(is_ipv6),
            None => !host.is_empty() && host.chars().all(plain),
        };
        if !good || host.len() > 255 {
            return Err(refuse());
        }
        Ok(Self { text: Arc::from(text), host_bytes: host.len() as u16, port })
    }

    /// The whole address as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, without the brackets of an IPv6 literal.
    pub fn host(&self) -> &str {
        self.text[..usize::from(self.host_bytes)].trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Parses a list as `NAMESRV_ADDR` has it: addresses separated by `;` (`,` is taken as well),
    /// blanks around them ignored.
    ///
    /// # Errors
    /// [`InvalidName`] of the first bad entry, [`InvalidName::Blank`] when there is none at all.
    pub fn list(text: &str) -> Result<alloc::vec::Vec<Self>, InvalidName> {
        let entries = text.split([';', ',']).map(str::trim).filter(|entry| !entry.is_empty());
        let list = entries.map(Self::new).collect::<Result<alloc::vec::Vec<_>, _>>()?;
        if list.is_empty() { Err(InvalidName::Blank) } else { Ok(list) }
    }
}

/// Whether this is an IPv6 address. The library's own way is larger, for it makes one.
fn is_ipv6(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let (mut groups, mut gap) = (0, false);
    if let Some(behind) = rest.strip_prefix(b"::") {
        (gap, rest) = (true, behind);
    }
    while !rest.is_empty() {
        let len = rest.iter().position(|&byte| byte == b':').unwrap_or(rest.len());
        let (group, behind) = rest.split_at(len);
        groups += match behind {
            [] if is_ipv4(group) => 2,
            _ if (1..=4).contains(&len) && group.iter().all(u8::is_ascii_hexdigit) => 1,
            _ => return false,
        };
        rest = match behind {
            [b':', b':', rest @ ..] if !gap => {
                gap = true;
                rest
            }
            [b':'] => return false,
            [_, rest @ ..] => rest,
            [] => behind,
        };
    }
    // The gap stands for one group at least.
    if gap { groups < 8 } else { groups == 8 }
}

fn is_ipv4(text: &[u8]) -> bool {
    let number = |part: &[u8]| match *part {
        [a] => a.is_ascii_digit(),
        [b'1'..=b'9', b] => b.is_ascii_digit(),
        [b'1', b, c] => b.is_ascii_digit() && c.is_ascii_digit(),
        [b'2', b, c] => {
            b < b'5' && b.is_ascii_digit() && c.is_ascii_digit()
                || b == b'5' && (b'0'..=b'5').contains(&c)
        }
        _ => false,
    };
    text.split(|&byte| byte == b'.').count() == 4 && text.split(|&byte| byte == b'.').all(number)
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
        impl TryFrom<&str> for $name {
            type Error = InvalidName;
            fn try_from(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(&text)
            }
        }
        impl TryFrom<&Self> for $name {
            type Error = InvalidName;
            fn try_from(name: &Self) -> Result<Self, InvalidName> {
                Ok(name.clone())
            }
        }
        impl core::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }
    )*};
}

as_text!(TopicName, GroupName, Address);

impl From<core::convert::Infallible> for InvalidName {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_follow_javas_rules() {
        assert!(TopicName::new("Topic-Test_1%ns|x").is_ok());
        assert_eq!(TopicName::new(" \t"), Err(InvalidName::Blank));
        assert_eq!(
            TopicName::new("a b"),
            Err(InvalidName::Character { character: ' ', position: 1 })
        );
        assert!(TopicName::new(&"t".repeat(127)).is_ok());
        assert!(matches!(
            TopicName::new(&"t".repeat(128)),
            Err(InvalidName::TooLong { chars: 128, chars_max: 127 })
        ));
        assert_eq!(TopicName::new("SELF_TEST_TOPIC"), Err(InvalidName::Reserved));
        assert_eq!(GroupName::new("DEFAULT_PRODUCER"), Err(InvalidName::Reserved));
    }

    #[test]
    fn addresses_round_trip() {
        for text in ["localhost:9876", "10.0.0.1:1", "[::1]:9876", "[fe80::1%eth0]:80", "a_b:65535"]
        {
            let address = Address::new(text).expect(text);

            assert_eq!(address.as_str(), text);
        }
        assert_eq!(
            Address::new("[::1]:9876").map(|a| (String::from(a.host()), a.port())),
            Ok((String::from("::1"), 9876))
        );
    }

    #[test]
    fn ipv6_is_what_the_library_takes() {
        use core::net::Ipv6Addr;
        // All texts of up to eight pieces of these would be too many: pieces are drawn.
        let pieces = [
            "::",
            ":",
            ":",
            "0",
            "fe80",
            "1:",
            "12345",
            "a:b:",
            "g",
            "1.2.3.4",
            "255.01.2.3",
            "1.2.3",
        ];
        let mut state = 1_u32;
        let (mut good, mut text) = (0, String::new());
        for _ in 0..200_000 {
            text.clear();
            for _ in 0..1 + state % 9 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push_str(pieces[(state >> 16) as usize % pieces.len()]);
            }
            let is_one = text.parse::<Ipv6Addr>().is_ok();
            assert_eq!(is_ipv6(&text), is_one, "{text}");
            good += u32::from(is_one);
        }
        assert!(good > 500, "{good}");
    }

    #[test]
    fn bad_addresses_are_refused() {
        let ports = ["host:", "host:0", "host:65536", "host:+80", "host:-80", "host: 80"];
        for text in ["", "host", ":1", "::1:9876", "[::1:1", "a b:1"].into_iter().chain(ports) {
            assert!(Address::new(text).is_err(), "{text}");
        }
        assert_eq!(Address::list(" ; "), Err(InvalidName::Blank));
        assert_eq!(Address::list("a:1; b:2,c:3").map(|l| l.len()), Ok(3));
    }
}
