//! The producer: what comes in, what goes out, and who does what in between. Read this first.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::accumulator::Accumulator;
use crate::ask::Ask;
use crate::budget::Account;
use crate::config::{Config, Environment};
use crate::connection::{ConnId, Connection};
use crate::connection_end::ConnectionEnd;
use crate::error::{ErrorKind, Outcome, SendError};
use crate::groups::{Group, GroupId};
use crate::has;
use crate::in_flight::InFlight;
use crate::lane::Lane;
use crate::message::Message;
use crate::name_servers::NameServer;
use crate::names::TopicName;
use crate::output::{CloseReport, Output, Stats};
use crate::query::Query;
use crate::random::Random;
use crate::request_reply::Requests;
use crate::route::{Hasher, Map, Routes, TopicId};
use crate::send::{Send, SendId, SendOptions, Stage};
use crate::send_frame::Templates;
use crate::slab::{Key, Slab};
use crate::stamp::Stamp;
use crate::time::Instant;
use crate::trace::Tracer;
use crate::unique_id::{IdGenerator, MessageId};
use crate::waiters::Waiters;
use crate::wire::acl::Credentials;
use crate::wire::client;

/// A RocketMQ producer without I/O. `T` is the caller's ticket: whatever it wants back with the
/// answer.
///
/// **Asks** of the application: [`send`](Self::send), [`cancel`](Self::cancel),
/// [`query_route`](Self::query_route), [`set_name_servers`](Self::set_name_servers),
/// [`close`](Self::close).
/// **Reports** of the outside: [`handle_connected`](Self::handle_connected),
/// [`handle_received`](Self::handle_received), [`handle_closed`](Self::handle_closed),
/// [`handle_timeout`](Self::handle_timeout), [`set_wall_clock`](Self::set_wall_clock).
/// **Wishes** of the core: [`poll_output`](Self::poll_output) until it says
/// [`Output::Idle`], and [`take_bytes`](Self::take_bytes).
///
/// Any number of asks and reports may come before the outputs are drained. `now` never goes back;
/// if it does, the latest instant seen counts. The same calls with the same configuration and
/// environment give the same outputs, byte for byte.
pub struct Producer<T> {
    pub(crate) config: Config,
    pub(crate) client_id: String,
    pub(crate) templates: Templates,
    pub(crate) stamp: Stamp,
    /// It was said that a broker refuses the credentials.
    pub(crate) credentials_refused: bool,
    /// The first is that of the configuration.
    pub(crate) groups: Vec<Group>,
    pub(crate) default_topic: String,
    pub(crate) ids: IdGenerator,
    pub(crate) random: Random,
    pub(crate) account: Account,
    pub(crate) now: Instant,
    /// Wall clock minus `now`, in milliseconds.
    pub(crate) wall_offset_ms: i64,

    pub(crate) sends: Slab<Send<T>>,
    /// By slot of `sends`: when something has to happen to the send.
    pub(crate) due: Vec<Instant>,
    /// No send is due before.
    pub(crate) earliest: Instant,
    /// Sends whose wait is over; they go on at the end of the call.
    pub(crate) ready: VecDeque<Key>,
    pub(crate) room: Waiters,
    pub(crate) waiting_for_room: usize,
    pub(crate) bytes_waiting: usize,
    pub(crate) sends_admitted: usize,
    pub(crate) bytes_admitted: usize,
    pub(crate) lanes: Map<(TopicId, u64), Lane>,
    /// When the order of a lane broke, for those of it that wait for room.
    pub(crate) broken: Map<(TopicId, u64), Instant>,

    pub(crate) accumulator: Accumulator,

    pub(crate) routes: Routes,
    pub(crate) name_servers: Vec<NameServer>,
    /// Why there is no name server yet, if one is to come.
    pub(crate) awaited: Option<String>,
    pub(crate) current_server: usize,
    pub(crate) lookup_number: u32,
    pub(crate) lookups: Vec<TopicId>,
    pub(crate) suspects: Vec<(TopicId, Instant)>,
    pub(crate) queries: Vec<Query<T>>,
    pub(crate) asks: Slab<Ask<T>>,
    pub(crate) requests: Requests<T>,
    pub(crate) tracer: Option<Box<Tracer>>,
    /// Connections to all known brokers are wanted: they will ask us, or bring us replies.
    pub(crate) stays_connected: bool,
    pub(crate) poll_at: Instant,
    pub(crate) poll_cursor: usize,
    /// Grows when the queues that can be used change.
    pub(crate) epoch: u64,

