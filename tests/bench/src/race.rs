//! The clients of others beside ours, against the null broker.

use serde::Serialize;

use crate::child::{Brokers, Places, measure};
use crate::figures::{median, range};
use crate::load::{Client, Load};
use crate::options::Options;
use crate::peer::Peer;
use crate::sample::Sample;

/// A virtual machine compiles what is hot while it runs.
const WARM_MS: &str = "4000";
const MEASURE_MS: &str = "2000";
const BYTES: &str = "128";

/// One way of one client.
#[derive(Serialize)]
pub(crate) struct Race {
    peer: Peer,
    mode: &'static str,
    in_flight: usize,
    /// One a round: the peer, and ours right behind it.
    samples: Vec<(Sample, Sample)>,
}

impl Race {
    fn median(&self, of: impl Fn(&(Sample, Sample)) -> f64) -> f64 {
        median(self.samples.iter().map(of))
    }
}

/// Runs all against the null broker, ours with as many tasks.
pub(crate) fn run(places: Places, options: &Options) -> Vec<Race> {
    let peers = Peer::build_all(|name| options.wants(name));
    let race = |peer: Peer| {
        let modes = peer.modes().iter();
        modes.map(move |&(in_flight, mode)| Race { peer, mode, in_flight, samples: Vec::new() })
    };
    let mut races: Vec<Race> = peers.into_iter().flat_map(race).collect();
    let brokers = Brokers::start(places, 1);
    let rounds = options.rounds(5);
    for round in 1..=rounds {
        eprintln!("peers, round {round} of {rounds}");
        for race in &mut races {
            let in_flight = race.in_flight.to_string();
            let words = [&brokers.addresses[0], race.mode, &in_flight, BYTES, WARM_MS, MEASURE_MS];
            match race.peer.run(places, &words, |_| ()) {
                Ok(theirs) => {
                    let ours = measure(places, &ours(race.in_flight, &brokers.addresses));
                    race.samples.push((theirs, ours));
                }
                Err(why) => println!("{why}"),
            }
        }
    }
    races.retain(|race| !race.samples.is_empty());
    races
}

fn ours(in_flight: usize, addresses: &[String]) -> Load {
    Load {
        client: Client::Tasks,
        binary: false,
        body: 128,
        in_flight,
        workers: 1,
        brokers: 1,
        topics: 1,
        warm_ms: 250,
        measure_ms: 400,
        counted: false,
        addresses: addresses.to_vec(),
    }
}

pub(crate) fn table(races: &[Race]) {
    println!(
        "\n{:42}  {:>10} {:>10} {:>9} {:>7} {:>6} {:>7} {:>9} {:>10} {:>8}",
        "beside others, one core each",
        "messages/s",
        "p50 us",
        "p99 us",
        "CPU us",
        "MiB",
        "threads",
        "first ms",
        "ours/s",
        "ours is"
    );
    for race in races {
        let name = format!("{}, {} {}", race.peer.name(), race.mode, race.in_flight);
        let of = |of: fn(&Sample) -> f64| race.median(|(theirs, _)| of(theirs));
        let faster = race.median(|(theirs, ours)| ours.rate() / theirs.rate());
        let latency = race.median(|(theirs, ours)| ours.p50_us / theirs.p50_us);
        let cpu = race.median(|(theirs, ours)| theirs.cpu_us() / ours.cpu_us());
        let shares = race.samples.iter().map(|(theirs, ours)| ours.rate() / theirs.rate());
        let (least, most) = range(shares);
        println!(
            "{name:42}  {:>10.0} {:>10.1} {:>9.0} {:>7.1} {:>6.0} {:>7.0} {:>9.0} {:>10.0} \
             {faster:>7.1}x ({least:.1}..{most:.1}), p50 {latency:.2}x, {cpu:.0}x less CPU",
            of(Sample::rate),
            of(|sample| sample.p50_us),
            of(|sample| sample.p99_us),
            of(Sample::cpu_us),
            of(|sample| sample.resident_kib as f64 / 1024.0),
            of(|sample| sample.threads as f64),
            of(|sample| sample.first_ms),
            race.median(|(_, ours)| ours.rate()),
        );
        let failed: u64 = race.samples.iter().map(|(theirs, _)| theirs.failed).sum();
        if failed > 0 {
            println!("{:42}  {failed} sends failed", "");
        }
    }
    for (text, met) in judged(races) {
        println!("{text}: {}", if met { "met" } else { "MISSED" });
    }
}

/// The goals against others of performance.md, of those that were raced.
fn judged(races: &[Race]) -> Vec<(String, bool)> {
    let best = |peers: &[Peer], in_flight: usize, of: fn(&(Sample, Sample)) -> f64, least: bool| {
        let races = races.iter().filter(|it| it.in_flight == in_flight && peers.contains(&it.peer));
        let all = races.map(|race| race.median(of));
        all.reduce(|a, b| if least { a.min(b) } else { a.max(b) })
    };
    let faster = |(theirs, ours): &(Sample, Sample)| ours.rate() / theirs.rate();
    let latency = |(theirs, ours): &(Sample, Sample)| ours.p50_us / theirs.p50_us;
    let cpu = |(theirs, ours): &(Sample, Sample)| ours.cpu_us() / theirs.cpu_us();
    let both = [Peer::Java, Peer::Go];
    let at_least = |name: &str, value: Option<f64>, least: f64| {
        value.map(|value| (format!("{name} ≥{least}: {value:.1}"), value >= least))
    };
    let at_most = |name: &str, value: Option<f64>, most: f64| {
        value.map(|value| (format!("{name} ≤{most:.3}: {value:.3}"), value <= most))
    };
    [
        at_least("G10 rate at 64 by Java and Go", best(&both, 64, faster, true), 40.0),
        at_least("G10 rate at 1,024 by Java and Go", best(&both, 1_024, faster, true), 60.0),
        at_most("G10 p50 at 1 by Go", best(&[Peer::Go], 1, latency, false), 0.4),
        at_most("G10 p50 at 1 by Java", best(&[Peer::Java], 1, latency, false), 0.3),
        at_most("G10 CPU at 64 by Java", best(&[Peer::Java], 64, cpu, false), 1.0 / 40.0),
        at_least("G9 rate at 64 by Rust", best(&[Peer::Rust], 64, faster, true), 10.0),
        at_least("G9 rate at 1,024 by Rust", best(&[Peer::Rust], 1_024, faster, true), 10.0),
        at_most("G9 p50 at 1 by Rust", best(&[Peer::Rust], 1, latency, false), 0.4),
        at_most("G9 CPU at 64 by Rust", best(&[Peer::Rust], 64, cpu, false), 1.0 / 15.0),
    ]
    .into_iter()
    .flatten()
    .collect()
}
