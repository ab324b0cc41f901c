//! A bridge on loopback TCP, next to an embedded cluster: as `rocketmq-bridge --dev` is.

use producer_native::Address;
use producer_native::bridge::{Bridge, BridgeConfig};
use sim::serve::EmbeddedCluster;
use std::io;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct World {
    pub(crate) cluster: EmbeddedCluster,
    pub(crate) bridge: Bridge,
    /// Where it listens, `ip:port`.
    pub(crate) at: String,
    pub(crate) served: JoinHandle<io::Result<()>>,
}

impl World {
    /// Two brokers, and `orders` with four queues on each.
    pub(crate) async fn new() -> Self {
        let cluster = EmbeddedCluster::builder()
            .broker("broker-a", |broker| broker)
            .broker("broker-b", |broker| broker)
            .topic("orders", 4)
            .start()
            .await
            .unwrap();
        cluster.wait_until_registered().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let (bridge, served) = serve(&cluster, listener);
        Self { cluster, bridge, at, served }
    }
}

/// A bridge that serves pages of a cluster.
pub(crate) fn serve(
    cluster: &EmbeddedCluster,
    listener: TcpListener,
) -> (Bridge, JoinHandle<io::Result<()>>) {
    let name_servers = Address::list(&cluster.name_servers()).unwrap();
    let bridge = Bridge::builder(BridgeConfig { name_servers, ..BridgeConfig::dev() }).build();
    let serving = bridge.clone();
    (bridge, tokio::spawn(async move { serving.serve(listener).await }))
}
