//! What can be chosen about a producer, what is chosen by default, and what each choice costs.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use crate::budget::RetryBudget;
use crate::compress::Compress;
use crate::names::{Address, GroupName};
use crate::trace::Trace;
use crate::wire::SerializeType;
use crate::wire::acl::Credentials;

/// The response codes after which Java 5.4.0 tries another broker
/// (`DefaultMQProducer.java`, `retryResponseCodes`).
pub const JAVA_RETRY_CODES: [i32; 8] = [1, 2, 14, 16, 17, 204, 205, 1500];

/// What is particular to the place where a producer runs. The core has no other source of time,
/// randomness or identity.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Environment {
    /// Seed of every random choice. Two producers must not share one: ids come from it too.
    pub seed: u64,
    /// Wall clock at [`Instant::ZERO`](crate::Instant::ZERO), in milliseconds since 1970. It is
    /// used for born timestamps and ids only, never for a timer.
    pub unix_ms: u64,
    /// Local time minus UTC. The message id counts from the start of the *local* month
    /// (`MessageClientIDSetter.java`); a wrong offset shifts the time that consumers read from it.
    pub utc_offset_ms: i64,
    /// This host's address, part of ids and of the client id.
    pub ip: IpAddr,
    /// This process's number, part of ids and of the client id.
    pub process: u32,
}

impl Environment {
    /// An environment with this seed and wall clock on an unnamed host in UTC.
    pub fn new(seed: u64, unix_ms: u64) -> Self {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self { seed, unix_ms, utc_offset_ms: 0, ip, process: 0 }
    }
}

/// How a producer behaves. Write `Config { field, ..Config::default() }`: fields are added without
/// notice. Values that would make no progress (an interval of zero, no attempt at all) are raised
/// to the smallest that does. [`Config::default`] is safe: attempt cap, ejection with probes, route
/// refresh on evidence, retry budget, bounded memory. [`Config::java`] is the Java client 5.4.0.
#[derive(Clone, Debug)]
pub struct Config {
    /// Producer group. Default `RUST_PRODUCER`; it matters for transactions, in traces and to
    /// people who look at the broker, so name it after the service.
    pub group: GroupName,
    /// Name servers. Default none: every send then fails with
    /// [`ErrorKind::NoNameServer`](crate::ErrorKind::NoNameServer).
    pub name_servers: Vec<Address>,
    /// Instance name, the second part of the client id. Default `None`: process number and a random
    /// number, as Java does for its `DEFAULT`.
    pub instance_name: Option<String>,
    /// Unit name, appended to the client id. Default `None`.
    pub unit_name: Option<String>,
    /// Unit mode: brokers that create a topic mark it as one of a unit. Default false.
    pub unit_mode: bool,
    /// Namespace of old (`MQ_INST_…`): topics and the group are sent as `namespace%name` and shown
    /// without it; names that are inside it already, and those of the system, stay
    /// (`NamespaceUtil.java`). Default `None`: that of the first name server, if its host is the
    /// endpoint of an instance (`MQ_INST_…_….host`).
    pub namespace: Option<String>,
    /// Namespace as brokers and proxies since 5.2 know it: names stay, every request says which
    /// (fields `ns` and `nsd`). Default `None`.
    pub namespace_v2: Option<String>,
    /// Zone that every request names (`__ZONE_NAME`), so that name servers answer with brokers of
    /// this zone. Default `None`.
    pub zone: Option<String>,
    /// Announce requests as those of a stream client (`ReqT`, and `STREAM` in the client id).
    /// Default false.
    pub stream_requests: bool,
    /// Who signs requests, for clusters with access control. Default `None`: nobody.
    pub credentials: Option<Credentials>,
    /// Whether and how sends are traced. Default `None`: not at all, which costs nothing.
    pub trace: Option<Trace>,
    /// Whether [`Output::Event`](crate::Output::Event) is given out. Default false.
    pub events: bool,
    /// Encoding of request headers. Default JSON, which every peer reads; `RocketMq` is a quarter
    /// smaller and cheaper on both sides. Answers are read in either, whatever is chosen here.
    pub header: SerializeType,
    /// Language code announced in every request. Default 12 (RUST); Java announces 0.
    pub language: u8,
    /// Protocol version announced in every request. Default 493 (5.4.0), which makes brokers that
    /// shut down gracefully answer `GO_AWAY`; we handle it.
    pub version: i32,

