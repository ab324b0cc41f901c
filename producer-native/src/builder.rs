//! How is a producer made, and what can be wrong about that?

mod access;
mod error;
mod hooks;
mod transactions;
mod ways;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use producer_core::wire::SerializeType;
use producer_core::{
    Address, AutoBatch, Compress, Config, Environment, GroupName, InvalidName, Trace,
};
use tokio::runtime::Handle;

use crate::checks::{Checker, Limits};
use crate::door::{Shared, WallClock};
use crate::hooks::Hooks;
use crate::producer::Producer;
use crate::transaction::WhenDropped;
use crate::transport::{Tcp, Transport};
use crate::{Core, compression, identity};
pub use error::BuildError;

/// Collects what a [`Producer`] needs. Made by [`Producer::builder`].
///
/// What is wrong with a value is said by [`build`](Self::build), so that calls can be chained.
/// Whatever has no setter here is a field of [`Config`]: see [`configure`](Self::configure).
#[must_use = "a builder does nothing before `build`"]
pub struct Builder {
    config: Config,
    problem: Option<BuildError>,
    runtime: Option<Handle>,
    transport: Arc<dyn Transport>,
    ways: ways::Ways,
    hooks: Hooks,
    #[cfg(feature = "metrics")]
    metrics: Option<crate::observe::Metrics>,
    wall_clock: Box<WallClock>,
    seed: Option<u64>,
    host_ip: Option<IpAddr>,
    process: Option<u32>,
    checker: Option<Arc<Checker>>,
    check_limits: Limits,
    when_dropped: WhenDropped,
}

impl Builder {
    pub(crate) fn new(group: &str) -> Self {
        let builder = Self {
            config: Config::default(),
            problem: None,
            runtime: None,
            transport: Arc::new(Tcp),
            ways: ways::Ways::default(),
            hooks: Hooks::default(),
            #[cfg(feature = "metrics")]
            metrics: None,
            wall_clock: Box::new(identity::unix_ms),
            seed: None,
            host_ip: None,
            process: None,
            checker: None,
            check_limits: Limits::default(),
            when_dropped: WhenDropped::default(),
        };
        builder.group(group)
    }

    /// Another group than the one that the builder began with.
    pub fn group(mut self, group: &str) -> Self {
        match GroupName::new(group) {
            Ok(group) => self.config.group = group,
            Err(problem) => self.note(BuildError::Group { given: group.to_owned(), problem }),
        }
        self
    }

    /// Name servers, separated by `;` or `,`: `"a:9876;b:9876"`. Default: the variable
    /// `NAMESRV_ADDR`, as Java. Of a value that begins with `http://` only what stands after the
    /// last slash counts, as in Java (`NameServerAddressUtils.java`).
    pub fn name_servers(mut self, list: &str) -> Self {
        match name_server_list(list) {
            Ok(servers) => self.config.name_servers = servers,
            Err(problem) => self.note(BuildError::NameServers { given: list.to_owned(), problem }),
        }
        self
    }

    /// Takes over a whole configuration. Group and name servers stay as they are if it names none
    /// of its own.
    pub fn config(mut self, mut config: Config) -> Self {
        if config.group == Config::default().group {
            config.group = self.config.group;
        }
        if config.name_servers.is_empty() {
            config.name_servers = self.config.name_servers;
        }
        self.config = config;
        self
    }

    /// Behaves as the Java client does by default: [`Config::java`]. Call it before the setters
    /// that deviate from it; group and name servers are kept.
    pub fn java(self) -> Self {
        self.config(Config::java())
    }

    /// Changes any field of the configuration.
    ///
    /// ```
    /// # use producer_native::{OnUnknown, Producer};
    /// let builder = Producer::builder("orders").configure(|config| {
    ///     config.attempts_max = 5;
    ///     config.on_unknown = OnUnknown::Stop;
    /// });
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Encoding of request headers: [`Config::header`].
    pub fn header(mut self, header: SerializeType) -> Self {
        self.config.header = header;
        self
    }

