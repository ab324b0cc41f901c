//! Which connections does a node have, and what waits on each of them?

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use producer_core::wire::frame::{self, FRAME_BYTES_MAX};
use producer_core::wire::{Frame, WireError};

use super::{ConnId, Instant, Output};

/// The connections of a node, and its outputs in the order they arose.
#[derive(Debug)]
pub(crate) struct Links {
    links: BTreeMap<ConnId, Link>,
    outputs: VecDeque<Output>,
    outgoing: u64,
    out_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Link {
    /// The accepted peer; `None` on outgoing connections.
    peer: Option<SocketAddr>,
    /// An unfinished frame, or all that came while the node was frozen.
    inbox: Vec<u8>,
    out: Vec<u8>,
    /// A [`Output::Transmit`] is queued or reported and not yet followed by `take`.
    announced: bool,
    closing: bool,
}

impl Links {
    /// No connections. One whose peer leaves more than `out_bytes_max` bytes unread is closed.
    pub(crate) fn new(out_bytes_max: usize) -> Self {
        Self { links: BTreeMap::new(), outputs: VecDeque::new(), outgoing: 0, out_bytes_max }
    }

    /// Forgets all connections; numbers of outgoing ones go on, so that late reports miss.
    pub(crate) fn reset(&mut self) {
        self.links.clear();
        self.outputs.clear();
    }

    pub(crate) fn accept(&mut self, conn: ConnId, peer: SocketAddr) {
        self.links.insert(conn, Link { peer: Some(peer), ..Link::default() });
    }

    pub(crate) fn connect(&mut self, address: &str) -> ConnId {
        let conn = ConnId::outgoing(self.outgoing);
        self.outgoing += 1;
        self.links.insert(conn, Link::default());
        self.outputs.push_back(Output::Connect { conn, address: address.to_owned() });
        conn
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> bool {
        self.links.remove(&conn).is_some()
    }

    pub(crate) fn close(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if !link.closing {
            link.closing = true;
            link.inbox = Vec::new();
            self.outputs.push_back(Output::Close { conn });
        }
    }

    /// Lets `write` append to what is sent on `conn`, unless that is gone.
    pub(crate) fn send(&mut self, conn: ConnId, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if link.closing {
            return;
        }
        write(&mut link.out);
        if link.out.len() > self.out_bytes_max {
            link.out = Vec::new();
            self.close(conn);
        } else if !link.announced && !link.out.is_empty() {
            link.announced = true;
            self.outputs.push_back(Output::Transmit { conn });
        }
    }

    pub(crate) fn take_bytes(&mut self, conn: ConnId, out: &mut Vec<u8>) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        link.announced = false;
        if out.is_empty() {
            std::mem::swap(out, &mut link.out);
        } else {
            out.append(&mut link.out);
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Keeps `bytes` for later; a peer that sends more than the limit meanwhile is closed.
    pub(crate) fn keep(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if link.closing {
            return;
        }
        link.inbox.extend_from_slice(bytes);
        if link.inbox.len() > self.out_bytes_max {
            self.close(conn);
        }
    }

    /// What is kept of `conn`; `None` if it is gone or closing.
    pub(crate) fn take_inbox(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        let link = self.links.get_mut(&conn)?;
        (!link.closing).then(|| std::mem::take(&mut link.inbox))
    }

    /// Gives back what [`Self::take_inbox`] took, less what was read.
    pub(crate) fn put_inbox(&mut self, conn: ConnId, inbox: Vec<u8>) {
        if let Some(link) = self.links.get_mut(&conn)
            && !link.closing
        {
            link.inbox = inbox;
        }
    }

    pub(crate) fn peer(&self, conn: ConnId) -> Option<SocketAddr> {
        self.links.get(&conn).and_then(|link| link.peer)
    }

    /// All connections, in order.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.links.keys().copied().collect()
    }

    /// How many connections peers have made.
    pub(crate) fn accepted(&self) -> usize {
        self.links.values().filter(|link| link.peer.is_some()).count()
    }
}

/// A node that is given whole frames.
pub(crate) trait Frames {
    fn links(&mut self) -> &mut Links;

    /// Handles one frame; an error ends its connection.
    fn handle_frame(
        &mut self,
        now: Instant,
        conn: ConnId,
        frame: &Frame<'_>,
    ) -> Result<(), WireError>;

    /// Cuts what was kept of `conn`, and `bytes`, into frames and handles each.
    fn receive(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        let Some(mut inbox) = self.links().take_inbox(conn) else { return };
        let used = if inbox.is_empty() {
            let used = self.frames(now, conn, bytes);
            inbox.extend_from_slice(&bytes[used..]);
            0
        } else {
            inbox.extend_from_slice(bytes);
            self.frames(now, conn, &inbox)
        };
        inbox.drain(..used);
        self.links().put_inbox(conn, inbox);
    }

    /// Handles the whole frames at the start of `bytes` and says how long they are.
    fn frames(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) -> usize {
        let mut used = 0;
        loop {
            let handled = match frame::split(&bytes[used..], FRAME_BYTES_MAX) {
                Ok(Some(frame)) => {
                    used += frame.len;
                    self.handle_frame(now, conn, &frame)
                }
                Ok(None) => return used,
                Err(error) => Err(error),
            };
            if handled.is_err() {
                self.links().close(conn);
                return bytes.len();
            }
        }
    }
}
