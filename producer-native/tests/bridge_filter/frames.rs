//! Frames as clients write them, and others.

use producer_core::wire::client::Heartbeat;
use producer_core::wire::code::request;
use producer_core::wire::{Head, Language, SerializeType, encode_frame};

/// Fields of a send, by name and value.
pub(crate) fn send_fields<'a>(group: &'a str, topic: &'a str) -> Vec<(&'a str, &'a str)> {
    let properties = "UNIQ_KEY\u{1}0A0000010000000000000000000001\u{2}WAIT\u{1}true\u{2}";
    vec![
        ("a", group),
        ("b", topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "1"),
        ("f", "0"),
        ("g", "1793491200000"),
        ("h", "0"),
        ("i", properties),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
        ("n", "broker-a"),
    ]
}

/// A frame.
pub(crate) fn frame(
    serialize: SerializeType,
    code: i32,
    flag: i32,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let head = Head { code, flag, language: Language::RUST, version: 401, opaque: 7, remark: None };
    let mut out = Vec::new();
    encode_frame(&mut out, serialize, &head, fields.iter().copied(), body).expect("fits");
    out
}

/// A request with a binary header.
pub(crate) fn binary(code: i32, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    frame(SerializeType::RocketMq, code, Head::REQUEST, fields, body)
}

/// A send as our producer writes it.
pub(crate) fn send(group: &str, topic: &str, body: &[u8]) -> Vec<u8> {
    binary(request::SEND_MESSAGE_V2, &send_fields(group, topic), body)
}

/// A heartbeat as our producer writes it.
pub(crate) fn heartbeat(groups: &[&str]) -> Vec<u8> {
    let body = Heartbeat {
        client_id: "10.0.0.1@1#2".into(),
        producer_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        fingerprint: Some(0),
        without_sub: Some(false),
    };
    binary(request::HEART_BEAT, &[], &body.encode())
}

/// Each request that pages may send, to brokers, as our producer writes it.
pub(crate) fn usual(group: &str, topic: &str) -> Vec<Vec<u8>> {
    let end = [
        ("topic", topic),
        ("producerGroup", group),
        ("tranStateTableOffset", "1"),
        ("commitLogOffset", "2"),
        ("commitOrRollback", "8"),
        ("msgId", "x"),
    ];
    let leave = [("clientID", "c"), ("producerGroup", group)];
    let probe = [("topic", topic), ("queueId", "0"), ("committed", "true")];
    vec![
        send(group, topic, &[7; 300]),
        binary(request::SEND_BATCH_MESSAGE, &send_fields(group, topic), &[8; 700]),
        heartbeat(&[group]),
        binary(request::UNREGISTER_CLIENT, &leave, b""),
        binary(request::END_TRANSACTION, &end, b""),
        binary(request::GET_MAX_OFFSET, &probe, b""),
    ]
}
