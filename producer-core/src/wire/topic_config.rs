//! Creating topics: UPDATE_AND_CREATE_TOPIC (17).

use alloc::string::String;

use super::{Ext, Fields, WireError};

/// UPDATE_AND_CREATE_TOPIC (17), to each master (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateTopic {
    /// Topic, namespace included.
    pub topic: String,
    /// The creation key, usually `TBW102`.
    pub default_topic: String,
    /// Queues to read.
    pub read_queue_nums: i32,
    /// Queues to write.
    pub write_queue_nums: i32,
    /// Bits of [`super::perm`].
    pub perm: i32,
    /// `SINGLE_TAG` or `MULTI_TAG`.
    pub topic_filter_type: String,
    /// Unit flags, 0.
    pub topic_sys_flag: Option<i32>,
    /// `true` or `false`.
    pub order: String,
    /// `+key=value,-key`; 5.x.
    pub attributes: Option<String>,
    /// Overwrite without checks; 5.x.
    pub force: Option<bool>,
}

impl CreateTopic {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.need_text("topic")?,
            default_topic: ext.need_text("defaultTopic")?,
            read_queue_nums: ext.need_i32("readQueueNums")?,
            write_queue_nums: ext.need_i32("writeQueueNums")?,
            perm: ext.need_i32("perm")?,
            topic_filter_type: ext.need_text("topicFilterType")?,
            topic_sys_flag: ext.int("topicSysFlag")?,
            order: ext.need_text("order")?,
            attributes: ext.text("attributes"),
            force: ext.bool("force"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("topic", &*self.topic)
            .text("defaultTopic", &*self.default_topic)
            .show("readQueueNums", self.read_queue_nums)
            .show("writeQueueNums", self.write_queue_nums)
            .show("perm", self.perm)
            .text("topicFilterType", &*self.topic_filter_type)
            .show_opt("topicSysFlag", self.topic_sys_flag)
            .text("order", &*self.order)
            .text_opt("attributes", self.attributes.as_deref())
            .show_opt("force", self.force)
    }
}
