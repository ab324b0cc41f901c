//! Connections: when is one made, when is one given up, and what becomes of its requests?

use alloc::vec::Vec;
use core::time::Duration;

use crate::attempt::Failure;
use crate::config::Backoff;
use crate::connection::{ConnId, Connection, State};
use crate::connection_end::ConnectionEnd;
use crate::error::{ErrorKind, Outcome, Phase};
use crate::health::Verdict;
use crate::in_flight::Purpose;
use crate::name_servers::NameServer;
use crate::names::Address;
use crate::output::Output;
use crate::producer::{Chore, Producer};
use crate::random::Random;
use crate::route::BrokerId;
use crate::send::{Send, Stage};
use crate::slab::Key;
use crate::stamp::Line;
use crate::time::Instant;
use crate::wire::{Fields, Head};

/// When an address may be dialled again after it could not be reached. However many sends want it,
/// it is dialled a few times a second at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rest {
    failures: u32,
    until: Instant,
}

impl Rest {
    /// `at_least` is what the other end asked for.
    fn dial_failed(
        &mut self,
        now: Instant,
        redial: Backoff,
        at_least: Duration,
        random: &mut Random,
    ) {
        let doubled = redial.first.saturating_mul(1 << self.failures.min(20));
        self.failures += 1;
        let longest = if planted!(NoRest) { Duration::ZERO } else { redial.longest };
        if planted!(NeverDialledAgain) {
            return self.until = Instant::FAR;
        }
        // Whoever is asked to come back after some time comes later rather than sooner.
        let pause = random.jitter(doubled.min(longest));
        self.until = match at_least.is_zero() {
            true => now + pause,
            false => now + pause.max(at_least + random.jitter(at_least / 4)),
        };
    }
}

/// How often it is seen whether brokers are connected that should be.
const STAY_EVERY: Duration = Duration::from_secs(1);

/// Why there is no connection to a broker.
pub(crate) enum Unconnected {
    NoMaster,
    /// It could not be reached a moment ago, and is not dialled again before.
    Until(Instant),
}

impl<T> Producer<T> {
    /// The way out may be open again: the network is back, the machine has woken. Addresses that
    /// could not be reached are dialled again as soon as somebody wants them, and who paused tries
    /// again now, with a send or for a route.
    pub fn handle_online(&mut self, now: Instant) {
        self.advance(now);
        let brokers = self.routes.brokers.iter_mut().map(|broker| &mut broker.rest);
        let servers = self.name_servers.iter_mut().map(|server| &mut server.rest);
        for rest in brokers.chain(servers) {
            *rest = Rest::default();
        }
        let paused = |(key, send): (Key, &Send<T>)| (send.stage == Stage::Backoff).then_some(key);
        let paused: Vec<Key> = self.sends.iter().filter_map(paused).collect();
        for key in paused {
            self.set_due(key, now);
        }
        self.look_up_suspects_now();
        self.handle_timeout(now);
    }

    /// The connection to a broker's master, dialled if there is none.
    #[inline]
    pub(crate) fn broker_connection(&mut self, id: BrokerId) -> Result<Key, Unconnected> {
        let broker = self.routes.broker(id);
        let dials = |conn: &Connection| planted!(DialStorm) && conn.state == State::Dialling;
        if self.conns.get(broker.conn).is_some_and(|conn| !conn.retiring && !dials(conn)) {
            return Ok(broker.conn);
        }
        if planted!(ClosedConnectionUsed) && broker.conn != Key::NONE {
            return Ok(broker.conn);
        }
        self.dial_broker(id)
    }

    #[cold]
    fn dial_broker(&mut self, id: BrokerId) -> Result<Key, Unconnected> {
        let broker = self.routes.broker(id);
        let Some(address) = broker.dialled.clone() else {
            reached!(DialNoMaster);
            return Err(Unconnected::NoMaster);
        };
        if broker.rest.until > self.now {
            reached!(DialRests);
            return Err(Unconnected::Until(broker.rest.until));
        }
        let vip = self.config.uses_vip();
        let conn = self.connection_to(address, !vip || planted!(VipForAll));
        self.routes.broker_mut(id).conn = conn;
        if vip {
            // Brokers know a client by its connection to their other port.
            let _no_master = self.main_connection(id);
            self.stay_connected();
        }
        Ok(conn)
    }

    /// The connection to a name server, dialled if there is none; `None` if it could not be
    /// reached a moment ago.
    pub(crate) fn server_connection(&mut self, server: usize) -> Option<Key> {
        let NameServer { address, conn, rest, .. } = &self.name_servers[server];
        if self.conns.get(*conn).is_some_and(|conn| !conn.retiring) {
            return Some(*conn);
        }
        if rest.until > self.now {
            return None;
        }
        let address = address.clone();
        let conn = self.connection_to(address, false);
        self.name_servers[server].conn = conn;
        Some(conn)
    }

