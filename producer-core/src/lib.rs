//! An Apache RocketMQ producer without I/O: one state machine that is told the time and handed bytes.
//!
//! There is no clock, socket, thread or random source in here: the crate is `no_std`, so one would
//! not compile. A driver (`producer-native` for tokio and TCP) carries the bytes; this decides.
//!
//! ```text
//!   application                      Producer<T>                       driver
//!   send(ticket, message) ─────────▶ queue, frame, deadline ─────────▶ Output::Connect, Transmit
//!                                                                      take_bytes ─▶ socket
//!                                    match, learn, retry   ◀────────── handle_received ◀─ socket
//!   receipt or error ◀────────────── Output::Completed                 handle_timeout ◀─ clock
//! ```
//!
//! # Driving it
//!
//! Ask or report, then poll until [`Output::Idle`]; everything takes `now` from the caller.
//!
//! ```
//! use producer_core::{
//!     Address, Config, Environment, Instant, Message, Output, Producer, SendOptions,
//! };
//!
//! let config = Config { name_servers: Address::list("10.0.0.1:9876")?, ..Config::default() };
//! let mut producer: Producer<&str> = Producer::new(config, Environment::new(42, 1_793_491_200_000));
//!
//! let message = Message::new("orders", "paid")?;
//! producer.send(Instant::ZERO, "my ticket", message, SendOptions::default());
//!
//! // The first thing it wants is a connection to a name server.
//! let Output::Connect { conn, address, .. } = producer.poll_output() else { panic!() };
//! assert_eq!(address.as_str(), "10.0.0.1:9876");
//! producer.handle_connected(Instant::from_millis(1), conn);
//! assert!(matches!(producer.poll_output(), Output::Transmit { .. }));
//! let mut bytes = Vec::new();
//! producer.take_bytes(conn, &mut bytes);
//! assert!(!bytes.is_empty(), "the question for the topic's route");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a send ends with
//!
//! A [`Receipt`], or a [`SendError`] whose [`Outcome`] says whether the message may be stored.
//! [`Config::default`] is safe, [`Config::java`] behaves as the Java client 5.4.0.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "marks", feature = "planted-bugs"))]
extern crate std;

#[macro_use]
mod switches;

mod access;
mod accumulator;
pub mod admin;
mod admission;
mod ask;
mod ask_error;
mod attempt;
mod batch;
mod budget;
mod carrier;
mod chores;
mod compress;
mod config;
mod connection;
mod connection_end;
mod error;
mod event;
mod expiry;
mod found;
mod groups;
mod has;
mod health;
mod in_flight;
mod lane;
mod lookup;
#[cfg(feature = "marks")]
pub mod marks;
mod message;
mod message_kinds;
mod name_servers;
mod names;
mod namespaces;
mod output;
mod peers;
mod pick;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod producer;
mod query;
mod random;
mod reason;
mod recall;
mod receipt;
mod receive;
mod request_reply;
mod retry;
mod route;
mod say;
mod send;
// `./bench` measures it alone; nobody else is to name it.
#[doc(hidden)]
pub mod send_frame;
mod settle;
mod slab;
#[cfg(any(test, not(feature = "fast-hash")))]
mod small_hash;
#[cfg(any(test, not(feature = "fast-hash")))]
mod small_map;
mod sort;
mod special;
mod stamp;
mod time;
mod topics;
mod trace;
mod trace_notes;
mod transaction;
mod unique_id;
mod vip;
mod waiters;
pub mod wire;

pub use admin::{Boundary, NewTopic, Place, Places, Questions};
pub use ask::{Answer, AskTarget, Request};
pub use ask_error::{AskError, InvalidQuestion};
pub use batch::{Batch, InvalidBatch};
pub use budget::RetryBudget;
pub use compress::Compress;
pub use config::{
    Adaptive, AutoBatch, Backoff, Config, Environment, FaultTable, Health, JAVA_RETRY_CODES,
    OnUnknown, Require, Rotation,
};
pub use connection::ConnId;
pub use connection_end::{ConnectionEnd, TlsFault};
pub use error::{Attempt, ErrorKind, Outcome, Phase, SendError};
pub use event::Event;
pub use found::{FoundMessage, Wanted, Window, place_of_id};
pub use groups::GroupId;
pub use message::{InvalidMessage, Message, PROPERTY_BYTES_MAX};
pub use message_kinds::TimerEngine;
pub use names::{Address, GroupName, InvalidName, TopicName};
pub use output::{CloseReport, Output, Stats};
pub use producer::Producer;
pub use reason::{AttemptUnderWay, Reason};
pub use recall::Recall;
pub use receipt::{OffsetId, Receipt, SendStatus};
pub use request_reply::{ReplyMessage, RequestId};
pub use route::{Queue, Route, RouteBroker};
pub use send::{Order, QueueChoice, Reply, Selector, SendId, SendOptions};
pub use time::Instant;
pub use trace::{AccessChannel, Trace};
pub use transaction::{Decision, HalfMessage, Transaction, TransactionCheck};
pub use unique_id::MessageId;
pub use wire::acl::{Credentials, InvalidCredentials};
