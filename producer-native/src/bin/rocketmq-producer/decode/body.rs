//! What does a body hold? Requests say it by their code, answers by their looks.

use producer_core::wire::code::request;
use producer_core::wire::stored::{MAGIC_V1, MAGIC_V2, StoredMessage};
use producer_core::wire::sys_flag::{COMPRESSED, Compression};
use producer_core::wire::{Header, WireError, batch, hex, properties};
use serde_json::{Map, Value, json};

use super::{Detail, loose};

/// Adds the member `body` where the body is understood.
pub(super) fn describe(
    header: &Header<'_>,
    body: &[u8],
    detail: Detail,
    object: &mut Map<String, Value>,
) {
    if body.is_empty() {
        return;
    }
    let decoded = if header.is_response() { answer(body) } else { question(header, body) };
    if let Some(value) = decoded.or_else(|| text(body)) {
        object.insert("body".into(), value);
    } else if detail == Detail::Explain {
        object.insert("body_hex".into(), hex::encode_upper(body).into());
    }
}

/// The body of a request. Bodies of messages are text, whatever they look like.
fn question(header: &Header<'_>, body: &[u8]) -> Option<Value> {
    match header.code {
        request::SEND_MESSAGE_V2 if header.ext.bool("m") == Some(true) => members(body).ok(),
        request::SEND_MESSAGE if header.ext.bool("batch") == Some(true) => members(body).ok(),
        request::SEND_BATCH_MESSAGE => members(body).ok(),
        request::SEND_MESSAGE
        | request::SEND_MESSAGE_V2
        | request::SEND_REPLY_MESSAGE
        | request::SEND_REPLY_MESSAGE_V2
        | request::PUSH_REPLY_MESSAGE_TO_CLIENT => None,
        _ => answer(body),
    }
}

/// Stored messages or JSON: a route, the brokers of a cluster, a heartbeat.
pub(super) fn answer(body: &[u8]) -> Option<Value> {
    let magic = body.get(4..8).and_then(|magic| <[u8; 4]>::try_from(magic).ok());
    if let Some(MAGIC_V1 | MAGIC_V2) = magic.map(i32::from_be_bytes) {
        return stored(body).ok();
    }
    match body.trim_ascii_start().first() {
        Some(b'{' | b'[') => loose::value(body).ok(),
        _ => None,
    }
}

fn members(body: &[u8]) -> Result<Value, WireError> {
    batch::members(body)
        .map(|member| {
            member.map(|member| {
                let mut object = Map::new();
                object.insert("flag".into(), member.flag.into());
                object.insert("properties".into(), property_map(&member.properties));
                put_body(&mut object, member.body);
                Value::Object(object)
            })
        })
        .collect()
}

fn stored(mut body: &[u8]) -> Result<Value, WireError> {
    let mut messages = Vec::new();
    while !body.is_empty() {
        let (message, rest) = StoredMessage::decode(body)?;
        messages.push(stored_message(&message, body.len() - rest.len()));
        body = rest;
    }
    Ok(Value::Array(messages))
}

/// One stored message, with the names of Java's `MessageExt`.
fn stored_message(message: &StoredMessage<'_>, bytes: usize) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("topic", json!(message.topic));
    put("flag", json!(message.flag));
    put("msgId", json!(message.offset_message_id().encode()));
    put("storeSize", json!(bytes));
    put("bodyCRC", json!(message.body_crc));
    put("queueId", json!(message.queue_id));
    put("queueOffset", json!(message.queue_offset));
    put("commitLogOffset", json!(message.physical_offset));
    put("sysFlag", json!(message.sys_flag));
    put("bornTimestamp", json!(message.born_timestamp));
    put("bornHost", json!(message.born_host.to_string()));
    put("storeTimestamp", json!(message.store_timestamp));
    put("storeHost", json!(message.store_host.to_string()));
    put("reconsumeTimes", json!(message.reconsume_times));
    put("preparedTransactionOffset", json!(message.prepared_transaction_offset));
    put("properties", property_map(&message.properties));
    if message.sys_flag & COMPRESSED != 0 {
        put("compression", json!(Compression::of_flag(message.sys_flag).map(Compression::name)));
    }
    put_body(&mut object, &message.body);
    Value::Object(object)
}

/// A message's body inside another: as text where it is text, else in hex.
fn put_body(object: &mut Map<String, Value>, body: &[u8]) {
    object.insert("body_bytes".into(), body.len().into());
    match text(body) {
        Some(text) => object.insert("body".into(), text),
        None => object.insert("body_hex".into(), hex::encode_upper(body).into()),
    };
}

fn property_map(text: &str) -> Value {
    let fields = properties::decode(text);
    Value::Object(fields.map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

/// UTF-8 that can be printed: nothing in it that moves a cursor.
fn text(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars().all(printable).then(|| text.into())
}