    pub(crate) conns: Slab<Connection>,
    pub(crate) in_flight: InFlight,
    /// Requests that are not sends, with their deadlines.
    pub(crate) chores: Vec<Chore>,
    /// No chore is due before.
    pub(crate) chores_at: Instant,

    pub(crate) outputs: VecDeque<Output<T>>,
    pub(crate) closing: Option<Closing>,
    pub(crate) regions: crate::settle::Regions,
    pub(crate) stats: Stats,
}

/// A request that is not a send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chore {
    pub(crate) opaque: i32,
    pub(crate) conn: Key,
    pub(crate) due: Instant,
}

/// A close under way.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) deadline: Instant,
    pub(crate) stage: ClosingStage,
    pub(crate) report: CloseReport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClosingStage {
    /// Sends are still in hand.
    Draining,
    /// Brokers were told good-bye; wait for their answer until then.
    Leaving {
        until: Instant,
    },
    Closed,
}

/// Deadlines are met at multiples of this, so that a thousand of them cost one wake-up.
const ROUNDING: Duration = Duration::from_millis(10);
/// How long brokers have to answer the good-bye.
pub(crate) const LEAVING: Duration = Duration::from_millis(300);

impl<T> Producer<T> {
    /// A producer at the origin of time. Nothing happens before the first send, query or close.
    pub fn new(config: Config, environment: Environment) -> Self {
        let config = config.bounded();
        let mut random = Random::new(environment.seed);
        let ids = IdGenerator::new(
            environment.ip,
            environment.process,
            environment.utc_offset_ms,
            Random::new(random.next_u64()),
        );
        let hash_seed = random.next_u64();
        let instance = match &config.instance_name {
            Some(name) => name.clone(),
            None => alloc::format!("{}#{}", environment.process, random.next_u64() >> 1),
        };
        let ip = if has::OWN_IP { environment.ip.to_string() } else { String::from("127.0.0.1") };
        let unit = config.unit_name.as_deref();
        let client_id = client::client_id(&ip, &instance, unit, config.stream_requests);
        let groups = alloc::vec![Group::new(&config, config.group.clone())];
        let servers = config.name_servers.iter().cloned();
        let name_servers: Vec<NameServer> = servers.map(NameServer::new).collect();
        let current_server = match u32::try_from(name_servers.len()) {
            Ok(count) if count > 0 => random.below(count) as usize,
            _ => 0,
        };
        Self {
            templates: Templates::new(&config),
            stamp: Stamp::new(&config),
            credentials_refused: false,
            groups,
            default_topic: String::from("TBW102"),
            account: Account::new(config.retry_budget),
            client_id,
            tracer: config.trace.as_ref().filter(|_| has::TRACE).map(Tracer::new),
            config,
            ids,
            random,
            now: Instant::ZERO,
            wall_offset_ms: i64::try_from(environment.unix_ms).unwrap_or(0),
            sends: Slab::new(),
            due: Vec::new(),
            earliest: Instant::FAR,
            ready: VecDeque::new(),
            room: Waiters::default(),
            waiting_for_room: 0,
            bytes_waiting: 0,
            sends_admitted: 0,
            bytes_admitted: 0,
            lanes: Map::with_hasher(Hasher::with_seed(hash_seed)),
            broken: Map::with_hasher(Hasher::with_seed(hash_seed)),
            accumulator: Accumulator::new(hash_seed),
            routes: Routes::new(hash_seed),
            name_servers,
            awaited: None,
            current_server,
            lookup_number: 0,
            lookups: Vec::new(),
            suspects: Vec::new(),
            queries: Vec::new(),
            asks: Slab::new(),
            requests: Requests::new(),
            stays_connected: false,
            poll_at: Instant::FAR,
            poll_cursor: 0,
            epoch: 0,
            conns: Slab::new(),
            in_flight: InFlight::new(),
            chores: Vec::new(),
            chores_at: Instant::FAR,
            outputs: VecDeque::new(),
            closing: None,
            regions: crate::settle::Regions::new(),
            stats: Stats::default(),
        }
    }

    /// Takes over a message. Its ticket comes back exactly once: with [`Output::Completed`], with
    /// [`Output::Written`] for a one-way send, or from [`cancel`](Self::cancel).
    ///
    /// If there is no room, it waits for room within its deadline; to be told instead, ask
    /// [`has_room`](Self::has_room) first.
    pub fn send(
        &mut self,
        now: Instant,
        ticket: T,
        message: Message,
        options: SendOptions,
    ) -> SendId {
        self.advance(now);
        self.start(ticket, message, options, None)
    }

