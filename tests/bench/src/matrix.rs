//! What is measured, in which order.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::child::{Brokers, Places, measure};
use crate::figures::{median, range};
use crate::load::{Client, Load};
use crate::peers;
use crate::report;
use crate::sample::Sample;

const HELP: &str = "\
./bench [options]         our producer beside the limit of this machine

  --rounds N       how often each is measured (5)
  --measure MS     how long (400); warming up takes another 250
  --only WORD      only rows that contain it; may be repeated
  --peers          beside the clients of others, too: Java 5.4.0 (wants Java 17 and Maven), Go 2.1.2 (Go)
  --disturbed      let other jobs of the machine come in between
  --json FILE      all that was measured
  --svg FILE       the shares of the limit as a picture
  --list           the rows";

struct Options {
    rounds: usize,
    measure_ms: u64,
    only: Vec<String>,
    undisturbed: bool,
    peers: bool,
    json: Option<String>,
    svg: Option<String>,
    list: bool,
}

impl Options {
    fn read(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            rounds: 5,
            measure_ms: 400,
            only: Vec::new(),
            undisturbed: true,
            peers: false,
            json: None,
            svg: None,
            list: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or_else(|| format!("{word} wants a value"));
            let number =
                |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
            match word.as_str() {
                "--rounds" => options.rounds = number(value()?)?.max(1) as usize,
                "--measure" => options.measure_ms = number(value()?)?,
                "--only" => options.only.push(value()?),
                "--disturbed" => options.undisturbed = false,
                "--peers" => options.peers = true,
                "--json" => options.json = Some(value()?),
                "--svg" => options.svg = Some(value()?),
                "--list" => options.list = true,
                _ => return Err(HELP.to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.contains(word))
    }
}

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) load: Load,
    /// What it is to reach, by its name in performance.md.
    pub(crate) goals: Vec<Goal>,
    /// One a round, with the limit before and after it.
    pub(crate) samples: Vec<(Sample, [Sample; 2])>,
}

/// A number to reach.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Goal {
    /// Share of the limit's rate, at least.
    Rate(&'static str, f64),
    /// Median latency by that of the limit, at most.
    Latency(&'static str, f64),
    /// Time of processors for a message by that of the limit, at most.
    Cpu(&'static str, f64),
}

impl Row {
    fn ratio(&self, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let ratio = |(ours, [before, after]): &(Sample, [Sample; 2])| {
            of(ours) / ((of(before) + of(after)) / 2.0)
        };
        self.samples.iter().map(ratio).collect()
    }

    pub(crate) fn share(&self) -> f64 {
        median(self.ratio(Sample::rate))
    }

    pub(crate) fn spread(&self) -> (f64, f64) {
        range(self.ratio(Sample::rate))
    }

    pub(crate) fn latency(&self) -> f64 {
        median(self.ratio(|sample| sample.p50_us))
    }

    pub(crate) fn cpu(&self) -> f64 {
        median(self.ratio(Sample::cpu_us))
    }

    pub(crate) fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(|(ours, _)| of(ours)))
    }

    /// The goals, each with whether it is met.
    pub(crate) fn judged(&self) -> Vec<(String, bool)> {
        let judge = |goal: &Goal| match *goal {
            Goal::Rate(name, least) => {
                (format!("{name} ≥{:.0}%", least * 100.0), self.share() >= least)
            }
            Goal::Latency(name, most) => (format!("{name} p50≤{most:.2}"), self.latency() <= most),
            Goal::Cpu(name, most) => (format!("{name} cpu≤{most:.1}"), self.cpu() <= most),
        };
        self.goals.iter().map(judge).collect()
    }
}

pub(crate) fn main(words: &[String]) {
    let options = Options::read(words).unwrap_or_else(|text| {
        println!("{text}");
        std::process::exit(2)
    });
    let mut rows: Vec<Row> = rows(options.measure_ms);
    rows.retain(|row| options.wants(&row.name));
    if options.list {
        return rows.iter().for_each(|row| println!("{}", row.name));
    }
    let places = Places::found(options.undisturbed);
    report::begin(places, options.rounds);
    let brokers: BTreeMap<usize, Brokers> =
        rows.iter().map(|row| row.load.brokers).map(|n| (n, Brokers::start(places, n))).collect();
    for row in &mut rows {
        row.load.addresses.clone_from(&brokers[&row.load.brokers].addresses);
    }
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        one_round(places, &mut rows);
    }
    report::table(&rows);
    let races = if options.peers { peers::race(places, options.rounds) } else { Vec::new() };
    if options.peers {
        peers::table(&races);
    }
    if let Some(file) = options.json {
        std::fs::write(&file, report::json(places, &rows, &races)).unwrap();
    }
    if let Some(file) = options.svg {
        std::fs::write(&file, report::svg(&rows)).unwrap();
    }
}

