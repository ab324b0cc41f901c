//! Whatever bytes arrive, decoders answer; the short way through a header and the general one agree.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use crate::wire::client::Heartbeat;
use crate::wire::cluster::ClusterInfo;
use crate::wire::frame::{FRAME_BYTES_MAX, split};
use crate::wire::message_id::{OffsetMessageId, UniqKey};
use crate::wire::recall::RecallHandle;
use crate::wire::route::TopicRouteData;
use crate::wire::send::{SendForm, SendRequest, SendResponse};
use crate::wire::stored::records;
use crate::wire::{
    Head, Header, SerializeType, WireError, batch, encode_frame, header, namespace, properties,
    version,
};

const JSON: &[u8] = br#"{"code":0,"extFields":{"queueId":"2","transactionId":"0A141E283C1B5FFD2B27687B297E000B","msgId":"7F000002000078BF000000000000053C","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"2"},"flag":1,"language":"JAVA","opaque":343,"remark":"a\"b","serializeTypeCurrentRPC":"JSON","version":493}"#;

const ROUTE: &[u8] = br#"{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.2:31911","1":"127.0.0.2:31921"},"brokerName":"broker-b","cluster":"DefaultCluster","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-b","perm":6,"readQueueNums":3,"topicSysFlag":0,"writeQueueNums":3}],"topicQueueMappingByBroker":{"broker-b":{"bname":"broker-b","currIdMap":{"0":0,"2":1,"5":2},"dirty":false,"epoch":1,"scope":"__global__","topic":"golden-static","totalQueues":6}}}"#;

/// Calls every decoder that takes bytes from outside.
fn decode_all(bytes: &[u8]) {
    let _ = split(bytes, FRAME_BYTES_MAX);
    for serialize in [SerializeType::Json, SerializeType::RocketMq] {
        if let Ok(header) = Header::decode(serialize, bytes) {
            for form in [SendForm::V1, SendForm::V2] {
                let _ = SendRequest::from_ext(form, &header.ext);
            }
            for (name, value) in &header.ext {
                let _ = (name.to_cow(), value.to_cow(), value.to_i32(), value.to_i64());
            }
        }
        let _ = SendResponse::decode(serialize, bytes);
    }
    if let Ok(route) = TopicRouteData::decode(bytes) {
        let _ = route.publish_queues();
    }
    let _ = ClusterInfo::decode(bytes);
    let _ = Heartbeat::decode(bytes);
    records(bytes).for_each(drop);
    batch::members(bytes).for_each(drop);
    let text = String::from_utf8_lossy(bytes);
    let _ = OffsetMessageId::decode(&text);
    let _ = UniqKey::decode(&text).map(|key| key.made_at_ms(i64::MAX));
    let _ = RecallHandle::decode(&text);
    properties::decode(&text).for_each(drop);
    let _ = (namespace::unwrap_any(&text), namespace::of(&text), namespace::wrap(&text, &text));
    let _ = version::from_name(&text);
}

/// A header with spaces where JSON allows them: nothing of it is as usual.
fn spaced(json: &[u8]) -> Vec<u8> {
    let mut out = vec![b' '];
    let mut inside = false;
    let mut escaped = false;
    for &byte in json {
        if inside {
            inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            out.push(byte);
        } else {
            inside = byte == b'"';
            if matches!(byte, b'{' | b'}' | b',' | b':' | b'"') {
                out.extend_from_slice(b" \t");
            }
            out.push(byte);
        }
    }
    out
}

/// What a header says, ext fields included; the place of an error does not count.
fn all_of(bytes: &[u8]) -> Result<(Header<'_>, Vec<(String, String)>), ()> {
    let mut seen = Vec::new();
    let line = header::decode_with(SerializeType::Json, bytes, &mut |name, value| {
        seen.push((name.to_cow().into_owned(), value.to_cow().into_owned()));
    })
    .map_err(|_| ())?;
    let mut header = Header::decode(SerializeType::Json, bytes).map_err(|_| ())?;
    assert_eq!((header.code, header.opaque), (line.code, line.opaque));
    header.ext = crate::wire::Ext::default();
    Ok((header, seen))
}

