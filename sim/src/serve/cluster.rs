//! A whole cluster inside this process.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::builder::{BrokerBuilder, ClusterBuilder};
use super::handles::{BrokerHandle, NameServerHandle};
use super::server::{Server, bind};
use crate::model::broker::{Broker, BrokerConfig, TopicConfig};
use crate::model::name_server::{NameServer, NameServerConfig};

/// Name servers and brokers on TCP ports of this process. All stop when it is dropped.
#[derive(Debug)]
pub struct EmbeddedCluster {
    name_servers: Vec<NameServerHandle>,
    brokers: Vec<BrokerHandle>,
}

impl EmbeddedCluster {
    /// A cluster made to measure.
    pub const fn builder() -> ClusterBuilder {
        ClusterBuilder::new()
    }

    /// One name server and so many brokers, `broker-a`, `broker-b` and so on.
    pub async fn start(brokers: usize) -> io::Result<Self> {
        Self::builder().numbered_brokers(brokers).start().await
    }

    /// Addresses of the name servers, as a producer takes them: `a:p;b:p`.
    pub fn name_servers(&self) -> String {
        let addresses: Vec<_> =
            self.name_servers.iter().map(|server| server.address().to_string()).collect();
        addresses.join(";")
    }

    /// The name servers, in order.
    pub fn all_name_servers(&self) -> &[NameServerHandle] {
        &self.name_servers
    }

    /// A name server by its number, from 0.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn name_server(&self, number: usize) -> NameServerHandle {
        self.name_servers[number].clone()
    }

    /// All brokers, slaves included, in the order they were asked for.
    pub fn brokers(&self) -> &[BrokerHandle] {
        &self.brokers
    }

    /// A master by its name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn broker(&self, name: &str) -> BrokerHandle {
        self.find(name, 0).unwrap_or_else(|| panic!("the cluster has no broker {name}"))
    }

    /// The broker of a name and id.
    pub fn find(&self, name: &str, id: i64) -> Option<BrokerHandle> {
        self.brokers.iter().find(|broker| broker.name() == name && broker.id() == id).cloned()
    }

    /// Waits until all name servers that are up know all brokers that are up, under their
    /// addresses of now. Fails after 10 s.
    pub async fn wait_until_registered(&self) -> io::Result<()> {
        let deadline = tokio::time::Instant::now() + REGISTER_TIMEOUT;
        while !self.is_registered().await {
            if tokio::time::Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "brokers did not register"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    pub(super) async fn launch(builder: ClusterBuilder) -> io::Result<Self> {
        let origin = tokio::time::Instant::now();
        let mut cluster = Self { name_servers: Vec::new(), brokers: Vec::new() };
        for number in 0..builder.name_servers {
            let port = name_server_port(&builder, number)?;
            let mut config =
                NameServerConfig { release: builder.release, ..NameServerConfig::default() };
            if let Some(tune) = builder.name_server_tune {
                tune(&mut config);
            }
            let node = NameServer::new(config);
            let server = Server::new(node, origin, bind(SocketAddr::new(builder.ip, port))?)?;
            server.start().await?;
            cluster.name_servers.push(NameServerHandle { server: Arc::new(server) });
        }
        for broker in &builder.brokers {
            let masters = builder.brokers.iter().filter(|of| of.name == broker.name && of.id == 0);
            if masters.count() != 1 {
                let text = format!("{} needs one master, no more and no less", broker.name);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            let socket = bind(SocketAddr::new(builder.ip, broker.port))?;
            let config = cluster.config(&builder, broker, socket.local_addr()?);
            let server = Server::new(Broker::new(config), origin, socket)?;
            server.start().await?;
            cluster.brokers.push(BrokerHandle { server: Arc::new(server) });
        }
        cluster.wait_until_registered().await?;
        Ok(cluster)
    }

    fn config(
        &self,
        builder: &ClusterBuilder,
        broker: &BrokerBuilder,
        address: SocketAddr,
    ) -> BrokerConfig {
        let mut config = BrokerConfig::new(broker.name.clone(), address);
        config.id = broker.id;
        config.release = builder.release;
        config.name_servers =
            self.name_servers.iter().map(|server| server.address().to_string()).collect();
        for (topic, queues) in &builder.topics {
            let queues = broker.queues.unwrap_or(*queues);
            config.topics.push((topic.clone(), TopicConfig::queues(queues)));
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        config.wall_origin_ms = i64::try_from(wall.as_millis()).unwrap_or(0);
        config.seed = self.brokers.len() as u64;
        for tune in &broker.tune {
            tune(&mut config);
        }
        config
    }

    async fn is_registered(&self) -> bool {
        for server in &self.name_servers {
            if !server.is_up().await {
                continue;
            }
            for broker in &self.brokers {
                let address = broker.address().to_string();
                let (name, id) = (broker.name(), broker.id());
                let known = server.with(|model, _| {
                    model.broker_address(&name, id).is_some_and(|known| known == address)
                });
                if !known && broker.is_up().await {
                    return false;
                }
            }
        }
        true
    }
}

impl Drop for EmbeddedCluster {
    fn drop(&mut self) {
        for broker in &self.brokers {
            broker.server.abort();
        }
        for server in &self.name_servers {
            server.server.abort();
        }
    }
}

fn name_server_port(builder: &ClusterBuilder, number: usize) -> io::Result<u16> {
    let Some(first) = builder.name_server_port.filter(|&port| port != 0) else { return Ok(0) };
    let port = u16::try_from(number).ok().and_then(|number| first.checked_add(number));
    port.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "name server port above 65535"))
}

const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);
