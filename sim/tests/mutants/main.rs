//! Are mistakes noticed? Each planted bug of the core is hunted with the seeds of the swarm, and the
//! plan that shows it is made as small as it gets.
//!
//! `cargo test -p sim --features planted-bugs --test mutants -- --nocapture` prints the tables.
//! `SEEDS=100000..100200` before it hunts with other seeds than those that the plans were made for,
//! `BUG=SlaveUsed` hunts one bug and says what it did.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use producer_core::planted::{self, Area, Bug};
use sim::check::{Invariant, Violation};
use sim::pair::{self, Lines};
use sim::plan::Plan;
use sim::shrink::{self, RUNS_MAX};

/// Each bug must show within these seeds: every other one is a drill.
const SEEDS: Range<u64> = 0..200;
/// So many plans that show a bug are made smaller, until one is small.
const TRIES: u32 = 6;
/// Making a plan small takes no longer than that.
const CPU_MAX: Duration = Duration::from_secs(10);
/// Two cores are what a pull request has.
const THREADS: usize = 2;

/// Bugs that no seed shows yet: gaps in the checks or in the plans.
const GAPS: [Bug; 0] = [];

/// [`SEEDS`], or those of the environment: `SEEDS=1000..1200`.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return SEEDS };
    let range = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    range.expect("SEEDS is a range such as 0..200")
}

