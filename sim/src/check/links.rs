//! How did a producer's connections stand when a request left?

use std::collections::BTreeMap;

use std::time::Duration;

use producer_core::Instant;
use producer_core::wire::code::response;

use super::Joined;
use crate::history::{History, LinkLost, Request, RouteSeen};
use crate::plan::{HealthPlan, Mode, Preset};

/// A peer that answered so recently is well.
const ANSWERS: Duration = Duration::from_millis(120);
/// One that owes an answer for longer may not be.
const OWES: Duration = Duration::from_millis(100);
/// A request is surely not given up before that.
pub(super) const UNDER_WAY: Duration = Duration::from_millis(900);

/// Connections as they stand at one time, for checks that go through a history in order.
pub(super) struct Links<'h> {
    history: &'h History,
    links: BTreeMap<usize, Standing<'h>>,
    /// When the sends of messages ended, or [`Instant::ZERO`] for those that nobody answers; by the
    /// number of their ids.
    over: Vec<Option<Instant>>,
    lost: usize,
    routes: usize,
    /// Up to when the connections of a producer are as they stood.
    settled: BTreeMap<u16, Instant>,
    /// The last route, by producer and topic.
    known: BTreeMap<(u16, &'h str), &'h RouteSeen>,
}

/// One connection.
pub(super) struct Standing<'h> {
    producer: u16,
    address: &'h str,
    dialled_at: Instant,
    /// Requests that left, oldest first, but for those known to be answered.
    pub(super) asked: Vec<Asked<'h>>,
    /// When the last answer came, and whether it was a refusal.
    heard: Option<(Instant, bool)>,
    /// The broker has said that it goes: the producer sends nothing here any more.
    gone: bool,
}

/// A request that left, and the number of its message's id.
#[derive(Clone, Copy)]
pub(super) struct Asked<'h> {
    pub(super) request: &'h Request,
    pub(super) number: u32,
}

impl<'h> Links<'h> {
    /// For plans whose producer has the standard rules: it avoids who is silent for 200 ms, and
    /// gives an attempt a second at least.
    pub(super) fn of_standard(joined: &Joined<'h>) -> Option<Self> {
        let history = joined.history;
        let config = &history.plan.config;
        let with = &config.overrides;
        let standard = config.preset == Preset::Default
            && with.health.is_none_or(|health| health == HealthPlan::Adaptive)
            && with.attempt_timeout_ms.is_none_or(|ms| ms == 0 || ms >= 1_000);
        if !standard {
            return None;
        }
        let mut over = vec![None; joined.ids.len()];
        for (send, number) in history.sends.iter().zip(&joined.sends) {
            let ended = send.ends.first().map(|(at, _)| *at);
            let ended = if send.mode == Mode::OneWay { Some(Instant::ZERO) } else { ended };
            if let (Some(number), Some(ended)) = (number, ended) {
                over[*number as usize] = Some(ended);
            }
        }
        let (links, settled, known) = Default::default();
        Some(Self { history, links, over, lost: 0, routes: 0, settled, known })
    }

    /// Goes on to when a request leaves; calls `on_lost` with each connection that ended on the
    /// way.
    pub(super) fn advance(
        &mut self,
        request: &Request,
        mut on_lost: impl FnMut(&Self, &LinkLost, &Standing<'h>),
    ) {
        let lost = &self.history.lost;
        while let Some(lost) = lost.get(self.lost).filter(|lost| lost.at <= request.at) {
            self.lost += 1;
            self.settle(lost.at, lost.producer);
            if let Some(standing) = self.links.remove(&lost.link) {
                on_lost(self, lost, &standing);
            }
        }
        self.settle(request.at, request.producer);
    }

    /// Takes in the routes until `at`, and the answers that a producer got.
    fn settle(&mut self, at: Instant, producer: u16) {
        while let Some(route) = self.history.routes.get(self.routes).filter(|r| r.at <= at) {
            self.routes += 1;
            let known = self.known.entry((route.producer, &route.topic)).or_insert(route);
            // A slow server may answer when another one, asked later, has done so: too late.
            if known.asked < route.asked {
                *known = route;
            }
        }
        if self.settled.insert(producer, at) == Some(at) {
            return;
        }
        for standing in self.links.values_mut().filter(|one| one.producer == producer) {
            standing.settle(at, &self.over);
        }
    }

    /// A request leaves.
    pub(super) fn leaves(&mut self, request: &'h Request, number: u32) {
        let new = || Standing {
            producer: request.producer,
            address: &request.address,
            dialled_at: request.dialled_at,
            asked: Vec::new(),
            heard: None,
            gone: false,
        };
        let standing = self.links.entry(request.link).or_insert_with(new);
        if self.over[number as usize].is_none_or(|over| over >= request.at) {
            standing.asked.push(Asked { request, number });
        }
    }

    pub(super) fn get(&self, link: usize) -> Option<&Standing<'h>> {
        self.links.get(&link)
    }

    /// Whether another broker could take a message of the topic at once: its connection is open,
    /// it has just answered, and the last route names it.
    pub(super) fn other_is_well(&self, than: &Request, at: Instant) -> bool {
        self.some_is_well(than, at, |address| address != than.address)
    }

    /// The same of one that is not among those that were tried.
    pub(super) fn untried_is_well(&self, than: &Request, at: Instant, tried: &[&str]) -> bool {
        self.some_is_well(than, at, |address| !tried.contains(&address))
    }

    fn some_is_well(&self, than: &Request, at: Instant, which: impl Fn(&str) -> bool) -> bool {
        let known = self.known.get(&(than.producer, &*than.topic));
        let writable = known.map_or(&[][..], |route| &route.writable);
        self.links.values().any(|standing| {
            standing.producer == than.producer
                && which(standing.address)
                && standing.is_well(at)
                && !self.is_replaced(standing, at)
                && writable.iter().any(|(to, queues)| to == standing.address && *queues > 0)
        })
    }

    /// Whether the producer has given a connection up: it has dialled the address again since.
    fn is_replaced(&self, standing: &Standing<'_>, at: Instant) -> bool {
        self.history.dials.iter().any(|dial| {
            dial.producer == standing.producer
                && dial.address == standing.address
                && standing.dialled_at < dial.at
                && dial.at <= at
        })
    }
}

impl Standing<'_> {
    fn settle(&mut self, at: Instant, over: &[Option<Instant>]) {
        let Self { heard, gone, .. } = self;
        self.asked.retain(|&Asked { request, number }| {
            let answer = request.answer.filter(|(answered, _)| *answered <= at);
            if let Some((answered, code)) = answer {
                // Of two in one instant, the refusal may be the later one.
                *heard = (*heard).max(Some((answered, code != 0)));
                *gone |= code == response::GO_AWAY;
            }
            // What nobody waits for any more is of no interest.
            let over = over[number as usize].is_some_and(|over| over < at);
            answer.is_none() && !over && at.since(request.at) < UNDER_WAY
        });
    }

    fn is_well(&self, at: Instant) -> bool {
        // An answer of the same instant may have come later.
        let well = |(it, refused): (Instant, bool)| !refused && it < at && at.since(it) < ANSWERS;
        !self.gone
            && self.heard.is_some_and(well)
            && self.asked.iter().all(|asked| at.since(asked.request.at) < OWES)
    }
}
