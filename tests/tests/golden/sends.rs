//! Given what a Java client was given, the core sends what the Java client sent.
//!
//! Every recorded plain send is rebuilt: same message, group, queue, id and clock. Ext fields are
//! compared as a map and properties as a set, for Java's order is that of a `HashMap`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::{files, hex, int, json, root, route_of, short, text};
use producer_core::wire::acl::signature_of_request;
use producer_core::wire::{Head, Header, Language, SerializeType, batch, encode_frame, frame};
use producer_core::{
    Address, Batch, Config, ConnId, Credentials, Environment, FaultTable, GroupName, Instant,
    Message, MessageId, Output, Producer, Queue, QueueChoice, Reply, SendOptions,
};
use serde_json::Value;

/// The one send request of a case, if the core can be asked for the same.
struct Case {
    /// One, or those of a batch.
    messages: Vec<Message>,
    /// Ext fields as recorded.
    ext: BTreeMap<String, String>,
    header: Value,
    serialize: SerializeType,
    body: Vec<u8>,
}

fn ext_of(header: &Value) -> BTreeMap<String, String> {
    let fields = header["extFields"].as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned())).collect()
}

/// The only request of a case with this code.
fn only(value: &Value, code: i32) -> Option<&Value> {
    let frames = value["frames"].as_array()?.iter();
    let mut requests =
        frames.filter(|frame| frame["header"]["code"] == code && frame["header"]["flag"] != 1);
    requests.next().filter(|_| requests.next().is_none())
}

fn case(value: &Value) -> Option<Case> {
    let request = only(value, 310)?;
    let bytes = hex(text(request, "hex"));
    let found = frame::split(&bytes, frame::FRAME_BYTES_MAX).ok()??;
    let ext = ext_of(&request["header"]);
    let plain = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "m", "n"];
    let of_every_request = ["ns", "nsd", "AccessKey", "Signature"];
    let own = ext.keys().map(String::as_str).filter(|name| !of_every_request.contains(name));
    let usual = own.eq(plain)
        && (ext["c"].as_str(), ext["d"].as_str(), ext["f"].as_str()) == ("TBW102", "4", "0")
        && (ext["j"].as_str(), ext["k"].as_str(), ext["m"].as_str()) == ("0", "false", "false");
    let added_by_features = ["CORRELATION_ID", "TRAN_MSG"];
    if !usual || added_by_features.iter().any(|name| ext["i"].contains(name)) {
        return None; // features of their own: requests, transactions...
    }
    // Hosts with a global IPv6 address make longer ids in Java; ours have one layout.
    MessageId::parse(properties(&ext["i"]).get("UNIQ_KEY")?)?;
    Some(Case {
        messages: vec![message(&value["input"]["messages"][0])?],
        header: request["header"].clone(),
        serialize: found.serialize,
        body: found.body.to_vec(),
        ext,
    })
}

/// A list that an application has sent; not what a client has gathered, nor what passed by the
/// client's checks.
fn batch_case(value: &Value) -> Option<Case> {
    let request = only(value, 320)?;
    let given = value["input"]["messages"].as_array()?;
    let bytes = hex(text(request, "hex"));
    let found = frame::split(&bytes, frame::FRAME_BYTES_MAX).ok()??;
    let ext = ext_of(&request["header"]);
    let named = ["INSTANCE_ID"].iter().all(|name| !ext["i"].contains(name));
    let alone = !ext.contains_key("Signature") && value["outcome"]["sendStatus"] == "SEND_OK";
    (named && alone).then_some(())?;
    Some(Case {
        messages: given.iter().map(message).collect::<Option<_>>()?,
        header: request["header"].clone(),
        serialize: found.serialize,
        body: found.body.to_vec(),
        ext,
    })
}

/// The members of a batch: flag, body, properties.
fn members(body: &[u8]) -> Vec<(i32, Vec<u8>, BTreeMap<String, String>)> {
    let members = batch::members(body).map(|member| {
        let member = member.expect("a member");
        (member.flag, member.body.to_vec(), properties(&member.properties))
    });
    members.collect()
}

