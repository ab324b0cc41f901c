//! What is due from time to time: answers that did not come, routes, heartbeats, probes, idle
//! connections, the end of a close. One table each, scanned when the first of them is due.

use alloc::vec::Vec;

use crate::config::Health;
use crate::connection::{ConnId, Connection, State};
use crate::connection_end::ConnectionEnd;
use crate::error::{ErrorKind, Phase};
use crate::groups::GroupId;
use crate::in_flight::Purpose;
use crate::output::Output;
use crate::producer::{ClosingStage, LEAVING, Producer};
use crate::send::Stage;
use crate::slab::Key;
use crate::time::Instant;
use crate::wire::client::Heartbeat;
use crate::wire::code;
use crate::wire::offset::MaxOffset;

/// Most routes that the poll asks for at one instant, such as after a machine has slept.
const POLLS: usize = 32;
/// How often chores may make each other due at one instant.
const LOOKS: usize = 8;
/// A connection that has owed an answer for so long, and said nothing, is not used any more.
const SILENT: core::time::Duration = core::time::Duration::from_millis(500);

impl<T> Producer<T> {
    /// Does everything that is due, and notes when the next thing is. One thing may make another
    /// due (a silent connection ends, so its broker is to be probed), hence the second look.
    pub(crate) fn run_chores(&mut self) {
        for _ in 0..LOOKS {
            self.chores_at = Instant::FAR;
            self.expire_chores();
            let lookups = self.run_lookups();
            let queries = self.expire_queries();
            let poll = self.poll_routes();
            let probes = self.probe_brokers();
            let connections = self.tend_connections();
            let asks = self.tend_asks().min(self.connect_all());
            let requests = self.expire_requests().min(self.tend_traces());
            for at in [lookups, queries, poll, probes, connections, asks, requests] {
                self.wake_by(at);
            }
            self.go_on_closing();
            if self.chores_at > self.now {
                return;
            }
        }
        debug_assert!(false, "a chore is due again and again at {:?}", self.now);
    }

    /// Requests that are not sends and were not answered in time.
    fn expire_chores(&mut self) {
        let now = self.now;
        let mut index = 0;
        while index < self.chores.len() {
            let chore = self.chores[index];
            if chore.due > now {
                index += 1;
                continue;
            }
            self.chores.swap_remove(index);
            let Some(purpose) = self.in_flight.remove(chore.opaque, chore.conn) else { continue };
            if let Some(conn) = self.conns.get_mut(chore.conn) {
                conn.settled();
            }
            self.chore_timed_out(chore.conn, purpose);
            self.released(chore.conn);
            index = 0;
        }
        // What was answered leaves its entry behind; it goes when most are such.
        if self.chores.len() > 64 && self.chores.len() > 4 * self.in_flight.len() {
            let in_flight = &self.in_flight;
            self.chores.retain(|chore| in_flight.contains(chore.opaque, chore.conn));
        }
        if let Some(due) = self.chores.iter().map(|chore| chore.due).min() {
            self.wake_by(due);
        }
    }

    fn chore_timed_out(&mut self, conn: Key, purpose: Purpose) {
        match purpose {
            Purpose::Route { topic, lookup, server } => {
                reached!(ChoreRoute);
                let silent = ConnectionEnd::Other("no answer in time".into());
                self.route_failed(topic, lookup, server, &silent);
                self.close_if_dead(conn);
            }
            Purpose::Probe { broker } => {
                reached!(ChoreProbe);
                self.probe_failed(broker);
                self.retire_if_silent(conn);
                self.close_if_dead(conn);
            }
            Purpose::Heartbeat => {
                reached!(ChoreHeartbeat);
                self.close_if_dead(conn);
            }
            Purpose::Ask(ask) => {
                self.ask_timed_out(ask);
                self.close_if_dead(conn);
            }
            Purpose::Send(_) | Purpose::Unregister => {}
        }
    }

    /// Gives up a connection that owes an answer and has said nothing for a whole request timeout.
    pub(crate) fn close_if_dead(&mut self, key: Key) {
        if self.has_been_silent(key, self.config.request_timeout) {
            reached!(SilentClosed);
            self.outputs.push_back(Output::Close { conn: ConnId(key) });
            self.connection_ended(key, &ConnectionEnd::Other("it fell silent".into()));
        }
    }

    /// An attempt or a probe was not answered in time. If the connection has said nothing at all for
    /// a while, it gets no more requests: firewalls forget connections, and a new one may be well.
    /// What is under way on it may still be answered.
    pub(crate) fn retire_if_silent(&mut self, key: Key) {
        if self.has_been_silent(key, SILENT) {
            reached!(SilentRetired);
            self.retire(key);
        }
    }