    /// Compresses bodies: [`Config::compression`]. It is done on the thread of whoever sends, once
    /// a message, before the producer is locked. Off by default.
    ///
    /// ```
    /// # use producer_native::{Compress, Compression, Producer};
    /// let zlib = Producer::builder("orders").compression(Compress::default());
    /// let fast = Compress { kind: Compression::Lz4, threshold: 1_024, ..Compress::default() };
    /// let lz4 = Producer::builder("orders").compression(fast);
    /// ```
    pub fn compression(mut self, compression: impl Into<Option<Compress>>) -> Self {
        self.config.compression = compression.into();
        self
    }

    /// Lets sends share requests: [`Config::auto_batch`]. Off by default.
    ///
    /// ```
    /// # use producer_native::{AutoBatch, Producer};
    /// let builder = Producer::builder("orders").auto_batch(AutoBatch::default());
    /// ```
    pub fn auto_batch(mut self, auto_batch: impl Into<Option<AutoBatch>>) -> Self {
        self.config.auto_batch = auto_batch.into();
        self
    }

    /// Longest time for a send, everything included: [`Config::send_timeout`].
    pub fn send_timeout(mut self, timeout: Duration) -> Self {
        self.config.send_timeout = timeout;
        self
    }

    /// Longest time for one attempt: [`Config::attempt_timeout`].
    pub fn attempt_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.attempt_timeout = timeout.into();
        self
    }

    /// Instance name, part of the client id: [`Config::instance_name`].
    pub fn instance_name(mut self, name: impl Into<String>) -> Self {
        self.config.instance_name = Some(name.into());
        self
    }

    /// Notes each send in the trace topic, in Java's format: `mqadmin queryMsgTraceById` shows it.
    /// Default: no. It costs the senders nothing but some memory; what cannot be noted is counted
    /// ([`Stats::traces_dropped`](crate::Stats::traces_dropped)). [`close`](Producer::close) sends
    /// what is left.
    ///
    /// ```
    /// # use producer_native::{Producer, Trace};
    /// let builder = Producer::builder("orders").trace(Trace::default());
    /// let with_failures = Trace { failures: true, ..Trace::default() };
    /// let builder = builder.trace(with_failures);
    /// ```
    pub fn trace(mut self, trace: Trace) -> Self {
        self.config.trace = Some(trace);
        self
    }

    /// Dials `dialled` where a route says `advertised`: [`Config::address_map`]. May be called
    /// many times.
    pub fn map_address(mut self, advertised: &str, dialled: &str) -> Self {
        match (Address::new(advertised), Address::new(dialled)) {
            (Ok(from), Ok(to)) => self.config.address_map.push((from, to)),
            (Err(problem), _) => {
                self.note(BuildError::AddressMap { given: advertised.to_owned(), problem });
            }
            (_, Err(problem)) => {
                self.note(BuildError::AddressMap { given: dialled.to_owned(), problem });
            }
        }
        self
    }

    /// [`map_address`](Self::map_address) for each pair, advertised address first.
    pub fn address_map<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        pairs.into_iter().fold(self, |builder, (from, to)| builder.map_address(from, to))
    }

    /// The runtime that carries the connections. Default: the one that `build` is called in. It
    /// must have I/O and time enabled.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// How byte streams are made, beneath proxies and TLS. Default: [`Tcp`].
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Arc::new(transport);
        self
    }

    /// Seed of every random choice and of message ids. Default: entropy of the operating system.
    /// Two producers must never share one, so this is for simulations.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Milliseconds since 1970, from which born timestamps and message ids are made; it decides no
    /// timer. It is called with the producer locked, about once a second. Default: the system's.
    pub fn wall_clock(mut self, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.wall_clock = Box::new(clock);
        self
    }

    /// This host's address in ids. Default: the one from which the default route leaves.
    pub fn host_ip(mut self, ip: IpAddr) -> Self {
        self.host_ip = Some(ip);
        self
    }

    /// This process's number in ids. Default: the operating system's.
    pub fn process_id(mut self, process: u32) -> Self {
        self.process = Some(process);
        self
    }

    /// Makes the producer. It connects to nothing and spawns nothing before it is first used, and
    /// needs no start: the first send finds its way.
    ///
    /// # Errors
    /// [`BuildError`] when something that was given cannot be right, when there are no name
    /// servers, and outside a tokio runtime.
    pub fn build(mut self) -> Result<Producer, BuildError> {
        let discovers = self.ways.discovery.as_ref().map(|discovery| discovery.describe());
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        #[cfg(feature = "websocket")]
        self.suit_bridge();
        if discovers.is_none() && self.config.name_servers.is_empty() {
            self.config.name_servers = from_environment()?;
        }
        check_limits(&self.config)?;
        self.config.derive_namespace();
        self.config
            .check_namespace()
            .map_err(|(given, problem)| BuildError::Namespace { given, problem })?;
        if let Some(Compress { kind, .. }) = self.config.compression
            && !compression::is_built(kind)
        {
            return Err(BuildError::NoCompression(kind));
        }
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => Handle::try_current().map_err(|_| BuildError::NoRuntime)?,
        };
        let seed = self.seed.unwrap_or_else(identity::seed);
        let mut environment = Environment::new(seed, (self.wall_clock)());
        environment.ip = self.host_ip.unwrap_or_else(identity::host_ip);
        environment.process = self.process.unwrap_or_else(std::process::id);
        let ways = self.ways.over(self.transport)?;
        let origin = {
            // The runtime's clock may be a paused or a simulated one.
            let _inside = runtime.enter();
            tokio::time::Instant::now()
        };
        #[cfg(feature = "metrics")]
        let group = String::from(self.config.group.as_str());
        let mut core = Core::new(self.config, environment);
        if let Some(what) = discovers {
            core.await_name_servers(format!("{what}: no answer yet"));
        }
        let mut shared = Shared::new(core, origin, runtime, ways, self.wall_clock);
        shared.when_dropped = self.when_dropped;
        shared.set_checker(self.checker, self.check_limits);
        #[cfg(feature = "metrics")]
        if self.metrics.is_some() {
            self.hooks.add(Arc::new(crate::observe::Times::new(&group)));
        }
        shared.set_hooks(self.hooks);
        let shared = Arc::new(shared);
        #[cfg(feature = "metrics")]
        if let Some(metrics) = self.metrics {
            shared.runtime.spawn(metrics.run(Arc::downgrade(&shared), group));
        }
        Ok(Producer::new(shared))
    }

    /// Makes a client for several producers: see [`Client`](crate::Client).
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_client(self) -> Result<crate::Client, BuildError> {
        self.build().map(crate::Client::new)
    }

    /// Keeps the first problem.
    fn note(&mut self, problem: BuildError) {
        self.problem.get_or_insert(problem);
    }
}

