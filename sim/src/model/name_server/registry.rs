//! Which brokers are alive, and which queues have they registered (`RouteInfoManager.java`)?

use std::collections::BTreeMap;
use std::time::Duration;

use producer_core::wire::cluster::ClusterInfo;
use producer_core::wire::perm;
use producer_core::wire::route::{BrokerData, QueueData, TopicRouteData};

use super::super::{ConnId, Instant, Release};
use super::registration::{DataVersion, Registration};

/// The brokers of one name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct BrokerSet {
    cluster: String,
    /// Whether a slave may be named in the place of a master that is gone.
    acting: bool,
    /// Addresses by id.
    addresses: BTreeMap<i64, String>,
}

/// The queues of a topic at the brokers of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Queues {
    read: i32,
    write: i32,
    perm: i32,
    sys_flag: i32,
}

#[derive(Debug)]
struct Live {
    broker: String,
    id: i64,
    conn: Option<ConnId>,
    seen: Instant,
    silence_max: Duration,
    version: DataVersion,
}

/// All that brokers have registered.
#[derive(Debug, Default)]
pub(super) struct Registry {
    brokers: BTreeMap<String, BrokerSet>,
    /// Brokers that are alive, by address.
    live: BTreeMap<String, Live>,
    /// Queues by topic and broker.
    topics: BTreeMap<String, BTreeMap<String, Queues>>,
}

impl BrokerSet {
    /// The slave that stands in for a master that is gone, if there is none.
    fn prime_slave(&self) -> Option<i64> {
        self.addresses.keys().next().copied().filter(|&id| id != 0)
    }
}

impl Registry {
    pub(super) fn register(
        &mut self,
        now: Instant,
        conn: Option<ConnId>,
        silence_max: Duration,
        of: &Registration,
    ) {
        let set = self.brokers.entry(of.broker.clone()).or_default();
        set.cluster.clone_from(&of.cluster);
        // An address has one id, and an id one address: a slave that became master, or a broker
        // that moved, leaves nothing behind.
        set.addresses.retain(|&id, address| id == of.id || *address != of.address);
        set.acting = of.acting_master;
        // An old master does not displace the one that was elected after it.
        if let Some(other) = set.addresses.get(&of.id).filter(|other| **other != of.address)
            && self.live.get(other).is_some_and(|live| live.version.2 > of.version.2)
        {
            self.live.remove(&of.address);
            return;
        }
        let before = set.addresses.insert(of.id, of.address.clone());
        let is_new = before.is_none();
        if let Some(before) = before.filter(|before| *before != of.address) {
            self.live.remove(&before);
        }
        let known = self.live.get(&of.address).map(|live| live.version);
        let live = Live {
            broker: of.broker.clone(),
            id: of.id,
            conn,
            seen: now,
            silence_max,
            version: of.version,
        };
        self.live.insert(of.address.clone(), live);
        let changed = is_new || known != Some(of.version);
        let set = self.brokers.get(&of.broker);
        let acts = set.is_some_and(|set| set.acting && set.prime_slave() == Some(of.id));
        if of.id == 0 || acts {
            for topic in &of.topics {
                // Its queues may be gone although nothing has changed: with the last address of a
                // broker go its topics (`RouteInfoManager.isTopicConfigChanged`).
                let at = self.topics.get(&topic.topic);
                if !changed && at.is_some_and(|at| at.contains_key(&of.broker)) {
                    continue;
                }
                let queues = Queues {
                    read: topic.read_queues,
                    write: topic.write_queues,
                    perm: if acts { topic.perm & !perm::WRITE } else { topic.perm },
                    sys_flag: topic.sys_flag,
                };
                let at = self.topics.entry(topic.topic.clone()).or_default();
                at.insert(of.broker.clone(), queues);
            }
        }
    }

    pub(super) fn unregister(&mut self, broker: &str, id: i64) {
        let Some(set) = self.brokers.get_mut(broker) else { return };
        if let Some(address) = set.addresses.remove(&id) {
            self.live.remove(&address);
        }
        if set.addresses.is_empty() {
            self.brokers.remove(broker);
            for at in self.topics.values_mut() {
                at.remove(broker);
            }
            self.topics.retain(|_, at| !at.is_empty());
        } else if set.acting && set.prime_slave().is_some() {
            self.set_writable(broker, false);
        }
    }