    /// Longest time from the call to its answer: route lookup, dialling, waiting and every attempt
    /// included. Default 3 s, as Java.
    pub send_timeout: Duration,
    /// Longest time for one attempt. Default 1 s: a broker that hangs leaves time for two others.
    /// Raise it when brokers flush or replicate synchronously and slowly, or a late answer makes a
    /// duplicate. `None` (Java): one attempt may use up everything.
    pub attempt_timeout: Option<Duration>,
    /// Most attempts that may have reached a broker that serves. Default 3, as Java's 1 + 2.
    pub attempts_max: u32,
    /// Most attempts in all, those included that surely reached no broker (refused dial, cut before
    /// the first byte) or one that takes nothing more because it shuts down (`GO_AWAY`). They cost
    /// no duplicate, so by default, 16, they go on with backoff while there is time. Java counts
    /// all alike: 3.
    pub attempts_all_max: u32,
    /// Response codes after which another broker is tried. Default [`JAVA_RETRY_CODES`].
    pub retry_codes: Vec<i32>,
    /// What to do when an attempt may have been stored and no answer came. Default
    /// [`OnUnknown::Retry`], as Java: at the price of a possible duplicate (of the same message
    /// id). [`OnUnknown::Stop`]: never a duplicate from this producer, more errors.
    pub on_unknown: OnUnknown,
    /// How many retries of timed-out and refused-as-busy requests are allowed in relation to
    /// sends. Default 10 % with a reserve of 1,000. Moving from a broker that has gone silent to one
    /// that is well is free: it adds no load. `None` (Java): unbounded, which multiplies the load
    /// on a cluster that is already overloaded.
    pub retry_budget: Option<RetryBudget>,
    /// Pause before a broker is tried again that has just refused. Default 10 ms, doubled each
    /// time up to 200 ms, give or take a quarter. Another broker is tried at once. A first pause of
    /// zero (Java) is no pause, and neither waits for name servers to come back, nor rests between
    /// dials of a dead address, nor asks early for brokers that left the route, nor replaces a queue
    /// that the broker turns out not to have.
    pub backoff: Backoff,
    /// Pause before an address is dialled again that could not be reached, give or take a quarter.
    /// Default 50 ms, doubled each time up to 500 ms, however many sends want it. Many clients that
    /// come back to one bridge or proxy want longer ones. None if `backoff.first` is zero (Java).
    pub redial: Backoff,
    /// What a receipt must promise to be a success. Default [`Require::Stored`], as Java: every
    /// status with which the broker says "stored".
    pub require: Require,
    /// Try another broker when the status is not `SEND_OK`. Default false, as Java's
    /// `retryAnotherBrokerWhenNotStoreOK`; true makes duplicates, for the message was stored.
    pub retry_not_ok: bool,

    /// How brokers that fail or are slow are avoided.
    pub health: Health,
    /// In which order queues take turns when a send names none.
    pub rotation: Rotation,

    /// How old a route may grow before it is asked for again. Default 30 s, as Java.
    pub route_poll: Duration,
    /// Shortest pause between two lookups of one topic, whatever the evidence. Default 1 s. As long
    /// as the poll, 30 s (Java): no evidence makes a difference.
    pub route_refresh_min: Duration,
    /// Longest wait for one answer of a name server, heartbeat or probe. Default 3 s
    /// (`mqClientApiTimeout`).
    pub request_timeout: Duration,
    /// Wait before a second name server is asked the same. Default 250 ms: a dead one costs that
    /// much, once. `None` (Java): the next is asked only after the first has failed.
    pub name_server_hedge: Option<Duration>,
    /// How long "no such topic" is remembered, give or take a quarter. Default 1 s. Sends within it
    /// fail at once and ask nobody. Zero (Java): every send asks.
    pub absent_for: Duration,
    /// Whether a topic that no name server knows is sent to the brokers that announce
    /// [`Config::create_topic_key`], which then create it. Default false: the new topic lives only
    /// on the brokers that were hit. Java: true.
    pub auto_create_topics: bool,
    /// Topic from which a broker copies a topic that it creates. Default `TBW102`.
    pub create_topic_key: String,
    /// Queues of a topic that a broker creates. Default 4.
    pub default_topic_queues: u32,

