//! Messages as brokers store them: the bodies of 33, 12, 11 and 39 (spec §12,
//! `MessageDecoder.java`).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::bytes::Cursor;
use super::message_id::{OffsetMessageId, ip_from_bytes, push_ip};
use super::properties::{self, PROPERTIES_BYTES_MAX};
use super::{WireError, crc32, sys_flag};

/// Magic number of the layout whose topic has a one-byte length.
pub const MAGIC_V1: i32 = -626_843_481;
/// Magic number of the layout whose topic has a two-byte length; 5.1.0+, topics above 127 bytes.
pub const MAGIC_V2: i32 = -626_843_477;

/// One stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage<'a> {
    /// CRC-32 of the stored body without its top bit; not verified when decoding, as in Java.
    pub body_crc: i32,
    /// Queue.
    pub queue_id: i32,
    /// The message's own flag.
    pub flag: i32,
    /// Logical offset in the queue.
    pub queue_offset: i64,
    /// Physical offset in the commit log, in bytes.
    pub physical_offset: i64,
    /// Bits of [`sys_flag`]; those for the host sizes are set from the hosts when encoding.
    pub sys_flag: i32,
    /// When the client made the message, in ms since 1970.
    pub born_timestamp: i64,
    /// Address of the client.
    pub born_host: SocketAddr,
    /// When the broker stored it, in ms since 1970.
    pub store_timestamp: i64,
    /// Address of the broker.
    pub store_host: SocketAddr,
    /// How often a consumer has given it back.
    pub reconsume_times: i32,
    /// Queue offset of the half message.
    pub prepared_transaction_offset: i64,
    /// The body as stored: compressed if the flag says so.
    pub body: Cow<'a, [u8]>,
    /// Topic.
    pub topic: Cow<'a, str>,
    /// Property string.
    pub properties: Cow<'a, str>,
}

impl<'a> StoredMessage<'a> {
    /// Decodes the first record of `bytes` and returns what follows it.
    ///
    /// As in Java the fields say how far they reach, whatever the record's length says. A length
    /// that reaches further is believed: bytes behind the properties are checksum padding.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), WireError> {
        let mut from = Cursor::new(bytes);
        let total = from.i32()?;
        let magic = from.i32()?;
        if magic != MAGIC_V1 && magic != MAGIC_V2 {
            return Err(WireError::BadField { name: "magic" });
        }
        let body_crc = from.i32()?;
        let queue_id = from.i32()?;
        let flag = from.i32()?;
        let queue_offset = from.i64()?;
        let physical_offset = from.i64()?;
        let sys_flag = from.i32()?;
        let message = Self {
            body_crc,
            queue_id,
            flag,
            queue_offset,
            physical_offset,
            sys_flag,
            born_timestamp: from.i64()?,
            born_host: host(&mut from, sys_flag & sys_flag::BORN_HOST_V6 != 0)?,
            store_timestamp: from.i64()?,
            store_host: host(&mut from, sys_flag & sys_flag::STORE_HOST_V6 != 0)?,
            reconsume_times: from.i32()?,
            prepared_transaction_offset: from.i64()?,
            body: from.i32().and_then(|len| from.take_len(len))?.into(),
            topic: String::from_utf8_lossy(topic(&mut from, magic)?),
            properties: {
                // Java takes a negative length for none.
                let len = from.i16()?.max(0);
                String::from_utf8_lossy(from.take_len(i32::from(len))?)
            },
        };
        let read = bytes.len() - from.len();
        let total = usize::try_from(total).unwrap_or(0);
        Ok((message, &bytes[read.max(total).min(bytes.len())..]))
    }

    /// Appends the record, with the magic number that the topic's length asks for.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        if self.properties.len() > PROPERTIES_BYTES_MAX {
            return Err(WireError::BadField { name: "properties" });
        }
        let topic_len = i16::try_from(self.topic.len());
        let topic_len = topic_len.map_err(|_| WireError::BadField { name: "topic" })?;
        let start = out.len();
        let magic = if topic_len > 127 { MAGIC_V2 } else { MAGIC_V1 };
        for word in [0, magic, self.body_crc, self.queue_id, self.flag] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&self.queue_offset.to_be_bytes());
        out.extend_from_slice(&self.physical_offset.to_be_bytes());
        out.extend_from_slice(&self.flags_with_hosts().to_be_bytes());
        out.extend_from_slice(&self.born_timestamp.to_be_bytes());
        push_host(out, self.born_host);
        out.extend_from_slice(&self.store_timestamp.to_be_bytes());
        push_host(out, self.store_host);
        out.extend_from_slice(&self.reconsume_times.to_be_bytes());
        out.extend_from_slice(&self.prepared_transaction_offset.to_be_bytes());
        out.extend_from_slice(&(self.body.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.body);
        if magic == MAGIC_V2 {
            out.extend_from_slice(&topic_len.to_be_bytes());
        } else {
            out.push(topic_len as u8);
        }
        out.extend_from_slice(self.topic.as_bytes());
        out.extend_from_slice(&(self.properties.len() as i16).to_be_bytes());
        out.extend_from_slice(self.properties.as_bytes());
        let total = out.len() - start;
        let Ok(len) = i32::try_from(total) else {
            out.truncate(start);
            return Err(WireError::TooLarge { bytes: total as u64, max: i32::MAX as usize });
        };
        out[start..start + 4].copy_from_slice(&len.to_be_bytes());
        Ok(())
    }

    /// The id by which the broker knows the message.
    pub const fn offset_message_id(&self) -> OffsetMessageId {
        OffsetMessageId { host: self.store_host, offset: self.physical_offset }
    }

    /// The id by which its client knows the message, if it has one.
    pub fn uniq_key(&self) -> Option<&str> {
        properties::get(&self.properties, "UNIQ_KEY")
    }

    /// Whether the checksum fits the body.
    pub fn body_crc_fits(&self) -> bool {
        crc32::crc32_stored(&self.body) == self.body_crc
    }

    const fn flags_with_hosts(&self) -> i32 {
        let mut flags = self.sys_flag & !(sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6);
        if self.born_host.is_ipv6() {
            flags |= sys_flag::BORN_HOST_V6;
        }
        if self.store_host.is_ipv6() {
            flags |= sys_flag::STORE_HOST_V6;
        }
        flags
    }
}

/// The records of a body, end to end. After an error the iterator ends, as Java drops the rest of
/// such a body.
pub fn records(body: &[u8]) -> Records<'_> {
    Records { rest: body }
}

/// The records of [`records`].
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<StoredMessage<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let decoded = StoredMessage::decode(self.rest);
        self.rest = decoded.as_ref().map_or(&[], |decoded| decoded.1);
        Some(decoded.map(|decoded| decoded.0))
    }
}

fn host(from: &mut Cursor<'_>, v6: bool) -> Result<SocketAddr, WireError> {
    let ip = from.take(if v6 { 16 } else { 4 })?;
    let ip = ip_from_bytes(ip).ok_or(WireError::Truncated)?;
    let port = u16::try_from(from.i32()?).map_err(|_| WireError::BadField { name: "host" })?;
    Ok(SocketAddr::new(ip, port))
}

fn push_host(out: &mut Vec<u8>, host: SocketAddr) {
    push_ip(out, host.ip());
    out.extend_from_slice(&u32::from(host.port()).to_be_bytes());
}

fn topic<'a>(from: &mut Cursor<'a>, magic: i32) -> Result<&'a [u8], WireError> {
    let len = if magic == MAGIC_V2 { i32::from(from.i16()?) } else { i32::from(from.u8()? as i8) };
    from.take_len(len)
}
