//! Which key sets what.

use std::path::Path;

use producer_core::wire::SerializeType;
use producer_core::wire::sys_flag::Compression;
use producer_core::{
    AccessChannel, Adaptive, Address, AutoBatch, Compress, Config, Credentials, FaultTable,
    GroupName, Health, InvalidCredentials, OnUnknown, Require, RetryBudget, Rotation, TopicName,
    Trace,
};

use super::reader::{
    Table, Wanted, bytes, flag, list, number, optional_text, optional_time, text, texts, time,
};
use super::source::{Node, Value};
use super::{SettingsError, ways};
use crate::builder::Builder;
use crate::secret::Secret;

pub(super) fn add(root: Node, builder: Builder) -> Result<Builder, SettingsError> {
    let mut table = Table::new(root, "")?;
    let mut config = match table.get("preset", |node| one_of(node, &PRESETS))? {
        Some(Preset::Java) => Config::java(),
        Some(Preset::Default) | None => Config::default(),
    };
    identity(&mut table, &mut config)?;
    attempts(&mut table, &mut config)?;
    routes(&mut table, &mut config)?;
    limits(&mut table, &mut config)?;
    let builder = ways::set(&mut table, builder.config(config))?;
    table.finish()?;
    Ok(builder)
}

#[derive(Clone, Copy)]
enum Preset {
    Default,
    Java,
}

const PRESETS: (&[(&str, Preset)], Wanted) =
    (&[("default", Preset::Default), ("java", Preset::Java)], "\"default\" or \"java\"");

fn identity(table: &mut Table, config: &mut Config) -> Result<(), SettingsError> {
    table.set("group", &mut config.group, |node| {
        GroupName::new(&text(node)?).map_err(|_| "a group: letters, digits and %|_-, at most 255")
    })?;
    table.set("name_servers", &mut config.name_servers, |node| {
        let servers = texts(node)?;
        let servers: Result<_, _> = servers.iter().map(|text| Address::new(text)).collect();
        servers.map_err(|_| ADDRESSES)
    })?;
    table.set("instance_name", &mut config.instance_name, optional_text)?;
    table.set("unit_name", &mut config.unit_name, optional_text)?;
    table.set("unit_mode", &mut config.unit_mode, flag)?;
    table.set("namespace", &mut config.namespace, optional_text)?;
    table.set("namespace_v2", &mut config.namespace_v2, optional_text)?;
    table.set("zone", &mut config.zone, optional_text)?;
    table.set("stream_requests", &mut config.stream_requests, flag)?;
    let headers: (&[_], Wanted) = (
        &[("json", SerializeType::Json), ("rocketmq", SerializeType::RocketMq)],
        "\"json\" or \"rocketmq\"",
    );
    table.set("header", &mut config.header, |node| one_of(node, &headers))?;
    table.set("language", &mut config.language, number)?;
    table.set("version", &mut config.version, number)?;
    for mut credentials in table.tables("credentials")? {
        config.credentials = Some(account(&mut credentials)?);
        credentials.finish()?;
    }
    Ok(())
}

/// Of a key file, as Java clients have it, or of the keys of the table.
fn account(credentials: &mut Table) -> Result<Credentials, SettingsError> {
    if let Some(path) = credentials.get("key_file", text)? {
        let read = crate::access::key_file(Some(Path::new(&path)));
        return read.map_err(|problem| credentials.error("key_file", problem.to_string()));
    }
    let access_key: String = needed(credentials, "access_key", text)?;
    let secret = ways::secret(credentials, "secret_key", "secret_key_file")?;
    let secret = secret.as_ref().map_or("", Secret::reveal);
    let account = Credentials::new(access_key, secret).map_err(|problem| match problem {
        InvalidCredentials::AccessKey => credentials.error("access_key", "it is needed"),
        _ => credentials.error("secret_key", "it is needed"),
    })?;
    let token = ways::secret(credentials, "security_token", "security_token_file")?;
    let Some(token) = token.filter(|token| !token.reveal().is_empty()) else { return Ok(account) };
    let blank = |_| credentials.error("security_token", "it is blank");
    account.with_token(token.reveal()).map_err(blank)
}

