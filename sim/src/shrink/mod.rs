//! What is the least that still goes wrong? Takes things out of a plan, and makes what is left
//! smaller, as long as the same invariant is violated.
//!
//! Nothing here knows how a plan is run: whoever asks brings a closure, so that one minimiser
//! serves every level. Candidates come in a fixed order, so the same plan shrinks to the same plan.

mod cluster;
mod sends;
mod test;
mod times;

use std::collections::BTreeSet;

use crate::check::{Invariant, Violation};
use crate::plan::{FaultPlan, Plan};
pub use test::as_test;

/// How many runs are enough for nearly every plan.
pub const RUNS_MAX: u32 = 1_500;

/// What is left of a plan.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The smallest plan found.
    pub plan: Plan,
    /// What goes wrong in it.
    pub violation: Violation,
    /// How many runs it took.
    pub runs: u32,
    /// Whether nothing smaller is left to try; otherwise the runs were used up.
    pub complete: bool,
}

/// Shrinks `plan` while `run` reports a violation of `invariant`, in at most `runs_max` runs.
/// `None` if the plan itself does not violate it.
pub fn shrink(
    plan: &Plan,
    invariant: Invariant,
    runs_max: u32,
    run: impl Fn(&Plan) -> Vec<Violation>,
) -> Option<Shrunk> {
    let mut shrinker = Shrinker {
        best: plan.clone(),
        violation: None,
        invariant,
        run,
        runs: 0,
        runs_max: runs_max.max(1),
        tried: BTreeSet::new(),
    };
    shrinker.accepts(plan.clone());
    shrinker.violation.as_ref()?;
    shrinker.descend();
    let Shrinker { best, violation, runs, .. } = shrinker;
    Some(Shrunk { plan: best, violation: violation?, runs, complete: runs < runs_max })
}

/// Smaller plans than this one, the boldest first. Each kind of step ends: what it proposes is
/// smaller in its own measure, and no other step makes that larger.
type Step = fn(&Plan) -> Vec<Plan>;

/// In the order in which they are tried: what makes runs shorter comes first.
const STEPS: [Step; 14] = [
    workloads_fewer,
    sends::beside_a_fault,
    sends::fewer,
    sends::fewer_in_less,
    network_simpler,
    times::all_earlier,
    times::fault_shorter,
    times::fault_earlier,
    times::run_shorter,
    cluster::fewer_nodes,
    cluster::fewer_queues,
    cluster::plainer,
    config_simpler,
    sends::simpler,
];

/// Larger than this, a plan is worth trying with other chances.
const FAULTS_WANTED: usize = 2;
const SENDS_WANTED: u32 = 20;
/// Other chances that are tried.
const SEEDS: std::ops::Range<u64> = 0..6;

struct Shrinker<R> {
    best: Plan,
    violation: Option<Violation>,
    invariant: Invariant,
    run: R,
    runs: u32,
    runs_max: u32,
    /// Plans that were run, as text.
    tried: BTreeSet<String>,
}

impl<R: Fn(&Plan) -> Vec<Violation>> Shrinker<R> {
    fn descend(&mut self) {
        loop {
            let before = self.best.clone();
            self.faults_fewer();
            for step in STEPS {
                while step(&self.best).into_iter().any(|plan| self.accepts(plan)) {}
            }
            if self.best == before && !self.other_chances() {
                return;
            }
        }
    }

    /// Runs a plan, and takes it as the best if the same goes wrong.
    fn accepts(&mut self, plan: Plan) -> bool {
        let possible = plan.topics_can_exist() || !self.best.topics_can_exist();
        if self.runs >= self.runs_max || plan.check().is_err() || !possible {
            return false;
        }
        if !self.tried.insert(plan.to_json()) {
            return false;
        }
        self.runs += 1;
        let mut violations = (self.run)(&plan).into_iter();
        let Some(same) = violations.find(|violation| violation.invariant == self.invariant) else {
            return false;
        };
        self.violation = Some(same);
        self.best = plan;
        true
    }