    /// Interval of heartbeats to every connected broker. Default 30 s, as Java; brokers forget a
    /// producer after 120 s.
    pub heartbeat: Duration,
    /// A connection that carried nothing for so long is closed. Default 120 s, as Java.
    pub idle_timeout: Duration,
    /// Longest time for one dial, the attempt cap notwithstanding. Default 3 s, as Java.
    pub connect_timeout: Duration,
    /// Send to the brokers' second port, two below the advertised one (Java's
    /// `vipChannelEnabled`), and ask most questions there; heartbeats, good-byes, ends of
    /// transactions and recalls go to the advertised one (spec §8.9). Costs a second connection a
    /// broker. Proxies do not listen there. Default false, as Java.
    pub vip_channel: bool,
    /// Advertised address → address to dial, for brokers behind docker, kubernetes or NAT.
    pub address_map: Vec<(Address, Address)>,

    /// Most sends in hand, waiting or under way. Default 65,536. Past it a send waits for room, or
    /// is given back by `try_send`.
    pub sends_max: usize,
    /// Most bytes in hand. A message counts twice its body, properties and 512 bytes: it is held as
    /// it is, and as a frame until a connection has taken it. Default 128 MiB. One message alone
    /// always fits.
    pub bytes_max: usize,
    /// Most sends that wait for room; past it a send fails at once with
    /// [`ErrorKind::Full`](crate::ErrorKind::Full). Default 65,536.
    pub waiting_max: usize,
    /// Most bytes that wait for room, counted in the same way; past it a send fails at once. Default
    /// 128 MiB.
    pub waiting_bytes_max: usize,
    /// Whether sends share requests, and for how long they wait for one another. Default `None`:
    /// each goes alone.
    pub auto_batch: Option<AutoBatch>,
    /// Whether drivers compress bodies, and how. Default `None`: it takes the caller's time, some
    /// milliseconds a megabyte, and brokers keep what they get. Java does it by default
    /// ([`Compress::default`]). The core itself sends what it is given
    /// ([`Message::with_compressed`](crate::Message::with_compressed)).
    pub compression: Option<Compress>,
    /// Longest body, before compression. Default 4 MiB, as Java and the broker.
    pub message_bytes_max: usize,
    /// Longest frame accepted from a peer. Default 16 MiB, as Java.
    pub frame_bytes_max: usize,
    /// Most topics known at a time. Default 65,536. A send to one more is refused.
    pub topics_max: usize,
}

/// A frame's length is a signed 32-bit number; its header takes some of it.
const BODY_BYTES_MAX: usize = 1 << 30;

impl Default for Config {
    fn default() -> Self {
        Self {
            group: GroupName::new("RUST_PRODUCER").expect("a constant that is valid"),
            name_servers: Vec::new(),
            instance_name: None,
            unit_name: None,
            unit_mode: false,
            namespace: None,
            namespace_v2: None,
            zone: None,
            stream_requests: false,
            credentials: None,
            trace: None,
            events: false,
            header: SerializeType::Json,
            language: 12,
            version: 493,
            send_timeout: Duration::from_secs(3),
            attempt_timeout: Some(Duration::from_secs(1)),
            attempts_max: 3,
            attempts_all_max: 16,
            retry_codes: JAVA_RETRY_CODES.to_vec(),
            on_unknown: OnUnknown::Retry,
            retry_budget: Some(RetryBudget::default()),
            backoff: Backoff::default(),
            redial: Backoff {
                first: Duration::from_millis(50),
                longest: Duration::from_millis(500),
            },
            require: Require::Stored,
            retry_not_ok: false,
            health: Health::Adaptive(Adaptive::default()),
            rotation: Rotation::BrokerFirst,
            route_poll: Duration::from_secs(30),
            route_refresh_min: Duration::from_secs(1),
            request_timeout: Duration::from_secs(3),
            name_server_hedge: Some(Duration::from_millis(250)),
            absent_for: Duration::from_secs(1),
            auto_create_topics: false,
            create_topic_key: String::from("TBW102"),
            default_topic_queues: 4,
            heartbeat: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(3),
            vip_channel: false,
            address_map: Vec::new(),
            sends_max: 65_536,
            bytes_max: 128 << 20,
            waiting_max: 65_536,
            waiting_bytes_max: 128 << 20,
            auto_batch: None,
            compression: None,
            message_bytes_max: 4 << 20,
            frame_bytes_max: 16 << 20,
            topics_max: 65_536,
        }
    }
}

