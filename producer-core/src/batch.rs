//! How do several messages go out in one request (spec §7.8, `MessageBatch.java`)?

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::message::{InvalidMessage, Message};
use crate::producer::Producer;
use crate::receipt::{OffsetId, Receipt};
use crate::send::{SendId, SendOptions};
use crate::special::{Form, Special, Told};
use crate::time::Instant;
use crate::unique_id::MessageId;
use crate::wire::batch;
use crate::wire::namespace::is_retry_topic;

/// Messages that go out in one request, to one queue, and are stored together or not at all.
///
/// All have one topic and one answer to "wait for flush and replication"; none is delayed. How long
/// all may be together is checked when they are sent
/// ([`Config::message_bytes_max`](crate::Config::message_bytes_max)); [`Batch::split`] makes
/// batches that fit. Bodies are sent as they are, never compressed.
///
/// Each message has an id of its own, which is the same in every attempt. Whoever may want to send
/// the batch again, after [`Outcome::Unknown`](crate::Outcome::Unknown), gives it ids that last
/// before it is sent: [`Producer::assign_ids`](crate::Producer::assign_ids).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    messages: Vec<Message>,
    bytes: usize,
    /// One for each message, or none at all.
    ids: Vec<MessageId>,
}

/// Why messages cannot go out together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidBatch {
    /// There are no messages.
    Empty,
    /// This message has another topic than the first.
    MixedTopics {
        /// Its position, from 0.
        index: usize,
    },
    /// This message differs from the first in whether the broker is to wait for flush and
    /// replication.
    MixedWait {
        /// Its position, from 0.
        index: usize,
    },
    /// This message is to be delivered later. Java lets timers pass, and brokers ignore them.
    Delayed {
        /// Its position, from 0.
        index: usize,
    },
    /// The topic holds what a consumer group is to see again.
    RetryTopic,
    /// There are not as many ids as messages.
    IdCount {
        /// Messages.
        messages: usize,
        /// Ids.
        ids: usize,
    },
}

impl fmt::Display for InvalidBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the batch is empty"),
            Self::MixedTopics { index } => {
                write!(f, "message {index} has another topic than the first")
            }
            Self::MixedWait { index } => {
                write!(f, "message {index} and the first disagree on waiting for the store")
            }
            Self::Delayed { index } => {
                write!(f, "message {index} is delayed; delayed messages go out alone")
            }
            Self::RetryTopic => f.write_str("retry topics take no batches"),
            Self::IdCount { messages, ids } => {
                write!(f, "{ids} ids were given for {messages} messages")
            }
        }
    }
}

impl core::error::Error for InvalidBatch {}

impl Batch {
    /// A batch of these messages.
    ///
    /// # Errors
    /// [`InvalidBatch`] when they cannot go out together.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Result<Self, InvalidBatch> {
        let messages: Vec<Message> = messages.into_iter().collect();
        let first = messages.first().ok_or(InvalidBatch::Empty)?;
        if is_retry_topic(first.topic().as_str()) {
            return Err(InvalidBatch::RetryTopic);
        }
        let mut bytes = 0;
        for (index, message) in messages.iter().enumerate() {
            if message.topic() != first.topic() {
                return Err(InvalidBatch::MixedTopics { index });
            }
            if message.waits_for_store() != first.waits_for_store() {
                return Err(InvalidBatch::MixedWait { index });
            }
            if message.is_delayed() {
                return Err(InvalidBatch::Delayed { index });
            }
            bytes += message.member_bytes();
        }
        Ok(Self { messages, bytes, ids: Vec::new() })
    }

    /// Batches of these messages, in their order, none longer than `bytes_max` unless it is one
    /// message that is.
    ///
    /// # Errors
    /// [`InvalidBatch`] when they cannot go out together.
    pub fn split(
        messages: impl IntoIterator<Item = Message>,
        bytes_max: usize,
    ) -> Result<Vec<Self>, InvalidBatch> {
        let Self { messages, .. } = Self::new(messages)?;
        let mut batches: Vec<Self> = Vec::new();
        for message in messages {
            let bytes = message.member_bytes();
            match batches.last_mut() {
                Some(last) if last.bytes + bytes <= bytes_max => {
                    last.bytes += bytes;
                    last.messages.push(message);
                }
                _ => {
                    let messages = alloc::vec![message];
                    batches.push(Self { messages, bytes, ids: Vec::new() });
                }
            }
        }
        Ok(batches)
    }

    /// The same batch with these ids, one for each message: those that an earlier run has written
    /// down, so that consumers recognise what they have seen.
    ///
    /// # Errors
    /// [`InvalidBatch::IdCount`] when there are more or fewer than messages.
    pub fn with_ids(
        mut self,
        ids: impl IntoIterator<Item = MessageId>,
    ) -> Result<Self, InvalidBatch> {
        self.ids = ids.into_iter().collect();
        let (messages, ids) = (self.messages.len(), self.ids.len());
        if ids == messages { Ok(self) } else { Err(InvalidBatch::IdCount { messages, ids }) }
    }

    /// The ids of the messages, in their order; empty before they are assigned.
    pub fn ids(&self) -> &[MessageId] {
        &self.ids
    }

    /// The same batch, each message with this property too ([`Message::with_property`]).
    ///
    /// # Errors
    /// As [`Message::with_property`].
    pub fn with_property(mut self, name: &str, value: &str) -> Result<Self, InvalidMessage> {
        let named = |message: Message| message.with_property(name, value);
        let messages = self.messages.into_iter().map(named);
        self.messages = messages.collect::<Result<_, _>>()?;
        self.bytes = self.messages.iter().map(Message::member_bytes).sum();
        Ok(self)
    }

    /// How many messages; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Bytes of the request's body.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The messages.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The messages.
    pub fn into_messages(self) -> Vec<Message> {
        self.messages
    }
}