    fn has_been_silent(&self, key: Key, span: core::time::Duration) -> bool {
        let owes = |conn: &Connection| conn.owes_since.map(|since| since.max(conn.opened));
        let since = self.conns.get(key).filter(|_| !planted!(SilentKept)).and_then(owes);
        since.is_some_and(|since| self.now.since(since) >= span)
    }

    /// Asks for the route of one topic after the other, so that each is asked for once an interval
    /// and ten thousand of them make no burst.
    fn poll_routes(&mut self) -> Instant {
        let topics = self.routes.topics.len();
        if topics == 0 || self.closing.is_some() {
            return Instant::FAR;
        }
        let step =
            (self.config.route_poll / topics as u32).max(core::time::Duration::from_micros(100));
        // A topic that is passed over will be older by so much when it is asked for.
        let passed_over = match self.asks_on_evidence() {
            true => self.config.route_refresh_min.min(self.config.route_poll / 2),
            false => core::time::Duration::ZERO,
        };
        // Whoever has slept does not catch up: that would ask for every route at once.
        let mut budget = topics.min(POLLS);
        while self.poll_at <= self.now && budget > 0 {
            self.poll_cursor = (self.poll_cursor + 1) % topics;
            let id = self.poll_cursor as u32;
            let topic = self.routes.topic(id);
            let fresh = topic.asked.is_some_and(|asked| self.now.since(asked) < passed_over);
            if topic.route.is_some() && !fresh {
                reached!(Polled);
                self.look_up(id);
            } else {
                reached!(PollPassed);
            }
            self.poll_at = self.poll_at + step;
            budget -= 1;
        }
        if self.poll_at <= self.now {
            self.poll_at = self.now + step;
        }
        self.poll_at
    }

    /// Asks brokers that are out of rotation whether they are alive. The question is one that any
    /// broker and proxy answers at once (`LatencyFaultToleranceImpl.java` asks the same).
    fn probe_brokers(&mut self) -> Instant {
        let mut next = Instant::FAR;
        if self.closing.is_some() {
            return next;
        }
        for id in 0..self.routes.brokers.len() as u32 {
            let Some(at) = self.routes.broker(id).health.probe_at(&self.config.health) else {
                continue;
            };
            if at > self.now {
                next = next.min(at);
                continue;
            }
            let (now, policy) = (self.now, &self.config.health);
            self.routes.brokers[id as usize].health.probing(policy, now);
            self.probe(id);
            if let Some(at) = self.routes.broker(id).health.probe_at(&self.config.health) {
                next = next.min(at);
            }
        }
        next
    }

    fn probe(&mut self, id: u32) {
        let timeout = match &self.config.health {
            Health::Java(table) => table.detect_timeout,
            Health::Adaptive(adaptive) => adaptive.probe_timeout,
            Health::Off => return,
        };
        let uses = |topic: &&crate::route::Topic| {
            let known = topic.route.as_ref();
            known.is_some_and(|known| known.stretches.iter().any(|s| s.broker == id))
        };
        let topic = self.routes.topics.iter().find(uses).map(|topic| topic.wire.clone());
        let Some(topic) = topic else {
            // In no route any more, so nothing needs to be known.
            reached!(ProbeUnwanted);
            return self.probe_failed(id);
        };
        let Ok(conn) = self.broker_connection(id) else {
            reached!(ProbeNotYet);
            return self.probe_failed(id); // not to be dialled yet
        };
        reached!(Probe);
        let request = MaxOffset {
            topic: topic.as_str().into(),
            queue_id: 0,
            committed: Some(true),
            broker_name: Some((*self.routes.broker(id).name).into()),
        };
        let due = self.now + timeout;
        let purpose = Purpose::Probe { broker: id };
        let code = code::request::GET_MAX_OFFSET;
        self.request_until(conn, code, request.to_ext(), &[], purpose, due);
    }

    /// Heartbeats, and connections that carry nothing.
    fn tend_connections(&mut self) -> Instant {
        let keys: Vec<Key> = self.conns.iter().map(|(key, _)| key).collect();
        let mut next = Instant::FAR;
        for key in keys {
            self.beat(key);
            let Some(conn) = self.conns.get(key) else { continue };
            if conn.state == State::Dialling {
                continue;
            }
            let idle_at = conn.last_used.max(conn.last_received) + self.config.idle_timeout;
            if idle_at <= self.now && conn.in_flight == 0 {
                reached!(IdleClosed);
                self.close_connection(key);
                continue;
            }
            next = next.min(conn.heartbeat_due);
            if idle_at > self.now {
                next = next.min(idle_at);
            }
        }
        next
    }

