//! How is a scenario written down, and run in every way?

use std::fmt;

use sim::pair::{self, Lines};
use sim::plan::{
    ClusterPlan, FaultKind, FaultPlan, HealthPlan, Mode, Overrides, Plan, Preset, TopicPlan,
    Workload,
};

use super::Seen;

/// A way to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Queues take turns; the next send waits for the end of the one before.
    Sync,
    /// Queues take turns; nobody waits.
    Async,
    /// Queues take turns; nobody answers.
    Unanswered,
    /// The selector by hash: one attempt, at the queue of the key.
    Hash,
    /// A lane that keeps its order and waits.
    Strict,
    /// A lane that moves.
    Available,
}

impl Way {
    /// Whether a failed attempt may be followed by one at another broker, and its end is told.
    pub(crate) fn moves(self) -> bool {
        matches!(self, Self::Sync | Self::Async | Self::Available)
    }

    /// Whether queues take turns and sends are answered.
    pub(crate) fn rotates(self) -> bool {
        matches!(self, Self::Sync | Self::Async)
    }
}

pub(crate) const WAYS: [Way; 6] =
    [Way::Sync, Way::Async, Way::Unanswered, Way::Hash, Way::Strict, Way::Available];

pub(crate) const STRATEGIES: [HealthPlan; 3] =
    [HealthPlan::Off, HealthPlan::Java, HealthPlan::Adaptive];

/// Every way with every strategy.
pub(crate) fn everywhere() -> impl Iterator<Item = (Way, HealthPlan)> {
    WAYS.into_iter().flat_map(|way| STRATEGIES.map(|health| (way, health)))
}

/// A plan without its way and its strategy.
#[derive(Debug, Clone)]
pub(crate) struct Scene(Plan);

impl Scene {
    /// Three brokers with four queues each, a name server, a millisecond each way; nothing is sent
    /// and nothing breaks.
    pub(crate) fn new(seed: u64) -> Self {
        let plan = sim::ready::small::cluster(&[4; 3]);
        let scene = Self(Plan { seed, cluster: ClusterPlan::default(), ..plan });
        scene.brokers(3, 4)
    }

    /// So many brokers, with so many queues each.
    pub(crate) fn brokers(self, brokers: u16, queues: u16) -> Self {
        self.queues(&vec![queues; usize::from(brokers)])
    }

    /// Brokers with these numbers of queues.
    pub(crate) fn queues(mut self, queues: &[u16]) -> Self {
        self.0.cluster.brokers = queues.len() as u16;
        let topic = TopicPlan { name: "t".to_owned(), queues: queues.to_vec(), order: None };
        self.0.cluster.topics = vec![topic];
        self
    }

    /// So many sends, one every so many ms, from a time on.
    pub(crate) fn sends(mut self, start_ms: u64, every_ms: u64, total: u32) -> Self {
        self.0.workloads.push(Workload {
            producer: 0,
            topic: "t".to_owned(),
            mode: Mode::Rotate,
            start_ms,
            every_us: every_ms * 1_000,
            burst: 1,
            total,
            body_bytes: 16,
            keys: 12,
            serial: false,
            batch: false,
            timeout_ms: None,
        });
        self.lasts(start_ms + every_ms * u64::from(total) + 1_000)
    }

    /// Something breaks.
    pub(crate) fn fault(mut self, target: &str, at_ms: u64, for_ms: u64, kind: FaultKind) -> Self {
        self.0.faults.push(FaultPlan { at_ms, for_ms, target: target.to_owned(), kind });
        self.0.faults.sort_by_key(|fault| fault.at_ms);
        self.lasts(at_ms + for_ms + 1_000)
    }

    /// Nothing heals before.
    pub(crate) fn lasts(mut self, run_ms: u64) -> Self {
        self.0.run_ms = self.0.run_ms.max(run_ms);
        self
    }

    /// Another start than the defaults.
    pub(crate) fn preset(mut self, preset: Preset) -> Self {
        self.0.config.preset = preset;
        self
    }

    /// Changes the configuration.
    pub(crate) fn configured(mut self, change: impl FnOnce(&mut Overrides)) -> Self {
        change(&mut self.0.config.overrides);
        self
    }

    /// Changes anything.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.0);
        self
    }

    /// The plan in one way and with one strategy.
    pub(crate) fn plan(&self, way: Way, health: HealthPlan) -> Plan {
        let mut plan = self.0.clone();
        plan.config.overrides.health = Some(health);
        for workload in &mut plan.workloads {
            workload.serial = way == Way::Sync;
            workload.mode = match way {
                Way::Sync | Way::Async => Mode::Rotate,
                Way::Unanswered => Mode::OneWay,
                Way::Hash => Mode::Hash,
                Way::Strict => Mode::Strict,
                Way::Available => Mode::Available,
            };
        }
        plan
    }
}

/// A line of the table: what all runs of a scenario came to.
#[derive(Debug)]
pub(crate) struct Row {
    number: u32,
    name: &'static str,
    sums: Sums,
    figures: Vec<String>,
}

#[derive(Debug, Default)]
struct Sums {
    runs: u32,
    sends: usize,
    stored: usize,
    written: usize,
    not_sent: usize,
    rejected: usize,
    unknown: usize,
    duplicates: usize,
}

impl Row {
    pub(crate) fn new(number: u32, name: &'static str) -> Self {
        Self { number, name, sums: Sums::default(), figures: Vec::new() }
    }

    /// Runs a scene in every way with every strategy, and shows each run.
    pub(crate) fn everywhere(&mut self, scene: &Scene, mut show: impl FnMut(&Seen)) {
        for (way, health) in everywhere() {
            show(&self.run(scene, way, health));
        }
    }

    /// Runs a scene once. No invariant may be violated.
    pub(crate) fn run(&mut self, scene: &Scene, way: Way, health: HealthPlan) -> Seen {
        let plan = scene.plan(way, health);
        assert!(Plan::from_json(&plan.to_json()).is_ok(), "cannot be written down: {plan:?}");
        let run = pair::run(&plan, Lines::Forget);
        let seen = Seen::new(way, health, run.history);
        if let Some(first) = run.violations.first() {
            let (count, json) = (run.violations.len(), plan.to_json());
            panic!("{}: {seen}: {count} violations, first {first}\n{json}", self.number);
        }
        let sums = &mut self.sums;
        sums.runs += 1;
        sums.sends += seen.sends().count();
        sums.stored += seen.stored();
        sums.written += seen.written();
        sums.not_sent += seen.not_sent();
        sums.rejected += seen.rejected();
        sums.unknown += seen.unknown();
        sums.duplicates += seen.duplicates();
        seen
    }

    /// A figure of interest, at the end of the line.
    pub(crate) fn figure(&mut self, figure: impl fmt::Display) {
        self.figures.push(figure.to_string());
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            println!("{self}");
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, name, sums, figures } = self;
        let Sums { runs, sends, stored, written, .. } = sums;
        write!(f, "{number:>2} {name:<32} {runs:>3} runs {sends:>6} sends {stored:>6} stored ")?;
        write!(f, "{written:>5} written {:>4} not sent ", sums.not_sent)?;
        write!(f, "{:>4} rejected {:>4} unknown ", sums.rejected, sums.unknown)?;
        write!(f, "{:>5} twice | {}", sums.duplicates, figures.join("; "))
    }
}
