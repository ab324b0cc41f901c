//! What do producers and nodes want done, and what do we see of it?

use std::time::Duration;

use producer_core::{ConnectionEnd, Output};

use super::client::Client;
use super::link::{Freight, Side};
use super::tap::Told;
use super::trace::fnv;
use super::{Event, Pair, note};
use crate::check::{Invariant, Violation};
use crate::history::{Dial, End, Request, RouteSeen};
use crate::model;

/// Buffers that are kept, and how large they may be.
const SPARE_MAX: usize = 64;
const SPARE_BYTES_MAX: usize = 1 << 16;
/// How long a node waits for a connection.
const NODE_DIAL: Duration = Duration::from_secs(3);

impl Pair {
    pub(super) fn drain_client(&mut self, client: usize) {
        let mut over = Vec::new();
        loop {
            match self.clients[client].producer.poll_output() {
                Output::Connect { conn, address, deadline } => {
                    self.client_dials(client, conn, address.as_str(), deadline);
                }
                Output::Transmit { conn } => self.client_writes(client, conn),
                Output::Close { conn } => {
                    if let Some(link) = self.clients[client].conns.remove(&conn) {
                        note!(self, "p{client} closes #{link}");
                        if let Some(dial) = self.links[link].dial {
                            let ended = &mut self.history.dials[dial].ended_at;
                            *ended = ended.or(Some(self.now));
                        }
                        self.let_go(link, 0, ConnectionEnd::Closed);
                    }
                }
                Output::Completed { ticket, result } => {
                    let end = match result {
                        Ok(receipt) => End::Stored(receipt),
                        Err(error) => End::Failed(error),
                    };
                    self.ended(client, ticket, end);
                    over.push(ticket);
                }
                Output::Written { ticket, message_id } => {
                    for member in self.members(client, ticket) {
                        // Those of a batch have ids of their own.
                        let known = &mut self.history.sends[member as usize].message_id;
                        known.get_or_insert_with(|| message_id.as_str().to_owned());
                        self.ended(client, member, End::Written);
                    }
                    over.push(ticket);
                }
                Output::BatchCompleted { ticket, result } => {
                    for (n, member) in self.members(client, ticket).enumerate() {
                        let end = match &result {
                            Ok(receipts) => End::Stored(receipts[n].clone()),
                            Err(error) => End::Failed(error.clone()),
                        };
                        self.ended(client, member, end);
                    }
                }
                // Plans have none of these yet.
                Output::Route { .. }
                | Output::Prepared { .. }
                | Output::CheckTransaction(_)
                | Output::CredentialsRefused
                | Output::Event(_)
                | Output::Replied { .. }
                | Output::Answered { .. } => {}
                Output::Closed(report) => {
                    note!(self, "p{client} closed {report:?}");
                    self.clients[client].report = Some(report);
                }
                Output::Idle { wake_at } => {
                    self.clients[client].wake_at = wake_at;
                    break;
                }
            }
        }
        self.clients[client].measure();
        for ticket in over {
            self.go_on_serially(client, ticket);
        }
    }

    fn client_dials(
        &mut self,
        client: usize,
        conn: producer_core::ConnId,
        address: &str,
        deadline: producer_core::Instant,
    ) {
        let dial = self.history.dials.len();
        self.history.dials.push(Dial {
            at: self.now,
            producer: client as u16,
            address: address.to_owned(),
            ended_at: None,
            connected: false,
        });
        let link = self.dial(Side::Client(client, conn), address, deadline, Some(dial));
        let link = link.expect("routes name addresses of the plan only");
        note!(self, "p{client} dials {address} #{link}");
        self.clients[client].conns.insert(conn, link);
    }

    /// Producers whose writes did not fit write now, if they fit.
    pub(super) fn write_what_waits(&mut self) {
        for link in 0..self.links.len() {
            let Side::Client(client, conn) = self.links[link].sides[0] else { continue };
            if self.weather[self.links[link].node()].window().is_some() {
                continue;
            }
            self.links[link].unread = 0;
            if std::mem::take(&mut self.links[link].blocked) {
                self.links[link].used = false;
                self.client_writes(client, conn);
            }
        }
    }

    fn client_writes(&mut self, client: usize, conn: producer_core::ConnId) {
        if let Some(&link) = self.clients[client].conns.get(&conn)
            && let Some(window) = self.weather[self.links[link].node()].window()
            && self.links[link].unread >= window.max(1)
        {
            // The driver has one write under way, and takes no more until that is done.
            self.links[link].blocked = true;
            return;
        }
        self.record_attempts(client);
        let mut bytes = self.buffer();
        self.clients[client].producer.take_bytes(conn, &mut bytes);
        let Some(&link) = self.clients[client].conns.get(&conn) else { return };
        if self.weather[self.links[link].node()].window().is_some() {
            self.links[link].unread += bytes.len();
        }
        let hash = fnv(0, &bytes) as u32;
        note!(self, "p{client} -> #{link} {} bytes {hash:08x}", bytes.len());
        let this = &mut self.links[link];
        let waited = !std::mem::replace(&mut this.used, true);
        for asked in this.tap.sent(&bytes) {
            self.history.requests.push(Request {
                at: self.now,
                producer: client as u16,
                address: this.address.clone(),
                link,
                dialled_at: this.dialled_at,
                waited,
                opaque: asked.opaque,
                topic: asked.topic,
                queue_id: asked.queue_id,
                message_id: asked.message_id,
                heard_at: this.heard_at,
                answer: None,
            });
        }
        self.transmit(link, 0, bytes);
    }

