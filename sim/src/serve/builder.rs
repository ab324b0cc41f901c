//! What shall an embedded cluster be made of?

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use super::EmbeddedCluster;
use crate::model::Release;
use crate::model::broker::BrokerConfig;
use crate::model::name_server::NameServerConfig;

/// A cluster to be. See [`EmbeddedCluster::builder`].
#[derive(Debug)]
pub struct ClusterBuilder {
    pub(super) ip: IpAddr,
    pub(super) release: Release,
    pub(super) name_servers: usize,
    /// Port of the first name server, the others follow; `None` for free ones.
    pub(super) name_server_port: Option<u16>,
    pub(super) name_server_tune: Option<fn(&mut NameServerConfig)>,
    pub(super) brokers: Vec<BrokerBuilder>,
    /// Topics of all brokers.
    pub(super) topics: Vec<(String, i32)>,
}

/// A broker to be.
#[derive(Debug)]
pub struct BrokerBuilder {
    pub(super) name: String,
    pub(super) id: i64,
    pub(super) port: u16,
    pub(super) queues: Option<i32>,
    pub(super) tune: Vec<fn(&mut BrokerConfig)>,
}

impl ClusterBuilder {
    pub(super) const fn new() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            release: Release::V5_4_0,
            name_servers: 1,
            name_server_port: None,
            name_server_tune: None,
            brokers: Vec::new(),
            topics: Vec::new(),
        }
    }

    /// Listens on, and advertises, another address than 127.0.0.1.
    #[must_use]
    pub const fn ip(mut self, ip: IpAddr) -> Self {
        self.ip = ip;
        self
    }

    /// Behaves like another release than 5.4.0.
    #[must_use]
    pub const fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// So many name servers, instead of one.
    #[must_use]
    pub const fn name_servers(mut self, count: usize) -> Self {
        self.name_servers = count;
        self
    }

    /// The port of the first name server; the others take those that follow. 0 for free ones.
    #[must_use]
    pub const fn name_server_port(mut self, port: u16) -> Self {
        self.name_server_port = Some(port);
        self
    }

    /// Changes any setting of all name servers.
    #[must_use]
    pub const fn tune_name_servers(mut self, tune: fn(&mut NameServerConfig)) -> Self {
        self.name_server_tune = Some(tune);
        self
    }

    /// Adds a master.
    #[must_use]
    pub fn broker(
        mut self,
        name: impl Into<String>,
        build: impl FnOnce(BrokerBuilder) -> BrokerBuilder,
    ) -> Self {
        let name = name.into();
        let broker = BrokerBuilder { name, id: 0, port: 0, queues: None, tune: Vec::new() };
        self.brokers.push(build(broker));
        self
    }

    /// Adds a slave of a broker: it is in the routes and refuses sends, but copies nothing yet.
    #[must_use]
    pub fn slave_of(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        let id = self.brokers.iter().filter(|broker| broker.name == name).count().max(1) as i64;
        self.brokers.push(BrokerBuilder { name, id, port: 0, queues: None, tune: Vec::new() });
        self
    }

    /// Adds so many masters: `broker-a`, `broker-b` and so on.
    #[must_use]
    pub fn numbered_brokers(self, count: usize) -> Self {
        (0..count).map(broker_name).fold(self, |all, name| all.broker(name, |broker| broker))
    }

    /// Adds a slave of each master there is so far.
    #[must_use]
    pub fn slave_of_each(self) -> Self {
        let masters = self.brokers.iter().filter(|broker| broker.id == 0);
        let names: Vec<_> = masters.map(|broker| broker.name.clone()).collect();
        names.into_iter().fold(self, Self::slave_of)
    }

    /// Adds a topic to all brokers, with so many queues at each unless that says otherwise.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>, queues: i32) -> Self {
        self.topics.push((topic.into(), queues));
        self
    }

    /// Starts the cluster, and waits until all name servers know all brokers. Without any
    /// [`Self::broker`] there is one, `broker-a`.
    pub async fn start(mut self) -> io::Result<EmbeddedCluster> {
        if self.brokers.is_empty() {
            self = self.broker("broker-a", |broker| broker);
        }
        EmbeddedCluster::launch(self).await
    }
}

impl BrokerBuilder {
    /// This broker has so many queues of each topic.
    #[must_use]
    pub const fn queues(mut self, queues: i32) -> Self {
        self.queues = Some(queues);
        self
    }

    /// A port, instead of any free one.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Changes any setting.
    #[must_use]
    pub fn tune(mut self, tune: fn(&mut BrokerConfig)) -> Self {
        self.tune.push(tune);
        self
    }
}

/// `broker-a` to `broker-z`, then `broker-26` and so on.
fn broker_name(number: usize) -> String {
    match u8::try_from(number) {
        Ok(number @ 0..26) => format!("broker-{}", char::from(b'a' + number)),
        _ => format!("broker-{number}"),
    }
}
