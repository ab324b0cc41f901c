//! Executes a [`Plan`] on the simulated network: the native producer, unchanged, among the models.
//!
//! | what of a plan | is here |
//! |---|---|
//! | clients | one host with all producers, each with its own seed, identity and wall clock |
//! | servers | one host each, moved brokers another one |
//! | latency | whole milliseconds, rounded down |
//! | `Partition`, `PowerLoss` | the network's hold and partition; held one way only: the stream |
//! | `Slow` | the network's latency, whole milliseconds |
//! | `Reset`, `ResetInAnswer`, `HalfRequest`, `Dribble`, `SynBlackHole`, `RefuseDials` | the stream, at the end that dialled; the other end sees an orderly end |
//! | `Crash`, `Move` | tasks and listener of the host end: peers see an orderly end, or a reset if they had sent what was not read |
//! | `Stall` | streams and application stand still; the producer's own timers cannot be stopped here |
//! | everything inside a server | the model, as on the pair level |
//! | a bridge | the real one, on a host of its own: see [`bridge`] |
//! | everything between servers, such as roles and logs that are copied | the models, over connections of their own |
//!
//! What else differs from the pair level: bytes of one connection arrive in the order they were
//! sent, whatever their latencies; time is coarse ([`History::tick`]); healing takes less of it. A
//! kind of fault that could not happen here would be skipped, and [`Run::skipped`] says which are:
//! none so far.

mod board;
mod bridge;
mod clients;
mod faults;
mod healing;
mod line;
mod nodes;
mod roles;
mod steps;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use producer_core::Instant;
use tokio::time::sleep;
use turmoil::Sim;

use super::builder::fail;
use super::handles::Wish;
use super::host::elapsed;
use super::trace::Trace;
use crate::check;
use crate::history::History;
use crate::pair::trace::Trace as LineTrace;
use crate::pair::weather::Passage;
use crate::pair::{Lines, Progress, Run, UNIX_MS};
use crate::plan::Plan;
use board::Shared;
use clients::Client;
use nodes::Slot;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 3, 1));
/// Segments that a connection, and dials that a host holds.
const SEGMENTS: usize = 4096;

/// Executes a plan and judges what happened. The same plan gives the same run.
///
/// # Panics
/// When a host does; when the plan has a bridge, and this was built without the feature `bridge`.
pub fn run(plan: &Plan, lines: Lines) -> Run {
    let trace = Arc::new(Mutex::new(LineTrace::new(lines == Lines::Keep)));
    let tick = tick(plan);
    let mut sim = network(plan, tick);
    let board = Shared::new(plan, tick, trace.clone());
    let told = Trace::to(trace.clone());
    let nodes = nodes::inhabit(&mut sim, plan, &board, &told, tick);
    let bridge = bridge::Host::settle(&mut sim, plan, &board, &told, tick);
    let servers = plan.cluster.name_servers;
    let masters = servers..servers + plan.cluster.brokers;
    let stage = Rc::new(Stage {
        plan: plan.clone(),
        tick,
        send_timeout: plan.config.config(Vec::new()).send_timeout,
        board,
        nodes: RefCell::new(nodes),
        bridge,
        clients: OnceCell::new(),
        ways: RefCell::default(),
        agenda: RefCell::default(),
        wishes: RefCell::default(),
        progress: RefCell::new(vec![Progress::default(); plan.faults.len()]),
        masters: RefCell::new(masters.map(usize::from).collect()),
        epochs: Cell::new(0),
        skipped: RefCell::default(),
        healed: Cell::new(false),
    });
    let director = stage.clone();
    sim.client(CLIENT, async move {
        director.direct().await;
        Ok(())
    });
    loop {
        match sim.step() {
            Ok(true) => break,
            Ok(false) => stage.wishes.take().into_iter().for_each(|wish| wish(&mut sim)),
            Err(error) => fail(plan.seed, error),
        }
    }
    let simulated = sim.elapsed();
    let history = stage.history();
    // Tasks hold the stage, and the stage hosts: the network lets go of all.
    drop(sim);
    let violations = check::all(&history);
    let trace = std::mem::replace(
        &mut *trace.lock().unwrap_or_else(PoisonError::into_inner),
        LineTrace::new(false),
    );
    let (hash, lines) = trace.finish();
    let skipped = stage.skipped.take();
    Run { hash, lines, events: Vec::new(), history, violations, simulated, skipped }
}

/// How often the network delivers: most worlds run several times faster with a longer tick.
const fn tick(plan: &Plan) -> Duration {
    Duration::from_millis(if plan.seed.is_multiple_of(8) { 1 } else { 5 })
}

/// Least and most time on one way.
const fn latency(plan: &Plan) -> (Duration, Duration) {
    let least = plan.network.latency_us;
    let most = least + plan.network.jitter_us;
    (Duration::from_millis(least / 1_000), Duration::from_millis(most / 1_000))
}

