//! Servers for a page in a real browser: a script for Node drives the page, this side starts and
//! hurts servers and bridges for it, and reads back what was stored.
//!
//! The script writes a line `@ {"do": …}` for each thing that it wants, and gets a line of JSON for
//! it, `{"ok": …}` or `{"error": "…"}`; its other lines are for people. Module `commands` has the
//! words.

mod bridges;
mod commands;
mod echo;
mod embedded;
mod ledger;
mod real;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

pub use bridges::Bridges;
pub use embedded::{Embedded, stored_by};
pub use ledger::{Balance, Believed, State, Stored, balance, in_order};
pub use real::Real;

use crate::cluster::{Error, Result};

/// Name servers and brokers that can be hurt, and read.
pub trait Servers {
    /// Addresses of the name servers, `a:p;b:p`.
    fn name_servers(&self) -> String;
    /// A topic with so many queues at each broker.
    fn create_topic(&self, topic: &str, queues: u32) -> Result<()>;
    /// Kills a broker.
    fn kill(&self, broker: &str) -> Result<()>;
    /// Starts one that was killed, with its log.
    fn restart(&self, broker: &str) -> Result<()>;
    /// Freezes a broker: what it is sent is not read.
    fn pause(&self, broker: &str) -> Result<()>;
    /// Ends that.
    fn resume(&self, broker: &str) -> Result<()>;
    /// All that consumers of a topic would see, from the logs of all brokers that are up.
    fn stored(&self, topic: &str) -> Result<Vec<Stored>>;
}

/// Runs a script of `tests/browser` to its end, and does what it asks for. An error if the script
/// fails, or is missing what it needs.
pub fn play(servers: &dyn Servers, script: &str, arguments: &[&str]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let mut bridges = Bridges::before(servers.name_servers())?;
    let mut node = Command::new("node")
        .arg(folder.join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::doing("node (Debian: apt-get install nodejs)"))?;
    let mut to = node.stdin.take().ok_or_else(|| Error::new("node has no input"))?;
    let from = node.stdout.take().ok_or_else(|| Error::new("node has no output"))?;
    for line in BufReader::new(from).lines() {
        let line = line.map_err(Error::doing("what node says"))?;
        let Some(asked) = line.strip_prefix("@ ") else {
            println!("{line}");
            continue;
        };
        let answer = match commands::answer(servers, &mut bridges, asked) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        // A script that is gone says why in its status.
        if writeln!(to, "{answer}").is_err() {
            break;
        }
    }
    let status = node.wait().map_err(Error::doing("node"))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::new(format!("{script} failed: {status}"))),
    }
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str> {
    value[name].as_str().ok_or_else(|| Error::new(format!("{value} has no text {name:?}")))
}

fn number(value: &Value, name: &str) -> Result<u64> {
    value[name].as_u64().ok_or_else(|| Error::new(format!("{value} has no number {name:?}")))
}
