//! Does it stay as it is? `cargo bench -p tests --bench soak -- [MINUTES] [MESSAGES A SECOND] [SEED]`
//! (30, 1,000, 1): a producer in a process of its own sends at a fixed rate to an embedded cluster
//! that something happens to every few seconds.
//!
//! `./check load` has two minutes of it, at a rate that a debug build keeps with ease.
//!
//! Printed are its memory, its files and its threads over time; it fails when they grow, and when one
//! message is not where the producer says it is: every receipt is compared with the brokers' logs.
#![allow(clippy::unwrap_used, reason = "a bench: what fails ends it")]

mod faults;
mod sender;
mod watch;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sim::serve::EmbeddedCluster;
use tests::browser::{Believed, balance, stored_by};
use tokio::runtime::{Builder, Runtime};

use watch::{Line, Watch};

/// The first word of the sender's command line.
const BE: &str = "be";
const TOPIC: &str = "soak";
/// Without faults at the end, so that what was begun ends, and what was broken is mended.
const CALM: Duration = Duration::from_secs(10);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if words.first().is_some_and(|word| word == BE) {
        return sender::be(&words[1..]);
    }
    let number = |at: usize, default| words.get(at).map_or(default, |word| word.parse().unwrap());
    let (minutes, rate, seed) = (number(0, 30.0), number(1, 1_000.0), number(2, 1.0));
    let span = Duration::from_secs_f64(minutes * 60.0);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let cluster = runtime.block_on(cluster());
    let (believed, watch) = run(&runtime, &cluster, span, rate as u64, seed as u64);
    watch.print();
    let balance =
        balance(&believed, &stored_by(&cluster, TOPIC)).unwrap_or_else(|lies| panic!("{lies}"));
    println!("{} sent: {balance:?}", believed.len());
    assert!(balance.acked * 100 > believed.len() * 95, "most are stored");
    watch.must_be_flat();
}

async fn cluster() -> EmbeddedCluster {
    let mut builder = EmbeddedCluster::builder();
    for name in faults::BROKERS {
        builder = builder.broker(name, |it| it.tune(|config| config.log_bytes_max = 8 << 30));
    }
    builder.topic(TOPIC, 4).start().await.unwrap()
}

/// Lets the sender send, and things happen; what it believes at the end.
fn run(
    runtime: &Runtime,
    cluster: &EmbeddedCluster,
    span: Duration,
    rate: u64,
    seed: u64,
) -> (Vec<Believed>, Watch) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([BE, &cluster.name_servers(), &rate.to_string()]);
    command.arg(span.as_millis().to_string());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let (mut believed, mut watch) = (Vec::new(), Watch::default());
        for line in said.lines() {
            match Line::read(&line.unwrap()) {
                Line::Believed(one) => believed.push(one),
                Line::Resources(now) => watch.push(now),
            }
        }
        (believed, watch)
    });
    let end = Instant::now() + span.saturating_sub(CALM);
    let happened = runtime.block_on(faults::until(end, cluster, seed));
    println!(
        "{happened} faults in {:.1} minutes, {rate} messages a second",
        span.as_secs_f64() / 60.0
    );
    assert!(child.wait().unwrap().success(), "the sender ends well");
    reader.join().unwrap()
}
