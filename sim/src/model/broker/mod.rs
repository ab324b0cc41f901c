//! What does a broker store, and what does it answer? The broker, without I/O.
//!
//! It has what producers meet. Consumer groups, static topics, zones, light queues
//! (`INNER_MULTI_DISPATCH`, a plain property here as at brokers that have them switched off) and
//! the message types that only proxies check have no model. Half messages that are delayed, too,
//! are refused with code 3.

mod acl;
mod attributes;
mod clients;
mod config;
mod copy;
mod cut;
mod delay;
mod deliver;
mod fault;
mod inner_batch;
mod log;
mod offsets;
mod read;
mod recall;
mod registrar;
mod replica;
mod reply;
mod send;
mod since;
mod store;
mod topic_admin;
mod topics;
mod transaction;
mod transaction_log;

use std::net::SocketAddr;
use std::time::Duration;

use producer_core::wire::code::request as ask;
use producer_core::wire::send::SendForm;
use producer_core::wire::{Frame, Header, WireError};

use super::answer::{Answer, Request};
use super::links::{Frames, Links};
use super::schedule::Schedule;
use super::{ConnId, Instant, Node, Output};

pub use acl::Account;
pub use config::{BrokerConfig, Replication, TopicConfig};
pub use delay::DelayedMessage;
pub use fault::{Fault, Malformed, Refusal, Status, Times};
pub use log::{Cut, Message, Properties, Why};
pub use transaction_log::Transaction;

use clients::Clients;
use copy::Epochs;
use delay::Delayed;
use deliver::Later;
use fault::Faults;
use log::Log;
use registrar::Registrar;
use replica::Replica;
use reply::Pushes;
use topics::Topics;
use transaction::Transactions;

/// A broker.
///
/// Its log is the truth that a test holds a producer's receipts against: [`Self::messages`].
#[derive(Debug)]
pub struct Broker {
    config: BrokerConfig,
    links: Links,
    registrar: Registrar,
    replica: Replica,
    epochs: Epochs,
    /// Who has a higher one is the later master, for name servers.
    state: i64,
    topics: Topics,
    log: Log,
    clients: Clients,
    transactions: Transactions,
    delayed: Delayed,
    pushes: Pushes,
    /// The next number of a question to a client.
    opaque: i32,
    faults: Faults,
    answer_delay: Duration,
    disk: Disk,
    frozen: bool,
    /// Connections that ended while it was frozen, which it does not know yet.
    ended: Vec<ConnId>,
    later: Schedule<Later>,
    random: u64,
    counters: Counters,
    cuts: Vec<Cut>,
    /// The broker is going away: it does not register, and tells clients to go, too.
    leaving: bool,
}

/// How the disk is.
#[derive(Debug, Default)]
struct Disk {
    full: bool,
    /// Time each send takes, one after the other.
    time: Duration,
    free_at: Instant,
}

/// What has happened to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests taken, of all kinds.
    pub requests: u64,
    /// Sends taken, a batch as one.
    pub sends: u64,
    /// Messages stored, each of a batch.
    pub stored: u64,
    /// Messages that fell out of the log because it became too large.
    pub dropped: u64,
}

impl Broker {
    /// A broker with an empty log.
    pub fn new(config: BrokerConfig) -> Self {
        Self {
            links: Links::new(config.out_bytes_max),
            registrar: Registrar::new(&config.name_servers),
            replica: Replica::default(),
            epochs: Epochs::new(),
            state: 0,
            topics: Topics::new(&config),
            log: Log::new(config.log_bytes_max),
            clients: Clients::default(),
            transactions: Transactions::default(),
            delayed: Delayed::default(),
            pushes: Pushes::default(),
            opaque: 0,
            faults: Faults::default(),
            answer_delay: Duration::ZERO,
            disk: Disk::default(),
            frozen: false,
            ended: Vec::new(),
            later: Schedule::new(),
            random: config.seed,
            counters: Counters::default(),
            cuts: Vec::new(),
            leaving: false,
            config,
        }
    }

    /// Switches a fault on for sends. Faults count in the order they were switched on.
    pub fn fault(&mut self, fault: Fault, times: Times) {
        self.faults.add(fault, times);
    }

    /// Switches all faults of sends off.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Lets each answer to a send leave so much later; [`Duration::ZERO`] for at once.
    pub fn delay_answers(&mut self, by: Duration) {
        self.answer_delay = by;
    }

