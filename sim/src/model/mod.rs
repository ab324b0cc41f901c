//! What do a name server and a broker do with the bytes they receive?
//!
//! The models are sans-IO and deterministic: no socket, no clock, no entropy, no task. They speak
//! the verbs of the producer's core, so one model serves tests in virtual time, a simulated
//! network and real TCP (`crate::serve`).

pub mod broker;
pub mod name_server;

mod answer;
mod links;
mod schedule;

use std::net::SocketAddr;

pub use producer_core::Instant;
use serde::{Deserialize, Serialize};

/// A connection of one node.
///
/// Numbers of accepted connections are the driver's, those of connections that the node itself
/// wants ([`Output::Connect`]) are the model's; the two never collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(u64);

impl ConnId {
    /// The `number`th connection accepted. A number is never used again.
    pub const fn accepted(number: u64) -> Self {
        Self(number & !OUTGOING)
    }

    /// Whether the other end has made it.
    #[cfg(feature = "serve")]
    pub(crate) const fn is_accepted(self) -> bool {
        self.0 & OUTGOING == 0
    }

    /// The `number`th connection that the node asked for.
    pub(crate) const fn outgoing(number: u64) -> Self {
        Self(number | OUTGOING)
    }
}

const OUTGOING: u64 = 1 << 63;

/// What a node wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Connect to `address`, then report [`Node::handle_connected`], or [`Node::handle_closed`] if
    /// that fails.
    Connect {
        /// How the node will call the connection.
        conn: ConnId,
        /// `host:port`.
        address: String,
    },
    /// There are bytes to send: see [`Node::take_bytes`].
    Transmit {
        /// Which connection.
        conn: ConnId,
    },
    /// Send what is left, close, and report [`Node::handle_closed`].
    Close {
        /// Which connection.
        conn: ConnId,
    },
    /// Nothing to do until something is received, or `wake_at`.
    Idle {
        /// When to call [`Node::handle_timeout`]; `None` for never.
        wake_at: Option<Instant>,
    },
}

/// A server without I/O.
///
/// After each call of a `handle_*` method the driver drains [`Node::poll_output`] up to
/// [`Output::Idle`]. `now` never goes back.
pub trait Node {
    /// The node is up (again): it has no connections, and starts what it does by itself.
    fn handle_start(&mut self, now: Instant);

    /// A peer at `peer` has connected.
    fn handle_accepted(&mut self, now: Instant, conn: ConnId, peer: SocketAddr);

    /// A connection that the node asked for is there.
    fn handle_connected(&mut self, now: Instant, conn: ConnId);

    /// Bytes have arrived, in pieces of any size.
    fn handle_received(&mut self, now: Instant, conn: ConnId, bytes: &[u8]);

    /// A connection has ended, or could not be made. Reported exactly once for each connection,
    /// also for those that the node closed.
    fn handle_closed(&mut self, now: Instant, conn: ConnId);

    /// The time of the last [`Output::Idle`] has come; early or needless calls do no harm.
    fn handle_timeout(&mut self, now: Instant);

    /// The next thing to be done.
    fn poll_output(&mut self) -> Output;

    /// Appends the bytes to be sent on `conn` to `out`, and forgets them. When `out` is empty the
    /// buffers are swapped, so one pair of buffers serves a connection for ever.
    fn take_bytes(&mut self, conn: ConnId, out: &mut Vec<u8>);
}

/// Which release a node behaves like, where releases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Release {
    /// 4.9.7: answers in the form of the request.
    #[serde(rename = "4.9.7")]
    V4_9_7,
    /// 5.4.0: answers in its own form, JSON by default.
    #[default]
    #[serde(rename = "5.4.0")]
    V5_4_0,
}

impl Release {
    /// The version ordinal in the header of each answer.
    pub const fn version(self) -> i32 {
        match self {
            Self::V4_9_7 => producer_core::wire::version::ordinal(4, 9, 7),
            Self::V5_4_0 => producer_core::wire::version::ordinal(5, 4, 0),
        }
    }

    /// Where the remarks of this release send the reader for help.
    pub(crate) const fn help(self) -> &'static str {
        match self {
            Self::V4_9_7 => "\nSee http://rocketmq.apache.org/docs/faq/ for further details.",
            Self::V5_4_0 => {
                "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
            }
        }
    }
}
