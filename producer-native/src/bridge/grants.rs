//! What may whoever is connected do?

use std::fmt;

/// What one connection may do: what its token says, or what the operator gives to those without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// Topics that may be sent to and asked for.
    pub topics: Names,
    /// Producer groups that may be used. Where topics are named, groups should be too: a producer
    /// of a group is shown the half messages of that group, and ends its transactions.
    pub groups: Names,
    /// Largest body of a frame in bytes; `None` leaves it to the limits of the filter.
    pub body_bytes_max: Option<usize>,
    /// Who it is, for logs and for counting connections; empty without a token.
    pub subject: String,
    /// When this ends, in seconds since 1970; `None` is never.
    pub expires_at: Option<u64>,
}

impl Grants {
    /// Everything the filter lets through, for as long as one likes: connections without tokens.
    pub const fn everything() -> Self {
        Self {
            topics: Names::Any,
            groups: Names::Any,
            body_bytes_max: None,
            subject: String::new(),
            expires_at: None,
        }
    }

    /// How long they are still good, told the seconds since 1970. Relative, for the clock of a page
    /// may be wrong.
    pub(super) fn expires_in_ms(&self, unix: u64) -> Option<u64> {
        Some(self.expires_at?.saturating_sub(unix).saturating_mul(1_000))
    }

    /// Whether topics or groups are named, so that headers must be read.
    pub(super) fn name_any(&self) -> bool {
        self.topics != Names::Any || self.groups != Names::Any
    }
}

/// A set of topics or of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// All there are.
    Any,
    /// These, and those that start so. An empty list is nobody.
    Only(Vec<NamePattern>),
}

/// A name, or the start of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// Exactly this name.
    Exact(String),
    /// All names that start so: `web-*`.
    Prefix(String),
}

/// Most patterns in a list.
pub const PATTERNS_MAX: usize = 256;

/// Longest pattern in bytes: the longest group that any broker takes.
pub const PATTERN_BYTES_MAX: usize = 255;

impl Names {
    /// Reads patterns: a name, `web-*`, or `*` for all.
    ///
    /// # Errors
    /// [`InvalidPattern`] for characters that no topic or group has, a star that is not the last
    /// character, a text longer than [`PATTERN_BYTES_MAX`], or more than [`PATTERNS_MAX`] of them.
    pub fn new<'t>(patterns: impl IntoIterator<Item = &'t str>) -> Result<Self, InvalidPattern> {
        let mut list = Vec::new();
        let mut any = false;
        for text in patterns {
            if list.len() == PATTERNS_MAX {
                return Err(InvalidPattern::TooMany);
            }
            let prefix = text.strip_suffix('*');
            let name = prefix.unwrap_or(text);
            any |= text == "*";
            if text.is_empty() || !name.bytes().all(is_name_byte) {
                return Err(InvalidPattern::Character);
            }
            if text.len() > PATTERN_BYTES_MAX {
                return Err(InvalidPattern::TooLong);
            }
            let name = name.to_owned();
            list.push(match prefix {
                Some(_) => NamePattern::Prefix(name),
                None => NamePattern::Exact(name),
            });
        }
        Ok(if any { Self::Any } else { Self::Only(list) })
    }

    /// Whether the set has this name. Names are compared byte by byte, as brokers do.
    pub fn allow(&self, name: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Only(list) => list.iter().any(|pattern| match pattern {
                NamePattern::Exact(exact) => exact.as_bytes() == name,
                // What stands behind a prefix must be a name too: no broker takes anything else,
                // and nobody has to wonder what a control character does in its logs.
                NamePattern::Prefix(prefix) => {
                    let rest = name.strip_prefix(prefix.as_bytes());
                    rest.is_some_and(|rest| rest.iter().copied().all(is_name_byte))
                }
            }),
        }
    }
}

impl fmt::Display for Names {
    /// As it would be written: `orders, web-*`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Only(list) = self else { return f.write_str("*") };
        for (at, pattern) in list.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            match pattern {
                NamePattern::Exact(name) => write!(f, "{separator}{name}")?,
                NamePattern::Prefix(name) => write!(f, "{separator}{name}*")?,
            }
        }
        Ok(())
    }
}

/// Why a text is no pattern for names. The text is not repeated: it may come from a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPattern {
    /// Empty, a character that names do not have, or a star that is not at the end.
    Character,
    /// Longer than [`PATTERN_BYTES_MAX`].
    TooLong,
    /// More than [`PATTERNS_MAX`].
    TooMany,
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character => f.write_str(
                "a pattern is a name of letters, digits, %, |, _ and -, with at most a star behind",
            ),
            Self::TooLong => write!(f, "a pattern is longer than {PATTERN_BYTES_MAX} bytes"),
            Self::TooMany => write!(f, "there are more than {PATTERNS_MAX} patterns"),
        }
    }
}

impl std::error::Error for InvalidPattern {}

/// What topics and groups are made of (`TopicValidator.java`).
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'|' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_exactly_or_by_their_start() {
        let names = Names::new(["orders", "web-*"]).expect("valid");

        for name in ["orders", "web-", "web-a", "web-%RETRY%"] {
            assert!(names.allow(name.as_bytes()), "{name}");
        }
        for name in ["", "order", "orders2", "Orders", "web", "xweb-", "web-\n", "web-\u{e9}"] {
            assert!(!names.allow(name.as_bytes()), "{name}");
        }
        assert_eq!(names.to_string(), "orders, web-*");
        assert!(!Names::new([]).expect("valid").allow(b"orders"), "an empty list is nobody");
        assert_eq!(Names::new(["a", "*"]), Ok(Names::Any));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "**", "a*b", "*a", "a b", "a.b", "\u{e9}"] {
            assert_eq!(Names::new([text]), Err(InvalidPattern::Character), "{text}");
        }
        let long = "x".repeat(PATTERN_BYTES_MAX + 1);
        assert_eq!(Names::new([&*long]), Err(InvalidPattern::TooLong));
        assert!(Names::new(vec!["a"; PATTERNS_MAX]).is_ok());
        assert_eq!(Names::new(vec!["a"; PATTERNS_MAX + 1]), Err(InvalidPattern::TooMany));
    }
}
