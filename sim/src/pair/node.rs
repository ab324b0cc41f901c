//! The servers of a plan.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use producer_core::Instant;

use super::{Pair, UNIX_MS};
use crate::dice::{Concern, Dice};
use crate::model::broker::{Broker, BrokerConfig, Replication, TopicConfig};
use crate::model::name_server::{NameServer, NameServerConfig, NameServerFaults};
use crate::model::{ConnId, Node};
use crate::plan::{Plan, Release};

/// One server and what the world knows of it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) server: Server,
    pub(crate) power: Power,
    pub(crate) wake_at: Option<Instant>,
    pub(crate) conns: BTreeMap<ConnId, usize>,
    pub(crate) accepted: u64,
    pub(crate) moves: u8,
    /// What is to be switched off again.
    pub(crate) server_faults: NameServerFaults,
    pub(crate) down: u16,
    /// It has not joined yet.
    pub(crate) absent: bool,
    pub(crate) frozen: u16,
}

/// Whether a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Up,
    /// The process is gone; its machine says so.
    Crashed,
    /// The machine is gone.
    Off,
}

/// The model behind a slot.
#[derive(Debug)]
pub(crate) enum Server {
    NameServer(Box<NameServer>),
    Broker(Box<Broker>),
}

impl Server {
    pub(crate) fn node(&mut self) -> &mut dyn Node {
        match self {
            Self::NameServer(server) => &mut **server,
            Self::Broker(broker) => &mut **broker,
        }
    }
}

impl Slot {
    fn new(name: String, address: SocketAddr, server: Server) -> Self {
        Self {
            name,
            address: address.to_string(),
            server,
            power: Power::Up,
            wake_at: None,
            conns: BTreeMap::new(),
            accepted: 0,
            moves: 0,
            server_faults: NameServerFaults::default(),
            down: 0,
            absent: false,
            frozen: 0,
        }
    }

    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        self.wake_at.filter(|_| self.power == Power::Up)
    }

    /// The broker, if it is one, to look at.
    pub(crate) fn as_broker(&self) -> Option<&Broker> {
        match &self.server {
            Server::Broker(broker) => Some(broker),
            Server::NameServer(_) => None,
        }
    }

    /// The broker, if it is one.
    pub(crate) fn broker(&mut self) -> Option<&mut Broker> {
        match &mut self.server {
            Server::Broker(broker) => Some(broker),
            Server::NameServer(_) => None,
        }
    }

    /// The name server, if it is one.
    pub(crate) fn name_server(&mut self) -> Option<&mut NameServer> {
        match &mut self.server {
            Server::NameServer(server) => Some(server),
            Server::Broker(_) => None,
        }
    }
}

/// All servers of a plan: name servers, then brokers.
pub(crate) fn all(plan: &Plan) -> Vec<Slot> {
    let servers: Vec<SocketAddr> =
        (0..plan.cluster.name_servers).map(|n| address(0, n, 9876)).collect();
    let mut slots = Vec::new();
    for (n, at) in servers.iter().enumerate() {
        let ordered = plan.cluster.topics.iter().any(|topic| topic.order.is_some());
        let config = NameServerConfig {
            release: plan.cluster.release,
            order_messages: ordered,
            // New in 5.0.0.
            acting_master: plan.cluster.release != Release::V4_9_7,
            ..NameServerConfig::default()
        };
        let mut server = NameServer::new(config);
        for topic in &plan.cluster.topics {
            if let Some(order) = &topic.order {
                server.set_order(&topic.name, order);
            }
        }
        slots.push(Slot::new(format!("ns-{n}"), *at, Server::NameServer(Box::new(server))));
    }
    for n in 0..plan.cluster.brokers {
        let broker = broker(plan, &servers, n, address(1, n, 10911));
        slots.push(Slot::new(format!("broker-{n}"), address(1, n, 10911), broker));
    }
    for n in 0..plan.cluster.slaves {
        let mut slave = broker(plan, &servers, n, address(2, n, 10911));
        if let Server::Broker(model) = &mut slave {
            model.become_slave(Instant::ZERO, &address(1, n, 10911).to_string());
        }
        slots.push(Slot::new(format!("broker-{n}-slave"), address(2, n, 10911), slave));
    }
    slots
}

/// The `n`th master, or what is to become its slave.
fn broker(plan: &Plan, servers: &[SocketAddr], n: u16, at: SocketAddr) -> Server {
    let topics = plan.cluster.topics.iter().filter_map(|topic| {
        let queues = topic.queues.get(usize::from(n)).copied().filter(|queues| *queues > 0)?;
        Some((topic.name.clone(), TopicConfig::queues(queues.into())))
    });
    let config = BrokerConfig {
        name_servers: servers.iter().map(SocketAddr::to_string).collect(),
        topics: topics.collect(),
        auto_create_topics: plan.cluster.auto_create_topics,
        replication: match n < plan.cluster.slaves {
            true => plan.cluster.replication,
            false => Replication::Async,
        },
        release: plan.cluster.release,
        wall_origin_ms: UNIX_MS as i64,
        seed: Dice::new(plan.seed, Concern::Node(n)).number(),
        ..BrokerConfig::new(format!("broker-{n}"), at)
    };
    Server::Broker(Box::new(Broker::new(config)))
}

/// The address of the `n`th machine of a sort.
pub(crate) fn address(sort: u8, n: u16, port: u16) -> SocketAddr {
    (Ipv4Addr::new(10, 0, sort, n as u8 + 1), port).into()
}

impl Pair {
    /// The node runs (again), without a connection.
    pub(crate) fn start_node(&mut self, node: usize) {
        let slot = &mut self.nodes[node];
        slot.power = Power::Up;
        slot.server.node().handle_start(self.now);
        if slot.frozen > 0 {
            self.freeze_node(node);
        }
        self.drain_node(node);
    }

    /// The node stops executing.
    pub(crate) fn freeze_node(&mut self, node: usize) {
        match &mut self.nodes[node].server {
            Server::NameServer(server) => server.freeze(),
            Server::Broker(broker) => broker.freeze(),
        }
        self.drain_node(node);
    }

    /// It goes on.
    pub(crate) fn thaw_node(&mut self, node: usize) {
        if self.nodes[node].power != Power::Up {
            return;
        }
        match &mut self.nodes[node].server {
            Server::NameServer(server) => server.thaw(self.now),
            Server::Broker(broker) => broker.thaw(self.now),
        }
        self.drain_node(node);
    }
}
