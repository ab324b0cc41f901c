//! How do dials and bytes get from one end to the other?

use std::time::Duration;

use producer_core::{ConnectionEnd, Instant};

use super::link::{Freight, Link, Pipe, Side};
use super::node::Power;
use super::tap::Tap;
use super::weather::Passage;
use super::{Event, Pair, note, record};
use crate::history::LinkLost;
use crate::model::ConnId;

impl Pair {
    /// An end wants a connection to `address`, by `deadline` at the latest.
    pub(super) fn dial(
        &mut self,
        from: Side,
        address: &str,
        deadline: Instant,
        dial: Option<usize>,
    ) -> Option<usize> {
        let node = *self.by_address.get(address)?;
        let slot = &mut self.nodes[node];
        let accepted = ConnId::accepted(slot.accepted);
        slot.accepted += 1;
        let link = self.links.len();
        self.links.push(Link {
            address: address.to_owned(),
            sides: [from, Side::Node(node, accepted)],
            alive: [true, false],
            open: false,
            pipes: [Pipe::default(), Pipe::default()],
            dialled_at: self.now,
            heard_at: self.now,
            used: false,
            dial,
            tap: Tap::default(),
            unread: 0,
            blocked: false,
        });
        let hosts = self.hosts_of(link);
        record!(self, dials(self.now, link, hosts));
        let travel = self.travel(link, 0);
        self.later(travel, Event::Dial(link));
        self.at(deadline, Event::Dialled(link, Err(ConnectionEnd::DialTimeout)));
        Some(link)
    }

    pub(super) fn dial_arrives(&mut self, link: usize) {
        let node = self.links[link].node();
        let swallowed = self.weather[node].swallows_dials()
            || self.nodes[node].power == Power::Off
            || self.passage(link, 0) != Passage::Open;
        if swallowed || !self.links[link].alive[0] {
            return;
        }
        let moved_away = self.links[link].address != self.nodes[node].address;
        let refused = self.weather[node].refuses_dials()
            || self.nodes[node].power == Power::Crashed
            || moved_away;
        let travel = self.travel(link, 1);
        if refused {
            return self.later(travel, Event::Dialled(link, Err(ConnectionEnd::Refused)));
        }
        let Side::Node(_, accepted) = self.links[link].sides[1] else { return };
        self.links[link].alive[1] = true;
        self.nodes[node].conns.insert(accepted, link);
        let peer = super::node::address(9, link as u16 % 250, 40_000);
        self.nodes[node].server.node().handle_accepted(self.now, accepted, peer);
        self.links[link].pipes[1].last = self.now + travel;
        self.later(travel, Event::Dialled(link, Ok(())));
        self.drain_node(node);
    }

    pub(super) fn dialled(&mut self, link: usize, result: Result<(), ConnectionEnd>) {
        let lost =
            result != Err(ConnectionEnd::DialTimeout) && self.passage(link, 1) != Passage::Open;
        let this = &mut self.links[link];
        if this.open || !this.alive[0] || lost {
            return;
        }
        if let Some(dial) = this.dial {
            self.history.dials[dial].ended_at = Some(self.now);
            self.history.dials[dial].connected = result.is_ok();
        }
        note!(self, "dialled #{link} {result:?}");
        let how = || result.as_ref().map_or_else(ToString::to_string, |()| "connected".to_owned());
        record!(self, dialled(self.now, link, how()));
        match (result, self.links[link].sides[0]) {
            (Ok(()), side) => {
                self.links[link].open = true;
                self.links[link].heard_at = self.now;
                match side {
                    Side::Client(client, conn) => {
                        self.clients[client].producer.handle_connected(self.now, conn);
                        self.drain_client(client);
                    }
                    Side::Node(node, conn) => {
                        self.nodes[node].server.node().handle_connected(self.now, conn);
                        self.drain_node(node);
                    }
                }
            }
            (Err(end), _) => self.hear_end(link, 0, end),
        }
    }

