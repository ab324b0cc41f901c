//! Is a run the same in another process? This binary, asked by its environment, prints runs.

use std::process::Command;

use sim::pair::Run;

use super::{Level, expect_same, percent, run, seeds};

/// Asks for the hashes of so many seeds from a first on: `690 160`.
const HASHES: &str = "SIM_AGAIN_HASHES";
/// Asks for the lines of one seed.
const LINES: &str = "SIM_AGAIN_LINES";
const BEGIN: &str = "---- runs begin\n";
const END: &str = "---- runs end\n";

#[test]
fn prints_runs_if_asked() {
    if let Ok(range) = std::env::var(HASHES) {
        let (first, count) = range.split_once(' ').expect("two numbers");
        print!("{BEGIN}{}{END}", hashes(number(first), number(count)));
    }
    if let Ok(seed) = std::env::var(LINES) {
        let (level, seed) = seeds(number(&seed), 1)[0];
        print!("{BEGIN}{}\n{END}", run(level, seed).lines.join("\n"));
    }
}

#[test]
fn a_plan_runs_the_same_in_two_processes() {
    let (first, count) = (percent(69), percent(16));

    let there = elsewhere(HASHES, &format!("{first} {count}"));

    let here = hashes(first, count);
    assert_eq!(here.lines().count() as u64, count);
    let apart = here.lines().zip(there.lines()).zip(seeds(first, count));
    for ((here, there), (level, seed)) in apart {
        if here != there {
            let lines = elsewhere(LINES, &seed.to_string());
            let lines = lines.lines().map(str::to_owned).collect();
            let here = run(level, seed);
            expect_same(level, seed, &here, &Run { lines, ..run(level, seed) });
            panic!("seed {seed} on {level:?}: {there} elsewhere, and then the same");
        }
    }
    assert_eq!(here, there);
}

/// A line a run.
fn hashes(first: u64, count: u64) -> String {
    let line = |(level, seed): (Level, u64)| {
        let run = run(level, seed);
        format!("{level:?} {seed} {:016x} {}\n", run.hash, run.lines.len())
    };
    seeds(first, count).into_iter().map(line).collect()
}

/// What another process prints.
fn elsewhere(question: &str, about: &str) -> String {
    let binary = std::env::current_exe().expect("a test knows its binary");
    let arguments = ["--exact", "again::apart::prints_runs_if_asked", "--nocapture"];
    let done = Command::new(binary).args(arguments).env(question, about).output();
    let done = done.expect("the binary of a test runs");
    let text = String::from_utf8(done.stdout).expect("lines are text");
    let (_, text) = text.split_once(BEGIN).expect("the other process prints runs");
    text.split_once(END).expect("the other process prints all of it").0.to_owned()
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}
