//! A message as a broker stored it, decoded from the bytes that pulls and views answer with.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use producer_core::wire::message_id::OffsetMessageId;
use producer_core::wire::properties;
use producer_core::wire::stored::StoredMessage;

use super::{Error, Result};

/// One stored message, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The broker it was read from.
    pub broker: String,
    /// The topic it was stored under.
    pub topic: String,
    /// The queue of that broker.
    pub queue_id: i32,
    /// Its place in the queue.
    pub queue_offset: i64,
    /// Its place in the commit log.
    pub physical_offset: i64,
    /// The application's flag.
    pub flag: i32,
    /// Compression, transaction and host bits.
    pub sys_flag: i32,
    /// When the client says it made the request, in milliseconds since 1970.
    pub born_time_ms: i64,
    /// Where the broker saw it come from.
    pub born_host: SocketAddr,
    /// When the broker stored it, in milliseconds since 1970.
    pub store_time_ms: i64,
    /// What the broker calls itself.
    pub store_host: SocketAddr,
    /// How often consumers gave it back.
    pub reconsume_times: i32,
    /// Half messages: where the prepared one is.
    pub prepared_transaction_offset: i64,
    /// As sent: a compressed body is still compressed.
    pub body: Vec<u8>,
    /// All properties, those the broker added too.
    pub properties: BTreeMap<String, String>,
    /// The bytes all this was decoded from.
    pub raw: Vec<u8>,
}

impl Stored {
    /// The KEYS property, one string as sent.
    pub fn keys(&self) -> Option<&str> {
        self.property("KEYS")
    }

    /// The TAGS property.
    pub fn tags(&self) -> Option<&str> {
        self.property("TAGS")
    }

    /// The id the client gave it.
    pub fn uniq_key(&self) -> Option<&str> {
        self.property("UNIQ_KEY")
    }

    /// One property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// The id the broker gave it, the `msgId` of its answer: store host and physical offset in hex.
    pub fn offset_id(&self) -> String {
        OffsetMessageId { host: self.store_host, offset: self.physical_offset }.encode()
    }

    /// The stored bytes in hex, as the Java peer takes them.
    pub fn raw_hex(&self) -> String {
        self.raw.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Decodes the first message of `bytes` and takes it off.
    pub(super) fn take(bytes: &mut &[u8], broker: &str) -> Result<Self> {
        let decoded = StoredMessage::decode(bytes);
        let (message, rest) = decoded.map_err(Error::doing("a stored message"))?;
        let raw = &bytes[..bytes.len() - rest.len()];
        *bytes = rest;
        let properties = properties::decode(&message.properties);
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self {
            broker: broker.to_owned(),
            topic: message.topic.into_owned(),
            queue_id: message.queue_id,
            queue_offset: message.queue_offset,
            physical_offset: message.physical_offset,
            flag: message.flag,
            sys_flag: message.sys_flag,
            born_time_ms: message.born_timestamp,
            born_host: message.born_host,
            store_time_ms: message.store_timestamp,
            store_host: message.store_host,
            reconsume_times: message.reconsume_times,
            prepared_transaction_offset: message.prepared_transaction_offset,
            body: message.body.to_vec(),
            properties: properties.collect(),
            raw: raw.to_vec(),
        })
    }
}
