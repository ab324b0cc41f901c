//! What does the trace topic get, and what does tracing cost those who send?

use crate::pair::{Does, World, ms, route_json};
use producer_core::wire::trace::{Labels, TraceEvent, TraceRecord, TracedKind, records};
use producer_core::{
    AccessChannel, AskTarget, Batch, Config, Decision, Message, Output, Receipt, Request,
    SendOptions, Trace, wire,
};

const TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";

fn traced(change: impl FnOnce(&mut Trace)) -> Config {
    let mut trace = Trace::default();
    change(&mut trace);
    Config { trace: Some(trace), ..Config::default() }
}

/// A world whose broker `c` has the trace topic.
fn world(change: impl FnOnce(&mut Trace)) -> World {
    let mut world = World::new(traced(change));
    world.broker("c:1");
    world.routes.insert(TOPIC.into(), route_json(&[("c", "c:1")], 2));
    world
}

fn body(text: &str) -> Message {
    Message::new("t", text.as_bytes().to_vec()).expect("valid")
}

/// Sends so many and waits for all.
fn send(world: &mut World, count: usize) -> Vec<Receipt> {
    let sent = (0..count).map(|n| world.sent(&n.to_string()).expect("stored"));
    sent.collect()
}

/// The trace messages at `c`: KEYS and body.
fn traces(world: &World) -> Vec<(String, String)> {
    let keys = |text: &str| wire::properties::get(text, "KEYS").unwrap_or("").to_owned();
    let stored = world.peers["c:1"].stored.iter();
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).expect("text");
    stored.map(|stored| (keys(&stored.properties), text(&stored.body))).collect()
}

/// All records, in the order in which they were stored.
fn all_records(world: &World) -> Vec<TraceRecord<'static>> {
    let bodies: Vec<String> = traces(world).into_iter().map(|(_, body)| body).collect();
    let text: &'static str = String::leak(bodies.concat());
    records(text).collect::<Result<_, _>>().expect("records")
}

fn labels(record: &TraceRecord<'_>) -> (Option<String>, Option<String>, Option<String>) {
    let (TraceEvent::Publish { labels, .. } | TraceEvent::EndTransaction { labels, .. }) =
        &record.event
    else {
        panic!("no labels: {record:?}")
    };
    let Labels { tags, keys, store_host } = labels;
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(String::from);
    (text(tags), text(keys), text(store_host))
}

#[test]
fn ten_records_make_a_message_that_is_found_by_every_id() {
    let mut world = world(|_| {});

    let receipts = send(&mut world, 10);
    world.run(ms(50));

    let [(keys, body)] = &traces(&world)[..] else { panic!("one message") };
    let found: Vec<&str> = keys.split(' ').collect();
    let ids: Vec<String> = receipts.iter().map(|r| r.message_id.to_string()).collect();
    assert_eq!(found, ids);
    assert_eq!(records(body).count(), 10);
    assert_eq!(world.producer.stats().traces, 10);
}

#[test]
fn a_lonely_record_waits_five_seconds() {
    let mut world = world(|_| {});
    send(&mut world, 1);

    world.run(ms(4_900));
    assert_eq!(traces(&world).len(), 0);
    world.run(ms(200));

    let records = all_records(&world);
    let [record] = &records[..] else { panic!("one record") };
    let TraceEvent::Publish { body_bytes, cost_ms, kind, offset_id, success, .. } = &record.event
    else {
        panic!("a publication")
    };
    assert_eq!((*body_bytes, *kind, *success), (1, TracedKind::Normal, true));
    assert_eq!(offset_id.as_deref(), Some("7F00000100002A9F0000000000000001"));
    assert!((2..=8).contains(cost_ms), "{cost_ms} ms");
    let host = labels(record).2.expect("a host");
    assert!(host == "a:1" || host == "b:1", "{host}");
    assert_eq!((&*record.region, &*record.group), ("DefaultRegion", "RUST_PRODUCER"));
    assert!(record.time_ms >= crate::pair::UNIX_MS && record.time_ms < crate::pair::UNIX_MS + 100);
}

