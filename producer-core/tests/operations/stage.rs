//! A driver that does what a script says, and looks at every step whether the invariants hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::time::Duration;

use producer_core::wire::{Header, frame};
use producer_core::{
    Config, ConnId, ConnectionEnd, Environment, GroupId, Instant, MessageId, Output, Producer,
    RequestId, SendError, SendId, TlsFault, Transaction,
};

use super::books::{Books, Kind, Word};
use super::peers::{self, Asked};

const UNIX_MS: u64 = 1_793_491_200_000;
/// Deadlines are met at multiples of this.
const ROUNDING_NS: u64 = 10_000_000;

/// A connection, from the wish to have it on.
pub(super) struct Conn {
    pub(super) id: ConnId,
    pub(super) state: State,
    /// The driver was told that there are bytes, and has not taken them.
    pub(super) told: bool,
    /// What was delivered and is no whole frame yet.
    heard: Vec<u8>,
    anything_heard: bool,
    /// Numbers of all requests that its peer has read.
    read: BTreeSet<i32>,
    /// The rest of an answer whose first half was delivered.
    pub(super) rest: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Dialling,
    Open,
    Gone,
}

pub(crate) struct Stage {
    pub(super) producer: Producer<u64>,
    pub(super) now: Instant,
    wake_at: Option<Instant>,
    pub(super) conns: Vec<Conn>,
    by_id: BTreeMap<ConnId, usize>,
    /// What peers have read and not answered for good.
    pub(super) asked: Vec<Asked>,
    pub(super) books: Books,
    /// Calls by which a send may be taken back.
    pub(super) cancels: Vec<(u64, Result<SendId, RequestId>)>,
    pub(super) transactions: Vec<Transaction>,
    pub(super) groups: Vec<GroupId>,
    pub(super) ids: Vec<MessageId>,
    /// Properties of messages that brokers may ask about.
    pub(super) known: Vec<String>,
    pub(super) closing: bool,
    pub(super) closed: bool,
    digest: Digest,
}