/// Each row once. Those of one limit are next to each other, and the limit before and behind each.
fn one_round(places: Places, rows: &mut [Row]) {
    let mut last: Option<(LimitOf, Sample)> = None;
    for row in rows {
        let limit = Load { client: Client::Raw, workers: 1, topics: 1, ..row.load.clone() };
        let before = match last.take() {
            Some((of, sample)) if of == LimitOf::of(&row.load) => sample,
            _ => measure(places, &limit),
        };
        let ours = measure(places, &row.load);
        let after = measure(places, &limit);
        last = Some((LimitOf::of(&row.load), after.clone()));
        row.samples.push((ours, [before, after]));
    }
}

/// What a limit depends on.
#[derive(PartialEq, Eq)]
struct LimitOf(bool, usize, usize, usize);

impl LimitOf {
    fn of(load: &Load) -> Self {
        Self(load.binary, load.body, load.in_flight, load.brokers)
    }
}

fn rows(measure_ms: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    let basic = Load {
        client: Client::Tasks,
        binary: false,
        body: 128,
        in_flight: 1,
        workers: 1,
        brokers: 1,
        topics: 1,
        warm_ms: 250,
        measure_ms,
        addresses: Vec::new(),
    };
    let mut add = |load: Load, goals: &[Goal]| {
        rows.push(Row { name: name(&load), load, goals: goals.to_vec(), samples: Vec::new() });
    };
    add(basic.clone(), &[Goal::Latency("G3", 1.10), Goal::Cpu("G7", 1.2)]);
    add(Load { workers: 2, ..basic.clone() }, &[Goal::Latency("G3", 1.20)]);
    for in_flight in [64, 1_024] {
        let many = in_flight == 1_024;
        let load = Load { in_flight, ..basic.clone() };
        let of = |client| Load { client, ..load.clone() };
        let tasks = if many { Goal::Rate("G5", 0.40) } else { Goal::Rate("G4", 0.60) };
        let cpu = Goal::Cpu("G7", if many { 3.5 } else { 2.2 });
        add(of(Client::Tasks), &[tasks, cpu]);
        let two = Goal::Rate("G6", if many { 0.35 } else { 0.40 });
        add(Load { workers: 2, ..of(Client::Tasks) }, &[two]);
        let tickets = if many { Goal::Rate("G5", 0.60) } else { Goal::Rate("G4", 0.70) };
        add(of(Client::Tickets), &[tickets]);
        add(of(Client::Batches), &[tickets]);
        add(Load { workers: 2, ..of(Client::Batches) }, &[]);
        add(of(Client::Shared), &[]);
    }
    add(Load { client: Client::Oneway, in_flight: 1_024, ..basic.clone() }, &[]);
    for in_flight in [1, 64, 1_024] {
        for client in [Client::Tasks, Client::Batches] {
            add(Load { binary: true, in_flight, client, ..basic.clone() }, &[]);
        }
    }
    for (body, in_flight) in [(1 << 10, 64), (1 << 10, 1_024), (16 << 10, 64), (1 << 20, 8)] {
        for client in [Client::Tasks, Client::Tickets] {
            add(Load { body, in_flight, client, ..basic.clone() }, &[]);
        }
    }
    for (brokers, topics) in [(8, 1), (1, 100), (1, 10_000), (8, 10_000)] {
        add(Load { brokers, topics, in_flight: 1_024, ..basic.clone() }, &[]);
    }
    rows
}

fn name(load: &Load) -> String {
    let body = match load.body {
        body if body >= 1 << 20 => format!("{} MiB", body >> 20),
        body if body >= 1 << 10 => format!("{} KiB", body >> 10),
        body => format!("{body} B"),
    };
    let mut name = format!("{} {}, {body}", load.client.name(), load.in_flight);
    if load.binary {
        name += ", binary";
    }
    for (count, word) in
        [(load.workers, "threads"), (load.brokers, "brokers"), (load.topics, "topics")]
    {
        if count > 1 {
            name += &format!(", {count} {word}");
        }
    }
    name
}
