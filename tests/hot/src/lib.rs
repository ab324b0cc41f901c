//! The core's hot path alone: a producer, two brokers that answer at once, no I/O and no clock.
//!
//! Shared by the allocation test and by the bench that counts instructions.

use producer_core::wire::send::{SendForm, SendRequest};
use producer_core::wire::{Fields, Head, Header, Language, SerializeType, encode_frame, frame};
use producer_core::{
    Address, Config, ConnId, Environment, Instant, Message, Output, Producer, SendOptions,
};

const ROUTE: &str = r#"{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911"},"brokerName":"broker-a","cluster":"c"},{"brokerAddrs":{"0":"10.0.0.2:10911"},"brokerName":"broker-b","cluster":"c"}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4},{"brokerName":"broker-b","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}"#;

/// A warm producer with open connections to two brokers.
pub struct Hot {
    producer: Producer<u64>,
    now: u64,
    serialize: SerializeType,
    /// Where each answer's opaque number is, and answers ready to be completed, by connection.
    answers: Vec<(ConnId, Vec<u8>)>,
    taken: Vec<u8>,
    transmit: Vec<ConnId>,
    dials: Vec<ConnId>,
    message: Message,
    /// Sends that ended with a receipt.
    pub stored: u64,
    /// Read before and after the producer is asked for something, to count what it costs.
    pub meter: fn() -> u64,
    /// What the meter advanced by while the producer ran.
    pub metered: u64,
}

impl Hot {
    /// Connects, finds the route, and sends enough that every buffer has grown.
    ///
    /// # Panics
    /// When the producer does not do what it should: this is test code.
    pub fn new(serialize: SerializeType, window: usize) -> Self {
        let config = Config {
            header: serialize,
            name_servers: Address::list("10.0.0.9:9876").expect("a valid list"),
            ..Config::default()
        };
        let environment = Environment::new(1, 1_793_491_200_000);
        let mut hot = Self {
            producer: Producer::new(config, environment),
            now: 1_000_000,
            serialize,
            answers: Vec::new(),
            taken: Vec::new(),
            transmit: Vec::new(),
            dials: Vec::new(),
            message: Self::message(128),
            stored: 0,
            meter: || 0,
            metered: 0,
        };
        for _ in 0..2 {
            hot.send(Self::message(128));
            hot.settle_connections();
        }
        for _ in 0..4 {
            hot.round(window);
        }
        hot
    }

    fn message(body_bytes: usize) -> Message {
        static BODY: [u8; 4096] = [b'x'; 4096];
        Message::new("TopicTest", &BODY[..body_bytes]).expect("a valid message")
    }

    /// Sends `window` messages, then answers them all. Making a message is not counted, nor is
    /// giving back its memory: all share one body and topic.
    pub fn round(&mut self, window: usize) {
        for _ in 0..window {
            self.send(self.message.clone());
        }
        self.take();
        self.answer();
    }

    /// Gives one message to the producer.
    #[inline(never)]
    pub fn send(&mut self, message: Message) {
        let before = (self.meter)();
        self.now += 1_000;
        let now = Instant::from_nanos(self.now);
        self.producer.send(now, 0, message, SendOptions::default());
        self.drain();
        self.metered += (self.meter)() - before;
    }

    /// Takes what is to be written, as a driver does, and prepares the brokers' answers.
    pub fn take(&mut self) {
        while let Some(conn) = self.transmit.pop() {
            self.take_one(conn);
            self.prepare(conn);
        }
    }

    #[inline(never)]
    fn take_one(&mut self, conn: ConnId) {
        let before = (self.meter)();
        self.producer.take_bytes(conn, &mut self.taken);
        self.metered += (self.meter)() - before;
    }

    /// Hands the prepared answers in, one connection at a time.
    pub fn answer(&mut self) {
        for index in 0..self.answers.len() {
            let (conn, bytes) = &mut self.answers[index];
            let (conn, bytes) = (*conn, std::mem::take(bytes));
            if !bytes.is_empty() {
                self.receive(conn, &bytes);
            }
            let (_, slot) = &mut self.answers[index];
            *slot = bytes;
            slot.clear();
        }
    }

    #[inline(never)]
    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let before = (self.meter)();
        self.now += 1_000;
        self.producer.handle_received(Instant::from_nanos(self.now), conn, bytes);
        self.drain();
        self.metered += (self.meter)() - before;
    }

    /// Drains as a driver does; whatever is not part of the steady state stays undone.
    #[inline]
    fn drain(&mut self) {
        loop {
            match self.producer.poll_output() {
                Output::Completed { result, .. } => self.stored += u64::from(result.is_ok()),
                Output::Connect { conn, .. } => self.dials.push(conn),
                // These hold nothing to drop; looking for it would be counted.
                transmit @ Output::Transmit { conn } => {
                    std::mem::forget(transmit);
                    self.transmit.push(conn);
                }
                idle @ Output::Idle { .. } => return std::mem::forget(idle),
                other => self.unexpected(&other),
            }
        }
    }

    /// What a driver does not see here. Apart, for what is dropped costs instructions.
    #[cold]
    fn unexpected(&mut self, output: &Output<u64>) {
        unreachable!("{output:?}")
    }

    /// Opens every connection that is asked for: the name server's, then the brokers'.
    fn settle_connections(&mut self) {
        while let Some(conn) = self.dials.pop() {
            self.answers.push((conn, Vec::new()));
            self.producer.handle_connected(Instant::from_nanos(self.now), conn);
            self.drain();
            self.take();
            self.answer();
        }
    }

    /// Answers every frame in `taken` as a broker or name server would.
    fn prepare(&mut self, conn: ConnId) {
        let mut rest: &[u8] = &self.taken;
        let Some((_, out)) = self.answers.iter_mut().find(|(known, _)| *known == conn) else {
            return;
        };
        while let Some(found) = frame::split(rest, frame::FRAME_BYTES_MAX).expect("our frames") {
            let header = Header::decode(found.serialize, found.header).expect("our headers");
            let (fields, body): (Fields<'_>, &[u8]) = match header.code {
                310 => {
                    let request = SendRequest::from_ext(SendForm::V2, &header.ext);
                    let queue = request.map_or(0, |request| request.queue_id);
                    let queue = queue.to_string();
                    // Fields and orders of a 5.4.0 broker (tests/golden/frames).
                    let fields = match self.serialize {
                        SerializeType::Json => Fields::new()
                            .text("queueId", queue)
                            .text("transactionId", "7F0000010001AABBCCDD00000000ABCD")
                            .text("msgId", "C0A8010A00002A9F00000000075BCD15")
                            .text("TRACE_ON", "true")
                            .text("MSG_REGION", "DefaultRegion")
                            .text("queueOffset", "123456"),
                        SerializeType::RocketMq => Fields::new()
                            .text("msgId", "C0A8010A00002A9F00000000075BCD15")
                            .text("queueId", queue)
                            .text("queueOffset", "123456")
                            .text("transactionId", "7F0000010001AABBCCDD00000000ABCD")
                            .text("TRACE_ON", "true")
                            .text("MSG_REGION", "DefaultRegion"),
                    };
                    (fields, &[])
                }
                105 => (Fields::new(), ROUTE.as_bytes()),
                _ => (Fields::new(), &[]),
            };
            let head = Head {
                code: 0,
                language: Language::JAVA,
                version: 493,
                opaque: header.opaque,
                flag: Head::RESPONSE,
                remark: None,
            };
            encode_frame(out, self.serialize, &head, fields.iter(), body).expect("small frames");
            rest = &rest[found.len..];
        }
    }
}