fn attempts(table: &mut Table, config: &mut Config) -> Result<(), SettingsError> {
    table.set("send_timeout", &mut config.send_timeout, time)?;
    table.set("attempt_timeout", &mut config.attempt_timeout, optional_time)?;
    table.set("attempts_max", &mut config.attempts_max, at_least_one)?;
    table.set("attempts_all_max", &mut config.attempts_all_max, at_least_one)?;
    let codes = "a list of response codes";
    table.set("retry_codes", &mut config.retry_codes, |node| list(node, number, codes))?;
    let on_unknown: (&[_], Wanted) =
        (&[("retry", OnUnknown::Retry), ("stop", OnUnknown::Stop)], "\"retry\" or \"stop\"");
    table.set("on_unknown", &mut config.on_unknown, |node| one_of(node, &on_unknown))?;
    let require: (&[_], Wanted) = (
        &[
            ("stored", Require::Stored),
            ("flushed", Require::Flushed),
            ("replicated", Require::Replicated),
            ("send_ok", Require::SendOk),
        ],
        "\"stored\", \"flushed\", \"replicated\" or \"send_ok\"",
    );
    table.set("require", &mut config.require, |node| one_of(node, &require))?;
    table.set("retry_not_ok", &mut config.retry_not_ok, flag)?;
    let rotation: (&[_], Wanted) = (
        &[("broker_first", Rotation::BrokerFirst), ("java", Rotation::Java)],
        "\"broker_first\" or \"java\"",
    );
    table.set("rotation", &mut config.rotation, |node| one_of(node, &rotation))?;
    if let Some(node) = table.take("retry_budget") {
        config.retry_budget = retry_budget(node)?;
    }
    if let Some(node) = table.take("auto_batch") {
        config.auto_batch = auto_batch(node)?;
    }
    if let Some(node) = table.take("compression") {
        config.compression = compression(node)?;
    }
    if let Some(node) = table.take("trace") {
        config.trace = trace(node)?;
    }
    for (name, pauses) in [("backoff", &mut config.backoff), ("redial", &mut config.redial)] {
        for mut table in table.tables(name)? {
            table.set("first", &mut pauses.first, time)?;
            table.set("longest", &mut pauses.longest, time)?;
            table.finish()?;
        }
    }
    if let Some(node) = table.take("health") {
        config.health = health(node)?;
    }
    Ok(())
}

/// The table of a key that may also say `"none"`.
fn unless_none(node: Node, key: &str) -> Result<Option<Table>, SettingsError> {
    match &node.value {
        Value::Text(text) if text == "none" => Ok(None),
        _ => Table::new(node, key).map(Some),
    }
}

fn retry_budget(node: Node) -> Result<Option<RetryBudget>, SettingsError> {
    let Some(mut table) = unless_none(node, "retry_budget")? else { return Ok(None) };
    let mut budget = RetryBudget::default();
    table.set("percent", &mut budget.percent, number)?;
    table.set("reserve", &mut budget.reserve, number)?;
    table.finish()?;
    Ok(Some(budget))
}

fn auto_batch(node: Node) -> Result<Option<AutoBatch>, SettingsError> {
    let Some(mut table) = unless_none(node, "auto_batch")? else { return Ok(None) };
    let mut limits = AutoBatch::default();
    table.set("bytes_max", &mut limits.bytes_max, positive)?;
    table.set("messages_max", &mut limits.messages_max, positive)?;
    table.set("linger", &mut limits.linger, time)?;
    table.finish()?;
    Ok(Some(limits))
}

fn compression(node: Node) -> Result<Option<Compress>, SettingsError> {
    let Some(mut table) = unless_none(node, "compression")? else { return Ok(None) };
    let mut compress = Compress::default();
    let kinds: (&[_], Wanted) = (
        &[("zlib", Compression::Zlib), ("lz4", Compression::Lz4), ("zstd", Compression::Zstd)],
        "\"zlib\", \"lz4\" or \"zstd\"",
    );
    table.set("kind", &mut compress.kind, |node| one_of(node, &kinds))?;
    table.set("level", &mut compress.level, number)?;
    table.set("threshold", &mut compress.threshold, bytes)?;
    table.finish()?;
    Ok(Some(compress))
}

fn trace(node: Node) -> Result<Option<Trace>, SettingsError> {
    let Some(mut table) = unless_none(node, "trace")? else { return Ok(None) };
    let mut trace = Trace::default();
    table.set("topic", &mut trace.topic, |node| {
        TopicName::new(&text(node)?).map_err(|_| "a topic")
    })?;
    let channels: (&[_], Wanted) = (
        &[("local", AccessChannel::Local), ("cloud", AccessChannel::Cloud)],
        "\"local\" or \"cloud\"",
    );
    table.set("channel", &mut trace.channel, |node| one_of(node, &channels))?;
    table.set("batch", &mut trace.batch, positive)?;
    table.set("interval", &mut trace.interval, time)?;
    table.set("failures", &mut trace.failures, flag)?;
    table.set("records_max", &mut trace.records_max, positive)?;
    table.finish()?;
    Ok(Some(trace))
}

