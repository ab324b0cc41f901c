//! How is a batch stored as one record? Topics with the attribute `queue.type=BatchCQ` (5.4.0).

use std::borrow::Cow;

use producer_core::wire::property_names::{INNER_BASE, INNER_NUM};
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{WireError, batch, properties, sys_flag};

use super::super::Release;
use super::store::{Place, replaced};
use super::{Broker, Message};

impl Broker {
    /// Whether batches to this topic are stored as one record each.
    pub(super) fn has_inner_batches(&self, topic: &str) -> bool {
        let attributes = self.topics.get(topic).map(|topic| &topic.attributes);
        let kind = attributes.and_then(|attributes| attributes.get("queue.type"));
        self.config.release == Release::V5_4_0 && kind.is_some_and(|kind| kind == "BatchCQ")
    }

    /// Stores a batch, which is the body of `envelope`, as one record.
    pub(super) fn store_inner_batch(
        &mut self,
        queue_id: usize,
        mut envelope: StoredMessage<'_>,
    ) -> Result<Place, WireError> {
        let count = {
            let members = batch::members(&envelope.body).collect::<Result<Vec<_>, _>>()?;
            members.len()
        };
        if count == 0 {
            return Err(WireError::Truncated);
        }
        let queue = self.queue(&envelope.topic, queue_id as i32);
        let base = queue.map_or(0, super::log::QueueIndex::max).to_string();
        let number = count.to_string();
        let ours = [(INNER_NUM, &*number), (INNER_BASE, &*base)];
        envelope.properties = replaced(&envelope.properties, &ours).into();
        envelope.sys_flag |= sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP;
        self.append_many(queue_id, envelope, count)
    }
}

/// How many places a record takes in its queue.
pub(super) fn places(message: &StoredMessage<'_>) -> usize {
    if message.sys_flag & sys_flag::INNER_BATCH == 0 {
        return 1;
    }
    let number = properties::get(&message.properties, INNER_NUM);
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// The messages that consumers see of a record.
pub(super) fn unwrapped(record: &StoredMessage<'_>) -> Vec<Message> {
    if record.sys_flag & sys_flag::INNER_BATCH == 0 {
        return vec![Message::from(record)];
    }
    let members = batch::members(&record.body).filter_map(Result::ok);
    let messages = members.zip(record.queue_offset..).map(|(member, queue_offset)| {
        let message = StoredMessage {
            flag: member.flag,
            body: Cow::Borrowed(member.body),
            properties: member.properties,
            queue_offset,
            topic: Cow::Borrowed(&*record.topic),
            ..*record
        };
        Message::from(&message)
    });
    messages.collect()
}
