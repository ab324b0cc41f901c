//! Questions of administrators and recalls have the fields that Java gives them, and recorded
//! answers are understood.

use std::collections::BTreeMap;

use crate::support::{files, hex, int, json, root, short, text};
use producer_core::wire::{Header, frame};
use producer_core::{
    Address, Answer, AskError, Boundary, Config, GroupName, NewTopic, Places, Questions, Queue,
    Recall, Request, TopicName, Wanted, Window, admin,
};
use serde_json::Value;

type Ext = BTreeMap<String, String>;

/// A recorded question, and what was answered to it.
struct Asked {
    what: String,
    code: i64,
    ext: Ext,
    answer: Answer,
}

fn ext_of(header: &Value) -> Ext {
    let fields = header["extFields"].as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned())).collect()
}

fn answer_of(recorded: &Value) -> Answer {
    let bytes = hex(text(recorded, "hex"));
    let found = frame::split(&bytes, frame::FRAME_BYTES_MAX).expect("a frame").expect("whole");
    let header = Header::decode(found.serialize, found.header).expect("a header");
    let remark = header.remark.map(|text| text.to_cow().into_owned());
    let ext = ext_of(&recorded["header"]);
    let fields = ext.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Answer::new(header.code, remark.as_deref(), fields, found.body.to_vec())
}

/// Every recorded question of these codes that a Java client asked and somebody answered.
fn asked(codes: &[i64]) -> Vec<Asked> {
    let mut all = Vec::new();
    for path in files(&root().join("frames")) {
        let case = json(&path);
        let frames = case["frames"].as_array().into_iter().flatten();
        let frames: Vec<&Value> = frames.collect();
        for request in &frames {
            let header = &request["header"];
            if int(header, "flag") & 1 != 0 || !codes.contains(&int(header, "code")) {
                continue;
            }
            let answers = |other: &&&Value| {
                int(&other["header"], "flag") & 1 == 1
                    && other["header"]["opaque"] == header["opaque"]
                    && other["conn"] == request["conn"]
            };
            let Some(answer) = frames.iter().find(answers) else { continue };
            all.push(Asked {
                what: format!("{} {}", short(&path), int(header, "code")),
                code: int(header, "code"),
                ext: ext_of(header),
                answer: answer_of(answer),
            });
        }
    }
    assert!(!all.is_empty());
    all
}

/// Whether all that Java asked is in ours, with the same value. Ours has what later releases added.
#[track_caller]
fn same(asked: &Asked, ours: &Request) {
    assert_eq!(i64::from(ours.code), asked.code, "{}", asked.what);
    let ours: Ext = ours.fields.iter().cloned().collect();
    for (name, value) in &asked.ext {
        if !["AccessKey", "Signature"].contains(&name.as_str()) {
            assert_eq!(ours.get(name), Some(value), "{}: {name}", asked.what);
        }
    }
}

fn address() -> Address {
    Address::new("127.0.0.1:10911").expect("valid")
}

fn topic(asked: &Asked) -> TopicName {
    TopicName::new(&asked.ext["topic"]).expect("a recorded topic")
}

#[test]
fn offsets_are_asked_for_as_java_does() {
    let config = Config::default();
    let questions = Questions::new(&config);
    let mut count = 0;
    for asked in asked(&[29, 30, 31, 32]) {
        // Without a broker name: past the client's own code.
        let Some(broker) = asked.ext.get("bname") else { continue };
        let queue = Queue::new(broker, asked.ext["queueId"].parse().expect("a number"));
        let (at, topic) = (address(), topic(&asked));
        let ours = match asked.code {
            29 => {
                let ms = asked.ext["timestamp"].parse().expect("a time");
                questions.search_offset(&at, &topic, &queue, (ms, Boundary::Lower))
            }
            30 => questions.max_offset(&at, &topic, &queue),
            31 => questions.min_offset(&at, &topic, &queue),
            _ => questions.earliest_store_time(&at, &topic, &queue),
        };
        same(&asked, &ours.expect("a valid question"));
        let field = if asked.code == 32 { "timestamp" } else { "offset" };
        let said: u64 = asked.answer.field(field).expect("said").parse().expect("a number");
        let read = match asked.code {
            32 => admin::store_time(&asked.answer).map(Option::unwrap_or_default),
            _ => admin::offset(&asked.answer),
        };
        assert_eq!(read, Ok(said), "{}", asked.what);
        count += 1;
    }
    assert!(count >= 24, "{count}");
}

