//! Reading messages back: VIEW_MESSAGE_BY_ID (33), QUERY_MESSAGE (12), PULL_MESSAGE (11).

use alloc::string::String;

use super::{Ext, Fields, WireError};

/// VIEW_MESSAGE_BY_ID (33); the response body is one stored message (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ViewMessage {
    /// Physical offset.
    pub offset: i64,
    /// Topic; sent since 5.3.0.
    pub topic: Option<String>,
}

impl ViewMessage {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self { offset: ext.need_i64("offset")?, topic: ext.text("topic") })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new().show("offset", self.offset).text_opt("topic", self.topic.as_deref())
    }
}

/// QUERY_MESSAGE (12); the response body is stored messages end to end (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryMessage {
    /// Topic, namespace included.
    pub topic: String,
    /// A key or UNIQ_KEY.
    pub key: String,
    /// Most messages wanted; brokers take their default for unique keys.
    pub max_num: i32,
    /// Earliest store time in ms since 1970.
    pub begin_timestamp: i64,
    /// Latest store time in ms since 1970.
    pub end_timestamp: i64,
    /// Whether `key` is a UNIQ_KEY.
    pub unique_key: Option<bool>,
    /// `U` or `K`; 5.4.0+.
    pub index_type: Option<String>,
}

impl QueryMessage {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.need_text("topic")?,
            key: ext.need_text("key")?,
            max_num: ext.need_i32("maxNum")?,
            begin_timestamp: ext.need_i64("beginTimestamp")?,
            end_timestamp: ext.need_i64("endTimestamp")?,
            unique_key: ext.bool("_UNIQUE_KEY_QUERY"),
            index_type: ext.text("indexType"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("topic", &*self.topic)
            .text("key", &*self.key)
            .show("maxNum", self.max_num)
            .show("beginTimestamp", self.begin_timestamp)
            .show("endTimestamp", self.end_timestamp)
            .show_opt("_UNIQUE_KEY_QUERY", self.unique_key)
            .text_opt("indexType", self.index_type.as_deref())
    }
}

/// Response to QUERY_MESSAGE, when found (0) and when not (22).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryResponse {
    /// When the index was last written, in ms since 1970.
    pub index_last_update_timestamp: i64,
    /// Physical offset up to which messages are indexed.
    pub index_last_update_phyoffset: i64,
}

impl QueryResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            index_last_update_timestamp: ext.need_i64("indexLastUpdateTimestamp")?,
            index_last_update_phyoffset: ext.need_i64("indexLastUpdatePhyoffset")?,
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .show("indexLastUpdateTimestamp", self.index_last_update_timestamp)
            .show("indexLastUpdatePhyoffset", self.index_last_update_phyoffset)
    }
}

/// PULL_MESSAGE (11): what is needed to read a queue (`PullMessageRequestHeader.java`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullMessage {
    /// Group, any name with `sys_flag` 4.
    pub consumer_group: String,
    /// Topic, namespace included.
    pub topic: String,
    /// Queue.
    pub queue_id: i32,
    /// Logical offset to start at.
    pub queue_offset: i64,
    /// Most messages wanted; brokers give at most 32.
    pub max_msg_nums: i32,
    /// 1 commit, 2 suspend, 4 subscription is in the header.
    pub sys_flag: i32,
    /// Offset to commit.
    pub commit_offset: i64,
    /// How long the broker may hold the request, in ms.
    pub suspend_timeout_millis: i64,
    /// Tag expression.
    pub subscription: Option<String>,
    /// Version of the subscription.
    pub sub_version: i64,
    /// `TAG`.
    pub expression_type: Option<String>,
    /// Most bytes wanted; 5.x.
    pub max_msg_bytes: Option<i32>,
    /// What asks; 5.x.
    pub request_source: Option<i32>,
    /// Broker meant; a proxy needs it.
    pub broker_name: Option<String>,
}

impl PullMessage {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            consumer_group: ext.need_text("consumerGroup")?,
            topic: ext.need_text("topic")?,
            queue_id: ext.need_i32("queueId")?,
            queue_offset: ext.need_i64("queueOffset")?,
            max_msg_nums: ext.need_i32("maxMsgNums")?,
            sys_flag: ext.need_i32("sysFlag")?,
            commit_offset: ext.need_i64("commitOffset")?,
            suspend_timeout_millis: ext.need_i64("suspendTimeoutMillis")?,
            subscription: ext.text("subscription"),
            sub_version: ext.need_i64("subVersion")?,
            expression_type: ext.text("expressionType"),
            max_msg_bytes: ext.int("maxMsgBytes")?,
            request_source: ext.int("ReqT")?,
            broker_name: ext.text("bname"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("consumerGroup", &*self.consumer_group)
            .text("topic", &*self.topic)
            .show("queueId", self.queue_id)
            .show("queueOffset", self.queue_offset)
            .show("maxMsgNums", self.max_msg_nums)
            .show("sysFlag", self.sys_flag)
            .show("commitOffset", self.commit_offset)
            .show("suspendTimeoutMillis", self.suspend_timeout_millis)
            .text_opt("subscription", self.subscription.as_deref())
            .show("subVersion", self.sub_version)
            .text_opt("expressionType", self.expression_type.as_deref())
            .show_opt("maxMsgBytes", self.max_msg_bytes)
            .show_opt("ReqT", self.request_source)
            .text_opt("bname", self.broker_name.as_deref())
    }
}

/// Response to PULL_MESSAGE; the body is stored messages end to end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullResponse {
    /// Broker id to ask next.
    pub suggest_which_broker_id: Option<i64>,
    /// Logical offset to go on with.
    pub next_begin_offset: i64,
    /// Lowest logical offset of the queue.
    pub min_offset: i64,
    /// Logical offset behind the queue's last message.
    pub max_offset: i64,
    /// Flags of the topic; 5.x.
    pub topic_sys_flag: Option<i32>,
    /// Flags of the group; 5.x.
    pub group_sys_flag: Option<i32>,
}

impl PullResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            suggest_which_broker_id: ext.long("suggestWhichBrokerId")?,
            next_begin_offset: ext.need_i64("nextBeginOffset")?,
            min_offset: ext.need_i64("minOffset")?,
            max_offset: ext.need_i64("maxOffset")?,
            topic_sys_flag: ext.int("topicSysFlag")?,
            group_sys_flag: ext.int("groupSysFlag")?,
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .show_opt("suggestWhichBrokerId", self.suggest_which_broker_id)
            .show("nextBeginOffset", self.next_begin_offset)
            .show("minOffset", self.min_offset)
            .show("maxOffset", self.max_offset)
            .show_opt("topicSysFlag", self.topic_sys_flag)
            .show_opt("groupSysFlag", self.group_sys_flag)
    }
}