fn network(plan: &Plan, tick: Duration) -> Sim<'static> {
    let (least, most) = latency(plan);
    turmoil::Builder::new()
        .rng_seed(plan.seed)
        .epoch(std::time::UNIX_EPOCH + Duration::from_millis(UNIX_MS))
        .tick_duration(tick)
        .simulation_duration(Duration::from_secs(24 * 3600))
        .min_message_latency(least)
        .max_message_latency(most)
        .tcp_capacity(SEGMENTS)
        .build()
}

/// What happens at a time.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A burst of a workload.
    Burst(usize),
    /// A send after healing.
    Probe(usize, u32),
    FaultBegins(usize),
    FaultStep(usize),
    FaultEnds(usize),
    Heal,
    /// Brokers tell name servers of themselves.
    Register,
    CloseAll,
    Over,
}

/// The world of one run.
struct Stage {
    plan: Plan,
    tick: Duration,
    /// Of sends that have none of their own.
    send_timeout: Duration,
    board: Shared,
    nodes: RefCell<Vec<Slot>>,
    bridge: Option<Rc<bridge::Host>>,
    /// Made on their host.
    clients: OnceCell<Vec<Client>>,
    /// What the network does to bytes from the first address to the second, and back.
    ways: RefCell<BTreeMap<(IpAddr, IpAddr), [Passage; 2]>>,
    agenda: RefCell<Agenda>,
    /// What only the owner of the network can do.
    wishes: RefCell<Vec<Wish>>,
    /// How far each fault of the plan has come.
    progress: RefCell<Vec<Progress>>,
    /// By number of the broker, the node that is its master.
    masters: RefCell<Vec<usize>>,
    /// Epochs of logs so far.
    epochs: Cell<i64>,
    skipped: RefCell<Vec<usize>>,
    healed: Cell<bool>,
}

/// What is to come.
#[derive(Default)]
struct Agenda {
    events: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
}

impl Stage {
    /// Does one thing of the plan after the other, until it is over.
    async fn direct(self: Rc<Self>) {
        let clients = (0..self.plan.producers()).map(|n| Client::new(&self, n.into())).collect();
        assert!(self.clients.set(clients).is_ok(), "a plan is directed once");
        self.begin();
        loop {
            let next = self.agenda.borrow().events.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = next else { return };
            let left = next.since(elapsed());
            if !left.is_zero() {
                sleep(left).await;
                continue;
            }
            let event = self.agenda.borrow_mut().events.pop_first();
            match event {
                Some((_, Event::Over)) | None => return,
                Some((_, event)) => self.handle(event),
            }
        }
    }

    fn begin(&self) {
        for (at, workload) in self.plan.workloads.iter().enumerate() {
            if workload.total > 0 {
                self.at(Instant::from_millis(workload.start_ms), Event::Burst(at));
            }
        }
        for (at, fault) in self.plan.faults.iter().enumerate() {
            if fault.at_ms < self.plan.run_ms {
                self.at(Instant::from_millis(fault.at_ms), Event::FaultBegins(at));
            }
        }
        self.at(Instant::from_millis(self.plan.run_ms), Event::Heal);
    }

    fn handle(self: &Rc<Self>, event: Event) {
        if let Some(until) = self.stalled_until(&event) {
            return self.at(until, event);
        }
        match event {
            Event::Burst(workload) => self.burst(workload),
            Event::Probe(client, left) => self.probe(client, left),
            Event::FaultBegins(at) => self.fault_begins(at),
            Event::FaultStep(at) => self.fault_steps(at),
            Event::FaultEnds(at) => self.fault_ends(at),
            Event::Heal => self.heal(),
            Event::Register => self.register(),
            Event::CloseAll => self.close_all(),
            Event::Over => {}
        }
    }

    fn at(&self, at: Instant, event: Event) {
        let mut agenda = self.agenda.borrow_mut();
        agenda.sequence += 1;
        let sequence = agenda.sequence;
        agenda.events.insert((at.max(elapsed()), sequence), event);
    }

    fn later(&self, delay: Duration, event: Event) {
        self.at(elapsed() + delay, event);
    }

    fn wish(&self, wish: impl FnOnce(&mut Sim<'static>) + 'static) {
        self.wishes.borrow_mut().push(Box::new(wish));
    }

    /// What is left behind when all is over.
    fn history(&self) -> History {
        let mut board = self.board.lock();
        board.see_garbled_left_open();
        let mut history = board.history.clone();
        drop(board);
        self.read_logs(&mut history);
        name_the_nameless(&mut history);
        history.ends = self.clients.get().into_iter().flatten().map(Client::end).collect();
        history
    }
}

/// Who is not told the id of a send that nobody answers, as it failed or was given up, still finds
/// what became of it: bodies are unique.
fn name_the_nameless(history: &mut History) {
    let mut ids: BTreeMap<&[u8], &str> = BTreeMap::new();
    for stored in &history.stored {
        if let Some(id) = stored.message.uniq_key() {
            ids.insert(&stored.message.body, id);
        }
    }
    for send in history.sends.iter_mut().filter(|send| send.message_id.is_none()) {
        send.message_id = ids.get(send.body.as_bytes()).map(|id| (*id).to_owned());
    }
}