    /// Zeller's ddmin over the faults: takes out halves, then quarters, and so on.
    fn faults_fewer(&mut self) {
        let mut parts = 1;
        while parts <= self.best.faults.len() {
            let faults = self.best.faults.clone();
            let size = faults.len().div_ceil(parts);
            let smaller = (0..parts).any(|part| {
                let (from, to) = (part * size, ((part + 1) * size).min(faults.len()));
                from < to
                    && self.accepts(self.with_faults([&faults[..from], &faults[to..]].concat()))
            });
            parts = match smaller {
                true => (parts - 1).max(1),
                false if parts == faults.len() => return,
                false => (parts * 2).min(faults.len()),
            };
        }
    }

    fn with_faults(&self, faults: Vec<FaultPlan>) -> Plan {
        Plan { faults, ..self.best.clone() }
    }

    /// What did not fail for want of a certain latency or id may fail with another one.
    fn other_chances(&mut self) -> bool {
        let sends: u32 = self.best.workloads.iter().map(|workload| workload.total).sum();
        if sends <= SENDS_WANTED && self.best.faults.len() <= FAULTS_WANTED {
            return false;
        }
        let steps: [Step; 6] = [
            two_faults,
            workloads_fewer,
            one_fault_fewer,
            sends::beside_a_fault,
            sends::fewer,
            sends::fewer_in_less,
        ];
        let smaller: Vec<Plan> = steps.iter().flat_map(|step| step(&self.best)).collect();
        SEEDS.into_iter().any(|seed| {
            let mut plans = smaller.iter().map(|plan| Plan { seed, ..plan.clone() });
            plans.any(|plan| self.accepts(plan))
        })
    }
}

/// Any two faults, where there are more.
fn two_faults(plan: &Plan) -> Vec<Plan> {
    let faults = &plan.faults;
    if faults.len() <= FAULTS_WANTED {
        return Vec::new();
    }
    let mut plans = Vec::new();
    for (at, one) in faults.iter().enumerate() {
        for other in &faults[at + 1..] {
            plans.push(Plan { faults: vec![one.clone(), other.clone()], ..plan.clone() });
        }
    }
    plans
}

fn one_fault_fewer(plan: &Plan) -> Vec<Plan> {
    each(&plan.faults, |faults, at| {
        faults.remove(at);
    })
    .map(|faults| Plan { faults, ..plan.clone() })
    .collect()
}

fn workloads_fewer(plan: &Plan) -> Vec<Plan> {
    if plan.workloads.len() < 2 {
        return Vec::new();
    }
    let fewer = each(&plan.workloads, |workloads, at| {
        workloads.remove(at);
    });
    fewer.map(|workloads| Plan { workloads, ..plan.clone() }).collect()
}

fn network_simpler(plan: &Plan) -> Vec<Plan> {
    let network = plan.network;
    let mut plans = Vec::new();
    for (latency_us, jitter_us) in
        [(SIMPLE_LATENCY_US, 0), (network.latency_us, 0), (SIMPLE_LATENCY_US, network.jitter_us)]
    {
        let simpler = crate::plan::NetworkPlan { latency_us, jitter_us };
        if network.latency_us != SIMPLE_LATENCY_US || network.jitter_us > 0 {
            plans.push(Plan { network: simpler, ..plan.clone() });
        }
    }
    plans.retain(|smaller| smaller.network != network);
    plans
}

/// A millisecond a way makes a timeline easy to read.
const SIMPLE_LATENCY_US: u64 = 1_000;

/// Takes overrides away, all and one by one.
fn config_simpler(plan: &Plan) -> Vec<Plan> {
    let overrides = serde_json::to_value(&plan.config.overrides).expect("string keys only");
    let Some(fields) = overrides.as_object().filter(|fields| !fields.is_empty()) else {
        return Vec::new();
    };
    let mut fewer = vec![serde_json::Map::new()];
    if fields.len() > 1 {
        fewer.extend(fields.keys().map(|name| {
            let mut fields = fields.clone();
            fields.remove(name);
            fields
        }));
    }
    fewer
        .into_iter()
        .filter_map(|fields| {
            let mut smaller = plan.clone();
            smaller.config.overrides = serde_json::from_value(fields.into()).ok()?;
            Some(smaller)
        })
        .collect()
}

/// A copy of `list` for each of its places, changed there.
fn each<T: Clone>(list: &[T], change: impl Fn(&mut Vec<T>, usize)) -> impl Iterator<Item = Vec<T>> {
    let list = list.to_vec();
    (0..list.len()).map(move |at| {
        let mut copy = list.clone();
        change(&mut copy, at);
        copy
    })
}
