//! What brokers ask of clients, held against recorded questions of real ones. (Answers are held
//! against recorded ones in `golden.rs`.)

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{hex, properties};
use serde_json::Value;
use sim::model::Release;
use sim::model::broker::{Broker, BrokerConfig};

use super::broker::config;
use crate::support::direct::{Direct, answers};
use crate::support::{Got, beat};

pub(crate) fn case(name: &str) -> Value {
    let frames = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/frames");
    let text = std::fs::read_to_string(frames.join(name)).expect("the golden vectors are there");
    serde_json::from_str(&text).expect("a case is JSON")
}

/// The bytes of the last frame with this code.
pub(crate) fn frame(case: &Value, code: i64) -> Vec<u8> {
    let frames = case["frames"].as_array().expect("a case has frames");
    let found = frames.iter().rev().find(|frame| frame["header"]["code"] == code);
    let hex = found.and_then(|frame| frame["hex"].as_str()).expect("a frame of this code");
    hex::decode(hex)
}

pub(crate) fn keys(got: &Got) -> BTreeSet<&str> {
    got.ext.iter().map(|field| field.0.as_str()).collect()
}

pub(crate) fn entries(text: &str) -> BTreeSet<(&str, &str)> {
    properties::decode(text).collect()
}

fn check_like(name: &str, release: Release) {
    let case = case(name);
    let mut broker = Direct::new(Broker::new(BrokerConfig {
        release,
        transaction_timeout: Duration::from_secs(1),
        transaction_check_interval: Duration::from_secs(1),
        ..config()
    }));
    let conn = broker.connect();
    beat(&mut broker, conn, "c@1", case["input"]["group"].as_str().expect("a group"));
    let sent = answers(&broker.receive(conn, &frame(&case, 310))[0].1).remove(0);
    assert_eq!(sent.code, 0, "{name}: {sent:?}");

    let asked = broker.pass(Duration::from_secs(1));

    let ours = answers(&asked[0].1).remove(0);
    let real = answers(&frame(&case, 39)).remove(0);
    assert_eq!((ours.code, keys(&ours)), (39, keys(&real)), "{name}");
    for same in ["topic", "msgId", "transactionId", "bname"] {
        assert_eq!(ours.ext(same), real.ext(same), "{name}: {same}");
    }
    assert_eq!((ours.flag, ours.remark.as_deref()), (real.flag, None), "{name}");
    let (ours, _) = StoredMessage::decode(&ours.body).expect("a message");
    let (real, _) = StoredMessage::decode(&real.body).expect("a message");
    assert_eq!(entries(&ours.properties), entries(&real.properties), "{name}");
    assert_eq!((&ours.topic, ours.queue_id), (&real.topic, real.queue_id), "{name}");
    assert_eq!((ours.sys_flag, ours.flag), (real.sys_flag, real.flag), "{name}");
    assert_eq!((&ours.body, ours.body_crc), (&real.body, real.body_crc), "{name}");
    assert_eq!(ours.prepared_transaction_offset, real.prepared_transaction_offset, "{name}");
    assert_eq!(ours.born_timestamp, real.born_timestamp, "{name}");
}

#[test]
fn checks_are_those_of_5_4_0() {
    for case in ["check-commit", "check-unknown", "listener-throws"] {
        check_like(&format!("5.4.0-json/transaction-{case}.json"), Release::V5_4_0);
    }
    check_like("4.9.7-json-server-5.4.0/transaction-check-commit.json", Release::V5_4_0);
}

#[test]
fn checks_are_those_of_4_9_7() {
    for case in ["check-commit", "check-unknown", "listener-throws"] {
        check_like(&format!("4.9.7-json/transaction-{case}.json"), Release::V4_9_7);
    }
    check_like("5.4.0-json-server-4.9.7/transaction-check-commit.json", Release::V4_9_7);
}

fn push_like(name: &str, release: Release) {
    let case = case(name);
    let mut broker = Direct::new(Broker::new(BrokerConfig { release, ..config() }));
    let (requester, replier) = (broker.connect(), broker.connect());
    let reply = frame(&case, 325);
    let text = answers(&reply).remove(0).ext("i").expect("properties").to_owned();
    let client = properties::get(&text, "REPLY_TO_CLIENT").expect("a client");
    beat(&mut broker, requester, client, "golden-requester");

    let pushed = broker.receive(replier, &reply);

    assert_eq!(pushed.len(), 1, "{name}: the reply has no answer yet");
    assert_eq!(pushed[0].0, requester, "{name}");
    let ours = answers(&pushed[0].1).remove(0);
    let real = answers(&frame(&case, 326)).remove(0);
    assert_eq!((ours.code, ours.flag, keys(&ours)), (326, real.flag, keys(&real)), "{name}");
    let steady = ["bornHost", "storeHost", "storeTimestamp", "properties"];
    for same in keys(&real).into_iter().filter(|key| !steady.contains(key)) {
        assert_eq!(ours.ext(same), real.ext(same), "{name}: {same}");
    }
    let without_time = |got: &Got| {
        let text = got.ext("properties").expect("properties").to_owned();
        let all = entries(&text).into_iter().map(|(name, value)| match name {
            "PUSH_REPLY_TIME" => (name.to_owned(), String::new()),
            _ => (name.to_owned(), value.to_owned()),
        });
        all.collect::<BTreeSet<_>>()
    };
    assert_eq!(without_time(&ours), without_time(&real), "{name}");
    assert_eq!(ours.body, real.body, "{name}");
}

#[test]
fn pushed_replies_are_those_of_both_releases() {
    for name in ["request-reply", "request-reply-compressed"] {
        push_like(&format!("5.4.0-json/{name}.json"), Release::V5_4_0);
        push_like(&format!("4.9.7-json/{name}.json"), Release::V4_9_7);
    }
}
