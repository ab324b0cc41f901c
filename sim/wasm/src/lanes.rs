//! What happened in a run, event by event, in a form that a page can draw.

use serde::Serialize;
use sim::events::{self, Event, Frame, What};
use sim::history::{End, History};
use sim::pair::Run;

use crate::figures::{self, Fault};

/// `Timeline` of `sim.d.ts`.
#[derive(Serialize)]
pub(crate) struct Timeline<'r> {
    hash: String,
    hosts: Vec<String>,
    producers: u16,
    total: usize,
    from: usize,
    events: Vec<Lane<'r>>,
    faults: Vec<Fault>,
}

/// An event: when, where, what. Times are in microseconds of the run.
#[derive(Serialize)]
struct Lane<'r> {
    t: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<u16>,
    #[serde(flatten)]
    what: Told<'r>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Told<'r> {
    Asked {
        ticket: u64,
        topic: &'r str,
        mode: sim::plan::Mode,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<&'r str>,
        probe: bool,
    },
    Ended {
        ticket: u64,
        outcome: &'static str,
        took: u64,
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        place: Option<Place<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Dial {
        link: usize,
        to: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        ended: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        how: Option<&'r str>,
    },
    Frame(Box<Sent<'r>>),
    Garbage {
        link: usize,
        to: u16,
    },
    Closed {
        link: usize,
        peer: u16,
        why: &'r str,
    },
    FaultBegins {
        fault: usize,
    },
    FaultEnds {
        fault: usize,
    },
    Healed,
}

/// Where a message was stored.
#[derive(Serialize)]
struct Place<'r> {
    broker: &'r str,
    queue: u32,
    offset: u64,
    status: &'static str,
    attempts: u32,
    maybe_duplicate: bool,
    epoch: u64,
}

#[derive(Serialize)]
struct Sent<'r> {
    link: usize,
    to: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrived: Option<u64>,
    name: &'static str,
    code: i32,
    answer: bool,
    opaque: i32,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'static str>,
}

impl<'r> Timeline<'r> {
    pub(crate) fn of(run: &'r Run, from: usize, limit: usize) -> Self {
        let plan = &run.history.plan;
        let events = run.events.iter().skip(from).take(limit);
        Self {
            hash: figures::hex(run.hash),
            hosts: events::hosts(plan),
            producers: plan.producers(),
            total: run.events.len(),
            from,
            events: events.map(|event| lane(event, &run.history)).collect(),
            faults: plan.faults.iter().map(Fault::of).collect(),
        }
    }
}

fn lane<'r>(event: &'r Event, history: &'r History) -> Lane<'r> {
    let micros = |at: sim::model::Instant| at.as_nanos() / 1_000;
    let what = match &event.what {
        What::Asked(ticket) => {
            let send = &history.sends[*ticket as usize];
            let (topic, key) = (&*send.topic, send.key.as_deref());
            Told::Asked { ticket: *ticket, topic, mode: send.mode, key, probe: send.probe }
        }
        What::Ended(ticket, which) => ended(history, *ticket, *which),
        What::Dial { link, to, ended } => {
            let how = ended.as_ref().map(|(_, how)| &**how);
            let ended = ended.as_ref().map(|(at, _)| micros(*at));
            Told::Dial { link: *link, to: *to, ended, how }
        }
        What::Frame(frame) => Told::Frame(Box::new(sent(frame, frame.arrived.map(micros)))),
        What::Garbage { link, to } => Told::Garbage { link: *link, to: *to },
        What::Closed { link, peer, why } => Told::Closed { link: *link, peer: *peer, why },
        What::FaultBegins(fault) => Told::FaultBegins { fault: *fault },
        What::FaultEnds(fault) => Told::FaultEnds { fault: *fault },
        What::Healed => Told::Healed,
    };
    Lane { t: micros(event.at), host: event.host, what }
}

fn ended(history: &History, ticket: u64, which: usize) -> Told<'_> {
    let send = &history.sends[ticket as usize];
    let (at, end) = &send.ends[which];
    let (outcome, place, error) = match end {
        End::Stored(receipt) => {
            let place = Place {
                broker: &receipt.broker,
                queue: receipt.queue_id,
                offset: receipt.queue_offset,
                status: receipt.status.as_str(),
                attempts: receipt.attempts,
                maybe_duplicate: receipt.maybe_duplicate,
                epoch: receipt.epoch,
            };
            ("stored", Some(place), None)
        }
        End::Failed(error) => (error.outcome().as_str(), None, Some(error.to_string())),
        End::Written => ("written", None, None),
        End::Cancelled => ("cancelled", None, None),
    };
    Told::Ended { ticket, outcome, took: figures::micros(at.since(send.at)), place, error }
}

fn sent(frame: &Frame, arrived: Option<u64>) -> Sent<'_> {
    let reason = frame.attempt.map(|(_, reason)| reason);
    Sent {
        link: frame.link,
        to: frame.to,
        arrived,
        name: frame.name(),
        code: frame.code,
        answer: frame.answers.is_some(),
        opaque: frame.opaque,
        bytes: frame.bytes,
        topic: frame.topic.as_deref(),
        queue: frame.queue,
        offset: frame.offset,
        remark: frame.remark.as_deref(),
        ticket: frame.ticket,
        attempt: frame.attempt.map(|(number, _)| number),
        reason: reason.map(producer_core::Reason::as_str),
        because: reason.map(producer_core::Reason::explanation),
    }
}