#[test]
fn tags_and_keys_are_noted_and_indexed() {
    let mut world = world(|_| {});
    let message = body("x").tag("eu").and_then(|m| m.keys(["k1", "k2"])).expect("valid");
    let (ticket, _) = world.send_message(message, SendOptions::default());
    let receipt = world.finish(ticket).expect("stored");
    world.run(ms(5_100));

    let (keys, _) = traces(&world).remove(0);
    assert_eq!(keys, format!("{} k1 k2", receipt.message_id));
    let (tags, keys, _) = labels(&all_records(&world)[0]);
    assert_eq!((tags.as_deref(), keys.as_deref()), (Some("eu"), Some("k1 k2")));
}

#[test]
fn traces_are_nobodys_sends() {
    let mut world = world(|_| {});
    send(&mut world, 30);
    world.run(ms(20));
    world.broker("c:1").does = Does::Hang;
    send(&mut world, 10);

    let stats = world.producer.stats();

    assert_eq!((stats.accepted, stats.stored, stats.attempts), (40, 40, 40));
    assert_eq!((stats.in_hand, stats.bytes_in_hand, stats.unknown), (0, 0, 0));
    assert_eq!(stats.traces, 30);
    world.run(ms(6_000));
    assert_eq!(world.producer.stats().traces_dropped, 10, "after five seconds without an answer");
    assert_eq!(world.producer.stats().unknown, 0);
}

#[test]
fn traces_are_not_traced() {
    let mut world = world(|_| {});
    send(&mut world, 10);
    let own = Message::new(TOPIC, "by hand").expect("valid");
    let (ticket, _) = world.send_message(own, SendOptions::default());
    world.finish(ticket).expect("stored");

    world.run(ms(60_000));

    assert_eq!(world.peers["c:1"].stored.len(), 2, "the traces and what was sent by hand");
    assert_eq!(world.producer.stats().traces, 10);
}

#[test]
fn a_missing_trace_topic_costs_nothing_but_the_traces() {
    let mut world = World::new(traced(|_| {}));

    let slowest = (0..200).map(|n| {
        let before = world.now;
        world.sent(&n.to_string()).expect("stored");
        world.now.since(before)
    });

    assert!(slowest.skip(8).all(|took| took <= ms(3)), "a send waited for traces");
    world.run(ms(6_000));
    let stats = world.producer.stats();
    assert_eq!((stats.stored, stats.traces, stats.traces_dropped), (200, 0, 200));
    assert_eq!(stats.in_hand, 0);
}

/// A trace broker that hangs holds what is under way and what waits, and no more.
#[test]
fn records_that_nobody_takes_are_bounded_and_counted() {
    let mut world = world(|trace| trace.records_max = 100);
    world.broker("c:1").does = Does::Hang;
    let started = world.now;

    for n in 0..2_000 {
        world.send(&n.to_string());
    }
    world.run(ms(1_000));

    let stats = world.producer.stats();
    assert_eq!((stats.stored, stats.in_hand), (2_000, 0), "the application's sends are done");
    assert!(stats.traces_dropped >= 2_000 - 100 - 32 * 10, "{stats:?}");
    world.close(ms(2_000));
    world.run(ms(3_000));
    assert!(world.closed.is_some(), "closed in its time");
    assert_eq!(world.producer.stats().traces_dropped, 2_000);
    assert!(world.now.since(started) < ms(10_000));
}

/// With room for one send, its own trace must not keep the next one waiting.
#[test]
fn traces_take_no_room_from_sends() {
    let mut config = traced(|trace| trace.batch = 1);
    (config.sends_max, config.waiting_max) = (1, 0);
    let mut world = World::new(config);
    world.broker("c:1").does = Does::Hang;
    world.routes.insert(TOPIC.into(), route_json(&[("c", "c:1")], 1));

    for n in 0..20 {
        world.sent(&n.to_string()).expect("there is room for one");
    }
}

#[test]
fn a_close_sends_the_last_traces_and_reports_only_sends() {
    let mut world = world(|_| {});
    send(&mut world, 3);
    world.send("4");

    world.close(ms(3_000));
    world.run(ms(1_000));

    let report = world.closed.clone().expect("closed");
    assert_eq!((report.stored, report.not_sent, report.unknown), (1, 0, 0));
    assert_eq!(all_records(&world).len(), 4);
}

