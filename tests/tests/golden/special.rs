//! Given what a Java client was given, and what brokers said to it, the core ends transactions,
//! asks and replies as the Java client did.
//!
//! Recorded half messages, ends, checks, requests, pushed replies and answers to them. Ext fields
//! are compared as a map and properties as a set, for Java's order is that of a `HashMap`.

use std::collections::BTreeMap;

use crate::support::{files, hex, int, json, root, route_of, short, text};
use producer_core::wire::{Fields, Head, Header, SerializeType, encode_frame, frame};
use producer_core::{
    Address, Config, ConnId, Decision, Environment, GroupName, HalfMessage, Instant, Message,
    MessageId, Output, Producer, Queue, QueueChoice, SendOptions, TransactionCheck,
};
use serde_json::Value;

type Ext = BTreeMap<String, String>;
const NOW: Instant = Instant::ZERO;

/// A frame as it was recorded.
struct Recorded {
    bytes: Vec<u8>,
    code: i64,
    flag: i64,
    remark: Option<String>,
    ext: Ext,
}

fn recorded(case: &Value) -> Vec<Recorded> {
    let frames = case["frames"].as_array().expect("frames");
    let read = |frame: &Value| {
        let header = &frame["header"];
        let fields = header["extFields"].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        Recorded {
            bytes: hex(crate::support::text(frame, "hex")),
            code: int(header, "code"),
            flag: int(header, "flag"),
            remark: header["remark"].as_str().map(str::to_owned),
            ext: fields.map(|(name, value)| (name.clone(), text(value))).collect(),
        }
    };
    frames.iter().map(read).collect()
}

fn serialize_of(bytes: &[u8]) -> SerializeType {
    let found = frame::split(bytes, frame::FRAME_BYTES_MAX).expect("a frame").expect("whole");
    found.serialize
}

