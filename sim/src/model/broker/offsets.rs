//! Where does a queue begin and end? Codes 29, 30, 31 and 32.
//!
//! An unknown topic or queue is an empty one, not an error, as in Java.

use producer_core::wire::offset::{MaxOffset, MinOffset, SearchOffset};
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{Fields, WireError};

use super::super::Release;
use super::super::answer::{Answer, Request};
use super::Broker;
use super::log::QueueIndex;

impl Broker {
    pub(super) fn max_offset(&self, request: &Request<'_>) -> Result<Answer, WireError> {
        reached!(Probe);
        let asked = MaxOffset::from_ext(&request.header.ext)?;
        let offset = self.queue(&asked.topic, asked.queue_id).map_or(0, QueueIndex::max);
        Ok(Answer::fields(Fields::new().show("offset", offset)))
    }

    pub(super) fn min_offset(&self, request: &Request<'_>) -> Result<Answer, WireError> {
        let asked = MinOffset::from_ext(&request.header.ext)?;
        let offset = self.queue(&asked.topic, asked.queue_id).map_or(0, |queue| queue.min);
        Ok(Answer::fields(Fields::new().show("offset", offset)))
    }

    pub(super) fn search_offset(&self, request: &Request<'_>) -> Result<Answer, WireError> {
        let asked = SearchOffset::from_ext(&request.header.ext)?;
        let Some(queue) = self.queue(&asked.topic, asked.queue_id) else {
            return Ok(Answer::fields(Fields::new().show("offset", 0)));
        };
        let old = self.config.release == Release::V4_9_7;
        let upper = asked.boundary_type.as_deref().is_some_and(|kind| kind == "UPPER") && !old;
        let before = queue.at.partition_point(|&at| {
            let stored = self.stored(at).map_or(0, |message| message.store_timestamp);
            if upper { stored <= asked.timestamp } else { stored < asked.timestamp }
        });
        let last = queue.at.len().saturating_sub(1);
        // Past all messages 5.x names the place behind the last, 4.9 the last.
        let found = match (upper, old) {
            (true, _) => before.saturating_sub(1),
            (false, true) => before.min(last),
            (false, false) => before,
        };
        Ok(Answer::fields(Fields::new().show("offset", queue.min + found as i64)))
    }

    pub(super) fn earliest(&self, request: &Request<'_>) -> Result<Answer, WireError> {
        let asked = MinOffset::from_ext(&request.header.ext)?;
        let first = self.queue(&asked.topic, asked.queue_id).and_then(|queue| queue.at.front());
        let stored = first.and_then(|&at| self.stored(at));
        let timestamp = stored.map_or(-1, |message| message.store_timestamp);
        Ok(Answer::fields(Fields::new().show("timestamp", timestamp)))
    }

    pub(super) fn queue(&self, topic: &str, id: i32) -> Option<&QueueIndex> {
        self.topics.get(topic)?.queues.get(usize::try_from(id).ok()?)
    }

    /// The message at a physical offset that an index names.
    pub(super) fn stored(&self, at: i64) -> Option<StoredMessage<'_>> {
        StoredMessage::decode(self.log.indexed(at)?).ok().map(|(message, _)| message)
    }
}
