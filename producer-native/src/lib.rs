//! An Apache RocketMQ producer on tokio and TCP.
mod alarm;
mod builder;
mod connection;
mod door;
mod eras;
mod identity;
mod log;
mod pace;
mod producer;
mod slots;
mod ticket;
mod transport;
mod wait;

/// The core, whose ticket is the slot in which somebody waits.
type Core = producer_core::Producer<slots::Slot>;

pub use builder::{BuildError, Builder};
pub use bytes::Bytes;
pub use producer::Producer;
pub use producer_core::wire::SerializeType;
pub use producer_core::{
    Adaptive, Address, Attempt, Backoff, CloseReport, Config, ConnectionEnd, ErrorKind, FaultTable,
    GroupName, Health, InvalidMessage, InvalidName, JAVA_RETRY_CODES, Message, MessageId, OffsetId,
    OnUnknown, Order, Outcome, PROPERTY_BYTES_MAX, Phase, Queue, QueueChoice, Receipt, Reply,
    Require, RetryBudget, Rotation, Route, RouteBroker, Selector, SendError, SendOptions,
    SendStatus, Stats, TopicName,
};
pub use ticket::{Ticket, Tickets, TrySendError};
pub use transport::{Connecting, Stream, Tcp, Transport};
pub use wait::{Sending, SendingOneway};
