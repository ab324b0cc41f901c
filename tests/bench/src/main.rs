//! `./bench`: how fast is the producer, beside what the machine can do at all, and beside others?
//!
//! Every client is a process of its own on one processor, the null broker one on another. Clients
//! take turns within a round, so that what else the machine does meets all of them, and every ratio
//! is to the limit measured right before and after. `./bench --help` says what can be chosen.
#![allow(clippy::unwrap_used, reason = "a bench: what fails ends it")]

mod broker;
mod child;
mod figures;
mod load;
mod matrix;
mod ours;
mod peers;
mod raw;
mod report;
mod sample;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((first, rest)) if first == child::BE => child::be(rest),
        _ => matrix::main(&words),
    }
}
