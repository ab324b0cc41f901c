//! What does a broker's "stored" tell the application?

use alloc::sync::Arc;
use core::fmt;

use crate::config::Require;
use crate::unique_id::MessageId;

/// How well a stored message is kept so far (`SendStatus.java`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendStatus {
    /// Stored, flushed and replicated as the broker is configured.
    SendOk,
    /// Stored; the disk was not flushed in time.
    FlushDiskTimeout,
    /// Stored; the slave did not confirm in time.
    FlushSlaveTimeout,
    /// Stored; there is no slave to replicate to.
    SlaveNotAvailable,
}

impl SendStatus {
    /// The status that a response code stands for (`MQClientAPIImpl.processSendResponse`).
    pub fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::SendOk),
            10 => Some(Self::FlushDiskTimeout),
            11 => Some(Self::SlaveNotAvailable),
            12 => Some(Self::FlushSlaveTimeout),
            _ => None,
        }
    }

    /// Java's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendOk => "SEND_OK",
            Self::FlushDiskTimeout => "FLUSH_DISK_TIMEOUT",
            Self::FlushSlaveTimeout => "FLUSH_SLAVE_TIMEOUT",
            Self::SlaveNotAvailable => "SLAVE_NOT_AVAILABLE",
        }
    }

    pub(crate) fn satisfies(self, require: Require) -> bool {
        let flushed = self != Self::FlushDiskTimeout;
        let replicated = !matches!(self, Self::FlushSlaveTimeout | Self::SlaveNotAvailable);
        match require {
            Require::Stored => true,
            Require::Flushed => flushed,
            Require::Replicated => replicated,
            Require::SendOk => flushed && replicated,
        }
    }
}

impl fmt::Display for SendStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The broker's id of a message: its address and the physical offset, 32 hex digits for IPv4, 56
/// for IPv6 (`MessageDecoder.java`). The address is the broker's own idea of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OffsetId {
    digits: [u8; 56],
    len: u8,
}

impl OffsetId {
    /// Takes over the id that a broker sent; `None` when it is not 32 or 56 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_digits(text.as_bytes())
    }

    #[inline(always)] // Each answer passes here.
    pub(crate) fn from_digits(bytes: &[u8]) -> Option<Self> {
        // No early exit, and a fixed length where it is common: that makes a few wide compares.
        let hex = |ok, byte: &u8| ok & byte.is_ascii_hexdigit();
        let mut digits = [0; 56];
        if let Ok(v4) = <&[u8; 32]>::try_from(bytes) {
            digits[..32].copy_from_slice(v4);
            return v4.iter().fold(true, hex).then_some(Self { digits, len: 32 });
        }
        digits = *<&[u8; 56]>::try_from(bytes).ok()?;
        digits.iter().fold(true, hex).then_some(Self { digits, len: 56 })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.digits[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Display for OffsetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for OffsetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A broker answered that it stored the message. Queue and offset are the ones it named.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The client's id, the message's property `UNIQ_KEY`.
    pub message_id: MessageId,
    /// The broker's id, `None` when it sent none that can be read.
    pub offset_id: Option<OffsetId>,
    /// How well the message is kept.
    pub status: SendStatus,
    /// Name of the broker of the attempt that succeeded.
    pub broker: Arc<str>,
    /// Queue that the broker wrote to.
    pub queue_id: u32,
    /// Position in that queue.
    pub queue_offset: u64,
    /// Attempts made, the successful one included.
    pub attempts: u32,
    /// Whether an earlier attempt may have stored the message too, under the same id.
    pub maybe_duplicate: bool,
    /// Grows whenever the set of queues that ordered sends can use changes. Two messages of one
    /// key sent with [`Order::Available`](crate::Order::Available) are in order if their epochs
    /// are equal.
    pub epoch: u64,
    /// The broker's region (`MSG_REGION`), `DefaultRegion` when it names none.
    pub region: Arc<str>,
    /// Whether the broker wants sends traced (`TRACE_ON`).
    pub trace_on: bool,
    /// By this a timer message can be recalled before it is due (brokers since 5.3.2 that allow
    /// it); `None` for any other message.
    pub recall_handle: Option<Arc<str>>,
}
