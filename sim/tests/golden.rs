//! The models against reality: recorded requests of Java clients are given to the models, whose
//! answers must have the code, the ext keys and the remark of the recorded real answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use crate::support::Got;
use crate::support::direct::{Direct, answers};
use producer_core::wire::acl::{Credentials, sign};
use producer_core::wire::recall::RecallHandle;
use producer_core::wire::route::TopicRouteData;
use producer_core::wire::send::SendForm;
use producer_core::wire::topic_config::CreateTopic;
use producer_core::wire::{SerializeType, hex};
use serde_json::Value;
use sim::model::broker::{
    Account, Broker, BrokerConfig, Fault, Refusal, Status, Times, TopicConfig,
};
use sim::model::name_server::{NameServer, NameServerConfig, Registration, TopicRegistration};
use sim::model::{ConnId, Instant, Release};

#[test]
fn the_models_answer_as_5_4_0() {
    for folder in ["5.4.0-json", "5.4.0-rocketmq", "4.9.7-json-server-5.4.0"] {
        replay(folder, Release::V5_4_0);
    }
}

#[test]
fn the_models_answer_as_4_9_7() {
    for folder in ["4.9.7-json", "4.9.7-rocketmq", "5.4.0-json-server-4.9.7"] {
        replay(folder, Release::V4_9_7);
    }
}

fn replay(folder: &str, release: Release) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/frames").join(folder);
    let mut files: Vec<_> = path
        .read_dir()
        .expect("the golden vectors are there")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    let mut wrong = Vec::new();
    let (mut cases, mut frames) = (0, 0);
    for file in files {
        let case = file.file_stem().expect("a file name").to_string_lossy().into_owned();
        if NOT_MODELLED.iter().any(|prefix| case.starts_with(prefix)) || case == "view-message" {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a readable case");
        let json: Value = serde_json::from_str(&text).expect("a case is JSON");
        let before = wrong.len();
        let compared = Replay::new(release, &case).run(&json, &mut wrong);
        frames += compared;
        cases += usize::from(compared > 0 && wrong.len() == before);
    }

    println!("{folder}: {frames} answers of {cases} cases agree");
    assert!(wrong.is_empty(), "{folder}:\n{}", wrong.join("\n"));
    assert!(cases > 20, "{folder}: {cases} cases");
}

/// Cases that begin like this need what has no model yet (static topics, zones), the disk of the recorded broker, or a broker that the recorded name server heard from
/// in between. Pushed replies, which answer one client after another was asked, are in
/// `models/recorded.rs`.
const NOT_MODELLED: &[&str] = &[
    "error-not-leader",
    "ipv6-route",
    "ipv6-view",
    "namesrv-config",
    "request-reply",
    "route-auto-create",
    "route-static-topic",
    "route-zone-mode",
];

/// One case: the nodes that its frames went to.
struct Replay {
    release: Release,
    case: String,
    name_server: Direct<NameServer>,
    brokers: BTreeMap<String, Direct<Broker>>,
    conns: BTreeMap<(String, u64), ConnId>,
}

impl Replay {
    fn new(release: Release, case: &str) -> Self {
        Self {
            release,
            case: case.to_owned(),
            name_server: name_server(release),
            brokers: BTreeMap::new(),
            conns: BTreeMap::new(),
        }
    }

