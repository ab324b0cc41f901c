//! The trace of a send says what Java's says of the same send: the same bytes, if clock, id and
//! answer are the same; and records are written as `TraceDataEncoder` writes them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::support::{files, hex, int, json, root, route, short, text};
use producer_core::wire::trace::{Labels, TraceEvent, TraceRecord, TracedKind, records};
use producer_core::wire::{Head, Header, Language, SerializeType, encode_frame, frame, properties};
use producer_core::{
    Address, Config, ConnId, Decision, Environment, GroupName, Instant, Message, MessageId, Output,
    Producer, Queue, QueueChoice, SendOptions, Trace,
};
use serde_json::{Value, json as value};

/// One row of the table of records, as ours.
fn given(input: &Value) -> TraceRecord<'static> {
    let own = |name: &str| input[name].as_str().map(|text| Cow::Owned(text.to_owned()));
    let must = |name: &str| own(name).unwrap_or_else(|| panic!("{name} in {input}"));
    let truth = |name: &str| input[name].as_bool().expect("a truth");
    let labels = || Labels { tags: own("tags"), keys: own("keys"), store_host: own("storeHost") };
    let event = match text(input, "type") {
        "Pub" => TraceEvent::Publish {
            labels: labels(),
            body_bytes: int(input, "bodyLength") as usize,
            cost_ms: int(input, "costTime") as u64,
            kind: match text(input, "msgType") {
                "Normal_Msg" => TracedKind::Normal,
                "Delay_Msg" => TracedKind::Delayed,
                "Trans_Msg_Half" => TracedKind::Half,
                "Order_Msg" => TracedKind::Ordered,
                other => panic!("{other}"),
            },
            offset_id: own("offsetMsgId"),
            success: truth("success"),
        },
        "EndTransaction" => TraceEvent::EndTransaction {
            labels: labels(),
            transaction_id: own("transactionId"),
            state: must("transactionState"),
            from_check: truth("fromTransactionCheck"),
        },
        _ => TraceEvent::Recall { success: truth("success") },
    };
    TraceRecord {
        time_ms: int(input, "timeStamp") as u64,
        region: must("regionId"),
        group: must("groupName"),
        topic: must("topic"),
        message_id: must("msgId"),
        event,
    }
}

#[test]
fn records_are_written_and_read_as_java_has_them() {
    let table = json(&root().join("tables/trace-records.json"));
    let rows = table["rows"].as_array().expect("rows");
    for row in rows {
        let record = given(&row["in"]);
        let mut found = String::new();
        record.encode(&mut found);
        let keys: BTreeSet<&str> = record.index_keys().collect();

        assert_eq!(value!(found), row["out"]["transData"], "{row}");
        assert_eq!(value!(keys), row["out"]["transKey"], "{row}");
        // A separator inside a tag moves the fields behind it, in Java too.
        let forged = row["in"]["tags"].as_str().is_some_and(|tags| tags.contains('\u{1}'));
        if !forged {
            let read: Vec<_> = records(&found).collect();
            assert_eq!(read, [Ok(record)], "{row}");
        }
    }
    assert!(rows.len() >= 14, "{} rows", rows.len());
}

/// A producer in a recorded case: time, route, answers and ids are those of the case.
struct Replay<'v> {
    case: &'v Value,
    producer: Producer<()>,
    born_ms: u64,
    broker: Option<ConnId>,
}

/// The frames of a case with this request code, and their places.
fn requests(case: &Value, code: i32) -> Vec<&Value> {
    let frames = case["frames"].as_array().expect("frames");
    frames.iter().filter(|frame| frame["header"]["code"] == code).collect()
}

fn ext<'v>(frame: &'v Value, name: &str) -> &'v str {
    text(&frame["header"]["extFields"], name)
}

fn body(frame: &Value) -> String {
    let bytes = hex(text(frame, "hex"));
    let found = frame::split(&bytes, frame::FRAME_BYTES_MAX).expect("a frame").expect("whole");
    String::from_utf8(found.body.to_vec()).expect("text")
}

impl<'v> Replay<'v> {
    fn new(case: &'v Value) -> Self {
        let send = requests(case, 310)[0];
        let born_ms = ext(send, "g").parse().expect("a time");
        let config = Config {
            group: GroupName::new(ext(send, "a")).expect("a group"),
            name_servers: Address::list("127.0.0.1:9876").expect("valid"),
            trace: Some(Trace::default()),
            ..Config::java()
        };
        let producer = Producer::new(config, Environment::new(1, born_ms));
        Self { case, producer, born_ms, broker: None }
    }

