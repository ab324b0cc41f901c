//! What was seen in one run of a scenario?

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use producer_core::{Instant, Outcome};
use sim::history::{Dial, End, History, Request, RouteSeen, SendRecord, Stored};
use sim::plan::HealthPlan;

use super::Way;

/// One run.
pub(crate) struct Seen {
    pub(crate) way: Way,
    pub(crate) health: HealthPlan,
    pub(crate) history: History,
    requests: BTreeMap<String, Vec<usize>>,
    copies: BTreeMap<String, Vec<usize>>,
}

/// Address at which a broker of the plan begins.
pub(crate) fn address(broker: u16) -> String {
    format!("10.0.1.{}:10911", broker + 1)
}

pub(crate) fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Seen {
    pub(crate) fn new(way: Way, health: HealthPlan, history: History) -> Self {
        let mut requests: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, request) in history.requests.iter().enumerate() {
            requests.entry(request.message_id.clone()).or_default().push(at);
        }
        let mut copies: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, stored) in history.stored.iter().enumerate() {
            let id = stored.message.uniq_key().unwrap_or("").to_owned();
            copies.entry(id).or_default().push(at);
        }
        Self { way, health, history, requests, copies }
    }

    /// Sends of the plan, without those that probe whether all is well again.
    pub(crate) fn sends(&self) -> impl Iterator<Item = &SendRecord> {
        self.history.sends.iter().filter(|send| !send.probe)
    }

    /// Those asked from a time on and before another.
    pub(crate) fn between(&self, from_ms: u64, to_ms: u64) -> impl Iterator<Item = &SendRecord> {
        self.sends().filter(move |send| (at(from_ms)..at(to_ms)).contains(&send.at))
    }

    /// What was on the wire of a send, in order.
    pub(crate) fn requests(&self, send: &SendRecord) -> Vec<&Request> {
        let ids = send.message_id.as_ref().and_then(|id| self.requests.get(id));
        ids.into_iter().flatten().map(|&at| &self.history.requests[at]).collect()
    }

    /// How many sends looked whether all is well again.
    pub(crate) fn probes(&self) -> usize {
        self.history.sends.iter().filter(|send| send.probe).count()
    }

    /// What the logs hold of a send.
    pub(crate) fn copies(&self, send: &SendRecord) -> Vec<&Stored> {
        let ids = send.message_id.as_ref().and_then(|id| self.copies.get(id));
        ids.into_iter().flatten().map(|&at| &self.history.stored[at]).collect()
    }

    /// Sends of which no log holds a copy.
    pub(crate) fn lost(&self) -> usize {
        self.sends().filter(|send| self.copies(send).is_empty()).count()
    }

    pub(crate) fn stored(&self) -> usize {
        self.sends().filter(|send| send.receipt().is_some()).count()
    }

    pub(crate) fn written(&self) -> usize {
        self.sends().filter(|send| send.ended(|end| matches!(end, End::Written))).count()
    }

    pub(crate) fn cancelled(&self) -> usize {
        self.sends().filter(|send| send.ended(|end| matches!(end, End::Cancelled))).count()
    }

    pub(crate) fn not_sent(&self) -> usize {
        self.failed_as(Outcome::NotSent)
    }

    pub(crate) fn rejected(&self) -> usize {
        self.failed_as(Outcome::Rejected)
    }

    pub(crate) fn unknown(&self) -> usize {
        self.failed_as(Outcome::Unknown)
    }

    /// All that ended with an error.
    pub(crate) fn failed(&self) -> usize {
        self.sends().filter(|send| send.error().is_some()).count()
    }

    fn failed_as(&self, outcome: Outcome) -> usize {
        self.sends().filter(|send| send.error().is_some_and(|e| e.outcome() == outcome)).count()
    }

    /// Copies beyond the first, over all sends.
    pub(crate) fn duplicates(&self) -> usize {
        self.sends().map(|send| self.copies(send).len().saturating_sub(1)).sum()
    }

    /// Attempts beyond the first.
    pub(crate) fn retries(&self) -> usize {
        self.sends().map(|send| self.requests(send).len().saturating_sub(1)).sum()
    }

    /// Longest time from the call to its end.
    pub(crate) fn longest(&self) -> Duration {
        self.sends().map(took).max().unwrap_or_default()
    }

    /// First attempts that went to an address from a time on and before another.
    pub(crate) fn first_attempts(&self, address: &str, from_ms: u64, to_ms: u64) -> Vec<Instant> {
        let span = at(from_ms)..at(to_ms);
        let firsts = self.sends().filter_map(|send| self.requests(send).first().copied());
        let there = firsts.filter(|request| request.address == address);
        there.map(|request| request.at).filter(|at| span.contains(at)).collect()
    }

    /// All attempts at an address from a time on and before another.
    pub(crate) fn attempts(&self, address: &str, from_ms: u64, to_ms: u64) -> usize {
        let span = at(from_ms)..at(to_ms);
        let there = |request: &&Request| request.address == address && span.contains(&request.at);
        self.history.requests.iter().filter(there).count()
    }

    /// How many sends asked in a span are stored at a broker, in percent of those stored at all.
    pub(crate) fn share(&self, broker: u16, from_ms: u64, to_ms: u64) -> usize {
        let name = format!("broker-{broker}");
        let copies: Vec<&Stored> =
            self.between(from_ms, to_ms).flat_map(|send| self.copies(send)).collect();
        let there = copies.iter().filter(|copy| copy.broker == name).count();
        there * 100 / copies.len().max(1)
    }

    /// Time from then until the first request to an address that was answered with success, or that
    /// nobody answers.
    pub(crate) fn back_after(&self, address: &str, from_ms: u64) -> Option<Duration> {
        let good = |request: &&Request| {
            let answered = request.answer.is_some_and(|(_, code)| code == 0);
            request.address == address
                && request.at >= at(from_ms)
                && (answered || self.way == Way::Unanswered)
        };
        self.history.requests.iter().find(good).map(|request| request.at.since(at(from_ms)))
    }

    /// Dials of an address from a time on and before another.
    pub(crate) fn dials(&self, address: &str, from_ms: u64, to_ms: u64) -> Vec<&Dial> {
        let span = at(from_ms)..at(to_ms);
        let dials = self.history.dials.iter();
        dials.filter(|dial| dial.address == address && span.contains(&dial.at)).collect()
    }

    /// The first route from a time on that names, or does not name, an address.
    pub(crate) fn route_that(
        &self,
        names: bool,
        address: &str,
        from_ms: u64,
    ) -> Option<&RouteSeen> {
        let mut routes = self.history.routes.iter().filter(|route| route.at >= at(from_ms));
        routes.find(|route| route.writable.iter().any(|(to, _)| to == address) == names)
    }

    /// Asserts that what failed had tried this broker and no other, or has a key that lives there.
    pub(crate) fn fails_only_at(&self, broker: u16) {
        let name = format!("broker-{broker}");
        for send in self.sends() {
            let Some(error) = send.error() else { continue };
            let tried = error.attempts().iter().filter_map(|attempt| attempt.broker.as_deref());
            let elsewhere: Vec<&str> = tried.filter(|tried| *tried != name).collect();
            let of_key = self.sends().filter(|other| send.key.is_some() && other.key == send.key);
            let mut homes = of_key.flat_map(|other| self.copies(other));
            let lives_there = matches!(self.way, Way::Hash | Way::Sync | Way::Async)
                || homes.any(|copy| copy.broker == name);
            assert!(elsewhere.is_empty() && lives_there, "{self}: {} {error}", send.ticket);
        }
    }

    /// Asserts that whatever was on the wire of a send is in a log, and nothing else.
    pub(crate) fn each_request_is_stored(&self) {
        for send in self.sends() {
            let (copies, requests) = (self.copies(send).len(), self.requests(send).len());
            assert_eq!(copies, requests, "{self}: send {}: a copy a request", send.ticket);
        }
    }

    /// Copies at a broker of sends that were asked from a time on and before another.
    pub(crate) fn copies_at(&self, broker: u16, from_ms: u64, to_ms: u64) -> usize {
        let name = format!("broker-{broker}");
        let copies = self.between(from_ms, to_ms).flat_map(|send| self.copies(send));
        copies.filter(|copy| copy.broker == name).count()
    }

    /// Asserts that each key is where its first message is, and nowhere else.
    pub(crate) fn keys_stay(&self) {
        let mut homes: BTreeMap<&str, (&str, i32)> = BTreeMap::new();
        for send in self.sends() {
            let Some(key) = &send.key else { continue };
            for copy in self.copies(send) {
                let place = (&*copy.broker, copy.message.queue_id);
                let home = *homes.entry(key).or_insert(place);
                assert_eq!(home, place, "{self}: {key} of send {}", send.ticket);
            }
        }
    }

    /// Asserts that every send was stored, or written if nobody answers.
    pub(crate) fn all_well(&self) {
        let failed = self.sends().find_map(|send| Some((send.ticket, send.error()?)));
        assert!(failed.is_none(), "{self}: {failed:?}");
    }
}

/// From the call to its end.
pub(crate) fn took(send: &SendRecord) -> Duration {
    send.ends.first().map_or(Duration::ZERO, |(end, _)| end.since(send.at))
}

/// How a run was made, and what it came to.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}/{:?}: {} sends, {} stored, {} written, {} not sent, {} rejected, {} unknown, \
             {} cancelled, {} twice, {} retries, longest {:?}",
            self.way,
            self.health,
            self.sends().count(),
            self.stored(),
            self.written(),
            self.not_sent(),
            self.rejected(),
            self.unknown(),
            self.cancelled(),
            self.duplicates(),
            self.retries(),
            self.longest()
        )
    }
}
