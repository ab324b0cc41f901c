//! How do name servers learn of a broker? By registrations over connections of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use producer_core::wire::code::request as ask;
use producer_core::wire::{Head, Language, encode_frame};

use super::super::answer::{Answer, Ticket};
use super::super::name_server::{Registration, encode_registration, encode_unregistration};
use super::super::{ConnId, Instant};
use super::Broker;

/// The broker's view of its name servers.
#[derive(Debug)]
pub(super) struct Registrar {
    servers: Vec<Server>,
    opaque: i32,
    /// Only every other name server, from the second on, is told anything.
    half: bool,
    /// Answers that wait until name servers know of a change.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Server {
    address: String,
    conn: Option<ConnId>,
    up: bool,
    due: Instant,
    /// Registrations not yet answered.
    asked: BTreeSet<i32>,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    answer: Answer,
    asked: BTreeSet<i32>,
    give_up: Instant,
}

impl Registrar {
    pub(super) fn new(name_servers: &[String]) -> Self {
        let server = |address: &String| Server {
            address: address.clone(),
            conn: None,
            up: false,
            due: Instant::from_nanos(0),
            asked: BTreeSet::new(),
        };
        let servers = name_servers.iter().map(server).collect();
        Self { servers, opaque: 0, half: false, waiting: Vec::new() }
    }

    /// Forgets all connections.
    pub(super) fn reset(&mut self, now: Instant) {
        self.waiting.clear();
        for server in &mut self.servers {
            (server.conn, server.up, server.due) = (None, false, now);
            server.asked.clear();
        }
    }

    /// When something has to be done.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let due = self.servers.iter().map(|server| server.due);
        due.chain(self.waiting.iter().map(|waiting| waiting.give_up)).min()
    }

    fn find(&mut self, conn: ConnId) -> Option<&mut Server> {
        self.servers.iter_mut().find(|server| server.conn == Some(conn))
    }

    /// Takes `asked` from all that wait, and returns those that wait for nothing more.
    fn settle(&mut self, asked: impl Fn(i32) -> bool) -> Vec<(Ticket, Answer)> {
        for waiting in &mut self.waiting {
            waiting.asked.retain(|&opaque| !asked(opaque));
        }
        self.release(|waiting| waiting.asked.is_empty())
    }

    fn release(&mut self, ready: impl Fn(&Waiting) -> bool) -> Vec<(Ticket, Answer)> {
        let (ready, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(ready);
        self.waiting = waiting;
        let ready: Vec<Waiting> = ready;
        ready.into_iter().map(|waiting| (waiting.ticket, waiting.answer)).collect()
    }
}

impl Broker {
    /// Registers with all name servers now.
    pub fn register(&mut self, now: Instant) {
        for at in 0..self.registrar.servers.len() {
            self.register_with(now, at);
        }
    }

    /// Tells all name servers that the broker goes away, as at an orderly shutdown.
    pub fn unregister(&mut self) {
        let registration = self.registration();
        let fields = encode_unregistration(&registration);
        for at in 0..self.registrar.servers.len() {
            self.ask(at, ask::UNREGISTER_BROKER, fields.iter(), &[]);
        }
    }

    /// Sets whether only every other name server, from the second on, is told of the broker.
    pub fn register_with_half(&mut self, half: bool) {
        self.registrar.half = half;
    }

    /// Begins an orderly shutdown: unregisters for good, and answers sends with GO_AWAY where that
    /// is understood, until the broker is started again.
    pub fn leave(&mut self) {
        self.unregister();
        self.leaving = true;
    }

    /// Sends `answer` once all connected name servers have taken the last registration: routes
    /// are right when it arrives.
    pub(super) fn answer_when_registered(&mut self, now: Instant, ticket: Ticket, answer: Answer) {
        let servers = self.registrar.servers.iter();
        let asked: BTreeSet<i32> = servers.flat_map(|server| &server.asked).copied().collect();
        if asked.is_empty() {
            return self.reply(now, ticket, &answer);
        }
        let give_up = now + REGISTER_TIMEOUT;
        self.registrar.waiting.push(Waiting { ticket, answer, asked, give_up });
    }

    pub(super) fn name_server_connected(&mut self, now: Instant, conn: ConnId) {
        let found = self.registrar.servers.iter().position(|server| server.conn == Some(conn));
        if let Some(at) = found {
            self.registrar.servers[at].up = true;
            self.register_with(now, at);
        }
    }

    pub(super) fn name_server_closed(&mut self, now: Instant, conn: ConnId) {
        let retry_at = now + self.config.reconnect_delay;
        let Some(server) = self.registrar.find(conn) else { return };
        (server.conn, server.up) = (None, false);
        server.due = server.due.min(retry_at);
        if server.due <= now {
            server.due = retry_at;
        }
        let lost = std::mem::take(&mut server.asked);
        for (ticket, answer) in self.registrar.settle(|opaque| lost.contains(&opaque)) {
            self.reply(now, ticket, &answer);
        }
    }

    pub(super) fn name_server_answered(&mut self, now: Instant, conn: ConnId, opaque: i32) {
        let Some(server) = self.registrar.find(conn) else { return };
        server.asked.remove(&opaque);
        for (ticket, answer) in self.registrar.settle(|asked| asked == opaque) {
            self.reply(now, ticket, &answer);
        }
    }

    pub(super) fn registrar_timeout(&mut self, now: Instant) {
        for (ticket, answer) in self.registrar.release(|waiting| waiting.give_up <= now) {
            self.reply(now, ticket, &answer);
        }
        for at in 0..self.registrar.servers.len() {
            if self.registrar.servers[at].due <= now {
                self.register_with(now, at);
            }
        }
    }

    fn register_with(&mut self, now: Instant, at: usize) {
        let server = &mut self.registrar.servers[at];
        server.due = now + self.config.register_period;
        if server.conn.is_none() {
            server.conn = Some(self.links.connect(&server.address));
        }
        let untold = self.registrar.half && at.is_multiple_of(2);
        if server.up && !self.leaving && !untold {
            let registration = self.registration();
            let (fields, body) = encode_registration(&registration);
            self.ask(at, ask::REGISTER_BROKER, fields.iter(), &body);
        }
    }

    fn ask<'e>(
        &mut self,
        at: usize,
        code: i32,
        fields: impl Iterator<Item = (&'e str, &'e str)>,
        body: &[u8],
    ) {
        let server = &mut self.registrar.servers[at];
        let Some(conn) = server.conn.filter(|_| server.up) else { return };
        let opaque = self.registrar.opaque;
        self.registrar.opaque = opaque.wrapping_add(1);
        server.asked.insert(opaque);
        let head = Head {
            code,
            language: Language::JAVA,
            version: self.config.release.version(),
            opaque,
            flag: Head::REQUEST,
            remark: None,
        };
        let serialize = self.config.serialize;
        self.links.send(conn, |out| {
            let lost = encode_frame(out, serialize, &head, fields, body);
            debug_assert!(lost.is_ok(), "a registration fits a frame: {lost:?}");
        });
    }

    fn registration(&self) -> Registration {
        Registration {
            cluster: self.config.cluster.clone(),
            broker: self.config.name.clone(),
            id: self.config.id,
            address: self.config.address.to_string(),
            silence_max: None,
            acting_master: self.config.acting_master,
            version: (self.topics.changes, self.config.wall_origin_ms, self.state),
            topics: self.topics.registrations(self.config.permission),
        }
    }
}

/// How long an answer waits for name servers.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(6);