    /// Bytes leave an end.
    pub(super) fn transmit(&mut self, link: usize, from: usize, mut bytes: Vec<u8>) {
        if bytes.is_empty() || !self.links[link].alive[from] {
            return self.give_back(bytes);
        }
        record!(self, sent(self.now, link, from, &bytes));
        let node = self.links[link].node();
        let with_producer = self.links[link].client().is_some();
        let (mut cut, mut reset) = (false, false);
        if with_producer
            && from == 0
            && let Some(resets) = self.weather[node].half_requests.pop_front()
        {
            bytes.truncate(bytes.len() / 2);
            (cut, reset) = (!resets, resets);
        }
        if with_producer
            && from == 1
            && let Some(after) = self.weather[node].resets_in_answer.pop_front()
        {
            bytes.truncate(after as usize);
            reset = true;
        }
        let piece =
            self.weather[node].piece().map_or(usize::MAX, |piece| piece.max(bytes.len() / 200));
        let mut at = self.arrival(link, from);
        if !bytes.is_empty() && piece >= bytes.len() {
            self.at(at, Event::Arrive(link, from, Freight::Bytes(bytes)));
        } else {
            for piece in bytes.chunks(piece) {
                self.at(at, Event::Arrive(link, from, Freight::Bytes(piece.to_vec())));
                at = at + Duration::from_micros(20);
            }
            self.links[link].pipes[from].last = at;
        }
        if reset {
            note!(self, "reset #{link}");
            self.break_link(link, &ConnectionEnd::Reset);
        }
        if cut {
            let at = self.links[link].pipes[from].last;
            self.at(at, Event::Arrive(link, from, Freight::Silence));
        }
    }

    /// Both ends learn that the connection is no more.
    pub(super) fn break_link(&mut self, link: usize, end: &ConnectionEnd) {
        for from in 0..2 {
            let at = self.arrival(link, from);
            self.at(at, Event::Arrive(link, from, Freight::End(end.clone())));
        }
    }

    /// An end has closed; the other one hears of it.
    pub(super) fn let_go(&mut self, link: usize, from: usize, end: ConnectionEnd) {
        if !std::mem::replace(&mut self.links[link].alive[from], false) {
            return;
        }
        record!(self, closed(self.now, link, from, format!("{end} here")));
        let at = self.arrival(link, from);
        self.at(at, Event::Arrive(link, from, Freight::End(end)));
    }

    /// The hosts at the ends of a link, as timelines number them.
    fn hosts_of(&self, link: usize) -> [u16; 2] {
        self.links[link].sides.map(|side| match side {
            Side::Client(client, _) => client as u16,
            Side::Node(node, _) => (self.clients.len() + node) as u16,
        })
    }

    pub(super) fn arrives(&mut self, link: usize, from: usize, freight: Freight) {
        let passage = self.passage(link, from);
        let unread = self.is_unread(link, from);
        let pipe = &mut self.links[link].pipes[from];
        if pipe.cut {
            return;
        }
        match passage {
            Passage::Dropped => {
                note!(self, "lost #{link} from {from}");
                self.links[link].pipes[from].cut = true;
            }
            Passage::Held => pipe.held.push_back(freight),
            // Nothing overtakes what was held.
            Passage::Open if unread || !pipe.held.is_empty() => pipe.held.push_back(freight),
            Passage::Open => self.hear(link, 1 - from, freight),
        }
    }

    /// Whether what arrives is not read for now.
    fn is_unread(&self, link: usize, from: usize) -> bool {
        let link = &self.links[link];
        from == 0 && link.client().is_some() && self.weather[link.node()].window().is_some()
    }

    /// What was held goes on its way.
    pub(super) fn release(&mut self) {
        for link in 0..self.links.len() {
            for from in 0..2 {
                if !self.links[link].pipes[from].held.is_empty() {
                    self.at(self.now, Event::Release(link, from));
                }
            }
        }
    }

    /// What was held on one way arrives, if it still may.
    pub(super) fn released(&mut self, link: usize, from: usize) {
        while self.passage(link, from) == Passage::Open && !self.is_unread(link, from) {
            let pipe = &mut self.links[link].pipes[from];
            if pipe.cut {
                return pipe.held.clear();
            }
            let Some(freight) = pipe.held.pop_front() else { return };
            self.hear(link, 1 - from, freight);
        }
    }

