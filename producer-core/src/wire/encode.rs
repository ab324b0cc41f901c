//! Writing whole frames.

use alloc::vec::Vec;

use super::frame::HEADER_BYTES_MAX;
use super::{Language, SerializeType, WireError, digits, json};

/// What a header says besides its ext fields (spec §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head<'a> {
    /// Request or response code; the binary form keeps its low 16 bits.
    pub code: i32,
    /// Language of the sender.
    pub language: Language,
    /// Version ordinal of the sender (see [`super::version`]).
    pub version: i32,
    /// Request id, echoed by the response.
    pub opaque: i32,
    /// Bit 0: response, bit 1: one-way.
    pub flag: i32,
    /// Error text.
    pub remark: Option<&'a str>,
}

impl Head<'_> {
    /// Flag of a request that is answered.
    pub const REQUEST: i32 = 0;
    /// Flag of a response.
    pub const RESPONSE: i32 = 1;
    /// Flag of a request that is not answered.
    pub const ONE_WAY: i32 = 2;
}

/// Appends a whole frame: lengths, header with the ext fields in the given order, body.
///
/// Nothing is appended when it fails: [`WireError::HeaderTooLong`] above 16 MiB of header,
/// [`WireError::TooLarge`] when the frame length does not fit its field, [`WireError::BadField`]
/// for a binary key above 32 767 bytes. The frame limit of the receiver is the caller's concern.
pub fn encode_frame<'e>(
    out: &mut Vec<u8>,
    serialize: SerializeType,
    head: &Head<'_>,
    ext: impl IntoIterator<Item = (&'e str, &'e str)>,
    body: &[u8],
) -> Result<(), WireError> {
    let start = out.len();
    let done = frame(out, serialize, head, ext, body);
    if done.is_err() {
        out.truncate(start);
    }
    done
}

fn frame<'e>(
    out: &mut Vec<u8>,
    serialize: SerializeType,
    head: &Head<'_>,
    ext: impl IntoIterator<Item = (&'e str, &'e str)>,
    body: &[u8],
) -> Result<(), WireError> {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    match serialize {
        SerializeType::Json => json_header(out, head, ext),
        SerializeType::RocketMq => binary_header(out, head, ext)?,
    }
    let header_len = out.len() - start - 8;
    if header_len > HEADER_BYTES_MAX {
        return Err(WireError::HeaderTooLong);
    }
    let total = header_len as u64 + 4 + body.len() as u64;
    let max = i32::MAX as usize;
    let total = i32::try_from(total).map_err(|_| WireError::TooLarge { bytes: total + 4, max })?;
    out[start..start + 4].copy_from_slice(&total.to_be_bytes());
    let mark = u32::from(serialize.code()) << 24 | header_len as u32;
    out[start + 4..start + 8].copy_from_slice(&mark.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

/// Appends a JSON header, members in the alphabetical order that fastjson writes (spec §1.4).
/// Without ext fields the member is left out.
fn json_header<'e>(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    ext: impl IntoIterator<Item = (&'e str, &'e str)>,
) {
    out.extend_from_slice(b"{\"code\":");
    digits::push_i32(out, head.code);
    let mut separator: &[u8] = b",\"extFields\":{";
    for (name, value) in ext {
        out.extend_from_slice(separator);
        json::quote_into(out, name);
        out.push(b':');
        json::quote_into(out, value);
        separator = b",";
    }
    if separator == b"," {
        out.push(b'}');
    }
    out.extend_from_slice(b",\"flag\":");
    digits::push_i32(out, head.flag);
    if let Some(language) = head.language.name() {
        out.extend_from_slice(b",\"language\":");
        json::quote_into(out, language);
    }
    out.extend_from_slice(b",\"opaque\":");
    digits::push_i32(out, head.opaque);
    if let Some(remark) = head.remark {
        out.extend_from_slice(b",\"remark\":");
        json::quote_into(out, remark);
    }
    out.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    digits::push_i32(out, head.version);
    out.push(b'}');
}

/// Appends a binary header. Empty values are written, as Java does, although every reader takes
/// them for null (spec §1.5).
fn binary_header<'e>(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    ext: impl IntoIterator<Item = (&'e str, &'e str)>,
) -> Result<(), WireError> {
    out.extend_from_slice(&(head.code as i16).to_be_bytes());
    out.push(head.language.code());
    out.extend_from_slice(&(head.version as i16).to_be_bytes());
    out.extend_from_slice(&head.opaque.to_be_bytes());
    out.extend_from_slice(&head.flag.to_be_bytes());
    push_long_text(out, head.remark.unwrap_or(""))?;
    let ext_at = out.len();
    out.extend_from_slice(&[0; 4]);
    for (name, value) in ext {
        let len = i16::try_from(name.len());
        let len = len.map_err(|_| WireError::BadField { name: "extFields" })?;
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(name.as_bytes());
        push_long_text(out, value)?;
    }
    let len = i32::try_from(out.len() - ext_at - 4).map_err(|_| WireError::HeaderTooLong)?;
    out[ext_at..ext_at + 4].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

fn push_long_text(out: &mut Vec<u8>, text: &str) -> Result<(), WireError> {
    let len = i32::try_from(text.len()).map_err(|_| WireError::HeaderTooLong)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}
