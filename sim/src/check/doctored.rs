//! Histories in which something is wrong, made from one in which nothing is.

use super::{Invariant, all};
use crate::history::History;
use crate::pair::{self, Lines};
use crate::plan::{
    ClusterPlan, Mode, NetworkPlan, Plan, Preset, ProducerPlan, TopicPlan, Workload,
};

/// A run in which nothing breaks.
pub(super) fn good(mode: Mode) -> History {
    let plan = Plan {
        version: Plan::VERSION,
        seed: 1,
        cluster: ClusterPlan {
            name_servers: 1,
            brokers: 2,
            topics: vec![TopicPlan { name: "t".to_owned(), queues: vec![2, 2], order: None }],
            ..ClusterPlan::default()
        },
        bridge: None,
        network: NetworkPlan { latency_us: 500, jitter_us: 0 },
        config: ProducerPlan { preset: Preset::Default, overrides: Default::default() },
        workloads: vec![Workload {
            producer: 0,
            topic: "t".to_owned(),
            mode,
            start_ms: 100,
            every_us: 10_000,
            burst: 1,
            total: 20,
            body_bytes: 16,
            keys: 1,
            serial: false,
            batch: false,
            timeout_ms: None,
        }],
        faults: Vec::new(),
        run_ms: 1_000,
    };
    let run = pair::run(&plan, Lines::Forget);
    assert_eq!(run.violations, []);
    run.history
}

/// Changes a good history and expects that this invariant, and no other, is violated.
pub(super) fn fires(invariant: Invariant, mode: Mode, spoil: impl FnOnce(&mut History)) {
    let mut history = good(mode);
    spoil(&mut history);

    let mut violated: Vec<Invariant> = all(&history).iter().map(|v| v.invariant).collect();
    violated.dedup();

    assert_eq!(violated, [invariant]);
}
