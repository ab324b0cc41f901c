//! Replies to requests: PUSH_REPLY_MESSAGE_TO_CLIENT (326).

use alloc::string::String;

use super::{Ext, Fields, WireError};

/// PUSH_REPLY_MESSAGE_TO_CLIENT (326) from a broker, which waits 10 s for the answer; the body is the reply's (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PushReply {
    /// Group of the replying producer.
    pub producer_group: String,
    /// Reply topic of the cluster.
    pub topic: String,
    /// As the reply was sent.
    pub default_topic: String,
    /// As the reply was sent.
    pub default_topic_queue_nums: i32,
    /// As the reply was sent.
    pub queue_id: i32,
    /// Bits of [`super::sys_flag`]: the body may be compressed.
    pub sys_flag: i32,
    /// When the reply was sent, in ms since 1970.
    pub born_timestamp: i64,
    /// The reply's own flag.
    pub flag: i32,
    /// Property string; holds the CORRELATION_ID.
    pub properties: Option<String>,
    /// As the reply was sent.
    pub reconsume_times: Option<i32>,
    /// As the reply was sent; a primitive in Java, so always sent.
    pub unit_mode: bool,
    /// Address of the replying producer, `ip:port`.
    pub born_host: String,
    /// Address of the broker, `ip:port`.
    pub store_host: String,
    /// When the broker took the reply, in ms since 1970.
    pub store_timestamp: i64,
}

impl PushReply {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            producer_group: ext.need_text("producerGroup")?,
            topic: ext.need_text("topic")?,
            default_topic: ext.need_text("defaultTopic")?,
            default_topic_queue_nums: ext.need_i32("defaultTopicQueueNums")?,
            queue_id: ext.need_i32("queueId")?,
            sys_flag: ext.need_i32("sysFlag")?,
            born_timestamp: ext.need_i64("bornTimestamp")?,
            flag: ext.need_i32("flag")?,
            properties: ext.text("properties"),
            reconsume_times: ext.int("reconsumeTimes")?,
            unit_mode: ext.bool("unitMode").unwrap_or(false),
            born_host: ext.need_text("bornHost")?,
            store_host: ext.need_text("storeHost")?,
            store_timestamp: ext.need_i64("storeTimestamp")?,
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("producerGroup", &*self.producer_group)
            .text("topic", &*self.topic)
            .text("defaultTopic", &*self.default_topic)
            .show("defaultTopicQueueNums", self.default_topic_queue_nums)
            .show("queueId", self.queue_id)
            .show("sysFlag", self.sys_flag)
            .show("bornTimestamp", self.born_timestamp)
            .show("flag", self.flag)
            .text_opt("properties", self.properties.as_deref())
            .show_opt("reconsumeTimes", self.reconsume_times)
            .show("unitMode", self.unit_mode)
            .text("bornHost", &*self.born_host)
            .text("storeHost", &*self.store_host)
            .show("storeTimestamp", self.store_timestamp)
    }
}
