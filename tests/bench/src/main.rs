//! `./bench`: how fast is the producer, beside what the machine can do at all, and beside others?
//!
//! Every client is a process of its own on one processor, the null broker one on another. Clients
//! take turns within a round, so that what else the machine does meets all of them, and every ratio
//! is to the limit measured right before and after. `./bench --help` says what can be chosen.
#![allow(clippy::unwrap_used, reason = "a bench: what fails ends it")]

mod broker;
mod child;
mod count;
mod figures;
mod footprint;
mod load;
mod matrix;
mod options;
mod ours;
mod peer;
mod race;
mod raw;
mod report;
mod row;
mod sample;

use child::Places;
use options::Options;

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
    report::begin(places, options.rounds(5));
    let rows = matrix::run(places, &options);
    report::table(&rows);
    report::costs(&rows);
    let footprint = footprint::measure(places);
    footprint::table(&footprint);
    let races = if options.peers { race::run(places, &options) } else { Vec::new() };
    if options.peers {
        race::table(&races);
    }
    if let Some(file) = &options.json {
        std::fs::write(file, report::json(places, &rows, &footprint, &races)).unwrap();
    }
    if let Some(file) = &options.svg {
        std::fs::write(file, report::svg(&rows)).unwrap();
    }
}
