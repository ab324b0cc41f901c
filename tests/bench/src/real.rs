//! Against a real broker: it is what all wait for, so what counts is what a client takes of its own
//! machine, and what it adds to the latency at a rate that the broker can bear.

use serde::Serialize;

use crate::at_rate::{Pace, Sender};
use crate::child::{Places, measure};
use crate::figures::{median, range};
use crate::load::{Client, Load};
use crate::options::Options;
use crate::peer::Peer;
use crate::sample::Sample;
use crate::series::quantile;
use crate::servers::Servers;

const BYTES: usize = 128;
const RATES: [u64; 2] = [2_000, 5_000];
/// The broker, too, compiles what is hot.
const WARM_MS: u64 = 4_000;
const MEASURE_MS: u64 = 5_000;

/// As many as the broker takes.
#[derive(Debug, Serialize)]
pub(crate) struct Full {
    client: String,
    in_flight: usize,
    /// One a round.
    samples: Vec<Sample>,
}

/// So many a second.
#[derive(Debug, Serialize)]
pub(crate) struct Steady {
    client: String,
    rate: u64,
    /// One a round.
    runs: Vec<SteadyRun>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SteadyRun {
    cpu_us: f64,
    failed: u64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
}

/// Who sends as many as the broker takes.
#[derive(Clone, Copy)]
enum Way {
    Limit,
    Ours,
    Peer(Peer, &'static str),
}

pub(crate) fn run(places: Places, options: &Options) -> Result<(Vec<Full>, Vec<Steady>), String> {
    let peers = match options.peers {
        true => Peer::build_all(|name| options.wants(name)),
        false => Vec::new(),
    };
    eprintln!("starting a broker 5.4.0");
    let servers = Servers::start(places, 1, true)?;
    let mut ways = Vec::new();
    for in_flight in [1, 64] {
        let of_peers = peers.iter().flat_map(|peer| {
            let modes = peer.modes().iter().filter(|(many, _)| *many == in_flight);
            modes.map(|(_, mode)| Way::Peer(*peer, mode))
        });
        for way in [Way::Limit, Way::Ours].into_iter().chain(of_peers) {
            ways.push((way, Full { client: way.name(), in_flight, samples: Vec::new() }));
        }
    }
    let mut steady = Vec::new();
    for rate in options.rates(&RATES) {
        for sender in Sender::all(&peers) {
            steady.push((sender, Steady { client: sender.name(), rate, runs: Vec::new() }));
        }
    }
    // A new broker is slow: nobody shall be measured while it warms up.
    let _cold = measure(places, &load(Client::Tasks, 64, WARM_MS, &servers.addresses));
    let rounds = options.rounds(3);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (way, full) in &mut ways {
            match way.measure(places, full.in_flight, &servers.addresses) {
                Ok(sample) => full.samples.push(sample),
                Err(why) => println!("{why}"),
            }
        }
        for (sender, steady) in &mut steady {
            match one(places, options, *sender, steady.rate, &servers.addresses[0]) {
                Ok(run) => steady.runs.push(run),
                Err(why) => println!("{why}"),
            }
        }
    }
    let full = ways.into_iter().map(|(_, full)| full).filter(|it| !it.samples.is_empty());
    let steady = steady.into_iter().map(|(_, it)| it).filter(|it| !it.runs.is_empty());
    Ok((full.collect(), steady.collect()))
}

fn load(client: Client, in_flight: usize, measure_ms: u64, addresses: &[String]) -> Load {
    Load {
        client,
        binary: false,
        body: BYTES,
        in_flight,
        workers: 1,
        brokers: 1,
        topics: 1,
        warm_ms: 500,
        measure_ms,
        counted: false,
        addresses: addresses.to_vec(),
    }
}

impl Way {
    fn name(self) -> String {
        match self {
            Self::Limit => "limit".to_owned(),
            Self::Ours => "ours".to_owned(),
            Self::Peer(peer, mode) => format!("{}, {mode}", peer.name()),
        }
    }

