//! What is to happen in one run? A plan says all of it: the cluster, the producer, what is sent,
//! and what breaks when.
//!
//! A seed makes a plan ([`Plan::from_seed`]), a run executes a plan; in between it is JSON that a
//! person can read, keep and change.

mod bridge;
mod cluster;
mod config;
mod drill;
mod fault;
mod small;
mod swarm;

use serde::{Deserialize, Serialize};

pub use bridge::{BRIDGE, BridgePlan};
pub use cluster::{ClusterPlan, Release, Replication, TopicPlan};
pub use config::{HealthPlan, Overrides, Preset, ProducerPlan};
pub use fault::{
    Aim, Direction, FaultKind, FaultPlan, Heard, Loss, RefusalPlan, Scope, SendFault, Side,
    StatusPlan, Tail,
};

/// All that decides a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of the form: [`Plan::VERSION`].
    pub version: u32,
    /// Seed of what is left to chance: latencies, ids, choices of the producer.
    pub seed: u64,
    /// Name servers, brokers, topics.
    pub cluster: ClusterPlan,
    /// What stands between producers and servers; without it they are connected directly. Only the
    /// simulated network (`crate::world`) has bridges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<BridgePlan>,
    /// How long bytes travel when nothing is wrong.
    pub network: NetworkPlan,
    /// How every producer is configured.
    pub config: ProducerPlan,
    /// What is sent; workloads run side by side.
    pub workloads: Vec<Workload>,
    /// What breaks.
    pub faults: Vec<FaultPlan>,
    /// How long faults may last. Then a core of the cluster heals and sends must succeed.
    pub run_ms: u64,
}

/// The network when nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPlan {
    /// Shortest time on one way, in microseconds.
    pub latency_us: u64,
    /// Longest time on top of it.
    pub jitter_us: u64,
}

/// One stream of sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Which producer sends; there are as many as the largest number asks for.
    #[serde(default)]
    pub producer: u16,
    /// Topic.
    pub topic: String,
    /// How queues are chosen.
    pub mode: Mode,
    /// When the first burst is sent.
    pub start_ms: u64,
    /// Time between bursts, in microseconds.
    pub every_us: u64,
    /// Sends in a burst.
    pub burst: u32,
    /// Sends in all.
    pub total: u32,
    /// Bytes of a body, at least.
    pub body_bytes: u32,
    /// How many ordering keys there are, for modes that have them.
    pub keys: u32,
    /// Wait for the answer to one before the next of the same key is sent.
    #[serde(default)]
    pub serial: bool,
    /// Those of a burst go together in one request, to be stored whole or not at all, with one key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub batch: bool,
    /// Timeout of each send instead of the producer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Workload {
    /// The key of its `n`th send, if it has keys: they take turns.
    pub(crate) fn key(&self, n: u32) -> Option<String> {
        self.mode.has_key().then(|| format!("key-{}", self.turn(n)))
    }

    /// The number of the key whose turn it is with the `n`th send.
    pub(crate) fn turn(&self, n: u32) -> u32 {
        let turn = if self.batch { n / self.burst.max(1) } else { n };
        turn % self.keys.max(1)
    }
}

/// Plans say nothing of what they do not have.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// How the queue of a send is chosen, and whether it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Queues take turns.
    Rotate,
    /// Java's selector by hash: the key decides among the queues as they are; one attempt.
    Hash,
    /// A lane that keeps its order and waits.
    Strict,
    /// A lane that moves when its queue fails.
    Available,
    /// Queues take turns; nobody answers.
    OneWay,
}

impl Mode {
    /// Whether sends have a key.
    pub const fn has_key(self) -> bool {
        matches!(self, Self::Hash | Self::Strict | Self::Available)
    }
}

/// Why a text is not a plan.
#[derive(Debug)]
pub struct InvalidPlan(String);

impl std::fmt::Display for InvalidPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not a plan: {}", self.0)
    }
}

impl std::error::Error for InvalidPlan {}

impl Plan {
    /// The form that this program reads and writes.
    pub const VERSION: u32 = 1;