    /// Forgets the broker that registered over `conn`.
    pub(super) fn disconnect(&mut self, conn: ConnId) {
        for (broker, id) in self.find(|live| live.conn == Some(conn)) {
            reached!(BrokerLost);
            self.unregister(&broker, id);
        }
    }

    /// Forgets brokers that were silent for too long, and says over which connections they came.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ConnId> {
        let silent = |live: &Live| live.seen + live.silence_max < now;
        let conns = self.live.values().filter(|live| silent(live)).filter_map(|live| live.conn);
        let conns = conns.collect();
        for (broker, id) in self.find(silent) {
            self.unregister(&broker, id);
        }
        conns
    }

    /// Takes or gives the write permission of all queues of a broker; says how many there are.
    pub(super) fn set_writable(&mut self, broker: &str, writable: bool) -> usize {
        let mut count = 0;
        for queues in self.topics.values_mut().filter_map(|at| at.get_mut(broker)) {
            queues.perm =
                if writable { queues.perm | perm::WRITE } else { queues.perm & !perm::WRITE };
            count += 1;
        }
        count
    }

    pub(super) fn remove_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub(super) fn address(&self, broker: &str, id: i64) -> Option<&str> {
        self.brokers.get(broker)?.addresses.get(&id).map(String::as_str)
    }

    pub(super) fn topics(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    /// The brokers and queues of a topic; `None` if either is missing.
    pub(super) fn route(&self, release: Release, topic: &str) -> Option<TopicRouteData> {
        let at = self.topics.get(topic)?;
        let brokers: Vec<_> = at
            .keys()
            .filter_map(|name| Some(broker_data(release, name, self.brokers.get(name)?)))
            .collect();
        if brokers.is_empty() {
            return None;
        }
        let queues = at.iter().map(|(broker, queues)| QueueData {
            broker_name: broker.clone(),
            read_queue_nums: queues.read,
            write_queue_nums: queues.write,
            perm: queues.perm,
            topic_sys_flag: queues.sys_flag,
        });
        Some(TopicRouteData { queues: queues.collect(), brokers, ..TopicRouteData::default() })
    }

    /// Names slaves of masters that are gone as masters, where brokers allow that and the queues
    /// can be read only (`RouteInfoManager.pickupTopicRouteData`).
    pub(super) fn let_slaves_act(route: &mut TopicRouteData) {
        for broker in &mut route.brokers {
            let mut queues = route.queues.iter();
            let read_only = queues
                .find(|queues| queues.broker_name == broker.broker_name)
                .is_some_and(|queues| !perm::is_writable(queues.perm));
            let acts = broker.enable_acting_master == Some(true) && broker.address(0).is_none();
            if acts
                && read_only
                && let Some(first) = broker.addresses.first_mut()
            {
                first.0 = 0;
            }
        }
    }

    /// All brokers and clusters.
    pub(super) fn cluster(&self, release: Release) -> ClusterInfo {
        let mut clusters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut brokers = Vec::new();
        for (name, set) in &self.brokers {
            brokers.push((name.clone(), broker_data(release, name, set)));
            clusters.entry(set.cluster.clone()).or_default().push(name.clone());
        }
        ClusterInfo { brokers, clusters: clusters.into_iter().collect() }
    }

    fn find(&self, wanted: impl Fn(&Live) -> bool) -> Vec<(String, i64)> {
        let found = self.live.values().filter(|live| wanted(live));
        found.map(|live| (live.broker.clone(), live.id)).collect()
    }
}

fn broker_data(release: Release, name: &str, set: &BrokerSet) -> BrokerData {
    BrokerData {
        cluster: Some(set.cluster.clone()),
        broker_name: name.to_owned(),
        addresses: set.addresses.iter().map(|(&id, address)| (id, address.clone())).collect(),
        zone_name: None,
        enable_acting_master: match release {
            Release::V4_9_7 => None,
            Release::V5_4_0 => Some(set.acting),
        },
    }
}