    /// A dial has succeeded or failed: whoever wanted the connection is told when to try again.
    fn dialled(&mut self, key: Key, failed: Option<&ConnectionEnd>) {
        if self.config.backoff.first.is_zero() {
            return; // as Java, which dials again at once
        }
        let (now, redial, random) = (self.now, self.config.redial, &mut self.random);
        let brokers = self.routes.brokers.iter_mut().map(|broker| (broker.conn, &mut broker.rest));
        let servers = self.name_servers.iter_mut().map(|server| (server.conn, &mut server.rest));
        for (_, rest) in brokers.chain(servers).filter(|(conn, _)| *conn == key) {
            match failed {
                Some(end) => {
                    reached!(DialFailed);
                    rest.dial_failed(now, redial, end.come_back_after(), random);
                }
                None => {
                    reached!(Connected);
                    *rest = Rest::default();
                }
            }
        }
    }

    /// One connection an address, whoever is behind it: a proxy stands for many brokers.
    pub(crate) fn connection_to(&mut self, address: Address, to_broker: bool) -> Key {
        let same =
            |conn: &Connection| !conn.retiring && conn.dialled == address && !planted!(DialStorm);
        let found = self.conns.iter().find(|(_, conn)| same(conn)).map(|(key, _)| key);
        if let Some(key) = found {
            reached!(DialShared);
            if let Some(conn) = self.conns.get_mut(key)
                && to_broker
                && !conn.to_broker
            {
                conn.to_broker = true;
                conn.heartbeat_due = self.now;
                self.wake_by(self.now);
            }
            return key;
        }
        reached!(DialBegins);
        let key = self.conns.insert(Connection::new(address.clone(), to_broker, self.now));
        self.stats.connects += 1;
        let deadline = self.now + self.config.connect_timeout;
        self.outputs.push_back(Output::Connect { conn: ConnId(key), address, deadline });
        key
    }

