//! The processes of a run, each on its processor.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::count::Counted;
use crate::load::{Client, Load};
use crate::sample::Sample;
use crate::{at_rate, broker, codec, count, footprint, ours, raw, servers};

/// The first word of a child's command line.
pub(crate) const BE: &str = "be";

/// How processes are placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// There are processors to choose from, and `taskset` to do it.
    pub(crate) pinned: bool,
    /// Other jobs of the machine do not come in between (`chrt`, which needs the right to).
    pub(crate) undisturbed: bool,
    /// `perf` may count system calls.
    pub(crate) perf: bool,
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
            perf: works("perf", &["stat", "-e", SYSTEM_CALLS, "-o", "/dev/null", "true"]),
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
pub(crate) const BROKER: &str = "1";
pub(crate) const ONE: &str = "0";
const TWO: &str = "0,1";

/// A null broker in a process of its own, until it is dropped.
pub(crate) struct Brokers {
    child: Child,
    /// The name server, then the brokers.
    pub(crate) addresses: Vec<String>,
}

impl Brokers {
    pub(crate) fn start(places: Places, count: usize) -> Self {
        Self::start_with(places, count, u64::MAX)
    }

    /// One that falls silent after so many sends of a connection.
    pub(crate) fn mute_after(places: Places, sends: u64) -> Self {
        Self::start_with(places, 1, sends)
    }

    fn start_with(places: Places, count: usize, sends: u64) -> Self {
        let mut command = places.command(BROKER, &this_program());
        command.args([BE, "broker", &count.to_string(), &sends.to_string()]);
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

/// Runs one client to its end, and counts what a message costs it.
pub(crate) fn counted(places: Places, load: &Load) -> Counted {
    let load = Load { counted: true, measure_ms: 200, ..load.clone() };
    let sample = measure(places, &load);
    let mut counted = sample.counted.expect("it was told to count");
    if places.perf {
        counted.system_calls = system_calls(places, &load);
    }
    counted
}

/// Those of a whole process by its messages: some hundred of its start are among them.
fn system_calls(places: Places, load: &Load) -> Option<f64> {
    let mut command = client(places, load, &["perf", "stat", "-x,", "-e", SYSTEM_CALLS]);
    let done = command.stderr(Stdio::piped()).output().ok().filter(|done| done.status.success())?;
    let sample: Sample = serde_json::from_slice(&done.stdout).ok()?;
    let said = String::from_utf8_lossy(&done.stderr);
    let line = said.lines().find(|line| line.contains(SYSTEM_CALLS))?;
    let calls: f64 = line.split(',').next()?.parse().ok()?;
    Some(calls / sample.messages_all.max(1) as f64)
}

/// Entries into the kernel, as `perf` calls them.
const SYSTEM_CALLS: &str = "raw_syscalls:sys_enter";

/// Runs one client to its end.
pub(crate) fn measure(places: Places, load: &Load) -> Sample {
    let done = client(places, load, &[]).stderr(Stdio::inherit()).output().unwrap();
    assert!(done.status.success(), "a client failed: {load:?}");
    serde_json::from_slice(&done.stdout).expect("a client prints its sample")
}

/// A client as the argument of a program, or alone.
fn client(places: Places, load: &Load, within: &[&str]) -> Command {
    let processors = if load.workers > 1 { TWO } else { ONE };
    let this = this_program();
    let load = serde_json::to_string(load).unwrap();
    let words = [within, &[&this, BE, "client", &load]].concat();
    let mut command = places.command(processors, words[0]);
    command.args(&words[1..]);
    command
}

pub(crate) fn this_program() -> String {
    std::env::current_exe().unwrap().to_string_lossy().into_owned()
}

/// What a child does.
pub(crate) fn be(words: &[String]) {
    match words[0].as_str() {
        "broker" => {
            let number = |n: usize| words[n].parse::<u64>().unwrap();
            println!("{}", broker::start(number(1) as usize, number(2)).join(" "));
            let _parent_gone = std::io::stdin().read(&mut [0]);
        }
        "cluster" => servers::be(words[1].parse().unwrap()),
        "rate" => at_rate::be(&words[1..]),
        "codec" => codec::be(words[1].parse().unwrap()),
        "footprint" => footprint::be(&words[1], &words[2]),
        _ => {
            let load: Load = serde_json::from_str(&words[1]).unwrap();
            if load.counted {
                count::begin();
            }
            let sample = match load.client {
                Client::Raw => raw::run(&load),
                _ => ours::run(&load),
            };
            println!("{}", serde_json::to_string(&sample).unwrap());
        }
    }
}
