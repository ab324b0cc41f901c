//! Many seeds, every check: a good producer violates nothing.

use sim::pair::{self, Lines};
use sim::plan::Plan;

/// How many seeds, and from which on.
const SEEDS: std::ops::Range<u64> = 0..1_000;

/// [`SEEDS`], or those of the environment: `SEEDS=1000..5000`.
fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return SEEDS };
    let range = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    range.expect("SEEDS is a range such as 0..1000")
}

#[test]
fn no_seed_violates_an_invariant() {
    let failed = seeds().filter_map(|seed| {
        let violations = pair::run(&Plan::from_seed(seed), Lines::Forget).violations;
        let first = violations.first()?;
        Some(format!("seed {seed}: {first}\n  replay: cargo run -p sim -- run --seed {seed}"))
    });
    let failed: Vec<String> = failed.collect();

    assert!(failed.is_empty(), "{} seeds failed\n{}", failed.len(), failed.join("\n"));
}
