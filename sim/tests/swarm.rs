//! Many seeds, every check: a good producer violates nothing.

use sim::pair::{self, Lines};
use sim::plan::Plan;

/// How many seeds, and from which on.
const SEEDS: std::ops::Range<u64> = 0..1_000;

#[test]
fn no_seed_violates_an_invariant() {
    let failed = SEEDS.filter_map(|seed| {
        let violations = pair::run(&Plan::from_seed(seed), Lines::Forget).violations;
        let first = violations.first()?;
        Some(format!("seed {seed}: {first}\n  replay: cargo run -p sim -- run --seed {seed}"))
    });
    let failed: Vec<String> = failed.collect();

    assert!(failed.is_empty(), "{} seeds failed\n{}", failed.len(), failed.join("\n"));
}
