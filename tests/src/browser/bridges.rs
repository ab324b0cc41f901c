//! Bridges of this process on loopback, that come and go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use producer_native::Address;
use producer_native::bridge::{
    Bridge, BridgeConfig, ConnectionRules, Drain, Keys, TokenSettings, Tokens, Verifier,
};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::echo;
use crate::cluster::{Error, Result};

/// By what the tokens of tests are signed.
pub(super) const SECRET: &str = "a secret of tests, which is no secret at all";

/// How a bridge ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It says good-bye to each page, one after the other within a quarter of a second.
    Drain,
    /// Its sockets are gone.
    Kill,
}

/// Bridges by name. Each keeps its port when it is started again.
#[derive(Debug)]
pub struct Bridges {
    runtime: Runtime,
    name_servers: Vec<Address>,
    ports: BTreeMap<String, SocketAddr>,
    running: BTreeMap<String, (Bridge, JoinHandle<()>)>,
}

impl Bridges {
    /// None yet, before these name servers.
    pub fn before(name_servers: String) -> Result<Self> {
        let name_servers = Address::list(&name_servers).map_err(Error::doing("name servers"))?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(Error::doing("a runtime for bridges"))?;
        Ok(Self { runtime, name_servers, ports: BTreeMap::new(), running: BTreeMap::new() })
    }

    /// Starts a bridge for pages of this origin; returns its port.
    pub fn start(&mut self, name: &str, origin: &str, tokens: bool) -> Result<u16> {
        let at = self.ports.get(name).copied().unwrap_or(echo::ANYWHERE);
        let listener = self.runtime.block_on(TcpListener::bind(at));
        let listener = listener.map_err(Error::doing(format!("port of bridge {name}")))?;
        let at = listener.local_addr().map_err(Error::doing("a port"))?;
        let mut config = BridgeConfig {
            name_servers: self.name_servers.clone(),
            origins: vec![origin.to_owned()],
            drain: Drain { delay: Duration::ZERO, spread: Duration::from_millis(250) },
            rules: ConnectionRules {
                token_grace: Duration::from_millis(500),
                finish: Duration::from_secs(1),
                ..ConnectionRules::default()
            },
            ..BridgeConfig::dev()
        };
        config.filter.replies = true;
        let mut builder = Bridge::builder(config);
        if tokens {
            builder = builder.tokens(verified()?);
        }
        let bridge = builder.build();
        let serving = bridge.clone();
        let task = self.runtime.spawn(async move {
            if let Err(error) = serving.serve(listener).await {
                eprintln!("a bridge failed: {error}");
            }
        });
        self.ports.insert(name.to_owned(), at);
        self.running.insert(name.to_owned(), (bridge, task));
        Ok(at.port())
    }

    /// Ends a bridge; nobody listens at its port when this returns.
    pub fn stop(&mut self, name: &str, end: End) -> Result<()> {
        let running = self.running.remove(name);
        let (bridge, task) = running.ok_or_else(|| Error::new(format!("no bridge {name}")))?;
        if end == End::Kill {
            task.abort();
        }
        let ended = self.runtime.block_on(async {
            if end == End::Drain {
                bridge.drain().await;
            }
            tokio::time::timeout(STOP_LIMIT, task).await
        });
        // One that was aborted says so.
        ended.map(drop).map_err(Error::doing(format!("the end of bridge {name}")))
    }

    /// Starts a bare WebSocket that sends back what it gets; returns its port.
    pub fn echo(&self) -> Result<u16> {
        let listener = self.runtime.block_on(TcpListener::bind(echo::ANYWHERE));
        let listener = listener.map_err(Error::doing("a port for the echo"))?;
        let at = listener.local_addr().map_err(Error::doing("a port for the echo"))?;
        self.runtime.spawn(echo::serve(listener));
        Ok(at.port())
    }

    /// Frames that a bridge has brought to brokers and name servers since its start.
    pub fn frames(&self, name: &str) -> u64 {
        self.running.get(name).map_or(0, |(bridge, _)| bridge.metrics().frames_to_brokers())
    }
}

fn verified() -> Result<Tokens> {
    let keys = Keys::from_secret(&SECRET.into()).map_err(Error::doing("the key"))?;
    let mut settings = TokenSettings::new("bridge");
    settings.leeway = Duration::ZERO;
    Ok(Tokens::Needed(Arc::new(Verifier::new(settings, keys))))
}

const STOP_LIMIT: Duration = Duration::from_secs(10);
