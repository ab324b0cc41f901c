//! What was the application told, and what do the brokers' logs hold? Counted, believed against
//! stored.

use std::collections::BTreeMap;

use producer_core::Outcome;
use serde::Serialize;

use crate::history::{End, History, SendRecord, Stored};
use crate::plan::{Mode, Plan};

/// The books of a run. Sends are counted once each, those after healing among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Sends that the application asked for.
    pub asked: usize,
    /// Those of them that the simulator sent after healing, to see whether sends succeed.
    pub probes: usize,
    /// Acknowledged.
    pub acked: usize,
    /// Written, for sends that nobody answers.
    pub written: usize,
    /// Failed: surely no broker has it.
    pub not_sent: usize,
    /// Failed: a broker said no.
    pub rejected: usize,
    /// Failed: nobody can tell whether it is stored.
    pub unknown: usize,
    /// Given up by the application.
    pub cancelled: usize,
    /// Without an end: the ledger does not balance.
    pub open: usize,
    /// Sends of which a log holds a copy.
    pub stored: usize,
    /// Acknowledged and in no log, though nothing happened that may take it.
    pub lost: usize,
    /// Acknowledged, stored, and taken by a fault that may take it, such as a promotion without the
    /// tail.
    pub taken: usize,
    /// Copies beyond the first.
    pub duplicates: usize,
    /// Those of acknowledged sends whose receipt does not say that there may be one.
    pub duplicates_unannounced: usize,
    /// Ended unknown, and a log holds it.
    pub unknown_stored: usize,
    /// Failed for sure, and a log holds it all the same.
    pub phantoms: usize,
    /// What became of the order of keys, by how queues were chosen.
    pub order: Vec<OrderKept>,
}

/// What became of the order of keys. Neighbours are two messages of a key, one sent after the other,
/// that are stored both; first copies count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderKept {
    /// How queues were chosen. Modes without keys have the keys that the plan gives them in turn.
    pub mode: Mode,
    /// Neighbours.
    pub neighbours: usize,
    /// Of these, in different queues: a consumer may see either first.
    pub moved: usize,
    /// In one queue, the later one in front.
    pub overtaken: usize,
    /// Moved or overtaken, and the epochs of their receipts are equal.
    pub unannounced: usize,
}

impl Ledger {
    /// The books of a run.
    pub fn of(history: &History) -> Self {
        let copies = Copies::of(history);
        let mut ledger = Self::default();
        for send in &history.sends {
            ledger.enter(send, copies.stored(send), copies.cuts(send));
        }
        ledger.order = order(history, &copies);
        ledger
    }

    /// Whether every send has ended, nothing that was acknowledged is lost, and nothing is stored
    /// that surely is not.
    pub const fn balances(&self) -> bool {
        let ended = self.acked + self.written + self.not_sent + self.rejected + self.unknown;
        ended + self.cancelled == self.asked
            && self.open == 0
            && self.lost == 0
            && self.phantoms == 0
            && self.duplicates_unannounced == 0
    }

    fn enter(&mut self, send: &SendRecord, copies: usize, cuts: usize) {
        self.asked += 1;
        self.probes += usize::from(send.probe);
        self.stored += usize::from(copies > 0);
        self.duplicates += copies.saturating_sub(1);
        let stored = copies + cuts > 0;
        match send.ends.first().map(|(_, end)| end) {
            None => self.open += 1,
            Some(End::Stored(receipt)) => {
                self.acked += 1;
                self.lost += usize::from(!stored);
                self.taken += usize::from(stored && copies == 0);
                if !receipt.maybe_duplicate {
                    self.duplicates_unannounced += copies.saturating_sub(1);
                }
            }
            Some(End::Written) => self.written += 1,
            Some(End::Cancelled) => self.cancelled += 1,
            Some(End::Failed(error)) => {
                let (count, surely) = match error.outcome() {
                    Outcome::NotSent => (&mut self.not_sent, true),
                    Outcome::Rejected => (&mut self.rejected, true),
                    Outcome::Unknown => (&mut self.unknown, false),
                };
                *count += 1;
                self.phantoms += usize::from(surely && stored);
                self.unknown_stored += usize::from(!surely && copies > 0);
            }
        }
    }
}

/// What the logs hold, by message id.
struct Copies<'h> {
    stored: BTreeMap<&'h str, Vec<&'h Stored>>,
    cuts: BTreeMap<&'h str, usize>,
}

