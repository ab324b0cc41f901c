//! A pull reader over JSON text that borrows, never allocates and never recurses.

use super::DEPTH_MAX;
use crate::wire::{Text, WireError};

/// A position in JSON text.
///
/// Accepts what a fastjson release of the supported range accepts beyond the standard: unquoted
/// member names (`{0:"a"}`), single quotes, raw control characters inside strings (spec §1.4,
/// §4.1).
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    /// No member or element of the innermost open object or array has been read yet.
    first: bool,
}

/// One JSON value; objects and arrays as the text they span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written.
    Number(&'a [u8]),
    /// A string.
    String(Text<'a>),
    /// An object or array, brackets included.
    Nested(&'a [u8]),
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, first: false }
    }

    /// A reader that goes on at byte `at`, inside `depth` open objects, before a member: the first
    /// one (or behind a comma) if `first` says so, otherwise before its comma.
    #[inline]
    pub(in crate::wire) const fn resume(
        bytes: &'a [u8],
        at: usize,
        depth: u32,
        first: bool,
    ) -> Self {
        Self { bytes, at, depth, first }
    }

    /// Enters an object.
    #[inline]
    pub fn open_object(&mut self) -> Result<(), WireError> {
        self.open(b'{')
    }

    /// Enters an array.
    #[inline]
    pub fn open_array(&mut self) -> Result<(), WireError> {
        self.open(b'[')
    }

    /// The name of the next member of the open object, with the reader at its value; `None` after
    /// the last, with the reader behind the object.
    #[inline]
    pub fn next_member(&mut self) -> Result<Option<Text<'a>>, WireError> {
        if !self.next(b'}')? {
            return Ok(None);
        }
        let name = match self.peek() {
            Some(b'"') => self.string(b'"')?,
            Some(b'\'') => self.string(b'\'')?,
            _ => self.bare_name()?,
        };
        self.expect(b':')?;
        Ok(Some(name))
    }

    /// Whether the open array has another element, with the reader at it; after the last the
    /// reader is behind the array.
    #[inline]
    pub fn next_element(&mut self) -> Result<bool, WireError> {
        self.next(b']')
    }

    /// The next value, whatever it is.
    #[inline]
    pub fn value(&mut self) -> Result<Value<'a>, WireError> {
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string(b'"')?)),
            Some(b'\'') => Ok(Value::String(self.string(b'\'')?)),
            Some(b'{' | b'[') => self.nested().map(Value::Nested),
            Some(b'-' | b'+' | b'.' | b'0'..=b'9') => Ok(Value::Number(self.number())),
            Some(b'n') => self.literal(b"null", Value::Null),
            Some(b't') => self.literal(b"true", Value::Bool(true)),
            Some(b'f') => self.literal(b"false", Value::Bool(false)),
            _ => Err(self.error()),
        }
    }

    /// Takes `null` if it is the next value.
    pub fn take_null(&mut self) -> Result<bool, WireError> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.literal(b"null", Value::Null).map(|_| true)
    }

    /// Checks that nothing but white space is left.
    #[inline]
    pub fn end(&mut self) -> Result<(), WireError> {
        if self.at == self.bytes.len() || self.peek().is_none() {
            Ok(())
        } else {
            Err(self.error())
        }
    }

    /// The first byte of the next value, white space skipped.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(&byte) => return Some(byte),
                None => return None,
            }
        }
    }

    /// The error that names the reader's position.
    #[cold]
    pub const fn error(&self) -> WireError {
        WireError::BadJson { at: self.at }
    }

    /// Bytes read so far.
    #[inline]
    pub const fn position(&self) -> usize {
        self.at
    }

    #[inline]
    fn open(&mut self, bracket: u8) -> Result<(), WireError> {
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(WireError::TooDeep);
        }
        self.first = true;
        Ok(())
    }

    /// Moves to the next member or element, or over the closing bracket.
    #[inline]
    fn next(&mut self, close: u8) -> Result<bool, WireError> {
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth = self.depth.saturating_sub(1);
                self.first = false;
                Ok(false)
            }
            Some(b',') if !self.first => {
                self.at += 1;
                // Both fastjson releases take a comma behind the last member.
                if self.bytes.get(self.at) == Some(&close) {
                    return self.next(close);
                }
                Ok(true)
            }
            Some(_) if self.first => {
                self.first = false;
                Ok(true)
            }
            _ => Err(self.error()),
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), WireError> {
        if self.bytes.get(self.at) == Some(&byte) || self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error())
        }
    }

    /// The string that starts at the reader with `quote`.
    #[inline]
    fn string(&mut self, quote: u8) -> Result<Text<'a>, WireError> {
        let start = self.at + 1;
        let mut from = start;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(from..).unwrap_or_default();
            let Some(found) = find(rest, quote) else {
                return Err(WireError::BadJson { at: self.bytes.len() });
            };
            let at = from + found;
            if self.bytes[at] == quote {
                self.at = at + 1;
                return Ok(Text::from_json(&self.bytes[start..at], escaped));
            }
            escaped = true;
            from = at + 2;
        }
    }

    /// A member name without quotes: letters, digits, `_`, `$`, `-`.
    #[cold]
    fn bare_name(&mut self) -> Result<Text<'a>, WireError> {
        let start = self.at;
        while let Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | b'-') =
            self.bytes.get(self.at)
        {
            self.at += 1;
        }
        if start == self.at {
            return Err(self.error());
        }
        Ok(Text::from_bytes(&self.bytes[start..self.at]))
    }

    #[inline]
    fn number(&mut self) -> &'a [u8] {
        let start = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    fn literal(&mut self, text: &[u8], value: Value<'a>) -> Result<Value<'a>, WireError> {
        match self.bytes.get(self.at..self.at + text.len()) {
            Some(found) if found == text => {
                self.at += text.len();
                Ok(value)
            }
            _ => Err(self.error()),
        }
    }

    /// Skips an object or array. Only strings and brackets are looked at: what is inside is not
    /// ours to check, but it has to end where it says.
    fn nested(&mut self) -> Result<&'a [u8], WireError> {
        let start = self.at;
        let mut objects = 0u64;
        let mut depth = 0;
        loop {
            match self.peek() {
                Some(quote @ (b'"' | b'\'')) => {
                    self.string(quote)?;
                    continue;
                }
                Some(open @ (b'{' | b'[')) => {
                    depth += 1;
                    if self.depth + depth > DEPTH_MAX {
                        return Err(WireError::TooDeep);
                    }
                    objects = objects << 1 | u64::from(open == b'{');
                }
                Some(close @ (b'}' | b']')) => {
                    if (objects & 1 == 1) != (close == b'}') {
                        return Err(self.error());
                    }
                    objects >>= 1;
                    depth -= 1;
                }
                Some(_) => {}
                None => return Err(self.error()),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(&self.bytes[start..self.at]);
            }
        }
    }
}

