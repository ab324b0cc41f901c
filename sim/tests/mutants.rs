//! Are mistakes noticed? Each planted bug of the core is hunted with the seeds of the swarm, and the
//! plan that shows it is made as small as it gets.
//!
//! `cargo test -p sim --features planted-bugs --test mutants -- --nocapture` prints the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use producer_core::planted::{self, Bug};
use sim::check::{Invariant, Violation};
use sim::pair::{self, Lines};
use sim::plan::Plan;
use sim::shrink::{self, RUNS_MAX};

/// Each bug must show within so many seeds.
const SEEDS: u64 = 200;
/// Two cores are what a pull request has.
const THREADS: usize = 2;

/// Bugs that no seed shows yet: gaps in the checks or in the plans.
const GAPS: [Bug; 25] = [
    Bug::RouteDropped,
    Bug::OneServerBelieved,
    Bug::NotWritableUsed,
    Bug::OneServerAsked,
    Bug::OnlyLastRemembered,
    Bug::LastQueueLeftOut,
    Bug::BusyNotRetried,
    Bug::StopIgnored,
    Bug::NoPause,
    Bug::SlowFailover,
    Bug::HalfFrameLost,
    Bug::GarbageIgnored,
    Bug::OneWayAsksAnswer,
    Bug::FlushTimeoutIsOk,
    Bug::BelowIsRejected,
    Bug::LaneForgives,
    Bug::RoomOvertakes,
    Bug::CancelFreesLane,
    Bug::RoomJumped,
    Bug::DeadWaiterBlocks,
    Bug::RefusedTooEarly,
    Bug::GoodByeAwaited,
    Bug::GoneStaysOpen,
    Bug::FailedProbeForgives,
    Bug::RefusalEjects,
];

/// A bug that showed.
struct Caught {
    seed: u64,
    /// What it violates in that run, the first first.
    invariants: Vec<Invariant>,
    what: String,
    faults: usize,
    sends: u32,
    runs: u32,
    /// Time that making it smaller took.
    cpu: Duration,
}

/// Runs a plan; a panic of the producer is a violation: what it had in hand never ends.
fn violations(plan: &Plan) -> Vec<Violation> {
    let run = || pair::run(plan, Lines::Forget).violations;
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = format!("panicked: {}", text.unwrap_or_default());
        vec![Violation { invariant: Invariant::Once, what }]
    })
}

fn hunt(bug: Bug) -> Option<Caught> {
    planted::plant(Some(bug));
    let caught = (0..SEEDS).find_map(|seed| {
        let plan = Plan::from_seed(seed);
        let found = violations(&plan);
        let first = found.first()?.clone();
        let mut invariants: Vec<Invariant> = found.iter().map(|v| v.invariant).collect();
        invariants.dedup();
        Some((plan, first, invariants))
    });
    let caught = caught.map(|(plan, first, invariants)| {
        let begun = cpu();
        let small = shrink::shrink(&plan, first.invariant, RUNS_MAX, violations);
        let small = small.expect("a run of the same plan is the same");
        Caught {
            seed: plan.seed,
            invariants,
            what: small.violation.what,
            faults: small.plan.faults.len(),
            sends: small.plan.workloads.iter().map(|workload| workload.total).sum(),
            runs: small.runs,
            cpu: cpu().saturating_sub(begun),
        }
    });
    planted::plant(None);
    caught
}

/// Time that this thread has spent on a core.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Hunts all bugs, on several threads.
fn hunt_all(bugs: &[Bug]) -> Vec<(Bug, Option<Caught>)> {
    let next = AtomicUsize::new(0);
    let caught = Mutex::new(BTreeMap::new());
    let worker = || {
        while let Some(&bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let hunted = hunt(bug);
            caught.lock().expect("no hunter panics").insert(bug, hunted);
        }
    };
    // Thousands of panics are expected.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(worker);
        }
    });
    panic::set_hook(hook);
    caught.into_inner().expect("no hunter panics").into_iter().collect()
}

#[test]
fn mutants_are_caught_and_made_small() {
    let only = std::env::var("BUG").ok();
    let wanted = |bug: &&Bug| only.as_deref().is_none_or(|name| bug.name() == name);
    let bugs: Vec<Bug> = Bug::ALL.iter().filter(wanted).copied().collect();
    let hunted = hunt_all(&bugs);

    let mut table = String::new();
    for (bug, caught) in &hunted {
        let (area, name, origin) = (format!("{:?}", bug.area()), bug.name(), bug.origin());
        let _ = write!(table, "{area:<13} {name:<22} ");
        match caught {
            None => table.push_str("SURVIVED"),
            Some(caught) => {
                let Caught { seed, faults, sends, runs, .. } = caught;
                let (ms, ids) = (caught.cpu.as_millis(), ids(&caught.invariants));
                let _ = write!(
                    table,
                    "{:>4} {faults:>2} {sends:>3} {runs:>5} {ms:>6} {ids:<20} {origin}",
                    seed + 1
                );
                if only.is_some() {
                    let _ = write!(table, "\n{}", caught.what);
                }
            }
        }
        table.push('\n');
    }
    println!("area          bug                   seeds faults sends runs ms  by\n{table}");
    let by: BTreeMap<Invariant, BTreeSet<&str>> =
        hunted.iter().fold(BTreeMap::new(), |mut by, (bug, caught)| {
            for invariant in caught.iter().flat_map(|caught| &caught.invariants) {
                by.entry(*invariant).or_insert_with(BTreeSet::new).insert(bug.name());
            }
            by
        });
    for (invariant, bugs) in by {
        println!("{:<4} {invariant:?}: {} {bugs:?}", invariant.id(), bugs.len());
    }
    let survived: Vec<&str> = hunted
        .iter()
        .filter(|(bug, caught)| caught.is_none() && !GAPS.contains(bug))
        .map(|(bug, _)| bug.name())
        .collect();
    assert!(survived.is_empty(), "{survived:?}");
}

fn ids(invariants: &[Invariant]) -> String {
    invariants.iter().map(|invariant| invariant.id()).collect::<Vec<_>>().join(" ")
}