#[test]
fn each_message_of_a_batch_has_its_record() {
    let mut world = world(|_| {});
    let messages = ["a", "b", "c"].map(|text| body(text).keys([text]).expect("valid"));
    let batch = Batch::new(messages).expect("valid");
    let (ticket, _) = world.send_batch(batch, SendOptions::default());
    world.run(ms(5_100));

    let receipts = world.batches_done.remove(&ticket).expect("ended").expect("stored");
    let records = all_records(&world);
    let ids = |record: &TraceRecord<'_>| record.message_id.to_string();
    assert_eq!(
        records.iter().map(ids).collect::<Vec<_>>(),
        receipts.iter().map(|receipt| receipt.message_id.to_string()).collect::<Vec<_>>(),
    );
    let keys: Vec<_> = records.iter().filter_map(|record| labels(record).1).collect();
    assert_eq!(keys, ["a", "b", "c"]);
    let offset_id = |record: &TraceRecord<'_>| match &record.event {
        TraceEvent::Publish { offset_id, .. } => offset_id.as_deref().map(String::from),
        _ => None,
    };
    let of_receipts = receipts.iter().map(|receipt| receipt.offset_id.map(|id| id.to_string()));
    assert!(records.iter().map(offset_id).eq(of_receipts));
}

#[test]
fn a_half_message_and_its_end_are_traced() {
    for (decision, name) in [
        (Decision::Commit, "COMMIT_MESSAGE"),
        (Decision::Rollback, "ROLLBACK_MESSAGE"),
        (Decision::Unknown, "UNKNOW"),
    ] {
        let mut world = world(|_| {});
        let message = body("x").tag("eu").and_then(|m| m.keys(["k"])).expect("valid");
        world.producer.send_half(world.now, 0, message, SendOptions::default());
        world.run(ms(0));
        world.run(ms(100));
        let ended = world.others.pop();
        let Some(Output::Prepared { result: Ok(half), .. }) = ended else { panic!("stored") };
        assert!(world.producer.end_transaction(world.now, &half.transaction, decision, None));
        world.run(ms(0));
        world.run(ms(5_100));

        let records = all_records(&world);
        let [publish, end] = &records[..] else { panic!("two records: {records:?}") };
        assert!(matches!(publish.event, TraceEvent::Publish { kind: TracedKind::Half, .. }));
        let TraceEvent::EndTransaction { state, from_check, transaction_id, .. } = &end.event
        else {
            panic!("an end: {end:?}")
        };
        assert_eq!((&**state, *from_check), (name, false));
        assert_eq!(transaction_id.as_deref(), Some(&*half.transaction.id));
        assert_eq!(labels(end), labels(publish));
        assert_eq!(end.message_id, publish.message_id);
    }
}

#[test]
fn failed_sends_are_traced_if_asked_for() {
    for failures in [false, true] {
        let mut world = world(|trace| trace.failures = failures);
        world.broker("a:1").does = Does::Refuse(13);
        world.broker("b:1").does = Does::Refuse(13);
        let error = world.sent("x").expect_err("refused");
        world.run(ms(5_100));

        let records = all_records(&world);
        assert_eq!(records.len(), usize::from(failures));
        if let Some(record) = records.first() {
            assert_eq!(
                Some(record.message_id.to_string()),
                error.message_id().map(|id| id.to_string())
            );
            assert!(matches!(record.event, TraceEvent::Publish { success: false, .. }));
            assert!(labels(record).2.is_some(), "the broker that refused");
        }
    }
}

#[test]
fn a_status_below_send_ok_is_no_success() {
    let mut world = world(|_| {});
    world.broker("a:1").does = Does::StoreAnd(10);
    world.broker("b:1").does = Does::StoreAnd(10);
    send(&mut world, 1);
    world.run(ms(5_100));

    let records = all_records(&world);
    assert!(matches!(records[0].event, TraceEvent::Publish { success: false, .. }));
}

#[test]
fn one_message_is_about_one_topic_and_not_too_long() {
    let mut world = world(|trace| trace.batch = 20);
    world.routes.insert("u".into(), route_json(&[("a", "a:1")], 1));
    let key = "k".repeat(20_000);
    for n in 0..20 {
        let topic = if n < 10 { "t" } else { "u" };
        let message = Message::new(topic, "x").and_then(|m| m.keys([&*key])).expect("valid");
        let (ticket, _) = world.send_message(message, SendOptions::default());
        world.finish(ticket).expect("stored");
    }
    world.run(ms(5_100));

    let stored = traces(&world);
    assert_eq!(all_records(&world).len(), 20);
    for (keys, body) in stored {
        assert!(body.len() <= 128_000 && keys.len() < 32_000, "{} and {}", body.len(), keys.len());
        let topics = records(&body).map(|record| record.expect("a record").topic.into_owned());
        assert_eq!(topics.collect::<std::collections::BTreeSet<_>>().len(), 1);
        let ids = records(&body).map(|record| record.expect("a record").message_id.into_owned());
        assert!(ids.into_iter().all(|id| keys.contains(&id)), "an id is lost among long keys");
    }
}