    /// Hands each request over and compares the answers; says how many there were.
    fn run(&mut self, json: &Value, wrong: &mut Vec<String>) -> usize {
        let frames = json["frames"].as_array().expect("a case has frames");
        let mut compared = 0;
        for frame in frames {
            let peer = text(frame, "peer");
            let from_client = text(frame, "dir").starts_with("client");
            let header = &frame["header"];
            if !from_client || header["flag"].as_i64().unwrap_or(0) & 1 == 1 {
                continue;
            }
            let conn = frame["conn"].as_u64().expect("a connection number");
            let opaque = header["opaque"].as_i64();
            let real = frames.iter().find(|other| {
                !text(other, "dir").starts_with("client")
                    && other["header"]["opaque"].as_i64() == opaque
                    && other["header"]["flag"].as_i64() == Some(1)
                    && other["conn"] == frame["conn"]
            });
            let code = header["code"].as_i64().unwrap_or(0);
            if let Some(real) = real {
                self.prepare(&peer, header, &real["header"]);
            }
            let mut sent = self.hand_over(&peer, conn, &hex::decode(&text(frame, "hex")));
            match (real, sent.pop()) {
                (None, None) => {}
                (Some(real), Some(got)) => {
                    compared += 1;
                    let difference = difference(&real["header"], &got);
                    if let Some(difference) = difference {
                        wrong.push(format!("{} ({code} to {peer}): {difference}", self.case));
                    } else if code == 105 && got.code == 0 {
                        let real = frame_body(&hex::decode(&text(real, "hex")));
                        assert_eq!(route(&got.body), route(&real), "{}", self.case);
                    }
                }
                (real, got) => wrong.push(format!(
                    "{} ({code} to {peer}): real {:?}, ours {got:?}",
                    self.case,
                    real.map(|real| &real["header"])
                )),
            }
        }
        compared
    }

    /// Puts the broker into the state that the recorded one was in.
    fn prepare(&mut self, peer: &str, asked: &Value, real: &Value) {
        if peer == "namesrv" {
            return;
        }
        let remark = text(real, "remark");
        let broker = self.broker(peer);
        let fault = match real["code"].as_i64().unwrap_or(0) {
            2 if remark.starts_with("[OVERLOAD]") => Some(Fault::Refuse(Refusal::Overload)),
            10 => Some(Fault::StoredBut(Status::FlushDiskTimeout)),
            11 => Some(Fault::StoredBut(Status::SlaveNotAvailable)),
            12 => Some(Fault::StoredBut(Status::FlushSlaveTimeout)),
            1500 => Some(Fault::Refuse(Refusal::GoAway)),
            _ => None,
        };
        if let Some(fault) = fault {
            broker.node.fault(fault, Times::Next(1));
        }
        let ext = &asked["extFields"];
        let handle = ext["recallHandle"].as_str().and_then(|text| RecallHandle::decode(text).ok());
        let recalled = handle.and_then(|handle| handle.timestamp.parse::<i64>().ok());
        let sent = ext["g"].as_str().and_then(|text| text.parse().ok());
        if let Some(at) = recalled.map(|at| at - 60_000).or(sent) {
            let millis = u64::try_from(at - WALL_ORIGIN_MS).unwrap_or(0);
            broker.now = broker.now.max(Instant::from_millis(millis));
        }
        let reads = matches!(asked["code"].as_i64(), Some(11 | 12));
        if reads && real["code"].as_i64() == Some(0) {
            let key = ext["key"].as_str().unwrap_or("k");
            // The window that the recorded query looks at.
            let begin = ext["beginTimestamp"].as_str().and_then(|text| text.parse::<i64>().ok());
            let millis = begin.map_or(0, |begin| begin + 1_000 - WALL_ORIGIN_MS);
            broker.now = broker.now.max(Instant::from_millis(millis.try_into().unwrap_or(0)));
            seed(broker, &text(ext, "topic"), key);
        }
    }

    fn broker(&mut self, peer: &str) -> &mut Direct<Broker> {
        let (release, case) = (self.release, &self.case);
        self.brokers.entry(peer.to_owned()).or_insert_with(|| broker(release, case, peer))
    }

    fn hand_over(&mut self, peer: &str, conn: u64, bytes: &[u8]) -> Vec<Got> {
        let key = (peer.to_owned(), conn);
        let sent = if peer == "namesrv" {
            let node = &mut self.name_server;
            let conn = *self.conns.entry(key).or_insert_with(|| node.connect());
            node.receive(conn, bytes)
        } else {
            let (release, case) = (self.release, &self.case);
            let node =
                self.brokers.entry(peer.to_owned()).or_insert_with(|| broker(release, case, peer));
            let conn = *self.conns.entry(key).or_insert_with(|| node.connect());
            node.receive(conn, bytes)
        };
        sent.iter().flat_map(|(_, bytes)| answers(bytes)).collect()
    }
}

