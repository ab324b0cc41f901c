//! A connection between two ends, and what is on its way on it.

use std::collections::VecDeque;

use producer_core::{ConnId as CoreConn, ConnectionEnd, Instant};

use super::tap::Tap;
use crate::model::ConnId as NodeConn;

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client(usize, CoreConn),
    Node(usize, NodeConn),
}

/// What travels.
#[derive(Debug, Clone)]
pub(super) enum Freight {
    Bytes(Vec<u8>),
    End(ConnectionEnd),
    /// Nothing that follows is ever read.
    Silence,
}

/// One way of a connection.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// Nothing arrives before what was sent before it.
    pub(super) last: Instant,
    /// What waits for a partition to heal.
    pub(super) held: VecDeque<Freight>,
    /// Something was lost: nothing that follows is ever read.
    pub(super) cut: bool,
}

/// A connection. End 0 dialled, end 1 was dialled.
#[derive(Debug)]
pub(super) struct Link {
    /// Where it was dialled.
    pub(super) address: String,
    pub(super) sides: [Side; 2],
    /// Whether the end still holds the connection.
    pub(super) alive: [bool; 2],
    /// The dial has been answered.
    pub(super) open: bool,
    /// What travels from end 0, and from end 1.
    pub(super) pipes: [Pipe; 2],
    pub(super) dialled_at: Instant,
    /// When end 0 last heard anything; at first, when it was connected.
    pub(super) heard_at: Instant,
    /// Bytes of requests have left on it.
    pub(super) used: bool,
    /// Position of its dial in the history, for those of producers.
    pub(super) dial: Option<usize>,
    pub(super) tap: Tap,
    /// Bytes that end 0 has written while the other did not read.
    pub(super) unread: usize,
    /// End 0 is a producer that wants to write, and cannot.
    pub(super) blocked: bool,
}

impl Link {
    /// The node that was dialled.
    pub(super) const fn node(&self) -> usize {
        match self.sides[1] {
            Side::Node(node, _) | Side::Client(node, _) => node,
        }
    }

    /// The producer at end 0.
    pub(super) const fn client(&self) -> Option<usize> {
        match self.sides[0] {
            Side::Client(client, _) => Some(client),
            Side::Node(..) => None,
        }
    }

    /// Whether `node` is at an end, and at which.
    pub(super) fn end_of(&self, node: usize) -> Option<usize> {
        self.sides.iter().position(|side| matches!(side, Side::Node(at, _) if *at == node))
    }
}
