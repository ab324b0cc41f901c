//! When delayed messages show up, and how they are recalled.

use std::time::Duration;

use producer_core::wire::properties;
use producer_core::wire::recall::{RecallHandle, RecallRequest};
use producer_core::wire::send::SendForm;
use sim::model::broker::{Broker, BrokerConfig, DelayedMessage, Why};
use sim::model::{ConnId, Node, Release};

use super::broker::config;
use crate::support::direct::Direct;
use crate::support::{Got, send_request};

/// The wall time of a test's broker at its start, a whole second.
const START: i64 = 1_700_000_001_000;

fn begun(config: BrokerConfig) -> (Direct<Broker>, ConnId) {
    let mut broker = Direct::new(Broker::new(config));
    let conn = broker.connect();
    (broker, conn)
}

/// Sends a message to queue 2 of topic `T`.
fn send(broker: &mut Direct<Broker>, conn: ConnId, key: &str, how: &[(&str, &str)]) -> Got {
    let mut request = send_request("T", 2);
    let all = [("UNIQ_KEY", key)].into_iter().chain(how.iter().copied());
    request.properties = Some(properties::encode(all).into());
    broker.ask(conn, 310, &request.to_ext(SendForm::V2), b"later").remove(0)
}

/// After how many milliseconds, of ten each, there are so many messages.
fn shows_up(broker: &mut Direct<Broker>, messages: usize) -> u128 {
    let start = broker.now;
    for _ in 0..10_000 {
        if broker.node.messages().len() == messages {
            break;
        }
        let _ = broker.pass(Duration::from_millis(10));
    }
    broker.now.since(start).as_millis()
}

fn recall(broker: &mut Direct<Broker>, conn: ConnId, topic: &str, handle: &str) -> Got {
    let asked = RecallRequest {
        topic: topic.to_owned(),
        recall_handle: handle.to_owned(),
        ..RecallRequest::default()
    };
    broker.ask(conn, 370, &asked.to_ext(), b"").remove(0)
}