#[test]
fn topics_are_created_as_java_does() {
    let config = Config::default();
    let mut count = 0;
    for asked in asked(&[17]) {
        if asked.what.contains("proxy") {
            continue;
        }
        let queues = asked.ext["readQueueNums"].parse().expect("a number");
        let new = NewTopic::new(topic(&asked), queues);
        let (key, ask) = Questions::new(&config).create_topic(&new).expect("valid");
        assert_eq!(key, asked.ext["defaultTopic"]);
        same(&asked, &ask(&address()));
        assert!(asked.answer.success().is_ok(), "{}", asked.what);
        count += 1;
    }
    assert!(count >= 6, "{count}");
}

#[test]
fn messages_are_looked_for_as_java_does() {
    let config = Config::default();
    let questions = Questions::new(&config);
    let route = asked(&[105]).into_iter().find(|asked| asked.what.contains("route-existing"));
    let places = Places::read(&route.expect("one").answer).expect("a route");
    let (mut queries, mut found, mut views) = (0, 0, 0);
    for asked in asked(&[12, 33]) {
        if asked.what.contains("proxy") {
            continue;
        }
        let number = |name: &str| asked.ext[name].parse::<u64>().expect("a number");
        if asked.code == 33 {
            // The releases before 5.3 name no topic.
            let name = asked.ext.get("topic").map_or("golden-stored", String::as_str);
            let name = TopicName::new(name).expect("valid");
            let offset = number("offset") as i64;
            same(&asked, &questions.view(&address(), &name, offset).expect("valid"));
            match questions.read_view(&asked.answer) {
                Ok(_) => assert_eq!(asked.answer.code, 0, "{}", asked.what),
                Err(error) => assert_eq!(error, AskError::NoMessage, "{}", asked.what),
            }
            views += 1;
            continue;
        }
        let unique = asked.ext["_UNIQUE_KEY_QUERY"] == "true";
        let key = &asked.ext["key"];
        let wanted = if unique { Wanted::Id(key) } else { Wanted::Key(key) };
        let (from_ms, to_ms) = (number("beginTimestamp"), number("endTimestamp"));
        let window = Window { max: number("maxNum") as u32, from_ms, to_ms };
        let ours = questions.find(&places, &topic(&asked), wanted, window).expect("valid");
        same(&asked, &ours[0]);
        queries += 1;
        match questions.read_found(&asked.answer, &topic(&asked), wanted) {
            Ok(messages) => found += messages.len(),
            // 4.9 leaves the flag out of what is signed, Java 4.9.7 does not.
            Err(error) => assert_eq!(error.code(), "bad_credentials", "{}", asked.what),
        }
    }
    println!("{queries} queries, {found} messages found, {views} views");
    assert!(queries >= 12 && found >= 6 && views >= 8);
}

#[test]
fn recalls_are_asked_for_as_java_does() {
    let mut count = 0;
    for asked in asked(&[370]) {
        let handle = &asked.ext["recallHandle"];
        let group = GroupName::new(&asked.ext["producerGroup"]).expect("a recorded group");
        let config = Config { group, ..Config::default() };
        let questions = Questions::new(&config);
        let read = Recall::read(&asked.answer);
        let Ok(recall) = questions.recall(&topic(&asked), handle) else {
            // Past the checks of the client.
            assert!(read.is_err(), "{}", asked.what);
            continue;
        };
        let mut places = Places::default();
        assert_eq!(questions.recall_request(&recall, &places), Err(AskError::NoBroker));
        let route = format!(
            r#"{{"brokerDatas":[{{"brokerAddrs":{{"0":"127.0.0.1:1"}},"brokerName":"{}"}}],"queueDatas":[]}}"#,
            recall.broker(),
        );
        let route = Answer::new(0, None, [], route.into_bytes());
        places = Places::read(&route).expect("a route");
        same(&asked, &questions.recall_request(&recall, &places).expect("a broker"));
        assert_eq!(read.as_deref(), Ok(recall.message_id()), "{}", asked.what);
        count += 1;
    }
    assert!(count >= 3, "{count}");
}

#[test]
fn endpoints_of_instances_name_the_namespace_that_java_takes() {
    let table = json(&root().join("tables/name-server-endpoints.json"));
    let mut count = 0;
    for row in table["rows"].as_array().expect("rows") {
        // Ours have no scheme.
        let Ok(name_servers) = Address::list(text(&row["in"], "address")) else { continue };
        let mut config = Config { name_servers, ..Config::default() };
        config.derive_namespace();
        let java = row["out"]["ClientConfig.getNamespace"].as_str();
        assert_eq!(config.namespace.as_deref(), java, "{}", row["in"]);
        count += 1;
    }
    assert!(count >= 3, "{count}");
}
