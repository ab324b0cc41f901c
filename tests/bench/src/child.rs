//! The processes of a run, each on its processor.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::load::{Client, Load};
use crate::sample::Sample;
use crate::{broker, ours, raw};

/// The first word of a child's command line.
pub(crate) const BE: &str = "be";

/// How processes are placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// There are processors to choose from, and `taskset` to do it.
    pub(crate) pinned: bool,
    /// Other jobs of the machine do not come in between (`chrt`, which needs the right to).
    pub(crate) undisturbed: bool,
}

impl Places {
    pub(crate) fn found(may_disturb_others: bool) -> Self {
        let works = |command: &str, words: &[&str]| {
            let mut command = Command::new(command);
            let done = command.args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
            done.is_ok_and(|status| status.success())
        };
        Self {
            pinned: works("taskset", &["-c", "0,1", "true"]),
            undisturbed: may_disturb_others && works("chrt", &["-r", "1", "true"]),
        }
    }

    /// A command on these processors.
    pub(crate) fn command(self, processors: &str, program: &str) -> Command {
        let mut words: Vec<&str> = Vec::new();
        if self.pinned {
            words.extend(["taskset", "-c", processors]);
        }
        if self.undisturbed {
            words.extend(["chrt", "-r", "1"]);
        }
        words.push(program);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }
}

/// The processor of brokers. Clients have the other one; those with two threads share this.
const BROKER: &str = "1";
const ONE: &str = "0";
const TWO: &str = "0,1";

/// A null broker in a process of its own, until it is dropped.
pub(crate) struct Brokers {
    child: Child,
    /// The name server, then the brokers.
    pub(crate) addresses: Vec<String>,
}

impl Brokers {
    pub(crate) fn start(places: Places, count: usize) -> Self {
        let mut command = places.command(BROKER, &this_program());
        command.args([BE, "broker", &count.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses = line.split_whitespace().map(str::to_owned).collect();
        Self { child, addresses }
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Runs one client to its end.
pub(crate) fn measure(places: Places, load: &Load) -> Sample {
    let processors = if load.workers > 1 { TWO } else { ONE };
    let mut command = places.command(processors, &this_program());
    command.args([BE, "client", &serde_json::to_string(load).unwrap()]);
    let done = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(done.status.success(), "a client failed: {load:?}");
    serde_json::from_slice(&done.stdout).expect("a client prints its sample")
}

fn this_program() -> String {
    std::env::current_exe().unwrap().to_string_lossy().into_owned()
}

/// What a child does.
pub(crate) fn be(words: &[String]) {
    match words[0].as_str() {
        "broker" => {
            println!("{}", broker::start(words[1].parse().unwrap()).join(" "));
            let _parent_gone = std::io::stdin().read(&mut [0]);
        }
        _ => {
            let load: Load = serde_json::from_str(&words[1]).unwrap();
            let sample = match load.client {
                Client::Raw => raw::run(&load),
                _ => ours::run(&load),
            };
            println!("{}", serde_json::to_string(&sample).unwrap());
        }
    }
}
