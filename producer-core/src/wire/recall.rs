//! Recalling timer messages: RECALL_MESSAGE (370) and the handle it needs.

use alloc::string::String;

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
