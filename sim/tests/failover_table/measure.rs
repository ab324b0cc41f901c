//! How well does a workload get through a fault?

use std::collections::BTreeMap;
use std::time::Duration;

use producer_core::{Instant, Outcome};
use sim::history::{End, History, SendRecord};
use sim::pair::{self, Lines};
use sim::plan::Plan;

/// What the runs of a cell come to, all seeds taken together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) sent: usize,
    pub(crate) stored: usize,
    pub(crate) not_sent: usize,
    pub(crate) rejected: usize,
    pub(crate) unknown: usize,
    /// Copies beyond the first of messages that were acknowledged.
    pub(crate) duplicates: usize,
    /// Those of which no receipt says `maybe_duplicate`.
    pub(crate) unannounced: usize,
    /// From the fault to the first receipt of a send that came after it, at worst.
    pub(crate) first_success: Duration,
    /// From the fault to the last send that failed, at worst.
    pub(crate) last_failure: Option<Duration>,
    /// From the end of the fault until each second's load is even, at worst.
    pub(crate) even_again: Duration,
    /// Sorted: from call to end, of all sends.
    pub(crate) took: Vec<Duration>,
    pub(crate) overrun: Duration,
    pub(crate) dials: usize,
    pub(crate) route_queries: u64,
}

impl Figures {
    /// Runs the plan with each seed.
    pub(crate) fn of(plan: &Plan, seeds: std::ops::RangeInclusive<u64>) -> Self {
        let mut all = Self::default();
        for seed in seeds {
            let plan = Plan { seed, ..plan.clone() };
            let run = pair::run(&plan, Lines::Forget);
            assert_eq!(run.violations, [], "{}", plan.to_json());
            all.add(&run.history);
        }
        all.took.sort();
        all
    }

    fn add(&mut self, history: &History) {
        let (begins, ends) = when(&history.plan);
        let sends: Vec<&SendRecord> = history.sends.iter().filter(|send| !send.probe).collect();
        let workload_ends = sends.last().map_or(Instant::ZERO, |send| send.at);
        let mut copies: BTreeMap<&[u8], usize> = BTreeMap::new();
        for stored in &history.stored {
            *copies.entry(&stored.message.body).or_default() += 1;
        }
        let mut first: Option<Duration> = None;
        for send in &sends {
            self.sent += 1;
            let Some((at, end)) = send.ends.first() else { continue };
            let took = at.since(send.at);
            self.took.push(took);
            self.overrun = self.overrun.max(took.saturating_sub(send.timeout));
            let after = send.at >= begins;
            match end {
                End::Stored(receipt) => {
                    self.stored += 1;
                    let more = copies.get(send.body.as_bytes()).map_or(0, |copies| copies - 1);
                    self.duplicates += more;
                    self.unannounced += if receipt.maybe_duplicate { 0 } else { more };
                    let time = at.since(begins);
                    if after && first.is_none_or(|first| time < first) {
                        first = Some(time);
                    }
                }
                End::Failed(error) => {
                    match error.outcome() {
                        Outcome::NotSent => self.not_sent += 1,
                        Outcome::Rejected => self.rejected += 1,
                        Outcome::Unknown => self.unknown += 1,
                    }
                    let time = send.at.since(begins);
                    self.last_failure = self.last_failure.max(Some(time));
                }
                End::Written | End::Cancelled => {}
            }
        }
        self.first_success = self.first_success.max(first.unwrap_or(Duration::MAX));
        self.even_again = self.even_again.max(even_again(&sends, history, ends, workload_ends));
        self.dials += history.dials.iter().filter(|dial| dial.at <= workload_ends).count();
        self.route_queries += history.ends.iter().map(|end| end.stats.route_requests).sum::<u64>();
    }

    pub(crate) fn failed(&self) -> usize {
        self.not_sent + self.rejected + self.unknown
    }

    /// The time within which so many of a thousand sends ended.
    pub(crate) fn within(&self, of_thousand: usize) -> Duration {
        let at = (self.took.len() * of_thousand / 1_000).min(self.took.len().saturating_sub(1));
        self.took.get(at).copied().unwrap_or_default()
    }
}

/// When the first fault begins and when the last one ends.
fn when(plan: &Plan) -> (Instant, Instant) {
    let begins = plan.faults.iter().map(|fault| fault.at_ms).min().unwrap_or(0);
    let ends = plan.faults.iter().map(|fault| fault.at_ms + fault.for_ms).max().unwrap_or(0);
    (Instant::from_millis(begins), Instant::from_millis(ends))
}

/// How long after `ends` the first second is from which on, to the end, each broker gets its share
/// of what is sent in a second, give or take a tenth.
fn even_again(sends: &[&SendRecord], history: &History, ends: Instant, last: Instant) -> Duration {
    const SECOND: u64 = 1_000;
    let brokers = usize::from(history.plan.cluster.brokers);
    let mut seconds: BTreeMap<u64, BTreeMap<&str, usize>> = BTreeMap::new();
    for send in sends {
        if let Some(receipt) = send.receipt() {
            let second = send.at.as_millis() / SECOND;
            *seconds.entry(second).or_default().entry(&receipt.broker).or_default() += 1;
        }
    }
    let is_even = |second: u64| {
        let Some(counts) = seconds.get(&second) else { return false };
        let all: usize = counts.values().sum();
        let share = all / brokers;
        counts.len() == brokers
            && counts.values().all(|count| count.abs_diff(share) <= share / 10 + 1)
    };
    let (from, to) = (ends.as_millis().div_ceil(SECOND), last.as_millis() / SECOND);
    let uneven = (from..to).rev().find(|second| !is_even(*second));
    match uneven {
        Some(second) => Instant::from_millis((second + 1) * SECOND).since(ends),
        None => Duration::ZERO,
    }
}
