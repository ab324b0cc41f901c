//! What shall a world be made of?

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::task::JoinError;

use super::handles::{Inner, World};
use super::host::{Host, live};
use super::trace::Trace;
use crate::model::broker::{Broker, BrokerConfig, TopicConfig};
use crate::model::name_server::{NameServer, NameServerConfig};

/// A world to be. See [`World::builder`].
#[must_use = "nothing happens before `run`"]
pub struct WorldBuilder {
    seed: u64,
    name_servers: u8,
    tune_name_servers: Box<dyn Fn(&mut NameServerConfig)>,
    brokers: Vec<BrokerPlan>,
    topics: Vec<(String, i32)>,
    latency: (Duration, Duration),
    tick: Duration,
    time_max: Duration,
    segments_max: usize,
    traced: bool,
}

struct BrokerPlan {
    name: String,
    id: i64,
    tune: Box<dyn FnOnce(&mut BrokerConfig)>,
}

/// Wall clock when a world begins, in ms since 1970: 1 January 2026.
pub(super) const EPOCH_MS: u64 = 1_767_225_600_000;
pub(super) const NAME_SERVER_PORT: u16 = 9876;
pub(super) const BROKER_PORT: u16 = 10911;
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 1));

/// The address of the `number`th broker, moved ones counted again.
pub(super) const fn broker_address(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 1, number + 1)), BROKER_PORT)
}

