//! Recalling timer messages: RECALL_MESSAGE (370) and the handle it needs.

use alloc::format;
use alloc::string::{String, ToString};

use base64ct::{Base64Url, Base64UrlUnpadded, Encoding};

use super::{Ext, Fields, WireError};

/// RECALL_MESSAGE (370), 5.3.2+ (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecallRequest {
    /// Topic, namespace included.
    pub topic: String,
    /// Handle from the send response (see [`RecallHandle`]).
    pub recall_handle: String,
    /// Group of the producer.
    pub producer_group: Option<String>,
    /// Broker meant; a proxy needs it.
    pub broker_name: Option<String>,
}

impl RecallRequest {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.need_text("topic")?,
            recall_handle: ext.need_text("recallHandle")?,
            producer_group: ext.text("producerGroup"),
            broker_name: ext.text("bname"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("topic", &*self.topic)
            .text("recallHandle", &*self.recall_handle)
            .text_opt("producerGroup", self.producer_group.as_deref())
            .text_opt("bname", self.broker_name.as_deref())
    }
}

/// Response to RECALL_MESSAGE.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecallResponse {
    /// UNIQ_KEY of the recalled message.
    pub msg_id: String,
    /// Region of the broker.
    pub region: Option<String>,
    /// Set by a proxy.
    pub trace_on: Option<String>,
}

impl RecallResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            msg_id: ext.need_text("msgId")?,
            region: ext.text("MSG_REGION"),
            trace_on: ext.text("TRACE_ON"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("msgId", &*self.msg_id)
            .text_opt("MSG_REGION", self.region.as_deref())
            .text_opt("TRACE_ON", self.trace_on.as_deref())
    }
}

/// What a recall handle says: where a timer message is (spec §7.9, `RecallMessageHandle.java`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallHandle {
    /// Topic of the message.
    pub topic: String,
    /// Broker that holds it.
    pub broker_name: String,
    /// When it is due, in ms since 1970, as text: Java does not read it.
    pub timestamp: String,
    /// UNIQ_KEY of the message.
    pub message_id: String,
}

impl RecallHandle {
    /// Reads a handle, padded in full or not at all. Parts behind the fifth are ignored.
    pub fn decode(handle: &str) -> Result<Self, WireError> {
        let bad = WireError::BadField { name: "recallHandle" };
        let unpadded = handle.trim_end_matches('=');
        if unpadded.len() < handle.len() && handle.len() != unpadded.len().next_multiple_of(4) {
            return Err(bad);
        }
        let plain = Base64UrlUnpadded::decode_vec(unpadded).map_err(|_| bad)?;
        let plain = String::from_utf8_lossy(&plain);
        // Java's split drops empty parts at the end.
        let mut parts = plain.trim_end_matches(' ').split(' ');
        if parts.next() != Some("v1") {
            return Err(bad);
        }
        let mut part = || parts.next().map(ToString::to_string).ok_or(bad);
        Ok(Self { topic: part()?, broker_name: part()?, timestamp: part()?, message_id: part()? })
    }

    /// Writes the handle, padded.
    pub fn encode(&self) -> String {
        let Self { topic, broker_name, timestamp, message_id } = self;
        let plain = format!("v1 {topic} {broker_name} {timestamp} {message_id}");
        Base64Url::encode_string(plain.as_bytes())
    }
}
