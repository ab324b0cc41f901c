//! Which messages does a broker have, and which had it once?

use producer_core::wire::stored::StoredMessage;

use super::super::Instant;
use super::inner_batch::unwrapped;
use super::topics::is_internal;
use super::{Broker, Cut, Message, Why};

impl Broker {
    /// All messages that consumers can read, in the order they were stored, without those of
    /// deleted topics. For half messages see [`Self::transactions`], for what waits for its time
    /// [`Self::delayed_messages`].
    pub fn messages(&self) -> Vec<Message> {
        let readable = self.live().filter(|message| !is_internal(&message.topic));
        readable.flat_map(|stored| unwrapped(&stored)).collect()
    }

    /// The messages that were in the log and are there no more, in the order they went; without
    /// those that fell out because the log became too large. Half messages and what waited are
    /// among them, under their internal topics.
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// Deletes a topic with its messages, and registers. Name servers have to be told apart, as
    /// in Java.
    pub fn delete_topic(&mut self, now: Instant, topic: &str) {
        let messages = self.live().filter(|message| message.topic == topic);
        let why = Why::TopicDeleted;
        let messages = messages.flat_map(|record| unwrapped(&record));
        let cuts: Vec<Cut> = messages.map(|message| Cut { message, why }).collect();
        self.cuts.extend(cuts);
        self.topics.remove(topic);
        self.register(now);
    }

    /// Loses what was stored after `since`, as when power fails before it is on disk. A master
    /// begins the epoch of this number, which no other has.
    pub fn lose_tail(&mut self, since: Instant, epoch: i64) {
        let since = self.wall_ms(since);
        let first = self.log.messages().find(|message| message.store_timestamp > since);
        if let Some(offset) = first.map(|message| message.physical_offset) {
            self.truncate(offset, Why::NotFlushed);
            if self.config.id == 0 {
                self.epochs.begin(epoch, offset);
            }
        }
    }

    /// Cuts the log off at `offset`.
    pub(super) fn truncate(&mut self, offset: i64, why: Why) {
        let tail = self.live().filter(|message| message.physical_offset >= offset);
        let tail = tail.flat_map(|record| unwrapped(&record));
        let cuts: Vec<Cut> = tail.map(|message| Cut { message, why }).collect();
        self.cuts.extend(cuts);
        self.log.truncate(offset);
        self.topics.truncate(offset);
        self.epochs.truncate(offset);
        self.find_open_halves();
        self.find_delayed();
    }

    fn live(&self) -> impl Iterator<Item = StoredMessage<'_>> {
        self.log.messages().filter(|message| self.topics.leads_to(message))
    }
}