    /// The caller of a send has lost interest. Its ticket comes back, `None` if the send has ended
    /// already. If no byte of it was taken, it is not sent. Else it goes on by itself, without
    /// retries, and its answer is counted as late; an ordered one keeps its place in the lane.
    pub fn cancel(&mut self, now: Instant, id: SendId) -> Option<T> {
        self.advance(now);
        let key = id.0;
        let send = self.sends.get_mut(key)?;
        let ticket = send.ticket.take()?;
        self.stats.cancelled += 1;
        let in_lane = send.lane().is_some();
        let outcome = send.outcome;
        if let Stage::Carried(carrier) = send.stage {
            self.leave_carrier(key, carrier);
            self.remove(key, Outcome::NotSent, |_| ());
            self.run_ready();
            return Some(ticket);
        }
        if let Stage::Under(under) = send.stage {
            let left = self.conns.get(under.conn).is_none_or(|conn| !conn.holds(under.from));
            if left && in_lane && !planted!(CancelFreesLane) {
                reached!(CancelInLane);
                return Some(ticket);
            }
            reached!(CancelUnderWay);
            self.abandon_attempt(key);
        }
        self.remove(key, outcome, |_| ());
        self.run_ready();
        Some(ticket)
    }

    /// Asks for a topic's route, looked up if it is not known; answered by [`Output::Route`] within
    /// `timeout`. With `connect`, its brokers are dialled, so that the first send finds them ready.
    pub fn query_route(
        &mut self,
        now: Instant,
        ticket: T,
        topic: &TopicName,
        timeout: Duration,
        connect: bool,
    ) {
        self.advance(now);
        let known = match self.closing {
            Some(_) => Err(ErrorKind::Closed),
            None => self.topic(topic, GroupId::default()),
        };
        match known {
            Ok(topic) => {
                let (begun, deadline) = (self.now, self.now + timeout);
                self.begin_query(Query { ticket, topic, begun, deadline, connect });
            }
            Err(kind) => {
                let outcome = Outcome::NotSent;
                let error = SendError::new(kind, outcome, None, Duration::ZERO, Vec::new());
                self.outputs.push_back(Output::Route { ticket, result: Err(error) });
            }
        }
        self.run_ready();
    }

    /// Accepts no more sends, finishes those in hand until `deadline`, says good-bye to the brokers
    /// and ends with [`Output::Closed`]. What is not finished by then fails, not sent or unknown as
    /// it is. A second call can only bring the deadline forward.
    pub fn close(&mut self, now: Instant, deadline: Instant) {
        self.advance(now);
        match &mut self.closing {
            Some(closing) if closing.stage == ClosingStage::Closed => {
                return reached!(CloseAfterEnd);
            }
            Some(closing) => {
                reached!(CloseSooner);
                closing.deadline = closing.deadline.min(deadline);
            }
            None => {
                self.closing = Some(Closing {
                    deadline,
                    stage: ClosingStage::Draining,
                    report: CloseReport::default(),
                });
                self.fail_queries();
            }
        }
        self.wake_by(deadline.max(self.now));
        if self.shares().is_some() && !planted!(CloseKeepsBatches) {
            self.all_leave();
        }
        self.go_on_closing();
        self.run_ready();
    }

    /// The connection that [`Output::Connect`] asked for is open.
    pub fn handle_connected(&mut self, now: Instant, conn: ConnId) {
        self.advance(now);
        self.connected(conn.0);
        self.run_ready();
    }

    /// Bytes arrived. They may begin and end anywhere within a frame. After an answer that is not a
    /// frame the connection is given up ([`Output::Close`]).
    pub fn handle_received(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.advance(now);
        self.received(conn.0, bytes);
        self.run_ready();
    }

    /// A connection ended, or could not be made.
    pub fn handle_closed(&mut self, now: Instant, conn: ConnId, end: ConnectionEnd) {
        self.advance(now);
        self.connection_ended(conn.0, &end);
        self.run_ready();
    }

    /// Who is at the other end has announced that it closes this connection soon: it gets no new
    /// requests, and is closed ([`Output::Close`]) when it owes no more answers.
    pub fn handle_leaving(&mut self, now: Instant, conn: ConnId) {
        self.advance(now);
        self.retire(conn.0);
        self.run_ready();
    }