impl Config {
    /// The behaviour of Java's `DefaultMQProducer` 5.4.0 in its default configuration: round robin
    /// over all queues, three attempts without pause, one budget of time for all of them, no fault
    /// strategy, routes asked for at their poll only, topics created on demand.
    pub fn java() -> Self {
        Self {
            language: 0,
            attempt_timeout: None,
            attempts_all_max: 3,
            retry_budget: None,
            backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO },
            health: Health::Off,
            rotation: Rotation::Java,
            route_refresh_min: Duration::from_secs(30),
            name_server_hedge: None,
            absent_for: Duration::ZERO,
            auto_create_topics: true,
            compression: Some(Compress::default()),
            ..Self::default()
        }
    }

    /// The same with every value that would make no progress raised to one that does: an interval
    /// of zero, a limit of nothing.
    pub(crate) fn bounded(mut self) -> Self {
        self.derive_namespace();
        const SHORTEST: Duration = Duration::from_millis(100);
        for interval in [&mut self.route_poll, &mut self.heartbeat, &mut self.idle_timeout] {
            *interval = (*interval).max(SHORTEST);
        }
        for timeout in [&mut self.request_timeout, &mut self.connect_timeout] {
            *timeout = (*timeout).max(Duration::from_millis(1));
        }
        self.redial.first = self.redial.first.max(Duration::from_millis(1));
        for backoff in [&mut self.backoff, &mut self.redial] {
            backoff.longest = backoff.longest.max(backoff.first);
        }
        let hedge = self.name_server_hedge;
        self.name_server_hedge = hedge.map(|hedge| hedge.max(Duration::from_millis(1)));
        if let Health::Adaptive(adaptive) = &mut self.health {
            adaptive.probe_interval = adaptive.probe_interval.max(SHORTEST);
            adaptive.probe_timeout = adaptive.probe_timeout.max(Duration::from_millis(1));
        }
        if let Health::Java(table) = &mut self.health {
            table.detect_interval = table.detect_interval.max(SHORTEST);
        }
        for limit in [&mut self.attempts_max, &mut self.attempts_all_max] {
            *limit = (*limit).max(1);
        }
        self.sends_max = self.sends_max.max(1);
        self.topics_max = self.topics_max.max(1);
        self.message_bytes_max = self.message_bytes_max.min(BODY_BYTES_MAX);
        self.frame_bytes_max = self.frame_bytes_max.max(4096);
        let bytes_max = self.message_bytes_max;
        self.auto_batch = self.auto_batch.map(|limits| limits.bounded(bytes_max));
        self
    }

    /// The address to dial for one that a route names.
    pub(crate) fn dialled<'a>(&'a self, advertised: &'a Address) -> &'a Address {
        let entry = self.address_map.iter().find(|(from, _)| from == advertised);
        entry.map_or(advertised, |(_, to)| to)
    }
}

/// How sends share requests, as Java's do with `autoBatch`. Each keeps its own receipt, deadline
/// and cancellation; an error is that of all that were in the request.
///
/// Sends go together that have topic, group, tag, queue choice, "wait for flush and replication",
/// [`Require`] and attempt timeout in common. Messages that are delayed, compressed, have a
/// priority, go one-way, are part of a transaction or of request and reply, choose their queue by a
/// selector or at random, or are longer than `bytes_max`, go alone.
///
/// A message leaves at once if nothing of its kind is under way. While something is, messages wait
/// for one another until they are as many as are under way, or one of these limits is reached: one
/// request gathers while another is on its way, and a lone sender waits for nobody. Messages of one
/// ordering key wait for the one before them in any case, and then go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoBatch {
    /// Most bytes of a request's body. Default 32 KiB, as Java; at most
    /// [`Config::message_bytes_max`].
    pub bytes_max: usize,
    /// Most messages in a request. Default 256.
    pub messages_max: usize,
    /// Longest wait of a message for others. Default 10 ms, as Java; at most 30 s. A send whose
    /// timeout is not longer goes alone.
    pub linger: Duration,
}

