//! Where does one frame end and the next begin?

use super::WireError;
use crate::has;

/// Largest frame in bytes, its four length bytes included: 16 MiB, Java's default of
/// `com.rocketmq.remoting.frameMaxLength` (spec §1.1).
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Largest header in bytes: its length has 24 bits (spec §1.1).
pub const HEADER_BYTES_MAX: usize = 0xff_ffff;

/// How a header is written: the high byte of the frame's second word (spec §1.2).
///
/// A 5.x server answers in its own default type, so this is read from each frame and never
/// assumed from the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SerializeType {
    /// JSON text, code 0, the default of all releases.
    #[default]
    Json,
    /// The fixed binary layout, code 1.
    RocketMq,
}

impl SerializeType {
    /// The type for requests of a build that may not have them all.
    #[inline]
    pub(crate) const fn allowed(self) -> Self {
        if has::JSON_REQUESTS { self } else { Self::RocketMq }
    }

    /// The byte on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Json => 0,
            Self::RocketMq => 1,
        }
    }

    /// The type of a byte on the wire; Java closes the connection on any other byte.
    pub const fn from_code(code: u8) -> Result<Self, WireError> {
        match code {
            0 => Ok(Self::Json),
            1 => Ok(Self::RocketMq),
            other => Err(WireError::UnknownSerializeType(other)),
        }
    }

    /// The constant's name, as in the JSON member `serializeTypeCurrentRPC`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::RocketMq => "ROCKETMQ",
        }
    }
}

/// One complete frame at the start of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// How `header` is written.
    pub serialize: SerializeType,
    /// The header's bytes, not yet decoded.
    pub header: &'a [u8],
    /// The body's bytes; empty where Java has `null`.
    pub body: &'a [u8],
    /// Bytes of the buffer that the frame takes, its four length bytes included.
    pub len: usize,
}

/// Takes the first frame from `buf`, or `None` while more bytes are needed.
///
/// `max` bounds the whole frame in bytes. A bad length is refused as soon as its four bytes are
/// there, so a peer cannot make us wait for, or allocate, what we would refuse anyway.
#[inline]
pub fn split(buf: &[u8], max: usize) -> Result<Option<Frame<'_>>, WireError> {
    let Some((total, rest)) = buf.split_first_chunk::<4>() else { return Ok(None) };
    let total = i32::from_be_bytes(*total);
    let body_end = usize::try_from(total).map_err(|_| WireError::NegativeLength)?;
    if body_end > max.saturating_sub(4) {
        return Err(WireError::TooLarge { bytes: body_end as u64 + 4, max });
    }
    if body_end < 4 {
        return Err(WireError::Truncated);
    }
    let Some((mark, _)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let serialize = SerializeType::from_code(mark[0])?;
    let header_end = 4 + (u32::from_be_bytes(*mark) & 0x00ff_ffff) as usize;
    if header_end > body_end {
        return Err(WireError::HeaderTooLong);
    }
    let Some(frame) = rest.get(..body_end) else { return Ok(None) };
    let (head, body) = frame.split_at(header_end);
    Ok(Some(Frame { serialize, header: &head[4..], body, len: body_end + 4 }))
}

/// How many bytes the frame at the start of `buf` lacks: of its length, if that is not there, else
/// of what the length counts. Zero if it is whole.
pub fn lacking(buf: &[u8]) -> usize {
    match buf.first_chunk::<4>() {
        None => 4 - buf.len(),
        Some(total) => {
            (u32::from_be_bytes(*total) as usize).saturating_add(4).saturating_sub(buf.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_split_from_what_follows() {
        let buf = [0, 0, 0, 7, 1, 0, 0, 2, 8, 9, 7, 0xff];

        let frame = split(&buf, FRAME_BYTES_MAX).expect("valid").expect("complete");

        assert_eq!(frame.serialize, SerializeType::RocketMq);
        assert_eq!((frame.header, frame.body, frame.len), (&[8u8, 9][..], &[7u8][..], 11));
        for len in 0..11 {
            assert_eq!(split(&buf[..len], FRAME_BYTES_MAX), Ok(None));
            assert_eq!(lacking(&buf[..len]), if len < 4 { 4 - len } else { 11 - len });
        }
        assert_eq!(lacking(&buf), 0);
    }

    #[test]
    fn bad_lengths_are_refused_before_the_frame_is_there() {
        fn at(bytes: &[u8]) -> Result<Option<Frame<'_>>, WireError> {
            split(bytes, 100)
        }

        assert_eq!(at(&[0x80, 0, 0, 0]), Err(WireError::NegativeLength));
        assert_eq!(at(&[0, 0, 0, 97]), Err(WireError::TooLarge { bytes: 101, max: 100 }));
        assert_eq!(at(&[0, 0, 0, 96]), Ok(None));
        assert_eq!(at(&[0, 0, 0, 3]), Err(WireError::Truncated));
        assert_eq!(at(&[0, 0, 0, 9, 0, 0, 0, 6]), Err(WireError::HeaderTooLong));
        assert_eq!(at(&[0, 0, 0, 9, 2, 0, 0, 5]), Err(WireError::UnknownSerializeType(2)));
    }
}