    /// Time has passed. Call it at the instant that [`Output::Idle`] named, earlier or later.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        if self.earliest <= self.now {
            self.expire_sends();
        }
        if self.chores_at <= self.now {
            self.run_chores();
        }
        if self.accumulator.due() <= self.now {
            self.end_lingering();
        }
        self.run_ready();
    }

    /// Corrects the wall clock, which born timestamps and ids are made from. It may jump.
    pub fn set_wall_clock(&mut self, now: Instant, unix_ms: u64) {
        self.advance(now);
        let unix_ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
        if planted!(ClockJumpExpires) {
            let jump = unix_ms - self.wall_offset_ms - self.now.as_millis() as i64;
            self.now = self.now + Duration::from_millis(u64::try_from(jump).unwrap_or(0));
        }
        self.wall_offset_ms = unix_ms.saturating_sub(self.now.as_millis() as i64);
    }

    /// From now on requests are signed by these, or by nobody. Requests under way stay as they are.
    pub fn set_credentials(&mut self, credentials: Option<Credentials>) {
        self.credentials_refused = false;
        self.config.credentials.clone_from(&credentials);
        self.stamp.set_credentials(credentials);
    }

    /// What the core wants done next; [`Output::Idle`] when there is nothing more.
    pub fn poll_output(&mut self) -> Output<T> {
        loop {
            match self.outputs.pop_front() {
                Some(output) => return output,
                None if self.accumulator.leaves() => self.leave(),
                None => return Output::Idle { wake_at: self.wake_at() },
            }
        }
    }

    /// Swaps the bytes to be written to `conn` into `buf`, which is cleared first; its capacity is
    /// kept for the next ones. From then on these bytes count as sent.
    pub fn take_bytes(&mut self, conn: ConnId, buf: &mut Vec<u8>) {
        buf.clear();
        let Some(connection) = self.conns.get_mut(conn.0) else { return };
        for (_, key) in connection.take(buf) {
            self.one_way_written(key);
        }
        self.released(conn.0);
        self.run_ready();
    }

    /// Whether a send of `message` would be under way at once rather than wait for room.
    pub fn has_room(&self, message: &Message) -> bool {
        self.room.is_empty() && self.fits(message.budget_bytes())
    }

    /// Requests of `conn` that wait to be taken or to be answered. By it a driver may tell a crowd,
    /// for which it is worth a moment's wait for more to write at once, from a single send, for
    /// which it is not.
    pub fn under_way(&self, conn: ConnId) -> usize {
        self.conns.get(conn.0).map_or(0, Connection::under_way)
    }

    /// Counters and levels.
    pub fn stats(&self) -> Stats {
        self.without_traces(Stats {
            in_hand: self.sends.len() - self.accumulator.carriers,
            waiting_for_room: self.waiting_for_room,
            bytes_in_hand: self.bytes_admitted,
            bytes_waiting: self.bytes_waiting,
            requests_in_flight: self.in_flight.len(),
            connections: self.conns.len(),
            out_bytes: self.conns.iter().map(|(_, conn)| conn.out_bytes()).sum(),
            ..self.stats
        })
    }

    /// The client id that brokers know this producer by.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn wake_at(&self) -> Option<Instant> {
        let rounding = ROUNDING.as_nanos() as u64;
        let sends = match self.earliest {
            Instant::FAR => Instant::FAR,
            at => Instant::from_nanos(at.as_nanos().div_ceil(rounding).saturating_mul(rounding)),
        };
        Some(sends.min(self.chores_at).min(self.accumulator.due())).filter(|&at| at != Instant::FAR)
    }

    #[inline]
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Wall clock in milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        let millis = i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX);
        u64::try_from(self.wall_offset_ms.saturating_add(millis)).unwrap_or(0)
    }

    /// Makes sure that [`run_chores`](Self::run_chores) is called by then.
    pub(crate) fn wake_by(&mut self, at: Instant) {
        self.chores_at = self.chores_at.min(at);
    }

    pub(crate) fn set_due(&mut self, key: Key, at: Instant) {
        self.due[key.slot as usize] = at;
        self.earliest = self.earliest.min(at);
    }

    /// The id under which a send goes, for those who trace it.
    pub fn message_id(&self, id: SendId) -> Option<MessageId> {
        self.sends.get(id.0).map(|send| send.id)
    }
}
