//! Properties, batches, flags, heartbeats and routes.

use std::collections::BTreeMap;

use producer_core::wire::client::Heartbeat;
use producer_core::wire::route::{RouteJson, TopicRouteData};
use producer_core::wire::sys_flag::{self as flags, Compression};
use producer_core::wire::{batch, perm as perms, properties};
use serde_json::{Value, json};

use crate::support::{hex, int, is_error, text};
use crate::tables::Row;

type Pairs<'v> = Vec<(&'v str, &'v str)>;

/// Pairs of name and value; null values are not sent.
fn pairs(list: &Value) -> Pairs<'_> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?))).collect()
}

fn map(text: &str) -> BTreeMap<&str, &str> {
    properties::decode(text).collect()
}

pub(crate) fn properties_encode(row: &Row<'_>) -> Result<(), String> {
    let given = pairs(&row.input["properties"]);
    let found = properties::encode(given.iter().copied());
    let mut pushed = Vec::new();
    for (name, value) in given {
        properties::push(&mut pushed, name, value);
    }
    assert_eq!(pushed, found.as_bytes());
    let bytes: String = found.bytes().map(|byte| format!("{byte:02x}")).collect();
    let again: Vec<_> = map(&found).into_iter().collect();
    row.check(json!({"text": found, "utf8_hex": bytes, "decodedAgain": again}))?;
    // 4.9.7 leaves out the last separator and reads the same.
    let Some(old) = row.out_4_9_7 else { return Ok(()) };
    let read: Vec<_> = map(text(old, "text")).into_iter().collect();
    (old["decodedAgain"] == json!(read)).then_some(()).ok_or_else(|| format!("4.9.7: {read:?}"))
}

pub(crate) fn properties_decode(row: &Row<'_>) -> Result<(), String> {
    let given = row.input["text"].as_str().unwrap_or_default();
    let found = map(given);
    for (name, value) in &found {
        assert_eq!(properties::get(given, name), Some(*value));
    }
    row.check(json!(found))
}

pub(crate) fn batch_encoding(row: &Row<'_>) -> Result<(), String> {
    let mut body = Vec::new();
    for message in row.input["messages"].as_array().ok_or("messages")? {
        let properties = properties::encode(pairs(&message["properties"]));
        let flag = int(message, "flag") as i32;
        let member = hex(text(message, "body_hex"));
        batch::push_member(&mut body, flag, &member, properties.as_bytes())
            .map_err(|e| e.to_string())?;
    }
    let found: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    row.check(json!({"hex": found, "decodedAgain": members(&body)?}))?;
    let Some(old) = row.out_4_9_7 else { return Ok(()) };
    let read = members(&hex(text(old, "hex")))?;
    (old["decodedAgain"] == read).then_some(()).ok_or_else(|| format!("4.9.7: {read}"))
}

pub(crate) fn batch_decode(row: &Row<'_>) -> Result<(), String> {
    match members(&hex(text(row.input, "hex"))) {
        Err(_) if is_error(row.out) => Ok(()),
        Err(error) => Err(format!("{} → {error}", row.input)),
        Ok(found) => row.check(found),
    }
}

fn members(body: &[u8]) -> Result<Value, String> {
    let mut found = Vec::new();
    for member in batch::members(body) {
        let member = member.map_err(|e| e.to_string())?;
        let bytes: String = member.body.iter().map(|byte| format!("{byte:02x}")).collect();
        let properties = map(&member.properties);
        found.push(json!({"body_hex": bytes, "flag": member.flag, "properties": properties}));
    }
    Ok(json!(found))
}

pub(crate) fn sys_flag(row: &Row<'_>) -> Result<(), String> {
    let flag = int(row.input, "sysFlag") as i32;
    let mut out = row.out.clone();
    let kind = Compression::of_flag(flag);
    if is_error(&out["compressionType"]) {
        out["compressionType"] = Value::Null;
    }
    let found = json!({
        "transactionValue": flags::transaction(flag),
        "toPrepared": flags::with_transaction(flag, flags::TRANSACTION_PREPARED),
        "toCommit": flags::with_transaction(flag, flags::TRANSACTION_COMMIT),
        "toRollback": flags::with_transaction(flag, flags::TRANSACTION_ROLLBACK),
        "toNone": flags::with_transaction(flag, 0),
        "clearCompressed": flags::without_compressed(flag),
        "compressionType": kind.map(Compression::name),
    });
    (found == out).then_some(()).ok_or_else(|| format!("{} → {found}", row.input))
}

pub(crate) fn compression_name(row: &Row<'_>) -> Result<(), String> {
    let found = match row.input.get("name").and_then(Value::as_str) {
        Some(name) => Compression::from_name(name),
        None => Compression::from_code(int(row.input, "value") as i32),
    };
    match found {
        None if is_error(row.out) => Ok(()),
        found => row.check(json!(found.map(Compression::name))),
    }
}

pub(crate) fn perm(row: &Row<'_>) -> Result<(), String> {
    let perm = int(row.input, "perm") as i32;
    row.check(json!({
        "text": perms::text(perm),
        "writable": perms::is_writable(perm),
        "readable": perms::is_readable(perm),
        "inherited": perms::is_inherited(perm),
    }))
}

pub(crate) fn heartbeat_body(row: &Row<'_>) -> Result<(), String> {
    let new = heartbeat(row.input);
    let old = Heartbeat { fingerprint: None, without_sub: None, ..new.clone() };
    for heartbeat in [&new, &old] {
        assert_eq!(Heartbeat::decode(&heartbeat.encode()).as_ref(), Ok(heartbeat));
    }
    let show = |heartbeat: &Heartbeat| json!({"json": String::from_utf8(heartbeat.encode()).unwrap_or_default()});
    let found = show(&old);
    if row.out_4_9_7.is_some_and(|out| *out != found) {
        return Err(format!("4.9.7: {found}"));
    }
    row.check(show(&new))
}

pub(crate) fn heartbeat_fingerprint(row: &Row<'_>) -> Result<(), String> {
    row.check(heartbeat(row.input).compute_fingerprint())
}

fn heartbeat(input: &Value) -> Heartbeat {
    let groups = input["producerGroups"].as_array().into_iter().flatten();
    Heartbeat {
        client_id: text(input, "clientId").into(),
        producer_groups: groups.filter_map(|group| Some(group.as_str()?.to_owned())).collect(),
        fingerprint: Some(0),
        without_sub: Some(false),
    }
}

pub(crate) fn route_to_publish_info(row: &Row<'_>) -> Result<(), String> {
    let given = text(row.input, "route");
    let route = TopicRouteData::decode(given.as_bytes());
    if let Ok(route) = &route {
        for form in [RouteJson::Strict, RouteJson::Loose] {
            assert_eq!(TopicRouteData::decode(&route.encode(form)).as_ref(), Ok(route), "{given}");
        }
    }
    let found = route.as_ref().map_err(|e| *e).and_then(TopicRouteData::publish_queues);
    if is_error(row.out) {
        // Java runs into nulls where we see a route without queues; neither can send.
        let usable = found.is_ok_and(|info| !info.queues.is_empty());
        return if usable { Err(given.to_owned()) } else { Ok(()) };
    }
    let info = found.map_err(|e| format!("{given} → {e}"))?;
    let queues: Vec<_> = info
        .queues
        .iter()
        .map(|queue| format!("{}:{}", queue.broker_name, queue.queue_id))
        .collect();
    row.check(json!({
        "orderTopic": info.order_topic, "haveTopicRouterInfo": false, "queues": queues,
    }))
}