/// Stores a message that a pull or query finds.
fn seed(broker: &mut Direct<Broker>, topic: &str, key: &str) {
    let mut request = crate::support::send_request(topic, 0);
    request.properties = Some(format!("UNIQ_KEY\u{1}{key}\u{2}KEYS\u{1}other {key}\u{2}").into());
    let conn = broker.connect();
    let credentials = Credentials::new("golden-ak", "golden-secret".to_owned()).expect("not blank");
    let fields = sign(request.to_ext(SendForm::V2), &credentials, b"find me").expect("a secret");
    let got = broker.ask(conn, 310, &fields, b"find me");
    assert_eq!(got[0].code, 0, "{got:?}");
}

fn frame_body(bytes: &[u8]) -> Vec<u8> {
    answers(bytes).pop().expect("a recorded frame").body
}

/// A route without addresses and the order of a hash map, and whether its keys are bare.
fn route(body: &[u8]) -> (bool, TopicRouteData) {
    let mut route = TopicRouteData::decode(body).expect("a route");
    route.queues.sort_by(|a, b| a.broker_name.cmp(&b.broker_name));
    route.brokers.sort_by(|a, b| a.broker_name.cmp(&b.broker_name));
    for broker in &mut route.brokers {
        broker.addresses.iter_mut().for_each(|(_, address)| address.clear());
    }
    (body.windows(3).any(|three| three == b"{0:"), route)
}

fn difference(real: &Value, got: &Got) -> Option<String> {
    let empty = serde_json::Map::new();
    let real_ext = real["extFields"].as_object().unwrap_or(&empty);
    let real_keys: BTreeSet<_> = real_ext.keys().map(String::as_str).collect();
    let keys: BTreeSet<_> = got.ext.iter().map(|field| field.0.as_str()).collect();
    let remark = real["remark"].as_str().filter(|remark| !remark.is_empty());
    let ours = got.remark.as_deref().filter(|remark| !remark.is_empty());
    let same_remark = remark.map(steady) == ours.map(steady);
    if real["code"].as_i64() == Some(got.code.into()) && real_keys == keys && same_remark {
        return None;
    }
    Some(format!(
        "real {} {real_keys:?} {remark:?}\n    ours {} {keys:?} {ours:?}",
        real["code"], got.code
    ))
}

/// A remark without what differs from run to run: ports, fill levels, exceptions of Java.
fn steady(remark: &str) -> String {
    let ours = ["field ", "can not find message by the offset"];
    if remark.starts_with("java.") || ours.iter().any(|start| remark.starts_with(start)) {
        return "an exception".to_owned();
    }
    let (head, _) = remark.split_once("Producer: 127.0.0.1:").unwrap_or((remark, ""));
    head.replace("0.91", "0.92")
}

/// Some time before the first recording.
const WALL_ORIGIN_MS: i64 = 1_794_000_000_000;

fn text(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap_or_default().to_owned()
}

fn name_server(release: Release) -> Direct<NameServer> {
    let config = NameServerConfig { release, order_messages: true, ..NameServerConfig::default() };
    let mut direct = Direct::new(NameServer::new(config));
    direct.node.set_order("golden-order", "broker-a:4;broker-b:2");
    for (port, broker, id) in
        [(30_911, "broker-a", 0), (31_911, "broker-b", 0), (31_921, "broker-b", 1)]
    {
        if id == 1 && release == Release::V4_9_7 {
            // The recorded cluster had no slave then.
            continue;
        }
        let topics = topics(broker).into_iter().map(|(topic, config)| TopicRegistration {
            topic,
            read_queues: config.read_queues,
            write_queues: config.write_queues,
            perm: config.perm,
            sys_flag: 0,
            order: false,
        });
        let registration = Registration {
            cluster: "DefaultCluster".into(),
            broker: broker.into(),
            id,
            address: format!("127.0.0.2:{port}"),
            acting_master: false,
            silence_max: None,
            version: (1, 0, 0),
            topics: topics.collect(),
        };
        direct.with(|node, now| node.register(now, &registration));
    }
    direct
}

