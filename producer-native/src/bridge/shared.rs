//! What all connections of a bridge have in common.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use producer_core::{Address, ConnectionEnd};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::config::BridgeConfig;
use super::discovery::Discovery;
use super::ending::{By, CloseCode, Ending};
use super::limits::{Admission, Dial, Knock, Limits, Over};
use super::metrics::Metrics;
use super::name_servers::NameServers;
use super::pages::Pages;
use super::phase::Phases;
use super::policy::Target;
use super::signing::Signer;
use super::tls::ServerTls;
use super::tokens::Tokens;
use crate::transport::{Stream, Transport};

/// Takes the line of a connection that has ended.
pub(super) type Log = Arc<dyn Fn(&str) + Send + Sync>;
/// Seconds since 1970.
pub(super) type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

pub(super) struct Shared {
    pub(super) config: BridgeConfig,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) tokens: Tokens,
    pub(super) tls: Option<ServerTls>,
    pub(super) signer: Option<Arc<Signer>>,
    pub(super) pages: Option<Pages>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) phase: Arc<Phases>,
    pub(super) unready: AtomicBool,
    pub(super) unix: Clock,
    pub(super) log: Log,
    pub(super) seed: u64,
    limits: Mutex<Limits>,
    discovery: Mutex<Discovery>,
    /// A page asked for what is in no route: there may be a new one.
    pub(super) missed: Notify,
    connections: AtomicU64,
    /// Those who are told that there is no room for them.
    pub(super) telling: Arc<Semaphore>,
    name_servers: Mutex<NameServers>,
}

/// What a bridge is made of.
pub(super) struct Parts {
    pub(super) config: BridgeConfig,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) tokens: Tokens,
    pub(super) tls: Option<ServerTls>,
    pub(super) signer: Option<Arc<Signer>>,
    pub(super) pages: Option<Pages>,
    pub(super) unix: Clock,
    pub(super) log: Log,
    pub(super) seed: u64,
}

/// Most who are told at a time, by a close code, that there is no room. Others get a status.
const TELLING_MAX: usize = 256;

impl Shared {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { config, transport, tokens, tls, signer, pages, unix, log, seed } = parts;
        Self {
            transport,
            tokens,
            tls,
            signer,
            pages,
            metrics: Arc::default(),
            phase: Phases::new(),
            unready: AtomicBool::new(false),
            telling: Arc::new(Semaphore::new(TELLING_MAX)),
            unix,
            log,
            seed,
            limits: Mutex::new(Limits::new(config.limits)),
            discovery: Mutex::new(Discovery::new(config.policy.clone())),
            missed: Notify::new(),
            connections: AtomicU64::new(0),
            name_servers: Mutex::new(NameServers::new(&config.name_servers)),
            config,
        }
    }

    /// A number for a new connection.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Relaxed) + 1
    }

    /// The addresses to try for a target, if it may be reached now.
    pub(super) fn reach(&self, target: &Target) -> Option<Vec<Address>> {
        match target {
            Target::NameServer => {
                let all = self.lock_name_servers().in_order(Instant::now());
                (!all.is_empty()).then_some(all)
            }
            Target::Address(_) | Target::Name(..) => {
                let dialled = self.lock_discovery().dialled(Instant::now(), target);
                if dialled.is_err() {
                    self.missed.notify_one();
                }
                Address::new(&dialled.ok()?.to_string()).ok().map(|address| vec![address])
            }
        }
    }

    /// Dials one of the addresses.
    pub(super) async fn dial(
        &self,
        target: &Target,
        addresses: &[Address],
    ) -> Result<Box<dyn Stream>, Ending> {
        let counted = self.lock_limits().dial(counted_as(target, addresses));
        let dial = counted.map_err(|over| self.over(over))?;
        let _one = Dialling { shared: self, dial: Some(dial) };
        let start = Instant::now();
        let deadline = start + self.config.rules.dial;
        let mut last = ConnectionEnd::DialTimeout;
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = Instant::now() + left / (addresses.len() - tried).max(1) as u32;
            let dial = self.transport.connect(address, share);
            let connected = timeout_at(share, dial).await;
            if *target == Target::NameServer {
                self.note_name_server(address, matches!(connected, Ok(Ok(_))));
            }
            last = match connected {
                Ok(Ok(stream)) => {
                    self.metrics.dialled("ok", start.elapsed());
                    return Ok(stream);
                }
                Ok(Err(end)) => end,
                Err(_elapsed) => ConnectionEnd::DialTimeout,
            };
        }
        let (result, code) = match last {
            ConnectionEnd::DialTimeout => ("timeout", CloseCode::DIAL_TIMEOUT),
            _ => ("refused", CloseCode::DIAL_REFUSED),
        };
        self.metrics.dialled(result, start.elapsed());
        Err(Ending::new(By::Broker, code, format!("the dial failed: {last}")))
    }

    /// A limit was reached.
    pub(super) fn over(&self, over: Over) -> Ending {
        self.metrics.limited(over.word());
        Ending::limit(&over.to_string(), over.retry_after().as_millis() as u64)
    }

    /// A name server was reached, or was not.
    pub(super) fn note_name_server(&self, address: &Address, reached: bool) {
        self.lock_name_servers().tried(Instant::now(), address, reached);
    }

    fn lock_name_servers(&self) -> MutexGuard<'_, NameServers> {
        self.name_servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_discovery(&self) -> MutexGuard<'_, Discovery> {
        self.discovery.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What dials are counted by: name servers are one target.