fn properties(string: &str) -> Ext {
    let entries = string.split('\u{2}').filter_map(|entry| entry.split_once('\u{1}'));
    entries.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The message as the Java client was given it.
fn message(given: &Value) -> Option<Message> {
    let body = hex(given["body_hex"].as_str()?);
    let mut message = Message::new(text(given, "topic"), body).ok()?;
    for (name, value) in given["properties"].as_object()? {
        let value = value.as_str()?;
        message = match name.as_str() {
            "WAIT" => message.wait_store_ok(value == "true"),
            "TAGS" => message.tag(value).ok()?,
            "KEYS" => message.keys([value]).ok()?,
            name => message.with_property(name, value).ok()?,
        };
    }
    Some(message.flag(int(given, "flag") as i32))
}

/// A producer as the Java client was, with a route to the one broker.
struct Rig {
    producer: Producer<()>,
    broker: Option<ConnId>,
}

/// A frame that the core has written.
struct Ours {
    flag: i32,
    opaque: i32,
    remark: Option<String>,
    ext: Ext,
    body: Vec<u8>,
}

impl Rig {
    fn new(sent: &Recorded, version: i64) -> Self {
        let config = Config {
            group: GroupName::new(&sent.ext["a"]).expect("a recorded group"),
            name_servers: Address::list("127.0.0.1:9876").expect("valid"),
            header: serialize_of(&sent.bytes),
            version: version as i32,
            ..Config::java()
        };
        let born_ms = sent.ext["g"].parse().expect("a recorded time");
        Self { producer: Producer::new(config, Environment::new(1, born_ms)), broker: None }
    }

    fn options(sent: &Recorded) -> SendOptions {
        let queue_id = sent.ext["e"].parse().expect("a recorded queue");
        SendOptions {
            queue: QueueChoice::Queue(Queue::new(&sent.ext["n"], queue_id)),
            message_id: MessageId::parse(&properties(&sent.ext["i"])["UNIQ_KEY"]),
            ..SendOptions::default()
        }
    }

    /// Answers the route; what is written to the broker then is in `written`.
    fn route(&mut self, sent: &Recorded) {
        let server = self.connected();
        let asked = self.written(server, 105);
        let body = route_of(&sent.ext);
        self.answer(server, asked.opaque, 0, &Ext::new(), &body);
        self.broker = Some(self.connected());
    }

    fn answer(&mut self, conn: ConnId, opaque: i32, code: i64, ext: &Ext, body: &[u8]) {
        let head = Head { code: code as i32, opaque, flag: Head::RESPONSE, ..Head::default() };
        let fields = ext.iter().fold(Fields::new(), |fields, (name, value)| {
            fields.text(Box::leak(name.clone().into_boxed_str()), value)
        });
        let mut out = Vec::new();
        encode_frame(&mut out, SerializeType::Json, &head, fields.iter(), body).expect("it fits");
        self.producer.handle_received(NOW, conn, &out);
    }

    fn connected(&mut self) -> ConnId {
        loop {
            match self.producer.poll_output() {
                Output::Connect { conn, .. } => {
                    self.producer.handle_connected(NOW, conn);
                    return conn;
                }
                Output::Idle { .. } => panic!("nothing is dialled"),
                _ => {}
            }
        }
    }

    /// The first frame of this code that is written to `conn`.
    fn written(&mut self, conn: ConnId, code: i32) -> Ours {
        let mut bytes = Vec::new();
        self.producer.take_bytes(conn, &mut bytes);
        let mut rest = &bytes[..];
        while let Some(found) = frame::split(rest, frame::FRAME_BYTES_MAX).expect("our frames") {
            let header = Header::decode(found.serialize, found.header).expect("our header");
            if header.code == code {
                let fields = header.ext.iter();
                let owned = |text: producer_core::wire::Text<'_>| text.to_cow().into_owned();
                return Ours {
                    flag: header.flag,
                    opaque: header.opaque,
                    remark: header.remark.map(owned),
                    ext: fields.map(|(name, value)| (owned(name), owned(value))).collect(),
                    body: found.body.to_vec(),
                };
            }
            rest = &rest[found.len..];
        }
        panic!("no frame of code {code} was written");
    }

    fn broker(&self) -> ConnId {
        self.broker.expect("the broker is connected")
    }

    fn output<R>(&mut self, mut wanted: impl FnMut(Output<()>) -> Option<R>) -> Option<R> {
        loop {
            match self.producer.poll_output() {
                Output::Idle { .. } => return None,
                output => {
                    if let Some(found) = wanted(output) {
                        return Some(found);
                    }
                }
            }
        }
    }
}

fn decision(end: &Recorded) -> Decision {
    match &*end.ext["commitOrRollback"] {
        "8" => Decision::Commit,
        "12" => Decision::Rollback,
        "0" => Decision::Unknown,
        other => panic!("recorded as {other}"),
    }
}

/// Newer clients name the topic, and the broker where the check does; ours always does.
fn same_end(ours: &Ours, javas: &Recorded, what: &str) {
    let mut ext = ours.ext.clone();
    if !javas.ext.contains_key("topic") {
        ext.remove("topic");
    }
    assert_eq!(ext, javas.ext, "{what}");
    assert_eq!((i64::from(ours.flag), &ours.remark), (javas.flag, &javas.remark), "{what}");
    assert!(ours.body.is_empty(), "{what}");
}

fn same_send(ours: &Ours, javas: &Recorded, free: &[&str], what: &str) {
    let (mut a, mut b) = (ours.ext.clone(), javas.ext.clone());
    let sets = [&mut a, &mut b].map(|ext| {
        let mut all = properties(&ext.remove("i").expect("a property string"));
        for name in free {
            let there = all.insert((*name).to_owned(), String::new());
            assert!(there.is_some(), "{what}: no {name}");
        }
        all
    });
    assert_eq!(sets[0], sets[1], "{what}");
    assert_eq!(a, b, "{what}");
    let found = frame::split(&javas.bytes, frame::FRAME_BYTES_MAX).expect("a frame");
    assert_eq!(ours.body, found.expect("whole").body, "{what}");
}

/// Files whose names begin so.
fn cases(beginning: &str) -> Vec<(String, Value)> {
    let all = files(&root().join("frames"));
    let named = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning))
    };
    all.into_iter().filter(named).map(|path| (short(&path), json(&path))).collect()
}

/// Sends the half message of a case and gives it the broker's answer.
fn half(case: &Value, frames: &[Recorded], what: &str) -> Option<(Rig, Option<HalfMessage>)> {
    let message = message(&case["input"]["messages"][0])?;
    let sent = &frames[0];
    let version = case["frames"][0]["header"]["version"].as_i64()?;
    let mut rig = Rig::new(sent, version);
    rig.producer.send_half(NOW, (), message, Rig::options(sent));
    rig.route(sent);
    let broker = rig.broker();
    let ours = rig.written(broker, 310);
    same_send(&ours, sent, &[], what);
    rig.answer(broker, ours.opaque, frames[1].code, &frames[1].ext, &[]);
    let half = rig.output(|output| match output {
        Output::Prepared { result, .. } => Some(result.ok().map(|half| *half)),
        _ => None,
    });
    Some((rig, half.expect("it has ended")))
}

