//! The body of a batch: messages end to end (spec §7.8, `MessageDecoder.encodeMessages`).

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::WireError;
use super::bytes::Cursor;
use super::properties::PROPERTIES_BYTES_MAX;
use super::text::lossy;

/// Bytes of a member besides its body and properties.
pub const MEMBER_BYTES_MIN: usize = 22;

/// One message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The message's own flag.
    pub flag: i32,
    /// Body; never compressed.
    pub body: &'a [u8],
    /// Property string, with the member's own UNIQ_KEY.
    pub properties: Cow<'a, str>,
}

/// Appends one member. Fails, with nothing appended, when the properties exceed 32 767 bytes or
/// the member exceeds 2 GiB; Java 5.x writes a wrong length instead.
pub fn push_member(
    out: &mut Vec<u8>,
    flag: i32,
    body: &[u8],
    properties: &[u8],
) -> Result<(), WireError> {
    push_member_of(out, flag, body, [properties])
}

/// The same with properties that come in pieces.
#[inline]
pub(crate) fn push_member_of<const N: usize>(
    out: &mut Vec<u8>,
    flag: i32,
    body: &[u8],
    properties: [&[u8]; N],
) -> Result<(), WireError> {
    let properties_len: usize = properties.iter().map(|piece| piece.len()).sum();
    if properties_len > PROPERTIES_BYTES_MAX {
        return Err(WireError::BadField { name: "properties" });
    }
    let total = MEMBER_BYTES_MIN + body.len() + properties_len;
    let max = i32::MAX as usize;
    let too_large = WireError::TooLarge { bytes: total as u64, max };
    let total = i32::try_from(total).map_err(|_| too_large)?;
    out.extend_from_slice(&total.to_be_bytes());
    // Magic number and body checksum are both zero.
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&flag.to_be_bytes());
    out.extend_from_slice(&(body.len() as i32).to_be_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&(properties_len as i16).to_be_bytes());
    for piece in properties {
        out.extend_from_slice(piece);
    }
    Ok(())
}

/// The members of a batch body. After an error the iterator ends.
///
/// The member length is not looked at, as in Java: body and properties have their own.
pub fn members(body: &[u8]) -> Members<'_> {
    Members { rest: Cursor::new(body) }
}

/// The members of [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    rest: Cursor<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let member = member(&mut self.rest);
        if member.is_err() {
            self.rest = Cursor::new(&[]);
        }
        Some(member)
    }
}

fn member<'a>(from: &mut Cursor<'a>) -> Result<Member<'a>, WireError> {
    from.take(12)?;
    let flag = from.i32()?;
    let body_len = from.i32()?;
    let body = from.take_len(body_len)?;
    let properties_len = from.i16()?;
    let properties = from.take_len(i32::from(properties_len))?;
    Ok(Member { flag, body, properties: lossy(properties) })
}