    fn hear(&mut self, link: usize, end: usize, freight: Freight) {
        match freight {
            Freight::Silence => self.links[link].pipes[1 - end].cut = true,
            Freight::End(why) => self.hear_end(link, end, why),
            Freight::Bytes(bytes) => {
                self.hear_bytes(link, end, &bytes);
                self.give_back(bytes);
            }
        }
    }

    fn hear_bytes(&mut self, link: usize, end: usize, bytes: &[u8]) {
        let alive = self.links[link].alive[end];
        if alive {
            record!(self, arrived(self.now, link, 1 - end, bytes));
        }
        match self.links[link].sides[end] {
            Side::Node(node, _) if self.nodes[node].power == Power::Off => {}
            Side::Node(..) if !alive => self.answer_with_reset(link, end),
            Side::Node(node, conn) => {
                note!(self, "{} <- #{link} {} bytes", self.nodes[node].name, bytes.len());
                self.nodes[node].server.node().handle_received(self.now, conn, bytes);
                self.drain_node(node);
            }
            Side::Client(client, conn) => {
                if alive {
                    self.tap_received(link, client, bytes);
                    self.clients[client].producer.handle_received(self.now, conn, bytes);
                    self.drain_client(client);
                    self.expect_closed_if_garbled(link);
                }
            }
        }
    }

    /// The process that had the connection is no more: its machine says so.
    fn answer_with_reset(&mut self, link: usize, end: usize) {
        let at = self.arrival(link, end);
        self.at(at, Event::Arrive(link, end, Freight::End(ConnectionEnd::Reset)));
    }

    fn hear_end(&mut self, link: usize, end: usize, why: ConnectionEnd) {
        if !std::mem::replace(&mut self.links[link].alive[end], false) {
            return;
        }
        note!(self, "ended #{link} at {end}: {why}");
        record!(self, closed(self.now, link, end, why.to_string()));
        if let Some(dial) = self.links[link].dial.filter(|_| end == 0) {
            self.history.dials[dial].ended_at.get_or_insert(self.now);
        }
        match self.links[link].sides[end] {
            Side::Client(client, conn) => {
                self.clients[client].conns.remove(&conn);
                let lost = LinkLost { at: self.now, producer: client as u16, link };
                self.history.lost.push(lost);
                self.clients[client].producer.handle_closed(self.now, conn, why);
                self.drain_client(client);
            }
            Side::Node(node, conn) => {
                self.nodes[node].conns.remove(&conn);
                if self.nodes[node].power == Power::Up {
                    self.nodes[node].server.node().handle_closed(self.now, conn);
                    self.drain_node(node);
                }
            }
        }
    }

    /// What becomes of something that comes from an end of a link.
    fn passage(&self, link: usize, from: usize) -> Passage {
        let link = &self.links[link];
        let with_producer = link.client().is_some();
        let there = self.weather[link.node()].passage(with_producer, from);
        let here = match link.sides[0] {
            // Towards its peer a node's own weather is the other way round.
            Side::Node(node, _) => self.weather[node].passage(false, 1 - from),
            Side::Client(..) => Passage::Open,
        };
        match (there, here) {
            (Passage::Dropped, _) | (_, Passage::Dropped) => Passage::Dropped,
            (Passage::Held, _) | (_, Passage::Held) => Passage::Held,
            (Passage::Open, Passage::Open) => Passage::Open,
        }
    }

    /// When what leaves an end now arrives.
    fn arrival(&mut self, link: usize, from: usize) -> Instant {
        let at = self.now + self.travel(link, from);
        let pipe = &mut self.links[link].pipes[from];
        pipe.last = pipe.last.max(at);
        pipe.last
    }

    fn travel(&mut self, link: usize, from: usize) -> Duration {
        let node = self.links[link].node();
        let dice = &mut self.latency[2 * node + from];
        let plain = self.plan.network.latency_us + dice.below(self.plan.network.jitter_us + 1);
        Duration::from_micros(plain) + self.weather[node].delay(dice)
    }
}
