//! Where are the queues of a topic? The name server, without I/O.

mod registration;
mod registry;
mod requests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use producer_core::wire::code::response;
use producer_core::wire::{Frame, SerializeType, WireError};

use super::answer::{Answer, AnswerForm, Request, Ticket};
use super::links::{Frames, Links};
use super::schedule::Schedule;
use super::{ConnId, Instant, Node, Output, Release};

pub use registration::{DataVersion, Registration, TopicRegistration};
pub(crate) use registration::{encode_registration, encode_unregistration};
use registry::Registry;

/// What a name server is told at its start.
#[derive(Debug, Clone)]
pub struct NameServerConfig {
    /// Release it behaves like.
    pub release: Release,
    /// Its own serialize type.
    pub serialize: SerializeType,
    /// Whether routes carry the order configuration; `orderMessageEnable`, off as in Java.
    pub order_messages: bool,
    /// Whether slaves act for masters that are gone, where brokers allow it;
    /// `supportActingMaster`, off as in Java.
    pub acting_master: bool,
    /// How long a broker may be silent if it does not say so itself.
    pub broker_silence_max: Duration,
    /// How often silent brokers are looked for.
    pub scan_period: Duration,
    /// Unread answer bytes at which a connection is closed.
    pub out_bytes_max: usize,
}

impl Default for NameServerConfig {
    fn default() -> Self {
        Self {
            release: Release::default(),
            serialize: SerializeType::Json,
            order_messages: false,
            acting_master: false,
            broker_silence_max: Duration::from_secs(120),
            scan_period: Duration::from_secs(5),
            out_bytes_max: 64 << 20,
        }
    }
}

/// What can be wrong with a name server while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NameServerFaults {
    /// Each answer leaves this much later.
    pub delay: Duration,
    /// Requests are carried out but not answered.
    pub silent: bool,
    /// Routes stay as they are: no broker is registered, unregistered or expired.
    pub stale: bool,
}

/// A name server.
#[derive(Debug)]
pub struct NameServer {
    config: NameServerConfig,
    links: Links,
    registry: Registry,
    /// Values by namespace and key.
    kv: BTreeMap<(String, String), String>,
    faults: NameServerFaults,
    frozen: bool,
    later: Schedule<(Ticket, Answer)>,
    scan_at: Option<Instant>,
    requests: u64,
}

impl NameServer {
    /// An empty name server.
    pub fn new(config: NameServerConfig) -> Self {
        Self {
            links: Links::new(config.out_bytes_max),
            config,
            registry: Registry::default(),
            kv: BTreeMap::new(),
            faults: NameServerFaults::default(),
            frozen: false,
            later: Schedule::new(),
            scan_at: None,
            requests: 0,
        }
    }

    /// Switches faults; [`NameServerFaults::default`] for none.
    pub fn fault(&mut self, faults: NameServerFaults) {
        self.faults = faults;
    }

    /// Stops executing; what arrives is kept.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Executes all that came while frozen, and goes on.
    pub fn thaw(&mut self, now: Instant) {
        self.frozen = false;
        for conn in self.links.ids() {
            self.receive(now, conn, &[]);
        }
        self.handle_timeout(now);
    }

    /// Forgets all brokers, routes and values, as a new process on an empty disk.
    pub fn forget(&mut self) {
        self.registry = Registry::default();
        self.kv.clear();
    }

    /// Takes a registration as if it had come over the wire, from no connection.
    pub fn register(&mut self, now: Instant, registration: &Registration) {
        self.take_registration(now, None, registration);
    }

    /// Takes an unregistration as if it had come over the wire.
    pub fn unregister(&mut self, broker: &str, id: i64) {
        if !self.faults.stale {
            self.registry.unregister(broker, id);
        }
    }

    /// Forgets all brokers and routes, as a process that starts again: values are on its disk.
    pub fn forget_routes(&mut self) {
        self.registry = Registry::default();
    }

    /// Takes or gives the write permission of all queues of a broker.
    pub fn set_writable(&mut self, broker: &str, writable: bool) {
        self.registry.set_writable(broker, writable);
    }

    /// Forgets the route of a topic, until a broker registers it anew.
    pub fn delete_topic(&mut self, topic: &str) {
        self.registry.remove_topic(topic);
    }

