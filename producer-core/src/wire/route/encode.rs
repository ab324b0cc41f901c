//! Writing route and cluster JSON as name servers do.

use alloc::string::String;
use alloc::vec::Vec;

use super::{BrokerData, QueueData, QueueMapping, TopicRouteData};
use crate::wire::{digits, json};

/// The two forms of JSON that name servers write (spec §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteJson {
    /// Integer keys are quoted, characters outside ASCII are escaped.
    Strict,
    /// Integer keys are bare: what old name servers, zones and old clients get, and code 106.
    Loose,
}

impl TopicRouteData {
    /// Writes the route, members in alphabetical order, absent ones left out.
    pub fn encode(&self, form: RouteJson) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(b"{\"brokerDatas\":");
        list(&mut out, &self.brokers, |out, broker| broker_data(out, form, broker));
        out.extend_from_slice(b",\"filterServerTable\":{");
        separated(&mut out, &self.filter_servers, |out, (address, servers)| {
            quote(out, form, address);
            out.push(b':');
            list(out, servers, |out, server| quote(out, form, server));
        });
        out.push(b'}');
        if let Some(conf) = &self.order_topic_conf {
            out.extend_from_slice(b",\"orderTopicConf\":");
            quote(&mut out, form, conf);
        }
        out.extend_from_slice(b",\"queueDatas\":");
        list(&mut out, &self.queues, |out, queue| queue_data(out, form, queue));
        if let Some(mapping) = &self.static_mapping {
            out.extend_from_slice(b",\"topicQueueMappingByBroker\":{");
            separated(&mut out, mapping, |out, (broker, mapping)| {
                quote(out, form, broker);
                out.push(b':');
                queue_mapping(out, form, mapping);
            });
            out.push(b'}');
        }
        out.push(b'}');
        out
    }
}

pub(crate) fn broker_data(out: &mut Vec<u8>, form: RouteJson, broker: &BrokerData) {
    out.extend_from_slice(b"{\"brokerAddrs\":{");
    separated(out, &broker.addresses, |out, (id, address)| {
        integer_key(out, form, *id);
        quote(out, form, address);
    });
    out.extend_from_slice(b"},\"brokerName\":");
    quote(out, form, &broker.broker_name);
    member_text(out, form, "cluster", broker.cluster.as_ref());
    if let Some(acting) = broker.enable_acting_master {
        out.extend_from_slice(b",\"enableActingMaster\":");
        truth(out, acting);
    }
    member_text(out, form, "zoneName", broker.zone_name.as_ref());
    out.push(b'}');
}

fn queue_data(out: &mut Vec<u8>, form: RouteJson, queue: &QueueData) {
    out.extend_from_slice(b"{\"brokerName\":");
    quote(out, form, &queue.broker_name);
    member_int(out, "perm", queue.perm.into());
    member_int(out, "readQueueNums", queue.read_queue_nums.into());
    member_int(out, "topicSysFlag", queue.topic_sys_flag.into());
    member_int(out, "writeQueueNums", queue.write_queue_nums.into());
    out.push(b'}');
}

fn queue_mapping(out: &mut Vec<u8>, form: RouteJson, mapping: &QueueMapping) {
    out.push(b'{');
    if let Some(broker) = &mapping.broker_name {
        out.extend_from_slice(b"\"bname\":");
        quote(out, form, broker);
        out.push(b',');
    }
    out.extend_from_slice(b"\"currIdMap\":{");
    separated(out, &mapping.current, |out, (global, local)| {
        integer_key(out, form, (*global).into());
        digits::push_i32(out, *local);
    });
    out.extend_from_slice(b"},\"dirty\":");
    truth(out, mapping.dirty);
    member_int(out, "epoch", mapping.epoch);
    member_text(out, form, "scope", mapping.scope.as_ref());
    member_text(out, form, "topic", mapping.topic.as_ref());
    member_int(out, "totalQueues", mapping.total_queues.into());
    out.push(b'}');
}

/// A list in brackets.
pub(crate) fn list<T>(out: &mut Vec<u8>, items: &[T], item: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    separated(out, items, item);
    out.push(b']');
}

/// Items with commas between them.
pub(crate) fn separated<T>(out: &mut Vec<u8>, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    for (at, each) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        item(out, each);
    }
}

pub(crate) fn quote(out: &mut Vec<u8>, form: RouteJson, text: &str) {
    if form == RouteJson::Loose || text.is_ascii() {
        return json::quote_into(out, text);
    }
    out.push(b'"');
    let mut utf8 = [0; 4];
    for character in text.chars() {
        if character.is_ascii() {
            json::escape_into(out, character.encode_utf8(&mut utf8));
            continue;
        }
        let mut utf16 = [0; 2];
        for unit in character.encode_utf16(&mut utf16) {
            out.extend_from_slice(b"\\u");
            crate::wire::hex::push_upper(out, &unit.to_be_bytes());
        }
    }
    out.push(b'"');
}

fn integer_key(out: &mut Vec<u8>, form: RouteJson, key: i64) {
    if form == RouteJson::Strict {
        out.push(b'"');
    }
    digits::push_i64(out, key);
    if form == RouteJson::Strict {
        out.push(b'"');
    }
    out.push(b':');
}

fn member_int(out: &mut Vec<u8>, name: &str, value: i64) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    digits::push_i64(out, value);
}

fn member_text(out: &mut Vec<u8>, form: RouteJson, name: &str, value: Option<&String>) {
    if let Some(value) = value {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        quote(out, form, value);
    }
}

fn truth(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}
