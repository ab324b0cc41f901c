//! Every decoder, for fuzzers: whatever the bytes are it answers, and what it can read it can write.
//!
//! Needs nothing but the core: tests/fuzz calls these too. A function takes any bytes and panics when
//! something is wrong.

use std::borrow::Cow;

use producer_core::wire::batch::{members, push_member};
use producer_core::wire::client::{Heartbeat, UnregisterClient};
use producer_core::wire::cluster::ClusterInfo;
use producer_core::wire::frame::split;
use producer_core::wire::json::{Reader, Value};
use producer_core::wire::message_id::{OffsetMessageId, UniqKey};
use producer_core::wire::recall::RecallHandle;
use producer_core::wire::registration::RegisterBody;
use producer_core::wire::reply::PushReply;
use producer_core::wire::route::{RouteJson, TopicRouteData};
use producer_core::wire::send::{SendForm, SendRequest, SendResponse};
use producer_core::wire::stored::{StoredMessage, records};
use producer_core::wire::transaction::{CheckTransaction, EndTransaction};
use producer_core::wire::{
    Ext, Head, Header, SerializeType, bridge, encode_frame, header, namespace, properties, trace,
    version,
};
use producer_core::{Address, Credentials, GroupName, MessageId, TopicName};

const BOTH: [SerializeType; 2] = [SerializeType::Json, SerializeType::RocketMq];
const FRAME_BYTES_MAX: usize = 64 << 10;

/// A stream of frames: each lies within the bytes, and more bytes change none of them.
pub(crate) fn frames(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Some(found)) = split(rest, FRAME_BYTES_MAX) {
        assert_eq!(found.len, 8 + found.header.len() + found.body.len());
        assert_eq!(split(&rest[..found.len], FRAME_BYTES_MAX), Ok(Some(found)));
        let early = split(&rest[..found.len - 1], FRAME_BYTES_MAX);
        assert_eq!(early, Ok(None), "a frame before its last byte");
        fields_of(found.serialize, found.header);
        rest = &rest[found.len..];
    }
}

/// A header in either encoding. The first byte says in which it is written again.
pub(crate) fn headers(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    for serialize in BOTH {
        fields_of(serialize, bytes);
        let Ok(read) = Header::decode(serialize, bytes) else { continue };
        let fields = texts(&read.ext);
        let remark = read.remark.map(|text| text.to_cow());
        let again = BOTH[usize::from(first & 1)];
        let head = Head {
            code: read.code,
            language: read.language,
            version: read.version,
            opaque: read.opaque,
            flag: read.flag,
            remark: remark.as_deref(),
        };
        let mut frame = Vec::new();
        let pairs = fields.iter().map(|(name, value)| (&**name, &**value));
        // A binary header has no room for every name, code and version.
        if encode_frame(&mut frame, again, &head, pairs, b"").is_err() {
            assert!(frame.is_empty(), "half a frame");
            continue;
        }
        let found = split(&frame, usize::MAX).expect("our frame").expect("a whole one");
        let back = Header::decode(again, found.header).expect("what we write, we read");
        assert_eq!((back.opaque, back.flag), (read.opaque, read.flag));
        if again == SerializeType::Json {
            assert_eq!((back.code, back.version), (read.code, read.version));
            assert_eq!(back.remark.map(|text| text.to_cow()), remark);
            assert_eq!(texts(&back.ext), fields);
        }
    }
}

/// Both ways through a header agree, and every request that we know is read from its fields.
fn fields_of(serialize: SerializeType, bytes: &[u8]) {
    let mut seen = Vec::new();
    let line = header::decode_with(serialize, bytes, &mut |name, value| {
        seen.push((name.to_cow().into_owned(), value.to_cow().into_owned()));
    });
    let whole = Header::decode(serialize, bytes);
    assert_eq!(line.is_ok(), whole.is_ok());
    let short = SendResponse::decode(serialize, bytes);
    let Ok(whole) = whole else { return };
    let all = texts(&whole.ext);
    assert_eq!(seen, all);
    let short = short.expect("what reads the whole reads its answer");
    assert_eq!((short.code, short.opaque, short.flag), (whole.code, whole.opaque, whole.flag));
    assert_eq!((short.version, short.remark), (whole.version, whole.remark));
    assert_eq!(short.msg_id, whole.ext.get("msgId"));
    assert_eq!(short.region, whole.ext.get("MSG_REGION"));
    assert_eq!(short.transaction_id, whole.ext.get("transactionId"));
    assert_eq!(short.recall_handle, whole.ext.get("recallHandle"));
    assert_eq!(short.batch_uniq_id, whole.ext.get("batchUniqId"));
    let traces = whole.ext.get("TRACE_ON").map(|text| !text.eq_str("false"));
    assert_eq!(short.trace_on, traces);
    if short.bad_field.is_none() {
        assert_eq!(Ok(short.queue_id), whole.ext.int("queueId"));
        assert_eq!(Ok(short.queue_offset), whole.ext.long("queueOffset"));
    }
    for form in [SendForm::V1, SendForm::V2] {
        if let Ok(send) = SendRequest::from_ext(form, &whole.ext) {
            let pairs = send.to_ext(form);
            assert!(pairs.iter().count() >= 8, "all that is needed is written");
        }
    }
    let _ = (PushReply::from_ext(&whole.ext), CheckTransaction::from_ext(&whole.ext));
    let _ = (EndTransaction::from_ext(&whole.ext), UnregisterClient::from_ext(&whole.ext));
    for (_, value) in &whole.ext {
        let _ = (value.to_i32(), value.to_i64(), value.to_bool(), value.is_empty());
    }
}

