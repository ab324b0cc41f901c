//! Which servers does a plan have?

use serde::{Deserialize, Serialize};

pub use crate::model::Release;
pub use crate::model::broker::Replication;

/// The servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterPlan {
    /// Which release all of them behave like, where releases differ.
    #[serde(default, skip_serializing_if = "is_newest")]
    pub release: Release,
    /// How many name servers; they are called `ns-0`, `ns-1`, ...
    pub name_servers: u16,
    /// How many brokers, all masters; they are called `broker-0`, `broker-1`, ...
    pub brokers: u16,
    /// How many of them, from the first on, have a slave; these are called `broker-0-slave`, ...
    #[serde(default)]
    pub slaves: u16,
    /// Whether masters wait for their slaves.
    #[serde(default)]
    pub replication: Replication,
    /// Whether brokers make a topic of which a message comes, after the template `TBW102`. A
    /// topic of the plan without a queue anywhere comes into being that way, if producers do
    /// their part ([`super::Overrides::auto_create_topics`]).
    #[serde(default)]
    pub auto_create_topics: bool,
    /// Topics.
    pub topics: Vec<TopicPlan>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// Queues on each broker, in order; a broker beyond the list, or with 0, does not have it.
    pub queues: Vec<u16>,
    /// Order configuration at the name servers, such as `broker-0:4;broker-1:4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// Plans do not say what most of them have.
fn is_newest(release: &Release) -> bool {
    *release == Release::default()
}

/// A name server and a broker without a topic.
impl Default for ClusterPlan {
    fn default() -> Self {
        Self {
            release: Release::default(),
            name_servers: 1,
            brokers: 1,
            slaves: 0,
            replication: Replication::Async,
            auto_create_topics: false,
            topics: Vec::new(),
        }
    }
}

impl ClusterPlan {
    /// The names of all nodes: name servers, brokers, slaves.
    pub fn nodes(&self) -> Vec<String> {
        let servers = (0..self.name_servers).map(|n| format!("ns-{n}"));
        let brokers = (0..self.brokers).map(|n| format!("broker-{n}"));
        let slaves = (0..self.slaves).map(|n| format!("broker-{n}-slave"));
        servers.chain(brokers).chain(slaves).collect()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.name_servers == 0 || self.brokers == 0 {
            return Err("a cluster needs a name server and a broker".to_owned());
        }
        if self.slaves > self.brokers {
            return Err("a slave needs a master".to_owned());
        }
        Ok(())
    }
}
