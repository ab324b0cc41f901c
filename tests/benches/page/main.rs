//! How fast does a page send? In a real Chromium, through the bridge, to the embedded cluster; beside
//! a bare WebSocket echo of frames of the same size, in turns.
//!
//! `cargo bench -p tests --bench page` prints a table with the goals, and fails if one is missed. It
//! needs Node, Chromium and the package (`scripts/web-package`). `-- ROUNDS` tells how often, `-- smoke` only
//! whether it runs.

use tests::browser::{Embedded, play};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let played =
        Embedded::start(&["bench"]).and_then(|servers| play(&servers, "bench.mjs", &words));
    if let Err(error) = played {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
