//! One message while it is ours, and what its caller may ask for.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::config::Require;
use crate::error::{Attempt, Outcome};
use crate::groups::GroupId;
use crate::message::Message;
use crate::reason::Reason;
use crate::route::{BrokerId, Queue, QueueRef, TopicId};
use crate::slab::Key;
use crate::special::Special;
use crate::time::Instant;
use crate::unique_id::MessageId;
use crate::wire::java_hash;

/// Names a send until it completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SendId(pub(crate) Key);

impl SendId {
    /// Names no send.
    pub const NONE: Self = Self(Key::NONE);

    pub(crate) fn key(self) -> Key {
        self.0
    }
}

/// What one send asks for beyond its message. The default asks for nothing; write
/// `SendOptions { field, ..SendOptions::default() }`, for fields are added without notice.
#[derive(Clone, Debug, Default)]
pub struct SendOptions {
    /// Which queue. Default: they take turns.
    pub queue: QueueChoice,
    /// Whether the broker is to answer. Default: yes.
    pub reply: Reply,
    /// On behalf of which group. Default: that of [`Config::group`](crate::Config::group).
    pub group: GroupId,
    /// Instead of [`Config::send_timeout`](crate::Config::send_timeout).
    pub timeout: Option<Duration>,
    /// Instead of [`Config::attempt_timeout`](crate::Config::attempt_timeout).
    pub attempt_timeout: Option<Duration>,
    /// Instead of [`Config::require`](crate::Config::require).
    pub require: Option<Require>,
    /// Send under this id instead of a new one: to repeat a send that ended
    /// [`Outcome::Unknown`] so that consumers can recognise the duplicate.
    pub message_id: Option<MessageId>,
}

impl SendOptions {
    /// Options that ask for this queue.
    #[must_use]
    pub fn queue(mut self, queue: QueueChoice) -> Self {
        self.queue = queue;
        self
    }

    /// Options with this instead of [`Config::send_timeout`](crate::Config::send_timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Options with this instead of [`Config::attempt_timeout`](crate::Config::attempt_timeout).
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Options with this instead of [`Config::require`](crate::Config::require).
    #[must_use]
    pub fn require(mut self, require: Require) -> Self {
        self.require = Some(require);
        self
    }

    /// Options that send under this id.
    #[must_use]
    pub fn message_id(mut self, id: MessageId) -> Self {
        self.message_id = Some(id);
        self
    }
}

/// Whether a send is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// The broker answers; the send ends with a receipt.
    #[default]
    Awaited,
    /// The broker does not answer: the send ends when its bytes were handed to the connection.
    /// Nothing says that they arrived, let alone that they were stored.
    OneWay,
}

/// Which queue a message goes to.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum QueueChoice {
    /// Queues take turns, brokers that fail are avoided, a retry goes elsewhere.
    #[default]
    Rotate,
    /// This queue, one attempt (`send(Message, MessageQueue)`).
    Queue(Queue),
    /// The queue that Java's `SelectMessageQueueByHash` takes for an argument with this
    /// `hashCode`, over the queues as they are now; one attempt. See [`QueueChoice::hash`].
    Hash(i32),
    /// Any queue with equal chance (`SelectMessageQueueByRandom`); one attempt.
    Random,
    /// The queue at the index that a function of one's own returns; one attempt.
    Select(Selector),
    /// Messages of one key keep their order. See [`QueueChoice::ordered`].
    Key {
        /// The key's Java `hashCode`, which decides the queue.
        hash: i32,
        /// A wider hash, which names the lane. Keys that share it share their turn.
        lane: u64,
        /// What gives way when the queue cannot be used.
        order: Order,
    },
}

/// Chooses among queues: returns the index of one, or `None` to fail the send. It is called with the
/// producer locked: it must be quick and must not call the producer. A panic passes through.
pub type Selector = Arc<dyn Fn(&[Queue], &Message) -> Option<usize> + core::marker::Send + Sync>;

/// What gives way when the queue of an ordering key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Availability: messages of the key wait for the queue or fail. One is under way at a time;
    /// none overtakes another. After one that ended [`Outcome::Unknown`] those that wait behind it
    /// fail with [`ErrorKind::OrderBroken`](crate::ErrorKind::OrderBroken), for they would overtake
    /// it should it still arrive. If the broker says that it has no such queue any more, the send
    /// ends [`Outcome::Rejected`] at once: the key has no other, and waiting would not bring it back.
    /// It creates no topic ([`Config::auto_create_topics`](crate::Config::auto_create_topics)): the
    /// queues of the one it would be made from are not those that it will have.
    Strict,
    /// Order: the key moves to another queue while its own cannot be used, and back later. The
    /// receipt's epoch tells which messages may be out of order.
    Available,
}

