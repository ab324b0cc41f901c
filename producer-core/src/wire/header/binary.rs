//! The binary header (spec §1.5, `RocketMQSerializable.java`).

use super::{HeaderLine, Visit};
use crate::wire::ext::binary_entry;
use crate::wire::{Ext, Language, Text, WireError};

/// Decodes a binary header. Bytes behind the ext fields are ignored, as in Java.
#[inline]
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    visit: &mut impl Visit<'a>,
    ext: &mut Ext<'a>,
) -> Result<HeaderLine<'a>, WireError> {
    let (fixed, rest) = bytes.split_first_chunk::<FIXED_BYTES>().ok_or(WireError::Truncated)?;
    let (remark, rest) = long_text(rest)?;
    let (entries, _) = long_text(rest)?;
    if !entries.is_empty() {
        *ext = Ext::binary(entries);
    }
    let mut rest = visit.expected_binary(entries);
    while let Some((key, value, tail)) = binary_entry(rest)? {
        match value.is_empty() {
            false => visit.field(Text::from_bytes(key), Text::from_bytes(value)),
            true => visit.null(Text::from_bytes(key)),
        }
        rest = tail;
    }
    let [c0, c1, language, v0, v1, o0, o1, o2, o3, f0, f1, f2, f3] = *fixed;
    Ok(HeaderLine {
        code: i32::from(i16::from_be_bytes([c0, c1])),
        language: Language::from_code(language),
        version: i32::from(i16::from_be_bytes([v0, v1])),
        opaque: i32::from_be_bytes([o0, o1, o2, o3]),
        flag: i32::from_be_bytes([f0, f1, f2, f3]),
        remark: (!remark.is_empty()).then(|| Text::from_bytes(remark)),
    })
}

/// Bytes behind an `i32` length, and what follows them.
#[inline]
fn long_text(bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let len = i32::from_be_bytes(*len);
    let len = usize::try_from(len).map_err(|_| WireError::NegativeLength)?;
    rest.split_at_checked(len).ok_or(WireError::Truncated)
}

/// code, language, version, opaque, flag.
const FIXED_BYTES: usize = 13;
