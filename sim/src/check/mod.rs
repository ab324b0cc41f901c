//! Did what happened have a right to happen?
//!
//! Each check takes what the application was told, what was on the wire and what the brokers' logs
//! hold, and joins them by message id. The numbers are those of the project's list of invariants.

mod ack;
mod answers;
mod avoid;
mod balance;
mod budget;
mod dials;
mod duplicates;
mod ids;
mod levels;
mod links;
mod liveness;
mod loss;
mod name_servers;
mod once;
mod order;
mod phantom;
mod prompt;
mod recovery;
mod retries;
mod routing;
mod status;

#[cfg(test)]
mod doctored;

use std::fmt;

use std::time::Duration;

use producer_core::Instant;

use crate::history::{CutFromLog, History, Request, SendRecord, Stored};
use crate::model::broker::Message;
use crate::plan::{FaultKind, Mode};
use ids::{Grouped, Ids};

/// What must hold whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// I1: each send ends exactly once, and a closed producer has accounted for all.
    Once,
    /// I2: a send ends within its time.
    Budget,
    /// I3: a receipt names a place where the message is.
    AckTruth,
    /// I4: what was acknowledged is stored.
    NoLoss,
    /// I5: what is stored was sent, and what failed for sure is not stored.
    NoPhantom,
    /// I6: a message is stored twice only after an attempt of which nobody knew.
    Duplicates,
    /// I7: a status that is not OK reaches the caller.
    Status,
    /// I8: what keeps order keeps it.
    Order,
    /// I9: nothing is sent to where the routes do not point.
    Routing,
    /// I10: a broker that owes answers is avoided.
    Avoidance,
    /// I11: a broker that has recovered has its share again.
    Recovery,
    /// I12: load is even while all is well.
    Balance,
    /// I13: nothing is left over, and nothing grows past its limit.
    Levels,
    /// I14: what a lost connection leaves goes on at once.
    FailFast,
    /// I15: an address is dialled once at a time, and not in a hurry.
    Dials,
    /// I16: what is not a frame costs the connection.
    Framing,
    /// I17: once a core of the cluster is well, sends succeed.
    Liveness,
    /// I20: name servers alone cannot make a send fail whose route is known.
    NameServers,
    /// I21: what may pass is tried again while attempts and time are left.
    Retries,
}

impl Invariant {
    /// All of them, by number.
    pub const ALL: [Self; 19] = [
        Self::Once,
        Self::Budget,
        Self::AckTruth,
        Self::NoLoss,
        Self::NoPhantom,
        Self::Duplicates,
        Self::Status,
        Self::Order,
        Self::Routing,
        Self::Avoidance,
        Self::Recovery,
        Self::Balance,
        Self::Levels,
        Self::FailFast,
        Self::Dials,
        Self::Framing,
        Self::Liveness,
        Self::NameServers,
        Self::Retries,
    ];

    /// What must hold, as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Once => {
                "Each send ends exactly once, and a closed producer has accounted for all."
            }
            Self::Budget => "A send ends within its time.",
            Self::AckTruth => "A receipt names a place where the message is.",
            Self::NoLoss => "What was acknowledged is stored.",
            Self::NoPhantom => "What is stored was sent, and what failed for sure is not stored.",
            Self::Duplicates => {
                "A message is stored twice only after an attempt of which nobody knew."
            }
            Self::Status => "A status that is not OK reaches the caller.",
            Self::Order => "What keeps order keeps it.",
            Self::Routing => "Nothing is sent to where the routes do not point.",
            Self::Avoidance => "A broker that owes answers is avoided.",
            Self::Recovery => "A broker that has recovered has its share again.",
            Self::Balance => "Load is even while all is well.",
            Self::Levels => "Nothing is left over, and nothing grows past its limit.",
            Self::FailFast => "What a lost connection leaves goes on at once.",
            Self::Dials => "An address is dialled once at a time, and not in a hurry.",
            Self::Framing => "What is not a frame costs the connection.",
            Self::Liveness => "Once a core of the cluster is well, sends succeed.",
            Self::NameServers => "Name servers alone cannot make a send fail whose route is known.",
            Self::Retries => "What may pass is tried again while attempts and time are left.",
        }
    }

    /// Its number in the list of invariants.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Once => "I1",
            Self::Budget => "I2",
            Self::AckTruth => "I3",
            Self::NoLoss => "I4",
            Self::NoPhantom => "I5",
            Self::Duplicates => "I6",
            Self::Status => "I7",
            Self::Order => "I8",
            Self::Routing => "I9",
            Self::Avoidance => "I10",
            Self::Recovery => "I11",
            Self::Balance => "I12",
            Self::Levels => "I13",
            Self::FailFast => "I14",
            Self::Dials => "I15",
            Self::Framing => "I16",
            Self::Liveness => "I17",
            Self::NameServers => "I20",
            Self::Retries => "I21",
        }
    }
}

/// Something that had no right to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What it violates.
    pub invariant: Invariant,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.invariant.id(), self.invariant, self.what)
    }
}