    /// Lets each send take so much time of the disk, one after the other. Those that would wait
    /// longer than [`BrokerConfig::send_wait_max`] are refused as busy.
    pub fn slow_disk(&mut self, time: Duration) {
        self.disk.time = time;
    }

    /// From now on it knows these accounts, or asks nobody who they are.
    pub fn set_accounts(&mut self, accounts: Option<Vec<Account>>) {
        self.config.accounts = accounts;
    }

    /// Fills or empties the disk.
    pub fn fill_disk(&mut self, full: bool) {
        self.disk.full = full;
    }

    /// Sets the permission bits on top of each topic's own, and registers. Only routes and order
    /// topics look at them, as in Java.
    pub fn set_permission(&mut self, now: Instant, permission: i32) {
        self.config.permission = permission;
        self.topics.changes += 1;
        self.register(now);
    }

    /// Sets whether the broker is a master (0) or a slave, and registers.
    pub fn set_id(&mut self, now: Instant, id: i64) {
        self.config.id = id;
        if id == 0 {
            self.serve_as_master(now);
        }
        self.register(now);
    }

    /// Sets whether name servers may name a slave in the place of its master, and registers.
    pub fn let_slaves_act(&mut self, now: Instant, acting: bool) {
        self.config.acting_master = acting;
        self.register(now);
    }

    /// Sets the address that clients are told, and registers.
    pub fn set_address(&mut self, now: Instant, address: SocketAddr) {
        self.config.address = address;
        self.register(now);
    }

    /// Creates or changes a topic, and registers.
    pub fn set_topic(&mut self, now: Instant, topic: &str, config: TopicConfig) {
        self.topics.set(topic, config);
        self.register(now);
    }

    /// Stops executing, as a stopped process does; what arrives is kept.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Executes all that came while frozen, also from peers that have left since, and goes on.
    pub fn thaw(&mut self, now: Instant) {
        self.frozen = false;
        for conn in self.links.ids() {
            self.receive(now, conn, &[]);
        }
        for conn in std::mem::take(&mut self.ended) {
            self.handle_closed(now, conn);
        }
        self.handle_timeout(now);
    }

    /// The settings as they are now.
    pub const fn config(&self) -> &BrokerConfig {
        &self.config
    }

    /// What has happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The open connections that peers have made.
    pub fn connections(&self) -> usize {
        self.links.accepted()
    }

    /// The ids of clients whose heartbeats are known, in order.
    pub fn clients(&self) -> Vec<String> {
        self.clients.ids()
    }

    /// The topics and their settings, in order of name.
    pub fn topics(&self) -> Vec<(String, TopicConfig)> {
        self.topics.iter().map(|(name, topic)| (name.to_owned(), topic.config)).collect()
    }

    /// Carries out a request, and sees to its answer.
    fn execute(&mut self, now: Instant, request: &Request<'_>) {
        let ticket = request.ticket();
        if let Err(refused) = self.authorize(request) {
            return self.reply(now, ticket, &refused);
        }
        if SendForm::of_code(request.header.code).is_some() {
            let before = self.log.end();
            let (answer, delivery) = self.send(now, request);
            if self.wait_for_client(ticket, &answer, delivery) {
                return self.offer_copy(now);
            }
            return self.deliver_when_copied(now, request, before, answer, delivery);
        }
        if request.header.code == replica::COPY_LOG {
            if let Some(answer) =
                self.copy_log(now, request).unwrap_or_else(|e| Some(Answer::bad_request(e)))
            {
                self.reply(now, ticket, &answer);
            }
            return;
        }
        if request.header.code == ask::END_TRANSACTION {
            if let Some(answer) =
                self.end_transaction(now, request).unwrap_or_else(|e| Some(Answer::bad_request(e)))
            {
                self.reply(now, ticket, &answer);
            }
            return;
        }
        let answer = match request.header.code {
            ask::UPDATE_AND_CREATE_TOPIC => self.create_topic(now, request),
            ask::UPDATE_BROKER_CONFIG => self.update_config(now, request),
            ask::HEART_BEAT => self.heartbeat(now, request),
            ask::UNREGISTER_CLIENT => self.unregister_client(request),
            ask::GET_MAX_OFFSET => self.max_offset(request),
            ask::GET_MIN_OFFSET => self.min_offset(request),
            ask::SEARCH_OFFSET_BY_TIMESTAMP => self.search_offset(request),
            ask::GET_EARLIEST_MSG_STORETIME => self.earliest(request),
            ask::PULL_MESSAGE => self.pull(request),
            ask::VIEW_MESSAGE_BY_ID => self.view(request),
            ask::QUERY_MESSAGE => self.query(request),
            ask::RECALL_MESSAGE => self.recall(now, request),
            code => Ok(Answer::not_supported(code)),
        };
        let answer = answer.unwrap_or_else(Answer::bad_request);
        match request.header.code {
            ask::UPDATE_AND_CREATE_TOPIC | ask::UPDATE_BROKER_CONFIG if answer.code == 0 => {
                self.answer_when_registered(now, ticket, answer);
            }
            _ => self.reply(now, ticket, &answer),
        }
    }

