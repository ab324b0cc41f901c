//! A bridge in this process, before a cluster on loopback: the way of pages and of services that
//! only HTTP leads out of.

use std::net::SocketAddr;
use std::time::Duration;

use producer_native::bridge::{Bridge, BridgeConfig, FilterLimits};
use producer_native::{Address, WebSocket};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::interop_wait::wait_for;
use super::{Error, Result};

/// A bridge that serves. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Bridged {
    bridge: Bridge,
    at: SocketAddr,
    _runtime: Runtime,
}

impl Bridged {
    /// Serves on loopback, and has heard of brokers from the name servers when this returns. All
    /// that is optional is permitted: replies and recalls.
    pub(super) fn start(name_servers: &str) -> Result<Self> {
        let name_servers = Address::list(name_servers).map_err(Error::doing("name servers"))?;
        let filter = FilterLimits { replies: true, recall: true, ..FilterLimits::default() };
        let config = BridgeConfig { name_servers, filter, ..BridgeConfig::dev() };
        let bridge = Bridge::builder(config).build();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(Error::doing("a runtime for the bridge"))?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.map_err(Error::doing("a port for the bridge"))?;
        let at = listener.local_addr().map_err(Error::doing("a port for the bridge"))?;
        let serving = bridge.clone();
        runtime.spawn(async move { serving.serve(listener).await });
        // A page that comes before is refused, and tries again; tests that count attempts do not.
        let known = wait_for(Duration::from_secs(10), || {
            Ok((bridge.metrics().route_entries() > 0).then_some(()))
        })?;
        known.ok_or_else(|| Error::new("the bridge hears of no broker"))?;
        Ok(Self { bridge, at, _runtime: runtime })
    }

    /// How a producer goes through it.
    pub fn way(&self) -> WebSocket {
        WebSocket::new(&format!("ws://{}", self.at)).expect("a URL of a bridge")
    }

    /// Frames that it has brought to brokers and name servers.
    pub fn frames(&self) -> u64 {
        self.bridge.metrics().frames_to_brokers()
    }
}