fn counted_as(target: &Target, addresses: &[Address]) -> SocketAddr {
    let first = match target {
        Target::NameServer => None,
        _ => addresses.first(),
    };
    let parsed = first.and_then(|address| address.as_str().parse().ok());
    parsed.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
}

/// A dial under way; it ends when this is dropped.
struct Dialling<'d> {
    shared: &'d Shared,
    dial: Option<Dial>,
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        if let Some(dial) = self.dial.take() {
            self.shared.lock_limits().dialled(dial);
        }
    }
}

/// A socket that has said nothing yet; it counts until this is dropped or admitted.
pub(super) struct Knocking {
    shared: Arc<Shared>,
    knock: Option<Knock>,
}

impl Knocking {
    /// A socket from this address; `None` for one of a trusted proxy.
    pub(super) fn new(shared: &Arc<Shared>, ip: Option<IpAddr>) -> Result<Self, Over> {
        let knock = shared.lock_limits().knock(Instant::now(), ip)?;
        shared.metrics.handshaking(1);
        Ok(Self { shared: shared.clone(), knock: Some(knock) })
    }

    /// Comes when this socket has to go, for others came.
    pub(super) fn given_up(&self) -> impl Future<Output = ()> + use<> {
        let given_up = self.knock.as_ref().map(Knock::given_up);
        async move {
            match given_up {
                Some(given_up) => given_up.notified().await,
                None => pending().await,
            }
        }
    }

    /// Its request is good.
    pub(super) fn admit(mut self, ip: IpAddr, subject: &str) -> Result<Admitted, Over> {
        let shared = self.shared.clone();
        let knock = self.knock.take().expect("it is taken once, by value");
        shared.metrics.handshaking(-1);
        let admission = shared.lock_limits().admit(Instant::now(), knock, ip, subject)?;
        Ok(Admitted { shared, admission: Some(admission) })
    }
}

impl Drop for Knocking {
    fn drop(&mut self) {
        if let Some(knock) = self.knock.take() {
            self.shared.metrics.handshaking(-1);
            self.shared.lock_limits().leave(knock);
        }
    }
}

/// A connection; it counts until this is dropped.
pub(super) struct Admitted {
    shared: Arc<Shared>,
    admission: Option<Admission>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take() {
            self.shared.lock_limits().release(admission);
        }
    }
}
