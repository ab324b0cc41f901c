//! What does a run come to?

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sim::check::{self, Invariant};
use sim::history::{End, History};
use sim::ledger::Ledger;
use sim::pair::{Run, Running};
use sim::plan::FaultPlan;

/// `Result` of `sim.d.ts`. Times are in microseconds of the run.
#[derive(Serialize)]
pub(crate) struct Result {
    hash: String,
    seed: String,
    simulated_us: u64,
    healed_us: u64,
    balances: bool,
    ledger: Ledger,
    requests: usize,
    dials: usize,
    route_requests: u64,
    violations: Vec<Violation>,
    invariants: Vec<Held>,
    bucket_us: u64,
    rate: Rate,
    brokers: Vec<Latency>,
    all: Percentiles,
    faults: Vec<Fault>,
    skipped: Vec<usize>,
}

/// Something that had no right to happen.
#[derive(Serialize)]
pub(crate) struct Violation {
    id: &'static str,
    name: String,
    what: String,
}

impl Violation {
    pub(crate) fn of(violation: &check::Violation) -> Self {
        let invariant = violation.invariant;
        let name = format!("{invariant:?}");
        Self { id: invariant.id(), name, what: violation.what.clone() }
    }
}

/// What was checked, and whether it held.
#[derive(Serialize)]
struct Held {
    id: &'static str,
    name: String,
    sentence: &'static str,
    held: bool,
}

/// Sends by bucket in which they were asked, acknowledged, or failed; buckets without any are left
/// out.
#[derive(Default, Serialize)]
struct Rate {
    at: Vec<u64>,
    asked: Vec<u32>,
    acked: Vec<u32>,
    failed: Vec<u32>,
}

/// Of the acknowledged sends of a broker, by bucket in which the application was told.
#[derive(Default, Serialize)]
struct Latency {
    name: String,
    at: Vec<u64>,
    count: Vec<u32>,
    p50_us: Vec<u64>,
    p99_us: Vec<u64>,
}

/// From call to end of all sends but those given up, whatever the end.
#[derive(Default, Serialize)]
struct Percentiles {
    p50_us: u64,
    p99_us: u64,
    longest_us: u64,
}

/// A fault of the plan.
#[derive(Serialize)]
pub(crate) struct Fault {
    at_us: u64,
    until_us: u64,
    target: String,
    kind: String,
    what: Value,
}

impl Fault {
    pub(crate) fn of(plan: &FaultPlan) -> Self {
        let what = serde_json::to_value(plan.kind).unwrap_or_default();
        Self {
            at_us: plan.at_ms.saturating_mul(1_000),
            until_us: plan.at_ms.saturating_add(plan.for_ms).saturating_mul(1_000),
            target: plan.target.clone(),
            kind: what["kind"].as_str().unwrap_or_default().to_owned(),
            what,
        }
    }
}

/// `Progress` of `sim.d.ts`.
#[derive(Serialize)]
pub(crate) struct Progress {
    simulated_us: u64,
    asked: usize,
    ended: usize,
    over: bool,
}

impl Progress {
    pub(crate) fn of(running: &Running, over: bool) -> Self {
        let sends = &running.history().sends;
        let ended = sends.iter().filter(|send| !send.ends.is_empty()).count();
        let simulated_us = micros(running.simulated());
        Self { simulated_us, asked: sends.len(), ended, over }
    }
}

pub(crate) fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

pub(crate) fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

impl Result {
    pub(crate) fn of(run: &Run) -> Self {
        let history = &run.history;
        let ledger = Ledger::of(history);
        let bucket_us = bucket(micros(run.simulated));
        Self {
            hash: hex(run.hash),
            seed: history.plan.seed.to_string(),
            simulated_us: micros(run.simulated),
            healed_us: history.healed_at.as_nanos() / 1_000,
            balances: ledger.balances(),
            ledger,
            requests: history.requests.len(),
            dials: history.dials.len(),
            route_requests: history.ends.iter().map(|end| end.stats.route_requests).sum(),
            violations: run.violations.iter().map(Violation::of).collect(),
            invariants: Invariant::ALL.iter().map(|one| held(*one, run)).collect(),
            bucket_us,
            rate: rate(history, bucket_us),
            brokers: latencies(history, bucket_us),
            all: percentiles(history),
            faults: history.plan.faults.iter().map(Fault::of).collect(),
            skipped: run.skipped.clone(),
        }
    }
}

fn held(invariant: Invariant, run: &Run) -> Held {
    Held {
        id: invariant.id(),
        name: format!("{invariant:?}"),
        sentence: invariant.sentence(),
        held: run.violations.iter().all(|violation| violation.invariant != invariant),
    }
}

/// The shortest bucket of which no run has too many to draw.
fn bucket(run_us: u64) -> u64 {
    const MOST: u64 = 1_500;
    let widths = [100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000];
    widths.into_iter().find(|width| run_us / width <= MOST).unwrap_or(60_000_000)
}

fn rate(history: &History, bucket_us: u64) -> Rate {
    let mut buckets: BTreeMap<u64, [u32; 3]> = BTreeMap::new();
    for send in &history.sends {
        buckets.entry(send.at.as_nanos() / 1_000 / bucket_us).or_default()[0] += 1;
        let Some((at, end)) = send.ends.first() else { continue };
        let column = match end {
            End::Stored(_) | End::Written => 1,
            End::Failed(_) => 2,
            End::Cancelled => continue,
        };
        buckets.entry(at.as_nanos() / 1_000 / bucket_us).or_default()[column] += 1;
    }
    let mut rate = Rate::default();
    for (at, [asked, acked, failed]) in buckets {
        rate.at.push(at);
        rate.asked.push(asked);
        rate.acked.push(acked);
        rate.failed.push(failed);
    }
    rate
}

fn latencies(history: &History, bucket_us: u64) -> Vec<Latency> {
    let mut took: BTreeMap<&str, BTreeMap<u64, Vec<u64>>> = BTreeMap::new();
    for send in &history.sends {
        let Some((at, End::Stored(receipt))) = send.ends.first() else { continue };
        let bucket = at.as_nanos() / 1_000 / bucket_us;
        let of_broker = took.entry(&receipt.broker).or_default();
        of_broker.entry(bucket).or_default().push(micros(at.since(send.at)));
    }
    let latency = |(name, buckets): (&str, BTreeMap<u64, Vec<u64>>)| {
        let mut latency = Latency { name: name.to_owned(), ..Latency::default() };
        for (at, mut took) in buckets {
            took.sort_unstable();
            latency.at.push(at);
            latency.count.push(took.len() as u32);
            latency.p50_us.push(within(&took, 500));
            latency.p99_us.push(within(&took, 990));
        }
        latency
    };
    took.into_iter().map(latency).collect()
}

fn percentiles(history: &History) -> Percentiles {
    let mut took: Vec<u64> = Vec::new();
    for send in &history.sends {
        if let Some((at, End::Stored(_) | End::Failed(_))) = send.ends.first() {
            took.push(micros(at.since(send.at)));
        }
    }
    took.sort_unstable();
    let (p50_us, p99_us) = (within(&took, 500), within(&took, 990));
    Percentiles { p50_us, p99_us, longest_us: took.last().copied().unwrap_or_default() }
}

/// The time within which so many of a thousand ended; `took` is sorted.
fn within(took: &[u64], of_thousand: usize) -> u64 {
    let at = (took.len() * of_thousand / 1_000).min(took.len().saturating_sub(1));
    took.get(at).copied().unwrap_or_default()
}
