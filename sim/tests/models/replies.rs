//! How a reply reaches the client that asked.

use std::time::Duration;

use producer_core::wire::send::SendForm;
use producer_core::wire::{Head, SerializeType, encode_frame, properties};
use sim::model::broker::{Broker, BrokerConfig, Fault, Times};
use sim::model::{ConnId, Node};

use super::broker::config;
use crate::support::direct::{Direct, answers};
use crate::support::{Got, beat, send_request};

const REPLY_TOPIC: &str = "DefaultCluster_REPLY_TOPIC";

/// Sends a reply to the client `c@1`.
fn reply(broker: &mut Direct<Broker>, conn: ConnId) -> Vec<(ConnId, Vec<Got>)> {
    let text = [("REPLY_TO_CLIENT", "c@1"), ("CORRELATION_ID", "7"), ("MSG_TYPE", "reply")];
    let mut request = send_request(REPLY_TOPIC, 0);
    request.properties = Some(properties::encode(text).into());
    let frame = broker.request(325, &request.to_ext(SendForm::V2), b"pong");
    let sent = broker.receive(conn, &frame);
    sent.into_iter().map(|(conn, bytes)| (conn, answers(&bytes))).collect()
}

fn answer(broker: &mut Direct<Broker>, conn: ConnId, opaque: i32, code: i32) -> Vec<Got> {
    let head = Head { code, opaque, flag: Head::RESPONSE, ..Head::default() };
    let mut frame = Vec::new();
    encode_frame(&mut frame, SerializeType::Json, &head, [], b"").expect("an answer fits a frame");
    let sent = broker.receive(conn, &frame);
    sent.iter().flat_map(|(_, bytes)| answers(bytes)).collect()
}

/// A broker, the connections of who asked and who replies, and the number of the push.
fn pushed(config: BrokerConfig) -> (Direct<Broker>, ConnId, ConnId, i32) {
    let mut broker = Direct::new(Broker::new(config));
    let (asker, replier) = (broker.connect(), broker.connect());
    beat(&mut broker, asker, "c@1", "g");
    let sent = reply(&mut broker, replier);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((sent[0].0, sent[0].1[0].code), (asker, 326));
    assert_eq!(sent[0].1[0].body, b"pong");
    let opaque = sent[0].1[0].opaque;
    (broker, asker, replier, opaque)
}

#[test]
fn who_replies_is_answered_when_the_requester_has() {
    let (mut broker, asker, _, opaque) = pushed(config());
    assert!(answer(&mut broker, asker, opaque + 1, 0).is_empty(), "another number");

    let got = answer(&mut broker, asker, opaque, 0);

    assert_eq!((got[0].code, got[0].remark.as_deref()), (0, None));
    let stored = broker.node.messages();
    assert_eq!(got[0].ext("msgId"), Some(&*stored[0].offset_message_id()));
    assert_eq!((&*stored[0].topic, stored[0].property("CLUSTER")), (REPLY_TOPIC, None));
    assert!(answer(&mut broker, asker, opaque, 0).is_empty(), "only once");
}

#[test]
fn a_requester_that_refuses_hangs_up_or_is_silent_makes_code_1() {
    let failed = |got: &Got| {
        let remark = got.remark.as_deref();
        assert_eq!((got.code, remark), (1, Some("push reply message to c@1fail.")));
        assert!(got.ext("msgId").is_some());
    };
    let (mut broker, asker, _, opaque) = pushed(config());
    failed(&answer(&mut broker, asker, opaque, 1)[0]);

    let (mut broker, asker, _, _) = pushed(config());
    let sent = broker.with(|broker, now| broker.handle_closed(now, asker));
    failed(&answers(&sent[0].1)[0]);

    let (mut broker, _, replier, _) = pushed(config());
    assert!(broker.pass(Duration::from_millis(9_999)).is_empty());
    let sent = broker.pass(Duration::from_millis(1));
    assert_eq!(sent[0].0, replier);
    failed(&answers(&sent[0].1)[0]);
}

#[test]
fn replies_need_not_be_stored() {
    let (mut broker, asker, _, opaque) = pushed(BrokerConfig { store_replies: false, ..config() });

    let got = answer(&mut broker, asker, opaque, 0);

    assert_eq!((got[0].ext("msgId"), got[0].ext("queueOffset")), (Some("0"), Some("0")));
    assert!(broker.node.messages().is_empty());
}

#[test]
fn a_client_is_not_found_without_a_heartbeat_or_after_it_left_a_group() {
    let mut broker = Direct::new(Broker::new(config()));
    let (asker, replier) = (broker.connect(), broker.connect());
    let not_found = |broker: &mut Direct<Broker>| {
        let got = reply(broker, replier);
        assert_eq!((got[0].0, got[0].1[0].code), (replier, 1));
        let remark = got[0].1[0].remark.as_deref();
        assert_eq!(remark, Some("push reply message fail, channel of <c@1> not found."));
    };
    not_found(&mut broker);
    let beat = br#"{"clientID":"c@1","producerDataSet":[{"groupName":"g"},{"groupName":"h"}]}"#;
    broker.ask(asker, 34, &producer_core::wire::Fields::new(), beat);
    let leave =
        producer_core::wire::Fields::new().text("clientID", "c@1").text("producerGroup", "g");
    broker.ask(asker, 35, &leave, b"");
    not_found(&mut broker);
    broker.ask(asker, 34, &producer_core::wire::Fields::new(), beat);
    assert_eq!(reply(&mut broker, replier)[0].0, asker);
}

#[test]
fn a_client_is_found_where_it_beat_last() {
    let (mut broker, _, replier, _) = pushed(config());
    let again = broker.connect();
    beat(&mut broker, again, "c@1", "g");

    assert_eq!(reply(&mut broker, replier)[0].0, again);
}

#[test]
fn a_fault_of_the_send_is_one_of_its_answer() {
    let mut broker = Direct::new(Broker::new(config()));
    let (asker, replier) = (broker.connect(), broker.connect());
    beat(&mut broker, asker, "c@1", "g");
    broker.node.fault(Fault::AnswerTwice, Times::Next(1));
    let opaque = reply(&mut broker, replier)[0].1[0].opaque;

    assert_eq!(answer(&mut broker, asker, opaque, 0).len(), 2);
}
