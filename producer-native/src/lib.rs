//! An Apache RocketMQ producer on tokio and TCP.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use producer_native::{Message, Outcome, Producer};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let producer = Producer::builder("orders").name_servers("10.0.0.1:9876;10.0.0.2:9876").build()?;
//!
//! let message = Message::new("orders", "paid")?.keys(["order-1001"])?;
//! match producer.send(message).await {
//!     Ok(receipt) => println!("stored at {} of {}", receipt.queue_offset, receipt.broker),
//!     Err(error) if error.outcome() == Outcome::Unknown => println!("maybe stored: {error}"),
//!     Err(error) => println!("surely not stored: {error}"),
//! }
//!
//! let report = producer.close(Duration::from_secs(5)).await;
//! assert_eq!(report.unknown, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # The path of a message
//!
//! ```text
//! send(message).await ─▶ the door: lock, read the clock ─▶ core: queue, frame, deadline
//!                                  unlock, wake the writer
//! connection's task   ─▶ the door: take the bytes of all who sent ─▶ one write ─▶ broker
//! connection's task   ◀─ one read, many answers ◀─────────────────────────────── broker
//!                     ─▶ the door: core matches answers with sends
//!                                  unlock, wake those who wait
//! send(message).await ◀─ receipt
//! ```
//!
//! All protocol is in [`producer_core`]; this crate moves bytes, tells the time and wakes. There is
//! one task a connection, one connection an address, and one task that tells the time. A send has
//! no task, channel, timer or allocation of its own.
//!
//! # Which way to send
//!
//! | | waits for room | waits for the broker | |
//! |---|---|---|---|
//! | [`send`](Producer::send) | yes | yes | the usual one; any number of tasks at once |
//! | [`enqueue`](Producer::enqueue) | in the background | when the [`Ticket`] is awaited | many in flight from one task |
//! | [`enqueue_all`](Producer::enqueue_all) | in the background | when awaited, in order | the cheapest a message |
//! | [`try_send`](Producer::try_send) | no: gives the message back | when the ticket is awaited | for those who must not wait |
//! | [`send_oneway`](Producer::send_oneway) | yes | never | nothing is known afterwards |
//! | [`begin`](Producer::begin) | yes | yes | a message that is seen only if it is committed |
//! | [`request`](Producer::request) | yes | and for the reply of a consumer | asking another service |
//! | [`blocking`] | yes | yes | no async code |
//!
//! "Room" is a budget of sends and bytes ([`Config::sends_max`], [`Config::bytes_max`]); it is
//! always on.
//!
//! # What happens when ...
//!
//! | | before its first byte is taken by a connection | after |
//! |---|---|---|
//! | the future or ticket of a send is **dropped** | not sent | goes on, no retries, nobody learns how it ended |
//! | a ticket is **detached** | goes on, with retries | goes on, with retries |
//! | the send timeout **passes** | [`Outcome::NotSent`] | [`Outcome::Unknown`] |
//! | the producer is **closed** and its deadline passes | [`Outcome::NotSent`] | [`Outcome::Unknown`] |
//! | the last clone is **dropped**, or the runtime | [`Outcome::NotSent`], at once | [`Outcome::Unknown`], at once |
//!
//! Dropping the future of [`close`](Producer::close), [`flush`](Producer::flush),
//! [`route`](Producer::route) or [`prepare`](Producer::prepare) stops the waiting and nothing else.
//!
//! # Errors
//!
//! A [`SendError`] says first whether the message may be stored ([`SendError::outcome`]), then why
//! ([`SendError::kind`]), and lists every attempt with broker, addresses, phase and time.
//!
//! # Examples
//!
//! In the folder `examples`, each against models inside its process unless it is told otherwise
//! (`cargo run --example service -- --name-server 10.0.0.1:9876`):
//!
//! | | |
//! |---|---|
//! | `service` | a web service with axum: overload, unknown ends, an orderly shutdown |
//! | `outbox` | a transaction whose process dies before or after the local change |
//! | `request_reply` | a question by message, and its answer |
//! | `ordered` | messages in order by key, while a broker is away |
//! | `batch_loader` | the lines of a file, in little memory, resumable; without async code |
//! | `through_bridge` | one message through a bridge (feature `websocket`) |
#![cfg_attr(docsrs, feature(doc_cfg))]
mod access;
mod admin;
mod alarm;
mod batches;
pub mod blocking;
#[cfg(feature = "bridge")]
pub mod bridge;
mod builder;
mod checks;
mod client;
mod compression;
mod connection;
mod discovery;
mod door;
mod eras;
mod exchange;
#[cfg(all(
    doctest,
    feature = "config",
    feature = "metrics",
    feature = "tls",
    feature = "websocket"
))]
mod guides;
mod hooks;
mod identity;
mod log;
mod number;
#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
mod observe;
mod pace;
mod producer;
mod secret;
#[cfg(feature = "config")]
pub mod settings;
mod slots;
mod ticket;
mod transaction;
mod transport;
mod wait;

/// The core, whose ticket is the slot in which somebody waits.
type Core = producer_core::Producer<slots::Slot>;

pub use access::{KeyFileError, Lease, key_file};
pub use admin::{Admin, Created};
pub use builder::{BuildError, Builder};
pub use bytes::Bytes;
pub use checks::Verdict;
pub use client::Client;
pub use compression::{DecompressError, compress, decompress};
pub use discovery::{AddressServer, Discovery, Dns, Finding, InvalidAddressServer};
pub use hooks::{FrameHook, Outgoing, SeenFrame, SendEnd, SendHook, SendKind, SendReport};
#[cfg(feature = "metrics")]
pub use observe::Metrics;
#[cfg(feature = "opentelemetry")]
pub use observe::OpenTelemetry;
pub use producer::Producer;
pub use producer_core::wire::SerializeType;
pub use producer_core::wire::sys_flag::Compression;
pub use producer_core::{
    AccessChannel, Adaptive, Address, Answer, AskTarget, Attempt, AutoBatch, Backoff, Batch,
    CloseReport, Compress, Config, ConnectionEnd, Decision, ErrorKind, FaultTable, GroupName,
    HalfMessage, Health, InvalidBatch, InvalidMessage, InvalidName, JAVA_RETRY_CODES, Message,
    MessageId, OffsetId, OnUnknown, Order, Outcome, PROPERTY_BYTES_MAX, Phase, Queue, QueueChoice,
    Receipt, Reply, ReplyMessage, Request, Require, RetryBudget, Rotation, Route, RouteBroker,
    Selector, SendError, SendOptions, SendStatus, Stats, TlsFault, TopicName, Trace, Transaction,
    TransactionCheck,
};
pub use producer_core::{
    AskError, Boundary, Credentials, FoundMessage, InvalidCredentials, InvalidQuestion, NewTopic,
    Place, Places, TimerEngine, Window,
};
pub use secret::Secret;
pub use ticket::{Ticket, Tickets, TrySendError};
pub use transaction::{NotTold, OpenTransaction, TransactionEnd, WhenDropped};
pub use transport::{
    AddressRule, Connecting, Dialer, InvalidProxy, InvalidRule, Leaving, Proxy, Stream, Tcp,
    Transport,
};
#[cfg(feature = "websocket")]
pub use transport::{InvalidBridge, WebSocket};
#[cfg(feature = "tls")]
pub use transport::{Tls, TlsError, TlsPart};
pub use wait::{Sending, SendingOneway};
