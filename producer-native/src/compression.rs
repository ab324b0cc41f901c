//! Bodies are compressed before the door is locked, on the thread of the caller, and once however
//! often they are tried (spec §7.7, `K/compression/*.java`).

use std::borrow::Cow;
use std::fmt;
#[cfg(feature = "zstd")]
use std::io;
#[cfg(any(feature = "compression", feature = "zstd"))]
use std::io::Read;
#[cfg(feature = "compression")]
use std::io::{BufRead, Write};

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

/// A body compressed as a producer with this setting does it; `None` if it is shorter than the
/// threshold or would not get shorter, or this build lacks the format (features `compression` and
/// `zstd`). The counterpart of [`decompress`].
///
/// It pays for who sends one body to many topics or clusters: what is compressed already is sent as
/// it is.
///
/// ```
/// # use producer_native::{Compress, InvalidMessage, Message, compress};
/// let how = Compress::default();
/// let report = Message::new("reports", "quarter after quarter, ".repeat(1_000))?;
/// if let Some(packed) = compress(how, report.body()) {
///     let report = report.with_compressed(how.kind, packed);
///     assert_eq!(report.compression(), Some(how.kind));
/// }
/// # Ok::<(), InvalidMessage>(())
/// ```
pub fn compress(how: Compress, body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < how.threshold {
        return None;
    }
    pack(how, body).filter(|packed| packed.len() < body.len())
}

/// The message with its body compressed, if it is long enough and gets shorter by it. One that is
/// compressed already stays as it is.
pub(crate) fn compressed(how: Compress, bytes_max: usize, message: Message) -> Message {
    if message.body().len() > bytes_max || message.compression().is_some() {
        return message;
    }
    match compress(how, message.body()) {
        Some(packed) => message.with_compressed(how.kind, packed),
        None => message,
    }
}

/// `None` when this build cannot do it, or the library fails: the message then goes as it is, as in
/// Java.
#[cfg_attr(
    not(any(feature = "compression", feature = "zstd")),
    expect(unused_variables, reason = "no format is built")
)]
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
            read(compression, &mut flate2::read::ZlibDecoder::new(body), body.len(), bytes_max)
        }
        #[cfg(feature = "compression")]
        Compression::Lz4 => blocks(lz4_flex::frame::FrameDecoder::new(body), body.len(), bytes_max),
        #[cfg(feature = "zstd")]
        Compression::Zstd => {
            // At once, if the frame says how long it will be; several frames do not add up.
            if let Ok(Some(bytes)) = zstd::zstd_safe::get_frame_content_size(body)
                && let Some(bytes) = usize::try_from(bytes).ok().filter(|bytes| *bytes <= bytes_max)
                && let Ok(plain) = zstd::bulk::decompress(body, bytes)
            {
                return Ok(plain);
            }
            let malformed = |error: io::Error| DecompressError::Malformed {
                compression,
                problem: error.to_string(),
            };
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(malformed)?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(malformed)?;
            read(compression, &mut decoder, body.len(), bytes_max)
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

/// So many times longer is a body thought to be when it is unpacked: growing costs up to half the
/// time, and so does memory that is not needed.
#[cfg(any(feature = "compression", feature = "zstd"))]
const fn expected_ratio(compression: Compression) -> usize {
    match compression {
        Compression::Lz4 => 3,
        Compression::Zlib | Compression::Zstd => 8,
    }
}

/// Reads it to its end, or one byte beyond what is allowed.
#[cfg(any(feature = "compression", feature = "zstd"))]
fn read(
    compression: Compression,
    from: &mut impl Read,
    packed_len: usize,
    bytes_max: usize,
) -> Result<Vec<u8>, DecompressError> {
    let most = bytes_max.saturating_add(1);
    let expected = packed_len.saturating_mul(expected_ratio(compression));
    let mut plain = Vec::with_capacity(expected.min(most));
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    match from.take(limit).read_to_end(&mut plain) {
        Ok(_) => Ok(plain),
        Err(error) => Err(DecompressError::Malformed { compression, problem: error.to_string() }),
    }
}

/// The same of what has its blocks at hand, so that no memory is cleared for them.
#[cfg(feature = "compression")]
fn blocks(
    mut from: impl BufRead,
    packed_len: usize,
    bytes_max: usize,
) -> Result<Vec<u8>, DecompressError> {
    let compression = Compression::Lz4;
    let most = bytes_max.saturating_add(1);
    let expected = packed_len.saturating_mul(expected_ratio(compression));
    let mut plain = Vec::with_capacity(expected.min(most));
    while plain.len() < most {
        let block = from.fill_buf().map_err(|error| DecompressError::Malformed {
            compression,
            problem: error.to_string(),
        })?;
        if block.is_empty() {
            break;
        }
        let used = block.len().min(most - plain.len());
        plain.extend_from_slice(&block[..used]);
        from.consume(used);
    }
    Ok(plain)
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_already_stays_as_it_is() {
        let how = Compress { threshold: 1, ..Compress::default() };
        let plain = Message::new("t", vec![7; 10_000]).expect("valid");
        let once = plain.clone().with_compressed(Compression::Lz4, vec![1]);

        let twice = compressed(how, 1 << 20, once.clone());

        assert_eq!(compressed(how, 1 << 20, plain).compression(), Some(Compression::Zlib));
        assert_eq!((twice.compression(), &twice), (Some(Compression::Lz4), &once));
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