impl<'a> Value<'a> {
    /// The value as fastjson turns it into a `String`; `None` for `null`.
    #[inline]
    pub const fn to_text(self) -> Option<Text<'a>> {
        match self {
            Self::Null => None,
            Self::Bool(true) => Some(Text::plain("true")),
            Self::Bool(false) => Some(Text::plain("false")),
            Self::Number(raw) | Self::Nested(raw) => Some(Text::from_bytes(raw)),
            Self::String(text) => Some(text),
        }
    }

    /// The value as fastjson turns it into a `long`: numbers in strings are read, fractions are
    /// cut, `null` and empty text are 0. `None` if it holds no number.
    pub fn to_i64(self) -> Option<i64> {
        match self {
            Self::Null => Some(0),
            Self::Bool(value) => Some(i64::from(value)),
            Self::Number(raw) => number_to_i64(raw),
            Self::String(text) => {
                let text = text.to_cow();
                let text = text.trim_ascii();
                if text.is_empty() || text == "null" {
                    return Some(0);
                }
                number_to_i64(text.as_bytes())
            }
            Self::Nested(_) => None,
        }
    }

    /// Like [`Self::to_i64`], for an `int`.
    pub fn to_i32(self) -> Option<i32> {
        self.to_i64().and_then(|value| i32::try_from(value).ok())
    }

    /// The value as fastjson turns it into a `boolean`.
    pub fn to_bool(self) -> bool {
        match self {
            Self::Bool(value) => value,
            Self::Number(_) => self.to_i64() == Some(1),
            Self::String(text) => text.to_bool() || text.eq_str("1"),
            Self::Null | Self::Nested(_) => false,
        }
    }
}

