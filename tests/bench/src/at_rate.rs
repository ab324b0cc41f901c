//! Sends at a fixed rate, whatever became of those before: ours, and how any client's are told.
//!
//! A client is told its words in one order: name server, mode, messages a second, bytes, warm-up and
//! measured milliseconds, `default` or `best` settings. It prints `begun` when warming up is over,
//! and at the end a line of each message: see [`Outcome`].

use std::collections::BTreeMap;
use std::io::{BufWriter, Write, stdout};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use producer_native::{Adaptive, Builder, Health, Message, Producer};
use tokio::runtime::Handle;

use crate::child::{BE, ONE, Places, this_program};
use crate::ours::BODY;
use crate::peer::{Peer, run};
use crate::sample::{Mark, Sample};

/// How one message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// When it was due, in microseconds from the beginning.
    pub(crate) due: u64,
    /// How long it took from then, in microseconds; more than any run lasts if it never ended.
    pub(crate) took: u64,
    pub(crate) stored: bool,
}

impl Outcome {
    /// Three numbers; `None` for any other line.
    fn read(line: &str) -> Option<Self> {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        Some(Self { due: next()?, took: next()?, stored: next()? == 1 })
    }
}

/// Who sends at a fixed rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Ours,
    Peer(Peer, &'static str),
}

/// What it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Messages a second.
    pub(crate) rate: u64,
    pub(crate) warm_ms: u64,
    pub(crate) measure_ms: u64,
    /// `default` or `best`.
    pub(crate) settings: &'static str,
}

impl Sender {
    /// Ours, then each way of those peers.
    pub(crate) fn all(peers: &[Peer]) -> Vec<Self> {
        let ways = |peer: &Peer| {
            let peer = *peer;
            peer.rate_modes().iter().map(move |mode| Self::Peer(peer, mode))
        };
        [Self::Ours].into_iter().chain(peers.iter().flat_map(ways)).collect()
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Ours => "ours".to_owned(),
            Self::Peer(peer, mode) => match mode.strip_prefix("rate-") {
                Some(how) => format!("{}, {how}", peer.name()),
                None => peer.name().to_owned(),
            },
        }
    }

    /// Runs it to its end; `begun` is called when warming up is over.
    pub(crate) fn run(
        self,
        places: Places,
        name_servers: &str,
        pace: Pace,
        mut begun: impl FnMut(),
    ) -> Result<(Sample, Vec<Outcome>), String> {
        let mut outcomes = Vec::new();
        let mut line = |text: &str| match text {
            "begun" => begun(),
            _ => outcomes.extend(Outcome::read(text)),
        };
        let mode = if let Self::Peer(_, mode) = self { mode } else { "rate" };
        let numbers = [pace.rate, 128, pace.warm_ms, pace.measure_ms].map(|it| it.to_string());
        let mut words = vec![name_servers, mode];
        words.extend(numbers.iter().map(String::as_str));
        words.push(pace.settings);
        let sample = match self {
            Self::Peer(peer, _) => peer.run(places, &words, line),
            Self::Ours => {
                let mut command = places.command(ONE, &this_program());
                command.args([BE, "rate"]).args(&words);
                run(command, &mut line)
            }
        }?;
        Ok((sample, outcomes))
    }
}

/// The settings of our producer that are compared.
fn configured(builder: Builder, settings: &str) -> Builder {
    if settings == "default" {
        return builder;
    }
    // For brokers that answer in milliseconds: what is silent for long is left alone sooner, and an
    // attempt leaves time for others.
    let silence = Duration::from_millis(50);
    builder.attempt_timeout(Duration::from_millis(500)).configure(|config| {
        config.attempts_max = 6;
        config.health = Health::Adaptive(Adaptive { silence, ..Adaptive::default() });
    })
}

/// The child: ours.
pub(crate) fn be(words: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(at_rate(words));
}

struct Shared {
    producer: Producer,
    message: Message,
    done: AtomicU64,
    failed: AtomicU64,
    /// By number of the message: microseconds, and whether it was stored.
    ends: Mutex<BTreeMap<u64, (u64, bool)>>,
}

/// Longest that is waited for the last messages.
const PATIENCE: Duration = Duration::from_secs(15);
/// Microseconds of a message that did not end.
pub(crate) const NEVER: u64 = u64::MAX >> 21;

async fn at_rate(words: &[String]) {
    let number = |n: usize| words[n].parse::<u64>().unwrap();
    let (rate, body) = (number(2), number(3) as usize);
    let (warm, measured) = (Duration::from_millis(number(4)), Duration::from_millis(number(5)));
    let builder = Producer::builder("bench").name_servers(&words[0]);
    let shared = Arc::new(Shared {
        producer: configured(builder, &words[6]).build().unwrap(),
        message: Message::new("bench-0", &BODY[..body]).unwrap(),
        done: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        ends: Mutex::new(BTreeMap::new()),
    });
    shared.producer.send(shared.message.clone()).await.unwrap();
    println!("first");

    let (started, all) = (Instant::now(), (warm + measured).as_millis() as u64 * rate / 1_000);
    let due = move |n: u64| started + Duration::from_nanos(n * 1_000_000_000 / rate);
    let (handle, of_thread) = (Handle::current(), shared.clone());
    // A timer of the runtime is a millisecond late; a thread's sleep is not.
    let pacing = thread::spawn(move || {
        for n in 0..all {
            thread::sleep(due(n).saturating_duration_since(Instant::now()));
            handle.spawn(send(of_thread.clone(), n, due(n)));
        }
    });
    tokio::time::sleep(warm).await;
    println!("begun");
    let mark = Mark::now(shared.done.load(Relaxed));
    tokio::time::sleep(measured).await;
    let sample = mark.until_now(shared.done.load(Relaxed), Vec::new());
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience && (shared.ends.lock().unwrap().len() as u64) < all {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pacing.join().unwrap();
    let ends = shared.ends.lock().unwrap();
    let mut out = BufWriter::new(stdout().lock());
    for n in warm.as_millis() as u64 * rate / 1_000..all {
        let (took, stored) = ends.get(&n).copied().unwrap_or((NEVER, false));
        let micros = (due(n) - started).saturating_sub(warm).as_micros();
        writeln!(out, "{micros} {took} {}", u8::from(stored)).unwrap();
    }
    let sample = Sample { failed: shared.failed.load(Relaxed), ..sample };
    writeln!(out, "{}", serde_json::to_string(&sample).unwrap()).unwrap();
}

async fn send(shared: Arc<Shared>, n: u64, due: Instant) {
    let stored = shared.producer.send(shared.message.clone()).await.is_ok();
    let took = due.elapsed().as_micros() as u64;
    (if stored { &shared.done } else { &shared.failed }).fetch_add(1, Relaxed);
    shared.ends.lock().unwrap().insert(n, (took, stored));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read() {
        let read = Outcome::read("1500 230 1");
        assert_eq!(read, Some(Outcome { due: 1_500, took: 230, stored: true }));
        for line in ["", "1500 230", "1500 230 yes", "WARN no route"] {
            assert_eq!(Outcome::read(line), None, "{line}");
        }
    }
}