/// UNIQ_KEY, 32 digits and WAIT with their separators.
const OURS: usize = 8 + 1 + 32 + 1 + 4 + 1 + 4 + 1;

impl Message {
    /// Bytes that it takes in a batch.
    pub(crate) fn member_bytes(&self) -> usize {
        let wait = usize::from(!self.waits_for_store());
        batch::MEMBER_BYTES_MIN + self.body().len() + self.property_text().len() + OURS + wait
    }

    /// Appends it to the body of a batch.
    pub(crate) fn push_member(&self, out: &mut Vec<u8>, id: &MessageId) {
        let wait: &[u8] = if self.waits_for_store() { b"true" } else { b"false" };
        let text = self.property_text().as_bytes();
        let key = id.as_bytes();
        let properties = [b"UNIQ_KEY\x01", &key[..], b"\x02WAIT\x01", wait, b"\x02", text];
        let pushed = batch::push_member_of(out, self.flag_value(), self.body(), properties);
        debug_assert!(pushed.is_ok(), "properties and body were checked when they were set");
    }
}

impl<T> Producer<T> {
    /// Takes over a batch. Its ticket comes back exactly once: with [`Output::BatchCompleted`], with
    /// [`Output::Written`] if it is one-way, or from [`cancel`](Self::cancel). It is one send: one
    /// queue, one deadline, one place in a lane, and [`SendOptions::message_id`] is the id of the
    /// request, which brokers keep only where they store a batch as one. A selector sees a message
    /// whose body is the whole batch.
    ///
    /// [`Output::BatchCompleted`]: crate::Output::BatchCompleted
    /// [`Output::Written`]: crate::Output::Written
    pub fn send_batch(
        &mut self,
        now: Instant,
        ticket: T,
        batch: Batch,
        options: SendOptions,
    ) -> SendId {
        let mut batch = batch;
        self.assign_ids(now, &mut batch);
        let mut body = Vec::with_capacity(batch.bytes());
        for (message, id) in batch.messages.iter().zip(&batch.ids) {
            message.push_member(&mut body, id);
        }
        let envelope = batch.messages[0].envelope(body);
        let special = Special { form: Form::Batch(batch.ids), properties: String::new() };
        self.start_specially(ticket, envelope, options, Some(Box::new(special)))
    }

    /// Gives the messages of a batch the ids that they are sent under, unless they have theirs. A
    /// clone of the batch that is sent again later then has the same, and consumers can recognise
    /// the duplicates.
    pub fn assign_ids(&mut self, now: Instant, batch: &mut Batch) {
        self.advance(now);
        if batch.ids.is_empty() || planted!(BatchIdsRenewed) {
            let unix_ms = self.unix_ms();
            batch.ids = batch.messages.iter().map(|_| self.ids.next_id(unix_ms)).collect();
        }
    }
}

impl Receipt {
    /// The receipts of a batch's messages, which follow one another in the queue: called with the id
    /// of each, in their order. A broker that stored them as one (`batchUniqId`) has one id of its
    /// own for all of them.
    pub(crate) fn of_members(self, told: &Told) -> impl FnMut(MessageId) -> Self {
        let mut offset_ids = told.offset_ids.split(',');
        let shared = told.inner_batch;
        let mut queue_offset = self.queue_offset;
        move |message_id| {
            let offset_id = match shared {
                true => self.offset_id,
                false => offset_ids.next().and_then(OffsetId::parse),
            };
            let receipt = Self { message_id, offset_id, queue_offset, ..self.clone() };
            queue_offset += u64::from(!planted!(MembersShareOffset));
            receipt
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delayed_message_goes_alone_whichever_way_it_is_delayed() {
        for name in crate::message_kinds::DELAYS {
            let delayed = Message::new("t", "b").and_then(|m| m.put(name, "1")).expect("valid");
            let first = Message::new("t", "b").expect("valid");

            assert_eq!(Batch::new([first, delayed]), Err(InvalidBatch::Delayed { index: 1 }));
        }
    }
}
