//! What became of the order of a run's keys? The brokers' logs decide.

use std::collections::BTreeMap;
use std::time::Duration;

use producer_core::Outcome;
use sim::history::{End, SendRecord, Stored};
use sim::pair::{self, Lines};
use sim::plan::Plan;

/// What a run comes to. Pairs are of neighbours among the stored messages of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) sent: usize,
    /// Messages that are in a log.
    pub(crate) stored: usize,
    /// Sends that ended surely not stored.
    pub(crate) failed: usize,
    /// Sends that ended so that nobody knows.
    pub(crate) unknown: usize,
    /// Messages that were acknowledged and are in no log.
    pub(crate) lost: usize,
    /// Copies beyond the first.
    pub(crate) duplicates: usize,
    /// Neighbours in different queues: a consumer may see either first.
    pub(crate) moved: usize,
    /// Neighbours in one queue, the later one in front.
    pub(crate) overtaken: usize,
    /// Of the moved and overtaken, those whose receipts have one epoch.
    pub(crate) unannounced: usize,
    /// Keys with messages in more than one queue.
    pub(crate) keys_moved: usize,
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
}

impl Figures {
    /// Whether each key is in one queue, in the order it was sent.
    pub(crate) fn in_order(&self) -> bool {
        self.moved + self.overtaken == 0
    }
}

/// Runs a plan, which must violate no invariant, and looks at the logs. If workload 1 is the
/// application's second try of a message of workload 0, `repeats` is that message's number.
pub(crate) fn measure(plan: &Plan, repeats: Option<usize>) -> Figures {
    let run = pair::run(plan, Lines::Forget);
    assert_eq!(run.violations, [], "{}", plan.to_json());
    let history = &run.history;
    let counts = |send: &&SendRecord| !send.probe && send.mode == plan.workloads[0].mode;
    let mut sends: Vec<&SendRecord> = history.sends.iter().filter(counts).collect();
    if let Some(at) = repeats {
        let second = sends.iter().position(|send| send.body.starts_with("w1")).expect("it is sent");
        let second = sends.remove(second);
        sends.insert(at + 1, second);
    }
    let mut copies: BTreeMap<&[u8], Vec<&Stored>> = BTreeMap::new();
    for stored in &history.stored {
        copies.entry(&stored.message.body).or_default().push(stored);
    }
    let mut lanes: BTreeMap<u32, Vec<(&SendRecord, &Stored)>> = BTreeMap::new();
    for send in &sends {
        if let Some(first) = copies.get(send.body.as_bytes()).and_then(|copies| first(copies)) {
            lanes.entry(key(plan, send)).or_default().push((send, first));
        }
    }
    let stored = lanes.values().map(Vec::len).sum();
    let copies_of = |send: &&SendRecord| copies.get(send.body.as_bytes()).map_or(0, Vec::len);
    let lost = |send: &&&SendRecord| send.receipt().is_some() && copies_of(send) == 0;
    let pairs: Vec<Pair> = lanes
        .values()
        .flat_map(|lane| lane.windows(2).map(|two| Pair::new(two[0], two[1])))
        .collect();
    let count = |which: &dyn Fn(&&Pair) -> bool| pairs.iter().filter(which).count();
    let mut took: Vec<Duration> = sends.iter().filter_map(|send| took(send)).collect();
    took.sort();
    Figures {
        sent: sends.len(),
        stored,
        failed: sends.iter().filter(|send| failed(send, false)).count(),
        unknown: sends.iter().filter(|send| failed(send, true)).count(),
        lost: sends.iter().filter(lost).count(),
        duplicates: sends.iter().map(copies_of).sum::<usize>() - stored,
        moved: count(&|pair| pair.moved),
        overtaken: count(&|pair| pair.overtaken),
        unannounced: count(&|pair| (pair.moved || pair.overtaken) && pair.same_epoch),
        keys_moved: lanes
            .values()
            .filter(|lane| lane.iter().any(|at| place(at.1) != place(lane[0].1)))
            .count(),
        median: took.get(took.len() / 2).copied().unwrap_or_default(),
        longest: took.last().copied().unwrap_or_default(),
    }
}

/// Two stored messages of a key, one sent after the other.
struct Pair {
    moved: bool,
    overtaken: bool,
    same_epoch: bool,
}

impl Pair {
    fn new(before: (&SendRecord, &Stored), after: (&SendRecord, &Stored)) -> Self {
        let moved = place(before.1) != place(after.1);
        let overtaken = !moved && before.1.message.queue_offset > after.1.message.queue_offset;
        let epoch = |send: &SendRecord| send.receipt().map(|receipt| receipt.epoch);
        let epochs = epoch(before.0).zip(epoch(after.0));
        let same_epoch = epochs.is_some_and(|(before, after)| before == after);
        Self { moved, overtaken, same_epoch }
    }
}

/// The copy that a consumer meets first: of two in one queue the one in front.
fn first<'a>(copies: &[&'a Stored]) -> Option<&'a Stored> {
    let when = |copy: &&&Stored| (copy.message.store_timestamp, copy.message.queue_offset);
    copies.iter().min_by_key(when).copied()
}

fn place(stored: &Stored) -> (&str, i32) {
    (&stored.broker, stored.message.queue_id)
}

/// The key of a send, also where the producer is not told of it.
fn key(plan: &Plan, send: &SendRecord) -> u32 {
    let mut parts = send.body.trim_start_matches('w').split('-');
    let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
    let (workload, n) = number().zip(number()).expect("bodies begin with w, workload and number");
    n as u32 % plan.workloads[workload].keys.max(1)
}

fn failed(send: &SendRecord, unknown: bool) -> bool {
    send.error().is_some_and(|error| (error.outcome() == Outcome::Unknown) == unknown)
}

fn took(send: &SendRecord) -> Option<Duration> {
    let ended = |(at, end): &(_, End)| match end {
        End::Stored(_) | End::Failed(_) => Some(producer_core::Instant::since(*at, send.at)),
        End::Written | End::Cancelled => None,
    };
    send.ends.iter().find_map(ended)
}
