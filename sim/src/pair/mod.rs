//! Producers and a cluster in virtual time: the real core, the real models, and links between
//! them that do as a plan says. No runtime, no socket, no thread; one event after the other.
//!
//! # A plan of your own
//!
//! What becomes of the sends of a service if a broker's machine dies for three seconds? These ten
//! lines prove that with this configuration every one is stored, that none takes longer than it
//! may, and all else that [`crate::check`] knows:
//!
//! ```
//! use sim::pair::{self, Lines};
//!
//! let plan = sim::plan::Plan::from_json(r#"{"version": 1, "seed": 7, "run_ms": 6000,
//!     "cluster": {"name_servers": 1, "brokers": 2, "topics": [{"name": "orders", "queues": [4, 4]}]},
//!     "network": {"latency_us": 1000, "jitter_us": 500}, "config": {"preset": "default"},
//!     "workloads": [{"topic": "orders", "mode": "rotate", "start_ms": 100, "every_us": 10000,
//!         "burst": 1, "total": 500, "body_bytes": 100, "keys": 1}],
//!     "faults": [{"at_ms": 1000, "for_ms": 3000, "target": "broker-0", "kind": "power_loss"}]}"#);
//! let run = pair::run(&plan.expect("a plan"), Lines::Keep);
//! assert_eq!(run.violations, []);
//! assert!(run.history.sends.iter().all(|send| send.receipt().is_some()), "{:#?}", run.lines);
//! ```

mod client;
mod drain;
pub(crate) mod faults;
pub(crate) mod healing;
mod link;
pub(crate) mod node;
mod recorder;
pub(crate) mod roles;
pub(crate) mod steps;
pub(crate) mod tap;
pub(crate) mod topics;
pub(crate) mod trace;
mod travel;
pub(crate) mod weather;

use std::collections::BTreeMap;
use std::time::Duration;

use producer_core::{ConnectionEnd, Instant};

use crate::check::{self, Violation};
use crate::dice::{Concern, Dice};
use crate::history::History;
use crate::plan::Plan;
use client::Client;
use link::{Freight, Link};
use node::Slot;
use recorder::Recorder;
use trace::Trace;
pub(crate) use trace::{FNV, fnv};
use weather::Weather;

/// What a run of a plan comes to.
#[derive(Debug)]
pub struct Run {
    /// Over every event: equal for equal runs.
    pub hash: u64,
    /// A line an event, if they were to be kept.
    pub lines: Vec<String>,
    /// What happened, event by event, if lines were to be kept. The simulated network has none.
    pub events: Vec<crate::events::Event>,
    /// What happened.
    pub history: History,
    /// What should not have happened.
    pub violations: Vec<Violation>,
    /// How much time it was in the run.
    pub simulated: Duration,
    /// Faults that do not exist on this level and were left out, by position in the plan.
    pub skipped: Vec<usize>,
}

/// Whether a run keeps its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// They are hashed and forgotten.
    Forget,
    /// They are in [`Run::lines`].
    Keep,
}

/// Executes a plan and judges what happened. The same plan gives the same run.
pub fn run(plan: &Plan, lines: Lines) -> Run {
    let mut pair = Pair::new(plan, lines);
    while pair.step() {}
    pair.finish()
}

/// A run that goes on a piece at a time, for whoever has other things to do in between.
///
/// In pieces of any size it is the same run as that of [`run`].
pub struct Running(Pair);

impl Running {
    /// Nothing has happened yet, but that servers have started.
    pub fn new(plan: &Plan, lines: Lines) -> Self {
        Self(Pair::new(plan, lines))
    }

    /// Goes on until so much time has passed in the run, or to the first event after it. False when
    /// the run is over.
    pub fn go_on(&mut self, until: Duration) -> bool {
        let until = Instant::ZERO + until;
        while self.0.now < until {
            if !self.0.step() {
                return false;
            }
        }
        !self.0.over
    }