impl Default for AutoBatch {
    fn default() -> Self {
        Self { bytes_max: 32 << 10, messages_max: 256, linger: Duration::from_millis(10) }
    }
}

/// What follows an attempt of which nobody knows whether it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// Try again: a duplicate is possible, with the same message id.
    Retry,
    /// Report it at once.
    Stop,
}

/// A pause that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(10), longest: Duration::from_millis(200) }
    }
}

/// What the broker must have said for a send to succeed. A message below it is stored all the same:
/// the error's outcome is [`Outcome::Unknown`](crate::Outcome::Unknown) and names the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Require {
    /// Any of the four statuses.
    Stored,
    /// Not `FLUSH_DISK_TIMEOUT`.
    Flushed,
    /// Neither `FLUSH_SLAVE_TIMEOUT` nor `SLAVE_NOT_AVAILABLE`.
    Replicated,
    /// `SEND_OK` and nothing else.
    SendOk,
}

/// How queues take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// First the brokers in turn, then the queues of each: a retry or a short burst meets every
    /// broker once before any twice, and brokers share the load evenly whatever their queue counts.
    BrokerFirst,
    /// All queues of the topic in the route's order, from a random start (`TopicPublishInfo.java`).
    Java,
}

/// How brokers that fail are avoided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not at all, but that a retry avoids the broker that has just failed (Java's default).
    Off,
    /// `MQFaultStrategy.java` of 5.1.4 and later with `sendLatencyFaultEnable=true`.
    Java(FaultTable),
    /// Ejection on evidence, with probes: the default.
    Adaptive(Adaptive),
}

/// Java's fault strategy: an answer's latency decides for how long its broker is avoided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultTable {
    /// Latency from which an entry applies, and how long the broker is avoided then; ascending.
    pub steps: Vec<(Duration, Duration)>,
    /// Latency that a failure counts as (10 s since 5.1.4, 30 s before).
    pub failure_latency: Duration,
    /// Ask brokers that are marked unreachable whether they answer again (`startDetectorEnable`).
    pub detector: bool,
    /// Pause between two such questions to one broker (`detectInterval`).
    pub detect_interval: Duration,
    /// Longest wait for their answer (`detectTimeout`).
    pub detect_timeout: Duration,
}

impl Default for FaultTable {
    /// The table of 5.1.4 and later.
    fn default() -> Self {
        let ms = Duration::from_millis;
        let steps = [
            (50, 0),
            (100, 0),
            (550, 2_000),
            (1_800, 5_000),
            (3_000, 6_000),
            (5_000, 10_000),
            (15_000, 30_000),
        ];
        Self {
            steps: steps.iter().map(|&(latency, avoid)| (ms(latency), ms(avoid))).collect(),
            failure_latency: ms(10_000),
            detector: false,
            detect_interval: ms(2_000),
            detect_timeout: ms(200),
        }
    }
}

impl FaultTable {
    /// For how long a broker is avoided after an answer that took so long
    /// (`MQFaultStrategy.computeNotAvailableDuration`).
    pub fn stay(&self, latency: Duration) -> Duration {
        let step = self.steps.iter().rev().find(|(from, _)| latency >= *from);
        step.map_or(Duration::ZERO, |&(_, stay)| stay)
    }
}

/// Ejection on evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adaptive {
    /// A broker that owes answers and has said nothing for so long gets no new sends while another
    /// one can take them. Default 200 ms.
    pub silence: Duration,
    /// Pause between two probes of an ejected broker, give or take a quarter. Default 1 s. The
    /// first answer puts the broker on trial with one send.
    pub probe_interval: Duration,
    /// Longest wait for the answer to a probe. Default 1 s.
    pub probe_timeout: Duration,
    /// Failed answers in a row (busy, error) after which a broker is ejected. Default 3. A refused
    /// dial, a lost connection, and a timeout with nothing heard since, eject at once.
    pub failures: u32,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            silence: Duration::from_millis(200),
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_secs(1),
            failures: 3,
        }
    }
}
