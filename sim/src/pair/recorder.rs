//! Who keeps what happened for a timeline? Nobody, unless it is wanted.

use std::collections::{BTreeMap, VecDeque};

use producer_core::wire::frame::{self, FRAME_BYTES_MAX};
use producer_core::wire::{Header, properties, property_names};
use producer_core::{Instant, MessageId, Reason};

use crate::events::{Event, Frame, What};

/// Events of a run, and what is needed to join them.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    events: Vec<Event>,
    wires: BTreeMap<usize, Wire>,
    /// Tickets by message id.
    tickets: BTreeMap<String, u64>,
    /// The attempt of each send that was seen last.
    attempts: BTreeMap<u64, (u32, Reason)>,
}

/// A connection: ends 0 and 1, and the ways from them.
#[derive(Debug)]
struct Wire {
    hosts: [u16; 2],
    /// Position of its dial among the events.
    dial: usize,
    ways: [Way; 2],
    /// Code and ticket of requests by number, by the end that asked.
    asked: [BTreeMap<i32, (i32, Option<u64>)>; 2],
}

/// One way of a connection.
#[derive(Debug, Default)]
struct Way {
    sent: Stream,
    heard: Stream,
    /// Frames that have not arrived, by position among the events.
    travelling: VecDeque<usize>,
}

/// Bytes that are no whole frame yet.
#[derive(Debug, Default)]
struct Stream {
    rest: Vec<u8>,
    garbled: bool,
}

impl Recorder {
    pub(super) fn note(&mut self, at: Instant, host: Option<u16>, what: What) {
        self.events.push(Event { at, host, what });
    }

    /// A send is under way: this attempt of it, under this id.
    pub(super) fn attempt(&mut self, ticket: u64, id: Option<MessageId>, attempt: (u32, Reason)) {
        if let Some(id) = id {
            self.tickets.insert(id.as_str().to_owned(), ticket);
        }
        self.attempts.insert(ticket, attempt);
    }

    pub(super) fn dials(&mut self, at: Instant, link: usize, hosts: [u16; 2]) {
        let (dial, ways, asked) = (self.events.len(), Default::default(), Default::default());
        self.wires.insert(link, Wire { hosts, dial, ways, asked });
        self.note(at, Some(hosts[0]), What::Dial { link, to: hosts[1], ended: None });
    }

    pub(super) fn dialled(&mut self, at: Instant, link: usize, how: String) {
        let Some(wire) = self.wires.get(&link) else { return };
        if let What::Dial { ended, .. } = &mut self.events[wire.dial].what {
            ended.get_or_insert((at, how));
        }
    }

    /// An end hears of the end of a connection, or brings it about.
    pub(super) fn closed(&mut self, at: Instant, link: usize, end: usize, why: String) {
        let Some(wire) = self.wires.get(&link) else { return };
        let (host, peer) = (wire.hosts[end], wire.hosts[1 - end]);
        self.note(at, Some(host), What::Closed { link, peer, why });
    }

    /// Bytes leave an end.
    pub(super) fn sent(&mut self, at: Instant, link: usize, from: usize, bytes: &[u8]) {
        let Self { events, wires, tickets, attempts } = self;
        let Some(Wire { hosts, ways, asked, .. }) = wires.get_mut(&link) else { return };
        let (host, to) = (Some(hosts[from]), hosts[1 - from]);
        let way = &mut ways[from];
        let Way { sent, travelling, .. } = way;
        let whole = sent.take(bytes, |frame| {
            let Ok(header) = Header::decode(frame.serialize, frame.header) else { return };
            let mut seen = read(&header, frame.len, link, to);
            if header.is_response() {
                let question = asked[1 - from].get(&header.opaque);
                seen.answers = Some(question.map_or(0, |(code, _)| *code));
                seen.ticket = question.and_then(|(_, ticket)| *ticket);
            } else {
                let id = header.ext.text("i").or_else(|| header.ext.text("properties"));
                let id = id.as_deref().and_then(|text| {
                    properties::get(text, property_names::UNIQ_CLIENT_MESSAGE_ID_KEYIDX)
                });
                seen.ticket = id.and_then(|id| tickets.get(id)).copied();
                seen.attempt = seen.ticket.and_then(|ticket| attempts.get(&ticket)).copied();
                asked[from].insert(header.opaque, (header.code, seen.ticket));
            }
            travelling.push_back(events.len());
            events.push(Event { at, host, what: What::Frame(Box::new(seen)) });
        });
        if !whole {
            events.push(Event { at, host, what: What::Garbage { link, to } });
        }
    }

    /// Bytes that left an end are there.
    pub(super) fn arrived(&mut self, at: Instant, link: usize, from: usize, bytes: &[u8]) {
        let Self { events, wires, .. } = self;
        let Some(wire) = wires.get_mut(&link) else { return };
        let Way { heard, travelling, .. } = &mut wire.ways[from];
        heard.take(bytes, |_| {
            let position = travelling.pop_front();
            if let Some(What::Frame(frame)) = position.map(|at| &mut events[at].what) {
                frame.arrived = Some(at);
            }
        });
    }

    pub(super) fn finish(self) -> Vec<Event> {
        self.events
    }
}

impl Stream {
    /// Calls `each` for every frame that `bytes` make whole. False when they turn out to be none.
    fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&frame::Frame<'_>)) -> bool {
        if self.garbled {
            return true;
        }
        self.rest.extend_from_slice(bytes);
        let mut used = 0;
        loop {
            match frame::split(&self.rest[used..], FRAME_BYTES_MAX) {
                Ok(Some(frame)) => {
                    used += frame.len;
                    each(&frame);
                }
                Ok(None) => break,
                Err(_) => {
                    self.garbled = true;
                    break;
                }
            }
        }
        self.rest.drain(..used);
        !self.garbled
    }
}

/// What a header says that a timeline shows.
fn read(header: &Header<'_>, bytes: usize, link: usize, to: u16) -> Frame {
    let ext = &header.ext;
    // Sends of version 2 spell their fields with one letter.
    let short = |long, short| ext.text(long).or_else(|| ext.text(short));
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    Frame {
        link,
        to,
        arrived: None,
        answers: None,
        code: header.code,
        opaque: header.opaque,
        bytes,
        topic: short("topic", "b"),
        queue: number(short("queueId", "e")).and_then(|queue: i64| i32::try_from(queue).ok()),
        offset: number(ext.text("queueOffset")),
        remark: header.remark.map(|remark| remark.to_cow().into_owned()).filter(|r| !r.is_empty()),
        ticket: None,
        attempt: None,
    }
}
