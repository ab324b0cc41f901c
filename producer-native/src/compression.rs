//! Bodies are compressed before the door is locked, on the thread of the caller, and once however
//! often they are tried (spec §7.7, `K/compression/*.java`).

use std::borrow::Cow;
use std::fmt;
#[cfg(any(feature = "compression", feature = "zstd"))]
use std::io::{self, Read, Write};

use producer_core::wire::sys_flag::{self, Compression};
use producer_core::{Compress, Message};

/// Why a body could not be decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecompressError {
    /// The bits of the flag name no compression that there is.
    UnknownCompression {
        /// The flag.
        sys_flag: i32,
    },
    /// This build lacks it: see the features of the crate.
    NotBuilt(Compression),
    /// It would be longer than was allowed.
    TooLong {
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// The bytes are not what the flag says they are.
    Malformed {
        /// What they should have been.
        compression: Compression,
        /// What is wrong with them.
        problem: String,
    },
}

impl fmt::Display for DecompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCompression { sys_flag } => {
                write!(f, "the flag {sys_flag:#x} names no compression that there is")
            }
            Self::NotBuilt(compression) => {
                write!(f, "this build has no {}", compression.name())
            }
            Self::TooLong { bytes_max } => write!(f, "it is longer than {bytes_max} bytes"),
            Self::Malformed { compression, problem } => {
                write!(f, "this is not {}: {problem}", compression.name())
            }
        }
    }
}

impl std::error::Error for DecompressError {}

/// The body of a message as its sender had it, `sys_flag` being that of the message: of a reply or a
/// transaction check. It takes no more than `bytes_max` bytes, and little more memory than that.
///
/// # Errors
/// [`DecompressError`] when it is not what the flag says, or too long.
pub fn decompress(
    sys_flag: i32,
    body: &[u8],
    bytes_max: usize,
) -> Result<Cow<'_, [u8]>, DecompressError> {
    let plain = if sys_flag & sys_flag::COMPRESSED == 0 {
        Cow::Borrowed(body)
    } else {
        let compression = Compression::of_flag(sys_flag)
            .ok_or(DecompressError::UnknownCompression { sys_flag })?;
        Cow::Owned(unpack(compression, body, bytes_max)?)
    };
    match plain.len() > bytes_max {
        true => Err(DecompressError::TooLong { bytes_max }),
        false => Ok(plain),
    }
}

/// Most bytes that a body of somebody else's may have once it is unpacked.
const THEIRS_MAX: usize = 64 << 20;

/// Unpacks a body that somebody else has sent, and takes the mark from its flag. One that cannot be
/// unpacked, or is longer than 64 MiB then, stays as it is, mark and all.
pub(crate) fn unpack_theirs(sys_flag: &mut i32, body: &mut Vec<u8>) {
    if *sys_flag & sys_flag::COMPRESSED == 0 {
        return;
    }
    if let Ok(plain) = decompress(*sys_flag, body, THEIRS_MAX).map(Cow::into_owned) {
        *body = plain;
        *sys_flag = sys_flag::without_compressed(*sys_flag);
    }
}

/// Whether this build can do it.
pub(crate) const fn is_built(compression: Compression) -> bool {
    match compression {
        Compression::Zlib | Compression::Lz4 => cfg!(feature = "compression"),
        Compression::Zstd => cfg!(feature = "zstd"),
    }
}

/// The message with its body compressed, if that makes it shorter: what a producer with this setting
/// does with each. It pays for who sends one message to many topics or clusters: what is compressed
/// already is sent as it is.
///
/// One that is shorter than the threshold, or compressed already, stays as it is; so does every one
/// when this build lacks the format (features `compression` and `zstd`).
///
/// ```
/// # use producer_native::{Compress, InvalidMessage, Message, compress};
/// let report = Message::new("reports", "quarter after quarter, ".repeat(1_000))?;
/// let short = compress(Compress::default(), report.clone());
/// # #[cfg(feature = "compression")]
/// assert!(short.body().len() < report.body().len() / 10);
/// # Ok::<(), InvalidMessage>(())
/// ```
pub fn compress(how: Compress, message: Message) -> Message {
    compressed(how, usize::MAX, message)
}

