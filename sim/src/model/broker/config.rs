//! What is a broker told at its start?

use std::net::SocketAddr;
use std::time::Duration;

use producer_core::wire::{SerializeType, perm};
use serde::{Deserialize, Serialize};

use super::super::Release;
use super::acl::Account;

/// Settings of a [`super::Broker`]. Defaults are those of Java 5.4.0 where it has them.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Broker name.
    pub name: String,
    /// 0 for a master; slaves refuse sends.
    pub id: i64,
    /// Cluster.
    pub cluster: String,
    /// Address that clients are told and that message ids carry.
    pub address: SocketAddr,
    /// `host:port` of each name server.
    pub name_servers: Vec<String>,
    /// Release it behaves like.
    pub release: Release,
    /// Its own serialize type.
    pub serialize: SerializeType,
    /// Topics there from the start.
    pub topics: Vec<(String, TopicConfig)>,
    /// Whether a send creates its topic.
    pub auto_create_topics: bool,
    /// Whether groups come into being by themselves; none are known otherwise.
    pub auto_create_groups: bool,
    /// Permission bits on top of each topic's own.
    pub permission: i32,
    /// Largest body in bytes.
    pub body_bytes_max: usize,
    /// Whether half messages are refused.
    pub reject_transactions: bool,
    /// Age at which a half message is first asked about.
    pub transaction_timeout: Duration,
    /// Time between looks at all half messages; 4.9.7 has 60 s.
    pub transaction_check_interval: Duration,
    /// How often a half message is asked about before it is given up.
    pub transaction_check_max: u32,
    /// The delay of each level, from level 1 on; a level beyond is the last one.
    pub delay_levels: Vec<Duration>,
    /// Whether timer messages are taken; 4.9.7 never looks at what makes them.
    pub timers: bool,
    /// Timers are rounded to multiples of this.
    pub timer_precision: Duration,
    /// Largest delay of a timer.
    pub timer_max: Duration,
    /// Whether timer messages can be recalled; 5.4.0.
    pub recall: bool,
    /// Whether replies are stored besides being pushed.
    pub store_replies: bool,
    /// Who may do what; `None` if anybody may do anything.
    pub accounts: Option<Vec<Account>>,
    /// Region in each answer.
    pub region: String,
    /// Whether answers ask clients to trace.
    pub trace_on: bool,
    /// Time between registrations.
    pub register_period: Duration,
    /// Wait before a lost name server is tried again.
    pub reconnect_delay: Duration,
    /// How long a send may wait for a slow disk before it is refused as busy.
    pub send_wait_max: Duration,
    /// Wall time at the origin of the clock, in ms since 1970.
    pub wall_origin_ms: i64,
    /// Whether answers to sends wait for a slave.
    pub replication: Replication,
    /// How long they wait.
    pub slave_timeout: Duration,
    /// How long a message waits to be copied if answers do not wait.
    pub copy_delay: Duration,
    /// Whether name servers may name a slave in the place of a master that is gone.
    pub acting_master: bool,
    /// What random choices depend on.
    pub seed: u64,
    /// Log size in bytes above which the oldest messages are dropped.
    pub log_bytes_max: usize,
    /// Unread answer bytes at which a connection is closed.
    pub out_bytes_max: usize,
}

impl BrokerConfig {
    /// The master `name` at `address`.
    pub fn new(name: impl Into<String>, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            id: 0,
            cluster: "DefaultCluster".to_owned(),
            address,
            name_servers: Vec::new(),
            release: Release::default(),
            serialize: SerializeType::Json,
            topics: Vec::new(),
            auto_create_topics: true,
            auto_create_groups: true,
            permission: perm::READ | perm::WRITE,
            body_bytes_max: 4 << 20,
            reject_transactions: false,
            transaction_timeout: Duration::from_secs(6),
            transaction_check_interval: Duration::from_secs(30),
            transaction_check_max: 15,
            delay_levels: DELAY_LEVELS.map(Duration::from_secs).to_vec(),
            timers: true,
            timer_precision: Duration::from_secs(1),
            timer_max: Duration::from_secs(3 * 24 * 60 * 60),
            recall: false,
            store_replies: true,
            accounts: None,
            region: "DefaultRegion".to_owned(),
            trace_on: true,
            register_period: Duration::from_secs(30),
            reconnect_delay: Duration::from_secs(5),
            send_wait_max: Duration::from_millis(200),
            wall_origin_ms: 0,
            replication: Replication::Async,
            slave_timeout: Duration::from_secs(3),
            copy_delay: Duration::from_millis(20),
            acting_master: false,
            seed: 0,
            log_bytes_max: 1 << 30,
            out_bytes_max: 64 << 20,
        }
    }
}

/// Whether a master answers before its slave has the message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replication {
    /// It does.
    #[default]
    Async,
    /// It waits, and says so when the slave does not have it in time.
    Sync,
}

/// Settings of a topic at one broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicConfig {
    /// Queues to read.
    pub read_queues: i32,
    /// Queues to write.
    pub write_queues: i32,
    /// Bits of [`producer_core::wire::perm`].
    pub perm: i32,
    /// Unit flags.
    pub sys_flag: i32,
    /// Whether the topic is ordered.
    pub order: bool,
}

impl TopicConfig {
    /// A readable and writable topic of so many queues.
    pub const fn queues(queues: i32) -> Self {
        Self {
            read_queues: queues,
            write_queues: queues,
            perm: perm::READ | perm::WRITE,
            sys_flag: 0,
            order: false,
        }
    }
}

/// Seconds of each delay level (`messageDelayLevel`).
const DELAY_LEVELS: [u64; 18] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200];
