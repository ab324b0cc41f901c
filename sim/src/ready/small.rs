//! Plans of a few lines.

use crate::plan::{
    ClusterPlan, FaultKind, FaultPlan, HealthPlan, Mode, NetworkPlan, Overrides, Plan, Preset,
    ProducerPlan, TopicPlan, Workload,
};

/// A cluster in which nothing breaks and nothing is sent: one name server, a topic, 1 ms each way.
pub fn cluster(queues: &[u16]) -> Plan {
    Plan {
        version: Plan::VERSION,
        seed: 1,
        cluster: ClusterPlan {
            brokers: queues.len() as u16,
            topics: vec![TopicPlan {
                name: "orders".to_owned(),
                queues: queues.to_vec(),
                order: None,
            }],
            ..ClusterPlan::default()
        },
        bridge: None,
        network: NetworkPlan { latency_us: 1_000, jitter_us: 0 },
        config: ProducerPlan { preset: Preset::Default, overrides: Overrides::default() },
        workloads: Vec::new(),
        faults: Vec::new(),
        run_ms: 0,
    }
}

/// One message every `every_ms`, the keys in turn.
pub fn sends(mode: Mode, total: u32, keys: u32, every_ms: u64) -> Workload {
    Workload {
        producer: 0,
        topic: "orders".to_owned(),
        mode,
        start_ms: 100,
        every_us: every_ms * 1_000,
        burst: 1,
        total,
        body_bytes: 0,
        keys,
        serial: false,
        batch: false,
        timeout_ms: None,
    }
}

/// The application waits for the answer to a message before it sends the next of the same key.
pub fn one_by_one(mut sends: Workload) -> Workload {
    sends.serial = true;
    sends
}

/// What is added to a plan, one after the other.
pub trait With: Sized {
    /// More to send. The plan lasts until all of it has been sent and has had its time.
    fn with(self, workload: Workload) -> Self;
    /// More to break.
    fn breaks(self, target: &str, at_ms: u64, for_ms: u64, kind: FaultKind) -> Self;
    /// Java's configuration.
    fn java(self) -> Self;
    /// Java's configuration with its fault strategy switched on.
    fn java_avoiding(self) -> Self;
}

impl With for Plan {
    fn with(mut self, workload: Workload) -> Self {
        let bursts = u64::from(workload.total.div_ceil(workload.burst));
        let ends_ms = workload.start_ms + bursts * workload.every_us / 1_000 + 4_000;
        self.run_ms = self.run_ms.max(ends_ms);
        self.workloads.push(workload);
        self
    }

    fn breaks(mut self, target: &str, at_ms: u64, for_ms: u64, kind: FaultKind) -> Self {
        self.faults.push(FaultPlan { at_ms, for_ms, target: target.to_owned(), kind });
        self
    }

    fn java(mut self) -> Self {
        self.config.preset = Preset::Java;
        self
    }

    fn java_avoiding(mut self) -> Self {
        self.config.overrides.health = Some(HealthPlan::Java);
        self.java()
    }
}
