//! Does each kind of fault do what it says, and no more?

mod broker;
mod bytes;
mod roles;
mod topics;

use std::time::Duration;

use producer_core::Instant;
use sim::history::{Request, SendRecord};
use sim::pair::{self, Lines, Run};
use sim::plan::{
    ClusterPlan, FaultKind, FaultPlan, Mode, NetworkPlan, Plan, Preset, ProducerPlan, TopicPlan,
    Workload,
};

/// Two brokers of four queues each, and a send every 5 ms for three seconds.
fn plan() -> Plan {
    Plan {
        version: Plan::VERSION,
        seed: 7,
        cluster: ClusterPlan {
            brokers: 2,
            topics: vec![TopicPlan { name: "t".to_owned(), queues: vec![4, 4], order: None }],
            ..ClusterPlan::default()
        },
        bridge: None,
        network: NetworkPlan { latency_us: 500, jitter_us: 0 },
        config: ProducerPlan { preset: Preset::Default, overrides: Default::default() },
        workloads: vec![Workload {
            producer: 0,
            topic: "t".to_owned(),
            mode: Mode::Rotate,
            start_ms: 100,
            every_us: 5_000,
            burst: 1,
            total: 580,
            body_bytes: 16,
            keys: 4,
            serial: false,
            batch: false,
            timeout_ms: None,
        }],
        faults: Vec::new(),
        run_ms: 4_000,
    }
}

/// The plan with this fault from `at_ms` on.
fn with(mut plan: Plan, at_ms: u64, for_ms: u64, target: &str, kind: FaultKind) -> Plan {
    plan.faults.push(FaultPlan { at_ms, for_ms, target: target.to_owned(), kind });
    plan.faults.sort_by_key(|fault| fault.at_ms);
    plan
}

/// A run that violates nothing, of a plan that JSON can say.
fn run(plan: &Plan) -> Run {
    let again = Plan::from_json(&plan.to_json()).expect("a plan that can happen");
    assert_eq!(again, *plan);
    let run = pair::run(plan, Lines::Forget);
    assert_eq!(run.violations, []);
    run
}

/// The sends of the workload, without those that probe afterwards.
fn sends(run: &Run) -> impl Iterator<Item = &SendRecord> {
    run.history.sends.iter().filter(|send| !send.probe)
}

fn failed(run: &Run) -> usize {
    sends(run).filter(|send| send.receipt().is_none()).count()
}

/// How many requests left for `address` between two times, in ms.
fn asked(run: &Run, address: &str, from_ms: u64, to_ms: u64) -> Vec<Request> {
    let (from, to) = (Instant::from_millis(from_ms), Instant::from_millis(to_ms));
    let requests = run.history.requests.iter();
    requests
        .filter(|r| r.address.starts_with(address) && r.at >= from && r.at < to)
        .cloned()
        .collect()
}

/// The longest time that a send took.
fn longest(run: &Run) -> Duration {
    let took = sends(run).filter_map(|send| Some(send.ends.first()?.0.since(send.at)));
    took.max().unwrap_or_default()
}

const BROKER_0: &str = "10.0.1.1:";
const BROKER_1: &str = "10.0.1.2:";
