//! What an operator decides, with the defaults of a bridge that faces the internet.

use std::time::Duration;

use producer_core::Address;

use super::filter::FilterLimits;
use super::limits::LimitSettings;
use super::policy::{Network, Policy};

/// What a bridge allows. The defaults reach nothing and let no other page in than those of its own
/// host.
#[derive(Clone, Debug)]
pub struct BridgeConfig {
    /// The name servers behind the target `ns`. Trusted: [`policy`](Self::policy) is not asked.
    pub name_servers: Vec<Address>,
    /// Names and addresses by which pages know the bridge, with or without a port: what may stand
    /// in `Host`. Empty is only the address of the listener, and `localhost` for a loopback one.
    pub hosts: Vec<String>,
    /// Origins of pages besides the bridge's own host: `https://shop.example`, port and all.
    pub origins: Vec<String>,
    /// Who may come without an `Origin`, as no browser does.
    pub without_origin: WithoutOrigin,
    /// Which brokers may be reached.
    pub policy: Policy,
    /// What passes of frames.
    pub filter: FilterLimits,
    /// How many connections.
    pub limits: LimitSettings,
    /// How much and how long, for each of them.
    pub rules: ConnectionRules,
    /// How a bridge that stops ends its connections.
    pub drain: Drain,
    /// Networks of proxies whose word is taken for where a page comes from (`X-Forwarded-For`).
    pub trusted_proxies: Vec<Network>,
    /// The listener is plain, and yet pages came by TLS: a proxy in front of it has ended that.
    /// Without it, a plain listener is on loopback or nowhere.
    pub behind_proxy: bool,
    /// Whoever reaches a listener that is not on loopback needs no token. For networks that only
    /// those can reach who may send what they like.
    pub without_tokens: bool,
    /// Begins each connection to a broker with a PROXY header of version 2, so that the broker sees
    /// the page's address. It must expect one (RocketMQ from 5.1 on does); name servers are told
    /// nothing.
    pub proxy_protocol: bool,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        Self {
            name_servers: Vec::new(),
            hosts: Vec::new(),
            origins: Vec::new(),
            without_origin: WithoutOrigin::Refused,
            policy: Policy::default(),
            filter: FilterLimits::default(),
            limits: LimitSettings::default(),
            rules: ConnectionRules::default(),
            drain: Drain::default(),
            trusted_proxies: Vec::new(),
            behind_proxy: false,
            without_tokens: false,
            proxy_protocol: false,
        }
    }
}

impl BridgeConfig {
    /// For a bridge on loopback, next to a cluster on loopback: brokers there may be reached, on
    /// any port, and programs without an `Origin` may come.
    pub fn dev() -> Self {
        let policy = Policy { loopback: true, ..Policy::default() };
        Self { without_origin: WithoutOrigin::Allowed, policy, ..Self::default() }
    }
}

/// Who may come without an `Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutOrigin {
    /// Nobody.
    Refused,
    /// Whoever has a valid token.
    WithToken,
    /// Anybody. Browsers always send an origin, so this is for programs; without tokens it suits a
    /// loopback listener and nothing else.
    Allowed,
}

/// What holds for each connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRules {
    /// TLS handshake and HTTP request together. Default 5 s.
    pub handshake: Duration,
    /// Longest URL in bytes. Default 512.
    pub url_bytes_max: usize,
    /// Largest HTTP head in bytes, at least 8 KiB. Default 16 KiB.
    pub head_bytes_max: usize,
    /// Largest WebSocket message of a page in bytes. Default 256 KiB.
    pub message_bytes_max: usize,
    /// Largest frame of a broker in bytes. Default 16 MiB, which is that of remoting.
    pub answer_bytes_max: usize,
    /// Bytes of a page in a second; above it, it is read more slowly. Default 20 MiB.
    pub bytes_per_second: u64,
    /// Frames of a page in a second; above it, it is read more slowly. Default 50,000.
    pub frames_per_second: u64,
    /// A connection without data in either direction ends. Default 10 min.
    pub idle: Duration,
    /// A connection ends. Default 12 h.
    pub lifetime: Duration,
    /// How long a connection outlives its token, waiting for the next one. Default 30 s.
    pub token_grace: Duration,
    /// Dialling a broker. Default 3 s.
    pub dial: Duration,
    /// A page that takes nothing. Default 30 s.
    pub stall: Duration,
    /// A page that is silent for so long is pinged. Default 20 s.
    pub ping: Duration,
    /// A page that is silent for so long, pings and all, is gone. Default 45 s.
    pub silence: Duration,
    /// How long what a page had sent may take to be delivered after it has closed. Default 5 s.
    pub finish: Duration,
}

impl Default for ConnectionRules {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            handshake: Duration::from_secs(5),
            url_bytes_max: 512,
            head_bytes_max: 16 * KIB,
            message_bytes_max: 256 * KIB,
            answer_bytes_max: 16 * MIB,
            bytes_per_second: 20 * MIB as u64,
            frames_per_second: 50_000,
            idle: Duration::from_secs(600),
            lifetime: Duration::from_secs(12 * 3600),
            token_grace: Duration::from_secs(30),
            dial: Duration::from_secs(3),
            stall: Duration::from_secs(30),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(45),
            finish: Duration::from_secs(5),
        }
    }
}

/// How a bridge that stops ends its connections: so that their pages do not come back all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// `/readyz` says no for so long before anything else happens. Default 0.
    pub delay: Duration,
    /// Connections end, in random order, within this time. Default 20 s.
    pub spread: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { delay: Duration::ZERO, spread: Duration::from_secs(20) }
    }
}
