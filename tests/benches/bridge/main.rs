//! What does the bridge cost? Every figure is measured in turns with the same bytes on a direct
//! connection, or through a plain relay of TCP, so that ratios hold whatever else the machine does.
//!
//! `cargo bench -p tests --bench bridge` takes some two minutes, prints a table with the goals, and
//! fails if one is missed. `-- WORD...` runs only these: `latency`, `frames`, `bodies`, `idle`,
//! `busy`, `stalled`, `storm`. Broker, bridge and relay are processes of their own: this program
//! again, told what to be. Ten thousand connections need 20,100 files a process (`ulimit -n`).
#![allow(clippy::unwrap_used, reason = "a bench")]

mod children;
mod frames;
mod line;
mod memory;
mod speed;
mod storm;

use std::fmt::Display;

/// One line of the table.
pub(crate) struct Row {
    what: &'static str,
    measured: String,
    goal: String,
    held: bool,
}

impl Row {
    pub(crate) fn new(
        what: &'static str,
        measured: impl Display,
        goal: impl Display,
        held: bool,
    ) -> Self {
        Self { what, measured: measured.to_string(), goal: goal.to_string(), held }
    }
}

type Measure = fn() -> Vec<Row>;

const ALL: [(&str, Measure); 7] = [
    ("latency", speed::latency),
    ("frames", speed::frames),
    ("bodies", speed::bodies),
    ("idle", memory::idle),
    ("busy", memory::busy),
    ("stalled", memory::stalled),
    ("storm", storm::storm),
];

fn main() {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if words.first().is_some_and(|word| word == children::BE) {
        return children::be(&words[1..]);
    }
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let mut rows = Vec::new();
    for (name, measure) in ALL.iter().filter(|(name, _)| chosen(name)) {
        eprintln!("{name} ...");
        rows.extend(measure());
    }
    for Row { what, measured, goal, held } in &rows {
        let verdict = if *held { "held" } else { "MISSED" };
        println!("{what:<48} {measured:>34}   {goal:<28} {verdict}");
    }
    let missed = rows.iter().filter(|row| !row.held).count();
    assert!(missed == 0, "{missed} goals are missed");
}
