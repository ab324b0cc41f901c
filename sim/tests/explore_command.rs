//! What does `sim explore` print and leave behind?

use std::path::PathBuf;
use std::process::{Command, Output};

fn explore(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.arg("explore").args(arguments);
    command.output().expect("the binary was built")
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let output = explore(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[test]
fn an_exploration_ends_with_a_table() {
    let output = explore(&["--seeds", "0..30", "--jobs", "2"]);

    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success());
    assert!(text.starts_with("plans      60: 30 of seeds, 30 made from others; 0 went"), "{text}");
    for line in ["simulated in", "keys;", "kinds,", "stored SEND_OK", "failed attempts, by phase"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(output.stderr.is_empty(), "no progress where nobody looks");
}

#[test]
fn shards_share_the_seeds() {
    let seeds = |shard: &str| {
        json(&["--seeds", "0..10", "--seeds-only", "--shard", shard])["seeds"].clone()
    };

    assert_eq!([seeds("1/3"), seeds("2/3"), seeds("3/3")], [4, 3, 3]);
}

#[test]
fn a_corpus_is_kept_and_run_first() {
    let folder = folder("corpus");
    let corpus = folder.to_str().expect("a path that is text");

    let first = json(&["--seeds", "0..20", "--corpus", corpus]);
    std::fs::write(folder.join("other.json"), "{}").expect("the folder is there");
    let second = json(&["--seeds", "0..0", "--seeds-only", "--corpus", corpus]);

    assert_eq!(first["corpus"], second["kept"]);
    assert_eq!(first["keys"], second["keys"]);
}

#[test]
fn the_time_is_a_limit() {
    let begun = std::time::Instant::now();

    let found = json(&["--seeds", "0..1000000", "--seconds", "1", "--jobs", "1"]);

    assert!(found["seeds"].as_u64() < Some(1_000_000));
    assert!(begun.elapsed().as_secs() < 60);
}

/// A mistake made on purpose is found, shrunk, written down, and found again in what was written.
#[cfg(feature = "planted-bugs")]
#[test]
fn a_violation_is_shrunk_and_can_be_replayed() {
    let folder = folder("failures");
    let failures = folder.to_str().expect("a path that is text");
    let bug = ["--bug", "AckOnClose"];

    let found = explore(&[&["--seeds", "0..60", "--failures", failures], &bug[..]].concat());

    let told = String::from_utf8(found.stderr).expect("text");
    assert_eq!(found.status.code(), Some(1), "{told}");
    let (_, file) = told.split_once("replay: cargo run -p sim -- run ").expect("a command");
    let file = file.lines().next().expect("a file");
    let again = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
        command.args(["run", file]).args(more).output().expect("the binary was built")
    };
    assert_eq!(again(&bug).status.code(), Some(1));
    assert!(again(&[]).status.success(), "without the mistake all is well");
    let plan = std::fs::read_to_string(file).expect("it was written");
    let plan = sim::plan::Plan::from_json(&plan).expect("a plan");
    assert!(plan.faults.len() <= 2, "{plan:?}");
}