impl Stage {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        let producer = Producer::new(config, Environment::new(seed, UNIX_MS));
        let config = producer.config();
        let books = Books::new(config.attempts_max, config.attempts_all_max);
        Self {
            producer,
            now: Instant::from_millis(1),
            wake_at: None,
            conns: Vec::new(),
            by_id: BTreeMap::new(),
            asked: Vec::new(),
            books,
            cancels: Vec::new(),
            transactions: Vec::new(),
            groups: vec![GroupId::default()],
            ids: Vec::new(),
            known: Vec::new(),
            closing: false,
            closed: false,
            digest: Digest(0xCBF2_9CE4_8422_2325),
        }
    }

    /// A number for all that came out, and went out.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.0
    }

    /// The place of a connection that is in one of these states, the `which`th, round and round.
    pub(super) fn conn(&self, which: u8, states: &[State]) -> Option<usize> {
        let fit = |at: &usize| states.contains(&self.conns[*at].state);
        let count = (0..self.conns.len()).filter(fit).count();
        let nth = usize::from(which).checked_rem(count)?;
        (0..self.conns.len()).filter(fit).nth(nth)
    }

    pub(super) fn connected(&mut self, at: usize) {
        self.conns[at].state = State::Open;
        self.producer.handle_connected(self.now, self.conns[at].id);
        self.drain();
    }

    pub(super) fn ended(&mut self, at: usize, end: ConnectionEnd) {
        let unread = matches!(end, ConnectionEnd::Tls { fault: TlsFault::ClientCertificate, .. });
        if unread && self.conns[at].state == State::Open && !self.conns[at].anything_heard {
            for asked in self.asked.iter().filter(|asked| asked.conn == at) {
                self.books.answered(&asked.tickets, Word::GoneAway);
            }
        }
        self.gone(at);
        self.producer.handle_closed(self.now, self.conns[at].id, end);
        self.drain();
    }

    /// Nothing that its peer has read will be answered.
    fn gone(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        (conn.state, conn.told) = (State::Gone, false);
        conn.rest.clear();
        self.asked.retain(|asked| asked.conn != at);
    }

    /// The driver takes what is to be written, and the peer reads it.
    pub(super) fn take(&mut self, at: usize) {
        let mut bytes = vec![1, 2, 3];
        self.conns[at].told = false;
        self.producer.take_bytes(self.conns[at].id, &mut bytes);
        let open = self.conns[at].state == State::Open;
        assert!(bytes.is_empty() || open, "bytes for a connection that is not open");
        self.digest.add(&bytes);
        for asked in peers::read(at, &bytes) {
            self.books.left(&asked.tickets, asked.one_way);
            self.conns[at].read.insert(asked.opaque);
            if !asked.properties.is_empty() && self.known.len() < 64 {
                self.known.push(asked.properties.clone());
            }
            if !asked.one_way {
                self.asked.push(asked);
            }
        }
        self.drain();
    }

    /// Bytes arrive. What they say is read here too, by the general decoder.
    pub(super) fn deliver(&mut self, at: usize, bytes: &[u8]) {
        let conn = &mut self.conns[at];
        let open = conn.state == State::Open;
        let broken = open && !bytes.is_empty() && {
            conn.anything_heard = true;
            conn.heard.extend_from_slice(bytes);
            self.listen(at)
        };
        self.producer.handle_received(self.now, self.conns[at].id, bytes);
        self.drain();
        let gone = self.conns[at].state == State::Gone;
        assert!(gone || !broken, "a connection outlives a malformed frame");
    }

    /// Notes what whole frames say; true if one is none.
    fn listen(&mut self, at: usize) -> bool {
        let max = self.producer.config().frame_bytes_max;
        let heard = std::mem::take(&mut self.conns[at].heard);
        let mut bytes = &heard[..];
        loop {
            let found = match frame::split(bytes, max) {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(_) => return true,
            };
            let Ok(header) = Header::decode(found.serialize, found.header) else { return true };
            let whose = |it: &Asked| it.conn == at && it.opaque == header.opaque;
            if header.is_response() {
                match self.asked.iter().position(whose) {
                    Some(place) => {
                        let asked = self.asked.remove(place);
                        self.books.answered(&asked.tickets, Word::of_code(header.code));
                    }
                    // Who answers what he has not read may say anything.
                    None if !self.conns[at].read.contains(&header.opaque) => {
                        self.books.trust_nobody();
                    }
                    None => {}
                }
            }
            bytes = &bytes[found.len..];
        }
        self.conns[at].heard = bytes.to_vec();
        false
    }

    /// Time goes on to `until`, with every alarm on the way.
    pub(super) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        // Attempts that are given no time follow one another at an instant.
        let (mut alarms, mut at_once) = (0, 0);
        while let Some(at) = self.wake_at.filter(|&at| at <= until) {
            self.now = at.max(self.now);
            self.timeout();
            (alarms, at_once) = (alarms + 1, at_once + 1);
            if self.wake_at.is_none_or(|at| at > self.now) {
                at_once = 0;
            }
            assert!(at_once < 1_000, "a timer spins at {:?}", self.now);
            assert!(alarms < 100_000, "{alarms} alarms within {span:?}");
        }
        self.now = until;
    }

    /// Alarms that were set before the end may ring: one for sends, one for all else.
    pub(super) fn last_alarms(&mut self) {
        for _ in 0..2 {
            self.now = self.wake_at.unwrap_or(self.now);
            self.timeout();
        }
        assert_eq!(self.wake_at, None, "a timer outlives the producer");
    }

    pub(super) fn timeout(&mut self) {
        self.producer.handle_timeout(self.now);
        self.drain();
        if let Some((deadline, ticket)) = self.books.next_deadline() {
            let now = self.now;
            assert!(deadline > now, "{ticket} was to end by {deadline:?}, now it is {now:?}");
        }
    }

    /// Takes all outputs.
    pub(super) fn drain(&mut self) {
        loop {
            let output = self.producer.poll_output();
            write!(self.digest, "{output:?}").expect("a digest takes everything");
            let idle = matches!(output, Output::Idle { .. });
            // What is asked too late is refused.
            let refusal = matches!(
                output,
                Output::Completed { result: Err(_), .. }
                    | Output::BatchCompleted { result: Err(_), .. }
                    | Output::Prepared { result: Err(_), .. }
                    | Output::Replied { result: Err(_), .. }
                    | Output::Answered { result: Err(_), .. }
                    | Output::Route { result: Err(_), .. }
            );
            assert!(idle || refusal || !self.closed, "{output:?} follows the end");
            self.heed(output);
            if idle {
                break;
            }
        }
        self.look();
    }

    fn heed(&mut self, output: Output<u64>) {
        match output {
            Output::Connect { conn, .. } => {
                let fresh = self.by_id.insert(conn, self.conns.len()).is_none();
                assert!(fresh, "{conn:?} is used twice");
                self.conns.push(Conn {
                    id: conn,
                    state: State::Dialling,
                    told: false,
                    heard: Vec::new(),
                    anything_heard: false,
                    read: BTreeSet::new(),
                    rest: Vec::new(),
                });
            }
            Output::Transmit { conn } => {
                let conn = &mut self.conns[self.by_id[&conn]];
                assert_eq!((conn.state, conn.told), (State::Open, false), "told once per take");
                conn.told = true;
            }
            Output::Close { conn } => {
                let at = self.by_id[&conn];
                assert_ne!(self.conns[at].state, State::Gone, "{conn:?} is closed twice");
                self.gone(at);
            }
            Output::Completed { ticket, result } => {
                self.end(ticket, Kind::Send, result.map(|receipt| vec![receipt]));
            }
            Output::BatchCompleted { ticket, result } => {
                self.end(ticket, Kind::Batch(0), result);
            }
            Output::Prepared { ticket, result } => {
                let result = result.map(|half| {
                    self.transactions.push(half.transaction);
                    vec![half.receipt]
                });
                self.end(ticket, Kind::Half, result);
            }
            Output::CheckTransaction(check) => self.transactions.push(check.transaction),
            Output::Written { ticket, .. } => self.books.written(ticket),
            Output::Replied { ticket, result: Err(error) } => {
                self.books.ended_badly(ticket, &error);
            }
            Output::Replied { ticket, result: Ok(_) } => {
                assert_eq!(self.books.close(ticket).kind, Kind::Request);
            }
            Output::Answered { ticket, .. } => {
                assert_eq!(self.books.close(ticket).kind, Kind::Ask);
            }
            Output::Route { ticket, .. } => {
                assert_eq!(self.books.close(ticket).kind, Kind::Query);
            }
            Output::CredentialsRefused | Output::Event(_) => {}
            Output::Closed(_) => {
                assert!(self.closing, "closed, though nobody asked");
                self.closed = true;
            }
            Output::Idle { wake_at } => self.wake_at = wake_at,
        }
    }

    fn end(
        &mut self,
        ticket: u64,
        kind: Kind,
        result: Result<Vec<producer_core::Receipt>, SendError>,
    ) {
        match result {
            Ok(receipts) => {
                self.ids.extend(receipts.first().map(|receipt| receipt.message_id));
                self.books.ended_well(ticket, kind, &receipts);
            }
            Err(error) => self.books.ended_badly(ticket, &error),
        }
    }

    /// What must hold between any two calls.
    fn look(&mut self) {
        let (config, stats) = (self.producer.config(), self.producer.stats());
        let most = config.sends_max + config.waiting_max + 1;
        assert!(stats.in_hand <= most, "{stats:?}");
        // The longest that a script sends; one alone always fits.
        let one = 64 << 10;
        assert!(stats.bytes_in_hand <= config.bytes_max.max(one), "{stats:?}");
        assert!(stats.waiting_for_room <= config.waiting_max, "{stats:?}");
        assert!(stats.bytes_waiting <= config.waiting_bytes_max.max(one), "{stats:?}");
        let chores = (256 << 10) * (stats.connections + 4);
        let frames = config.bytes_max.saturating_mul(2).saturating_add(chores);
        assert!(stats.out_bytes <= frames, "{stats:?}");
        let here = self.conns.iter().filter(|conn| conn.state != State::Gone).count();
        assert_eq!(stats.connections, here, "{stats:?}");
        if let Some((deadline, ticket)) = self.books.next_deadline()
            && deadline != Instant::FAR
        {
            let rounded = deadline.as_nanos().div_ceil(ROUNDING_NS).saturating_mul(ROUNDING_NS);
            let wake = self.wake_at.unwrap_or(Instant::FAR);
            assert!(wake.as_nanos() <= rounded, "no alarm for {ticket} at {deadline:?}: {wake:?}");
        }
    }
}

/// FNV-1a of all that is written to it.
struct Digest(u64);

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}
