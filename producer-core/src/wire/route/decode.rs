//! Reading route and cluster JSON, strict and loose alike.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{BrokerData, QueueData, QueueMapping, ROUTE_BYTES_MAX, TopicRouteData};
use crate::wire::WireError;
use crate::wire::digits;
use crate::wire::json::Reader;

/// Longest list that is read. Bounds what a small text can make us allocate.
const LIST_MAX: usize = 65_536;

impl TopicRouteData {
    /// Reads a route in strict or loose JSON. Unknown members are skipped, nulls are as good as
    /// absent, integer keys may be bare or quoted.
    pub fn decode(json: &[u8]) -> Result<Self, WireError> {
        let mut reader = bounded(json)?;
        let mut route = Self::default();
        let from = &mut reader;
        from.open_object()?;
        while let Some(name) = from.next_member()? {
            match &*name.to_cow() {
                "orderTopicConf" => route.order_topic_conf = text(from)?,
                "queueDatas" => route.queues = list(from, queue_data)?,
                "brokerDatas" => route.brokers = list(from, broker_data)?,
                "filterServerTable" => {
                    route.filter_servers = table(from, key_text, |from| list(from, some_text))?;
                }
                "topicQueueMappingByBroker" => {
                    route.static_mapping = if from.take_null()? {
                        None
                    } else {
                        Some(table(from, key_text, queue_mapping)?)
                    };
                }
                _ => {
                    from.value()?;
                }
            }
        }
        reader.end()?;
        Ok(route)
    }
}

/// A reader over text that is not too long.
pub(crate) fn bounded(json: &[u8]) -> Result<Reader<'_>, WireError> {
    if json.len() > ROUTE_BYTES_MAX {
        return Err(WireError::TooLarge { bytes: json.len() as u64, max: ROUTE_BYTES_MAX });
    }
    Ok(Reader::new(json))
}

fn queue_data(from: &mut Reader<'_>) -> Result<QueueData, WireError> {
    let mut queue = QueueData::default();
    from.open_object()?;
    while let Some(name) = from.next_member()? {
        match &*name.to_cow() {
            "brokerName" => queue.broker_name = some_text(from)?,
            "readQueueNums" => queue.read_queue_nums = int(from, "readQueueNums")?,
            "writeQueueNums" => queue.write_queue_nums = int(from, "writeQueueNums")?,
            "perm" => queue.perm = int(from, "perm")?,
            "topicSysFlag" | "topicSynFlag" => queue.topic_sys_flag = int(from, "topicSysFlag")?,
            _ => {
                from.value()?;
            }
        }
    }
    Ok(queue)
}

pub(crate) fn broker_data(from: &mut Reader<'_>) -> Result<BrokerData, WireError> {
    let mut broker = BrokerData::default();
    from.open_object()?;
    while let Some(name) = from.next_member()? {
        match &*name.to_cow() {
            "cluster" => broker.cluster = text(from)?,
            "brokerName" => broker.broker_name = some_text(from)?,
            "brokerAddrs" => broker.addresses = table(from, key_long, some_text)?,
            "zoneName" => broker.zone_name = text(from)?,
            "enableActingMaster" => broker.enable_acting_master = Some(from.value()?.to_bool()),
            _ => {
                from.value()?;
            }
        }
    }
    Ok(broker)
}

fn queue_mapping(from: &mut Reader<'_>) -> Result<QueueMapping, WireError> {
    let mut mapping = QueueMapping::default();
    from.open_object()?;
    while let Some(name) = from.next_member()? {
        match &*name.to_cow() {
            "bname" => mapping.broker_name = text(from)?,
            "scope" => mapping.scope = text(from)?,
            "topic" => mapping.topic = text(from)?,
            "epoch" => {
                let epoch = from.value()?.to_i64();
                mapping.epoch = epoch.ok_or(WireError::BadField { name: "epoch" })?;
            }
            "totalQueues" => mapping.total_queues = int(from, "totalQueues")?,
            "currIdMap" => {
                mapping.current = table(from, key_int, |from| int(from, "currIdMap"))?;
            }
            "dirty" => mapping.dirty = from.value()?.to_bool(),
            _ => {
                from.value()?;
            }
        }
    }
    Ok(mapping)
}

/// A list; `null` is an empty one.
pub(crate) fn list<'a, T>(
    from: &mut Reader<'a>,
    mut item: impl FnMut(&mut Reader<'a>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let mut items = Vec::new();
    if from.take_null()? {
        return Ok(items);
    }
    from.open_array()?;
    while from.next_element()? {
        if items.len() == LIST_MAX {
            return Err(from.error());
        }
        items.push(item(from)?);
    }
    Ok(items)
}

/// A map as a list; `null` is an empty one.
pub(crate) fn table<'a, K, V>(
    from: &mut Reader<'a>,
    mut key: impl FnMut(Cow<'a, str>) -> Option<K>,
    mut value: impl FnMut(&mut Reader<'a>) -> Result<V, WireError>,
) -> Result<Vec<(K, V)>, WireError> {
    let mut entries = Vec::new();
    if from.take_null()? {
        return Ok(entries);
    }
    from.open_object()?;
    while let Some(name) = from.next_member()? {
        if entries.len() == LIST_MAX {
            return Err(from.error());
        }
        let key = key(name.to_cow()).ok_or_else(|| from.error())?;
        entries.push((key, value(from)?));
    }
    Ok(entries)
}

pub(crate) fn key_text(key: Cow<'_, str>) -> Option<String> {
    Some(key.into_owned())
}

fn key_long(key: Cow<'_, str>) -> Option<i64> {
    digits::parse_i64(key.as_bytes())
}

fn key_int(key: Cow<'_, str>) -> Option<i32> {
    digits::parse_i32(key.as_bytes())
}

fn text(from: &mut Reader<'_>) -> Result<Option<String>, WireError> {
    Ok(from.value()?.to_text().map(|text| text.to_cow().into_owned()))
}

/// Text, empty for `null`.
pub(crate) fn some_text(from: &mut Reader<'_>) -> Result<String, WireError> {
    text(from).map(Option::unwrap_or_default)
}

fn int(from: &mut Reader<'_>, name: &'static str) -> Result<i32, WireError> {
    from.value()?.to_i32().ok_or(WireError::BadField { name })
}
