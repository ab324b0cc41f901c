//! Starting and stopping it all.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use producer_native::Address;
use producer_native::bridge::{
    Bridge, BridgeConfig, ConnectionRules, Drain, LimitSettings, Policy, WithoutOrigin,
};
use sim::model::broker::BrokerConfig;
use sim::serve::EmbeddedCluster;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::nodes::Nodes;
use crate::site::Site;

/// The topic of the page.
pub const TOPIC: &str = "demo";
/// Queues of the topic at each broker.
const QUEUES: i32 = 4;
/// Bytes of each broker's log: some 100,000 messages of 256 bytes. Older ones are dropped and
/// counted.
const LOG_BYTES_MAX: usize = 48 << 20;

/// Where it is served, and what.
#[derive(Clone, Debug)]
pub struct Options {
    /// On loopback; port 0 for any.
    pub listen: SocketAddr,
    /// Folder of the built page. Without an `index.html` in it, a page says how to build it.
    pub page: PathBuf,
}

/// A demonstration that is served. Ends when it is dropped, and in order by [`Self::stop`].
#[derive(Debug)]
pub struct Demo {
    cluster: Arc<EmbeddedCluster>,
    bridge: Bridge,
    address: SocketAddr,
    built: bool,
    served: JoinHandle<io::Result<()>>,
}

impl Demo {
    /// Starts the cluster, the bridge and the page.
    ///
    /// # Errors
    /// If the port is taken or not on loopback, the cluster does not start, or a file of the page
    /// cannot be read.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let cluster = Arc::new(cluster().await?);
        let site = Site::read(&options.page)?;
        let built = site.is_built();
        let api = Arc::new(Api::new(Nodes::new(cluster.clone()), site));
        let bridge = Bridge::builder(config(&cluster)?)
            .pages(move |request| {
                let api = api.clone();
                async move { api.answer(request).await }
            })
            .build();
        bridge.may_listen(address)?;
        let serving = bridge.clone();
        let served = tokio::spawn(async move { serving.serve(listener).await });
        Ok(Self { cluster, bridge, address, built, served })
    }

    /// Where the page is.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether there is a page in the folder.
    pub const fn is_built(&self) -> bool {
        self.built
    }

    /// The cluster behind it.
    pub fn cluster(&self) -> &EmbeddedCluster {
        &self.cluster
    }

    /// Stops: connections of pages are closed with 1001 and what they had sent is delivered, for a
    /// second at most.
    ///
    /// # Errors
    /// What serving ended with.
    pub async fn stop(mut self) -> io::Result<()> {
        self.bridge.stop();
        (&mut self.served).await.map_err(io::Error::other)?
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.served.abort();
    }
}

async fn cluster() -> io::Result<EmbeddedCluster> {
    let tune = |config: &mut BrokerConfig| {
        config.log_bytes_max = LOG_BYTES_MAX;
        // Somebody watches: what was healed shall come back while they do.
        config.reconnect_delay = Duration::from_secs(1);
        config.register_period = Duration::from_secs(5);
    };
    EmbeddedCluster::builder()
        .name_servers(2)
        .broker("broker-a", |broker| broker.tune(tune))
        .broker("broker-b", |broker| broker.tune(tune))
        .broker("broker-c", |broker| broker.tune(tune))
        .slave_of("broker-a")
        .topic(TOPIC, QUEUES)
        .start()
        .await
}

fn config(cluster: &EmbeddedCluster) -> io::Result<BridgeConfig> {
    let name_servers = Address::list(&cluster.name_servers()).map_err(io::Error::other)?;
    Ok(BridgeConfig {
        name_servers,
        without_origin: WithoutOrigin::Refused,
        policy: Policy { loopback: true, ..Policy::default() },
        // One visitor, who reloads and breaks things on purpose.
        limits: LimitSettings {
            knocks_per_ip_max: 128,
            connections_per_ip_max: 256,
            connections_per_subject_max: 256,
            requests_per_second: 200,
            requests_burst: 400,
            ..LimitSettings::default()
        },
        rules: ConnectionRules { finish: Duration::from_millis(500), ..ConnectionRules::default() },
        drain: Drain { delay: Duration::ZERO, spread: Duration::ZERO },
        ..BridgeConfig::default()
    })
}
