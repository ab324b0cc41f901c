//! What a broker stores and how it is read back.

use std::net::SocketAddr;

use producer_core::wire::batch;
use producer_core::wire::send::SendForm;
use producer_core::wire::stored::records;
use producer_core::wire::{Fields, SerializeType};
use sim::model::Release;
use sim::model::broker::{Broker, BrokerConfig, TopicConfig};

use crate::support::direct::Direct;
use crate::support::{Got, send_request};

pub(crate) fn config() -> BrokerConfig {
    let mut config = BrokerConfig::new("broker-a", SocketAddr::from(([127, 0, 0, 1], 10_911)));
    config.topics.push(("T".into(), TopicConfig::queues(4)));
    config.wall_origin_ms = 1_700_000_000_000;
    config
}

pub(crate) fn send(broker: &mut Direct<Broker>, topic: &str, queue_id: i32, body: &str) -> Got {
    let conn = broker.connect();
    let request = send_request(topic, queue_id);
    let mut got = broker.ask(conn, 310, &request.to_ext(SendForm::V2), body.as_bytes());
    assert_eq!(got.len(), 1);
    got.remove(0)
}

#[test]
fn offsets_grow_by_queue_and_by_record() {
    let mut broker = Direct::new(Broker::new(config()));

    for body in ["one", "two"] {
        assert_eq!(send(&mut broker, "T", 1, body).code, 0);
    }
    let third = send(&mut broker, "T", 3, "three");

    assert_eq!(third.ext("queueOffset"), Some("0"));
    let messages = broker.node.messages();
    let offsets: Vec<_> = messages.iter().map(|m| (m.queue_id, m.queue_offset)).collect();
    assert_eq!(offsets, [(1, 0), (1, 1), (3, 0)]);
    assert_eq!(messages[0].physical_offset, 0);
    let len = messages[1].physical_offset;
    assert_eq!(messages[2].physical_offset, 2 * len);
    assert_eq!(messages[2].uniq_key(), Some("0A"));
    assert_eq!(messages[2].store_timestamp, 1_700_000_001_000);
    assert_eq!(third.ext("msgId"), Some(messages[2].offset_message_id().as_str()));
}

#[test]
fn a_negative_queue_is_any_queue_of_the_same_seed() {
    let pick = |seed| {
        let mut broker = Direct::new(Broker::new(BrokerConfig { seed, ..config() }));
        let queues = (0..20).map(|_| send(&mut broker, "T", -1, "x"));
        queues.map(|got| got.ext("queueId").map(str::to_owned)).collect::<Vec<_>>()
    };

    assert_eq!(pick(1), pick(1));
    assert_ne!(pick(1), pick(2));
}

#[test]
fn a_priority_chooses_the_queue() {
    let mut broker = Direct::new(Broker::new(config()));
    let conn = broker.connect();
    let mut send = |text: &str| {
        let mut request = send_request("T", 2);
        request.properties = Some(format!("UNIQ_KEY\u{1}0A\u{2}{text}\u{2}").into());
        let got = broker.ask(conn, 310, &request.to_ext(SendForm::V2), b"x").remove(0);
        got.ext("queueId").map(str::to_owned)
    };
    let queues = ["0", "1", "9", "-1"].map(|p| send(&format!("_SYS_MSG_PRIORITY_\u{1}{p}")));
    assert_eq!(queues.map(|id| id.unwrap_or_default()), ["0", "1", "3", "2"]);
    let ordered = send("_SYS_MSG_PRIORITY_\u{1}0\u{2}__SHARDINGKEY\u{1}s");
    assert_eq!(ordered.as_deref(), Some("2"));
}