impl WorldBuilder {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            name_servers: 1,
            tune_name_servers: Box::new(|_| {}),
            brokers: Vec::new(),
            topics: Vec::new(),
            latency: (Duration::from_millis(1), Duration::from_millis(5)),
            tick: Duration::from_millis(1),
            time_max: Duration::from_secs(3600),
            segments_max: 1024,
            traced: false,
        }
    }

    /// So many name servers, instead of one.
    pub const fn name_servers(mut self, count: u8) -> Self {
        self.name_servers = count;
        self
    }

    /// Changes any setting of all name servers.
    pub fn tune_name_servers(mut self, tune: impl Fn(&mut NameServerConfig) + 'static) -> Self {
        self.tune_name_servers = Box::new(tune);
        self
    }

    /// Adds a master; `tune` may change any of its settings.
    pub fn broker(
        mut self,
        name: impl Into<String>,
        tune: impl FnOnce(&mut BrokerConfig) + 'static,
    ) -> Self {
        self.brokers.push(BrokerPlan { name: name.into(), id: 0, tune: Box::new(tune) });
        self
    }

    /// Adds a slave of a broker: it is in the routes and refuses sends, but copies nothing.
    pub fn slave_of(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        let id = self.brokers.iter().filter(|broker| broker.name == name).count().max(1) as i64;
        self.brokers.push(BrokerPlan { name, id, tune: Box::new(|_| {}) });
        self
    }

    /// Adds a topic to all brokers, with so many queues at each.
    pub fn topic(mut self, topic: impl Into<String>, queues: i32) -> Self {
        self.topics.push((topic.into(), queues));
        self
    }

    /// How long a segment takes in one direction, each drawn anew; whole milliseconds. Default 1
    /// to 5 ms, mostly near the lower end.
    pub const fn latency(mut self, least: Duration, most: Duration) -> Self {
        self.latency = (least, most);
        self
    }

    /// How often the network delivers, in whole milliseconds. Default 1; 10 is three times faster
    /// to run. Timers of hosts are exact to a millisecond either way.
    pub const fn tick_ms(mut self, tick_ms: u32) -> Self {
        self.tick = Duration::from_millis(tick_ms as u64);
        self
    }

    /// A scenario that takes longer than this in simulated time fails. Default an hour.
    pub const fn time_max(mut self, time_max: Duration) -> Self {
        self.time_max = time_max;
        self
    }

    /// Segments (writes) that a connection holds before its writer waits. Default 1,024. As many
    /// dials may wait for a host, and one more ends the run.
    pub const fn segments_max(mut self, segments_max: usize) -> Self {
        self.segments_max = segments_max;
        self
    }

    /// Keeps a line for each connection, frame and fault: [`World::trace`].
    pub const fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Runs `scenario` beside the cluster, once all name servers know all brokers, until it ends.
    /// It runs on a host of its own and may spawn local tasks. Without any [`Self::broker`] there
    /// is one, `broker-a`.
    ///
    /// # Panics
    /// When the scenario does, and when it takes longer than [`Self::time_max`].
    pub fn run<F, Fut, R>(mut self, scenario: F) -> R
    where
        F: FnOnce(World) -> Fut + 'static,
        Fut: Future<Output = R> + 'static,
        R: 'static,
    {
        if self.brokers.is_empty() {
            self = self.broker("broker-a", |_| {});
        }
        let seed = self.seed;
        let mut sim = self.network();
        let world = World::new(self.inhabit(&mut sim));
        let result = Rc::new(RefCell::new(None));
        let (slot, client) = (result.clone(), world.clone());
        sim.client(CLIENT, async move {
            client.registered().await;
            let ended = scenario(client).await;
            *slot.borrow_mut() = Some(ended);
            Ok(())
        });
        loop {
            match sim.step() {
                Ok(true) => break,
                Ok(false) => world.between_steps(&mut sim),
                Err(error) => fail(seed, error),
            }
        }
        let ended = result.borrow_mut().take();
        ended.expect("a client that has finished has left its result")
    }

    fn network(&self) -> turmoil::Sim<'static> {
        turmoil::Builder::new()
            .rng_seed(self.seed)
            .epoch(UNIX_EPOCH + Duration::from_millis(EPOCH_MS))
            .tick_duration(self.tick)
            .simulation_duration(self.time_max)
            .min_message_latency(self.latency.0)
            .max_message_latency(self.latency.1)
            .tcp_capacity(self.segments_max)
            .build()
    }

    fn inhabit(self, sim: &mut turmoil::Sim<'static>) -> Inner {
        let trace = if self.traced { Trace::on() } else { Trace::default() };
        let name_servers: Vec<_> = (0..self.name_servers)
            .map(|number| {
                let address = SocketAddr::from(([10, 0, 0, number + 1], NAME_SERVER_PORT));
                let mut config = NameServerConfig::default();
                (self.tune_name_servers)(&mut config);
                let node = NameServer::new(config);
                Rc::new(Host::new(format!("ns-{number}"), address, node, trace.clone()))
            })
            .collect();
        let known: Vec<String> =
            name_servers.iter().map(|host| host.address().to_string()).collect();
        let mut brokers = Vec::new();
        for (number, plan) in (0..).zip(self.brokers) {
            let address = broker_address(number);
            let mut config = BrokerConfig::new(&plan.name, address);
            config.id = plan.id;
            config.name_servers.clone_from(&known);
            config.wall_origin_ms = EPOCH_MS as i64;
            config.seed = self.seed ^ u64::from(number);
            let topics = self.topics.iter();
            config.topics = topics
                .map(|(topic, queues)| (topic.clone(), TopicConfig::queues(*queues)))
                .collect();
            (plan.tune)(&mut config);
            let name = match config.id {
                0 => plan.name,
                id => format!("{}/{id}", plan.name),
            };
            brokers.push(Rc::new(Host::new(name, address, Broker::new(config), trace.clone())));
        }
        for host in &name_servers {
            settle(sim, host.clone(), host.address());
        }
        for host in &brokers {
            settle(sim, host.clone(), host.address());
        }
        Inner {
            seed: self.seed,
            client: CLIENT,
            addresses: Cell::new(brokers.len() as u8),
            brokers,
            name_servers,
            trace,
            wires: super::transport::Wires::default(),
            producers: Cell::new(0),
            clock_offset_ms: std::sync::Arc::default(),
            wishes: RefCell::default(),
        }
    }
}

/// Gives a node a host at `at`.
pub(super) fn settle<N: crate::model::Node + Send + 'static>(
    sim: &mut turmoil::Sim<'static>,
    host: Rc<Host<N>>,
    at: SocketAddr,
) {
    // Peers know each other by address, so a literal one is the name.
    sim.host(at.ip(), move || live(host.clone(), at));
}

pub(super) fn fail(seed: u64, error: Box<dyn std::error::Error>) -> ! {
    eprintln!("the scenario failed in the world of seed {seed}");
    match error.downcast::<JoinError>() {
        Ok(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Ok(ended) => panic!("a host ended: {ended}"),
        Err(error) => panic!("{error}"),
    }
}