impl<'h> Copies<'h> {
    fn of(history: &'h History) -> Self {
        let mut stored: BTreeMap<&str, Vec<&Stored>> = BTreeMap::new();
        for copy in &history.stored {
            stored.entry(copy.message.uniq_key().unwrap_or("")).or_default().push(copy);
        }
        let mut cuts: BTreeMap<&str, usize> = BTreeMap::new();
        for cut in &history.cuts {
            *cuts.entry(cut.message.uniq_key().unwrap_or("")).or_default() += 1;
        }
        Self { stored, cuts }
    }

    fn all(&self, send: &SendRecord) -> &[&'h Stored] {
        let found = send.message_id.as_deref().and_then(|id| self.stored.get(id));
        found.map_or(&[], |copies| copies)
    }

    fn stored(&self, send: &SendRecord) -> usize {
        self.all(send).len()
    }

    fn cuts(&self, send: &SendRecord) -> usize {
        send.message_id.as_deref().and_then(|id| self.cuts.get(id)).copied().unwrap_or(0)
    }

    /// The copy that a consumer meets first: of two in one queue the one in front.
    fn first(&self, send: &SendRecord) -> Option<&'h Stored> {
        let when = |copy: &&&Stored| (copy.message.store_timestamp, copy.message.queue_offset);
        self.all(send).iter().min_by_key(when).copied()
    }
}

/// The last stored message of a key: where it is, and the epoch of its receipt.
type Last<'h> = (&'h Stored, Option<u64>);

fn order(history: &History, copies: &Copies<'_>) -> Vec<OrderKept> {
    let mut lanes: BTreeMap<(Mode, &str, u32), Last<'_>> = BTreeMap::new();
    let mut modes: BTreeMap<Mode, OrderKept> = BTreeMap::new();
    for send in history.sends.iter().filter(|send| !send.probe) {
        let Some(key) = key(&history.plan, send) else { continue };
        let Some(copy) = copies.first(send) else { continue };
        let epoch = send.receipt().map(|receipt| receipt.epoch);
        let lane = (send.mode, &*send.topic, key);
        let Some((before, before_epoch)) = lanes.insert(lane, (copy, epoch)) else { continue };
        let none =
            || OrderKept { mode: send.mode, neighbours: 0, moved: 0, overtaken: 0, unannounced: 0 };
        let kept = modes.entry(send.mode).or_insert_with(none);
        let moved = place(before) != place(copy);
        let overtaken = !moved && before.message.queue_offset > copy.message.queue_offset;
        kept.neighbours += 1;
        kept.moved += usize::from(moved);
        kept.overtaken += usize::from(overtaken);
        let same = epoch.is_some() && epoch == before_epoch;
        kept.unannounced += usize::from((moved || overtaken) && same);
    }
    modes.into_values().collect()
}

fn place(stored: &Stored) -> (&str, i32) {
    (&stored.broker, stored.message.queue_id)
}

/// The key of a send, also where the producer is not told of it.
fn key(plan: &Plan, send: &SendRecord) -> Option<u32> {
    let mut parts = send.body.strip_prefix('w')?.split('-');
    let workload = plan.workloads.get(parts.next()?.parse::<usize>().ok()?)?;
    Some(workload.turn(parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::{self, Lines};
    use crate::ready::{broken, calm, ordering};

    fn ledger(way: &ordering::Way) -> Ledger {
        Ledger::of(&pair::run(&way.plan, Lines::Forget).history)
    }

    #[test]
    fn every_plan_of_a_seed_balances() {
        for seed in 0..60 {
            let run = pair::run(&Plan::from_seed(seed), Lines::Forget);

            let ledger = Ledger::of(&run.history);

            assert!(ledger.balances(), "seed {seed}: {ledger:?}");
            assert_eq!(ledger.asked, run.history.sends.len());
        }
    }

    #[test]
    fn what_is_lost_or_made_up_is_seen() {
        let mut history = pair::run(&calm::rotation().ways[1].plan, Lines::Forget).history;
        history.stored.remove(0);
        let mut again = history.stored[5].clone();
        again.message.queue_offset += 100;
        history.stored.push(again);

        let ledger = Ledger::of(&history);

        assert_eq!((ledger.lost, ledger.duplicates, ledger.duplicates_unannounced), (1, 1, 1));
        assert!(!ledger.balances());
    }

    /// The same figures as in `sim/ORDERING.md`.
    #[test]
    fn order_is_counted_as_the_document_does() {
        let rotation = ledger(&calm::rotation().ways[0]);
        let retry = ledger(&broken::retry().ways[0]);
        let strict = ledger(&broken::retry().ways[3]);

        assert_eq!((rotation.order[0].moved, rotation.order[0].overtaken), (39, 0));
        assert_eq!((retry.order[0].moved, retry.order[0].overtaken), (0, 1));
        assert_eq!((strict.order[0].moved, strict.order[0].overtaken), (0, 0));
    }
}
