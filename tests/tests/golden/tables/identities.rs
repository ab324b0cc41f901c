//! Hashes, checksums, ids and signatures.

use std::net::IpAddr;

use producer_core::wire::acl::{self, Credentials};
use producer_core::wire::message_id::{OffsetMessageId, UniqKey};
use producer_core::wire::recall::RecallHandle;
use producer_core::wire::{Fields, crc32 as crc, hex as our_hex, java_hash};
use serde_json::{Value, json};

use crate::support::{hex, int, is_error, text};
use crate::tables::Row;

pub(crate) fn crc32(row: &Row<'_>) -> Result<(), String> {
    row.check(crc::crc32_stored(&hex(text(row.input, "bytes_hex"))))
}

pub(crate) fn hex_encode(row: &Row<'_>) -> Result<(), String> {
    let bytes = hex(text(row.input, "bytes_hex"));
    let mut pushed = Vec::new();
    our_hex::push_upper(&mut pushed, &bytes);
    let encoded = our_hex::encode_upper(&bytes);
    assert_eq!(pushed, encoded.as_bytes());
    row.check(encoded)
}

pub(crate) fn hex_decode(row: &Row<'_>) -> Result<(), String> {
    let decoded = our_hex::decode(row.input["text"].as_str().unwrap_or_default());
    // Java has null for no text and for empty text.
    let found = if decoded.is_empty() { Value::Null } else { json!(lower(&decoded)) };
    row.check(found)
}

pub(crate) fn hash_selector(row: &Row<'_>) -> Result<(), String> {
    let input = row.input;
    if is_error(row.out) {
        let found = input["key"].as_str().and_then(|key| {
            java_hash::queue_index(java_hash::hash_code(key), int(input, "queues") as usize)
        });
        return found.map_or(Ok(()), |index| Err(format!("{input} → {index}")));
    }
    let key = text(input, "key");
    let hash = match input.get("javaType").and_then(Value::as_str) {
        Some("Integer") => key.parse::<i32>().map_err(|e| e.to_string())?,
        Some("Long") => {
            java_hash::hash_long(key.parse().map_err(|e: std::num::ParseIntError| e.to_string())?)
        }
        _ => {
            let units = input["utf16"].as_array().ok_or("utf16")?;
            let units: Vec<u16> =
                units.iter().filter_map(|unit| Some(unit.as_u64()? as u16)).collect();
            let hash = java_hash::hash_utf16(units.iter().copied());
            if let Ok(text) = String::from_utf16(&units) {
                assert_eq!(java_hash::hash_code(&text), hash, "{text}");
            }
            hash
        }
    };
    let indexes: Vec<_> = (1..=16).map(|queues| java_hash::queue_index(hash, queues)).collect();
    row.check(json!({"hashCode": hash, "indexForSizes1To16": indexes}))
}

pub(crate) fn offset_message_id(row: &Row<'_>) -> Result<(), String> {
    let ip: IpAddr = text(row.input, "host").parse().map_err(|_| "host")?;
    let port = int(row.input, "port") as u16;
    let id = OffsetMessageId { host: (ip, port).into(), offset: int(row.input, "offset") };
    let encoded = id.encode();
    assert_eq!(OffsetMessageId::decode(&encoded), Ok(id));
    row.check(encoded)
}

pub(crate) fn offset_message_id_decode(row: &Row<'_>) -> Result<(), String> {
    let found = OffsetMessageId::decode(row.input["id"].as_str().unwrap_or_default());
    if is_error(row.out) {
        return found.map_or(Ok(()), |id| Err(format!("{} → {id:?}", row.input)));
    }
    let id = found.map_err(|e| format!("{} → {e}", row.input))?;
    let host: IpAddr = text(row.out, "host").parse().map_err(|_| "host")?;
    let out = &row.out;
    let same = id.host.ip() == host
        && i64::from(id.host.port()) == int(out, "port")
        && id.offset == int(out, "offset");
    same.then_some(()).ok_or_else(|| format!("{} → {id:?}", row.input))
}

pub(crate) fn unique_id(row: &Row<'_>) -> Result<(), String> {
    let id = text(row.input, "id");
    let found = UniqKey::decode(id);
    if row.out.as_object().ok_or("out")?.values().any(is_error) {
        return found.map_or(Ok(()), |key| Err(format!("{id} → {key:?}")));
    }
    let key = found.map_err(|e| format!("{id} → {e}"))?;
    if id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        assert_eq!(key.encode(), id.to_uppercase());
    }
    let ip: IpAddr = text(row.out, "ip").parse().map_err(|_| "ip")?;
    let same = key.ip == ip
        && i64::from(key.pid) == int(row.out, "pid")
        && key.made_at_ms(int(row.input, "now")) == int(row.out, "timeMs");
    let made = key.made_at_ms(int(row.input, "now"));
    same.then_some(()).ok_or_else(|| format!("{id} → {key:?} made at {made}"))
}

pub(crate) fn recall_handle_build(row: &Row<'_>) -> Result<(), String> {
    let handle = RecallHandle {
        topic: text(row.input, "topic").into(),
        broker_name: text(row.input, "brokerName").into(),
        timestamp: text(row.input, "timestamp").into(),
        message_id: text(row.input, "messageId").into(),
    };
    row.check(handle.encode())
}

pub(crate) fn recall_handle_decode(row: &Row<'_>) -> Result<(), String> {
    let found = RecallHandle::decode(row.input["handle"].as_str().unwrap_or_default());
    if is_error(row.out) {
        return found.map_or(Ok(()), |handle| Err(format!("{} → {handle:?}", row.input)));
    }
    let handle = found.map_err(|e| format!("{} → {e}", row.input))?;
    row.check(json!({
        "version": "v1",
        "topic": handle.topic,
        "brokerName": handle.broker_name,
        "timestamp": handle.timestamp,
        "messageId": handle.message_id,
    }))
}

pub(crate) fn acl_signature(row: &Row<'_>) -> Result<(), String> {
    // Requests are signed with the default only.
    if row.input.get("algorithm").is_some_and(|algorithm| algorithm != "HmacSHA1") {
        return Ok(());
    }
    let found = acl::signature(text(row.input, "secretKey"), text(row.input, "content").as_bytes());
    match found {
        Err(_) if is_error(row.out) => Ok(()),
        Err(error) => Err(format!("{} → {error}", row.input)),
        Ok(signature) => row.check(signature),
    }
}

pub(crate) fn acl_request(row: &Row<'_>) -> Result<(), String> {
    let mut fields = Fields::new();
    for field in row.input["extFields"].as_array().ok_or("fields")? {
        fields.push(field[0].as_str().ok_or("name")?, field[1].as_str().ok_or("value")?);
    }
    let keys = (text(row.input, "accessKey"), text(row.input, "secretKey"));
    let mut credentials = Credentials::new(keys.0, keys.1).map_err(|e| e.to_string())?;
    if let Some(token) = row.input["securityToken"].as_str() {
        credentials = credentials.with_token(token).map_err(|e| e.to_string())?;
    }
    let body = row.input["body"].as_str().unwrap_or_default();
    let signed = acl::sign(fields, &credentials, body.as_bytes()).map_err(|e| e.to_string())?;
    let signed: serde_json::Map<_, _> =
        signed.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    row.check(json!({"extFieldsAfter": signed}))
}

fn lower(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
