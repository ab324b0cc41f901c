//! A producer as it is: the core.

use std::collections::BTreeMap;

use producer_core::wire::code::request as code;
use producer_core::wire::send::{SendForm, SendRequest, SendResponse};
use producer_core::wire::{Head, Header, SerializeType, Text, encode_frame, frame};
use producer_core::{
    Address, Config, ConnId, ConnectionEnd, Environment, Instant, Message, Output, Producer,
    SendOptions,
};

use super::Size;
use super::world::{Ask, Client, Kind, Nanos, Seen, Want, mixed};

/// A core and the names of its connections.
pub(super) struct Ours {
    size: Size,
    number: usize,
    lives: u64,
    started: Nanos,
    producer: Producer<()>,
    links: BTreeMap<ConnId, u64>,
    conns: BTreeMap<u64, ConnId>,
    next_link: u64,
    sends: usize,
    bytes: Vec<u8>,
}

impl Ours {
    pub(super) fn new(size: Size, number: usize) -> Self {
        Self {
            size,
            number,
            lives: 0,
            started: 0,
            producer: core(size, number as u64),
            links: BTreeMap::new(),
            conns: BTreeMap::new(),
            next_link: 0,
            sends: 0,
            bytes: Vec::new(),
        }
    }

    fn now(&self, now: Nanos) -> Instant {
        Instant::from_nanos(now - self.started)
    }

    fn send(&mut self, now: Instant) {
        let topic = (self.number + self.sends % self.size.topics) % TOPICS;
        self.sends += 1;
        let message = Message::new(&*format!("topic-{topic}"), "x").expect("a valid message");
        self.producer.send(now, (), message, SendOptions::default());
    }

    fn drain(&mut self, wants: &mut Vec<Want>) {
        loop {
            match self.producer.poll_output() {
                Output::Connect { conn, address, .. } => {
                    let link = self.next_link;
                    self.next_link += 1;
                    self.links.insert(conn, link);
                    self.conns.insert(link, conn);
                    wants.push(Want::Dial { link, node: self.node(&address) });
                }
                Output::Transmit { conn } => self.transmit(conn, wants),
                Output::Close { conn } => {
                    if let Some(link) = self.links.remove(&conn) {
                        self.conns.remove(&link);
                        wants.push(Want::Close { link });
                    }
                }
                Output::Completed { result, .. } => {
                    wants.push(Want::Sent { stored: result.is_ok() });
                }
                Output::Idle { wake_at } => {
                    if let Some(at) = wake_at {
                        wants.push(Want::Wake { at: at.as_nanos() + self.started });
                    }
                    return;
                }
                _ => {}
            }
        }
    }

    fn transmit(&mut self, conn: ConnId, wants: &mut Vec<Want>) {
        let mut bytes = std::mem::take(&mut self.bytes);
        self.producer.take_bytes(conn, &mut bytes);
        let link = self.links.get(&conn).copied();
        let mut rest = &bytes[..];
        while let Some(found) = frame::split(rest, frame::FRAME_BYTES_MAX).expect("our frames") {
            rest = &rest[found.len..];
            let header = Header::decode(found.serialize, found.header).expect("our headers");
            let kind = match header.code {
                code::GET_ROUTEINFO_BY_TOPIC => Kind::Route,
                code::HEART_BEAT => Kind::Heartbeat,
                code::SEND_MESSAGE_V2 => {
                    let request = SendRequest::from_ext(SendForm::V2, &header.ext);
                    Kind::Send { queue: request.map_or(0, |request| request.queue_id) }
                }
                _ => Kind::Other,
            };
            if let Some(link) = link {
                wants.push(Want::Ask { link, ask: Ask { kind, opaque: header.opaque } });
            }
        }
        self.bytes = bytes;
    }

    /// The number of a node by its address, `10.0.0.n` or `10.0.1.n`.
    fn node(&self, address: &Address) -> usize {
        let host = address.as_str().split(':').next().unwrap_or_default();
        let mut parts = host.split('.').skip(2).filter_map(|part| part.parse::<usize>().ok());
        let (net, number) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if net == 0 { number } else { self.size.name_servers + number }
    }
}

impl Client for Ours {
    fn restart(&mut self, now: Nanos) {
        self.lives += 1;
        self.started = now;
        self.producer = core(self.size, mixed(self.number as u64) ^ self.lives);
        self.links.clear();
        self.conns.clear();
    }

    fn handle(&mut self, now: Nanos, seen: Seen, wants: &mut Vec<Want>) {
        let now = self.now(now);
        match seen {
            Seen::Wake => self.producer.handle_timeout(now),
            Seen::Send => self.send(now),
            Seen::Connected { link } => {
                if let Some(&conn) = self.conns.get(&link) {
                    self.producer.handle_connected(now, conn);
                }
            }
            Seen::Ended { link, refused } => {
                if let Some(conn) = self.conns.remove(&link) {
                    self.links.remove(&conn);
                    let end = if refused { ConnectionEnd::Refused } else { ConnectionEnd::Reset };
                    self.producer.handle_closed(now, conn, end);
                }
            }
            Seen::Answer { link, ask, route } => {
                if let Some(&conn) = self.conns.get(&link) {
                    let body = route.as_ref().map(|route| &route.body[..]);
                    self.producer.handle_received(now, conn, &answer(ask, body));
                }
            }
        }
        self.drain(wants);
    }
}

/// Topics that there are; each producer has a few.
const TOPICS: usize = 50;

fn core(size: Size, seed: u64) -> Producer<()> {
    let servers: Vec<String> =
        (0..size.name_servers).map(|server| format!("10.0.0.{server}:9876")).collect();
    let config = Config {
        name_servers: Address::list(&servers.join(";")).expect("valid addresses"),
        ..Config::default()
    };
    Producer::new(config, Environment::new(seed, 1_793_491_200_000))
}

/// A server's answer.
fn answer(ask: Ask, route: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let head = Head { opaque: ask.opaque, flag: Head::RESPONSE, ..Head::default() };
    let none: [(&str, &str); 0] = [];
    let json = SerializeType::Json;
    let encoded = match (ask.kind, route) {
        (Kind::Route, None) => {
            let code = producer_core::wire::code::response::TOPIC_NOT_EXIST;
            let head = Head { code, remark: Some("No topic route info"), ..head };
            encode_frame(&mut out, json, &head, none, &[])
        }
        (Kind::Send { queue }, _) => {
            let stored = SendResponse {
                msg_id: Some(Text::from("0A00010000002A9F0000000000000000")),
                queue_id: Some(queue),
                queue_offset: Some(0),
                ..SendResponse::default()
            };
            encode_frame(&mut out, json, &head, stored.to_ext().iter(), &[])
        }
        (_, body) => encode_frame(&mut out, json, &head, none, body.unwrap_or_default()),
    };
    encoded.expect("answers fit a frame");
    out
}