    pub(crate) fn connected(&mut self, key: Key) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else { return };
        conn.state = State::Open;
        conn.opened = now;
        conn.last_used = now;
        conn.silent_since = (conn.in_flight > 0).then_some(now);
        self.dialled(key, None);
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.to_broker {
            conn.heartbeat_due = now;
        }
        self.beat(key);
        self.announce(key);
        self.wake_by(now + self.config.idle_timeout);
    }

    /// Puts a request that is not a send on a connection.
    pub(crate) fn put_request(
        &mut self,
        key: Key,
        code: i32,
        fields: Fields<'_>,
        body: &[u8],
        purpose: Purpose,
    ) {
        let due = self.now + self.config.request_timeout;
        self.request_until(key, code, fields, body, purpose, due);
    }

    pub(crate) fn request_until(
        &mut self,
        key: Key,
        code: i32,
        fields: Fields<'_>,
        body: &[u8],
        purpose: Purpose,
        due: Instant,
    ) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        let opaque = self.in_flight.insert(key, purpose);
        let line = Line { code, opaque, flag: Head::REQUEST, remark: None };
        self.stamp.append(conn.out(), &line, fields, body);
        conn.asked(self.now);
        self.chores.push(Chore { opaque, conn: key, due });
        self.wake_by(due);
        self.announce(key);
    }

    /// Tells the driver that there are bytes to take, if it does not know.
    pub(crate) fn announce(&mut self, key: Key) {
        if self.conns.get_mut(key).is_some_and(Connection::announce) {
            self.outputs.push_back(Output::Transmit { conn: ConnId(key) });
        }
    }

    /// No new requests on this connection; it is closed when it owes nothing.
    pub(crate) fn retire(&mut self, key: Key) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        reached!(Retired);
        conn.retiring = true;
        if conn.state == State::Dialling {
            reached!(RetiredDialling);
            self.close_connection(key);
        } else {
            self.released(key);
        }
    }

    /// A request of this connection is over.
    pub(crate) fn released(&mut self, key: Key) {
        let done =
            |conn: &Connection| conn.retiring && conn.in_flight == 0 && conn.out_bytes() == 0;
        if self.conns.get(key).is_some_and(done) {
            reached!(RetiredDone);
            self.close_connection(key);
        }
    }

    /// Closes a connection from our side.
    pub(crate) fn close_connection(&mut self, key: Key) {
        if self.conns.get(key).is_some() {
            self.outputs.push_back(Output::Close { conn: ConnId(key) });
            self.connection_ended(key, &ConnectionEnd::Retired);
        }
    }

    /// A connection is no more: everything it owed fails, in the order it was asked.
    pub(crate) fn connection_ended(&mut self, key: Key, end: &ConnectionEnd) {
        let Some(mut conn) = self.conns.remove(key) else { return };
        if *end != ConnectionEnd::Retired {
            self.stats.connection_failures += 1;
        }
        if end.precedes_all_requests() && conn.last_received < conn.opened {
            conn.state = State::Dialling;
        }
        if conn.state == State::Dialling && *end != ConnectionEnd::Retired {
            self.dialled(key, Some(end));
        }
        let requests = self.in_flight.drain(key);
        assert!(requests.is_empty() || !planted!(NilOnLostConnection), "no response");
        let left = conn.left();
        self.chores.retain(|chore| chore.conn != key);
        // One-way sends that never left are sends like others: they go elsewhere.
        for (_, send) in conn.take(&mut Vec::new()) {
            self.cut(send, conn.state, left, end);
        }
        for request in requests {
            match request.purpose {
                Purpose::Send(_) if planted!(LostConnectionWaits) => {}
                Purpose::Send(send) => self.cut(send, conn.state, left, end),
                Purpose::Route { topic, lookup, server } => {
                    self.route_failed(topic, lookup, server, end);
                }
                Purpose::Probe { broker } => self.probe_failed(broker),
                Purpose::Ask(ask) => self.ask_cut(ask, conn.state, end),
                Purpose::Heartbeat | Purpose::Unregister => {}
            }
        }
    }

    /// The connection of an attempt under way has ended; its first `left` bytes had left.
    fn cut(&mut self, key: Key, state: State, left: u64, end: &ConnectionEnd) {
        let Some(send) = self.sends.get(key) else { return };
        let Stage::Under(under) = send.stage else { return };
        let dialling = state == State::Dialling;
        if planted!(AckOnClose) && !dialling {
            return self.acknowledge_unseen(key, &under);
        }
        let held = dialling || under.from >= left;
        let retired = *end == ConnectionEnd::Retired;
        match (dialling, held) {
            (true, _) => reached!(CutDialling),
            (false, true) => reached!(CutHeld),
            (false, false) => reached!(CutLeft),
        }
        let failure = Failure {
            phase: match (dialling, held) {
                (true, _) => Phase::Dial,
                (false, true) => Phase::Write,
                (false, false) => Phase::Answer,
            },
            outcome: if held { Outcome::NotSent } else { Outcome::Unknown },
            kind: match dialling {
                true => ErrorKind::no_connection(end),
                false => ErrorKind::ConnectionLost(end.clone()),
            },
            verdict: if retired { Verdict::RequestRefused } else { Verdict::Gone },
            suspect_route: !retired,
        };
        self.attempt_failed(key, failure);
    }

    /// From now on there is a connection to every broker of a known route, so that brokers can ask
    /// and bring replies; one that ends is made again.
    pub(crate) fn stay_connected(&mut self) {
        if !self.stays_connected {
            self.stays_connected = true;
            self.wake_by(self.now);
        }
    }

    /// Dials brokers that are wanted and not connected. Returns when to look again.
    pub(crate) fn connect_all(&mut self) -> Instant {
        if !self.stays_connected || self.closing.is_some() || planted!(NotStayingConnected) {
            return Instant::FAR;
        }
        let mut wanted = alloc::vec![false; self.routes.brokers.len()];
        for known in self.routes.topics.iter().filter_map(|topic| topic.route.as_ref()) {
            for stretch in &known.stretches {
                wanted[stretch.broker as usize] = true;
            }
        }
        for id in (0..self.routes.brokers.len()).filter(|&id| wanted[id]) {
            // One that cannot be reached now is dialled at the next look.
            let _unreachable = self.broker_connection(id as BrokerId);
            let _unreachable = self.main_connection(id as BrokerId);
        }
        self.now + STAY_EVERY
    }

    /// Tells health what happened at a broker.
    pub(crate) fn observe(&mut self, id: BrokerId, verdict: Verdict, latency: Duration) {
        let now = self.now;
        let policy = &self.config.health;
        let broker = &mut self.routes.brokers[id as usize];
        let changed = broker.health.observe(policy, verdict, latency, now);
        self.routes.suspects |= broker.health.suspect();
        if changed {
            self.epoch += 1;
            if !broker.health.usable(policy, now) {
                self.stats.ejections += 1;
            }
            if let Some(at) = broker.health.probe_at(policy) {
                self.wake_by(at);
            }
            self.tell_of_broker(id);
        }
    }

    /// Something came from this connection: a broker behind it that was thought dead is not.
    pub(crate) fn heard_from(&mut self, key: Key) {
        // Looked for only while there is one, for something arrives often and brokers are many.
        if !self.routes.suspects {
            return;
        }
        let (mut changed, mut suspects) = (false, false);
        for id in 0..self.routes.brokers.len() {
            let broker = &mut self.routes.brokers[id];
            if broker.conn == key && broker.health.suspect() && broker.health.heard() {
                changed = true;
                self.tell_of_broker(id as BrokerId);
            }
            suspects |= self.routes.brokers[id].health.suspect();
        }
        self.routes.suspects = suspects;
        self.epoch += u64::from(changed);
    }

    pub(crate) fn probe_answered(&mut self, id: BrokerId) {
        if self.routes.broker_mut(id).health.alive() {
            self.epoch += 1;
            self.tell_of_broker(id);
        }
    }

    pub(crate) fn probe_failed(&mut self, id: BrokerId) {
        let (policy, now) = (&self.config.health, self.now);
        let health = &mut self.routes.brokers[id as usize].health;
        health.probe_failed(policy, now, &mut self.random);
        if let Some(at) = health.probe_at(policy) {
            self.wake_by(at);
        }
    }
}