#[test]
fn transactions_end_as_javas() {
    let (mut ends, mut checks) = (0, 0);
    for (what, case) in cases("transaction-") {
        let frames = recorded(&case);
        let Some((mut rig, half)) = half(&case, &frames, &what) else { continue };
        let broker = rig.broker();
        for (at, javas) in frames.iter().enumerate().filter(|(_, frame)| frame.code == 37) {
            let remark = javas.remark.as_deref();
            let asked = frames[..at].iter().rfind(|frame| frame.code == 39);
            let transaction = match (asked, &half) {
                (Some(asked), _) => {
                    rig.producer.handle_received(NOW, broker, &asked.bytes);
                    let check = rig.output(|output| match output {
                        Output::CheckTransaction(check) => Some(check),
                        _ => None,
                    });
                    checks += 1;
                    let check = check.unwrap_or_else(|| panic!("{what}: no check"));
                    same_check(&check, &case, &what);
                    Some(check.transaction)
                }
                (None, Some(half)) => Some(half.transaction.clone()),
                // Rolled back by the core itself.
                (None, None) => None,
            };
            if let Some(transaction) = transaction {
                assert!(rig.producer.end_transaction(NOW, &transaction, decision(javas), remark));
            }
            same_end(&rig.written(broker, 37), javas, &what);
            ends += 1;
        }
    }
    println!("{ends} recorded ends of transactions made again, {checks} of them after checks");
    assert!(ends >= 40 && checks >= 14, "{ends} ends, {checks} checks");
}

/// The checker sees the message that was sent.
fn same_check(check: &TransactionCheck, case: &Value, what: &str) {
    let sent = &case["input"]["messages"][0];
    assert_eq!(check.transaction.topic, text(sent, "topic"), "{what}");
    assert_eq!(check.body, hex(text(sent, "body_hex")), "{what}");
    for (name, value) in sent["properties"].as_object().expect("properties") {
        if name != "WAIT" {
            assert_eq!(check.property(name), value.as_str(), "{what}: {name}");
        }
    }
}

#[test]
fn requests_replies_and_their_answers_equal_javas() {
    let (mut requests, mut replies) = (0, 0);
    for (what, case) in cases("request-reply.json") {
        let frames = recorded(&case);
        let of = |code: i64| frames.iter().find(|frame| frame.code == code && frame.flag == 0);
        let (sent, reply, push) = (of(310), of(325), of(326));
        let (Some(sent), Some(reply), Some(push)) = (sent, reply, push) else {
            panic!("{what}: not all is recorded")
        };
        let version = case["frames"][0]["header"]["version"].as_i64().expect("a version");
        let java = properties(&sent.ext["i"]);
        let given = message(&case["input"]["messages"][0]).expect("a plain message");
        // One that the driver of the recording added.
        let given =
            java.get("who").map_or(Ok(given.clone()), |who| given.with_property("who", who));
        let mut rig = Rig::new(sent, version);
        let ttl = std::time::Duration::from_millis(int(&case["input"], "ttl") as u64);
        let options = SendOptions { timeout: Some(ttl), ..Rig::options(sent) };
        let id = rig.producer.request(NOW, (), given.expect("valid"), options);
        rig.route(sent);
        let broker = rig.broker();
        let ours = rig.written(broker, 310);
        same_send(&ours, sent, &["CORRELATION_ID", "REPLY_TO_CLIENT"], &what);
        requests += 1;

        // The same push, about our request.
        let recorded_id = java["CORRELATION_ID"].as_bytes();
        let mut bytes = push.bytes.clone();
        let at = bytes.windows(36).position(|window| window == recorded_id).expect("it is there");
        bytes[at..at + 36].copy_from_slice(id.to_string().as_bytes());
        rig.producer.handle_received(NOW, broker, &bytes);
        let replied = rig.output(|output| match output {
            Output::Replied { result, .. } => Some(result.expect("a reply")),
            _ => None,
        });
        let replied = replied.unwrap_or_else(|| panic!("{what}: no reply"));
        assert_eq!(replied.body, b"answer to question", "{what}");
        assert_eq!(replied.born_host, push.ext["bornHost"], "{what}");
        let answer = rig.written(broker, 0);
        let javas = frames.iter().find(|frame| frame.flag == 1 && frame.ext.is_empty());
        assert_eq!((answer.flag, answer.ext.len(), answer.body.len()), (1, 0, 0), "{what}");
        assert!(javas.is_some_and(|javas| javas.code == 0), "{what}");

        reply_equals(reply, &java, version, &what);
        replies += 1;
    }
    println!("{requests} recorded requests and {replies} replies made again");
    assert!(requests >= 4 && replies >= 4);
}

fn reply_equals(javas: &Recorded, request: &Ext, version: i64, what: &str) {
    let cluster = javas.ext["b"].strip_suffix("_REPLY_TOPIC").expect("a reply topic").to_owned();
    let found = frame::split(&javas.bytes, frame::FRAME_BYTES_MAX).expect("a frame");
    let body = found.expect("whole").body.to_vec();
    let property = |name: &str| match name {
        "CLUSTER" => Some(&*cluster),
        name => request.get(name).map(String::as_str),
    };
    let mut message = Message::reply_to(property, body).expect("a request");
    for (name, value) in &properties(&javas.ext["i"]) {
        if name == "answered-by" {
            message = message.with_property(name, value).expect("valid");
        }
    }
    let mut rig = Rig::new(javas, version);
    rig.producer.reply(NOW, (), message, Rig::options(javas));
    rig.route(javas);
    let broker = rig.broker();
    same_send(&rig.written(broker, 325), javas, &[], what);
}