    /// Attempts and their reasons, before their frames leave: what is not answered is over then.
    fn record_attempts(&mut self, client: usize) {
        let Some(recorder) = &mut self.recorder else { return };
        let Client { producer, in_hand, .. } = &self.clients[client];
        for (&ticket, &id) in in_hand {
            if let Some(attempt) = producer.attempt_under_way(id) {
                let attempt = (attempt.number, attempt.reason);
                recorder.attempt(ticket, producer.message_id(id), attempt);
            }
        }
    }

    pub(super) fn tap_received(&mut self, link: usize, client: usize, bytes: &[u8]) {
        note!(self, "p{client} <- #{link} {} bytes {:08x}", bytes.len(), fnv(0, bytes) as u32);
        self.links[link].heard_at = self.now;
        for told in self.links[link].tap.received(bytes) {
            match told {
                Told::Answer { opaque, code } => {
                    let asked = |r: &&mut Request| r.link == link && r.opaque == opaque;
                    let requests = self.history.requests.iter_mut().rev();
                    // Several if they went together, one behind the other.
                    for request in requests.skip_while(|r| !asked(r)).take_while(asked) {
                        request.answer.get_or_insert((self.now, code));
                    }
                }
                Told::Route { asked, topic, writable } => {
                    let server = self.nodes[self.links[link].node()].name.clone();
                    let (at, producer) = (self.now, client as u16);
                    let seen = RouteSeen { at, producer, asked, server, topic, writable };
                    self.history.routes.push(seen);
                }
            }
        }
    }

    /// I16: a peer that sends what is not a frame loses its connection at once.
    pub(super) fn expect_closed_if_garbled(&mut self, link: usize) {
        let this = &self.links[link];
        if this.tap.garbled && this.alive[0] {
            let what = format!("#{link} to {} stays open after a malformed frame", this.address);
            self.history.seen.push(Violation { invariant: Invariant::Framing, what });
        }
    }

    pub(super) fn drain_node(&mut self, node: usize) {
        loop {
            match self.nodes[node].server.node().poll_output() {
                model::Output::Connect { conn, address } => {
                    let deadline = self.now + NODE_DIAL;
                    match self.dial(Side::Node(node, conn), &address, deadline, None) {
                        Some(link) => {
                            self.nodes[node].conns.insert(conn, link);
                        }
                        None => self.nodes[node].server.node().handle_closed(self.now, conn),
                    }
                }
                model::Output::Transmit { conn } => self.node_writes(node, conn),
                model::Output::Close { conn } => {
                    self.node_writes(node, conn);
                    if let Some(link) = self.nodes[node].conns.remove(&conn) {
                        let end = self.links[link].end_of(node).unwrap_or(1);
                        self.let_go(link, end, ConnectionEnd::Closed);
                    }
                    self.nodes[node].server.node().handle_closed(self.now, conn);
                }
                model::Output::Idle { wake_at } => {
                    self.nodes[node].wake_at = wake_at;
                    return;
                }
            }
        }
    }

    fn node_writes(&mut self, node: usize, conn: model::ConnId) {
        let mut bytes = self.buffer();
        self.nodes[node].server.node().take_bytes(conn, &mut bytes);
        let Some(&link) = self.nodes[node].conns.get(&conn) else { return };
        let end = self.links[link].end_of(node).unwrap_or(1);
        note!(self, "{} -> #{link} {} bytes", self.nodes[node].name, bytes.len());
        self.transmit(link, end, bytes);
    }

    /// An empty buffer.
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// What was in a buffer is not needed any more.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_MAX && buffer.capacity() <= SPARE_BYTES_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Until when the producer that an event concerns stands still.
    pub(super) fn stalled_until(&self, event: &Event) -> Option<producer_core::Instant> {
        let client = match event {
            Event::Burst(workload) => Some(usize::from(self.plan.workloads[*workload].producer)),
            Event::Probe(client, _) => Some(*client),
            Event::Dialled(link, _) => self.links[*link].client(),
            Event::Arrive(link, 1, Freight::Bytes(_) | Freight::End(_))
            | Event::Release(link, 1) => self.links[*link].client(),
            _ => None,
        };
        self.clients[client?].stalled_until.filter(|until| *until > self.now)
    }
}