impl QueueChoice {
    /// The queue that Java's `SelectMessageQueueByHash` takes for the string `arg`.
    pub fn hash(arg: &str) -> Self {
        Self::Hash(java_hash::hash_code(arg))
    }

    /// Keeps the order of all messages of one `key` within a topic, under the contract of `order`.
    /// The queue is chosen by the key's hash among the queues that the topic had when it was first
    /// used; a route that changes later moves no key.
    pub fn ordered(key: &str, order: Order) -> Self {
        // FNV-1a: names a lane, decides nothing else.
        let mut lane = 0xCBF2_9CE4_8422_2325_u64;
        for byte in key.bytes() {
            lane = (lane ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        Self::Key { hash: java_hash::hash_code(key), lane, order }
    }

    /// Chooses by a function of one's own.
    pub fn select<F>(select: F) -> Self
    where
        F: Fn(&[Queue], &Message) -> Option<usize> + core::marker::Send + Sync + 'static,
    {
        Self::Select(Arc::new(select))
    }
}

impl fmt::Debug for QueueChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rotate => f.write_str("Rotate"),
            Self::Queue(queue) => f.debug_tuple("Queue").field(queue).finish(),
            Self::Hash(hash) => f.debug_tuple("Hash").field(hash).finish(),
            Self::Random => f.write_str("Random"),
            Self::Select(_) => f.write_str("Select(..)"),
            Self::Key { hash, order, .. } => {
                f.debug_struct("Key").field("hash", hash).field("order", order).finish()
            }
        }
    }
}

/// Where a send is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for room.
    Room,
    /// Waits for its predecessor in the lane.
    Lane,
    /// Waits for the topic's route.
    Route,
    /// Waits to try again.
    Backoff,
    /// A carrier that waits for more sends to share its request.
    Gathering,
    /// It shares the request of this carrier.
    Carried(Key),
    /// Its frame is on a connection.
    Under(Under),
}

/// An attempt under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Under {
    pub(crate) conn: Key,
    pub(crate) queue: QueueRef,
    pub(crate) reason: Reason,
    /// Whether the send has something special about it.
    pub(crate) special: bool,
    /// `None` for a one-way send, which is not answered.
    pub(crate) opaque: Option<i32>,
    pub(crate) started: Instant,
    /// The frame's place in the connection's stream.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The producer's epoch when the queue was chosen.
    pub(crate) epoch: u64,
}

/// A send that is ours.
pub(crate) struct Send<T> {
    /// Gone once its caller has lost interest; the send then only keeps its place in the lane.
    pub(crate) ticket: Option<T>,
    pub(crate) message: Message,
    pub(crate) queue: QueueChoice,
    pub(crate) reply: Reply,
    pub(crate) require: Option<Require>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) topic: TopicId,
    pub(crate) group: GroupId,
    /// Whether it is what most are: not special, of the first group, not compressed.
    pub(crate) plain: bool,
    /// What few sends have.
    pub(crate) special: Option<Box<Special>>,
    pub(crate) id: MessageId,
    pub(crate) stage: Stage,
    pub(crate) accepted: Instant,
    pub(crate) deadline: Instant,
    /// Attempts that may have reached a broker.
    pub(crate) attempts: u32,
    pub(crate) attempts_all: u32,
    pub(crate) pauses: u32,
    /// The worst outcome of all attempts so far.
    pub(crate) outcome: Outcome,
    pub(crate) trail: Vec<Attempt>,
    /// Brokers tried since the last pause, as bits of their number modulo 64.
    pub(crate) tried: u64,
    pub(crate) last_broker: Option<BrokerId>,
    /// Bytes it has taken of the budget; none while it waits for room.
    pub(crate) bytes: usize,
    pub(crate) holds_room: bool,
}

impl<T> Send<T> {
    /// Whether more than one attempt is allowed: plain selectors and fixed queues get one, as in
    /// Java, for a second would change the order or the queue that was asked for.
    pub(crate) fn may_retry(&self) -> bool {
        matches!(self.queue, QueueChoice::Rotate | QueueChoice::Key { .. })
            || planted!(SelectorRetried)
    }

    /// The lane, if the send is ordered.
    pub(crate) fn lane(&self) -> Option<(TopicId, u64)> {
        match self.queue {
            QueueChoice::Key { lane, .. } => Some((self.topic, lane)),
            _ => None,
        }
    }

    /// Whether the send may wait for its queue, but go to no other.
    pub(crate) fn is_strict(&self) -> bool {
        matches!(self.queue, QueueChoice::Key { order: Order::Strict, .. })
    }
}

/// The bit of a broker in [`Send::tried`].
pub(crate) fn broker_bit(broker: BrokerId) -> u64 {
    1 << (broker % 64)
}