    /// The next number of a splitmix64 sequence.
    const fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn wall_ms(&self, now: Instant) -> i64 {
        self.config.wall_origin_ms.saturating_add_unsigned(now.as_millis())
    }
}

impl Frames for Broker {
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
        if request.header.is_response() && self.is_master(conn) {
            return self.master_answered(now, &request);
        }
        let Header { opaque, code, .. } = request.header;
        if request.header.is_response() && self.client_answered(now, conn, opaque, code) {
            return Ok(());
        }
        if request.header.is_response() {
            self.name_server_answered(now, conn, request.header.opaque);
            return Ok(());
        }
        self.counters.requests += 1;
        let is_send = SendForm::of_code(request.header.code).is_some();
        // Nothing overtakes what the disk has yet to write, also when it is fast again.
        if is_send && (self.disk.time > Duration::ZERO || self.disk.free_at > now) {
            self.hold(now, &request, frame);
        } else {
            self.execute(now, &request);
        }
        Ok(())
    }
}

impl Node for Broker {
    /// The log, topics, faults and settings stay; connections, clients and what waited are gone.
    fn handle_start(&mut self, now: Instant) {
        self.links.reset();
        self.clients = Clients::default();
        self.pushes = Pushes::default();
        self.later.clear();
        self.disk.free_at = now;
        self.frozen = false;
        self.ended.clear();
        self.leaving = false;
        self.registrar.reset(now);
        self.replica.reset(now);
        self.transactions.restart(now);
        self.plan_checks(now);
        self.registrar_timeout(now);
        self.replica_timeout(now);
    }

    fn handle_accepted(&mut self, _now: Instant, conn: ConnId, peer: SocketAddr) {
        self.links.accept(conn, peer);
    }

    fn handle_connected(&mut self, now: Instant, conn: ConnId) {
        if self.is_master(conn) {
            self.master_connected(now);
        } else {
            self.name_server_connected(now, conn);
        }
    }

    fn handle_received(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        if self.frozen {
            reached!(BrokerFrozen);
            self.links.keep(conn, bytes);
        } else {
            self.receive(now, conn, bytes);
        }
    }

    fn handle_closed(&mut self, now: Instant, conn: ConnId) {
        if self.frozen {
            self.ended.push(conn);
        } else if self.links.remove(conn) {
            self.clients.disconnect(conn);
            self.client_lost(now, conn);
            self.peer_closed(now, conn);
            self.name_server_closed(now, conn);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.frozen {
            return;
        }
        while let Some(later) = self.later.take(now) {
            self.run_later(now, later);
        }
        self.registrar_timeout(now);
        self.check_transactions(now);
        self.deliver_delayed(now);
        self.pushes_timeout(now);
        self.replica_timeout(now);
        for conn in self.clients.expire(now) {
            self.links.close(conn);
        }
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.links.poll() {
            return output;
        }
        let due = [
            self.later.next_at(),
            self.registrar.next_at(),
            self.replica.next_at(),
            self.clients.next_at(),
            self.transactions.next_at(),
            self.delayed.next_at(self.config.wall_origin_ms).filter(|_| self.config.id == 0),
            self.pushes.next_at(),
        ];
        Output::Idle { wake_at: due.into_iter().flatten().min().filter(|_| !self.frozen) }
    }

    fn take_bytes(&mut self, conn: ConnId, out: &mut Vec<u8>) {
        self.links.take_bytes(conn, out);
    }
}
