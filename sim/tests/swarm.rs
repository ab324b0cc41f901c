//! Many seeds, every check: a good producer violates nothing, and every decision is tested.

use std::ops::Range;
use std::sync::OnceLock;
use std::thread;

use sim::pair::{self, Lines};
use sim::plan::Plan;

/// How many seeds, and from which on.
const SEEDS: Range<u64> = 0..1_500;

/// [`SEEDS`], or those of the environment: `SEEDS=1000..5000`.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return SEEDS };
    let range = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    range.expect("SEEDS is a range such as 0..1000")
}

/// What the seeds came to.
#[derive(Default)]
struct Swarm {
    failed: Vec<String>,
    #[cfg(feature = "marks")]
    marks: sim::marks::Marks,
}

/// The runs of all seeds, made once for all tests.
fn swarm() -> &'static Swarm {
    static SWARM: OnceLock<Swarm> = OnceLock::new();
    SWARM.get_or_init(|| {
        let seeds = seeds();
        let middle = seeds.start.midpoint(seeds.end);
        let (mut first, second) = thread::scope(|scope| {
            let second = scope.spawn(|| runs(middle..seeds.end));
            (runs(seeds.start..middle), second.join().expect("a run does not panic"))
        });
        first.failed.extend(second.failed);
        #[cfg(feature = "marks")]
        first.marks.add(second.marks);
        first
    })
}

fn runs(seeds: Range<u64>) -> Swarm {
    let mut swarm = Swarm::default();
    for seed in seeds {
        let violations = pair::run(&Plan::from_seed(seed), Lines::Forget).violations;
        if let Some(first) = violations.first() {
            let again = format!("replay: cargo run -p sim -- run --seed {seed}");
            swarm.failed.push(format!("seed {seed}: {first}\n  {again}"));
        }
        // The drills of the hunt for planted bugs, and twice as many.
        if seed % 2 == 1 && seed % 1_000 < 400 {
            let violations = pair::run(&Plan::drill(seed), Lines::Forget).violations;
            let failed = violations.iter().map(|first| format!("drill {seed}: {first}"));
            swarm.failed.extend(failed.take(1));
        }
        #[cfg(feature = "marks")]
        swarm.marks.add(sim::marks::take());
    }
    swarm
}

#[test]
fn no_seed_violates_an_invariant() {
    let failed = &swarm().failed;

    assert!(failed.is_empty(), "{} seeds failed\n{}", failed.len(), failed.join("\n"));
}

/// Decisions that no plan of the pair level leads to, and why.
#[cfg(feature = "marks")]
const UNREACHED: [(&str, &str); 11] = [
    ("SendTooLarge", "decided before anything happens; plans do not set the limit"),
    ("DialShared", "needs two brokers behind one address, as a proxy is"),
    ("TimeoutWithdrawn", "a driver that has a write under way takes no more: rare"),
    ("CutHeld", "as TimeoutWithdrawn"),
    ("StatusBelow", "plans do not ask for more than stored"),
    ("StatusNotOkLast", "needs a bad status at each of the attempts: rare"),
    ("RetryTooDear", "plans are too short to spend the budget"),
    ("LookupStale", "an answer to a lookup that is over, while another one is under way: rare"),
    ("IdleClosed", "plans are too short for a connection to be idle for two minutes"),
    ("PickJavaReachable", "needs Java's table and all brokers in it: rare"),
    ("PickJavaAny", "as PickJavaReachable"),
];

#[cfg(feature = "marks")]
#[test]
fn every_decision_is_taken_by_some_seed() {
    let missing = swarm().marks.missing();

    let all = sim::marks::Marks::ALL;
    println!("{} of {all} marks reached", all - missing.len());
    for (name, why) in UNREACHED {
        let now = if missing.iter().any(|mark| mark == name) { "" } else { "reached by now: " };
        println!("  {now}{name}: {why}");
    }
    let excused = |mark: &&String| UNREACHED.iter().any(|(name, _)| name == mark);
    let unexplained: Vec<&String> = missing.iter().filter(|mark| !excused(mark)).collect();
    assert!(unexplained.is_empty(), "no seed reaches {unexplained:?}");
}