    /// Sets the order configuration of a topic, such as `broker-a:4;broker-b:2`.
    pub fn set_order(&mut self, topic: &str, order: &str) {
        let key = (requests::ORDER_NAMESPACE.to_owned(), topic.to_owned());
        self.kv.insert(key, order.to_owned());
    }

    /// The address of broker `id` under the name `broker`, if it is registered.
    pub fn broker_address(&self, broker: &str, id: i64) -> Option<&str> {
        self.registry.address(broker, id)
    }

    /// The topics that have a route, in order.
    pub fn topics(&self) -> Vec<String> {
        self.registry.topics()
    }

    /// Requests taken so far.
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// The open connections that peers have made.
    pub fn connections(&self) -> usize {
        self.links.accepted()
    }

    fn take_registration(&mut self, now: Instant, conn: Option<ConnId>, of: &Registration) {
        if self.faults.stale {
            return reached!(RegisteredStale);
        }
        reached!(Registered);
        let silence_max = of.silence_max.unwrap_or(self.config.broker_silence_max);
        self.registry.register(now, conn, silence_max, of);
        if self.scan_at.is_none() {
            self.scan_at = Some(now + self.config.scan_period);
        }
    }

    fn reply(&mut self, now: Instant, ticket: Ticket, answer: Answer) {
        if ticket.one_way || self.faults.silent {
            reached!(ServerSilent);
            return;
        }
        if self.faults.delay > Duration::ZERO {
            reached!(ServerSlow);
            self.later.put(now + self.faults.delay, (ticket, answer));
        } else {
            self.write(ticket, &answer);
        }
    }

    fn write(&mut self, ticket: Ticket, answer: &Answer) {
        let form = AnswerForm { release: self.config.release, own: self.config.serialize };
        self.links.send(ticket.conn, |out| form.write(out, &ticket, answer));
    }

    fn scan(&mut self, now: Instant) {
        let Some(at) = self.scan_at else { return };
        if at > now {
            return;
        }
        self.scan_at = Some(now + self.config.scan_period);
        if self.faults.stale {
            return;
        }
        for conn in self.registry.expire(now) {
            self.links.close(conn);
        }
        if self.registry.is_empty() {
            self.scan_at = None;
        }
    }
}

impl Frames for NameServer {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    fn handle_frame(
        &mut self,
        now: Instant,
        conn: ConnId,
        frame: &Frame<'_>,
    ) -> Result<(), WireError> {
        let request = Request::decode(conn, self.links.peer(conn), frame)?;
        if request.header.is_response() {
            return Ok(());
        }
        self.requests += 1;
        let answer = self.execute(now, &request).unwrap_or_else(Answer::bad_request);
        let unknown = answer.code == response::REQUEST_CODE_NOT_SUPPORTED;
        if !(unknown && self.config.release == Release::V4_9_7) {
            self.reply(now, request.ticket(), answer);
        }
        Ok(())
    }
}

impl Node for NameServer {
    fn handle_start(&mut self, now: Instant) {
        self.links.reset();
        self.later.clear();
        self.frozen = false;
        self.scan_at = Some(now + self.config.scan_period);
    }

    fn handle_accepted(&mut self, _now: Instant, conn: ConnId, peer: SocketAddr) {
        self.links.accept(conn, peer);
    }

    fn handle_connected(&mut self, _now: Instant, _conn: ConnId) {}

    fn handle_received(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        if self.frozen {
            reached!(ServerFrozen);
            self.links.keep(conn, bytes);
        } else {
            self.receive(now, conn, bytes);
        }
    }

    fn handle_closed(&mut self, _now: Instant, conn: ConnId) {
        self.links.remove(conn);
        if !self.faults.stale {
            self.registry.disconnect(conn);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.frozen {
            return;
        }
        while let Some((ticket, answer)) = self.later.take(now) {
            self.write(ticket, &answer);
        }
        self.scan(now);
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.links.poll() {
            return output;
        }
        let wake_at = [self.scan_at, self.later.next_at()].into_iter().flatten().min();
        Output::Idle { wake_at: wake_at.filter(|_| !self.frozen) }
    }

    fn take_bytes(&mut self, conn: ConnId, out: &mut Vec<u8>) {
        self.links.take_bytes(conn, out);
    }
}
