//! The short way through a JSON header that looks as Java writes it: compact, members in
//! alphabetical order, nothing escaped.
//!
//! Every send is answered by such a header, so this is the hot path of receiving. It takes what it
//! knows and stops before the first member it does not, where the general reader goes on. Nothing
//! is refused here.

use super::{HeaderLine, Visit};
use crate::wire::{Ext, Text};

/// How far the short way went.
pub(super) enum Stop {
    /// To the end of the text.
    End,
    /// Not beyond its first byte.
    Start,
    /// To a member of the header.
    Member {
        /// Offset of the member.
        at: usize,
        /// Whether no comma comes first.
        first: bool,
    },
    /// To an ext field.
    ExtField {
        /// Offset of the field, or of the comma before it.
        at: usize,
        /// Whether no comma comes first.
        first: bool,
        /// Offset of the brace that opens the ext fields.
        start: usize,
    },
}

/// Reads as much of the header as is usual.
#[inline]
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    line: &mut HeaderLine<'a>,
    visit: &mut impl Visit<'a>,
    ext: &mut Ext<'a>,
) -> Stop {
    let Some(rest) = bytes.strip_prefix(b"{\"code\":") else { return Stop::Start };
    let Some((code, mut rest)) = number(rest) else { return Stop::Member { at: 1, first: true } };
    line.code = code;
    if let Some(fields) = rest.strip_prefix(b",\"extFields\":{") {
        let start = bytes.len() - fields.len() - 1;
        match ext_fields(fields, visit) {
            Ok(behind) => rest = behind,
            Err(stopped) => {
                let at = bytes.len() - stopped.len();
                return Stop::ExtField { at, first: at == start + 1, start };
            }
        }
        *ext = Ext::json(&bytes[start..bytes.len() - rest.len()]);
    }
    let rest = tail(rest, line);
    if rest == b"}" {
        return Stop::End;
    }
    Stop::Member { at: bytes.len() - rest.len(), first: false }
}

/// Reads the members behind the ext fields and returns what is left before a member that is not
/// as usual.
#[inline]
fn tail<'a>(rest: &'a [u8], line: &mut HeaderLine<'a>) -> &'a [u8] {
    let Some((flag, behind)) = rest.strip_prefix(b",\"flag\":").and_then(number) else {
        return rest;
    };
    line.flag = flag;
    let rest = behind;
    // The language of all servers; it is what the line says already.
    let opaque = rest.strip_prefix(b",\"language\":\"JAVA\",\"opaque\":").and_then(number);
    let Some((opaque, mut rest)) = opaque else { return rest };
    line.opaque = opaque;
    if let Some(remark) = rest.strip_prefix(b",\"remark\":\"") {
        let Some(len) = plain_len(remark) else { return rest };
        let (remark, behind) = remark.split_at(len);
        line.remark = Some(Text::from_bytes(remark));
        rest = &behind[1..];
    }
    let version = rest.strip_prefix(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    let Some((version, behind)) = version.and_then(number) else { return rest };
    line.version = version;
    behind
}

/// Reads ext fields behind their brace and returns what follows the closing one, or, as the error,
/// what starts with the first field that is not as usual, or with the comma before it.
#[inline]
fn ext_fields<'a>(fields: &'a [u8], visit: &mut impl Visit<'a>) -> Result<&'a [u8], &'a [u8]> {
    let mut rest = visit.expected(fields);
    loop {
        let field = match rest {
            [b'}', behind @ ..] => return Ok(behind),
            first if first.len() == fields.len() => first,
            [b',', field @ ..] => field,
            _ => return Err(rest),
        };
        let name = field.strip_prefix(b"\"").ok_or(rest)?;
        let (name, behind) = name.split_at(plain_len(name).ok_or(rest)?);
        let value = behind.strip_prefix(b"\":\"").ok_or(rest)?;
        let (value, behind) = value.split_at(plain_len(value).ok_or(rest)?);
        // What does not end here is left to the general way, which says what is wrong with it.
        let [_, b',' | b'}', ..] = behind else { return Err(rest) };
        visit.field(Text::from_bytes(name), Text::from_bytes(value));
        rest = &behind[1..];
    }
}