fn number_to_i64(raw: &[u8]) -> Option<i64> {
    if let Some(value) = crate::wire::digits::parse_i64(raw) {
        return Some(value);
    }
    cut_decimal(raw).filter(|value| value.unsigned_abs() < 9_000_000_000_000_000_000)
}

/// A number with a fraction, an exponent or both, its fraction cut as Java's
/// `BigDecimal.longValue` does. By hand, for the library's way through `f64` is long and not exact.
fn cut_decimal(raw: &[u8]) -> Option<i64> {
    let negative = raw.first() == Some(&b'-');
    let raw = raw.strip_prefix(b"-").or_else(|| raw.strip_prefix(b"+")).unwrap_or(raw);
    let mut parts = raw.splitn(2, |byte| matches!(byte, b'e' | b'E'));
    let mantissa = parts.next()?;
    let exponent = parts.next().map_or(Some(0), crate::wire::digits::parse_i64)?;
    let mut parts = mantissa.splitn(2, |&byte| byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    let mut digits = whole.iter().chain(fraction);
    if whole.len() + fraction.len() == 0 || !digits.clone().all(u8::is_ascii_digit) {
        return None;
    }
    // So many digits stand before the point once the exponent has moved it.
    let mut left = exponent.saturating_add_unsigned(whole.len() as u64);
    let mut value: i64 = 0;
    while left > 0 {
        let digit = match digits.next() {
            Some(digit) => i64::from(digit - b'0'),
            None if value == 0 => break,
            None => 0,
        };
        value = value.checked_mul(10)?.checked_add(digit)?;
        left -= 1;
    }
    Some(if negative { -value } else { value })
}

/// Offset of the first `quote` or backslash. Looks at eight bytes at once: nearly all bytes of a
/// header are inside strings.
#[inline]
fn find(bytes: &[u8], quote: u8) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    let quotes = ONES * u64::from(quote);
    let mut rest = bytes;
    let mut at = 0;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let (a, b) = (word ^ quotes, word ^ BACKSLASHES);
        // A byte of `a` or `b` that is zero sets its high bit; lower bytes are exact.
        let hits = (a.wrapping_sub(ONES) & !a | b.wrapping_sub(ONES) & !b) & HIGHS;
        if hits != 0 {
            return Some(at + (hits.trailing_zeros() / 8) as usize);
        }
        at += 8;
        rest = tail;
    }
    rest.iter().position(|&byte| byte == quote || byte == b'\\').map(|found| at + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_as_java_does() {
        let cases: [(&str, Option<i64>); 22] = [
            ("1.5", Some(1)),
            ("-1.9", Some(-1)),
            ("1e3", Some(1_000)),
            ("1.25E+1", Some(12)),
            ("125e-1", Some(12)),
            ("-125e-9", Some(0)),
            ("0e999999999999", Some(0)),
            ("1e999999999999", None),
            ("1e-99999999999999999999", None),
            (".5", Some(0)),
            ("5.", Some(5)),
            ("+7.5", Some(7)),
            ("0.00012e5", Some(12)),
            ("8.9e18", Some(8_900_000_000_000_000_000)),
            ("9.1e18", None),
            ("9007199254740993.5", Some(9_007_199_254_740_993)),
            (".", None),
            ("e5", None),
            ("1.2.3", None),
            ("1e", None),
            ("NaN", None),
            ("-", None),
        ];
        for (text, value) in cases {
            assert_eq!(number_to_i64(text.as_bytes()), value, "{text}");
        }
    }
}
