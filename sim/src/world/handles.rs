//! How is a world watched and broken while it runs?

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use producer_native::{Builder, Producer};
use tokio::time::sleep;
use turmoil::Sim;

use super::builder::{EPOCH_MS, WorldBuilder, broker_address, settle};
use super::host::Host;
use super::trace::Trace;
use super::transport::{Network, Wires};
use super::wire::Wire;
use crate::model::Instant;
use crate::model::broker::{Broker, Message};
use crate::model::name_server::NameServer;

/// The world as its scenario sees it. Clones are the same world.
#[derive(Clone)]
pub struct World(Rc<Inner>);

pub(super) struct Inner {
    pub(super) seed: u64,
    pub(super) client: IpAddr,
    /// Addresses of brokers used so far.
    pub(super) addresses: Cell<u8>,
    pub(super) brokers: Vec<Rc<Host<Broker>>>,
    pub(super) name_servers: Vec<Rc<Host<NameServer>>>,
    pub(super) trace: Trace,
    pub(super) wires: Wires,
    pub(super) producers: Cell<u32>,
    pub(super) clock_offset_ms: Arc<AtomicI64>,
    /// What only the world's maker can do.
    pub(super) wishes: RefCell<Vec<Wish>>,
}

pub(super) type Wish = Box<dyn FnOnce(&mut Sim<'static>)>;

impl World {
    /// Begins to make a world. All that is random in it comes from `seed`.
    pub fn builder(seed: u64) -> WorldBuilder {
        WorldBuilder::new(seed)
    }

    pub(super) fn new(inner: Inner) -> Self {
        Self(Rc::new(inner))
    }

    /// Begins to make a producer that lives in this world: name servers, network, clock, seed and
    /// identity are set.
    pub fn producer(&self, group: &str) -> Builder {
        let number = self.0.producers.get();
        self.0.producers.set(number + 1);
        let seed = self.0.seed ^ (u64::from(number) + 1).wrapping_mul(0xd134_2543_de82_ef95);
        let (wires, trace) = (self.0.wires.clone(), self.0.trace.clone());
        let offset = self.0.clock_offset_ms.clone();
        Producer::builder(group)
            .name_servers(&self.name_servers())
            .transport(Network { wires, trace, seed })
            .seed(seed)
            .host_ip(self.0.client)
            .process_id(number + 1)
            .wall_clock(move || {
                let now = turmoil::since_epoch().map_or(EPOCH_MS, |since| since.as_millis() as u64);
                now.saturating_add_signed(offset.load(Ordering::Relaxed))
            })
    }

    /// The addresses of all name servers, with semicolons between them.
    pub fn name_servers(&self) -> String {
        let hosts = self.0.name_servers.iter().map(|host| host.address().to_string());
        hosts.collect::<Vec<_>>().join(";")
    }

    /// A master.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn broker(&self, name: &str) -> BrokerHost {
        let host = self.0.brokers.iter().find(|host| host.name == name);
        let host = host.unwrap_or_else(|| panic!("no broker {name} in this world"));
        BrokerHost { host: host.clone(), world: self.clone() }
    }

    /// All brokers, slaves included.
    pub fn brokers(&self) -> Vec<BrokerHost> {
        let hosts = self.0.brokers.iter().cloned();
        hosts.map(|host| BrokerHost { host, world: self.clone() }).collect()
    }

    /// The `number`th name server, counted from 0.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn name_server(&self, number: usize) -> NameServerHost {
        NameServerHost { host: self.0.name_servers[number].clone() }
    }

    /// The link from the scenario's host, where the producers are, to another, forth; back is the
    /// way of the answers. Names are those of brokers, `broker-a/1` for a slave, and `ns-0`.
    ///
    /// # Panics
    /// When there is no such host.
    pub fn link(&self, to: &str) -> Link {
        self.make_link(self.0.client, "client", to)
    }

    /// The link between two other hosts.
    ///
    /// # Panics
    /// When there is no such host.
    pub fn link_between(&self, from: &str, to: &str) -> Link {
        self.make_link(self.address(from).ip(), from, to)
    }

    /// The bytes between producers and a host.
    ///
    /// # Panics
    /// When there is no such host.
    pub fn wire(&self, to: &str) -> Wire {
        self.0.wires.wire(&self.address(to).to_string())
    }

    /// When producers have dialled a host, in simulated time.
    ///
    /// # Panics
    /// When there is no such host.
    pub fn dials(&self, to: &str) -> Vec<Duration> {
        self.0.wires.dials(&self.address(to).to_string())
    }

    /// Sets the wall clock of producers off by so much. No timer may follow it.
    pub fn set_clock(&self, offset_ms: i64) {
        self.note(&format!("the clock is off by {offset_ms} ms"));
        self.0.clock_offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    /// Simulated time since the beginning.
    pub fn elapsed(&self) -> Duration {
        turmoil::sim_elapsed().unwrap_or_default()
    }

    /// Lets simulated time pass.
    pub async fn pass(&self, time: Duration) {
        sleep(time).await;
    }

    /// Adds a line to the trace.
    pub fn note(&self, what: &str) {
        self.0.trace.note("scenario", format_args!("{what}"));
    }

    /// All lines so far: connections, decoded frames as the models saw them, faults, notes. Empty
    /// unless [`WorldBuilder::traced`].
    pub fn trace(&self) -> String {
        self.0.trace.text()
    }

    /// Waits until all name servers know all brokers.
    pub async fn registered(&self) {
        let known = |server: &Rc<Host<NameServer>>, broker: &Rc<Host<Broker>>| {
            let (name, id) = broker.look(|node| (node.config().name.clone(), node.config().id));
            let address = broker.address().to_string();
            server.look(|node| node.broker_address(&name, id) == Some(&address))
        };
        let all = |server| self.0.brokers.iter().all(|broker| known(server, broker));
        while !self.0.name_servers.iter().all(all) {
            sleep(Duration::from_millis(1)).await;
        }
    }

    pub(super) fn between_steps(&self, sim: &mut Sim<'static>) {
        for wish in self.0.wishes.take() {
            wish(sim);
        }
    }

    fn wish(&self, wish: impl FnOnce(&mut Sim<'static>) + 'static) {
        self.0.wishes.borrow_mut().push(Box::new(wish));
    }

    fn make_link(&self, from: IpAddr, from_name: &str, to: &str) -> Link {
        let name = format!("{from_name} - {to}");
        Link { from, to: self.address(to).ip(), name, world: self.clone() }
    }

    fn address(&self, name: &str) -> SocketAddr {
        let brokers = self.0.brokers.iter().map(|host| (&host.name, host.address()));
        let mut all = brokers.chain(self.0.name_servers.iter().map(|h| (&h.name, h.address())));
        let found = all.find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no host {name} in this world")).1
    }
}

/// The way between two hosts. It is found by their addresses as they are when it is made.
pub struct Link {
    from: IpAddr,
    to: IpAddr,
    name: String,
    world: World,
}

impl Link {
    /// Nothing arrives, nothing is lost, and dials hang: an outage that TCP survives.
    pub fn hold(&self) {
        self.note("hold");
        turmoil::hold(self.from, self.to);
    }

    /// Ends [`Self::hold`]: all that was held arrives.
    pub fn release(&self) {
        self.note("release");
        turmoil::release(self.from, self.to);
    }

    /// All that is under way and all that is sent is lost. A connection that loses a segment never
    /// works again, and nobody is told: what an outage becomes when a firewall forgets its flows.
    pub fn cut(&self) {
        self.note("cut");
        turmoil::partition(self.from, self.to);
    }

    /// [`Self::cut`] from the first host to the second only.
    pub fn cut_forth(&self) {
        self.note("cut forth");
        turmoil::partition_oneway(self.from, self.to);
    }

    /// [`Self::cut`] from the second host to the first only.
    pub fn cut_back(&self) {
        self.note("cut back");
        turmoil::partition_oneway(self.to, self.from);
    }

    /// Ends a cut of any kind. Connections that have lost something stay dead.
    pub fn heal(&self) {
        self.note("heal");
        turmoil::repair(self.from, self.to);
    }

    /// Each segment takes this long from the next tick on; whole milliseconds.
    pub fn latency(&self, latency: Duration) {
        self.note(&format!("latency {} ms", latency.as_millis()));
        let (from, to) = (self.from, self.to);
        self.world.wish(move |sim| sim.set_link_latency(from, to, latency));
    }

    fn note(&self, what: &str) {
        self.world.note(&format!("{}: {what}", self.name));
    }
}

/// One broker, up or down. Clones are the same broker.
#[derive(Clone)]
pub struct BrokerHost {
    host: Rc<Host<Broker>>,
    world: World,
}

impl BrokerHost {
    /// Stops the process: its connections are closed and its port refuses new ones. Name servers
    /// forget it. Its log stays.
    pub async fn kill(&self) {
        self.host.set_up(false).await;
    }

    /// Stops the machine: nobody is told, what is sent to it is not answered, and dials hang. Name
    /// servers believe in it until it has been silent for too long.
    pub async fn lose_power(&self) {
        self.host.note("loses power");
        let (here, others) = (self.host.address().ip(), self.others());
        for &other in &others {
            turmoil::partition(here, other);
        }
        self.host.set_up(false).await;
        for other in others {
            turmoil::hold(here, other);
        }
    }

    /// Starts a stopped process or machine, with its log and faults. What was sent to a machine
    /// without power meanwhile arrives, as what TCP sends again does.
    pub async fn start(&self) {
        let here = self.host.address().ip();
        for other in self.others() {
            turmoil::release(here, other);
        }
        self.host.set_up(true).await;
    }

    /// Kills the broker, if it is up, and starts it at another address, with its log.
    pub async fn restart_elsewhere(&self) -> SocketAddr {
        self.kill().await;
        let number = self.world.0.addresses.get();
        self.world.0.addresses.set(number + 1);
        let address = broker_address(number);
        self.host.move_to(address);
        self.with(|broker, now| broker.set_address(now, address));
        let host = self.host.clone();
        self.world.wish(move |sim| settle(sim, host, address));
        self.host.set_up(true).await;
        address
    }

    /// Stops the process where it is, as a long garbage collection or `SIGSTOP` does: the kernel
    /// takes what comes, and nothing is executed.
    pub fn freeze(&self) {
        self.host.freeze(true);
        self.with(|broker, _| broker.freeze());
    }

    /// Ends [`Self::freeze`]: all that came meanwhile is executed and answered.
    pub fn thaw(&self) {
        self.host.freeze(false);
        self.with(Broker::thaw);
    }

    /// Does anything else to the model.
    pub fn with<R>(&self, change: impl FnOnce(&mut Broker, Instant) -> R) -> R {
        self.host.enter(change)
    }

    /// Looks at the model.
    pub fn look<R>(&self, look: impl FnOnce(&Broker) -> R) -> R {
        self.host.look(look)
    }

    /// The messages of a topic in the order they were stored.
    pub fn messages(&self, topic: &str) -> Vec<Message> {
        let mut messages = self.look(Broker::messages);
        messages.retain(|message| message.topic == topic);
        messages
    }

    /// Broker name; a slave's has its id behind it.
    pub fn name(&self) -> &str {
        &self.host.name
    }

    /// Where the broker is, or was.
    pub fn address(&self) -> SocketAddr {
        self.host.address()
    }

    fn others(&self) -> Vec<IpAddr> {
        let inner = &self.world.0;
        let servers = inner.name_servers.iter().map(|host| host.address().ip());
        servers.chain([inner.client]).collect()
    }
}

/// One name server, up or down. Clones are the same name server.
#[derive(Clone)]
pub struct NameServerHost {
    host: Rc<Host<NameServer>>,
}

impl NameServerHost {
    /// Stops the process: its connections are closed and its port refuses new ones.
    pub async fn kill(&self) {
        self.host.set_up(false).await;
    }

    /// Starts it again without brokers, routes and values, as a real one starts. Brokers come back
    /// when they next try.
    pub async fn start(&self) {
        self.with(|name_server, _| name_server.forget());
        self.host.set_up(true).await;
    }

    /// Stops the process where it is.
    pub fn freeze(&self) {
        self.host.freeze(true);
        self.with(|name_server, _| name_server.freeze());
    }

    /// Ends [`Self::freeze`].
    pub fn thaw(&self) {
        self.host.freeze(false);
        self.with(NameServer::thaw);
    }

    /// Does anything else to the model.
    pub fn with<R>(&self, change: impl FnOnce(&mut NameServer, Instant) -> R) -> R {
        self.host.enter(change)
    }

    /// Looks at the model.
    pub fn look<R>(&self, look: impl FnOnce(&NameServer) -> R) -> R {
        self.host.look(look)
    }
}

impl fmt::Debug for BrokerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerHost({} at {})", self.name(), self.address())
    }
}
