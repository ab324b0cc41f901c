//! What does the core want done?

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::ask::Answer;
use crate::connection::ConnId;
use crate::error::SendError;
use crate::event::Event;
use crate::names::Address;
use crate::receipt::Receipt;
use crate::request_reply::ReplyMessage;
use crate::route::Route;
use crate::time::Instant;
use crate::transaction::{HalfMessage, TransactionCheck};
use crate::unique_id::MessageId;

/// What [`Producer::poll_output`](crate::Producer::poll_output) gives out, one at a time.
#[derive(Debug)]
pub enum Output<T> {
    /// Dial `address` and report [`handle_connected`](crate::Producer::handle_connected) or
    /// [`handle_closed`](crate::Producer::handle_closed).
    Connect {
        /// Its name from now on.
        conn: ConnId,
        /// Where to.
        address: Address,
        /// When to stop trying.
        deadline: Instant,
    },
    /// There are bytes for this connection: call [`take_bytes`](crate::Producer::take_bytes) when
    /// it can write, now or, to write more at once, a little later. Given out once per take.
    Transmit {
        /// The connection.
        conn: ConnId,
    },
    /// Close this connection (or stop dialling it), after writing what was taken. Nothing about it
    /// needs to be reported any more.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// A send has ended.
    Completed {
        /// What the caller gave.
        ticket: T,
        /// How.
        result: Result<Receipt, SendError>,
    },
    /// A batch has ended.
    BatchCompleted {
        /// What the caller gave.
        ticket: T,
        /// A receipt for each message, in their order, or why there is none.
        result: Result<Vec<Receipt>, SendError>,
    },
    /// A half message has ended.
    Prepared {
        /// What the caller gave.
        ticket: T,
        /// The transaction that is open now, or why there is none. After an error whose outcome is
        /// unknown a broker may hold the half message, and will ask.
        result: Result<Box<HalfMessage>, SendError>,
    },
    /// A broker asks how a transaction has ended. Answer with
    /// [`end_transaction`](crate::Producer::end_transaction); whoever does not answer is asked again.
    CheckTransaction(Box<TransactionCheck>),
    /// A request has ended.
    Replied {
        /// What the caller gave.
        ticket: T,
        /// The reply, or why there is none.
        result: Result<ReplyMessage, SendError>,
    },
    /// What was asked by [`ask`](crate::Producer::ask) has ended.
    Answered {
        /// What the caller gave.
        ticket: T,
        /// The answer, whatever its code, or why there is none.
        result: Result<Answer, SendError>,
    },
    /// A one-way send was handed to a connection.
    Written {
        /// What the caller gave.
        ticket: T,
        /// The id it was sent under.
        message_id: MessageId,
    },
    /// A route that was asked for.
    Route {
        /// What the caller gave.
        ticket: T,
        /// The route, or why there is none.
        result: Result<Route, SendError>,
    },
    /// A broker has refused the credentials that requests are signed with, so others are wanted
    /// ([`set_credentials`](crate::Producer::set_credentials)). Said once, until there are.
    CredentialsRefused,
    /// Something that those who look on want to know
    /// ([`Config::events`](crate::Config::events)).
    Event(Box<Event>),
    /// The producer is closed: nothing follows.
    Closed(CloseReport),
    /// Nothing to do until something is reported, or this instant.
    Idle {
        /// When to call [`handle_timeout`](crate::Producer::handle_timeout), if at all.
        wake_at: Option<Instant>,
    },
}

/// How the sends ended that were in hand when the producer was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Acknowledged as stored.
    pub stored: u64,
    /// One-way sends handed to a connection.
    pub written: u64,
    /// Surely not sent.
    pub not_sent: u64,
    /// Refused by a broker.
    pub rejected: u64,
    /// Possibly stored.
    pub unknown: u64,
    /// Ids of those possibly stored, at most [`CloseReport::IDS_MAX`].
    pub unknown_ids: Vec<MessageId>,
}

impl CloseReport {
    /// Most ids that a report lists.
    pub const IDS_MAX: usize = 1_000;
}

/// Counters since the producer was made, and levels now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Sends accepted.
    pub accepted: u64,
    /// Sends that ended with a receipt.
    pub stored: u64,
    /// One-way sends handed to a connection.
    pub written: u64,
    /// Sends that ended surely not sent.
    pub not_sent: u64,
    /// Sends that ended rejected.
    pub rejected: u64,
    /// Sends that ended possibly stored.
    pub unknown: u64,
    /// Sends dropped by their callers.
    pub cancelled: u64,
    /// Attempts begun.
    pub attempts: u64,
    /// Attempts that failed and were followed by another.
    pub retries: u64,
    /// Retries that the budget did not allow.
    pub retries_refused: u64,
    /// Answers that came after their request was given up.
    pub late_responses: u64,
    /// Connections begun.
    pub connects: u64,
    /// Connections that ended by failure.
    pub connection_failures: u64,
    /// Route requests sent to name servers.
    pub route_requests: u64,
    /// Routes installed that differ from the one before.
    pub route_changes: u64,
    /// Times that a broker was taken out of rotation.
    pub ejections: u64,
    /// Questions of brokers how a transaction has ended.
    pub checks: u64,
    /// Such questions that could not be read, or were for a group that is not here.
    pub checks_ignored: u64,
    /// Ends of transactions handed to a connection, answers to checks included.
    pub transactions_ended: u64,
    /// Questions that nobody here answered, for there is no checker. Counted by drivers.
    pub checks_without_checker: u64,
    /// Questions passed over because too many were waiting. Counted by drivers.
    pub checks_dropped: u64,
    /// Times that a checker panicked, failed or took too long. Counted by drivers.
    pub checks_failed: u64,
    /// Replies to requests that had ended, or were never made.
    pub late_replies: u64,
    /// Records of sends that the trace topic has.
    pub traces: u64,
    /// Records of sends that were lost: too many waited, or the trace topic did not take them.
    pub traces_dropped: u64,
    /// Heartbeats sent.
    pub heartbeats: u64,
    /// Sends in hand, those waiting for room included.
    pub in_hand: usize,
    /// Sends waiting for room.
    pub waiting_for_room: usize,
    /// Bytes in hand, as [`Config::bytes_max`](crate::Config::bytes_max) counts them.
    pub bytes_in_hand: usize,
    /// Bytes waiting for room, counted in the same way.
    pub bytes_waiting: usize,
    /// Requests waiting for an answer.
    pub requests_in_flight: usize,
    /// Connections, those being dialled included.
    pub connections: usize,
    /// Bytes waiting to be taken by the driver.
    pub out_bytes: usize,
}
