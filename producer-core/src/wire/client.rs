//! What a client says about itself: HEART_BEAT (34), UNREGISTER_CLIENT (35), and what it answers.

use alloc::string::String;

use super::{Ext, Fields, WireError};

/// UNREGISTER_CLIENT (35) (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnregisterClient {
    /// Client id.
    pub client_id: String,
    /// Producer group to forget.
    pub producer_group: Option<String>,
    /// Consumer group to forget.
    pub consumer_group: Option<String>,
}

impl UnregisterClient {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            client_id: ext.need_text("clientID")?,
            producer_group: ext.text("producerGroup"),
            consumer_group: ext.text("consumerGroup"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("clientID", &*self.client_id)
            .text_opt("producerGroup", self.producer_group.as_deref())
            .text_opt("consumerGroup", self.consumer_group.as_deref())
    }
}

/// Response to HEART_BEAT; 4.9 brokers send no fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeartbeatResponse {
    /// Whether heartbeats without subscriptions are understood.
    pub supports_v2: Option<bool>,
    /// Whether subscriptions changed, so that the full data is wanted.
    pub sub_changed: Option<bool>,
}

impl HeartbeatResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            supports_v2: ext.bool("IS_SUPPORT_HEART_BEAT_V2"),
            sub_changed: ext.bool("IS_SUB_CHANGE"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .show_opt("IS_SUPPORT_HEART_BEAT_V2", self.supports_v2)
            .show_opt("IS_SUB_CHANGE", self.sub_changed)
    }
}
