//! Is a run the same again: the second time, on another thread, in another process? All else that
//! the simulator says rests on that.
//!
//! 400 runs are compared with one more of the same plan, line by line: 256 in one process, 80 on
//! threads beside each other, 64 in other processes; one in ten of them with the real driver on
//! the simulated network. `RUNS=1000 cargo test -p sim again::` compares 1,000. A build without
//! debug assertions gives the same hashes, which a test cannot show:
//! `cargo run --release -p sim -- run --seed 3` and the same without `--release`, also with
//! `--world`.

mod apart;
#[cfg(feature = "world")]
mod scenario;

use std::thread;

use sim::pair::{self, Lines, Run};
use sim::plan::Plan;

/// Runs that are compared, unless the environment says otherwise: `RUNS=1000`.
const RUNS: u64 = 400;

/// So many of a hundred runs.
fn percent(share: u64) -> u64 {
    let runs = std::env::var("RUNS").map_or(RUNS, |runs| runs.parse().expect("RUNS is a number"));
    (runs * share / 100).max(1)
}

/// Which level executes a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Pair,
    #[cfg(feature = "world")]
    World,
}

/// The run of a seed, with its lines.
fn run(level: Level, seed: u64) -> Run {
    match level {
        Level::Pair => pair::run(&Plan::from_seed(seed), Lines::Keep),
        #[cfg(feature = "world")]
        Level::World => sim::world::run(&Plan::small_from_seed(seed), Lines::Keep),
    }
}

/// So many seeds from the first on: nine in ten on the pair level, and one on the other.
fn seeds(first: u64, count: u64) -> Vec<(Level, u64)> {
    let level = |seed: u64| match seed % 10 {
        #[cfg(feature = "world")]
        0 => Level::World,
        _ => Level::Pair,
    };
    (first..first + count).map(|seed| (level(seed), seed)).collect()
}

/// Where two runs part, if they do: the first line that differs, as each has it.
fn parting(one: &[String], other: &[String]) -> Option<String> {
    let at = (0..one.len().max(other.len())).find(|&at| one.get(at) != other.get(at))?;
    let line = |lines: &[String]| lines.get(at).map_or("(no line)", String::as_str).to_owned();
    Some(format!("line {} is\n  {}\nand then\n  {}", at + 1, line(one), line(other)))
}

/// Fails unless the second run is the first again.
fn expect_same(level: Level, seed: u64, first: &Run, again: &Run) {
    if let Some(parting) = parting(&first.lines, &again.lines) {
        panic!("seed {seed} on {level:?}: {parting}");
    }
    assert_eq!(first.hash, again.hash, "seed {seed} on {level:?}: equal lines, unequal hashes");
}

#[test]
fn a_plan_runs_the_same_twice() {
    let half = percent(32);
    thread::scope(|scope| {
        for first in [0, half] {
            scope.spawn(move || {
                for (level, seed) in seeds(first, half) {
                    let first = run(level, seed);

                    let again = run(level, seed);

                    assert!(first.lines.len() > 50, "{} lines", first.lines.len());
                    expect_same(level, seed, &first, &again);
                }
            });
        }
    });
}

#[test]
fn a_plan_runs_the_same_on_four_threads() {
    let (first, count) = (percent(64), percent(5));
    let runs: Vec<Vec<Run>> = thread::scope(|scope| {
        let all =
            || seeds(first, count).into_iter().map(|(level, seed)| run(level, seed)).collect();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(all)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });

    for (at, (level, seed)) in seeds(first, count).into_iter().enumerate() {
        let here = run(level, seed);
        for thread in &runs {
            expect_same(level, seed, &here, &thread[at]);
        }
    }
}

#[test]
fn another_plan_runs_otherwise() {
    assert_ne!(run(Level::Pair, 1).hash, run(Level::Pair, 2).hash);
}

#[cfg(feature = "world")]
#[test]
fn another_plan_runs_otherwise_on_the_simulated_network() {
    assert_ne!(run(Level::World, 1).hash, run(Level::World, 2).hash);
}

#[test]
fn the_line_in_which_runs_part_is_found() {
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();

    let inside = parting(&lines("a b c"), &lines("a x c")).expect("they part");
    let at_the_end = parting(&lines("a b"), &lines("a b c")).expect("they part");

    assert_eq!(inside, "line 2 is\n  b\nand then\n  x");
    assert_eq!(at_the_end, "line 3 is\n  (no line)\nand then\n  c");
    assert_eq!(parting(&lines("a b"), &lines("a b")), None);
}
