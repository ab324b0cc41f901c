//! Names, codes and checks.

use std::borrow::Cow;

use producer_core::wire::names::{self, GROUP_UNITS_MAX, GROUP_UNITS_MAX_4_9, NameError};
use producer_core::wire::{Language, address, client, code, namespace, property_names, version};
use serde_json::{Value, json};

use crate::support::{int, is_error, text};
use crate::tables::Row;

pub(crate) fn language(row: &Row<'_>) -> Result<(), String> {
    if let Some(name) = row.input.get("name") {
        let language = name.as_str().map_or(Language::UNKNOWN, Language::from_name);
        return row.check(language.name().map_or(Value::Null, |_| json!(language.code())));
    }
    let language =
        u8::try_from(int(row.input, "code")).map_or(Language::UNKNOWN, Language::from_code);
    if let Some(name) = language.name() {
        assert_eq!(Language::from_name(name), language);
    }
    row.check(json!(language.name()))
}

pub(crate) fn version(row: &Row<'_>) -> Result<(), String> {
    let Some(ordinal) = row.input.get("ordinal").and_then(Value::as_i64) else {
        return Ok(());
    };
    let name = version::name(ordinal as i32);
    if let Some(name) = &name {
        assert_eq!(version::from_name(name), Some(ordinal as i32), "{name}");
    }
    row.check(json!(name))
}

pub(crate) fn request_code(row: &Row<'_>) -> Result<(), String> {
    let name = text(row.input, "constant");
    let code = code::request::from_name(name);
    assert_eq!(code.and_then(code::request_name), Some(name));
    row.check(json!(code))
}

pub(crate) fn response_code(row: &Row<'_>) -> Result<(), String> {
    let name = text(row.input, "constant");
    // Three numbers were given new names since 4.9.
    if let Some(code) = code::response::from_name(name) {
        assert_eq!(code::response_name(code), Some(name));
        return row.check(code);
    }
    let number = row.out.as_i64().ok_or("number")?;
    let renamed = matches!(number, 209..=211) && code::response_name(number as i32).is_some();
    renamed.then_some(()).ok_or_else(|| format!("{name} unknown"))
}

pub(crate) fn property_name(row: &Row<'_>) -> Result<(), String> {
    let Some(name) = row.out.get("name").and_then(Value::as_str) else {
        return Err(format!("{} has no name", row.input));
    };
    row.check(json!({"name": name, "reserved": property_names::is_reserved(name)}))
}

pub(crate) fn user_property(row: &Row<'_>) -> Result<(), String> {
    let name = row.input["name"].as_str().unwrap_or_default();
    let value = row.input["value"].as_str().unwrap_or_default();
    let ok = property_names::is_user_property(name, value);
    (ok == (*row.out == "ok")).then_some(()).ok_or_else(|| format!("{} → {ok}", row.input))
}

pub(crate) fn topic_name(row: &Row<'_>) -> Result<(), String> {
    let topic = row.input["topic"].as_str().unwrap_or_default();
    compare_name(row.input, names::check_topic(topic), &row.out["checkTopic"])?;
    if row.input["topic"].is_null() {
        return Ok(());
    }
    let system = names::is_system_topic(topic) == (row.out["isSystemTopic"] == true);
    let forbidden = names::is_forbidden_topic(topic) == (row.out["isNotAllowedSendTopic"] == true);
    (system && forbidden).then_some(()).ok_or_else(|| format!("{topic}: {system} {forbidden}"))
}

pub(crate) fn group_name(row: &Row<'_>) -> Result<(), String> {
    let group = row.input["group"].as_str().unwrap_or_default();
    compare_name(row.input, names::check_group(group, GROUP_UNITS_MAX), row.out)?;
    let old = row.out_4_9_7.unwrap_or(row.out);
    compare_name(row.input, names::check_group(group, GROUP_UNITS_MAX_4_9), old)
}

pub(crate) fn message_check(row: &Row<'_>) -> Result<(), String> {
    let input = row.input;
    if input.get("message").is_some_and(Value::is_null) {
        // A message that is not there cannot be said in Rust.
        return Ok(());
    }
    let topic = input["topic"].as_str().unwrap_or_default();
    let body = input["bodyLength"].as_u64().unwrap_or(0) as usize;
    let max = int(input, "maxMessageSize") as usize;
    let dispatch = input.get("INNER_MULTI_DISPATCH").and_then(Value::as_str);
    let ok = names::check_topic(topic).is_ok()
        && !names::is_forbidden_topic(topic)
        && names::is_body_size(body, max)
        && dispatch.is_none_or(|queues| !queues.contains('/'));
    let java = *row.out == "ok";
    (ok == java).then_some(()).ok_or_else(|| format!("{input} → {ok}"))
}

/// Our reason has to be the one that Java's message names.
fn compare_name(input: &Value, found: Result<(), NameError>, out: &Value) -> Result<(), String> {
    let message = out.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
    let same = match found {
        Ok(()) => *out == "ok",
        Err(NameError::Blank) => message.contains("is blank"),
        Err(NameError::TooLong { max }) => message.contains(&max.to_string()),
        Err(NameError::IllegalCharacter) => message.contains("illegal characters"),
        Err(_) => false,
    };
    same.then_some(()).ok_or_else(|| format!("{input} → {found:?}, Java {out}"))
}

pub(crate) fn namespace_wrap(row: &Row<'_>) -> Result<(), String> {
    let inner = row.input["namespace"].as_str().unwrap_or_default();
    let Some(resource) = row.input["resource"].as_str() else { return Ok(()) };
    let wrapped = namespace::wrap(inner, resource);
    // Java has no retry topic for an empty group.
    let retry: Option<Cow<'_, str>> =
        (!resource.is_empty()).then(|| format!("{}{wrapped}", namespace::RETRY_PREFIX).into());
    row.check(json!({
        "wrapNamespace": wrapped,
        "wrapNamespaceAndRetry": retry,
        "withoutNamespace": namespace::unwrap(inner, resource),
        "isAlreadyWithNamespace": namespace::is_inside(inner, resource),
    }))
}

pub(crate) fn namespace_unwrap(row: &Row<'_>) -> Result<(), String> {
    let Some(resource) = row.input["resource"].as_str() else { return Ok(()) };
    row.check(json!({
        "withoutNamespace": namespace::unwrap_any(resource),
        "getNamespaceFromResource": namespace::of(resource),
        "isRetryTopic": namespace::is_retry_topic(resource),
        "isDLQTopic": namespace::is_dlq_topic(resource),
    }))
}

pub(crate) fn vip_address(row: &Row<'_>) -> Result<(), String> {
    let given = text(row.input, "address");
    let found = match row.input["vipChannelEnabled"] == true {
        true => address::vip(given),
        false => Some(given.to_owned()),
    };
    match found {
        None if is_error(row.out) => Ok(()),
        found => row.check(json!(found)),
    }
}

pub(crate) fn client_id(row: &Row<'_>) -> Result<(), String> {
    let input = row.input;
    let stream = input["enableStreamRequestType"] == true;
    let unit = input["unitName"].as_str();
    let found =
        client::client_id(text(input, "clientIP"), text(input, "instanceName"), unit, stream);
    row.check_either(found)
}