    /// How much time has passed in the run.
    pub fn simulated(&self) -> Duration {
        self.0.now.since(Instant::ZERO)
    }

    /// What has happened so far; what brokers have stored is in it when all is over.
    pub const fn history(&self) -> &History {
        &self.0.history
    }

    /// What is left happens, and is judged.
    pub fn finish(mut self) -> Run {
        while self.0.step() {}
        self.0.finish()
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("simulated", &self.simulated()).finish_non_exhaustive()
    }
}

/// The world of one run.
struct Pair {
    plan: Plan,
    now: Instant,
    events: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    /// Buffers of bytes that have arrived, for others.
    spare: Vec<Vec<u8>>,
    clients: Vec<Client>,
    nodes: Vec<Slot>,
    weather: Vec<Weather>,
    links: Vec<Link>,
    latency: Vec<Dice>,
    by_address: BTreeMap<String, usize>,
    /// How far each fault of the plan has come.
    progress: Vec<Progress>,
    /// By number of the broker, the node that is its master.
    masters: Vec<usize>,
    /// Epochs of logs so far.
    epochs: i64,
    healed: bool,
    over: bool,
    trace: Trace,
    /// There only if lines are kept.
    recorder: Option<Box<Recorder>>,
    history: History,
}

/// How far a fault has come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// It is under way.
    pub(crate) active: bool,
    /// Steps done, where it has several.
    pub(crate) steps: u32,
    /// The node that it has changed, where that is not plain from the plan.
    pub(crate) node: Option<usize>,
}

/// What happens at a time.
#[derive(Debug)]
enum Event {
    /// A burst of a workload.
    Burst(usize),
    /// A send after healing.
    Probe(usize, u32),
    /// A dial reaches its node.
    Dial(usize),
    /// Its answer reaches who dialled.
    Dialled(usize, Result<(), ConnectionEnd>),
    /// Something arrives that was sent from that end of a link.
    Arrive(usize, usize, Freight),
    /// What was held on a way from that end of a link goes on.
    Release(usize, usize),
    FaultBegins(usize),
    FaultStep(usize),
    FaultEnds(usize),
    Heal,
    CloseAll,
    Over,
}

/// Room for so many sends is made beforehand at most.
const RESERVED_MAX: usize = 1 << 18;

/// Wall clock at the start, in ms since 1970.
pub(crate) const UNIX_MS: u64 = 1_793_491_200_000;

impl Pair {
    fn new(plan: &Plan, lines: Lines) -> Self {
        let nodes = node::all(plan);
        let by_address = nodes.iter().enumerate().map(|(at, n)| (n.address.clone(), at)).collect();
        let ways = nodes.len() as u16;
        let latency = |way| Dice::new(plan.seed, Concern::Latency(way));
        let sends = plan.workloads.iter().map(|workload| workload.total as usize).sum::<usize>();
        let mut history = History::new(plan.clone(), Duration::ZERO);
        // All at once is quicker than by doubling.
        history.sends.reserve(sends.min(RESERVED_MAX));
        history.requests.reserve(sends.min(RESERVED_MAX));
        let mut pair = Self {
            now: Instant::ZERO,
            events: BTreeMap::new(),
            sequence: 0,
            spare: Vec::new(),
            clients: (0..plan.producers()).map(|n| Client::new(plan, n)).collect(),
            weather: nodes.iter().map(|_| Weather::default()).collect(),
            nodes,
            links: Vec::new(),
            latency: (0..2 * ways).map(latency).collect(),
            by_address,
            progress: vec![Progress::default(); plan.faults.len()],
            masters: (0..plan.cluster.brokers)
                .map(|n| usize::from(plan.cluster.name_servers + n))
                .collect(),
            epochs: 0,
            healed: false,
            over: false,
            trace: Trace::new(lines == Lines::Keep),
            recorder: (lines == Lines::Keep).then(Box::default),
            history,
            plan: plan.clone(),
        };
        pair.begin();
        pair
    }

    fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            if !self.joins_later(node) {
                self.start_node(node);
            }
        }
        for (at, workload) in self.plan.workloads.clone().iter().enumerate() {
            if workload.total > 0 {
                self.at(Instant::from_millis(workload.start_ms), Event::Burst(at));
            }
        }
        for (at, fault) in self.plan.faults.clone().iter().enumerate() {
            if fault.at_ms < self.plan.run_ms {
                self.at(Instant::from_millis(fault.at_ms), Event::FaultBegins(at));
            }
        }
        self.at(Instant::from_millis(self.plan.run_ms), Event::Heal);
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.events.insert((at.max(self.now), self.sequence), event);
    }

    fn later(&mut self, delay: Duration, event: Event) {
        self.at(self.now + delay, event);
    }

    /// Does the next thing; false when the run is over. What happens comes before what is waited
    /// for, producers before nodes.
    fn step(&mut self) -> bool {
        if self.over {
            return false;
        }
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let client = self.clients.iter().filter_map(|c| c.wakes_at()).min();
        let node = self.nodes.iter().filter_map(|n| n.wakes_at()).min();
        let Some(next) = [event, client, node].into_iter().flatten().min() else { return false };
        self.now = self.now.max(next);
        if event.is_some_and(|at| at <= self.now) {
            if let Some((_, event)) = self.events.pop_first() {
                self.handle(event);
            }
        } else if let Some(at) =
            self.clients.iter().position(|c| c.wakes_at().is_some_and(|at| at <= self.now))
        {
            self.clients[at].producer.handle_timeout(self.now);
            self.drain_client(at);
        } else if let Some(at) =
            self.nodes.iter().position(|n| n.wakes_at().is_some_and(|at| at <= self.now))
        {
            self.nodes[at].server.node().handle_timeout(self.now);
            self.drain_node(at);
        }
        true
    }

    fn handle(&mut self, event: Event) {
        if let Some(until) = self.stalled_until(&event) {
            return self.at(until, event);
        }
        match event {
            Event::Burst(workload) => self.burst(workload),
            Event::Probe(client, left) => self.probe(client, left),
            Event::Dial(link) => self.dial_arrives(link),
            Event::Dialled(link, result) => self.dialled(link, result),
            Event::Arrive(link, from, freight) => self.arrives(link, from, freight),
            Event::Release(link, from) => self.released(link, from),
            Event::FaultBegins(at) => self.fault_begins(at),
            Event::FaultStep(at) => self.fault_steps(at),
            Event::FaultEnds(at) => self.fault_ends(at),
            Event::Heal => self.heal(),
            Event::CloseAll => self.close_all(),
            Event::Over => self.over = true,
        }
    }

    fn finish(mut self) -> Run {
        self.read_logs();
        self.history.ends = self.clients.iter().map(Client::end).collect();
        let violations = check::all(&self.history);
        let (hash, lines) = self.trace.finish();
        let simulated = self.now.since(Instant::ZERO);
        let events = self.recorder.map(|recorder| recorder.finish()).unwrap_or_default();
        let faults = self.history.plan.faults.iter().enumerate();
        let skipped = faults.filter(|(_, fault)| fault.is_of_bridge()).map(|(at, _)| at).collect();
        let history = self.history;
        Run { hash, lines, events, history, violations, simulated, skipped }
    }
}

/// Hands something to the recorder, if there is one.
macro_rules! record {
    ($pair:expr, $method:ident($($what:expr),* $(,)?)) => {
        if let Some(recorder) = &mut $pair.recorder {
            recorder.$method($($what),*);
        }
    };
}
use record;

/// Writes a line of the trace.
macro_rules! note {
    ($pair:expr, $($what:tt)*) => {
        $pair.trace.write($pair.now, format_args!($($what)*))
    };
}
use note;