fn texts(ext: &Ext<'_>) -> Vec<(String, String)> {
    let both = ext.iter().map(|(name, value)| (name.to_cow(), value.to_cow()));
    both.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Stored messages and the members of batches. What was read is written, and read the same.
pub(crate) fn messages(bytes: &[u8]) {
    for message in records(bytes).flatten() {
        let _ = (message.uniq_key().map(str::len), message.body_crc_fits());
        let id = message.offset_message_id();
        assert_eq!(OffsetMessageId::decode(&id.encode()), Ok(id));
        let mut out = Vec::new();
        // Texts that were no UTF-8 may have grown out of their lengths.
        if message.encode(&mut out).is_err() {
            assert!(out.is_empty(), "half a message");
            continue;
        }
        let (back, rest) = StoredMessage::decode(&out).expect("what we write, we read");
        assert!(rest.is_empty());
        assert_eq!(back, message);
    }
    for member in members(bytes).flatten() {
        let mut out = Vec::new();
        if push_member(&mut out, member.flag, member.body, member.properties.as_bytes()).is_ok() {
            let back: Vec<_> = members(&out).collect();
            assert_eq!(back, [Ok(member)]);
        }
    }
}

/// Bodies of JSON: routes, the cluster, heartbeats, registrations, and JSON of any kind.
pub(crate) fn bodies(bytes: &[u8]) {
    if let Ok(route) = TopicRouteData::decode(bytes) {
        let _ = route.publish_queues();
        for form in [RouteJson::Strict, RouteJson::Loose] {
            let text = route.encode(form);
            let back = TopicRouteData::decode(&text).expect("what we write, we read");
            assert_eq!(back, route);
        }
    }
    if let Ok(beat) = Heartbeat::decode(bytes) {
        let _ = beat.compute_fingerprint();
        assert_eq!(Heartbeat::decode(&beat.encode()), Ok(beat));
    }
    let _ = (ClusterInfo::decode(bytes), RegisterBody::decode(bytes));
    let mut reader = Reader::new(bytes);
    let whole = reader.value().and_then(|value| reader.end().map(|()| value));
    if let Ok(value) = whole {
        let _ = (value.to_i64(), value.to_i32(), value.to_bool());
        if let Value::String(text) = value {
            let _ = text.to_cow();
        }
    }
    assert!(reader.position() <= bytes.len());
}

/// Texts: properties, ids, names, handles, traces, and what a bridge says when it hangs up.
pub(crate) fn texts_of_any_kind(bytes: &[u8]) {
    let text: Cow<'_, str> = String::from_utf8_lossy(bytes);
    let pairs: Vec<_> = properties::decode(&text).collect();
    for (name, _) in &pairs {
        let last = pairs.iter().rev().find(|pair| pair.0 == *name).map(|pair| pair.1);
        assert_eq!(properties::get(&text, name), last);
    }
    let written = properties::encode(pairs.iter().copied());
    assert_eq!(properties::decode(&written).collect::<Vec<_>>(), pairs);

    if let Ok(id) = OffsetMessageId::decode(&text) {
        assert_eq!(OffsetMessageId::decode(&id.encode()), Ok(id));
    }
    let _ = UniqKey::decode(&text).map(|key| key.made_at_ms(i64::MAX));
    if let Some(id) = MessageId::parse(&text) {
        assert_eq!(MessageId::parse(id.as_str()), Some(id));
    }
    if let Ok(handle) = RecallHandle::decode(&text)
        && handle_can_be_written(&handle)
    {
        assert_eq!(RecallHandle::decode(&handle.encode()), Ok(handle));
    }
    trace::records(&text).flatten().for_each(|record| {
        let mut out = String::new();
        record.encode(&mut out);
        let _ = record.index_keys().count();
    });
    let _ = (namespace::unwrap_any(&text), namespace::of(&text), version::from_name(&text));
    let wrapped = namespace::wrap("ns", &text);
    let _ = namespace::unwrap("ns", &wrapped);
    if let Ok(topic) = TopicName::new(&text) {
        assert_eq!(topic.as_str(), text);
    }
    let _ = (GroupName::new(&text), Address::list(&text), Credentials::new(&*text, &*text));
    if let Ok(address) = Address::new(&text) {
        assert!(address.as_str() == text && !address.host().is_empty() && address.port() > 0);
    }
    let code = bytes.first_chunk().map_or(0, |code| u16::from_be_bytes(*code));
    let _ = (bridge::connection_end(code, &text), bridge::explanation(code, &text));
}

/// Parts that are empty, or end in blanks, are those that Java's `split` drops.
fn handle_can_be_written(handle: &RecallHandle) -> bool {
    let parts = [&handle.topic, &handle.broker_name, &handle.timestamp, &handle.message_id];
    parts.iter().all(|part| !part.is_empty() && !part.contains('\u{FFFD}'))
}
