//! The byte strings of the specification's appendix A.

use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::message_id::OffsetMessageId;
use crate::wire::recall::RecallHandle;
use crate::wire::send::{SendForm, SendRequest};
use crate::wire::stored::StoredMessage;
use crate::wire::{
    Head, SerializeType, acl, batch, crc32, encode_frame, hex, java_hash, properties,
};

const KEY: &str = "7F0000010001AABBCCDD00000000ABCD";

fn bytes(spaced: &str) -> Vec<u8> {
    let digits: String = spaced.chars().filter(|digit| !digit.is_whitespace()).collect();
    hex::decode(&digits)
}

fn route_request(serialize: SerializeType) -> Vec<u8> {
    let head = Head { code: 105, version: 409, opaque: 7, ..Head::default() };
    let mut out = Vec::new();
    encode_frame(&mut out, serialize, &head, [("topic", "TopicTest")], b"").expect("small");
    out
}

#[test]
fn a1_json_request() {
    let out = route_request(SerializeType::Json);

    assert_eq!(out.len(), 139);
    assert_eq!(out[..12], bytes("00000087 00000083 7b22636f"));
    let text = r#"{"code":105,"extFields":{"topic":"TopicTest"},"flag":0,"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON","version":409}"#;
    assert_eq!(&out[8..], text.as_bytes());
}

#[test]
fn a2_binary_request() {
    let expected = "0000002d 01000029 0069 00 0199 00000007 00000000 00000000 00000014
        0005 746f706963 00000009 546f70696354657374";

    assert_eq!(route_request(SerializeType::RocketMq), bytes(expected));
}

#[test]
fn a3_properties() {
    let text = properties::encode([("UNIQ_KEY", KEY), ("WAIT", "true"), ("TAGS", "A")]);

    let expected =
        "554e49515f4b455901 3746303030303031303030314141424243434444303030303030303041424344
        02 57414954 01 74727565 02 54414753 01 41 02";
    assert_eq!(text.as_bytes(), bytes(expected));
}

#[test]
fn a4_batch_member() {
    let mut out = Vec::new();

    batch::push_member(&mut out, 0, b"hello", b"WAIT\x01true\x02").expect("short");

    let expected = "00000025 00000000 00000000 00000000 00000005 68656c6c6f 000a
        57414954 01 74727565 02";
    assert_eq!(out, bytes(expected));
}

#[test]
fn a5_offset_message_id() {
    let host = ([192, 168, 1, 10], 10_911).into();

    let id = OffsetMessageId { host, offset: 123_456_789 };

    assert_eq!(id.encode(), "C0A8010A00002A9F00000000075BCD15");
    assert!(OffsetMessageId::decode(KEY).is_err());
}

#[test]
fn a6_recall_handle() {
    let handle = RecallHandle {
        topic: "TopicTest".into(),
        broker_name: "broker-a".into(),
        timestamp: "1700000000000".into(),
        message_id: KEY.into(),
    };

    let text = "djEgVG9waWNUZXN0IGJyb2tlci1hIDE3MDAwMDAwMDAwMDAgN0YwMDAwMDEwMDAxQUFCQkNDREQwMDAwMDAwMEFCQ0Q=";
    assert_eq!(handle.encode(), text);
    assert_eq!(RecallHandle::decode(text).as_ref(), Ok(&handle));
    assert_eq!(RecallHandle::decode(&text[..text.len() - 1]), Ok(handle));
    assert!(RecallHandle::decode(&alloc::format!("{text}=")).is_err());
}

#[test]
fn a7_signature() {
    let request = SendRequest {
        producer_group: "pg".into(),
        topic: "TopicTest".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        born_timestamp: 1_700_000_000_000,
        properties: Some("WAIT\u{1}true\u{2}".into()),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        batch: Some(false),
        broker_name: Some("broker-a".into()),
        ..SendRequest::default()
    };
    let credentials = acl::Credentials::new("ak", "sk").expect("not blank");

    let signed = acl::sign(request.to_ext(SendForm::V2), &credentials, b"hello").expect("a key");

    let signature = signed.iter().find(|field| field.0 == "Signature");
    assert_eq!(signature, Some(("Signature", "e5DcqXq4cm9ulQexxE4B6S6R1J4=")));
    // Signing once more replaces what was there.
    let again = acl::sign(signed.clone(), &credentials, b"hello").expect("a key");
    assert_eq!(again.len(), signed.len());
    assert!(acl::signature("", b"").is_err());
}

#[test]
fn a8_stored_record() {
    let message = StoredMessage {
        body_crc: crc32::crc32_stored(b"hello"),
        queue_id: 3,
        flag: 0,
        queue_offset: 42,
        physical_offset: 1000,
        sys_flag: 0,
        born_timestamp: 1_700_000_000_000,
        born_host: ([10, 0, 0, 1], 50_000).into(),
        store_timestamp: 1_700_000_000_005,
        store_host: ([10, 0, 0, 2], 10_911).into(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: b"hello".as_slice().into(),
        topic: "T".into(),
        properties: "K\u{1}V\u{2}".into(),
    };
    let mut out = Vec::new();

    message.encode(&mut out).expect("short");

    let expected = "00000065 daa320a7 3610a686 00000003 00000000 000000000000002a 00000000000003e8
        00000000 0000018bcfe56800 0a000001 0000c350 0000018bcfe56805 0a000002 00002a9f 00000000
        0000000000000000 00000005 68656c6c6f 01 54 0004 4b015602";
    assert_eq!(out, bytes(expected));
}

#[test]
fn a9_hash() {
    let hash = java_hash::hash_code("order-1001");

    assert_eq!(hash, 708_180_863);
    assert_eq!(java_hash::queue_index(hash, 4), Some(3));
}

/// What the tables of Java's answers do not show.
#[test]
fn odd_headers_are_read_as_fastjson_reads_them() {
    use crate::wire::{Header, header::OPAQUE_MISSING};
    let read = |text: &'static str| Header::decode(SerializeType::Json, text.as_bytes());

    let absent = read(r#"{"code":5,"opaque":null,"flag":null}"#).expect("valid");
    assert_eq!((absent.code, absent.opaque, absent.flag), (5, OPAQUE_MISSING, 0));
    let quoted = read("{'code':'5',flag:1,\"extFields\":{7:\"x\",'y':'z',},}").expect("valid");
    assert_eq!((quoted.code, quoted.flag), (5, 1));
    assert_eq!(quoted.ext.get("7"), Some("x".into()));
    assert_eq!(quoted.ext.get("y"), Some("z".into()));
    for bad in [
        "{\"code\":0} x",
        "{\"code\":0,\"extFields\":[]}",
        "{\"code\":\"x\"}",
        "{,}",
        "{\"code\" 0}",
    ] {
        assert!(Header::decode(SerializeType::Json, bad.as_bytes()).is_err(), "{bad}");
    }
}
