//! What do many topics, brokers and messages under way cost the core? Run by `scripts/scale-cost`
//! under callgrind, which counts [`tick`], [`take`], [`receive`] and [`send`].
//!
//! `scale routes TOPICS BROKERS PERIODS`: nothing is sent; so many times 30 s of polls of routes and
//! of heartbeats. `scale send TOPICS BROKERS WINDOW ROUNDS`: messages of 128 bytes to the topics in
//! turn, so many at a time.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use producer_core::wire::send::{SendForm, SendRequest};
use producer_core::wire::{Fields, Head, Header, SerializeType, encode_frame, frame};
use producer_core::{
    Address, Config, ConnId, Environment, Instant, Message, Output, Producer, SendOptions,
};

/// What an ended message does not need.
type Core = Producer<u32>;

struct Crowd {
    producer: Core,
    now: Instant,
    wake_at: Option<Instant>,
    messages: Vec<Message>,
    route: String,
    bytes: Vec<u8>,
    transmit: Vec<ConnId>,
    answers: BTreeMap<ConnId, Vec<u8>>,
    stored: usize,
    routes_asked: usize,
}

#[inline(never)]
fn tick(producer: &mut Core, now: Instant) {
    producer.handle_timeout(now);
}

#[inline(never)]
fn take(producer: &mut Core, conn: ConnId, bytes: &mut Vec<u8>) {
    producer.take_bytes(conn, bytes);
}

#[inline(never)]
fn receive(producer: &mut Core, now: Instant, conn: ConnId, bytes: &[u8]) {
    producer.handle_received(now, conn, bytes);
}

#[inline(never)]
fn send(producer: &mut Core, now: Instant, message: Message) {
    producer.send(now, 0, message, SendOptions::default());
}

impl Crowd {
    /// Every topic has a route, every broker a connection.
    fn new(topics: usize, brokers: usize) -> Self {
        let config = Config {
            header: SerializeType::RocketMq,
            name_servers: Address::list("10.0.0.9:9876").expect("a valid list"),
            // All topics are new at once here, and time stands still until they have routes.
            sends_max: 1 << 20,
            bytes_max: 1 << 30,
            topics_max: 1 << 20,
            ..Config::default()
        };
        let message = |number| Message::new(&*format!("topic-{number:05}"), [b'x'; 128].to_vec());
        let mut crowd = Self {
            producer: Producer::new(config, Environment::new(1, 1_793_491_200_000)),
            now: Instant::from_millis(1),
            wake_at: None,
            messages: (0..topics).map(|number| message(number).expect("valid")).collect(),
            route: route(brokers),
            bytes: Vec::new(),
            transmit: Vec::new(),
            answers: BTreeMap::new(),
            stored: 0,
            routes_asked: 0,
        };
        for _ in 0..4 {
            crowd.round(topics.max(brokers * 4));
        }
        crowd
    }

    fn round(&mut self, window: usize) {
        let before = self.stored;
        for number in 0..window {
            let message = self.messages[number % self.messages.len()].clone();
            send(&mut self.producer, self.now, message);
            self.drain();
        }
        self.settle();
        assert_eq!(self.stored - before, window, "every message is stored");
        self.now = self.now + Duration::from_micros(100);
    }

    /// Lets time pass with nothing to send.
    fn rest(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.wake_at.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            tick(&mut self.producer, self.now);
            self.drain();
            self.settle();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        loop {
            match self.producer.poll_output() {
                Output::Completed { result, .. } => self.stored += usize::from(result.is_ok()),
                Output::Connect { conn, .. } => self.producer.handle_connected(self.now, conn),
                Output::Transmit { conn } => self.transmit.push(conn),
                Output::Idle { wake_at } => return self.wake_at = wake_at,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Answers until nobody asks.
    fn settle(&mut self) {
        while !self.transmit.is_empty() {
            while let Some(conn) = self.transmit.pop() {
                let mut bytes = std::mem::take(&mut self.bytes);
                take(&mut self.producer, conn, &mut bytes);
                self.answer(conn, &bytes);
                self.bytes = bytes;
            }
            self.now = self.now + Duration::from_micros(10);
            for (conn, bytes) in std::mem::take(&mut self.answers) {
                receive(&mut self.producer, self.now, conn, &bytes);
                self.drain();
            }
        }
    }

    fn answer(&mut self, conn: ConnId, mut rest: &[u8]) {
        let out = self.answers.entry(conn).or_default();
        while let Some(found) = frame::split(rest, frame::FRAME_BYTES_MAX).expect("our frames") {
            rest = &rest[found.len..];
            let header = Header::decode(found.serialize, found.header).expect("our headers");
            let head = Head { opaque: header.opaque, flag: Head::RESPONSE, ..Head::default() };
            let (fields, body) = match header.code {
                105 => {
                    self.routes_asked += 1;
                    (Fields::new(), self.route.as_bytes())
                }
                310 => {
                    let request = SendRequest::from_ext(SendForm::V2, &header.ext);
                    let queue = request.map_or(0, |request| request.queue_id).to_string();
                    let fields = Fields::new()
                        .text("msgId", "C0A8010A00002A9F00000000075BCD15")
                        .text("queueId", queue)
                        .text("queueOffset", "123456");
                    (fields, &[][..])
                }
                _ => (Fields::new(), &[][..]),
            };
            encode_frame(out, SerializeType::RocketMq, &head, fields.iter(), body).expect("small");
        }
    }
}

/// As a name server of 5.4.0 writes it.
fn route(brokers: usize) -> String {
    let (mut nodes, mut queues) = (String::new(), String::new());
    for broker in 0..brokers {
        let comma = if broker > 0 { "," } else { "" };
        write!(
            nodes,
            r#"{comma}{{"brokerAddrs":{{"0":"10.0.1.{broker}:10911"}},"brokerName":"broker-{broker:02}","cluster":"DefaultCluster","enableActingMaster":false}}"#
        )
        .expect("a string");
        write!(
            queues,
            r#"{comma}{{"brokerName":"broker-{broker:02}","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}}"#
        )
        .expect("a string");
    }
    format!(r#"{{"brokerDatas":[{nodes}],"filterServerTable":{{}},"queueDatas":[{queues}]}}"#)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut crowd = Crowd::new(number(1), number(2));
    if arguments.first().is_some_and(|mode| mode == "routes") {
        crowd.rest(Duration::from_secs(60)); // the first poll comes at any moment of the interval
        let before = crowd.routes_asked;
        crowd.rest(Duration::from_secs(30) * number(3) as u32);
        println!("{} routes asked for", crowd.routes_asked - before);
    } else {
        let (window, rounds) = (number(3), number(4));
        crowd.round(window);
        (0..rounds).for_each(|_| crowd.round(window));
        println!("{} messages", window * rounds);
    }
}
