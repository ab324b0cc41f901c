//! How does a run read as text? One line an event, each in the column of its host, with what frames
//! say, and why each attempt goes where it goes.

use std::fmt::Write as _;

use producer_core::Instant;

use crate::events::{self, Event, Frame, What};
use crate::history::{End, History};
use crate::pair::Run;

/// Width of a host's column. Text runs over into those to the right.
const COLUMN: usize = 14;

/// The lines of a run that kept its events, the names of the hosts first.
pub fn lines(run: &Run) -> Vec<String> {
    let hosts = events::hosts(&run.history.plan);
    let writer = Writer { hosts: &hosts, history: &run.history };
    let mut moments: Vec<(Instant, usize, String)> = Vec::new();
    for (at, event) in run.events.iter().enumerate() {
        writer.write(event, |when, line| moments.push((when, at, line)));
    }
    moments.sort_by_key(|(when, at, _)| (*when, *at));
    let names: String = hosts.iter().map(|host| format!("{host:<COLUMN$}")).collect();
    let head = format!("{:>11} {}", "ms", names.trim_end());
    [head].into_iter().chain(moments.into_iter().map(|(_, _, line)| line)).collect()
}

struct Writer<'r> {
    hosts: &'r [String],
    history: &'r History,
}

impl Writer<'_> {
    /// The lines of one event: one where and when it begins, another where and when it is over.
    fn write(&self, event: &Event, mut line: impl FnMut(Instant, String)) {
        let mut add = |at: Instant, host: Option<u16>, text: String| {
            let micros = at.as_nanos() / 1_000;
            let indent = COLUMN * usize::from(host.unwrap_or(0));
            let (ms, rest) = (micros / 1_000, micros % 1_000);
            line(at, format!("{ms:>7}.{rest:03} {:indent$}{text}", ""));
        };
        let (at, host) = (event.at, event.host);
        match &event.what {
            What::Asked(ticket) => add(at, host, self.asked(*ticket)),
            What::Ended(ticket, which) => add(at, host, self.ended(*ticket, *which)),
            What::Dial { link, to, ended } => {
                add(at, host, format!("dials {} c{link}", self.name(*to)));
                if let Some((at, how)) = ended {
                    add(*at, host, format!("c{link} to {}: {how}", self.name(*to)));
                }
            }
            What::Frame(frame) => {
                let name = event.host.map_or("?", |host| self.name(host));
                add(at, host, format!("> {}", self.frame(frame, self.name(frame.to))));
                if let Some(arrived) = frame.arrived {
                    let brief = Frame { attempt: None, arrived: None, ..(**frame).clone() };
                    let text = format!("< {}", described(&brief, name));
                    add(arrived, Some(frame.to), text);
                }
            }
            What::Garbage { link, to } => {
                add(at, host, format!("> {} c{link} what is no frame", self.name(*to)));
            }
            What::Closed { link, peer, why } => {
                add(at, host, format!("c{link} with {} has ended: {why}", self.name(*peer)));
            }
            What::FaultBegins(fault) => {
                let plan = &self.history.plan.faults[*fault];
                let (kind, ms, target) = (plan.kind, plan.for_ms, &plan.target);
                add(at, host, format!("=== fault {fault} at {target}: {kind:?}, {ms} ms"));
            }
            What::FaultEnds(fault) => add(at, host, format!("=== fault {fault} is over")),
            What::Healed => add(at, host, "=== a core of the cluster is well from now on".into()),
        }
    }

    fn name(&self, host: u16) -> &str {
        self.hosts.get(usize::from(host)).map_or("?", String::as_str)
    }

    fn asked(&self, ticket: u64) -> String {
        let send = &self.history.sends[ticket as usize];
        let key = send.key.as_deref().map(|key| format!(" {key}")).unwrap_or_default();
        format!("send {ticket}: {} {:?}{key}", send.topic, send.mode)
    }

    fn ended(&self, ticket: u64, which: usize) -> String {
        match &self.history.sends[ticket as usize].ends[which].1 {
            End::Stored(receipt) => {
                let (broker, queue) = (&receipt.broker, receipt.queue_id);
                let (offset, status) = (receipt.queue_offset, receipt.status);
                let copies = if receipt.maybe_duplicate { ", maybe twice" } else { "" };
                format!("send {ticket} is stored: {broker}/{queue}@{offset} {status}{copies}")
            }
            End::Failed(error) => format!("send {ticket} is {}: {error}", error.outcome()),
            End::Written => format!("send {ticket} is written"),
            End::Cancelled => format!("send {ticket} is cancelled"),
        }
    }

    fn frame(&self, frame: &Frame, peer: &str) -> String {
        let mut text = described(frame, peer);
        if let Some((number, reason)) = frame.attempt {
            let why = reason.explanation();
            let _ = write!(text, ", attempt {number} there because {reason}: {why}");
        }
        if frame.arrived.is_none() {
            text.push_str(" (never arrives)");
        }
        text
    }
}

/// A frame in words: whom it comes from or goes to, what it is, where it points.
fn described(frame: &Frame, peer: &str) -> String {
    let mut text = format!("{peer} {} #{}", frame.name(), frame.opaque);
    match (&frame.topic, frame.queue) {
        (Some(topic), Some(queue)) => _ = write!(text, " {topic}/{queue}"),
        (Some(topic), None) => _ = write!(text, " {topic}"),
        (None, Some(queue)) => _ = write!(text, " queue {queue}"),
        (None, None) => {}
    }
    if let Some(offset) = frame.offset {
        let _ = write!(text, "@{offset}");
    }
    if let Some(ticket) = frame.ticket {
        let _ = write!(text, " send {ticket}");
    }
    if let Some(remark) = &frame.remark {
        let _ = write!(text, " {remark:?}");
    }
    text
}
