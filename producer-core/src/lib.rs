//! An Apache RocketMQ producer without I/O.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod admission;
mod attempt;
mod budget;
mod chores;
mod config;
mod connection;
mod error;
mod health;
mod in_flight;
mod lane;
mod lookup;
mod message;
mod names;
mod output;
mod peers;
mod pick;
mod producer;
mod random;
mod receipt;
mod retry;
mod route;
mod send;
mod send_frame;
mod settle;
mod slab;
mod time;
mod unique_id;
mod waiters;
pub mod wire;

pub use config::{
    Adaptive, Backoff, Config, Environment, FaultTable, Health, JAVA_RETRY_CODES, OnUnknown,
    Require, RetryBudget, Rotation,
};
pub use connection::ConnId;
pub use error::{Attempt, ConnectionEnd, ErrorKind, Outcome, Phase, SendError};
pub use message::{InvalidMessage, Message, PROPERTY_BYTES_MAX};
pub use names::{Address, GroupName, InvalidName, TopicName};
pub use output::{CloseReport, Output, Stats};
pub use producer::Producer;
pub use receipt::{OffsetId, Receipt, SendStatus};
pub use route::{Queue, Route, RouteBroker};
pub use send::{Order, QueueChoice, Reply, Selector, SendId, SendOptions};
pub use time::Instant;
pub use unique_id::MessageId;
