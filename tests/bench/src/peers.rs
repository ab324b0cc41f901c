//! Other clients, each a small program of ours (`tests/bench/peers`) with the settings that its
//! documentation recommends, fetched by its own package manager.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::child::{Brokers, Places, measure};
use crate::figures::median;
use crate::load::{Client, Load};
use crate::sample::Sample;

/// A virtual machine compiles what is hot while it runs.
const WARM_MS: u64 = 4_000;
const MEASURE_MS: u64 = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Peer {
    Java,
    Go,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Java => "Java client 5.4.0",
            Self::Go => "Go client 2.1.2",
        }
    }

    fn folder(self) -> PathBuf {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        here.join(match self {
            Self::Java => "java",
            Self::Go => "go",
        })
    }

    /// Fetches and builds it; why not, if it cannot be had here.
    fn build(self) -> Result<(), String> {
        let go = output("go/peer");
        let go = go.to_string_lossy();
        let (program, words) = match self {
            Self::Java => ("mvn", &["-B", "-q", "compile", "dependency:copy-dependencies"][..]),
            Self::Go => ("go", &["build", "-o", &*go, "."][..]),
        };
        let mut command = Command::new(program);
        let done = command.args(words).current_dir(self.folder()).stdout(Stdio::null()).status();
        match done {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{program} ended with {status}")),
            Err(error) => Err(format!("{program}: {error}")),
        }
    }

    fn command(self, places: Places) -> Command {
        match self {
            Self::Java => {
                let mut command = places.command("0", "java");
                let (classes, jars) = (output("java/classes"), output("java/dependency/*"));
                let path = format!("{}:{}", classes.display(), jars.display());
                command.args([
                    "-Xms512m",
                    "-Xmx512m",
                    "--add-opens=java.base/java.nio=ALL-UNNAMED",
                ]);
                command.args([
                    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
                    "-cp",
                    &path,
                    "Peer",
                ]);
                command
            }
            Self::Go => places.command("0", &output("go/peer").to_string_lossy()),
        }
    }

    fn measure(self, places: Places, name_server: &str, mode: &str, in_flight: usize) -> Sample {
        let mut command = self.command(places);
        command.args([name_server, mode, &in_flight.to_string(), "128"]);
        command.args([WARM_MS.to_string(), MEASURE_MS.to_string()]);
        let done = command.stderr(Stdio::inherit()).output().unwrap();
        let text = String::from_utf8_lossy(&done.stdout);
        let last = text.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
        serde_json::from_str(last)
            .unwrap_or_else(|error| panic!("{}: {error}: {text}", self.name()))
    }
}

fn output(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench").join(name)
}

/// What each peer does as well as it can, by how many sends are in flight.
const MODES: [(usize, &str); 4] = [(1, "sync"), (64, "sync"), (64, "async"), (1_024, "async")];

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
pub(crate) fn race(places: Places, rounds: usize) -> Vec<Race> {
    let mut races = Vec::new();
    for peer in [Peer::Java, Peer::Go] {
        match peer.build() {
            Ok(()) => races.extend(MODES.map(|(in_flight, mode)| Race {
                peer,
                mode,
                in_flight,
                samples: Vec::new(),
            })),
            Err(why) => println!("without the {}: {why}", peer.name()),
        }
    }
    let brokers = Brokers::start(places, 1);
    for round in 1..=rounds {
        eprintln!("peers, round {round} of {rounds}");
        for race in &mut races {
            let theirs =
                race.peer.measure(places, &brokers.addresses[0], race.mode, race.in_flight);
            let load = Load {
                client: Client::Tasks,
                binary: false,
                body: 128,
                in_flight: race.in_flight,
                workers: 1,
                brokers: 1,
                topics: 1,
                warm_ms: 250,
                measure_ms: 400,
                addresses: brokers.addresses.clone(),
            };
            race.samples.push((theirs, measure(places, &load)));
        }
    }
    races
}

pub(crate) fn table(races: &[Race]) {
    println!(
        "\n{:32}  {:>10} {:>10} {:>9} {:>8} {:>10} {:>9}",
        "beside others, one core each",
        "messages/s",
        "p50 us",
        "p99 us",
        "CPU us",
        "ours/s",
        "ours is"
    );
    for race in races {
        let name = format!("{}, {} {}", race.peer.name(), race.mode, race.in_flight);
        let of = |of: fn(&Sample) -> f64| race.median(|(theirs, _)| of(theirs));
        let faster = race.median(|(theirs, ours)| ours.rate() / theirs.rate());
        let latency = race.median(|(theirs, ours)| ours.p50_us / theirs.p50_us);
        let cpu = race.median(|(theirs, ours)| theirs.cpu_us() / ours.cpu_us());
        println!(
            "{name:32}  {:>10.0} {:>10.1} {:>9.0} {:>8.1} {:>10.0} {faster:>8.1}x  p50 {latency:.2}x, {cpu:.0}x less CPU",
            of(Sample::rate),
            of(|sample| sample.p50_us),
            of(|sample| sample.p99_us),
            of(Sample::cpu_us),
            race.median(|(_, ours)| ours.rate()),
        );
        let failed: u64 = race.samples.iter().map(|(theirs, _)| theirs.failed).sum();
        if failed > 0 {
            println!("{:32}  {failed} sends failed", "");
        }
    }
}
