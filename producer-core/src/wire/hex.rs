//! Hexadecimal text as Java writes and reads it (`UtilAll.bytes2string`, `string2bytes`).

use alloc::string::String;
use alloc::vec::Vec;

/// Appends two upper-case digits per byte.
#[inline]
pub fn push_upper(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Two upper-case digits per byte.
pub fn encode_upper(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    push_upper(&mut out, bytes);
    // They are digits.
    String::from_utf8(out).unwrap_or_default()
}

/// The bytes of hexadecimal text, read as Java does: a last odd character is dropped, and a
/// character that is no digit counts as −1, so that it sets its own and all higher bits.
///
/// Wrong text therefore gives wrong bytes; what they mean has to be checked by the caller.
pub fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for unit in text.encode_utf16() {
        let digit = char::from_u32(u32::from(unit))
            .and_then(|character| character.to_digit(16))
            .map_or(-1, |digit| digit as i32);
        match high.take() {
            None => high = Some(digit),
            Some(high) => out.push((high << 4 | digit) as u8),
        }
    }
    out
}

const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
