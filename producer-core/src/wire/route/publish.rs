//! Which queues a route offers for sending (spec §4.3,
//! `MQClientInstance.topicRouteData2TopicPublishInfo`).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{QueueMapping, TopicRouteData};
use crate::sort::sort;
use crate::wire::{WireError, digits, java_hash, perm};

/// Broker that Java names for a queue of a static topic that no broker holds.
pub const NO_BROKER: &str = "__syslo__none__";

/// Most queues a topic may have, so that a number in a route cannot make us allocate without end.
pub const QUEUES_MAX: usize = 65_536;

/// The queues of a topic in the order that selectors count them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishInfo<'a> {
    /// Whether the route fixes the queues by `orderTopicConf`.
    pub order_topic: bool,
    /// The queues.
    pub queues: Vec<PublishQueue<'a>>,
}

/// One queue to send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishQueue<'a> {
    /// Name in results: the broker, or `__syslo__` and scope for a static topic.
    pub broker_name: Cow<'a, str>,
    /// Queue id; global for a static topic.
    pub queue_id: i32,
    /// Broker whose master gets the message; `None` if no broker holds the queue.
    pub host: Option<&'a str>,
}

impl TopicRouteData {
    /// The queues to send to, in Java's order: by `orderTopicConf`, or by global id of a static
    /// topic, or by broker name and queue id among writable queues of brokers with a master.
    ///
    /// Fails on an `orderTopicConf` that Java fails on, and above [`QUEUES_MAX`] queues.
    pub fn publish_queues(&self) -> Result<PublishInfo<'_>, WireError> {
        let conf = self.order_topic_conf.as_deref();
        if let Some(conf) = conf.filter(|conf| !conf.is_empty()) {
            return ordered_queues(conf);
        }
        let queues = match &self.static_mapping {
            Some(mapping) if conf.is_none() && !mapping.is_empty() => static_queues(mapping)?,
            _ => self.plain_queues()?,
        };
        Ok(PublishInfo { order_topic: false, queues })
    }

    fn plain_queues(&self) -> Result<Vec<PublishQueue<'_>>, WireError> {
        let mut sorted: Vec<_> = self.queues.iter().enumerate().collect();
        sort(&mut sorted, |(at, a), (other_at, b)| {
            java_hash::compare(&a.broker_name, &b.broker_name).then(at.cmp(other_at)).is_lt()
        });
        let mut queues = Vec::new();
        for (_, data) in sorted {
            if !perm::is_writable(data.perm) && !planted!(NotWritableUsed) {
                continue;
            }
            let name = &*data.broker_name;
            let broker = self.brokers.iter().find(|broker| broker.broker_name == name);
            if broker.is_none_or(|broker| broker.master().is_none()) {
                continue;
            }
            push_queues(&mut queues, name, data.write_queue_nums, "writeQueueNums")?;
        }
        Ok(queues)
    }
}

/// `broker:count;broker:count`, whatever the permissions and addresses say.
fn ordered_queues(conf: &str) -> Result<PublishInfo<'_>, WireError> {
    let bad = WireError::BadField { name: "orderTopicConf" };
    let mut queues = Vec::new();
    // Java's split drops empty parts at the end, and so all of them if there is nothing else.
    let conf = conf.trim_end_matches(';');
    for part in conf.split(';').filter(|_| !conf.is_empty()) {
        let mut words = part.split(':');
        let name = words.next().unwrap_or_default();
        let count = words.next().and_then(|count| digits::parse_i32(count.as_bytes()));
        push_queues(&mut queues, name, count.ok_or(bad)?, "orderTopicConf")?;
    }
    Ok(PublishInfo { order_topic: true, queues })
}

fn push_queues<'a>(
    queues: &mut Vec<PublishQueue<'a>>,
    name: &'a str,
    count: i32,
    field: &'static str,
) -> Result<(), WireError> {
    if usize::try_from(count).is_ok_and(|count| queues.len() + count > QUEUES_MAX) {
        return Err(WireError::BadField { name: field });
    }
    queues.extend((0..count).map(|queue_id| PublishQueue {
        broker_name: Cow::Borrowed(name),
        queue_id,
        host: Some(name),
    }));
    Ok(())
}

/// Queues of a static topic: for each scope as many as its largest mapping says, each on the
/// broker with the newest mapping of it (`ClientMetadata.java`).
fn static_queues(mapping: &[(String, QueueMapping)]) -> Result<Vec<PublishQueue<'_>>, WireError> {
    let mut scopes: Vec<&str> =
        mapping.iter().filter_map(|entry| entry.1.scope.as_deref()).collect();
    sort(&mut scopes, |a, b| a < b);
    scopes.dedup();
    let mut queues = Vec::new();
    for (at, scope) in scopes.into_iter().enumerate() {
        let infos: Vec<&QueueMapping> = mapping
            .iter()
            .map(|entry| &entry.1)
            .filter(|info| info.scope.as_deref() == Some(scope))
            .collect();
        let known = infos.iter().filter(|info| info.epoch >= -1);
        let total = known.map(|info| info.total_queues).max().unwrap_or(0);
        let count = usize::try_from(total).unwrap_or(0);
        if queues.len() + count > QUEUES_MAX {
            return Err(WireError::BadField { name: "totalQueues" });
        }
        let name = mock_broker_name(scope);
        for (queue_id, host) in hosts(&infos, count).into_iter().enumerate() {
            let (broker_name, queue_id) = (Cow::Owned(name.clone()), queue_id as i32);
            queues.push((at, PublishQueue { broker_name, queue_id, host }));
        }
    }
    // Of one number, scopes in their order.
    sort(&mut queues, |(at, a), (other_at, b)| (a.queue_id, at) < (b.queue_id, other_at));
    Ok(queues.into_iter().map(|(_, queue)| queue).collect())
}

/// The broker of each global queue id below `count`.
fn hosts<'a>(infos: &[&'a QueueMapping], count: usize) -> Vec<Option<&'a str>> {
    let mut newest: Vec<Option<&QueueMapping>> = alloc::vec![None; count];
    for info in infos {
        for (global, _) in &info.current {
            let Some(slot) = usize::try_from(*global).ok().and_then(|id| newest.get_mut(id)) else {
                continue;
            };
            if slot.is_none_or(|old| old.epoch <= info.epoch) {
                *slot = Some(info);
            }
        }
    }
    newest.into_iter().map(|info| info?.broker_name.as_deref()).collect()
}

/// The name that stands for all brokers of a scope (`TopicQueueMappingUtils.getMockBrokerName`).
fn mock_broker_name(scope: &str) -> String {
    // The global scope loses its first two underscores to those of the prefix.
    format!("__syslo__{}", if scope == "__global__" { &scope[2..] } else { scope })
}
