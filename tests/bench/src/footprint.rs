//! What a producer takes that is not of one message: memory, threads, and time until it sends.

use std::time::Duration;

use producer_native::{Message, Producer};
use serde::Serialize;

use crate::child::{BE, Brokers, ONE, Places, this_program};
use crate::figures::median;
use crate::ours::BODY;
use crate::peer::run;
use crate::sample::{Sample, status};

/// Each is measured so often, in a new process.
const ROUNDS: usize = 3;
const SENDS: usize = 1_000_000;
const IN_FLIGHT: usize = 100_000;
/// Of so many bytes each.
const BYTES: usize = 128;

/// One state of a process with a producer in it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Footprint {
    state: &'static str,
    /// From the start of the process, as its parent sees it, to the first receipt.
    first_ms: f64,
    resident_kib: f64,
    /// More than before the producer was made.
    grown_kib: f64,
    threads: f64,
}

const STATES: [(&str, &str); 3] = [
    ("idle", "after one send"),
    ("many", "after a million sends, 1,024 in flight"),
    ("waiting", "100,000 in flight, none answered"),
];

/// Measures all states.
pub(crate) fn measure(places: Places) -> Vec<Footprint> {
    eprintln!("memory, threads, cold start");
    let (answering, mute) = (Brokers::start(places, 1), Brokers::mute_after(places, 1));
    let mut all = Vec::new();
    for (word, state) in STATES {
        let brokers = if word == "waiting" { &mute } else { &answering };
        let of: Vec<(Sample, u64)> =
            (0..ROUNDS).map(|_| one(places, word, &brokers.addresses[0])).collect();
        let figure = |figure: fn(&(Sample, u64)) -> f64| median(of.iter().map(figure));
        all.push(Footprint {
            state,
            first_ms: figure(|(sample, _)| sample.first_ms),
            resident_kib: figure(|(sample, _)| sample.resident_kib as f64),
            grown_kib: figure(|(sample, before)| sample.resident_kib as f64 - *before as f64),
            threads: figure(|(sample, _)| sample.threads as f64),
        });
    }
    all
}

/// What a process says of itself, and its memory in KiB before it had a producer.
fn one(places: Places, word: &str, name_server: &str) -> (Sample, u64) {
    let mut command = places.command(ONE, &this_program());
    command.args([BE, "footprint", word, name_server]);
    let mut before = 0;
    let sample = run(command, |line| before = line.parse().unwrap_or(0));
    (sample.unwrap_or_else(|why| panic!("a producer, {word}: {why}")), before)
}

/// The child: a producer on the thread that it has.
pub(crate) fn be(state: &str, name_server: &str) {
    println!("{}", status("VmRSS:"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let builder = Producer::builder("bench").name_servers(name_server);
        // Nothing is given up while it is looked at.
        let patient = Duration::from_secs(60);
        let builder = builder.send_timeout(patient).attempt_timeout(patient);
        let producer = builder.build().unwrap();
        let message = Message::new("bench-0", &BODY[..BYTES]).unwrap();
        producer.send(message.clone()).await.unwrap();
        println!("first");
        let mut waiting = Vec::new();
        match state {
            "many" => {
                for _ in 0..SENDS / 1_024 {
                    let mut all = producer.enqueue_all(vec![message.clone(); 1_024]);
                    while let Some(result) = all.next().await {
                        result.unwrap();
                    }
                }
            }
            "waiting" => {
                for _ in 0..IN_FLIGHT / 1_000 {
                    waiting.push(producer.enqueue_all(vec![message.clone(); 1_000]));
                    tokio::task::yield_now().await;
                }
                // Until everything that may be written is.
                tokio::time::sleep(Duration::from_millis(300)).await;
                let failed = producer.stats().not_sent;
                assert_eq!(failed, 0, "there is room for so many");
            }
            _ => {}
        }
        let (resident_kib, threads) = (status("VmRSS:"), status("Threads:"));
        let sample = Sample { resident_kib, threads, ..Sample::default() };
        println!("{}", serde_json::to_string(&sample).unwrap());
    });
}

pub(crate) fn table(all: &[Footprint]) {
    let width = STATES.iter().map(|(_, state)| state.len()).max().unwrap_or(0);
    println!(
        "\n{:width$}  {:>12} {:>12} {:>8} {:>22}",
        "a process with a producer", "MiB resident", "MiB more", "threads", "ms to first receipt"
    );
    for of in all {
        println!(
            "{:width$}  {:>12.1} {:>12.1} {:>8} {:>22.1}",
            of.state,
            of.resident_kib / 1024.0,
            of.grown_kib / 1024.0,
            of.threads,
            of.first_ms,
        );
    }
    println!("more: than before the producer was made; ms: from the start of the process");
}
