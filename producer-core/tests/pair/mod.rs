//! A world in virtual time around one producer: name servers and brokers that do as they are told.
//!
//! Latency is 1 ms each way. Brokers keep what they store, so that tests can compare what was
//! believed with what is there.

mod batches;
mod frames;
mod hurt;
mod routes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use producer_core::wire::send::{SendForm, SendRequest};
use producer_core::wire::{Fields, Head, Header, Language, SerializeType, encode_frame, frame};
use producer_core::{
    Config, ConnId, ConnectionEnd, Environment, Instant, Message, Output, Producer, Receipt,
    SendError, SendId, SendOptions,
};

pub(crate) use batches::*;
pub(crate) use frames::*;
pub(crate) use routes::*;

pub(crate) const LATENCY: Duration = Duration::from_millis(1);
pub(crate) const UNIX_MS: u64 = 1_793_491_200_000;

/// What a broker does with a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Stores it and says so.
    Store,
    /// Stores it and answers with this code.
    StoreAnd(i32),
    /// Stores it and never answers.
    StoreSilently,
    /// Answers with this code and stores nothing.
    Refuse(i32),
    /// Reads and never answers, probes included.
    Hang,
    /// Resets the connection when a send arrives.
    Reset,
    /// Answers with garbage.
    Garbage,
    /// Stores it and says so twice.
    AnswerTwice,
    /// Stores it and answers somebody else's question.
    WrongOpaque,
    /// Stores it and resets the connection in the middle of the answer.
    HalfAnswer,
}

pub(crate) struct Peer {
    pub(crate) dial: Dial,
    pub(crate) does: Does,
    pub(crate) delay: Duration,
    /// How many queues it has, and the code with which sends to others are refused.
    pub(crate) queues: (i32, i32),
    /// How long requests are under way to it, besides the latency.
    pub(crate) lag: Duration,
    pub(crate) stored: Vec<Stored>,
    pub(crate) sends_seen: usize,
    pub(crate) dials: usize,
    /// Stores a batch as one.
    pub(crate) inner_batches: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) queue_id: i32,
    pub(crate) body: Vec<u8>,
    pub(crate) properties: String,
}

/// What a name server knows.
#[derive(Clone, Debug)]
pub(crate) enum Knows {
    Routes,
    Nothing,
    Silent,
}

