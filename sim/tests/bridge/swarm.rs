//! Seeds: the usual faults of worlds, mixed with those of a bridge.

use std::thread;

use sim::pair::Lines;
use sim::plan::Plan;
use sim::world;

const SEEDS: u64 = 24;
const THREADS: u64 = 2;

#[test]
fn no_seed_violates_an_invariant_behind_a_bridge() {
    let see = |seed| {
        let run = world::run(&Plan::bridged_from_seed(seed), Lines::Forget);
        let first = run.violations.first()?;
        Some(format!(
            "seed {seed}: {first}\n  replay: cargo run -p sim --features bridge -- run --world \
             --bridge --seed {seed}"
        ))
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let seeds = |first: u64| (first..SEEDS).step_by(THREADS as usize);
        let threads: Vec<_> = (0..THREADS)
            .map(|first| scope.spawn(move || seeds(first).filter_map(see).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });

    assert!(wrong.is_empty(), "{} seeds failed\n{}", wrong.len(), wrong.join("\n"));
}