/// The name servers of the variable `NAMESRV_ADDR`.
fn from_environment() -> Result<Vec<Address>, BuildError> {
    match std::env::var("NAMESRV_ADDR") {
        Ok(list) if !list.trim().is_empty() => name_server_list(&list)
            .map_err(|problem| BuildError::NameServers { given: list, problem }),
        _ => Err(BuildError::NoNameServers),
    }
}

/// Name servers as users write them.
pub(crate) fn name_server_list(text: &str) -> Result<Vec<Address>, InvalidName> {
    let endpoint = text.trim().strip_prefix("http://");
    Address::list(endpoint.map_or(text, |rest| rest.rsplit('/').next().unwrap_or_default()))
}

fn check_limits(config: &Config) -> Result<(), BuildError> {
    let limits = [
        ("attempts_max", config.attempts_max as usize),
        ("attempts_all_max", config.attempts_all_max as usize),
        ("sends_max", config.sends_max),
        ("message_bytes_max", config.message_bytes_max),
        ("frame_bytes_max", config.frame_bytes_max),
        ("topics_max", config.topics_max),
    ];
    match limits.into_iter().find(|&(_, limit)| limit == 0) {
        Some((field, _)) => Err(BuildError::ZeroLimit { field }),
        None => Ok(()),
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("ways", &self.ways)
            .finish_non_exhaustive()
    }
}
