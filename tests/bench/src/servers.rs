//! Servers that store, in a process of their own, and can be hurt: an embedded cluster, or a real
//! one.
//!
//! The process prints a line of addresses, name servers first. Then it does what the lines of its
//! input say, `kill`, `freeze` and `heal` the first broker, and answers each with a line.

use std::io::{BufRead, BufReader, Lines, Write, stdin};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use sim::serve::EmbeddedCluster;
use tokio::runtime::Builder;

use crate::child::{BE, BROKER, Places, this_program};

/// The process, until it is dropped.
pub(crate) struct Servers {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// The name servers, then the brokers.
    pub(crate) addresses: Vec<String>,
}

impl Servers {
    /// So many brokers of the embedded cluster, or real ones.
    pub(crate) fn start(places: Places, brokers: usize, are_real: bool) -> Result<Self, String> {
        let count = brokers.to_string();
        let mut command = if are_real {
            // A virtual machine that no other job interrupts may keep its own threads waiting.
            let places = Places { undisturbed: false, ..places };
            places.command(BROKER, &real_cluster()?)
        } else {
            let mut command = places.command(BROKER, &this_program());
            command.args([BE, "cluster"]);
            command
        };
        let piped = command.arg(count).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = piped.map_err(|error| error.to_string())?;
        let commands = child.stdin.take().expect("it was piped");
        let mut answers = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        let line = answers.next().and_then(Result::ok).ok_or("the servers did not start")?;
        let addresses = line.split_whitespace().map(str::to_owned).collect();
        Ok(Self { child, commands, answers, addresses })
    }

    /// Has it do `what`, and waits until it is done.
    pub(crate) fn order(&mut self, what: &str) {
        writeln!(self.commands, "{what}").expect("the servers run");
        let answer = self.answers.next().and_then(Result::ok);
        assert_eq!(answer.as_deref(), Some("done"), "the servers were told to {what}");
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // A real cluster stops its own processes when its input ends: see `real-cluster`.
        drop(writeln!(self.commands, "end"));
        let _reaped = self.child.wait();
    }
}

/// The program that starts real brokers. It is not measured, so it is built as `./check` builds,
/// with all features: most of it is there then.
fn real_cluster() -> Result<String, String> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "-q", "--locked", "--workspace", "--all-features"]);
    cargo.args(["--bin", "real-cluster", "--target-dir"]).arg(&target);
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stdout(Stdio::null()).status();
    match built {
        Ok(status) if status.success() => {
            Ok(target.join("debug/real-cluster").to_string_lossy().into_owned())
        }
        Ok(status) => Err(format!("cargo ended with {status}")),
        Err(error) => Err(format!("cargo: {error}")),
    }
}

/// The child: the embedded cluster.
pub(crate) fn be(brokers: usize) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let cluster = EmbeddedCluster::builder().numbered_brokers(brokers).topic("bench-0", 4);
    let cluster = runtime.block_on(cluster.start()).unwrap();
    let mut addresses = vec![cluster.name_servers()];
    addresses.extend(cluster.brokers().iter().map(|broker| broker.address().to_string()));
    println!("{}", addresses.join(" "));
    let hurt = &cluster.brokers()[0];
    for line in stdin().lines().map_while(Result::ok) {
        match line.as_str() {
            "kill" => runtime.block_on(hurt.kill()),
            "freeze" => hurt.pause(),
            "heal" => runtime.block_on(async {
                hurt.resume();
                if !hurt.is_up().await {
                    hurt.restart().await.unwrap();
                }
                cluster.wait_until_registered().await.unwrap();
            }),
            _ => break,
        }
        println!("done");
    }
}
