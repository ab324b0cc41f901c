//! Which topics does a broker have, and how are they made (`TopicConfigManager.java`)?

use std::collections::BTreeMap;

use producer_core::wire::perm;
use producer_core::wire::stored::StoredMessage;

use super::super::Release;
use super::super::name_server::TopicRegistration;
use super::attributes::Attributes;
use super::config::{BrokerConfig, TopicConfig};
use super::log::QueueIndex;

/// The topic from which others are made, and its queues.
pub(super) const TEMPLATE: &str = "TBW102";
const TEMPLATE_QUEUES: i32 = 8;
/// What topics of messages that consumers gave back begin with.
pub(super) const RETRY_PREFIX: &str = "%RETRY%";

/// Half messages (`TopicValidator.java`).
pub(super) const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Which half messages were rolled back.
pub(super) const OP_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Half messages that were asked about too often.
pub(super) const GIVEN_UP_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// What waits for a delay level, a queue each.
pub(super) const DELAY_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// What waits for its time (`TimerMessageStore.java`).
pub(super) const TIMER_TOPIC: &str = "rmq_sys_wheel_timer";

/// Whether a topic holds what is not for consumers yet, or never. Such topics come into being when
/// first written, and are in no route.
pub(super) fn is_internal(name: &str) -> bool {
    [HALF_TOPIC, OP_TOPIC, GIVEN_UP_TOPIC, DELAY_TOPIC, TIMER_TOPIC].contains(&name)
}

/// A topic and the positions of its messages.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) config: TopicConfig,
    /// By queue id; grows as queues are written.
    pub(super) queues: Vec<QueueIndex>,
    /// Empty for all that is not said; 5.4.0.
    pub(super) attributes: Attributes,
}

impl Topic {
    fn new(config: TopicConfig) -> Self {
        Self { config, queues: Vec::new(), attributes: Attributes::new() }
    }

    /// A queue that exists, or may.
    pub(super) fn queue(&mut self, id: usize) -> &mut QueueIndex {
        if self.queues.len() <= id {
            self.queues.resize_with(id + 1, QueueIndex::default);
        }
        &mut self.queues[id]
    }
}

/// The topics of a broker.
#[derive(Debug)]
pub(super) struct Topics {
    map: BTreeMap<String, Topic>,
    /// Number of changes, as name servers see it.
    pub(super) changes: i64,
}

impl Topics {
    pub(super) fn new(config: &BrokerConfig) -> Self {
        let mut topics = Self { map: BTreeMap::new(), changes: 1 };
        if config.auto_create_topics {
            let inherit = TopicConfig {
                perm: perm::READ | perm::WRITE | perm::INHERIT,
                ..TopicConfig::queues(TEMPLATE_QUEUES)
            };
            topics.set(TEMPLATE, inherit);
        }
        topics.set(&format!("{}_REPLY_TOPIC", config.cluster), TopicConfig::queues(1));
        for (name, topic) in &config.topics {
            topics.set(name, *topic);
        }
        topics
    }

    pub(super) fn set(&mut self, name: &str, config: TopicConfig) {
        if is_internal(name) {
            return self.ensure_internal(name);
        }
        self.changes += 1;
        match self.map.get_mut(name) {
            Some(topic) => topic.config = config,
            None => {
                self.map.insert(name.to_owned(), Topic::new(config));
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Topic> {
        self.map.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.map.get_mut(name)
    }

    /// The topics that clients may know.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        let topics = self.map.iter().map(|(name, topic)| (name.as_str(), topic));
        topics.filter(|(name, _)| !is_internal(name))
    }

    /// Lets an internal topic be there; name servers hear nothing of it.
    pub(super) fn ensure_internal(&mut self, name: &str) {
        if !self.map.contains_key(name) {
            self.map.insert(name.to_owned(), Topic::new(TopicConfig::queues(1)));
        }
    }

    /// What a topic that a send asks for would be; `None` if it may not be made.
    pub(super) fn made_by_send(
        &self,
        config: &BrokerConfig,
        name: &str,
        template: &str,
        queues: i32,
    ) -> Option<TopicConfig> {
        if let Some(from) = self.map.get(template) {
            let switched_off = template == TEMPLATE && !config.auto_create_topics;
            if perm::is_inherited(from.config.perm) && !switched_off {
                let queues = queues.min(from.config.write_queues).max(0);
                let perm = from.config.perm & !perm::INHERIT;
                return Some(TopicConfig { perm, ..TopicConfig::queues(queues) });
            }
        }
        name.starts_with(RETRY_PREFIX).then(|| TopicConfig::queues(1))
    }

    /// Forgets a topic and the positions of its messages.
    pub(super) fn remove(&mut self, name: &str) {
        if self.map.remove(name).is_some() {
            self.changes += 1;
        }
    }

    /// Whether the index still leads to a message.
    pub(super) fn leads_to(&self, message: &StoredMessage<'_>) -> bool {
        let queue = self.map.get(&*message.topic).and_then(|topic| {
            usize::try_from(message.queue_id).ok().and_then(|id| topic.queues.get(id))
        });
        queue.and_then(|queue| queue.position(message.queue_offset))
            == Some(message.physical_offset)
    }

    /// Forgets positions from `offset` on.
    pub(super) fn truncate(&mut self, offset: i64) {
        for queue in self.map.values_mut().flat_map(|topic| &mut topic.queues) {
            queue.truncate(offset);
        }
    }

    /// Forgets positions below the start of the log.
    pub(super) fn trim(&mut self, start: i64) {
        for queue in self.map.values_mut().flat_map(|topic| &mut topic.queues) {
            queue.trim(start);
        }
    }

    /// What name servers are told.
    pub(super) fn registrations(&self, permission: i32) -> Vec<TopicRegistration> {
        let topics = self.iter().map(|(name, topic)| TopicRegistration {
            topic: name.to_owned(),
            read_queues: topic.config.read_queues,
            write_queues: topic.config.write_queues,
            // The template keeps the bit that others inherit (`registerBrokerAll`).
            perm: topic.config.perm & (permission | perm::INHERIT),
            sys_flag: topic.config.sys_flag,
            order: topic.config.order,
        });
        topics.collect()
    }
}

/// A topic's settings as remarks show them.
pub(super) fn describe(release: Release, name: &str, topic: &TopicConfig) -> String {
    let attributes = match release {
        Release::V4_9_7 => "",
        Release::V5_4_0 => ", attributes={}",
    };
    format!(
        "TopicConfig [topicName={name}, readQueueNums={}, writeQueueNums={}, perm={}, \
         topicFilterType=SINGLE_TAG, topicSysFlag={}, order={}{attributes}]",
        topic.read_queues,
        topic.write_queues,
        perm::text(topic.perm),
        topic.sys_flag,
        topic.order
    )
}
