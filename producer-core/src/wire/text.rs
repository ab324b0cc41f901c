//! A string of a received header, not yet unescaped and not yet checked to be UTF-8.

use alloc::borrow::Cow;
use alloc::string::String;

use super::{digits, json};

/// Text borrowed from a received buffer.
///
/// Holding it costs nothing: JSON escapes are resolved, and UTF-8 is checked, when the text is
/// asked for. Bytes that are not UTF-8 read as U+FFFD, as Java's `new String(bytes, UTF_8)` does.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    /// Text that holds no escapes.
    #[inline]
    pub const fn plain(text: &'a str) -> Self {
        Self { raw: text.as_bytes(), escaped: false }
    }

    /// Bytes that hold no escapes and should be UTF-8.
    #[inline]
    pub const fn from_bytes(raw: &'a [u8]) -> Self {
        Self { raw, escaped: false }
    }

    /// The inside of a JSON string; `escaped` says whether it holds a backslash.
    #[inline]
    pub(super) const fn from_json(raw: &'a [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The text as it stands in the buffer; `None` if it is escaped or not UTF-8.
    #[inline]
    pub fn as_str(&self) -> Option<&'a str> {
        if self.escaped { None } else { core::str::from_utf8(self.raw).ok() }
    }

    /// The bytes as they stand in the buffer; `None` if they are escaped.
    #[inline]
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        if self.escaped { None } else { Some(self.raw) }
    }

    /// The text with escapes resolved; allocates only where something has to change.
    pub fn to_cow(&self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(json::unescape(self.raw)) } else { lossy(self.raw) }
    }

    /// Whether the text, escapes resolved, equals `other`.
    #[inline]
    pub fn eq_str(&self, other: &str) -> bool {
        if self.escaped { self.to_cow() == other } else { self.raw == other.as_bytes() }
    }

    /// Whether there are no bytes.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The number the text holds, read as Java's `Integer.parseInt`.
    #[inline]
    pub fn to_i32(&self) -> Option<i32> {
        if self.escaped {
            digits::parse_i32(self.to_cow().as_bytes())
        } else {
            digits::parse_i32(self.raw)
        }
    }

    /// The number the text holds, read as Java's `Long.parseLong`.
    #[inline]
    pub fn to_i64(&self) -> Option<i64> {
        if self.escaped {
            digits::parse_i64(self.to_cow().as_bytes())
        } else {
            digits::parse_i64(self.raw)
        }
    }

    /// The truth value as Java's `Boolean.parseBoolean`: "true" in any case, all else is false.
    #[inline]
    pub fn to_bool(&self) -> bool {
        self.to_cow().eq_ignore_ascii_case("true")
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.escaped || other.escaped {
            self.to_cow() == other.to_cow()
        } else {
            self.raw == other.raw
        }
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.eq_str(other)
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.eq_str(other)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::plain(text)
    }
}

/// Text, with U+FFFD where it is none. Text that is sound, as nearly all is, is found so at once.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_on_demand() {
        let text = Text::from_json(br"a\u0001\n\/\ud83d\ude00\ud83d", true);

        assert_eq!(text.as_str(), None);
        assert_eq!(text.to_cow(), "a\u{1}\n/\u{1f600}\u{fffd}");
        assert!(text.eq_str("a\u{1}\n/\u{1f600}\u{fffd}"));
        assert_eq!(Text::from_bytes(b"\xff").to_cow(), "\u{fffd}");
    }

    #[test]
    fn values_are_read_as_java_reads_them() {
        assert_eq!(Text::plain("12").to_i32(), Some(12));
        assert_eq!(Text::from_json(br"\u0031", true).to_i64(), Some(1));
        assert!(Text::plain("TRUE").to_bool());
        assert!(!Text::plain("1").to_bool());
    }
}