#[test]
fn a_batch_is_stored_member_by_member_or_not_at_all() {
    let mut broker = Direct::new(Broker::new(config()));
    let conn = broker.connect();
    let mut body = Vec::new();
    for member in ["a", "b", "c"] {
        batch::push_member(&mut body, 7, member.as_bytes(), b"n\x011\x02").unwrap();
    }
    let mut fields = send_request("T", 0);
    fields.batch = Some(true);

    let got = broker.ask(conn, 320, &fields.to_ext(SendForm::V2), &body);
    let cut = broker.ask(conn, 320, &fields.to_ext(SendForm::V2), &body[..body.len() - 1]);

    assert_eq!(got[0].ext("msgId").map(|ids| ids.split(',').count()), Some(3));
    assert_eq!(got[0].ext("queueOffset"), Some("0"));
    assert_eq!(cut[0].code, 1);
    let messages = broker.node.messages();
    assert_eq!(messages.len(), 3);
    assert_eq!((messages[2].flag, messages[2].queue_offset), (7, 2));
    assert!(messages[1].properties.iter().eq([("n", "1")]));

    fields.batch = None;
    let got = broker.ask(conn, 320, &fields.to_ext(SendForm::V2), &body);
    assert_eq!((got[0].code, broker.node.messages().len()), (0, 4), "only the flag says batch");
}

#[test]
fn a_send_creates_its_topic_as_tbw102_says() {
    let mut broker = Direct::new(Broker::new(config()));
    assert_eq!(send(&mut broker, "new", 0, "x").code, 0);
    let created = broker.node.topics().into_iter().find(|topic| topic.0 == "new");
    assert_eq!(created.map(|topic| topic.1), Some(TopicConfig::queues(4)));

    let off = BrokerConfig { auto_create_topics: false, ..config() };
    let mut broker = Direct::new(Broker::new(off));
    let got = send(&mut broker, "new", 0, "x");
    assert_eq!(got.code, 17);
    assert!(got.remark.is_some_and(|remark| remark.starts_with("topic[new] not exist, apply")));
    assert!(broker.node.messages().is_empty());
}

#[test]
fn one_way_sends_are_stored_and_never_answered() {
    let mut broker = Direct::new(Broker::new(config()));
    let conn = broker.connect();
    for topic in ["T", "bad topic!"] {
        let request = send_request(topic, 0);
        let mut frame = broker.request(310, &request.to_ext(SendForm::V2), b"x");
        let at = frame.windows(8).position(|part| part == b"\"flag\":0").unwrap();
        frame[at + 7] = b'2';

        assert!(broker.receive(conn, &frame).is_empty());
    }

    assert_eq!(broker.node.messages().len(), 1);
}

#[test]
fn releases_refuse_differently() {
    for (release, queue, slave) in [(Release::V5_4_0, 29, 2), (Release::V4_9_7, 1, 14)] {
        let mut broker = Direct::new(Broker::new(BrokerConfig { release, ..config() }));
        assert_eq!(send(&mut broker, "T", 99, "x").code, queue);
        broker.with(|broker, now| broker.set_id(now, 1));
        assert_eq!(send(&mut broker, "T", 0, "x").code, slave);
        assert!(broker.node.messages().is_empty());
    }
}

#[test]
fn what_has_no_model_is_refused_and_not_stored() {
    let mut broker = Direct::new(Broker::new(config()));
    let conn = broker.connect();
    for (sys_flag, properties) in
        [(4, "TRAN_MSG\u{1}false\u{2}"), (4, "TRAN_MSG\u{1}true\u{2}DELAY\u{1}3\u{2}")]
    {
        let mut request = send_request("T", 0);
        request.sys_flag = sys_flag;
        request.properties = Some(properties.into());
        let got = broker.ask(conn, 310, &request.to_ext(SendForm::V2), b"x");
        assert_eq!(got[0].code, 3, "{properties:?}");
    }
    assert!(broker.node.messages().is_empty());
}

#[test]
fn a_queue_is_pulled_in_pieces_of_32() {
    let mut broker = Direct::new(Broker::new(config()));
    for n in 0..40 {
        send(&mut broker, "T", 0, &n.to_string());
    }
    let conn = broker.connect();
    let mut pull = |offset: i64| {
        let fields = Fields::new()
            .text("topic", "T")
            .show("queueId", 0)
            .show("queueOffset", offset)
            .show("maxMsgNums", 100);
        broker.ask(conn, 11, &fields, b"").remove(0)
    };

    let first = pull(0);
    assert_eq!((first.code, first.ext("nextBeginOffset")), (0, Some("32")));
    assert_eq!(records(&first.body).filter(Result::is_ok).count(), 32);
    let second = pull(32);
    assert_eq!(records(&second.body).filter(Result::is_ok).count(), 8);
    assert_eq!(second.ext("maxOffset"), Some("40"));
    assert_eq!((pull(40).code, pull(41).code, pull(-1).code), (19, 21, 21));
}

