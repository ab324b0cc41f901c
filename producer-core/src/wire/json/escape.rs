//! JSON string escapes, in the form that fastjson2 (5.4.0) writes.

use alloc::string::String;
use alloc::vec::Vec;

/// Appends `text` with the escapes of a JSON string, without the quotes.
///
/// Control characters, the quote and the backslash are escaped, `\b \t \n \f \r` in their short
/// forms, the others as lower-case `\u00xx`; everything else stays raw (spec §1.4, 5.4.0).
pub fn escape_into(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_len(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some((&byte, behind)) = rest[plain..].split_first() else { return };
        escape(out, byte);
        rest = behind;
    }
}

/// Bytes before the first one that has to be escaped. Looks at eight at once: most text has none.
#[inline]
fn plain_len(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let (quotes, slashes) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
        // The lowest high bit marks the first quote, backslash or byte below 0x20.
        let hits = (quotes.wrapping_sub(ONES) & !quotes
            | slashes.wrapping_sub(ONES) & !slashes
            | word.wrapping_sub(ONES * 0x20) & !word)
            & HIGHS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &text[at..];
    let found = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
    at + found.unwrap_or(rest.len())
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        0x08 => out.extend_from_slice(b"\\b"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\n' => out.extend_from_slice(b"\\n"),
        0x0c => out.extend_from_slice(b"\\f"),
        b'\r' => out.extend_from_slice(b"\\r"),
        control => {
            let (high, low) = (HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    }
}

/// Appends `text` as a JSON string with its quotes.
pub fn quote_into(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape_into(out, text);
    out.push(b'"');
}

/// Resolves the escapes of a JSON string's inside.
///
/// Half surrogate pairs and bytes that are not UTF-8 become U+FFFD; an escape that JSON does not
/// know stands for its second character, so reading never fails.
pub(crate) fn unescape(raw: &[u8]) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(&kind) = raw.get(at) else { break };
        at += 1;
        match kind {
            b'b' => out.push(0x08),
            b't' => out.push(b'\t'),
            b'n' => out.push(b'\n'),
            b'f' => out.push(0x0c),
            b'r' => out.push(b'\r'),
            b'u' => {
                let (character, used) = unicode(&raw[at..]);
                at += used;
                let mut utf8 = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            }
            other => out.push(other),
        }
    }
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The character of a `\u` escape whose digits start `rest`, and the bytes it takes; a second
/// escape is taken along when both make up a surrogate pair.
fn unicode(rest: &[u8]) -> (char, usize) {
    let Some(unit) = hex4(rest) else { return (char::REPLACEMENT_CHARACTER, 0) };
    if !(0xd800..0xdc00).contains(&unit) {
        return (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 4);
    }
    let low = rest.get(4..6).filter(|next| next == b"\\u").and_then(|_| hex4(&rest[6..]));
    match low {
        Some(low) if (0xdc00..0xe000).contains(&low) => {
            let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 10)
        }
        _ => (char::REPLACEMENT_CHARACTER, 4),
    }
}

fn hex4(text: &[u8]) -> Option<u32> {
    let mut value = 0;
    for &digit in text.get(..4)? {
        value = value * 16 + char::from(digit).to_digit(16)?;
    }
    Some(value)
}

const HEX: [u8; 16] = *b"0123456789abcdef";
