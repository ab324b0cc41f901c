//! How are bodies made shorter? Drivers do it; this says how.

use crate::wire::sys_flag::Compression;

/// How bodies are compressed (`compressType`, `compressLevel`, `compressMsgBodyOverHowmuch`).
/// Batches and what shares a request are not. A body that would not get shorter is sent as it is,
/// where Java sends the longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compress {
    /// In which format. Default zlib, which all releases of consumers read; the others need 4.9.4.
    pub kind: Compression,
    /// How hard to try: 0 to 9 for zlib, 1 to 22 for zstd, others are taken for the nearest; LZ4 has
    /// none. Default 5.
    pub level: i32,
    /// Bodies from this length on are compressed, in bytes. Default 4,096.
    pub threshold: usize,
}

impl Default for Compress {
    /// As Java.
    fn default() -> Self {
        Self { kind: Compression::Zlib, level: 5, threshold: 4_096 }
    }
}
