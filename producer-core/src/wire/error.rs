//! What can be wrong with bytes that came from, or should go to, a peer.

use core::fmt;

/// Why bytes could not be decoded, or values could not be encoded.
///
/// Each variant costs the sender of the bytes at most its connection (spec §1.1: Java closes the
/// channel on any decode exception).
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireError {
    /// A frame announces, or would need, more bytes than the limit.
    TooLarge {
        /// Bytes of the whole frame, its four length bytes included.
        bytes: u64,
        /// The limit it was held against.
        max: usize,
    },
    /// A length field is negative.
    NegativeLength,
    /// The header length exceeds the frame that holds it, or the 24 bits of its field.
    HeaderTooLong,
    /// The serialize type byte is neither 0 (JSON) nor 1 (binary).
    UnknownSerializeType(u8),
    /// A structure ends before its own lengths say so.
    Truncated,
    /// JSON text that neither fastjson release accepts.
    BadJson {
        /// Offset of the byte that was not expected.
        at: usize,
    },
    /// JSON nested deeper than [`crate::wire::json::DEPTH_MAX`].
    TooDeep,
    /// A field is there, but its value is not of the field's type or range.
    BadField {
        /// Wire name of the field.
        name: &'static str,
    },
    /// A required field is absent.
    MissingField {
        /// Wire name of the field.
        name: &'static str,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, max } => write!(f, "frame of {bytes} bytes, limit is {max}"),
            Self::NegativeLength => f.write_str("negative length"),
            Self::HeaderTooLong => f.write_str("header longer than its frame or field allows"),
            Self::UnknownSerializeType(byte) => write!(f, "unknown serialize type {byte}"),
            Self::Truncated => f.write_str("bytes end too early"),
            Self::BadJson { at } => write!(f, "bad JSON at byte {at}"),
            Self::TooDeep => f.write_str("JSON nested too deep"),
            Self::BadField { name } => write!(f, "bad value of field {name}"),
            Self::MissingField { name } => write!(f, "field {name} is missing"),
        }
    }
}

impl core::error::Error for WireError {}