/// The message with its body compressed, if it is long enough and gets shorter by it. One that is
/// compressed already stays as it is.
pub(crate) fn compressed(how: Compress, bytes_max: usize, message: Message) -> Message {
    let bytes = message.body().len();
    let fits = (how.threshold..=bytes_max).contains(&bytes);
    if !fits || message.compression().is_some() {
        return message;
    }
    match pack(how, message.body()) {
        Some(packed) if packed.len() < bytes => message.with_compressed(how.kind, packed),
        _ => message,
    }
}

/// `None` when this build cannot do it, or the library fails: the message then goes as it is, as in
/// Java.
fn pack(how: Compress, body: &[u8]) -> Option<Vec<u8>> {
    match how.kind {
        #[cfg(feature = "compression")]
        Compression::Zlib => {
            let level = flate2::Compression::new(how.level.clamp(0, 9).unsigned_abs());
            let room = Vec::with_capacity(body.len() / 2);
            let mut encoder = flate2::write::ZlibEncoder::new(room, level);
            encoder.write_all(body).ok()?;
            encoder.finish().ok()
        }
        #[cfg(feature = "compression")]
        Compression::Lz4 => {
            let room = Vec::with_capacity(body.len() / 2);
            let mut encoder = lz4_flex::frame::FrameEncoder::new(room);
            encoder.write_all(body).ok()?;
            encoder.finish().ok()
        }
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstd::bulk::compress(body, how.level.clamp(1, 22)).ok(),
        #[cfg(not(all(feature = "compression", feature = "zstd")))]
        _ => None,
    }
}

fn unpack(
    compression: Compression,
    body: &[u8],
    bytes_max: usize,
) -> Result<Vec<u8>, DecompressError> {
    match compression {
        #[cfg(feature = "compression")]
        Compression::Zlib => {
            read(compression, &mut flate2::read::ZlibDecoder::new(body), bytes_max)
        }
        #[cfg(feature = "compression")]
        Compression::Lz4 => {
            read(compression, &mut lz4_flex::frame::FrameDecoder::new(body), bytes_max)
        }
        #[cfg(feature = "zstd")]
        Compression::Zstd => {
            let malformed = |error: io::Error| DecompressError::Malformed {
                compression,
                problem: error.to_string(),
            };
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(malformed)?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(malformed)?;
            read(compression, &mut decoder, bytes_max)
        }
        #[cfg(not(all(feature = "compression", feature = "zstd")))]
        _ => {
            let (_, _) = (body, bytes_max);
            Err(DecompressError::NotBuilt(compression))
        }
    }
}

/// A frame of zstd may ask for so much memory, as a power of two; bodies of 4 MiB need less.
#[cfg(feature = "zstd")]
const WINDOW_LOG_MAX: u32 = 24;

/// Reads it to its end, or one byte beyond what is allowed.
#[cfg(any(feature = "compression", feature = "zstd"))]
fn read(
    compression: Compression,
    from: &mut impl Read,
    bytes_max: usize,
) -> Result<Vec<u8>, DecompressError> {
    let mut plain = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    match from.take(limit).read_to_end(&mut plain) {
        Ok(_) => Ok(plain),
        Err(error) => Err(DecompressError::Malformed { compression, problem: error.to_string() }),
    }
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_already_stays_as_it_is() {
        let how = Compress { threshold: 1, ..Compress::default() };
        let once = compressed(how, 1 << 20, Message::new("t", vec![7; 10_000]).expect("valid"));
        let place = once.body().as_ptr();
        assert_eq!(once.compression(), Some(Compression::Zlib));

        let twice = compressed(how, 1 << 20, once);

        assert_eq!(twice.body().as_ptr(), place, "the very bytes");
    }

    #[test]
    fn a_body_of_somebody_else_is_unpacked_once_or_left_as_it_is() {
        let plain = vec![7; 10_000];
        let how = Compress { kind: Compression::Zlib, ..Compress::default() };
        let flag = sys_flag::COMPRESSED | Compression::Zlib.flag();
        let (mut marks, mut body) = (flag, pack(how, &plain).expect("it is built"));
        assert!(body.len() < plain.len());

        unpack_theirs(&mut marks, &mut body);
        assert_eq!((marks & sys_flag::COMPRESSED, &body), (0, &plain));
        unpack_theirs(&mut marks, &mut body);
        assert_eq!(body, plain);

        let (mut marks, mut garbage) = (flag, vec![1, 2, 3]);
        unpack_theirs(&mut marks, &mut garbage);
        assert_eq!((marks, garbage), (flag, vec![1, 2, 3]));
    }
}
