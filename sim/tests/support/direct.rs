//! A node in virtual time: bytes in, answers out, nothing in between.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use producer_core::wire::frame::{self, FRAME_BYTES_MAX};
use producer_core::wire::{Fields, Head, Header, SerializeType, encode_frame};
use sim::model::{ConnId, Instant, Node, Output};

use super::Got;

/// A node and the clock that its test holds.
pub(crate) struct Direct<N> {
    pub(crate) node: N,
    pub(crate) now: Instant,
    conns: u64,
    opaque: i32,
    /// Connections that the node closed.
    pub(crate) closed: Vec<ConnId>,
    /// Connections that the node wants.
    pub(crate) wanted: Vec<(ConnId, String)>,
    pub(crate) wake_at: Option<Instant>,
    out: Vec<(ConnId, Vec<u8>)>,
}

impl<N: Node> Direct<N> {
    pub(crate) fn new(node: N) -> Self {
        let mut direct = Self {
            node,
            now: Instant::from_millis(1_000),
            conns: 0,
            opaque: 0,
            closed: Vec::new(),
            wanted: Vec::new(),
            wake_at: None,
            out: Vec::new(),
        };
        direct.node.handle_start(direct.now);
        direct.drain();
        direct
    }

    pub(crate) fn connect(&mut self) -> ConnId {
        self.conns += 1;
        let conn = ConnId::accepted(self.conns);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000 + self.conns as u16));
        self.node.handle_accepted(self.now, conn, peer);
        self.drain();
        conn
    }

    /// Hands bytes over and returns what comes back on any connection.
    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<(ConnId, Vec<u8>)> {
        self.node.handle_received(self.now, conn, bytes);
        self.drain()
    }

    /// Lets time pass in the node's own steps.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<(ConnId, Vec<u8>)> {
        let end = self.now + time;
        let mut all = Vec::new();
        while let Some(at) = self.wake_at.filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.node.handle_timeout(self.now);
            all.extend(self.drain());
        }
        self.now = end;
        all
    }

    /// Does something to the node, and returns what it sends.
    pub(crate) fn with(&mut self, change: impl FnOnce(&mut N, Instant)) -> Vec<(ConnId, Vec<u8>)> {
        change(&mut self.node, self.now);
        self.drain()
    }

    /// Asks, and returns the answers that come at once.
    pub(crate) fn ask(
        &mut self,
        conn: ConnId,
        code: i32,
        fields: &Fields<'_>,
        body: &[u8],
    ) -> Vec<Got> {
        let frame = self.request(code, fields, body);
        let sent = self.receive(conn, &frame);
        sent.iter().flat_map(|(_, bytes)| answers(bytes)).collect()
    }

    pub(crate) fn request(&mut self, code: i32, fields: &Fields<'_>, body: &[u8]) -> Vec<u8> {
        let head = Head { code, version: 493, opaque: self.opaque, ..Head::default() };
        self.opaque += 1;
        let mut out = Vec::new();
        encode_frame(&mut out, SerializeType::Json, &head, fields.iter(), body)
            .expect("a test's request fits a frame");
        out
    }

    fn drain(&mut self) -> Vec<(ConnId, Vec<u8>)> {
        loop {
            match self.node.poll_output() {
                Output::Connect { conn, address } => self.wanted.push((conn, address)),
                Output::Transmit { conn } => {
                    let mut bytes = Vec::new();
                    self.node.take_bytes(conn, &mut bytes);
                    self.out.push((conn, bytes));
                }
                Output::Close { conn } => self.closed.push(conn),
                Output::Idle { wake_at } => {
                    self.wake_at = wake_at;
                    break;
                }
            }
        }
        for conn in std::mem::take(&mut self.closed) {
            self.node.handle_closed(self.now, conn);
            self.closed.push(conn);
        }
        std::mem::take(&mut self.out)
    }
}

/// The whole frames of some bytes; what follows them is ignored.
pub(crate) fn answers(bytes: &[u8]) -> Vec<Got> {
    let mut all = Vec::new();
    let mut rest = bytes;
    while let Ok(Some(frame)) = frame::split(rest, FRAME_BYTES_MAX) {
        let header = Header::decode(frame.serialize, frame.header).expect("a whole header");
        all.push(Got::new(&header, frame.body));
        rest = &rest[frame.len..];
    }
    all
}