/// A bug that showed.
struct Caught {
    /// How many seeds it took.
    seeds: u64,
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

/// The same without the bug: a plan that alarms then as well says nothing about it.
fn alarm(bug: Bug, plan: &Plan) -> Option<String> {
    planted::plant(None);
    let first = violations(plan).into_iter().next();
    planted::plant(Some(bug));
    first.map(|first| first.to_string())
}

/// What hunting one bug came to.
#[derive(Default)]
struct Hunted {
    caught: Option<Caught>,
    /// Plans in which the good producer alarms.
    alarms: Vec<String>,
}

fn hunt(bug: Bug) -> Hunted {
    planted::plant(Some(bug));
    let Hunted { mut caught, mut alarms } = Hunted::default();
    let mut tries = 0;
    let begun = cpu();
    let mut looked = Duration::ZERO;
    let range = seeds();
    for seed in range.clone() {
        let plan = if seed.is_multiple_of(2) { Plan::from_seed(seed) } else { Plan::drill(seed) };
        let found = violations(&plan);
        if caught.is_none() {
            looked = cpu().saturating_sub(begun);
        }
        let Some(first) = found.first() else { continue };
        if let Some(alarm) = alarm(bug, &plan) {
            alarms.push(format!("seed {seed}: {alarm}"));
            continue;
        }
        tries += 1;
        let (mut again, small) = smaller(&plan, &found, first.invariant);
        let alarm = alarm(bug, &small);
        alarms.extend(alarm.map(|alarm| format!("seed {seed}, made smaller: {alarm}")));
        again.seeds = seed + 1 - range.start;
        match &mut caught {
            None => caught = Some(again),
            Some(caught) if (again.faults, again.sends) < (caught.faults, caught.sends) => {
                let (faults, sends, what) = (again.faults, again.sends, again.what);
                (caught.faults, caught.sends, caught.what) = (faults, sends, what);
                caught.runs += again.runs;
            }
            Some(caught) => caught.runs += again.runs,
        }
        // One plan may not get small where another one does.
        if tries == TRIES || caught.as_ref().is_some_and(Caught::is_small) {
            break;
        }
    }
    planted::plant(None);
    if let Some(caught) = &mut caught {
        caught.cpu = cpu().saturating_sub(begun + looked);
    }
    Hunted { caught, alarms }
}

/// The smallest plan in which the same goes wrong.
fn smaller(plan: &Plan, found: &[Violation], invariant: Invariant) -> (Caught, Plan) {
    let small = shrink::shrink(plan, invariant, RUNS_MAX, violations);
    let small = small.expect("a run of the same plan is the same");
    let mut invariants: Vec<Invariant> = found.iter().map(|v| v.invariant).collect();
    invariants.dedup();
    let caught = Caught {
        seeds: 0,
        invariants,
        what: small.violation.what,
        faults: small.plan.faults.len(),
        sends: small.plan.workloads.iter().map(|workload| workload.total).sum(),
        runs: small.runs,
        cpu: Duration::ZERO,
    };
    (caught, small.plan)
}

impl Caught {
    /// Two faults and twenty sends are few enough to understand.
    const fn is_small(&self) -> bool {
        self.faults <= 2 && self.sends <= 20
    }
}

/// Time that this thread has spent on a core.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Hunts all bugs, on several threads.
fn hunt_all(bugs: &[Bug]) -> Vec<(Bug, Hunted)> {
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
    // Plans have no transactions and requests: tests of the core catch those mistakes, by name
    // (`planted_bugs_are_caught`).
    let wanted = |bug: &&Bug| {
        bug.area() != Area::Special && only.as_deref().is_none_or(|name| bug.name() == name)
    };
    let bugs: Vec<Bug> = Bug::ALL.iter().filter(wanted).copied().collect();
    let hunted = hunt_all(&bugs);

    print(&hunted, only.is_some());
    let survived = hunted.iter().filter(|(bug, it)| it.caught.is_none() && !GAPS.contains(bug));
    let survived: Vec<&str> = survived.map(|(bug, _)| bug.name()).collect();
    let alarms: BTreeSet<&str> =
        hunted.iter().flat_map(|(_, hunted)| &hunted.alarms).map(String::as_str).collect();
    assert!(alarms.is_empty(), "without any bug: {alarms:#?}");
    assert!(survived.is_empty(), "{survived:?}");
    if only.is_some() {
        return;
    }
    let caught = || hunted.iter().filter_map(|(_, hunted)| hunted.caught.as_ref());
    let mut seeds: Vec<u64> = caught().map(|caught| caught.seeds).collect();
    seeds.sort_unstable();
    let median = seeds[seeds.len() / 2];
    let small = caught().filter(|caught| caught.is_small()).count();
    let slow = caught().filter(|caught| caught.cpu > CPU_MAX).count();
    let all = caught().count();
    let origins = hunted.iter().filter(|(bug, _)| !bug.origin().is_empty()).count();
    println!(
        "{all} of {} bugs, {origins} of all other clients', median {median} seeds, {small} small",
        hunted.len()
    );
    assert!(median <= 5, "median {median}");
    assert!(small * 100 >= all * 95, "{small} of {all} are small");
    assert_eq!(slow, 0, "took longer than {CPU_MAX:?}");
}

/// The tables: bug by bug, then by invariant.
fn print(hunted: &[(Bug, Hunted)], in_full: bool) {
    let mut table = String::new();
    for (bug, Hunted { caught, .. }) in hunted {
        let (area, name, origin) = (format!("{:?}", bug.area()), bug.name(), bug.origin());
        let _ = write!(table, "{area:<13} {name:<20} ");
        match caught {
            None => table.push_str("survived"),
            Some(caught) => {
                let Caught { seeds, faults, sends, runs, .. } = caught;
                let (ms, by) = (caught.cpu.as_millis(), ids(&caught.invariants));
                let _ = write!(table, "{seeds:>5} {faults:>6} {sends:>5} {runs:>5} {ms:>6} ");
                let _ = write!(table, "{by:<16} {origin}");
                if in_full {
                    let _ = write!(table, "\n{}", caught.what);
                }
            }
        }
        table.push('\n');
    }
    println!("area          bug                  seeds faults sends  runs cpu/ms by\n{table}");
    let mut by: BTreeMap<Invariant, BTreeSet<&str>> = BTreeMap::new();
    for (bug, hunted) in hunted {
        for invariant in hunted.caught.iter().flat_map(|caught| &caught.invariants) {
            by.entry(*invariant).or_default().insert(bug.name());
        }
    }
    for (invariant, bugs) in by {
        let names: Vec<&str> = bugs.into_iter().collect();
        println!("{:<4} {invariant:?} ({}): {}", invariant.id(), names.len(), names.join(", "));
    }
}

fn ids(invariants: &[Invariant]) -> String {
    invariants.iter().map(|invariant| invariant.id()).collect::<Vec<_>>().join(" ")
}