/// All violations in a history: those seen as they happened, then those of each check.
pub fn all(history: &History) -> Vec<Violation> {
    let joined = Joined::new(history);
    let mut found = Found { violations: history.seen.clone(), invariant: Invariant::Once };
    let checks: [(Invariant, Check); 19] = [
        (Invariant::Once, once::check),
        (Invariant::Budget, budget::check),
        (Invariant::AckTruth, ack::check),
        (Invariant::NoLoss, loss::check),
        (Invariant::NoPhantom, phantom::check),
        (Invariant::Duplicates, duplicates::check),
        (Invariant::Status, status::check),
        (Invariant::Order, order::check),
        (Invariant::Routing, routing::check),
        (Invariant::Avoidance, avoid::check),
        (Invariant::Recovery, recovery::check),
        (Invariant::Balance, balance::check),
        (Invariant::Levels, levels::check),
        (Invariant::FailFast, prompt::check),
        (Invariant::Dials, dials::check),
        (Invariant::Framing, answers::check),
        (Invariant::Liveness, liveness::check),
        (Invariant::NameServers, name_servers::check),
        (Invariant::Retries, retries::check),
    ];
    for (invariant, check) in checks {
        found.invariant = invariant;
        check(&joined, &mut found);
    }
    found.violations
}

/// Looks for violations of one invariant.
type Check = fn(&Joined<'_>, &mut Found);

/// Where a check reports.
struct Found {
    violations: Vec<Violation>,
    invariant: Invariant,
}

impl Found {
    fn report(&mut self, what: String) {
        self.violations.push(Violation { invariant: self.invariant, what });
    }
}

/// So long after a producer stood still, it may still catch up.
const SLACK: Duration = Duration::from_secs(1);

/// A history, joined by message id.
struct Joined<'h> {
    history: &'h History,
    ids: Ids<'h>,
    /// Numbers of the ids of sends, requests, and what is in the logs, by position.
    sends: Vec<Option<u32>>,
    requests: Vec<u32>,
    stored: Vec<u32>,
    cuts: Vec<u32>,
    /// The last send of each id, by position.
    last_send: Vec<Option<u32>>,
    requests_of: Grouped<&'h Request>,
    copies_of: Grouped<&'h Stored>,
    cuts_of: Grouped<&'h CutFromLog>,
}

impl<'h> Joined<'h> {
    fn new(history: &'h History) -> Self {
        let mut ids = Ids::default();
        let known = history.sends.iter().map(|send| send.message_id.as_deref());
        let sends: Vec<Option<u32>> = known.map(|id| id.map(|id| ids.number(id))).collect();
        let requests: Vec<u32> =
            history.requests.iter().map(|request| ids.number(&request.message_id)).collect();
        let mut number = |message: &'h Message| ids.number(message.uniq_key().unwrap_or(""));
        let stored: Vec<u32> = history.stored.iter().map(|it| number(&it.message)).collect();
        let cuts: Vec<u32> = history.cuts.iter().map(|it| number(&it.message)).collect();
        let mut last_send = vec![None; ids.len()];
        for (at, number) in sends.iter().enumerate() {
            if let Some(number) = number {
                last_send[*number as usize] = Some(at as u32);
            }
        }
        Self {
            requests_of: Grouped::new(ids.len(), &requests, &history.requests),
            copies_of: Grouped::new(ids.len(), &stored, &history.stored),
            cuts_of: Grouped::new(ids.len(), &cuts, &history.cuts),
            history,
            ids,
            sends,
            requests,
            stored,
            cuts,
            last_send,
        }
    }

    /// Whether a producer was not scheduled at that time, or just before it.
    fn stood_still(&self, producer: u16, at: Instant) -> bool {
        let mut stalls = self.history.stalls.iter();
        stalls.any(|&(who, from, to)| who == producer && from <= at && at <= to + SLACK)
    }

    /// Whether requests may leave later than they were decided on: a peer reads slowly, or did.
    fn leaves_late(&self, at: Instant) -> bool {
        self.history.plan.faults.iter().any(|fault| {
            let from = Instant::from_millis(fault.at_ms);
            matches!(fault.kind, FaultKind::SlowReader { .. }) && from <= at
        })
    }

    fn requests(&self, send: &SendRecord) -> &[&'h Request] {
        self.number(send).map_or(&[], |number| self.requests_of.of(number))
    }

    fn copies(&self, send: &SendRecord) -> &[&'h Stored] {
        self.number(send).map_or(&[], |number| self.copies_of.of(number))
    }

    /// What was stored and is gone, by a fault that may take it.
    fn cuts(&self, send: &SendRecord) -> &[&'h CutFromLog] {
        self.number(send).map_or(&[], |number| self.cuts_of.of(number))
    }

    /// The requests in order, with the numbers of their ids.
    fn numbered_requests(&self) -> impl Iterator<Item = (&'h Request, u32)> {
        self.history.requests.iter().zip(self.requests.iter().copied())
    }

    /// The send of an id; of several the last one.
    fn send(&self, number: u32) -> Option<&'h SendRecord> {
        let at = self.last_send[number as usize]?;
        Some(&self.history.sends[at as usize])
    }

    /// The send of an id, if queues take turns in it; of several that do the last one.
    fn rotating_send(&self, number: u32) -> Option<&'h SendRecord> {
        self.send(number).filter(|send| send.mode == Mode::Rotate)
    }

    fn number(&self, send: &SendRecord) -> Option<u32> {
        let at = usize::try_from(send.ticket).unwrap_or(usize::MAX);
        if self.history.sends.get(at).is_some_and(|it| std::ptr::eq(it, send)) {
            return self.sends[at];
        }
        self.ids.get(send.message_id.as_deref()?)
    }
}