enum Event {
    Dialled(ConnId, String),
    ToPeer(ConnId, String, Vec<u8>),
    ToProducer(ConnId, Vec<u8>),
    Write(ConnId),
    Ended(ConnId, ConnectionEnd),
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) producer: Producer<u64>,
    pub(crate) peers: BTreeMap<String, Peer>,
    pub(crate) name_servers: BTreeMap<String, (Knows, Dial)>,
    /// Topic → route JSON.
    pub(crate) routes: BTreeMap<String, String>,
    pub(crate) route_requests: usize,
    pub(crate) done: BTreeMap<u64, Result<Receipt, SendError>>,
    pub(crate) batches_done: BTreeMap<u64, Result<Vec<Receipt>, SendError>>,
    pub(crate) written: Vec<u64>,
    pub(crate) closed: Option<producer_core::CloseReport>,
    /// Bodies as they were stored, at whatever broker.
    pub(crate) log: Vec<String>,
    pub(crate) piece_bytes: usize,
    /// How long connections accept nothing more after there is something to write.
    pub(crate) stall: Duration,
    /// Whether brokers say that they want sends traced.
    pub(crate) trace_on: &'static str,
    pub(crate) others: Vec<Output<u64>>,
    /// What came to brokers besides sends that are answered.
    pub(crate) seen: Vec<Seen>,
    pub(crate) routes_seen: BTreeMap<u64, Result<producer_core::Route, SendError>>,
    conns: BTreeMap<ConnId, (String, Instant)>,
    opened: BTreeMap<ConnId, u64>,
    closed_by_us: BTreeSet<ConnId>,
    events: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    next_ticket: u64,
    pub(crate) wake_at: Option<Instant>,
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl World {
    /// Two name servers; brokers `a` and `b` (add more with `broker`), topic `t` on both.
    pub(crate) fn new(config: Config) -> Self {
        Self::with_seed(config, 7)
    }

    pub(crate) fn with_seed(mut config: Config, seed: u64) -> Self {
        if config.name_servers.is_empty() {
            config.name_servers = producer_core::Address::list("ns0:1;ns1:1").expect("valid");
        }
        let name_servers = config
            .name_servers
            .iter()
            .map(|address| (address.to_string(), (Knows::Routes, Dial::Accept)))
            .collect();
        let mut world = Self {
            now: Instant::ZERO,
            producer: Producer::new(config, Environment::new(seed, UNIX_MS)),
            peers: BTreeMap::new(),
            name_servers,
            routes: BTreeMap::new(),
            route_requests: 0,
            done: BTreeMap::new(),
            batches_done: BTreeMap::new(),
            written: Vec::new(),
            closed: None,
            log: Vec::new(),
            piece_bytes: usize::MAX,
            stall: Duration::ZERO,
            trace_on: "true",
            others: Vec::new(),
            seen: Vec::new(),
            routes_seen: BTreeMap::new(),
            conns: BTreeMap::new(),
            opened: BTreeMap::new(),
            closed_by_us: BTreeSet::new(),
            events: BTreeMap::new(),
            sequence: 0,
            next_ticket: 0,
            wake_at: None,
        };
        world.broker("a:1");
        world.broker("b:1");
        world.routes.insert("t".into(), route_json(&[("a", "a:1"), ("b", "b:1")], 4));
        world
    }

    pub(crate) fn broker(&mut self, address: &str) -> &mut Peer {
        self.peers.entry(address.into()).or_insert(Peer {
            dial: Dial::Accept,
            does: Does::Store,
            delay: Duration::ZERO,
            queues: (i32::MAX, 29),
            lag: Duration::ZERO,
            stored: Vec::new(),
            sends_seen: 0,
            dials: 0,
            inner_batches: false,
        })
    }

    pub(crate) fn send(&mut self, body: &str) -> u64 {
        self.send_with(body, SendOptions::default()).0
    }

    pub(crate) fn send_with(&mut self, body: &str, options: SendOptions) -> (u64, SendId) {
        let message = Message::new("t", body.as_bytes().to_vec()).expect("valid");
        self.send_message(message, options)
    }

    pub(crate) fn send_message(&mut self, message: Message, options: SendOptions) -> (u64, SendId) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let id = self.producer.send(self.now, ticket, message, options);
        self.drain();
        (ticket, id)
    }

    /// Sends and waits for the end.
    pub(crate) fn sent(&mut self, body: &str) -> Result<Receipt, SendError> {
        let ticket = self.send(body);
        self.finish(ticket)
    }

    pub(crate) fn finish(&mut self, ticket: u64) -> Result<Receipt, SendError> {
        let limit = self.now + ms(120_000);
        while !self.done.contains_key(&ticket) {
            assert!(self.step(limit), "send {ticket} never ended");
        }
        self.done.remove(&ticket).expect("just seen")
    }

    pub(crate) fn close(&mut self, within: Duration) {
        self.producer.close(self.now, self.now + within);
        self.drain();
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while self.step(until) {}
        self.now = until;
        self.producer.handle_timeout(until);
        self.drain();
    }

    /// Runs until nothing is in hand.
    pub(crate) fn run_until_done(&mut self) {
        let limit = self.now + ms(600_000);
        while self.producer.stats().in_hand > 0 {
            assert!(self.step(limit), "something never ended");
        }
    }

    /// The next event at or before `limit`; false if there is none.
    fn step(&mut self, limit: Instant) -> bool {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let next = event.into_iter().chain(self.wake_at).min().map(|at| at.max(self.now));
        let Some(at) = next.filter(|&at| at <= limit) else { return false };
        self.now = at;
        if event.is_some_and(|event| event <= at) {
            let (_, event) = self.events.pop_first().expect("just seen");
            self.handle(event);
        } else {
            self.producer.handle_timeout(at);
        }
        let timer = event.is_none_or(|event| event > at);
        self.drain();
        assert!(!timer || self.wake_at.is_none_or(|wake| wake > at), "a timer spins at {at:?}");
        true
    }

    fn later(&mut self, delay: Duration, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + delay, self.sequence), event);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Dialled(conn, address) => {
                self.conns.insert(conn, (address, self.now));
                self.opened.insert(conn, self.sequence);
                self.producer.handle_connected(self.now, conn);
            }
            Event::ToProducer(conn, bytes) => {
                if self.conns.contains_key(&conn) {
                    self.producer.handle_received(self.now, conn, &bytes);
                }
            }
            Event::Write(conn) => self.write(conn),
            Event::Ended(conn, end) => {
                self.conns.remove(&conn);
                self.producer.handle_closed(self.now, conn, end);
            }
            Event::ToPeer(conn, address, bytes) => {
                // What was written before the producer closed the connection still arrives.
                if self.conns.contains_key(&conn) || self.closed_by_us.contains(&conn) {
                    self.peer_reads(conn, &address, &bytes);
                }
            }
        }
    }

    fn drain(&mut self) {
        loop {
            match self.producer.poll_output() {
                Output::Connect { conn, address, deadline } => {
                    self.dial(conn, address.as_str(), deadline);
                }
                Output::Transmit { conn } if self.stall.is_zero() => self.write(conn),
                Output::Transmit { conn } => self.later(self.stall, Event::Write(conn)),
                Output::Close { conn } => {
                    if self.conns.remove(&conn).is_some() {
                        self.closed_by_us.insert(conn);
                    }
                }
                Output::Completed { ticket, result } => {
                    let before = self.done.insert(ticket, result);
                    assert!(before.is_none(), "ticket {ticket} came back twice");
                }
                Output::Written { ticket, .. } => self.written.push(ticket),
                Output::BatchCompleted { ticket, result } => {
                    let before = self.batches_done.insert(ticket, result);
                    assert!(before.is_none(), "ticket {ticket} came back twice");
                }
                Output::Route { ticket, result } => {
                    self.routes_seen.insert(ticket, result);
                }
                Output::Closed(report) => self.closed = Some(report),
                Output::Idle { wake_at } => {
                    self.wake_at = wake_at;
                    return;
                }
                other => self.others.push(other),
            }
        }
    }

    fn dial(&mut self, conn: ConnId, address: &str, deadline: Instant) {
        let dial = match self.name_servers.get(address) {
            Some((_, dial)) => *dial,
            None => {
                let peer = self.broker(address);
                peer.dials += 1;
                peer.dial
            }
        };
        match dial {
            Dial::Accept => self.later(LATENCY, Event::Dialled(conn, address.into())),
            Dial::Refuse => self.later(LATENCY, Event::Ended(conn, ConnectionEnd::Refused)),
            Dial::ComeBack(after) => {
                let detail = String::from("the bridge is full");
                let end = ConnectionEnd::Overloaded { after, detail };
                self.later(LATENCY, Event::Ended(conn, end));
            }
            Dial::NoToken => {
                let end = ConnectionEnd::Token(String::from("the token has expired"));
                self.later(LATENCY, Event::Ended(conn, end));
            }
            Dial::BlackHole => {
                self.later(deadline.since(self.now), Event::Ended(conn, ConnectionEnd::DialTimeout))
            }
        }
    }

    fn write(&mut self, conn: ConnId) {
        let mut bytes = Vec::new();
        self.producer.take_bytes(conn, &mut bytes);
        let Some((address, last)) = self.conns.get_mut(&conn) else { return };
        let lag = self.peers.get(address).map_or(Duration::ZERO, |peer| peer.lag);
        *last = (*last).max(self.now + lag + LATENCY);
        let (delay, address) = (last.since(self.now), address.clone());
        self.later(delay, Event::ToPeer(conn, address, bytes));
    }

    fn peer_reads(&mut self, conn: ConnId, address: &str, bytes: &[u8]) {
        let mut bytes = bytes;
        let mut answers = VecDeque::new();
        while let Some(found) = frame::split(bytes, 16 << 20).expect("our frames are frames") {
            let header = Header::decode(found.serialize, found.header).expect("our headers");
            let body = found.body.to_vec();
            let to_broker = self.peers.contains_key(address);
            if to_broker && header.code != 310 {
                self.seen.push(Seen::new(address, conn, &header, &body));
            }
            let send = [310, 320].contains(&header.code);
            let answered = !to_broker || send || header.flag == Head::REQUEST;
            if answered && let Some(answer) = self.answer(address, &header, found.serialize, &body)
            {
                answers.push_back(answer);
            }
            bytes = &bytes[found.len..];
        }
        assert!(bytes.is_empty(), "a write ends where a frame does");
        for (delay, answer) in answers {
            match answer {
                Some(bytes) => {
                    for piece in bytes.chunks(self.piece_bytes) {
                        self.later(LATENCY + delay, Event::ToProducer(conn, piece.to_vec()));
                    }
                    if self.peers.get(address).is_some_and(|peer| peer.does == Does::HalfAnswer) {
                        self.later(LATENCY + delay, Event::Ended(conn, ConnectionEnd::Reset));
                    }
                }
                None => self.later(LATENCY, Event::Ended(conn, ConnectionEnd::Reset)),
            }
        }
    }

    fn answer(
        &mut self,
        address: &str,
        header: &Header<'_>,
        serialize: SerializeType,
        body: &[u8],
    ) -> Option<(Duration, Option<Vec<u8>>)> {
        let reply = |code, fields: &Fields<'_>, remark: Option<&str>, body: &[u8]| {
            let head = Head {
                code,
                language: Language::JAVA,
                version: 493,
                opaque: header.opaque,
                flag: Head::RESPONSE,
                remark,
            };
            let mut out = Vec::new();
            encode_frame(&mut out, serialize, &head, fields.iter(), body).expect("small");
            Some((Duration::ZERO, Some(out)))
        };
        let asked = self.name_servers.get(address).filter(|_| header.code == 105);
        if let Some((knows, _)) = asked {
            self.route_requests += 1;
            let topic = header.ext.text("topic").expect("a topic");
            return match (knows, self.routes.get(&topic)) {
                (Knows::Silent, _) => None,
                (Knows::Routes, Some(route)) => reply(0, &Fields::new(), None, route.as_bytes()),
                _ => reply(17, &Fields::new(), Some("No topic route info"), b""),
            };
        }
        let peer = self.peers.get_mut(address).expect("a broker");
        if header.code == 370 {
            let fields = Fields::new().text("msgId", "x").text("MSG_REGION", "DefaultRegion");
            return reply(0, &fields, None, b"");
        }
        if ![310, 320, 325].contains(&header.code) {
            return (peer.does != Does::Hang).then(|| reply(0, &Fields::new(), None, b""))?;
        }
        let request = SendRequest::from_ext(SendForm::V2, &header.ext).expect("a send");
        peer.sends_seen += 1;
        if request.queue_id >= peer.queues.0 {
            let remark = format!("request queueId[{}] is illegal, as told", request.queue_id);
            return reply(peer.queues.1, &Fields::new(), Some(&remark), b"");
        }
        let stores = matches!(
            peer.does,
            Does::Store
                | Does::StoreAnd(_)
                | Does::StoreSilently
                | Does::AnswerTwice
                | Does::WrongOpaque
                | Does::HalfAnswer
        );
        let first = peer.stored.len() + 1;
        let mut msg_ids = ONE_ID.to_owned();
        if stores {
            msg_ids = peer.store(&mut self.log, &request, body);
        }
        let mut fields = Fields::new()
            .text("msgId", &msg_ids)
            .show("queueId", request.queue_id)
            .show("queueOffset", first)
            .text("MSG_REGION", "DefaultRegion")
            .text("TRACE_ON", self.trace_on);
        if peer.inner_batches && request.batch == Some(true) {
            fields = fields.text("batchUniqId", "any");
        }
        let delay = peer.delay;
        if header.flag & 2 != 0 {
            return None;
        }
        let answer = match peer.does {
            Does::Store => reply(0, &fields, None, b""),
            Does::HalfAnswer => reply(0, &fields, None, b"").map(|(delay, bytes)| {
                (delay, bytes.map(|bytes| bytes[..bytes.len() / 2].to_vec()))
            }),
            Does::AnswerTwice => reply(0, &fields, None, b"").map(|(delay, bytes)| {
                let twice = bytes.map(|bytes| [&bytes[..], &bytes[..]].concat());
                (delay, twice)
            }),
            Does::WrongOpaque => {
                let head = Head {
                    code: 0,
                    language: Language::JAVA,
                    version: 493,
                    opaque: header.opaque ^ 0x4000_0000,
                    flag: Head::RESPONSE,
                    remark: None,
                };
                let mut out = Vec::new();
                encode_frame(&mut out, serialize, &head, fields.iter(), b"").expect("small");
                Some((Duration::ZERO, Some(out)))
            }
            Does::StoreAnd(code) => reply(code, &fields, None, b""),
            Does::Refuse(code) => reply(code, &Fields::new(), Some(remark_of(header.code)), b""),
            Does::StoreSilently | Does::Hang => None,
            Does::Reset => return Some((Duration::ZERO, None)),
            Does::Garbage => return Some((Duration::ZERO, Some(vec![0xFF; 64]))),
        };
        answer.map(|(_, bytes)| (delay, bytes))
    }
}