    /// Sends a heartbeat if one is due. A broker that is in no route any more gets none, so that
    /// the connection to it falls idle and is closed.
    pub(crate) fn beat(&mut self, key: Key) {
        let now = self.now;
        let interval = self.config.heartbeat;
        let wanted = self.leads_to_a_broker(key);
        let Some(conn) = self.conns.get_mut(key) else { return };
        if conn.heartbeat_due > now || conn.state == State::Dialling {
            return;
        }
        if !wanted || conn.retiring || self.closing.is_some() {
            reached!(HeartbeatUnwanted);
            conn.heartbeat_due = Instant::FAR;
            return;
        }
        reached!(Heartbeat);
        conn.heartbeat_due = now + interval;
        let due = conn.heartbeat_due;
        self.wake_by(due);
        let body = Heartbeat {
            client_id: self.client_id.clone(),
            producer_groups: self.announced_groups(),
            fingerprint: Some(0),
            without_sub: Some(false),
        };
        self.stats.heartbeats += 1;
        let fields = crate::wire::Fields::new();
        let body = body.encode();
        self.put_request(key, code::request::HEART_BEAT, fields, &body, Purpose::Heartbeat);
    }

    /// Moves a close forward: sends, then good-byes, then the end.
    pub(crate) fn go_on_closing(&mut self) {
        let Some(closing) = &self.closing else { return };
        let (stage, deadline) = (closing.stage, closing.deadline);
        match stage {
            ClosingStage::Draining => {
                if self.now >= deadline {
                    reached!(CloseDeadline);
                    self.fail_all();
                }
                let replied = self.requests.is_empty() || self.now >= deadline;
                if self.sends.len() == 0 && replied && !self.flush_last_traces() {
                    self.say_good_bye();
                } else {
                    reached!(CloseDrains);
                    self.wake_by(deadline);
                }
            }
            ClosingStage::Leaving { until } => {
                let answered = self
                    .chores
                    .iter()
                    .all(|chore| !self.in_flight.contains(chore.opaque, chore.conn));
                if answered || self.now >= until {
                    reached!(if answered => GoodByeAnswered else GoodByeMissed);
                    self.end();
                } else {
                    reached!(GoodByeWaits);
                    self.wake_by(until);
                }
            }
            ClosingStage::Closed => {}
        }
    }

    /// The close's deadline has passed: every send ends now, as what it is.
    fn fail_all(&mut self) {
        // What they carry ends with them.
        let carriers = self.carriers().into_iter();
        let all = (0..self.sends.slots()).filter_map(|slot| self.sends.key_at(slot));
        for key in carriers.chain(all).collect::<Vec<_>>() {
            if self.sends.get(key).is_none() {
                continue;
            }
            if planted!(PendingDropped) {
                self.remove(key, crate::Outcome::NotSent, |_| ());
                continue;
            }
            let under = matches!(self.sends.get(key).map(|s| s.stage), Some(Stage::Under(_)));
            if under && !self.abandon_attempt(key) && !planted!(CloseSaysNotSent) {
                if let Some(send) = self.sends.get_mut(key) {
                    send.outcome = crate::Outcome::Unknown;
                }
                self.fail(key, ErrorKind::Closed);
            } else {
                self.fail_before_attempt(key, Phase::Backoff, ErrorKind::Closed);
            }
        }
        self.ready.clear();
    }

    /// Tells every connected broker that this producer leaves (UNREGISTER_CLIENT).
    fn say_good_bye(&mut self) {
        let until = self.now + LEAVING;
        // A lookup must neither go on to the next name server when the connection to one is closed,
        // nor begin.
        self.suspects.clear();
        for topic in core::mem::take(&mut self.lookups) {
            self.routes.topic_mut(topic).lookup = None;
        }
        let keys: Vec<Key> = self.conns.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(conn) = self.conns.get(key) else { continue };
            if conn.state == State::Dialling || !conn.to_broker || conn.retiring {
                self.close_connection(key);
                continue;
            }
            for group in 0..self.groups.len() {
                if self.groups[group].announced {
                    self.unregister(key, GroupId(group as u16), until);
                }
            }
        }
        if let Some(closing) = &mut self.closing {
            closing.stage = ClosingStage::Leaving { until };
        }
        self.wake_by(until);
        if self.conns.len() == 0 {
            self.end();
        }
    }

    fn end(&mut self) {
        let keys: Vec<Key> = self.conns.iter().map(|(key, _)| key).collect();
        if let Some(closing) = &mut self.closing {
            closing.stage = ClosingStage::Closed;
        }
        for key in keys {
            self.close_connection(key);
        }
        self.chores.clear();
        self.fail_asks();
        self.fail_requests();
        self.chores_at = Instant::FAR;
        if let Some(closing) = &self.closing {
            self.outputs.push_back(Output::Closed(closing.report.clone()));
        }
    }
}