#[test]
fn messages_are_found_by_offset_key_and_time() {
    let mut broker = Direct::new(Broker::new(config()));
    let first = send(&mut broker, "T", 0, "first");
    let _ = broker.pass(std::time::Duration::from_secs(1));
    send(&mut broker, "T", 0, "second");
    let conn = broker.connect();

    let view = broker.ask(conn, 33, &Fields::new().show("offset", 0), b"").remove(0);
    let stored = records(&view.body).next().unwrap().unwrap();
    assert_eq!(stored.body, b"first".as_slice());
    assert_eq!(Some(stored.offset_message_id().encode().as_str()), first.ext("msgId"));
    assert_eq!(broker.ask(conn, 33, &Fields::new().show("offset", 7), b"")[0].code, 1);

    let query = Fields::new()
        .text("topic", "T")
        .text("key", "0A")
        .show("maxNum", 1)
        .show("beginTimestamp", 0)
        .show("endTimestamp", i64::MAX)
        .show("_UNIQUE_KEY_QUERY", true);
    let found = broker.ask(conn, 12, &query, b"").remove(0);
    assert_eq!(records(&found.body).filter(Result::is_ok).count(), 2);

    let queue = Fields::new().text("topic", "T").show("queueId", 0);
    let late = queue.clone().show("timestamp", 1_700_000_001_500_i64);
    assert_eq!(broker.ask(conn, 29, &late, b"")[0].ext("offset"), Some("1"));
    assert_eq!(broker.ask(conn, 30, &queue, b"")[0].ext("offset"), Some("2"));
    assert_eq!(broker.ask(conn, 31, &queue, b"")[0].ext("offset"), Some("0"));
    let earliest = broker.ask(conn, 32, &queue, b"").remove(0);
    assert_eq!(earliest.ext("timestamp"), Some("1700000001000"));
}

#[test]
fn the_log_keeps_to_its_limit_and_says_what_it_dropped() {
    let small = BrokerConfig { log_bytes_max: 3 << 20, ..config() };
    let mut broker = Direct::new(Broker::new(small));
    let body = "x".repeat(100_000);
    for _ in 0..100 {
        send(&mut broker, "T", 0, &body);
    }
    let counters = broker.node.counters();
    let messages = broker.node.messages();

    assert_eq!(counters.stored, 100);
    assert!(counters.dropped > 50, "{counters:?}");
    assert_eq!(messages.len() as u64, counters.stored - counters.dropped);
    assert_eq!(messages[0].queue_offset as u64, counters.dropped);
    let conn = broker.connect();
    let queue = Fields::new().text("topic", "T").show("queueId", 0);
    let min = broker.ask(conn, 31, &queue, b"").remove(0);
    assert_eq!(min.ext("offset"), Some(counters.dropped.to_string().as_str()));
}

#[test]
fn clients_are_known_while_they_beat() {
    let mut broker = Direct::new(Broker::new(config()));
    let conn = broker.connect();
    let beat = br#"{"clientID":"c@1","producerDataSet":[{"groupName":"g"}]}"#;
    broker.ask(conn, 34, &Fields::new(), beat);
    assert_eq!(broker.node.clients(), ["c@1"]);

    let leave = Fields::new().text("clientID", "c@1").text("producerGroup", "g");
    broker.ask(conn, 35, &leave, b"");
    assert!(broker.node.clients().is_empty());

    broker.ask(conn, 34, &Fields::new(), beat);
    broker.pass(std::time::Duration::from_secs(121));
    assert!(broker.node.clients().is_empty());
    assert_eq!(broker.closed, [conn]);
}

#[test]
fn answers_are_in_the_form_of_their_release() {
    let form = |release, serialize| {
        let mut broker = Direct::new(Broker::new(BrokerConfig { release, serialize, ..config() }));
        let conn = broker.connect();
        let frame = broker.request(30, &Fields::new().text("topic", "T").show("queueId", 0), b"");
        let sent = broker.receive(conn, &frame);
        sent[0].1[4]
    };

    assert_eq!(form(Release::V5_4_0, SerializeType::RocketMq), 1);
    assert_eq!(form(Release::V4_9_7, SerializeType::RocketMq), 0);
}