/// The message as the Java client was given it; `None` where it uses what our API refuses.
fn message(given: &Value) -> Option<Message> {
    let body = match given["body_hex"].as_str() {
        Some(digits) => hex(digits),
        None => {
            let byte = given["body_repeat"]["byte"].as_u64()?;
            let count = given["body_repeat"]["count"].as_u64()?;
            vec![byte as u8; count as usize]
        }
    };
    let mut message = Message::new(text(given, "topic"), body).ok()?;
    for (name, value) in given["properties"].as_object()? {
        let value = value.as_str()?;
        message = match name.as_str() {
            "WAIT" => message.wait_store_ok(value == "true"),
            "TAGS" => message.tag(value).ok()?,
            "KEYS" => message.keys([value]).ok()?,
            "DELAY" => message.delay_level(value.parse().ok()?).ok()?,
            "TIMER_DELAY_SEC" => message.delay_seconds(value.parse().ok()?).ok()?,
            "TIMER_DELAY_MS" => message.delay(Duration::from_millis(value.parse().ok()?)).ok()?,
            "TIMER_DELIVER_MS" => message.deliver_at(value.parse().ok()?).ok()?,
            "_SYS_MSG_PRIORITY_" => message.priority(value.parse().ok()?).ok()?,
            "__SHARDINGKEY" => message.sharding_key(value).ok()?,
            "INNER_MULTI_DISPATCH" => message.multi_dispatch(value.split(',')).ok()?,
            name => message.with_property(name, value).ok()?,
        };
    }
    Some(message.flag(int(given, "flag") as i32))
}

/// Lets the core send the message as the case has it; returns the frame.
fn frame_of(case: &Case) -> Vec<u8> {
    let namespace = properties(&case.ext["i"]).remove("INSTANCE_ID");
    let prefix = namespace.as_ref().map_or_else(String::new, |name| format!("{name}%"));
    let group = case.ext["a"].strip_prefix(&prefix).expect("it is inside");
    let credentials = case.ext.get("AccessKey").map(|key| {
        // The secret of all recorded accounts (`tests/golden/README.md`).
        Credentials::new(key, "golden-secret").expect("not blank")
    });
    let config = Config {
        group: GroupName::new(group).expect("a recorded group"),
        namespace,
        namespace_v2: case.ext.get("ns").cloned(),
        credentials,
        name_servers: Address::list("127.0.0.1:9876").expect("valid"),
        header: case.serialize,
        version: int(&case.header, "version") as i32,
        ..Config::java()
    };
    let born_ms = case.ext["g"].parse().expect("a recorded time");
    let mut producer = Producer::new(config, Environment::new(1, born_ms));
    let id = properties(&case.ext["i"]).remove("UNIQ_KEY");
    let queue_id = case.ext["e"].parse().expect("a recorded queue");
    let one_way = int(&case.header, "flag") == 2;
    let options = SendOptions {
        queue: QueueChoice::Queue(Queue::new(&case.ext["n"], queue_id)),
        message_id: id.as_deref().and_then(MessageId::parse),
        reply: if one_way { Reply::OneWay } else { Reply::Awaited },
        ..SendOptions::default()
    };
    if case.header["code"] == 320 {
        let ids = members(&case.body).into_iter().map(|(.., properties)| {
            MessageId::parse(&properties["UNIQ_KEY"]).expect("a recorded id")
        });
        let batch = Batch::new(case.messages.clone()).and_then(|batch| batch.with_ids(ids));
        producer.send_batch(Instant::ZERO, (), batch.expect("a recorded batch"), options);
    } else {
        producer.send(Instant::ZERO, (), case.messages[0].clone(), options);
    }
    let server = connect(&mut producer);
    let question = taken(&mut producer, server);
    let asked = Header::decode(question.0, &question.1).expect("our header");
    let head = Head {
        code: 0,
        language: Language::JAVA,
        version: 493,
        opaque: asked.opaque,
        flag: Head::RESPONSE,
        remark: None,
    };
    let mut answer = Vec::new();
    encode_frame(&mut answer, case.serialize, &head, [], &route_of(&case.ext)).expect("small");
    producer.handle_received(Instant::ZERO, server, &answer);
    let broker = connect(&mut producer);
    let mut bytes = Vec::new();
    producer.take_bytes(broker, &mut bytes);
    bytes
}

