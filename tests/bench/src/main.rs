//! `./bench`: how fast is the producer, beside what the machine can do at all, and beside others?
//!
//! Every client is a process of its own on one processor, the null broker one on another. Clients
//! take turns within a round, so that what else the machine does meets all of them, and every ratio
//! is to the limit measured right before and after. `./bench --help` says what can be chosen.
#![allow(clippy::unwrap_used, reason = "a bench: what fails ends it")]

mod at_rate;
mod broker;
mod child;
mod codec;
mod count;
mod failover;
mod figures;
mod film;
mod footprint;
mod load;
mod matrix;
mod options;
mod ours;
mod peer;
mod race;
mod raw;
mod real;
mod report;
mod row;
mod sample;
mod series;
mod servers;
mod size;

use child::Places;
use options::Options;
use peer::Peer;
use serde_json::{Value, json};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((first, rest)) if first == child::BE => child::be(rest),
        _ => run(&words),
    }
}

fn run(words: &[String]) {
    let options = Options::read(words).unwrap_or_else(|text| {
        println!("{text}");
        std::process::exit(2)
    });
    if options.list {
        return matrix::chosen(&options).iter().for_each(|row| println!("{}", row.name));
    }
    let places = Places::found(options.undisturbed);
    report::begin(places);
    let (mut measured, picture) = match (options.failover, options.real) {
        (true, _) => failover(places, &options),
        (_, true) => (real(places, &options), None),
        _ if options.build => (build(&options), None),
        _ => table(places, &options),
    };
    if let Some(file) = &options.json {
        measured["machine"] = report::machine().into();
        measured["pinned"] = places.pinned.into();
        measured["undisturbed"] = places.undisturbed.into();
        let text = serde_json::to_string_pretty(&measured).unwrap() + "\n";
        std::fs::write(file, text).unwrap();
    }
    if let (Some(file), Some(picture)) = (&options.svg, picture) {
        std::fs::write(file, picture).unwrap();
    }
}

fn table(places: Places, options: &Options) -> (Value, Option<String>) {
    let rows = matrix::run(places, options);
    report::table(&rows, options.rounds(5));
    report::costs(&rows);
    let footprint = footprint::measure(places);
    footprint::table(&footprint);
    let codec = codec::measure(places, options.rounds(5));
    codec::table(&codec);
    let races = if options.peers { race::run(places, options) } else { Vec::new() };
    if options.peers {
        race::table(&races);
    }
    let all = json!({ "rows": report::json(&rows), "footprint": footprint, "codec": codec, "peers": races });
    (all, Some(report::svg(&rows)))
}

fn build(options: &Options) -> Value {
    let peers = match options.peers {
        true => Peer::build_all(|name| options.wants(name)),
        false => Vec::new(),
    };
    let sizes = size::measure(&peers);
    size::table(&sizes);
    json!({ "build": sizes })
}

fn real(places: Places, options: &Options) -> Value {
    let (full, steady) = real::run(places, options).unwrap_or_else(|why| give_up(&why));
    real::table(&full, &steady);
    json!({ "full": full, "steady": steady })
}

fn failover(places: Places, options: &Options) -> (Value, Option<String>) {
    let cases = failover::run(places, options).unwrap_or_else(|why| give_up(&why));
    failover::table(&cases, options);
    (json!({ "failover": cases, "real": options.real }), Some(film::svg(&cases)))
}

fn give_up(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(1)
}
