//! Offsets of a queue: codes 29, 30, 31 and 32.

use alloc::string::String;

use super::{Ext, Fields, WireError};

/// SEARCH_OFFSET_BY_TIMESTAMP (29) (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchOffset {
    /// Topic, namespace included.
    pub topic: String,
    /// Queue.
    pub queue_id: i32,
    /// Store time in ms since 1970.
    pub timestamp: i64,
    /// `LOWER` or `UPPER`; 5.1.4+.
    pub boundary_type: Option<String>,
    /// Broker meant; a proxy needs it.
    pub broker_name: Option<String>,
}

impl SearchOffset {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.need_text("topic")?,
            queue_id: ext.need_i32("queueId")?,
            timestamp: ext.need_i64("timestamp")?,
            boundary_type: ext.text("boundaryType"),
            broker_name: ext.text("bname"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("topic", &*self.topic)
            .show("queueId", self.queue_id)
            .show("timestamp", self.timestamp)
            .text_opt("boundaryType", self.boundary_type.as_deref())
            .text_opt("bname", self.broker_name.as_deref())
    }
}

/// GET_MAX_OFFSET (30).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MaxOffset {
    /// Topic, namespace included.
    pub topic: String,
    /// Queue.
    pub queue_id: i32,
    /// Count committed messages only; 5.0+.
    pub committed: Option<bool>,
    /// Broker meant; a proxy needs it.
    pub broker_name: Option<String>,
}

impl MaxOffset {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.need_text("topic")?,
            queue_id: ext.need_i32("queueId")?,
            committed: ext.bool("committed"),
            broker_name: ext.text("bname"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("topic", &*self.topic)
            .show("queueId", self.queue_id)
            .show_opt("committed", self.committed)
            .text_opt("bname", self.broker_name.as_deref())
    }
}

/// GET_MIN_OFFSET (31); GET_EARLIEST_MSG_STORETIME (32) has the same fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MinOffset {
    /// Topic, namespace included.
    pub topic: String,
    /// Queue.
    pub queue_id: i32,
    /// Broker meant; a proxy needs it.
    pub broker_name: Option<String>,
}

impl MinOffset {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.need_text("topic")?,
            queue_id: ext.need_i32("queueId")?,
            broker_name: ext.text("bname"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("topic", &*self.topic)
            .show("queueId", self.queue_id)
            .text_opt("bname", self.broker_name.as_deref())
    }
}

/// Response to 29, 30 and 31.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OffsetResponse {
    /// Logical offset.
    pub offset: i64,
}

impl OffsetResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self { offset: ext.need_i64("offset")? })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new().show("offset", self.offset)
    }
}

/// Response to GET_EARLIEST_MSG_STORETIME (32).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreTimeResponse {
    /// Store time in ms since 1970, -1 if the queue is empty.
    pub timestamp: i64,
}

impl StoreTimeResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self { timestamp: ext.need_i64("timestamp")? })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new().show("timestamp", self.timestamp)
    }
}