fn connect(producer: &mut Producer<()>) -> ConnId {
    loop {
        match producer.poll_output() {
            Output::Connect { conn, .. } => {
                producer.handle_connected(Instant::ZERO, conn);
                return conn;
            }
            Output::Idle { .. } => panic!("nothing is dialled"),
            Output::Completed { result, .. } => panic!("ended at once: {result:?}"),
            _ => {}
        }
    }
}

fn taken(producer: &mut Producer<()>, conn: ConnId) -> (SerializeType, Vec<u8>) {
    let mut bytes = Vec::new();
    producer.take_bytes(conn, &mut bytes);
    let found = frame::split(&bytes, frame::FRAME_BYTES_MAX).expect("a frame").expect("whole");
    (found.serialize, found.header.to_vec())
}

fn properties(string: &str) -> BTreeMap<String, String> {
    let entries = string.split('\u{2}').filter_map(|entry| entry.split_once('\u{1}'));
    entries.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The first send among `bytes`: a heartbeat may stand before it.
fn send_among(bytes: &[u8]) -> (Value, SerializeType, Vec<u8>) {
    let mut rest = bytes;
    while let Some(found) = frame::split(rest, frame::FRAME_BYTES_MAX).expect("our frames") {
        let header = Header::decode(found.serialize, found.header).expect("our header");
        if [310, 320].contains(&header.code) {
            let fields = header.ext.iter();
            let ext: BTreeMap<String, String> = fields
                .map(|(name, value)| (name.to_cow().into_owned(), value.to_cow().into_owned()))
                .collect();
            let value = serde_json::json!({
                "code": header.code,
                "flag": header.flag,
                "language": header.language.name(),
                "version": header.version,
                "extFields": ext,
            });
            return (value, found.serialize, found.body.to_vec());
        }
        rest = &rest[found.len..];
    }
    panic!("no send among the frames");
}

#[test]
fn plain_sends_equal_javas() {
    let mut names = BTreeSet::new();
    let mut count = 0;
    for path in files(&root().join("frames")) {
        // A lone surrogate, which a Rust string cannot hold, is shown as text in the input.
        let lone =
            path.ends_with("send-lone-surrogate.json") || path.ends_with("acl-wrong-secret.json");
        let Some(case) = case(&json(&path)).filter(|_| !lone) else { continue };
        let what = short(&path);
        let (header, serialize, body) = send_among(&frame_of(&case));

        assert_eq!(serialize, case.serialize, "{what}");
        assert_eq!(body, case.body, "{what}");
        for field in ["flag", "version"] {
            assert_eq!(header[field], case.header[field], "{what}: {field}");
        }
        let (mut ours, mut javas) = (ext_of(&header), case.ext.clone());
        // It is over the properties too, whose order differs.
        let signed = [&mut ours, &mut javas].map(|ext| {
            let signature = ext.remove("Signature");
            let fields = ext.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let expected = signature_of_request(fields, "golden-secret", &body).expect("a secret");
            signature.is_some_and(|signature| signature == expected)
        });
        assert_eq!(signed, [ours.contains_key("AccessKey"); 2], "{what}");
        let sets = [&mut ours, &mut javas]
            .map(|ext| properties(&ext.remove("i").expect("a property string")));
        assert_eq!(sets[0], sets[1], "{what}");
        assert_eq!(ours, javas, "{what}");
        count += 1;
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    println!("{count} recorded sends rebuilt, of {} kinds", names.len());
    for kind in [
        "send-delay-level",
        "send-timer-delay-sec",
        "send-timer-delay-ms",
        "send-timer-past",
        "send-priority",
        "send-multi-dispatch",
        "send-namespace",
        "send-namespace-v2",
        "acl-accepted",
    ] {
        assert!(names.contains(kind), "{kind} is not among {names:?}");
    }
    assert!(count >= 100 && names.len() >= 20, "{count} cases of {names:?}");
}

#[test]
fn batches_equal_javas() {
    let mut names = BTreeSet::new();
    for path in files(&root().join("frames")) {
        let Some(case) = batch_case(&json(&path)) else { continue };
        let what = short(&path);
        let (header, serialize, body) = send_among(&frame_of(&case));

        assert_eq!(serialize, case.serialize, "{what}");
        assert_eq!(members(&body), members(&case.body), "{what}");
        for field in ["code", "flag", "version"] {
            assert_eq!(header[field], case.header[field], "{what}: {field}");
        }
        let (mut ours, mut javas) = (ext_of(&header), case.ext.clone());
        let [mine, mut theirs] = [&mut ours, &mut javas]
            .map(|ext| properties(&ext.remove("i").expect("a property string")));
        // Releases since 5.0 give the whole an id too, which 4.9 brokers take for the members'.
        theirs.remove("UNIQ_KEY");
        assert_eq!(mine, theirs, "{what}");
        assert_eq!(ours, javas, "{what}");
        names.insert(what);
    }
    println!("{} recorded batches rebuilt: {names:#?}", names.len());
    assert!(names.len() >= 20, "{names:?}");
}

#[test]
fn brokers_are_avoided_as_long_as_java_avoids_them() {
    let table = FaultTable::default();
    let rows = json(&root().join("tables/fault-durations.json"));
    let rows = rows["rows"].as_array().expect("rows");

    for row in rows.iter().filter(|row| row["in"]["latencyMs"].is_i64()) {
        let latency = Duration::from_millis(int(&row["in"], "latencyMs") as u64);
        let stay = table.stay(latency).as_millis() as u64;
        assert_eq!(Some(stay), row["out"].as_u64(), "{latency:?}");
    }
    assert!(rows.len() >= 33);
}

#[test]
fn javas_defaults_are_javas() {
    let rows = json(&root().join("tables/producer-defaults.json"));
    let default = |getter: &str| {
        let rows = rows["rows"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["in"]["getter"] == getter);
        row.unwrap_or_else(|| panic!("no {getter}"))["out"].clone()
    };
    let java = Config::java();
    let ms = |duration: Duration| Value::from(duration.as_millis() as u64);

    assert_eq!(default("getSendMsgTimeout"), ms(java.send_timeout));
    assert_eq!(default("getMqClientApiTimeout"), ms(java.request_timeout));
    assert_eq!(default("getPollNameServerInterval"), ms(java.route_poll));
    assert_eq!(default("getHeartbeatBrokerInterval"), ms(java.heartbeat));
    assert_eq!(default("getRetryTimesWhenSendFailed"), java.attempts_max - 1);
    assert_eq!(default("getMaxMessageSize"), java.message_bytes_max);
    assert_eq!(default("getDefaultTopicQueueNums"), java.default_topic_queues);
    assert_eq!(default("getCreateTopicKey"), java.create_topic_key);
    assert_eq!(default("isRetryAnotherBrokerWhenNotStoreOK"), java.retry_not_ok);
    assert_eq!(default("isSendLatencyFaultEnable"), java.health != producer_core::Health::Off);
    let table = FaultTable::default();
    assert_eq!(default("getDetectInterval"), ms(table.detect_interval));
    assert_eq!(default("getDetectTimeout"), ms(table.detect_timeout));
    let latencies: Vec<Value> = table.steps.iter().map(|&(latency, _)| ms(latency)).collect();
    assert_eq!(default("getLatencyMax"), Value::from(latencies));
}