fn only(broker: &Direct<Broker>) -> DelayedMessage {
    let mut all = broker.node.delayed_messages();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn levels_are_waited_for() {
    for release in [Release::V4_9_7, Release::V5_4_0] {
        let (mut broker, conn) = begun(BrokerConfig { release, ..config() });

        let got = send(&mut broker, conn, "K", &[("DELAY", "2"), ("TIMER_DELAY_SEC", "1")]);

        assert_eq!(
            (got.code, got.ext("queueId"), got.ext("queueOffset")),
            (0, Some("2"), Some("0"))
        );
        assert_eq!(got.ext("recallHandle"), None);
        assert!(broker.node.messages().is_empty());
        assert_eq!(only(&broker).due_at, START + 5_000);
        assert_eq!(shows_up(&mut broker, 1), 5_000);
        let shown = &broker.node.messages()[0];
        assert_eq!((&*shown.topic, shown.queue_id, shown.queue_offset), ("T", 2, 0));
        assert_eq!((shown.uniq_key(), &*shown.body), (Some("K"), b"later".as_slice()));
        assert_eq!((shown.property("REAL_TOPIC"), shown.property("DELAY")), (Some("T"), Some("2")));
        assert!(only(&broker).delivered);
        assert!(broker.node.topics().iter().all(|topic| topic.0 != "SCHEDULE_TOPIC_XXXX"));
    }
}

#[test]
fn a_level_beyond_the_last_is_the_last_and_none_is_no_delay() {
    let levels = vec![Duration::from_secs(1), Duration::from_secs(3)];
    let (mut broker, conn) = begun(BrokerConfig { delay_levels: levels, ..config() });

    send(&mut broker, conn, "K", &[("DELAY", "99")]);
    assert_eq!(shows_up(&mut broker, 1), 3_000);
    send(&mut broker, conn, "L", &[("DELAY", "0")]);
    send(&mut broker, conn, "M", &[("DELAY", "-1")]);
    assert_eq!(broker.node.messages().len(), 3);
    let bad = send(&mut broker, conn, "N", &[("DELAY", "x")]);
    assert_eq!((bad.code, bad.ext.len()), (1, 0), "an exception in Java");
}

#[test]
fn timers_are_rounded_and_the_first_property_counts() {
    let deliver = (START + 2_500).to_string();
    for (how, after) in [
        (vec![("TIMER_DELAY_MS", "1500")], 2_000),
        (vec![("TIMER_DELAY_MS", "300")], 1_000),
        (vec![("TIMER_DELAY_SEC", "3")], 3_000),
        (vec![("TIMER_DELIVER_MS", &*deliver)], 3_000),
        (vec![("TIMER_DELIVER_MS", &*deliver), ("TIMER_DELAY_SEC", "7")], 7_000),
        (vec![("TIMER_DELIVER_MS", "5")], 0),
    ] {
        let (mut broker, conn) = begun(config());
        let got = send(&mut broker, conn, "K", &how);
        assert_eq!((got.code, got.ext("queueId")), (0, Some("2")));
        assert_eq!(got.ext("recallHandle").is_some(), after > 0, "{how:?}");
        // Real ones need up to 0.5 s more.
        assert_eq!(shows_up(&mut broker, 1), after, "{how:?}");
        let shown = &broker.node.messages()[0];
        assert_eq!(shown.property("TIMER_OUT_MS").is_some(), after > 0);
    }
}

#[test]
fn timers_have_a_limit_and_can_be_switched_off() {
    let (mut broker, conn) = begun(config());
    let far = send(&mut broker, conn, "K", &[("TIMER_DELAY_SEC", "259201")]);
    assert_eq!(far.code, 13);
    assert!(far.remark.is_some_and(|remark| remark.contains("max delay 259200000ms")));
    assert_eq!(send(&mut broker, conn, "K", &[("TIMER_DELAY_SEC", "x")]).code, 13);
    assert_eq!(send(&mut broker, conn, "K", &[("TIMER_DELAY_SEC", "259200")]).code, 0);

    let (mut broker, conn) = begun(BrokerConfig { timers: false, ..config() });
    let off = send(&mut broker, conn, "K", &[("TIMER_DELAY_SEC", "1")]);
    assert_eq!((off.code, broker.node.delayed_messages().len()), (1, 0));

    let release = Release::V4_9_7;
    let (mut broker, conn) = begun(BrokerConfig { release, ..config() });
    send(&mut broker, conn, "K", &[("TIMER_DELAY_SEC", "1")]);
    assert_eq!(broker.node.messages().len(), 1, "4.9.7 delivers at once");
    assert_eq!(recall(&mut broker, conn, "T", "x").code, 3);
}

#[test]
fn a_recalled_message_never_shows_up() {
    let (mut broker, conn) = begun(BrokerConfig { recall: true, ..config() });
    let sent = send(&mut broker, conn, "K", &[("TIMER_DELAY_SEC", "3")]);
    send(&mut broker, conn, "L", &[("TIMER_DELAY_SEC", "3")]);
    let handle = sent.ext("recallHandle").expect("a handle");

    let got = recall(&mut broker, conn, "T", handle);

    assert_eq!(
        (got.code, got.ext("msgId"), got.ext("MSG_REGION")),
        (0, Some("K"), Some("DefaultRegion"))
    );
    let _ = broker.pass(Duration::from_secs(60));
    let keys: Vec<_> =
        broker.node.messages().iter().map(|m| m.uniq_key().map(str::to_owned)).collect();
    assert_eq!(keys, [Some("L".to_owned())]);
    let all = broker.node.delayed_messages();
    let ends: Vec<_> = all.iter().map(|one| (one.delivered, one.recalled)).collect();
    assert_eq!(ends, [(false, true), (true, false)]);
    let late = recall(&mut broker, conn, "T", handle);
    assert_eq!((late.code, &*late.remark.expect("why")), (604, "recall failed, timestamp invalid"));
}

#[test]
fn recalls_are_refused_as_they_are() {
    let (mut broker, conn) = begun(BrokerConfig { recall: true, ..config() });
    let handle = |topic: &str, broker: &str, at: i64| {
        let handle = RecallHandle {
            topic: topic.to_owned(),
            broker_name: broker.to_owned(),
            timestamp: at.to_string(),
            message_id: "K".to_owned(),
        };
        handle.encode()
    };
    let good = handle("T", "broker-a", START + 1_000);
    for (topic, handle, code) in [
        ("T", "bm90IGEgaGFuZGxl".to_owned(), 604),
        ("T", handle("U", "broker-a", START + 1_000), 604),
        ("T", handle("T", "broker-b", START + 1_000), 604),
        ("T", handle("T", "broker-a", START), 604),
        ("T", handle("T", "broker-a", START + 259_200_000), 604),
        ("nowhere", good.clone(), 17),
        ("T", good.clone(), 0),
    ] {
        assert_eq!(recall(&mut broker, conn, topic, &handle).code, code, "{topic} {handle}");
    }
    broker.with(|broker, now| broker.set_permission(now, 4));
    assert_eq!(recall(&mut broker, conn, "T", &good).code, 14);
    broker.with(|broker, now| broker.set_id(now, 1));
    assert_eq!(recall(&mut broker, conn, "T", &good).code, 11);
    let (mut broker, conn) = begun(config());
    assert_eq!(recall(&mut broker, conn, "T", &good).code, 16);
}

#[test]
fn what_waits_survives_a_crash_but_not_a_loss_of_power() {
    let (mut broker, conn) = begun(BrokerConfig { recall: true, ..config() });
    let sent = send(&mut broker, conn, "K", &[("TIMER_DELAY_SEC", "9")]);
    send(&mut broker, conn, "L", &[("DELAY", "1")]);
    broker.with(|broker, now| broker.handle_start(now));
    let _ = broker.pass(Duration::from_secs(2));
    assert_eq!(broker.node.messages().len(), 1);
    let flushed = broker.now;
    let _ = broker.pass(Duration::from_millis(1));
    let conn = broker.connect();
    let handle = sent.ext("recallHandle").expect("a handle");
    assert_eq!(recall(&mut broker, conn, "T", handle).code, 0);
    send(&mut broker, conn, "M", &[("DELAY", "1")]);

    broker.with(|broker, now| {
        broker.lose_tail(flushed, 1);
        broker.handle_start(now);
    });

    let all = broker.node.delayed_messages();
    let ends: Vec<_> = all.iter().map(|one| (one.delivered, one.recalled)).collect();
    assert_eq!(ends, [(false, false), (true, false)], "the recall is lost, and M");
    assert!(broker.node.cuts().iter().any(|cut| cut.message.uniq_key() == Some("M")));
    let _ = broker.pass(Duration::from_secs(60));
    assert_eq!(broker.node.messages().len(), 2);
}

#[test]
fn a_full_disk_a_deleted_topic_and_a_slave_deliver_nothing() {
    let (mut broker, conn) = begun(config());
    send(&mut broker, conn, "K", &[("DELAY", "1")]);
    let mut slave = Direct::new(Broker::new(BrokerConfig { id: 1, ..config() }));
    slave.node.catch_up_with(&broker.node);
    broker.node.fill_disk(true);
    let _ = broker.pass(Duration::from_secs(60));
    assert!(broker.node.messages().is_empty());
    broker.node.fill_disk(false);
    assert!(shows_up(&mut broker, 1) <= 1_000);

    let _ = slave.pass(Duration::from_secs(60));
    assert!(slave.node.messages().is_empty());
    slave.with(|broker, now| {
        broker.become_master(now, 1, 1);
        broker.delete_topic(now, "T");
    });
    let _ = slave.pass(Duration::from_secs(1));
    assert!(slave.node.messages().is_empty());
    assert_eq!(slave.node.cuts()[0].why, Why::TopicDeleted);
}
