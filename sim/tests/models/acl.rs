//! Who may do what.

use producer_core::wire::acl::{Credentials, sign};
use producer_core::wire::send::SendForm;
use producer_core::wire::{Fields, Head, SerializeType, encode_frame};
use sim::model::broker::{Account, Broker, BrokerConfig};
use sim::model::{ConnId, Release};

use super::broker::config;
use crate::support::direct::{Direct, answers};
use crate::support::{Got, send_request};

const BEAT: &[u8] = br#"{"clientID":"c@1","producerDataSet":[{"groupName":"g"}]}"#;

/// A broker that knows `alice`, who may send to `T`, and `root`.
fn begun(release: Release) -> (Direct<Broker>, ConnId) {
    let account = |name: &str, admin, publish: &[&str]| Account {
        access_key: name.to_owned(),
        secret_key: format!("{name}-secret"),
        admin,
        publish: publish.iter().map(|&topic| topic.to_owned()).collect(),
        subscribe: Vec::new(),
    };
    let accounts = Some(vec![account("alice", false, &["T"]), account("root", true, &[])]);
    let mut broker = Direct::new(Broker::new(BrokerConfig { release, accounts, ..config() }));
    let conn = broker.connect();
    (broker, conn)
}

fn who(name: &str, secret: &str) -> Credentials {
    Credentials::new(name, secret).expect("not blank")
}

fn signed(
    (broker, conn): &mut (Direct<Broker>, ConnId),
    by: &Credentials,
    code: i32,
    fields: Fields<'_>,
    body: &[u8],
) -> Got {
    let fields = sign(fields, by, body).expect("a secret");
    broker.ask(*conn, code, &fields, body).remove(0)
}

fn message(topic: &str) -> Fields<'static> {
    let mut all = Fields::new();
    for (name, value) in send_request(topic, 0).to_ext(SendForm::V2).iter() {
        all.push(name.to_owned(), value.to_owned());
    }
    all
}

#[test]
fn a_signature_and_a_permission_are_needed() {
    for (release, code) in [(Release::V4_9_7, 1), (Release::V5_4_0, 16)] {
        let mut on = begun(release);
        let alice = who("alice", "alice-secret");
        assert_eq!(signed(&mut on, &alice, 310, message("T"), b"x").code, 0);
        assert_eq!(signed(&mut on, &alice, 34, Fields::new(), BEAT).code, 0);
        assert_eq!(on.0.node.clients(), ["c@1"]);

        for (by, topic, old, new) in [
            (&alice, "U", "No default permission for topic:U", "User:alice has no permission"),
            (&who("alice", "x"), "T", "Check signature failed", "check signature failed."),
            (&who("bob", "x"), "T", "No acl config for bob", "User:bob is not found."),
        ] {
            let got = signed(&mut on, by, 310, message(topic), b"x");
            let remark = got.remark.expect("why");
            let words = if release == Release::V4_9_7 { old } else { new };
            assert!(got.code == code && remark.contains(words), "{remark}");
            assert!(got.ext.is_empty());
        }
        let (broker, conn) = &mut on;
        let got = broker.ask(*conn, 310, &message("T"), b"x").remove(0);
        assert_eq!(got.code, code);
        assert_eq!(broker.ask(*conn, 34, &Fields::new(), BEAT)[0].code, code, "heartbeats, too");
        let half_signed = Fields::new().text("AccessKey", "alice");
        assert_eq!(broker.ask(*conn, 34, &half_signed, BEAT)[0].code, code);
        assert_eq!(broker.node.messages().len(), 1);
        assert!(broker.node.topics().iter().all(|topic| topic.0 != "U"), "nothing was created");
    }
}

#[test]
fn what_is_changed_behind_the_signature_breaks_it() {
    let (mut broker, conn) = begun(Release::V5_4_0);
    let alice = who("alice", "alice-secret");
    let fields = sign(message("T"), &alice, b"x").expect("a secret");

    assert_eq!(broker.ask(conn, 310, &fields, b"y")[0].code, 16);
    let zone = fields.clone().text("__ZONE_NAME", "z");
    assert_eq!(broker.ask(conn, 310, &zone, b"x")[0].code, 16);
    assert_eq!(broker.ask(conn, 310, &fields, b"x")[0].code, 0);
}

#[test]
fn batches_ends_and_recalls_are_sends_and_admins_may_do_all() {
    let mut on = begun(Release::V5_4_0);
    let (alice, root) = (who("alice", "alice-secret"), who("root", "root-secret"));
    let topic = |topic: &'static str| Fields::new().text("topic", topic);
    for (code, fields) in [
        (320, message("U")),
        (37, topic("U")),
        (370, topic("U")),
        (17, topic("T")),
        (25, Fields::new()),
        (30, topic("T").show("queueId", 0)),
        (12, topic("T")),
        (11, topic("T")),
    ] {
        assert_eq!(signed(&mut on, &alice, code, fields.clone(), b"").code, 16, "{code}");
        assert_ne!(signed(&mut on, &root, code, fields, b"").code, 16, "{code}");
    }
    let half = topic("RMQ_SYS_TRANS_HALF_TOPIC");
    assert_ne!(signed(&mut on, &alice, 37, half, b"").code, 16, "the answer to a check");
    assert_ne!(signed(&mut on, &alice, 33, Fields::new().show("offset", 0), b"").code, 16);
}

#[test]
fn the_flag_of_a_query_is_signed_by_newer_clients_for_newer_brokers() {
    let query = |release, version, with_flag: bool| {
        let (mut broker, conn) = begun(release);
        let root = who("root", "root-secret");
        let plain = Fields::new().text("topic", "T").text("key", "k").show("maxNum", 1);
        let plain = plain.show("beginTimestamp", 0).show("endTimestamp", 9);
        let flagged = plain.clone().text("_UNIQUE_KEY_QUERY", "true");
        let content = if with_flag { flagged.clone() } else { plain };
        let content = sign(content, &root, b"").expect("a secret");
        let fields = if with_flag { content } else { content.text("_UNIQUE_KEY_QUERY", "true") };
        let head = Head { code: 12, version, ..Head::default() };
        let mut frame = Vec::new();
        encode_frame(&mut frame, SerializeType::Json, &head, fields.iter(), b"")
            .expect("a query fits a frame");
        answers(&broker.receive(conn, &frame)[0].1).remove(0).code
    };
    const NOT_FOUND: i32 = 22;
    assert_eq!(query(Release::V5_4_0, 493, true), NOT_FOUND);
    assert_eq!(query(Release::V5_4_0, 493, false), 16);
    assert_eq!(query(Release::V5_4_0, 399, true), 16);
    assert_eq!(query(Release::V5_4_0, 399, false), NOT_FOUND);
    assert_eq!(query(Release::V4_9_7, 407, true), 1, "4.9.7 never wants it");
    assert_eq!(query(Release::V4_9_7, 407, false), NOT_FOUND);
}