    fn measure(
        self,
        places: Places,
        in_flight: usize,
        addresses: &[String],
    ) -> Result<Sample, String> {
        let ours = |client| Ok(measure(places, &load(client, in_flight, 2_000, addresses)));
        match self {
            Self::Limit => ours(Client::Raw),
            Self::Ours => ours(Client::Tasks),
            Self::Peer(peer, mode) => {
                let numbers = [in_flight as u64, BYTES as u64, WARM_MS, 2_000];
                let numbers = numbers.map(|number| number.to_string());
                let mut words = vec![addresses[0].as_str(), mode];
                words.extend(numbers.iter().map(String::as_str));
                peer.run(places, &words, |_| ())
            }
        }
    }
}

fn one(
    places: Places,
    options: &Options,
    sender: Sender,
    rate: u64,
    name_server: &str,
) -> Result<SteadyRun, String> {
    let measure_ms = if options.quick { 2_000 } else { MEASURE_MS };
    let pace = Pace { rate, warm_ms: WARM_MS, measure_ms, settings: "default" };
    let (sample, outcomes) = sender.run(places, name_server, pace, || ())?;
    let took: Vec<u64> = outcomes.iter().map(|outcome| outcome.took).collect();
    Ok(SteadyRun {
        cpu_us: sample.cpu_us(),
        failed: outcomes.iter().filter(|outcome| !outcome.stored).count() as u64,
        p50_ms: quantile(took.clone(), 0.5),
        p99_ms: quantile(took.clone(), 0.99),
        p999_ms: quantile(took, 0.999),
    })
}

pub(crate) fn table(full: &[Full], steady: &[Steady]) {
    println!(
        "\n{:44} {:>10} {:>9} {:>11} {:>9} {:>9} {:>8}",
        "as many as a real broker takes",
        "messages/s",
        "of limit",
        "",
        "p50 us",
        "p99 us",
        "CPU us"
    );
    for of in full {
        let name = format!("{} {}", of.client, of.in_flight);
        let limit = full.iter().find(|it| it.client == "limit" && it.in_flight == of.in_flight);
        let limits = limit.map_or(&of.samples, |limit| &limit.samples);
        let shares = of.samples.iter().zip(limits).map(|(of, limit)| of.rate() / limit.rate());
        let (least, most) = range(shares.clone());
        let figure = |figure: fn(&Sample) -> f64| median(of.samples.iter().map(figure));
        println!(
            "{name:44} {:>10.0} {:>8.0}% {:>11} {:>9.0} {:>9.0} {:>8.1}",
            figure(Sample::rate),
            median(shares) * 100.0,
            format!("{:.0}..{:.0}", least * 100.0, most * 100.0),
            figure(|sample| sample.p50_us),
            figure(|sample| sample.p99_us),
            figure(Sample::cpu_us),
        );
    }
    println!(
        "\n{:44} {:>10} {:>8} {:>9} {:>9} {:>9} {:>8} {:>12}",
        "at a fixed rate",
        "messages/s",
        "failed",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "CPU us",
        "CPU by ours"
    );
    for of in steady {
        let figure = |figure: fn(&SteadyRun) -> f64| median(of.runs.iter().map(figure));
        let ours = steady.iter().find(|it| it.client == "ours" && it.rate == of.rate);
        let ours = ours.map_or(f64::NAN, |ours| median(ours.runs.iter().map(|run| run.cpu_us)));
        println!(
            "{:44} {:>10} {:>8.0} {:>9.2} {:>9.2} {:>9.2} {:>8.1} {:>11.1}x",
            of.client,
            of.rate,
            figure(|run| run.failed as f64),
            figure(|run| run.p50_ms),
            figure(|run| run.p99_ms),
            figure(|run| run.p999_ms),
            figure(|run| run.cpu_us),
            figure(|run| run.cpu_us) / ours,
        );
    }
    println!(
        "latency at a fixed rate: from when a message was due. Of all clients the CPU includes a \
         thread that says when."
    );
}
