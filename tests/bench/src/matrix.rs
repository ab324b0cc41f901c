//! The rows of the table, and the order in which they are measured.

use std::collections::BTreeMap;

use crate::child::{Brokers, Places, counted, measure};
use crate::load::{Client, Load};
use crate::options::Options;
use crate::row::{Goal, Row};
use crate::sample::Sample;

/// Measures the rows that are asked for, round after round.
pub(crate) fn run(places: Places, options: &Options) -> Vec<Row> {
    let mut rows = chosen(options);
    let brokers: BTreeMap<usize, Brokers> =
        rows.iter().map(|row| row.load.brokers).map(|n| (n, Brokers::start(places, n))).collect();
    for row in &mut rows {
        row.load.addresses.clone_from(&brokers[&row.load.brokers].addresses);
    }
    let rounds = options.rounds(5);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        one_round(places, &mut rows);
    }
    eprintln!("counting what a message costs");
    count(places, &mut rows);
    rows
}

/// The rows that are asked for.
pub(crate) fn chosen(options: &Options) -> Vec<Row> {
    let mut rows = rows(options.measure_ms(), options.quick);
    rows.retain(|row| options.wants(&row.name));
    rows
}

/// Each row once. Those of one limit are next to each other, and the limit before and behind each.
fn one_round(places: Places, rows: &mut [Row]) {
    let mut last: Option<(LimitOf, Sample)> = None;
    for row in rows {
        let limit = limit(&row.load);
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

/// Counts do not vary as times do: each row once, each limit once.
fn count(places: Places, rows: &mut [Row]) {
    let mut last = None;
    for row in rows {
        let limit = match last.take() {
            Some((of, counts)) if of == LimitOf::of(&row.load) => counts,
            _ => counted(places, &limit(&row.load)),
        };
        last = Some((LimitOf::of(&row.load), limit));
        row.counted = Some((counted(places, &row.load), limit));
    }
}

/// The limit of a row: one thread, one connection and one topic, whatever the row has.
fn limit(load: &Load) -> Load {
    Load { client: Client::Raw, workers: 1, topics: 1, ..load.clone() }
}

/// What a limit depends on.
#[derive(PartialEq, Eq)]
struct LimitOf(bool, usize, usize, usize);

impl LimitOf {
    fn of(load: &Load) -> Self {
        Self(load.binary, load.body, load.in_flight, load.brokers)
    }
}

/// All rows; for a fast look those of one kind of message, broker and topic.
pub(crate) fn rows(measure_ms: u64, quick: bool) -> Vec<Row> {
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
        counted: false,
        addresses: Vec::new(),
    };
    let mut add = |load: Load, goals: &[Goal]| {
        let (name, goals) = (name(&load), goals.to_vec());
        rows.push(Row { name, load, goals, samples: Vec::new(), counted: None });
    };
    add(basic.clone(), &[Goal::Latency("G3", 1.10), Goal::Cpu("G7", 1.2)]);
    add(Load { workers: 2, ..basic.clone() }, &[Goal::Latency("G3", 1.20)]);
    for in_flight in [64, 1_024] {
        let many = in_flight == 1_024;
        let load = Load { in_flight, ..basic.clone() };
        let of = |client| Load { client, ..load.clone() };
        let tasks = if many { Goal::Rate("G5", 0.40) } else { Goal::Rate("G4", 0.60) };
        let cpu = Goal::Cpu("G7", if many { 3.5 } else { 2.2 });
        let calls = Goal::Calls("G8", if many { 0.025 } else { 0.07 });
        add(of(Client::Tasks), &[tasks, cpu, calls]);
        let two = Goal::Rate("G6", if many { 0.35 } else { 0.40 });
        let writes = Goal::Writes("G6", 0.02);
        let goals = [two, writes];
        add(Load { workers: 2, ..of(Client::Tasks) }, if many { &goals } else { &goals[..1] });
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
    if quick {
        rows.retain(|row| {
            let load = &row.load;
            !load.binary && load.body == 128 && load.brokers * load.topics == 1
        });
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