#[test]
fn a_clouds_traces_go_to_the_topic_of_the_region() {
    let mut world = world(|trace| trace.channel = AccessChannel::Cloud);
    let cloud = "rmq_sys_TRACE_DATA_DefaultRegion";
    world.routes.insert(cloud.into(), route_json(&[("c", "c:1")], 1));
    send(&mut world, 10);
    world.run(ms(100));

    assert_eq!(all_records(&world).len(), 10);
}

#[test]
fn a_recall_is_traced() {
    let mut world = world(|_| {});
    let handle = wire::recall::RecallHandle {
        topic: "t".into(),
        broker_name: "a".into(),
        timestamp: "1".into(),
        message_id: "0A141E28597B5FFD2B27687F16480003".into(),
    };
    let request = wire::recall::RecallRequest {
        topic: "t".into(),
        recall_handle: handle.encode(),
        producer_group: None,
        broker_name: None,
    };
    send(&mut world, 1);
    let target = AskTarget::Broker("a".into());
    let code = wire::code::request::RECALL_MESSAGE;
    let ask = Request::new(target, code, &request.to_ext());
    world.producer.ask(world.now, 7, ask, ms(1_000));
    world.run(ms(0));
    world.run(ms(5_100));

    assert!(world.others.iter().any(|output| matches!(output, Output::Answered { ticket: 7, .. })));
    let records = all_records(&world);
    assert_eq!(records[1].event, TraceEvent::Recall { success: true });
    assert_eq!(records[1].message_id, handle.message_id);
}

#[test]
fn a_broker_that_wants_no_traces_gets_none() {
    let mut world = world(|_| {});
    world.trace_on = "false";
    send(&mut world, 10);
    world.run(ms(10_000));

    assert_eq!(traces(&world), []);
    assert_eq!(world.producer.stats().traces_dropped, 0);
}

/// Other clients sent a traced request twice, or lost its reply.
#[test]
fn with_traces_a_request_is_sent_once_and_returns_its_reply() {
    let mut world = world(|trace| trace.batch = 1);
    let options = SendOptions::default();
    world.with(|producer, now| producer.request(now, 1_000, body("question"), options));
    world.run(ms(20));
    let stored = ["a:1", "b:1"].map(|address| world.peers[address].stored.clone()).concat();
    let [request] = &stored[..] else { panic!("sent once: {stored:?}") };
    let id = wire::properties::get(&request.properties, "CORRELATION_ID").expect("an id");

    let conn = world.conn_to("b:1").expect("a connection");
    world.bring_reply(conn, &format!("CORRELATION_ID\u{1}{id}\u{2}"), b"answer");

    let reply = world.replied(1_000).expect("it ends").expect("with its reply");
    assert_eq!(reply.body, b"answer");
    world.run(ms(6_000));
    let records = all_records(&world);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].message_id, reply.request_id.as_str());
}

#[test]
fn nothing_is_traced_by_default() {
    let mut world = World::new(Config::default());
    send(&mut world, 50);
    world.run(ms(10_000));

    let stats = world.producer.stats();
    assert_eq!((stats.traces, stats.traces_dropped), (0, 0));
    assert!(world.stored().iter().all(|body| !body.starts_with("Pub")));
}

/// A planted bug and the test that notices it.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_are_noticed() {
    use producer_core::planted::{Bug, plant};

    let table: [(Bug, fn()); 4] = [
        (Bug::TracesTraced, traces_are_not_traced),
        (Bug::TracesUnbounded, records_that_nobody_takes_are_bounded_and_counted),
        (Bug::TracesCounted, traces_are_nobodys_sends),
        (Bug::TraceSwitchIgnored, a_broker_that_wants_no_traces_gets_none),
    ];
    for (bug, test) in table {
        plant(Some(bug));
        let noticed = std::panic::catch_unwind(test).is_err();
        plant(None);
        assert!(noticed, "{}", bug.name());
    }
}
