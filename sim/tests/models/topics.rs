//! What topics are told when they are made, and what that changes.

use producer_core::wire::send::SendForm;
use producer_core::wire::stored::records;
use producer_core::wire::topic_config::CreateTopic;
use producer_core::wire::{Fields, batch, sys_flag};
use sim::model::broker::{Broker, BrokerConfig};
use sim::model::{ConnId, Release};

use super::broker::config;
use crate::support::direct::Direct;
use crate::support::{Got, send_request};

fn begun(release: Release) -> (Direct<Broker>, ConnId) {
    let mut broker = Direct::new(Broker::new(BrokerConfig { release, ..config() }));
    let conn = broker.connect();
    (broker, conn)
}

fn create(broker: &mut Direct<Broker>, conn: ConnId, topic: &str, attributes: &str) -> Got {
    let asked = CreateTopic {
        topic: topic.to_owned(),
        default_topic: "TBW102".to_owned(),
        read_queue_nums: 2,
        write_queue_nums: 2,
        perm: 6,
        topic_filter_type: "SINGLE_TAG".to_owned(),
        order: "false".to_owned(),
        attributes: Some(attributes.to_owned()),
        ..CreateTopic::default()
    };
    broker.ask(conn, 17, &asked.to_ext(), b"").remove(0)
}

#[test]
fn attributes_are_kept_and_checked() {
    let (mut broker, conn) = begun(Release::V5_4_0);

    assert_eq!(create(&mut broker, conn, "A", "+message.type=FIFO,+reserve.time=5").code, 0);
    let all = [("message.type", "FIFO"), ("reserve.time", "5")];
    let all = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(broker.node.topic_attributes("A"), all);
    assert_eq!(create(&mut broker, conn, "A", "-reserve.time,+message.type=DELAY").code, 0);
    let delay = [("message.type".to_owned(), "DELAY".to_owned())];
    assert_eq!(broker.node.topic_attributes("A"), delay);
    for (wrong, code) in [
        ("+message.type=LOUD", 1),
        ("+colour=blue", 1),
        ("message.type=FIFO", 1),
        ("+message.type=MIXED", 29),
        ("-reserve.time", 1),
    ] {
        assert_eq!(create(&mut broker, conn, "B", wrong).code, code, "{wrong}");
    }
    assert!(broker.node.topics().iter().all(|topic| topic.0 != "B"));
    assert_eq!(create(&mut broker, conn, "A", "+queue.type=SimpleCQ").code, 0);
    assert_eq!(create(&mut broker, conn, "A", "+queue.type=BatchCQ").code, 1, "unchangeable");

    let (mut broker, conn) = begun(Release::V4_9_7);
    assert_eq!(create(&mut broker, conn, "A", "+message.type=FIFO").code, 0);
    assert!(broker.node.topic_attributes("A").is_empty());
}

#[test]
fn a_topic_with_inner_batches_stores_a_batch_as_one_record() {
    let (mut broker, conn) = begun(Release::V5_4_0);
    create(&mut broker, conn, "I", "+queue.type=BatchCQ");
    let mut body = Vec::new();
    for key in ["a", "b", "c"] {
        let properties = format!("UNIQ_KEY\u{1}{key}\u{2}");
        batch::push_member(&mut body, 7, key.as_bytes(), properties.as_bytes()).expect("it fits");
    }
    let mut request = send_request("I", 0);
    request.batch = Some(true);
    let fields = request.to_ext(SendForm::V2);
    broker.ask(conn, 320, &fields, &body);

    let got = broker.ask(conn, 320, &fields, &body).remove(0);

    assert_eq!((got.ext("batchUniqId"), got.ext("queueOffset")), (Some("0A"), Some("3")));
    assert_eq!(got.ext("msgId").map(str::len), Some(32));
    let messages = broker.node.messages();
    let seen: Vec<_> =
        messages.iter().map(|one| (one.uniq_key().unwrap_or(""), one.queue_offset)).collect();
    assert_eq!(seen, [("a", 0), ("b", 1), ("c", 2), ("a", 3), ("b", 4), ("c", 5)]);
    let pull = Fields::new()
        .text("topic", "I")
        .show("queueId", 0)
        .show("queueOffset", 0)
        .show("maxMsgNums", 32);
    let pulled = broker.ask(conn, 11, &pull, b"").remove(0);
    assert_eq!(pulled.ext("nextBeginOffset"), Some("6"));
    let pulled: Vec<_> = records(&pulled.body).map(|one| one.expect("a record")).collect();
    assert_eq!(pulled.len(), 2);
    assert_eq!(pulled[1].sys_flag, sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP);
    let mut slave = Direct::new(Broker::new(BrokerConfig { id: 1, ..config() }));
    slave.node.catch_up_with(&broker.node);
    assert_eq!(slave.node.messages().len(), 6);
    let cut = broker.ask(conn, 320, &fields, &body[..body.len() - 1]).remove(0);
    assert_eq!((cut.code, broker.node.messages().len()), (1, 6));
}

#[test]
fn one_index_leads_from_unique_and_other_keys() {
    let (mut broker, conn) = begun(Release::V5_4_0);
    let mut request = send_request("T", 0);
    request.properties = Some("UNIQ_KEY\u{1}0A\u{2}KEYS\u{1}red blue\u{2}".into());
    broker.ask(conn, 310, &request.to_ext(SendForm::V2), b"x");
    let mut found = |key: &'static str, unique: bool| {
        let query = Fields::new()
            .text("topic", "T")
            .text("key", key)
            .show("maxNum", 8)
            .show("beginTimestamp", 0)
            .show("endTimestamp", i64::MAX)
            .show("_UNIQUE_KEY_QUERY", unique)
            .text("indexType", if unique { "U" } else { "K" });
        broker.ask(conn, 12, &query, b"").remove(0).code
    };

    for unique in [true, false] {
        let codes = ["0A", "blue", "re"].map(|key| found(key, unique));
        assert_eq!(codes, [0, 0, 22]);
    }
}