/// Reads a number of at most nine digits that a comma or brace follows.
#[inline]
fn number(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let negative = bytes.first() == Some(&b'-');
    let digits = if negative { &bytes[1..] } else { bytes };
    let (len, value) = leading_digits(digits);
    if len == 0 || len > 9 {
        return None;
    }
    let rest = &digits[len..];
    let value = value as i32;
    let ends = matches!(rest.first(), Some(b',' | b'}'));
    ends.then_some((if negative { -value } else { value }, rest))
}

/// How many digits come first, and the number they make; wrong above 18 digits.
#[inline]
pub(in crate::wire) fn leading_digits(bytes: &[u8]) -> (usize, i64) {
    if let Some(chunk) = bytes.first_chunk::<8>() {
        // Of eight bytes, what is left of a digit is below ten. The lowest high bit marks the
        // first byte that is none: only bytes behind it can be wrong by a carry.
        let word = u64::from_le_bytes(*chunk) ^ (ONES * b'0' as u64);
        let others = (word.wrapping_add(ONES * 0x76) | word) & (ONES << 7);
        let digits = others.trailing_zeros() / 8;
        match digits {
            0 => return (0, 0),
            1 => return (1, (word & 0xff) as i64),
            2..8 => return (digits as usize, eight_digits(word << (64 - 8 * digits))),
            _ => {}
        }
    }
    let mut value: i64 = 0;
    let mut len = 0;
    for &byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        len += 1;
    }
    (len, value)
}

/// The number of eight digits of one byte each, the highest in the lowest byte: neighbours are
/// joined to pairs, pairs to fours, fours to eight.
#[inline]
const fn eight_digits(word: u64) -> i64 {
    let pairs = (word.wrapping_mul(10)).wrapping_add(word >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100)).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff) as i64
}

/// Bytes before the quote that ends a string; `None` if a backslash comes first, or if it ends
/// within the last eight bytes of a header, as no string of a usual one does.
#[inline]
pub(in crate::wire) fn plain_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let hits = specials(chunk);
        if hits != 0 {
            at += hits.trailing_zeros() as usize / 8;
            return (bytes.get(at) == Some(&b'"')).then_some(at);
        }
        at += 8;
    }
    None
}

/// The quotes and backslashes among eight bytes: the lowest high bit marks the first one.
#[inline]
pub(in crate::wire) const fn specials(chunk: &[u8; 8]) -> u64 {
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    let word = u64::from_le_bytes(*chunk);
    let (quotes, slashes) = (word ^ QUOTES, word ^ BACKSLASHES);
    // Subtracting one sets the high bit of a byte that is zero, and of no lower one before it.
    (quotes.wrapping_sub(ONES) & !quotes | slashes.wrapping_sub(ONES) & !slashes) & (ONES << 7)
}

/// One in each of eight bytes.
const ONES: u64 = u64::from_ne_bytes([1; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number of digits, in front of every byte, with room for eight bytes and without.
    #[test]
    fn digits_read_at_once_are_those_read_one_by_one() {
        for digits in 0..=18 {
            for next in 0..=u8::MAX {
                for behind in [&b""[..], b"99999999", b"\xff\xff\xff\xff\xff\xff\xff\xff"] {
                    let mut bytes = b"918273645546372819"[..digits].to_vec();
                    let end = if next.is_ascii_digit() { b',' } else { next };
                    bytes.push(end);
                    bytes.extend_from_slice(behind);

                    let number =
                        bytes[..digits].iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
                    assert_eq!(leading_digits(&bytes), (digits, number), "{bytes:?}");
                }
            }
        }
    }
}