/// A binary answer with its fields in the order of the header class or of a map.
fn binary_answer(java_order: bool) -> Vec<u8> {
    let id = "7F000002000078BF000000000000053C";
    let class = ["msgId", "queueId", "queueOffset", "transactionId", "TRACE_ON", "MSG_REGION"];
    let map = ["queueId", "transactionId", "msgId", "TRACE_ON", "MSG_REGION", "queueOffset"];
    let names = if java_order { class } else { map };
    let fields = names.map(|name| match name {
        "msgId" | "transactionId" => (name, id),
        "TRACE_ON" => (name, "true"),
        "MSG_REGION" => (name, "DefaultRegion"),
        _ => (name, "12"),
    });
    let head = Head { code: 0, opaque: 7, flag: 1, ..Head::default() };
    let mut out = Vec::new();
    encode_frame(&mut out, SerializeType::RocketMq, &head, fields, b"").expect("small");
    out.split_off(8)
}

fn mutated(valid: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let edit = (0..valid.len(), prop_oneof![Just(b'"'), Just(b'{'), Just(b','), any::<u8>()]);
    (prop::collection::vec(edit, 0..4), 0..=valid.len()).prop_map(|(edits, len)| {
        let mut bytes = valid.to_vec();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        // Half of the cases keep the length, so that edits in the tail are seen too.
        bytes.truncate(if len % 2 == 0 { valid.len() } else { len });
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decode_all(&bytes);
    }

    #[test]
    fn mutated_headers_never_panic(bytes in mutated(JSON)) {
        decode_all(&bytes);
    }

    #[test]
    fn mutated_routes_never_panic(bytes in mutated(ROUTE)) {
        decode_all(&bytes);
    }

    #[test]
    fn mutated_binary_never_panics(
        edits in prop::collection::vec((0usize..300, any::<u8>()), 1..6), json in mutated(JSON),
    ) {
        let mut bytes = super::round_trips::stored_example();
        bytes.extend_from_slice(&json);
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        decode_all(&bytes);
    }

    #[test]
    fn binary_answers_read_the_same_both_ways(
        java_order: bool, edits in prop::collection::vec((0usize..200, any::<u8>()), 0..3),
    ) {
        let mut bytes = binary_answer(java_order);
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let found = SendResponse::decode(SerializeType::RocketMq, &bytes);
        let header = Header::decode(SerializeType::RocketMq, &bytes);
        prop_assert_eq!(found.is_ok(), header.is_ok());
        if let (Ok(found), Ok(header)) = (found, header) {
            prop_assert_eq!(found.msg_id, header.ext.get("msgId"));
            prop_assert_eq!(found.region, header.ext.get("MSG_REGION"));
            prop_assert_eq!(found.transaction_id, header.ext.get("transactionId"));
            prop_assert_eq!(found.queue_id, header.ext.int("queueId").unwrap_or_default());
            prop_assert_eq!(found.queue_offset, header.ext.long("queueOffset").unwrap_or_default());
            let trace_on = header.ext.get("TRACE_ON").map(|text| !text.eq_str("false"));
            prop_assert_eq!(found.trace_on, trace_on);
        }
    }

    #[test]
    fn short_and_general_way_agree(bytes in mutated(JSON)) {
        // Bare names end where the spaces are put, so only the quoted form is compared.
        let general = spaced(&bytes);
        if let (Ok(short), Ok(general)) = (all_of(&bytes), all_of(&general)) {
            prop_assert_eq!(short, general);
        }
        let found = SendResponse::decode(SerializeType::Json, &bytes);
        let header = Header::decode(SerializeType::Json, &bytes);
        prop_assert_eq!(found.is_ok(), header.is_ok());
        if let (Ok(found), Ok(header)) = (found, header) {
            prop_assert_eq!(found.msg_id, header.ext.get("msgId"));
            prop_assert_eq!(found.region, header.ext.get("MSG_REGION"));
            prop_assert_eq!(found.transaction_id, header.ext.get("transactionId"));
            prop_assert_eq!((found.code, found.opaque), (header.code, header.opaque));
            prop_assert_eq!(found.remark, header.remark);
        }
    }
}

/// Found by `short_and_general_way_agree`: the short way once went on without a comma.
#[test]
fn fields_need_commas_and_values_need_ends() {
    for bad in [
        r#"{"code":0,"extFields":{"queueId":"2""msgId":"0"},"flag":1,"opaque":3}"#,
        r#"{"code":0,"extFields":{"queueId":"2"{"msgId":"0"},"flag":1,"opaque":3}"#,
        r#"{"code":0,"extFields":{,"queueId":"2"},"flag":1,"opaque":3}"#,
        r#"{"code":0"flag":1,"opaque":3}"#,
        r#"{"code":0,"flag":1,"language":"JAVA","opaque":3"version":4}"#,
        r#"{"code":0,"flag":1,"language":"JAVA","opaque":3,"remark":"x""version":4}"#,
    ] {
        assert!(Header::decode(SerializeType::Json, bad.as_bytes()).is_err(), "{bad}");
        assert!(SendResponse::decode(SerializeType::Json, bad.as_bytes()).is_err(), "{bad}");
    }
}

/// Found by the fuzz targets `frames` and `headers`: one way had what the other had not.
#[test]
fn fields_that_stand_twice_are_read_in_one_way() {
    let decode = |fields: &str| {
        let text = format!(r#"{{"code":0,{fields},"flag":1,"opaque":3}}"#);
        let whole = Header::decode(SerializeType::Json, text.as_bytes())?;
        let both = ["msgId", "TRACE_ON"]
            .map(|name| whole.ext.get(name).map(|it| it.to_cow().into_owned()));
        let answer = SendResponse::decode(SerializeType::Json, text.as_bytes())?;
        let id = answer.msg_id.map(|id| id.to_cow().into_owned());
        assert_eq!(
            [id, answer.trace_on.map(|on| String::from(if on { "true" } else { "false" }))],
            both,
            "{text}"
        );
        Ok::<_, WireError>(both[0].clone())
    };
    let id = |id: &str| Ok(Some(String::from(id)));
    let refused = Err(WireError::BadField { name: "extFields" });

    // Of two fields of one name the last counts, also if it is null or written by an escape.
    assert_eq!(decode(r#""extFields":{"msgId":"a","msgId":"b"}"#), id("b"));
    assert_eq!(decode(r#""extFields":{"msgId":"a","msg\u0049d":"b"}"#), id("b"));
    assert_eq!(decode(r#""extFields":{"msgId":"a","TRACE_ON":"true","msgId":null}"#), Ok(None));
    assert_eq!(decode(r#""extFields":{"TRACE_ON":"true","msgId":"a","TRACE_ON":null}"#), id("a"));
    // Two members with fields are refused.
    assert_eq!(decode(r#""extFields":null,"extFields":{"msgId":"a"}"#), id("a"));
    assert_eq!(decode(r#""extFields":{"msgId":"a"},"extFields":{}"#), refused);
    assert_eq!(decode(r#""extFields":{},"extFields":{"msgId":"a"}"#), refused);
    assert_eq!(decode(r#""extFields":{"msgId":"a"},"extFields":null"#), refused);
    assert_eq!(decode(r#""extFields":{"msgId":"a"},"ext\u0046ields":{"msgId":"b"}"#), refused);
}

#[test]
fn nesting_is_bounded() {
    for open in ["{\"a\":", "["] {
        let mut text = String::from("{\"x\":");
        for _ in 0..100_000 {
            text.push_str(open);
        }

        let found = Header::decode(SerializeType::Json, text.as_bytes());

        assert_eq!(found, Err(WireError::TooDeep));
        assert_eq!(TopicRouteData::decode(text.as_bytes()), Err(WireError::TooDeep));
    }
}

#[test]
fn queue_counts_are_bounded() {
    let route = r#"{"brokerDatas":[{"brokerAddrs":{0:"a:1"},"brokerName":"a"}],"queueDatas":[{"brokerName":"a","perm":6,"writeQueueNums":2147483647}]}"#;
    let ordered = r#"{"orderTopicConf":"a:60000;b:60000"}"#;
    let mapped =
        r#"{"topicQueueMappingByBroker":{"a":{"bname":"a","scope":"s","totalQueues":2000000000}}}"#;

    for json in [route, ordered, mapped] {
        let route = TopicRouteData::decode(json.as_bytes()).expect("valid JSON");

        assert!(matches!(route.publish_queues(), Err(WireError::BadField { .. })), "{json}");
    }
}
