//! What is counted, and what it comes to.

use std::ops::Range;

use super::Size;
use super::world::{Kind, Nanos, SECOND};

/// Name servers are counted in pieces of so long.
const PIECE: Nanos = SECOND / 10;
const PIECES: usize = 10;

/// Counts by the time.
#[derive(Debug)]
pub(super) struct Tally {
    name_servers: usize,
    brokers: usize,
    /// Route requests at all name servers, by tenth of a second.
    asked: Vec<u32>,
    /// All others by second. Bytes of routes.
    bytes: Vec<u64>,
    /// Longest time until an answer left.
    waited: Vec<Nanos>,
    server_dials: Vec<u32>,
    server_connections: Vec<u32>,
    /// By broker within a second.
    broker_dials: Vec<u32>,
    broker_connections: Vec<u32>,
    beats: Vec<u32>,
    stored: Vec<u32>,
    failed: Vec<u32>,
}

/// Grown as time goes on.
fn at<T: Copy + Default>(counts: &mut Vec<T>, index: usize) -> &mut T {
    if counts.len() <= index {
        counts.resize(index + 1, T::default());
    }
    &mut counts[index]
}

impl Tally {
    pub(super) fn new(size: Size) -> Self {
        Self {
            name_servers: size.name_servers,
            brokers: size.brokers,
            asked: Vec::new(),
            bytes: Vec::new(),
            waited: Vec::new(),
            server_dials: Vec::new(),
            server_connections: Vec::new(),
            broker_dials: Vec::new(),
            broker_connections: Vec::new(),
            beats: Vec::new(),
            stored: Vec::new(),
            failed: Vec::new(),
        }
    }

    fn of_broker(&self, now: Nanos, node: usize) -> usize {
        second(now) * self.brokers + node - self.name_servers
    }

    pub(super) fn asked(&mut self, now: Nanos, bytes: usize, waited: Nanos) {
        *at(&mut self.asked, (now / PIECE) as usize) += 1;
        *at(&mut self.bytes, second(now)) += bytes as u64;
        let longest = at(&mut self.waited, second(now));
        *longest = waited.max(*longest);
    }

    pub(super) fn dialled(&mut self, now: Nanos, node: usize) {
        if node < self.name_servers {
            *at(&mut self.server_dials, second(now)) += 1;
        } else {
            let index = self.of_broker(now, node);
            *at(&mut self.broker_dials, index) += 1;
        }
    }

    pub(super) fn connected(&mut self, now: Nanos, node: usize, connections: u32) {
        let most = match node < self.name_servers {
            true => at(&mut self.server_connections, second(now)),
            false => at(&mut self.broker_connections, second(now)),
        };
        *most = connections.max(*most);
    }

    pub(super) fn heard(&mut self, now: Nanos, node: usize, kind: Kind) {
        if kind == Kind::Heartbeat {
            let index = self.of_broker(now, node);
            *at(&mut self.beats, index) += 1;
        }
    }

    pub(super) fn sent(&mut self, now: Nanos, stored: bool) {
        let counts = if stored { &mut self.stored } else { &mut self.failed };
        *at(counts, second(now)) += 1;
    }
}

const fn second(now: Nanos) -> usize {
    (now / SECOND) as usize
}

/// What happened in a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// Route requests at all name servers.
    pub routes: u64,
    /// The same, most in a tenth of a second.
    pub routes_at_once: u32,
    /// Bytes of routes that all name servers sent.
    pub bytes: u64,
    /// The same, most in a second.
    pub bytes_at_once: u64,
    /// Longest time that an answer of a name server took there, in microseconds.
    pub waited_us: u64,
    /// Connections that were begun to name servers.
    pub server_dials: u64,
    /// Most connections of a name server.
    pub server_connections: u32,
    /// Connections that were begun to brokers, those that were refused among them.
    pub broker_dials: u64,
    /// The same, most in a second at one broker.
    pub broker_dials_at_once: u32,
    /// Most connections of a broker.
    pub broker_connections: u32,
    /// Heartbeats.
    pub beats: u64,
    /// The same, most in a second at one broker.
    pub beats_at_once: u32,
    /// Sends that ended stored.
    pub stored: u64,
    /// Sends that failed.
    pub failed: u64,
}

/// What happened in all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// In their order.
    pub phases: Vec<Phase>,
}

impl Figures {
    pub(super) fn new(tally: &Tally, phases: &[(&'static str, Range<u64>)]) -> Self {
        Self { phases: phases.iter().map(|(name, span)| phase(tally, name, span)).collect() }
    }
}

fn phase(tally: &Tally, name: &'static str, span: &Range<u64>) -> Phase {
    let within = |each: usize| span.start as usize * each..span.end as usize * each;
    let sum = |counts: &[u32], each| part(counts, within(each)).map(u64::from).sum::<u64>();
    let most = |counts: &[u32], each| part(counts, within(each)).max().unwrap_or(0);
    Phase {
        name,
        routes: sum(&tally.asked, PIECES),
        routes_at_once: most(&tally.asked, PIECES),
        bytes: part(&tally.bytes, within(1)).sum(),
        bytes_at_once: part(&tally.bytes, within(1)).max().unwrap_or(0),
        waited_us: part(&tally.waited, within(1)).max().unwrap_or(0) / 1_000,
        server_dials: sum(&tally.server_dials, 1),
        server_connections: most(&tally.server_connections, 1),
        broker_dials: sum(&tally.broker_dials, tally.brokers),
        broker_dials_at_once: most(&tally.broker_dials, tally.brokers),
        broker_connections: most(&tally.broker_connections, 1),
        beats: sum(&tally.beats, tally.brokers),
        beats_at_once: most(&tally.beats, tally.brokers),
        stored: sum(&tally.stored, 1),
        failed: sum(&tally.failed, 1),
    }
}

fn part<T: Copy>(counts: &[T], span: Range<usize>) -> impl Iterator<Item = T> {
    counts.iter().take(span.end).skip(span.start).copied()
}
