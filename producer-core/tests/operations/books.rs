//! What was promised to whom, what left, and what peers have said: whether each end is true.

use std::collections::{BTreeMap, BTreeSet};

use producer_core::{Instant, Outcome, Receipt, SendError};

/// What a ticket was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Send,
    OneWay,
    Batch(usize),
    Half,
    Request,
    Ask,
    Query,
}

/// A ticket that is with the producer, or was.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) deadline: Instant,
    /// Topic and key of its strict lane.
    pub(crate) strict: Option<(u8, u8)>,
    pub(crate) ended: bool,
    /// Frames with it that left.
    left: u32,
    /// Of those, how many were answered as not stored; how many of these do not count as attempts
    /// at a broker that serves.
    refused: u32,
    away: u32,
    /// How many were answered as stored.
    stored: u32,
}

/// How a peer has answered a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Stored,
    Refused,
    GoneAway,
}

impl Word {
    pub(crate) fn of_code(code: i32) -> Self {
        match code {
            0 | 10 | 11 | 12 => Self::Stored,
            1500 => Self::GoneAway,
            _ => Self::Refused,
        }
    }
}

/// All tickets.
#[derive(Default)]
pub(crate) struct Books {
    entries: BTreeMap<u64, Entry>,
    open: BTreeSet<(Instant, u64)>,
    /// Open tickets of each strict lane.
    lanes: BTreeMap<(u8, u8), BTreeSet<u64>>,
    attempts_max: u32,
    attempts_all_max: u32,
    /// A peer may have acknowledged what it never got.
    lied_to: bool,
}

impl Books {
    /// Books of a producer with these limits.
    pub(crate) fn new(attempts_max: u32, attempts_all_max: u32) -> Self {
        Self { attempts_max, attempts_all_max, ..Self::default() }
    }

    /// A new ticket.
    pub(crate) fn open(&mut self, kind: Kind, deadline: Instant, strict: Option<(u8, u8)>) -> u64 {
        let ticket = self.entries.len() as u64;
        let entry =
            Entry { kind, deadline, strict, ended: false, left: 0, refused: 0, away: 0, stored: 0 };
        self.entries.insert(ticket, entry);
        self.open.insert((deadline, ticket));
        // A request's turn is over before its reply has come.
        if let Some(lane) = strict.filter(|_| kind != Kind::Request) {
            self.lanes.entry(lane).or_default().insert(ticket);
        }
        ticket
    }

    /// A ticket comes back.
    pub(crate) fn close(&mut self, ticket: u64) -> Entry {
        let entry = self.entries.get_mut(&ticket).expect("a ticket that was given");
        assert!(!entry.ended, "ticket {ticket} comes back twice");
        entry.ended = true;
        self.open.remove(&(entry.deadline, ticket));
        if let Some(lane) = entry.strict {
            self.lanes.entry(lane).or_default().remove(&ticket);
        }
        entry.clone()
    }

    /// Frames of these tickets left together.
    pub(crate) fn left(&mut self, tickets: &BTreeSet<u64>, one_way: bool) {
        for ticket in tickets {
            let entry = self.entries.get_mut(ticket).expect("a ticket that was given");
            assert_eq!(entry.kind == Kind::OneWay, one_way, "{ticket}: {entry:?}");
            entry.left += 1;
            assert!(entry.left <= self.attempts_all_max, "{ticket}: {entry:?}");
            assert!(entry.left - entry.away <= self.attempts_max, "{ticket}: {entry:?}");
            let Some(lane) = entry.strict.filter(|_| !entry.ended) else { continue };
            let open = self.lanes.get(&lane).into_iter().flatten();
            let before = open.copied().find(|open| open < ticket && !tickets.contains(open));
            assert_eq!(before, None, "{ticket} overtakes another of its strict lane");
        }
    }

    /// A peer has answered what it was not asked.
    pub(crate) fn trust_nobody(&mut self) {
        self.lied_to = true;
    }

    /// A peer has said what became of a frame with these tickets.
    pub(crate) fn answered(&mut self, tickets: &BTreeSet<u64>, word: Word) {
        for ticket in tickets {
            let entry = self.entries.get_mut(ticket).expect("a ticket that was given");
            match word {
                Word::Stored => entry.stored += 1,
                Word::Refused => entry.refused += 1,
                Word::GoneAway => {
                    entry.refused += 1;
                    entry.away += 1;
                }
            }
        }
    }

    /// It ended as this kind does.
    pub(crate) fn ended_well(&mut self, ticket: u64, kind: Kind, receipts: &[Receipt]) {
        let entry = self.close(ticket);
        let same = std::mem::discriminant(&entry.kind) == std::mem::discriminant(&kind);
        assert!(same, "{ticket} ended as {kind:?}: {entry:?}");
        let told = entry.stored >= 1 || self.lied_to;
        assert!(told, "{ticket} acknowledged, but nobody said so: {entry:?}");
        if let Kind::Batch(members) = entry.kind {
            assert_eq!(receipts.len(), members, "{ticket}: a receipt a member");
        }
        let offsets = receipts.iter().map(|receipt| receipt.queue_offset);
        assert!(offsets.is_sorted_by(|a, b| a < b), "{ticket}: two at one place");
        for receipt in receipts {
            assert!(receipt.attempts >= entry.left, "{ticket}: {receipt:?}, {entry:?}");
            assert!(receipt.attempts <= self.attempts_all_max, "{ticket}: {receipt:?}");
            let once = entry.left - entry.refused <= 1;
            assert!(once || receipt.maybe_duplicate, "{ticket}: {receipt:?}, {entry:?}");
        }
    }

    pub(crate) fn ended_badly(&mut self, ticket: u64, error: &SendError) {
        let entry = self.close(ticket);
        if error.outcome() != Outcome::Unknown {
            assert_eq!(entry.left, entry.refused, "{ticket}: {error}, {entry:?}");
        }
    }

    pub(crate) fn written(&mut self, ticket: u64) {
        let entry = self.close(ticket);
        assert_eq!((entry.kind, entry.left), (Kind::OneWay, 1), "{ticket} was not written");
    }

    /// The deadline that comes first, and its ticket.
    pub(crate) fn next_deadline(&self) -> Option<(Instant, u64)> {
        self.open.first().copied()
    }

    /// Tickets that have not come back.
    pub(crate) fn open_tickets(&self) -> Vec<u64> {
        self.open.iter().map(|&(_, ticket)| ticket).collect()
    }
}
