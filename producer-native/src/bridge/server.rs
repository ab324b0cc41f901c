//! Listening, and stopping to.

use std::fmt;
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::{Request, Response};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::config::BridgeConfig;
use super::grants::Grants;
use super::http::{self, Arrival};
use super::listen::Listen;
use super::metrics::Metrics;
use super::phase::Phase;
use super::routes;
use super::shared::{Parts, Shared};
use super::signing::Signer;
use super::tls::ServerTls;
use super::tokens::Tokens;
use crate::transport::{Dialer, Transport};

/// Makes a [`Bridge`].
pub struct BridgeBuilder(Parts);

impl BridgeBuilder {
    /// How brokers and name servers are dialled. Default plain TCP.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.0.transport = Arc::new(transport);
        self
    }

    /// How tokens are read. Default is that nobody needs one, which a bridge accepts on loopback
    /// only.
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.0.tokens = tokens;
        self
    }

    /// Pages come by TLS, and are shown this certificate. Default plain.
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.0.tls = Some(tls);
        self
    }

    /// Signs what goes to brokers, so that pages need no key of their access control. Default is
    /// that requests go as they come.
    pub fn signer(mut self, signer: Arc<Signer>) -> Self {
        self.0.signer = Some(signer);
        self
    }

    /// Answers requests for what is not the bridge's own (`/v1/`, `/healthz` and `/readyz`), whose
    /// `Host` is: a page that stands on the same listener. Default 404.
    ///
    /// It is told no body, and its answers stand in memory. Each closes its socket, so there is no
    /// keep-alive. `Origin`, methods and security headers are the answerer's affair, and so is its
    /// time: a request ends [`handshake`](super::ConnectionRules::handshake) after its socket came.
    pub fn pages<F>(mut self, answer: impl Fn(Request<()>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        self.0.pages = Some(Arc::new(move |request| Box::pin(answer(request))));
        self
    }

    /// Takes the line, in JSON, of each connection that has ended. Default nowhere.
    pub fn log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.0.log = Arc::new(log);
        self
    }

    /// Tells the seconds since 1970, against which tokens expire. Default the system's clock.
    pub fn clock(mut self, unix: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.0.unix = Arc::new(unix);
        self
    }

    /// What decides the order in which connections are drained. Default chance.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// The bridge, which listens nowhere yet.
    pub fn build(self) -> Bridge {
        Bridge { shared: Arc::new(Shared::new(self.0)) }
    }
}

/// A bridge: see [the module](super). Clones are the same bridge.
#[derive(Clone)]
pub struct Bridge {
    shared: Arc<Shared>,
}

impl Bridge {
    /// Starts to make one.
    pub fn builder(config: BridgeConfig) -> BridgeBuilder {
        BridgeBuilder(Parts {
            config,
            transport: Arc::new(Dialer::new()),
            tokens: Tokens::NotNeeded(Grants::everything()),
            tls: None,
            signer: None,
            pages: None,
            unix: Arc::new(unix_now),
            log: Arc::new(|_| {}),
            seed: RandomState::new().hash_one(0),
        })
    }