fn broker(release: Release, case: &str, peer: &str) -> Direct<Broker> {
    let last = match release {
        Release::V4_9_7 => 1,
        Release::V5_4_0 => 2,
    };
    let address = SocketAddr::from(([127, 0, 0, last], 30_911));
    let mut config = BrokerConfig::new(peer, address);
    config.release = release;
    config.topics = topics(peer);
    if release == Release::V4_9_7 {
        // It drops the flag when a topic is created.
        config.topics.iter_mut().for_each(|(_, topic)| topic.order = false);
    }
    config.wall_origin_ms = WALL_ORIGIN_MS;
    config.recall = true;
    if case.contains("read-only-order") {
        config.permission = 4;
    }
    if case.starts_with("binary-server") {
        config.serialize = SerializeType::RocketMq;
    }
    match peer {
        "broker-b-slave" => config.id = 1,
        "broker-acl" => config.accounts = Some(accounts()),
        "broker-tiny" => {
            config.auto_create_topics = false;
            config.auto_create_groups = false;
            config.body_bytes_max = 2048;
            config.reject_transactions = true;
            config.timers = false;
            config.recall = false;
            config.trace_on = false;
            config.region = "region-x".into();
        }
        _ => {}
    }
    let mut direct = Direct::new(Broker::new(config));
    if peer == "broker-a" {
        let inner = CreateTopic {
            topic: "golden-inner".to_owned(),
            default_topic: "TBW102".to_owned(),
            read_queue_nums: 1,
            write_queue_nums: 1,
            perm: 6,
            topic_filter_type: "SINGLE_TAG".to_owned(),
            order: "false".to_owned(),
            attributes: Some("+queue.type=BatchCQ".to_owned()),
            ..CreateTopic::default()
        };
        let conn = direct.connect();
        assert_eq!(direct.ask(conn, 17, &inner.to_ext(), b"")[0].code, 0);
    }
    direct.node.fill_disk(peer == "broker-full");
    direct
}

fn accounts() -> Vec<Account> {
    let all = vec!["*".to_owned()];
    let secret_key = "golden-secret".to_owned();
    let ours = Account {
        access_key: "golden-ak".to_owned(),
        secret_key: secret_key.clone(),
        publish: all.clone(),
        subscribe: all,
        ..Account::default()
    };
    let access_key = "golden-deny".to_owned();
    vec![ours, Account { access_key, secret_key, ..Account::default() }]
}

fn topics(broker: &str) -> Vec<(String, TopicConfig)> {
    let queues = |first, second| match broker {
        "broker-a" | "broker-a-vip" => first,
        "broker-b" => second,
        _ => 2,
    };
    let mut topics: Vec<_> = [
        ("TBW102", 8, 8),
        ("golden-plain", 4, 0),
        ("golden-one", 1, 0),
        ("golden-two", 4, 2),
        ("golden-order", 4, 2),
        ("golden-slave", 0, 3),
        ("golden-stored", 2, 0),
        ("golden-inner", 1, 0),
        ("golden-timer", 1, 0),
        ("golden-read-only", 4, 0),
        ("golden-write-only", 4, 0),
        ("special-tiny", 2, 2),
        ("special-order", 2, 2),
    ]
    .into_iter()
    .map(|(topic, first, second)| (topic.to_owned(), TopicConfig::queues(queues(first, second))))
    .filter(|(_, config)| config.read_queues > 0)
    .collect();
    for (topic, config) in &mut topics {
        match topic.as_str() {
            "TBW102" => config.perm = 7,
            "golden-read-only" => config.perm = 4,
            "golden-write-only" => config.perm = 2,
            "special-order" => config.order = true,
            _ => {}
        }
    }
    topics
}