    /// Reads a plan and checks that its parts fit together.
    pub fn from_json(text: &str) -> Result<Self, InvalidPlan> {
        let plan: Self = serde_json::from_str(text).map_err(|e| InvalidPlan(e.to_string()))?;
        plan.check().map_err(InvalidPlan)?;
        Ok(plan)
    }

    /// The plan as text, a line a field.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a plan has string keys only")
    }

    /// How many producers there are.
    pub fn producers(&self) -> u16 {
        self.workloads.iter().map(|workload| workload.producer + 1).max().unwrap_or(1)
    }

    /// The names of all nodes: name servers, brokers, slaves.
    pub fn nodes(&self) -> Vec<String> {
        self.cluster.nodes()
    }

    /// Whether its parts fit together.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.version != Self::VERSION {
            return Err(format!("version {}, {} is understood", self.version, Self::VERSION));
        }
        self.cluster.check()?;
        for workload in &self.workloads {
            if !self.cluster.topics.iter().any(|topic| topic.name == workload.topic) {
                return Err(format!("no topic {}", workload.topic));
            }
            if workload.burst == 0 || workload.every_us == 0 {
                return Err("a workload needs a burst and a time between bursts".to_owned());
            }
            if workload.batch && workload.serial {
                return Err("what goes together does not go one by one".to_owned());
            }
        }
        for fault in &self.faults {
            if !self.can_happen(fault) {
                return Err(format!("{:?} cannot happen to {}", fault.kind, fault.target));
            }
        }
        Ok(())
    }

    /// Whether each topic has a queue somewhere or comes into being when something is sent to it.
    pub(crate) fn topics_can_exist(&self) -> bool {
        let made =
            self.cluster.auto_create_topics && self.config.config(Vec::new()).auto_create_topics;
        let queues = |topic: &TopicPlan| topic.queues.iter().any(|queues| *queues > 0);
        made || self.cluster.topics.iter().all(queues)
    }

    fn can_happen(&self, fault: &FaultPlan) -> bool {
        let is_node =
            |of: &str| fault.target.starts_with(of) && self.nodes().contains(&fault.target);
        match fault.kind.aim() {
            Aim::Producer => (0..self.producers()).any(|n| fault.target == format!("producer-{n}")),
            Aim::Node if fault.target == BRIDGE => {
                self.bridge.is_some() && fault.kind != FaultKind::Freeze
            }
            Aim::Node => is_node(""),
            Aim::Bridge => self.bridge.is_some() && fault.target == BRIDGE,
            Aim::NameServer => is_node("ns-"),
            Aim::Broker => is_node("broker-"),
            Aim::Pair => (0..self.cluster.slaves).any(|n| fault.target == format!("broker-{n}")),
            Aim::Cluster => fault.target == "cluster",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_json() {
        for seed in 0..200 {
            let plan = Plan::from_seed(seed);

            let again = Plan::from_json(&plan.to_json()).expect("a plan of our own");

            assert_eq!(again, plan, "seed {seed}");
        }
    }

    #[test]
    fn a_plan_that_cannot_be_run_is_refused() {
        let good = Plan::from_seed(1);
        let mut newer = good.clone();
        newer.version += 1;
        let mut nowhere = good.clone();
        nowhere.workloads[0].topic = "elsewhere".to_owned();
        let mut nobody = good.clone();
        nobody.faults.push(FaultPlan {
            at_ms: 1,
            for_ms: 1,
            target: "broker-99".to_owned(),
            kind: FaultKind::Freeze,
        });

        let mut alone = good;
        alone.cluster.slaves = 0;
        alone.faults.push(FaultPlan {
            at_ms: 1,
            for_ms: 1,
            target: "broker-0".to_owned(),
            kind: FaultKind::Swap,
        });

        for plan in [newer, nowhere, nobody, alone] {
            assert!(Plan::from_json(&plan.to_json()).is_err(), "{plan:?}");
        }
        assert!(Plan::from_json("{}").is_err());
    }
}
