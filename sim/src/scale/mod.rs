//! What load do many producers put on name servers and brokers, and what when all start again?
//!
//! The real core, many of it, among servers that are no more than a queue and a route, in virtual
//! time; and the same with producers that keep Java's rules (spec §4.6, §4.8, §8.3), which the core
//! does not: it spreads its polls even as [`producer_core::Config::java`]. `sim/SCALE.md` shows
//! what comes of it.

mod java;
mod ours;
mod report;
mod tally;
mod world;

pub use report::{HEADER, section, worse_in};
pub use tally::{Figures, Phase};

use std::ops::Range;

use world::{Nanos, SECOND, World};

/// How many there are of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Producers.
    pub producers: usize,
    /// Brokers, all of which have queues of every topic.
    pub brokers: usize,
    /// Name servers.
    pub name_servers: usize,
    /// Topics that each producer sends to.
    pub topics: usize,
}

impl Size {
    /// A large company's cluster.
    pub const WHOLE: Self = Self { producers: 1_000, brokers: 50, name_servers: 3, topics: 4 };
    /// A tenth of its producers and a fifth of its brokers: for every run of the tests.
    pub const SMALL: Self = Self { producers: 100, brokers: 10, name_servers: 3, topics: 4 };
}

/// Whose rules producers keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Java 5.4.0's.
    Java,
    /// The core's, by default.
    Ours,
}

/// What happens, and when, in seconds.
const PHASES: [(&str, Range<u64>); 7] = [
    ("producers start, over a minute", 0..60),
    ("nothing happens", 60..120),
    ("all name servers restart", 120..180),
    ("all brokers restart", 180..240),
    ("all producers restart", 240..300),
    ("the minute after", 300..360),
    ("everything restarts", 360..480),
];

/// Runs all of it.
pub fn run(size: Size, rules: Rules) -> Figures {
    match rules {
        Rules::Java => script(World::new(size, |number| java::Java::new(size, number))),
        Rules::Ours => script(World::new(size, |number| ours::Ours::new(size, number))),
    }
}

fn script<C: world::Client>(mut world: World<C>) -> Figures {
    let Size { producers, brokers, name_servers, .. } = world.size;
    let servers = 0..name_servers;
    let masters = name_servers..name_servers + brokers;
    let at = |seconds: u64| seconds * SECOND;
    for number in 0..producers {
        let spread = at(60) * number as Nanos / producers as Nanos;
        world.start(number, spread);
    }
    world.restart(servers.clone(), at(120), at(125));
    world.restart(masters.clone(), at(180), at(190));
    world.start_all(at(240));
    // As when the power comes back: name servers are there first, brokers last.
    world.restart(servers, at(360), at(365));
    world.restart(masters, at(360), at(375));
    world.start_all(at(370));
    world.run_until(at(480));
    Figures::new(&world.tally, &PHASES)
}
