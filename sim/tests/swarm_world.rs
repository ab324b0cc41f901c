//! Many seeds on the simulated network, every check: a good producer violates nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use sim::check;
use sim::pair::{Lines, Run};
use sim::plan::Plan;
use sim::world;

const SEEDS: u64 = 210;
/// A world has a thread to itself.
const THREADS: usize = 2;

/// What is kept of a run.
struct Seen {
    seed: u64,
    violation: Option<String>,
    kinds: BTreeSet<String>,
    failed: usize,
    retried: usize,
}

#[test]
fn no_seed_violates_an_invariant_on_the_simulated_network() {
    let next = AtomicU64::new(0);
    // Plans take unequal time: whoever is done takes the next.
    let seeds =
        || std::iter::repeat_with(|| next.fetch_add(1, Relaxed)).take_while(|seed| *seed < SEEDS);
    let seen: Vec<Seen> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|_| scope.spawn(|| seeds().map(see).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });

    let wrong: Vec<String> = seen.iter().filter_map(report).collect();
    assert!(wrong.is_empty(), "{} seeds failed\n{}", wrong.len(), wrong.join("\n"));
    // Faults did happen, and did hurt.
    let kinds: BTreeSet<&String> = seen.iter().flat_map(|seen| &seen.kinds).collect();
    assert!(kinds.len() >= 35, "{kinds:?}");
    assert!(seen.iter().filter(|seen| seen.failed > 0).count() > 30);
    assert!(seen.iter().filter(|seen| seen.retried > 0).count() > 50);
}

#[test]
fn a_message_that_vanishes_from_a_log_is_found() {
    let mut history = run(3).history;
    assert_eq!(check::all(&history), []);

    history.stored.remove(7);

    assert!(!check::all(&history).is_empty());
}

fn run(seed: u64) -> Run {
    world::run(&Plan::small_from_seed(seed), Lines::Forget)
}

fn see(seed: u64) -> Seen {
    let Run { violations, history, skipped, .. } = run(seed);
    let faults = history.plan.faults.iter().enumerate();
    let executed = faults.filter(|(at, _)| !skipped.contains(at)).map(|(_, fault)| fault);
    let kind = |fault| {
        let json = serde_json::to_value(fault).expect("a fault is JSON");
        json["kind"].as_str().expect("tagged").to_owned()
    };
    Seen {
        seed,
        violation: violations.first().map(ToString::to_string),
        kinds: executed.map(kind).collect(),
        failed: history.sends.iter().filter(|send| send.error().is_some()).count(),
        retried: history.ends.iter().map(|end| end.stats.retries as usize).sum(),
    }
}

fn report(seen: &Seen) -> Option<String> {
    let (seed, violation) = (seen.seed, seen.violation.as_ref()?);
    Some(format!(
        "seed {seed}: {violation}\n  replay: cargo run -p sim -- run --world --seed {seed}"
    ))
}
