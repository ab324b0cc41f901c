//! Is a run with a bridge the same again?

use std::thread;

use sim::pair::{Lines, Run};
use sim::plan::Plan;
use sim::world;

/// Among them are bridges that drain, stop, crash and refuse.
const SEEDS: [u64; 4] = [3, 9, 22, 136];

fn runs() -> Vec<Run> {
    let run = |seed| world::run(&Plan::bridged_from_seed(seed), Lines::Keep);
    SEEDS.into_iter().map(run).collect()
}

#[test]
fn a_plan_with_a_bridge_runs_the_same_twice() {
    // Each on a thread that had never run anything: nothing is left of the first.
    let [one, other] = [0, 1].map(|_| thread::spawn(runs).join().expect("no panic"));

    for ((seed, one), other) in SEEDS.into_iter().zip(one).zip(other) {
        let differs = one.lines.iter().zip(&other.lines).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.hash, other.hash, "seed {seed}");
    }
}
