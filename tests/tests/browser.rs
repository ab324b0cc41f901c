//! A page in a real Chromium, the bridge, and the embedded cluster. `./check browser` runs it; it
//! needs Node, Chromium and the package (`scripts/web-package`), so no other run of tests does.
//!
//! Words behind `--` are names of scenarios, all by default.

use tests::browser::{Embedded, play};

/// One for each scenario: a ledger is that of a topic.
const TOPICS: &[&str] = &[
    "send", "batch", "commit", "rollback", "check", "lanes", "kill", "restart", "token", "offline",
    "hidden", "cached", "close", "worker", "stream", "pressure", "refused", "bad",
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let played = Embedded::start(TOPICS).and_then(|servers| play(&servers, "e2e.mjs", &words));
    if let Err(error) = played {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