    /// Serves pages, until the bridge was [drained](Self::drain) or [stopped](Self::stop) and all
    /// its connections have ended. Dropping the future ends them at once.
    ///
    /// # Errors
    /// If the address of the listener cannot be told. `InvalidInput` if it is not on loopback, or
    /// behind a proxy, and pages would come without TLS or tokens although the configuration does
    /// not say so.
    pub async fn serve<L: Listen>(&self, mut listener: L) -> io::Result<()> {
        let address = listener.local_addr()?;
        self.may_listen(address)?;
        let BridgeConfig { behind_proxy, trusted_proxies, .. } = &self.shared.config;
        if *behind_proxy && trusted_proxies.is_empty() {
            tracing::warn!("no trusted_proxies: limits by address count for the proxy as a whole");
        }
        let mut phase = self.shared.phase.follow();
        let secure = self.shared.tls.is_some();
        let mut tasks = JoinSet::new();
        let mut chores = pin!(self.chores());
        while phase.see() == Phase::Serving {
            tokio::select! {
                biased;
                () = phase.changed() => {}
                () = &mut chores => {}
                Some(_ended) = tasks.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        let arrival = Arrival { from, listener: address, secure };
                        let task = http::socket(self.shared.clone(), arrival, stream);
                        listener.spawn(&mut tasks, task);
                    }
                    // Too many files, or a peer that was gone before it was accepted.
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        drop(listener);
        self.finish(tasks).await;
        Ok(())
    }

    /// Serves `/metrics`, for as long as the future lives: not where pages come. At most 16 sockets
    /// at a time are served, for 10 s each; others wait.
    ///
    /// # Errors
    /// None now.
    pub async fn serve_metrics<L: Listen>(&self, mut listener: L) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(_ended) = tasks.join_next() => {}
                accepted = listener.accept(), if tasks.len() < METRICS_SOCKETS_MAX => match accepted {
                    Ok((stream, _)) => {
                        let shared = self.shared.clone();
                        let task = async move {
                            let exchange = http::exchange_metrics(&shared, stream);
                            let _slow = timeout(METRICS_TIME, exchange).await;
                        };
                        listener.spawn(&mut tasks, task);
                    }
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }

    /// Stops gently: is not ready for a while, then takes no new connections, and ends those there
    /// are one after the other.
    pub async fn drain(&self) {
        self.shared.unready.store(true, Relaxed);
        self.shared.metrics.draining();
        let drain = self.shared.config.drain;
        if !drain.delay.is_zero() {
            sleep(drain.delay).await;
        }
        let draining = Phase::Draining { from: Instant::now(), spread: drain.spread };
        self.shared.phase.go_on(|phase| (phase == Phase::Serving).then_some(draining));
    }

    /// Stops now: what connections have sent is delivered, if that takes no longer than
    /// [`ConnectionRules::finish`](super::ConnectionRules::finish).
    pub fn stop(&self) {
        self.shared.unready.store(true, Relaxed);
        self.shared.metrics.draining();
        self.shared.phase.go_on(|_| Some(Phase::Stopping));
    }

    /// What was counted.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.shared.metrics.clone()
    }

    /// Whether a listener at this address is safe as it is.
    ///
    /// # Errors
    /// `InvalidInput`, as from [`serve`](Self::serve).
    pub fn may_listen(&self, address: SocketAddr) -> io::Result<()> {
        let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        let Shared { config, tls, tokens, .. } = &*self.shared;
        let on_loopback = address.ip().to_canonical().is_loopback();
        // Behind a proxy all the world comes from loopback.
        let behind_proxy = config.behind_proxy || !config.trusted_proxies.is_empty();
        if on_loopback && !behind_proxy {
            return Ok(());
        }
        if tls.is_none() && !config.behind_proxy && !on_loopback {
            return refuse(
                "a plain listener that is not on loopback: give it a certificate, or say that it \
                 stands behind a proxy that has one",
            );
        }
        if matches!(tokens, Tokens::NotNeeded(_)) && !config.without_tokens {
            return refuse(
                "a listener that is not on loopback, or behind a proxy, needs tokens, unless the \
                 configuration says otherwise",
            );
        }
        Ok(())
    }

    /// What is to be done besides. Never ends.
    async fn chores(&self) {
        let certificates = async {
            let Some(tls) = &self.shared.tls else { return pending().await };
            loop {
                sleep(CERTIFICATE_LOOK).await;
                if let Err(error) = tls.look() {
                    tracing::warn!(%error, "the certificate is still the one before");
                }
            }
        };
        tokio::select! {
            () = routes::watch(&self.shared) => {}
            () = certificates => {}
        }
    }

    /// Waits for connections to end as they are told, and then no longer.
    async fn finish(&self, mut tasks: JoinSet<()>) {
        let mut phase = self.shared.phase.follow();
        let finish = self.shared.config.rules.finish * 2 + QUIET_MOST;
        loop {
            let end = match phase.see() {
                Phase::Draining { from, spread } => from + spread + finish,
                _ => Instant::now() + finish,
            };
            let all = async { while tasks.join_next().await.is_some() {} };
            tokio::select! {
                biased;
                () = phase.changed() => {}
                _ended_or_not = timeout_at(end, all) => break,
            }
        }
        tasks.shutdown().await;
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

/// How often the files of a certificate are looked at.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(10);
/// Sockets of whoever collects figures.
const METRICS_SOCKETS_MAX: usize = 16;
const METRICS_TIME: Duration = Duration::from_secs(10);
/// After an error of the listener.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A connection whose turn has come may wait for answers that are on their way.
const QUIET_MOST: Duration = Duration::from_secs(3);

fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