    /// Everything that is wanted now: dials succeed and routes are found. Returns the bodies and
    /// properties of sends that went to the broker.
    fn carry(&mut self, now: Instant) -> Vec<(i32, Value, String)> {
        let mut sent = Vec::new();
        let mut buffer = Vec::new();
        loop {
            match self.producer.poll_output() {
                Output::Idle { .. } => return sent,
                Output::Connect { conn, address, .. } => {
                    if address.as_str() != "127.0.0.1:9876" {
                        self.broker = Some(conn);
                    }
                    self.producer.handle_connected(now, conn);
                }
                Output::Transmit { conn } => {
                    self.producer.take_bytes(conn, &mut buffer);
                    let mut rest = &buffer[..];
                    while let Some(found) = frame::split(rest, 1 << 20).expect("our frames") {
                        let header = Header::decode(found.serialize, found.header).expect("ours");
                        let fields = header.ext.iter();
                        let fields: serde_json::Map<String, Value> = fields
                            .map(|(n, v)| (n.to_cow().into_owned(), value!(v.to_cow())))
                            .collect();
                        let body = String::from_utf8_lossy(found.body).into_owned();
                        if header.code == 105 {
                            let (route, opaque) = (self.route(), header.opaque);
                            self.answer(now, conn, opaque, &[], &route);
                        } else if header.code == 310 {
                            sent.push((header.opaque, Value::Object(fields), body));
                        }
                        rest = &rest[found.len..];
                    }
                }
                _ => {}
            }
        }
    }

    fn route(&self) -> Vec<u8> {
        route("broker-a", 4, self.store_host())
    }

    /// The broker's address, which only the trace tells.
    fn store_host(&self) -> String {
        let trace = body(requests(self.case, 310)[1]);
        let record = records(&trace).next().expect("a record").expect("readable");
        let TraceEvent::Publish { labels, .. } = record.event else { panic!("a publication") };
        labels.store_host.expect("a host").into_owned()
    }

    fn answer(
        &mut self,
        now: Instant,
        conn: ConnId,
        opaque: i32,
        fields: &[(String, String)],
        body: &[u8],
    ) {
        let (language, flag) = (Language::JAVA, Head::RESPONSE);
        let head = Head { code: 0, language, version: 493, opaque, flag, remark: None };
        let fields = fields.iter().map(|(name, value)| (&**name, &**value));
        let mut out = Vec::new();
        encode_frame(&mut out, SerializeType::Json, &head, fields, body).expect("small");
        self.producer.handle_received(now, conn, &out);
    }

    /// Sends the case's message as the case did; returns KEYS and body of the trace that follows.
    fn trace(mut self) -> (String, String) {
        let recorded = requests(self.case, 310);
        let trace = body(recorded[1]);
        let told: Vec<TraceRecord<'_>> =
            records(&trace).collect::<Result<_, _>>().expect("records");
        let TraceEvent::Publish { cost_ms, .. } = told[0].event else { panic!("a publication") };
        assert_eq!(told[0].time_ms, self.born_ms, "the case begins when the message is born");

        let names = properties::get(ext(recorded[0], "i"), "UNIQ_KEY");
        let options = SendOptions {
            queue: QueueChoice::Queue(Queue::new(
                "broker-a",
                ext(recorded[0], "e").parse().expect("a queue"),
            )),
            message_id: MessageId::parse(names.expect("an id")),
            ..SendOptions::default()
        };
        let half = !requests(self.case, 37).is_empty();
        let message = message(&self.case["input"]["messages"][0]);
        match half {
            true => self.producer.send_half(Instant::ZERO, (), message, options),
            false => self.producer.send(Instant::ZERO, (), message, options),
        };
        let (opaque, _, _) = self.carry(Instant::ZERO).remove(0);
        let answered = Instant::from_millis(cost_ms);
        let said = &self.case["frames"][1]["header"]["extFields"];
        let fields: Vec<(String, String)> = said
            .as_object()
            .expect("fields")
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
            .collect();
        let conn = self.broker.expect("connected");
        self.answer(answered, conn, opaque, &fields, b"");
        if let Some(end) = told.get(1) {
            let transaction = loop {
                match self.producer.poll_output() {
                    Output::Prepared { result, .. } => {
                        break result.expect("stored").transaction;
                    }
                    Output::Idle { .. } => panic!("no transaction"),
                    _ => {}
                }
            };
            let at = Instant::from_millis(end.time_ms - self.born_ms);
            assert!(self.producer.end_transaction(at, &transaction, Decision::Commit, None));
        }
        self.carry(answered);
        let later = Instant::from_millis(6_000);
        self.producer.handle_timeout(later);
        let (_, fields, body) = self.carry(later).remove(0);
        let keys = properties::get(fields["i"].as_str().expect("properties"), "KEYS");
        (keys.expect("keys").to_owned(), body)
    }
}

fn message(given: &Value) -> Message {
    let mut message = Message::new(text(given, "topic"), hex(text(given, "body_hex"))).expect("ok");
    for (name, value) in given["properties"].as_object().expect("properties") {
        let value = value.as_str().expect("text");
        message = match name.as_str() {
            "TAGS" => message.tag(value).expect("a tag"),
            "KEYS" => message.keys([value]).expect("keys"),
            _ => message,
        };
    }
    message
}

#[test]
fn traces_equal_javas() {
    let mut count = 0;
    for path in files(&root().join("frames")) {
        let case = json(&path);
        if !case["case"].as_str().is_some_and(|name| name.starts_with("trace-")) {
            continue;
        }
        let (keys, found) = Replay::new(&case).trace();
        let recorded = requests(&case, 310)[1];
        let javas = properties::get(ext(recorded, "i"), "KEYS").expect("keys");
        let set = |keys: &str| keys.split(' ').map(String::from).collect::<BTreeSet<_>>();

        assert_eq!(found, body(recorded), "{}", short(&path));
        assert_eq!(set(&keys), set(javas), "{}", short(&path));
        count += 1;
    }
    assert!(count >= 8, "{count} cases");
}
