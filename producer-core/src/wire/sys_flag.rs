//! System flag bits of a message (spec §7.6, `MessageSysFlag.java`, `CompressionType.java`).

/// The body is compressed.
pub const COMPRESSED: i32 = 0x1;
/// The message has more than one tag; set by brokers.
pub const MULTI_TAGS: i32 = 0x2;
/// The transaction bits.
pub const TRANSACTION_MASK: i32 = 0xc;
/// A half message.
pub const TRANSACTION_PREPARED: i32 = 0x4;
/// A committed transaction.
pub const TRANSACTION_COMMIT: i32 = 0x8;
/// A rolled back transaction.
pub const TRANSACTION_ROLLBACK: i32 = 0xc;
/// The born host has 16 bytes; set by brokers.
pub const BORN_HOST_V6: i32 = 0x10;
/// The store host has 16 bytes; set by brokers.
pub const STORE_HOST_V6: i32 = 0x20;
/// The body of an inner batch has to be unwrapped; set by brokers.
pub const NEED_UNWRAP: i32 = 0x40;
/// The body is an inner batch; set by brokers.
pub const INNER_BATCH: i32 = 0x80;
/// The compression type bits.
pub const COMPRESSION_MASK: i32 = 0x700;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// An LZ4 frame; 4.9.4+.
    Lz4,
    /// A Zstandard frame; 4.9.4+.
    Zstd,
    /// A zlib stream, understood by all releases.
    Zlib,
}

impl Compression {
    /// The compression of a flag, whether or not [`COMPRESSED`] is set. No type bits mean zlib,
    /// as clients before 4.9.4 set none; `None` for numbers Java refuses.
    pub const fn of_flag(flag: i32) -> Option<Self> {
        Self::from_code((flag & COMPRESSION_MASK) >> 8)
    }

    /// The compression of a type number.
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Lz4),
            2 => Some(Self::Zstd),
            0 | 3 => Some(Self::Zlib),
            _ => None,
        }
    }

    /// The type bits, without [`COMPRESSED`].
    pub const fn flag(self) -> i32 {
        match self {
            Self::Lz4 => 0x100,
            Self::Zstd => 0x200,
            Self::Zlib => 0x300,
        }
    }

    /// The type of a name in any case, such as the property `rocketmq.message.compressType`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim_ascii();
        [Self::Lz4, Self::Zstd, Self::Zlib]
            .into_iter()
            .find(|kind| name.eq_ignore_ascii_case(kind.name()))
    }

    /// The constant's name in Java.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lz4 => "LZ4",
            Self::Zstd => "ZSTD",
            Self::Zlib => "ZLIB",
        }
    }
}

/// The transaction bits of a flag.
pub const fn transaction(flag: i32) -> i32 {
    flag & TRANSACTION_MASK
}

/// A flag with other transaction bits.
pub const fn with_transaction(flag: i32, transaction: i32) -> i32 {
    (flag & !TRANSACTION_MASK) | transaction
}

/// A flag that no longer says that the body is compressed; the type bits stay, as in Java.
pub const fn without_compressed(flag: i32) -> i32 {
    flag & !COMPRESSED
}