fn health(node: Node) -> Result<Health, SettingsError> {
    let kinds: (&[_], Wanted) = (
        &[
            ("off", Health::Off),
            ("java", Health::Java(FaultTable::default())),
            ("adaptive", Health::Adaptive(Adaptive::default())),
        ],
        "\"off\", \"java\" or \"adaptive\"",
    );
    if matches!(node.value, Value::Text(_)) {
        let place = node.place.clone();
        let kind = one_of(&node, &kinds);
        return kind
            .map_err(|wanted| SettingsError::new(place, "health", format!("wanted {wanted}")));
    }
    let mut table = Table::new(node, "health")?;
    let mut health = Health::Adaptive(Adaptive::default());
    table.set("kind", &mut health, |node| one_of(node, &kinds))?;
    match &mut health {
        Health::Off => {}
        Health::Adaptive(adaptive) => {
            table.set("silence", &mut adaptive.silence, time)?;
            table.set("probe_interval", &mut adaptive.probe_interval, time)?;
            table.set("probe_timeout", &mut adaptive.probe_timeout, time)?;
            table.set("failures", &mut adaptive.failures, number)?;
        }
        Health::Java(faults) => {
            const STEPS: Wanted = "a list of pairs of times: [[\"550ms\", \"2s\"], ...]";
            table.set("steps", &mut faults.steps, |node| list(node, pair, STEPS))?;
            table.set("failure_latency", &mut faults.failure_latency, time)?;
            table.set("detector", &mut faults.detector, flag)?;
            table.set("detect_interval", &mut faults.detect_interval, time)?;
            table.set("detect_timeout", &mut faults.detect_timeout, time)?;
        }
    }
    table.finish()?;
    Ok(health)
}

fn routes(table: &mut Table, config: &mut Config) -> Result<(), SettingsError> {
    table.set("route_poll", &mut config.route_poll, time)?;
    table.set("route_refresh_min", &mut config.route_refresh_min, time)?;
    table.set("request_timeout", &mut config.request_timeout, time)?;
    table.set("name_server_hedge", &mut config.name_server_hedge, optional_time)?;
    table.set("absent_for", &mut config.absent_for, time)?;
    table.set("auto_create_topics", &mut config.auto_create_topics, flag)?;
    table.set("create_topic_key", &mut config.create_topic_key, text)?;
    table.set("default_topic_queues", &mut config.default_topic_queues, at_least_one)?;
    table.set("heartbeat", &mut config.heartbeat, time)?;
    table.set("idle_timeout", &mut config.idle_timeout, time)?;
    table.set("connect_timeout", &mut config.connect_timeout, time)?;
    table.set("vip_channel", &mut config.vip_channel, flag)?;
    table.set("address_map", &mut config.address_map, |node| {
        let Value::Table(pairs) = &node.value else { return Err(ADDRESS_MAP) };
        let pair = |(from, to): (&String, &Node)| {
            let addresses = (Address::new(from), Address::new(&text(to)?));
            let (Ok(from), Ok(to)) = addresses else { return Err(ADDRESS_MAP) };
            Ok((from, to))
        };
        pairs.iter().map(pair).collect()
    })
}

fn limits(table: &mut Table, config: &mut Config) -> Result<(), SettingsError> {
    table.set("sends_max", &mut config.sends_max, positive)?;
    table.set("bytes_max", &mut config.bytes_max, bytes)?;
    table.set("waiting_max", &mut config.waiting_max, number)?;
    table.set("waiting_bytes_max", &mut config.waiting_bytes_max, bytes)?;
    table.set("message_bytes_max", &mut config.message_bytes_max, positive)?;
    table.set("frame_bytes_max", &mut config.frame_bytes_max, positive)?;
    table.set("topics_max", &mut config.topics_max, positive)
}

/// The value of a key that must be there.
fn needed<R>(
    table: &mut Table,
    key: &'static str,
    read: impl FnOnce(&Node) -> Result<R, Wanted>,
) -> Result<R, SettingsError> {
    let value = table.get(key, read)?;
    value.ok_or_else(|| table.error(key, "it is needed"))
}

/// What one of several words stands for.
fn one_of<R: Clone>(node: &Node, words: &(&[(&str, R)], Wanted)) -> Result<R, Wanted> {
    let Value::Text(text) = &node.value else { return Err(words.1) };
    let found = words.0.iter().find(|(word, _)| word == text);
    found.map(|(_, meaning)| meaning.clone()).ok_or(words.1)
}

fn at_least_one(node: &Node) -> Result<u32, Wanted> {
    number(node).ok().filter(|&number| number > 0).ok_or("a whole number from 1 on")
}

fn positive(node: &Node) -> Result<usize, Wanted> {
    bytes(node)?.checked_sub(1).map(|less| less + 1).ok_or("a number from 1 on")
}

fn pair(node: &Node) -> Result<(std::time::Duration, std::time::Duration), Wanted> {
    match list(node, time, "two times")?.as_slice() {
        &[from, stay] => Ok((from, stay)),
        _ => Err("two times"),
    }
}

const ADDRESSES: Wanted = "addresses as host:port, in a list or between semicolons";
const ADDRESS_MAP: Wanted = "a table of \"advertised:port\" = \"dialled:port\"";
