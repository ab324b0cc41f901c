//! Servers, the ways to them, and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use producer_core::wire::route::{BrokerData, QueueData, RouteJson, TopicRouteData};

use super::Size;
use super::tally::Tally;

pub(super) type Nanos = u64;
const MICRO: Nanos = 1_000;
pub(super) const SECOND: Nanos = 1_000_000_000;

/// A name server's answer takes so long to make, and its bytes so long to leave: 1 Gbit/s.
const ANSWER: Nanos = 25 * MICRO;
const BYTE: Nanos = 8;
/// How often a broker says to name servers that it is there (`registerNameServerPeriod`).
const REGISTER: Nanos = 30 * SECOND;
/// A producer's messages.
const SEND: Nanos = SECOND;
/// Producers that start at once do so within this.
const AT_ONCE: Nanos = SECOND;
pub(super) const QUEUES: usize = 4;

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Route,
    Heartbeat,
    Send { queue: i32 },
    Other,
}

/// A request, and its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub(super) kind: Kind,
    pub(super) opaque: i32,
}

/// What a name server knows: which brokers there are.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) brokers: Vec<usize>,
    pub(super) body: Vec<u8>,
}

/// What a client is told.
pub(super) enum Seen {
    Wake,
    Send,
    Connected {
        link: u64,
    },
    Ended {
        link: u64,
        refused: bool,
    },
    /// The route is that of an answer to [`Kind::Route`]; `None`: there is no such topic.
    Answer {
        link: u64,
        ask: Ask,
        route: Option<Rc<Route>>,
    },
}

/// What a client wants.
pub(super) enum Want {
    Dial { link: u64, node: usize },
    Close { link: u64 },
    Ask { link: u64, ask: Ask },
    Wake { at: Nanos },
    Sent { stored: bool },
}

/// A producer.
pub(super) trait Client {
    /// The process starts anew.
    fn restart(&mut self, now: Nanos);
    /// Something happened.
    fn handle(&mut self, now: Nanos, seen: Seen, wants: &mut Vec<Want>);
}

/// Who is meant by a number that may have started anew since.
type Who = (usize, u32);

enum Event {
    Start(usize),
    Send(Who),
    Wake(Who, u32),
    Dial(Who, u64),
    Connected(Who, u64),
    Ended(Who, u64, bool),
    Arrive(Who, u64, Ask),
    Answer(Who, u64, Ask, Option<Rc<Route>>),
    Down(usize),
    Up(usize),
    Register(usize),
}

struct Process<C> {
    client: C,
    /// 0: not started.
    life: u32,
    /// The node at the other end; whether it is open.
    links: BTreeMap<u64, (usize, bool)>,
    wake: (Nanos, u32),
}

#[derive(Default)]
struct Server {
    up: bool,
    busy_until: Nanos,
    connections: u32,
    /// Brokers that a name server knows, and the route made of them.
    known: BTreeSet<usize>,
    route: Option<Rc<Route>>,
}

/// All of it. Nodes are name servers, then brokers.
pub(super) struct World<C> {
    pub(super) size: Size,
    pub(super) tally: Tally,
    now: Nanos,
    events: BTreeMap<(Nanos, u64), Event>,
    count: u64,
    processes: Vec<Process<C>>,
    servers: Vec<Server>,
    wants: Vec<Want>,
}

impl<C: Client> World<C> {
    pub(super) fn new(size: Size, client: impl Fn(usize) -> C) -> Self {
        let process = |number| Process {
            client: client(number),
            life: 0,
            links: BTreeMap::new(),
            wake: (Nanos::MAX, 0),
        };
        let nodes = size.name_servers + size.brokers;
        let server = |node| Server {
            up: true,
            known: match node < size.name_servers {
                true => (0..size.brokers).collect(),
                false => BTreeSet::new(),
            },
            ..Server::default()
        };
        let mut world = Self {
            size,
            tally: Tally::new(size),
            now: 0,
            events: BTreeMap::new(),
            count: 0,
            processes: (0..size.producers).map(process).collect(),
            servers: (0..nodes).map(server).collect(),
            wants: Vec::new(),
        };
        for broker in 0..size.brokers {
            // Brokers were not started at one instant.
            let at = mixed(broker as u64) % REGISTER;
            world.put(at, Event::Register(broker));
        }
        world
    }

    /// A producer starts, and its last life ends.
    pub(super) fn start(&mut self, number: usize, at: Nanos) {
        self.put(at, Event::Start(number));
    }

    pub(super) fn start_all(&mut self, at: Nanos) {
        for number in 0..self.size.producers {
            self.start(number, at + mixed(number as u64) % AT_ONCE);
        }
    }

    /// These nodes go down, all connections with them, and come back.
    pub(super) fn restart(&mut self, nodes: Range<usize>, down: Nanos, up: Nanos) {
        for node in nodes {
            self.put(down, Event::Down(node));
            self.put(up, Event::Up(node));
        }
    }

    pub(super) fn run_until(&mut self, end: Nanos) {
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at >= end {
                return;
            }
            self.now = at;
            self.step(event);
        }
    }

    fn put(&mut self, at: Nanos, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// One way between a producer and a node: 250 to 750 µs, always the same.
    fn way(&self, (number, _): Who, node: usize) -> Nanos {
        250 * MICRO + mixed((number * 1_000 + node) as u64) % (500 * MICRO)
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Start(number) => self.begin(number),
            Event::Send(who) => {
                if self.lives(who) {
                    self.put(self.now + SEND, Event::Send(who));
                    self.tell(who, Seen::Send);
                }
            }
            Event::Wake(who, number) => {
                if self.lives(who) && self.processes[who.0].wake.1 == number {
                    self.processes[who.0].wake.0 = Nanos::MAX;
                    self.tell(who, Seen::Wake);
                }
            }
            Event::Dial(who, link) => self.dialled(who, link),
            Event::Connected(who, link) => {
                if self.link(who, link).is_some() {
                    self.tell(who, Seen::Connected { link });
                }
            }
            Event::Ended(who, link, refused) => {
                if self.lives(who) {
                    self.tell(who, Seen::Ended { link, refused });
                }
            }
            Event::Arrive(who, link, ask) => self.arrived(who, link, ask),
            Event::Answer(who, link, ask, route) => {
                if self.link(who, link).is_some() {
                    self.tell(who, Seen::Answer { link, ask, route });
                }
            }
            Event::Down(node) => self.down(node),
            Event::Up(node) => {
                self.servers[node].up = true;
                self.servers[node].busy_until = self.now;
                if let Some(broker) = node.checked_sub(self.size.name_servers) {
                    self.register(broker);
                }
            }
            Event::Register(broker) => {
                self.put(self.now + REGISTER, Event::Register(broker));
                if self.servers[self.size.name_servers + broker].up {
                    self.register(broker);
                }
            }
        }
    }

    fn lives(&self, (number, life): Who) -> bool {
        self.processes[number].life == life
    }

    /// The node of an open connection.
    fn link(&self, who: Who, link: u64) -> Option<usize> {
        let found = self.processes[who.0].links.get(&link).filter(|_| self.lives(who));
        found.filter(|(_, open)| *open).map(|(node, _)| *node)
    }

    fn begin(&mut self, number: usize) {
        let process = &mut self.processes[number];
        process.life += 1;
        process.wake = (Nanos::MAX, process.wake.1 + 1);
        for (node, open) in std::mem::take(&mut process.links).into_values() {
            self.servers[node].connections -= u32::from(open);
        }
        process.client.restart(self.now);
        let who = (number, process.life);
        self.put(self.now + mixed(number as u64 + 7) % SEND, Event::Send(who));
        self.tell(who, Seen::Wake);
    }

    fn dialled(&mut self, who: Who, link: u64) {
        let Some(&(node, _)) = self.processes[who.0].links.get(&link) else { return };
        if !self.lives(who) {
            return;
        }
        self.tally.dialled(self.now, node);
        let back = self.now + self.way(who, node);
        if !self.servers[node].up {
            self.processes[who.0].links.remove(&link);
            return self.put(back, Event::Ended(who, link, true));
        }
        self.servers[node].connections += 1;
        self.tally.connected(self.now, node, self.servers[node].connections);
        if let Some(found) = self.processes[who.0].links.get_mut(&link) {
            found.1 = true;
        }
        self.put(back, Event::Connected(who, link));
    }

    fn arrived(&mut self, who: Who, link: u64, ask: Ask) {
        let Some(node) = self.link(who, link) else { return };
        let mut at = self.now;
        let mut route = None;
        if node < self.size.name_servers {
            route = self.route_at(node);
            let bytes = 120 + route.as_ref().map_or(100, |route| route.body.len());
            let server = &mut self.servers[node];
            server.busy_until = server.busy_until.max(at) + ANSWER + BYTE * bytes as Nanos;
            at = server.busy_until;
            self.tally.asked(self.now, bytes, at - self.now);
        } else {
            self.tally.heard(self.now, node, ask.kind);
        }
        let back = at + self.way(who, node);
        self.put(back, Event::Answer(who, link, ask, route));
    }

    fn down(&mut self, node: usize) {
        let server = &mut self.servers[node];
        *server = Server::default();
        for number in 0..self.processes.len() {
            let process = &mut self.processes[number];
            let who = (number, process.life);
            let mut cut = Vec::new();
            process.links.retain(|&link, &mut (to, open)| {
                let ends = to == node && open;
                if ends {
                    cut.push(link);
                }
                !ends
            });
            for link in cut {
                let at = self.now + self.way(who, node);
                self.put(at, Event::Ended(who, link, false));
            }
        }
        if let Some(broker) = node.checked_sub(self.size.name_servers) {
            for server in &mut self.servers[..self.size.name_servers] {
                server.known.remove(&broker);
                server.route = None;
            }
        }
    }

    fn register(&mut self, broker: usize) {
        for server in &mut self.servers[..self.size.name_servers] {
            if server.up && server.known.insert(broker) {
                server.route = None;
            }
        }
    }

    /// Every topic has the same brokers.
    fn route_at(&mut self, node: usize) -> Option<Rc<Route>> {
        let server = &mut self.servers[node];
        if server.known.is_empty() {
            return None;
        }
        let known = &server.known;
        let route = server.route.get_or_insert_with(|| Rc::new(route(known)));
        Some(route.clone())
    }

    fn tell(&mut self, who: Who, seen: Seen) {
        let mut wants = std::mem::take(&mut self.wants);
        self.processes[who.0].client.handle(self.now, seen, &mut wants);
        for want in wants.drain(..) {
            self.do_as_wanted(who, want);
        }
        self.wants = wants;
    }

    fn do_as_wanted(&mut self, who: Who, want: Want) {
        match want {
            Want::Dial { link, node } => {
                self.processes[who.0].links.insert(link, (node, false));
                self.put(self.now + self.way(who, node), Event::Dial(who, link));
            }
            Want::Close { link } => {
                if let Some((node, true)) = self.processes[who.0].links.remove(&link) {
                    self.servers[node].connections -= 1;
                }
            }
            Want::Ask { link, ask } => {
                if let Some(node) = self.link(who, link) {
                    self.put(self.now + self.way(who, node), Event::Arrive(who, link, ask));
                }
            }
            Want::Wake { at } => {
                let at = at.max(self.now);
                let (set, number) = self.processes[who.0].wake;
                if set != at {
                    self.processes[who.0].wake = (at, number + 1);
                    self.put(at, Event::Wake(who, number + 1));
                }
            }
            Want::Sent { stored } => self.tally.sent(self.now, stored),
        }
    }
}

fn route(known: &BTreeSet<usize>) -> Route {
    let data = TopicRouteData {
        queues: known
            .iter()
            .map(|broker| QueueData {
                broker_name: format!("broker-{broker:02}"),
                read_queue_nums: QUEUES as i32,
                write_queue_nums: QUEUES as i32,
                perm: 6,
                topic_sys_flag: 0,
            })
            .collect(),
        brokers: known
            .iter()
            .map(|broker| BrokerData {
                cluster: Some("DefaultCluster".to_owned()),
                broker_name: format!("broker-{broker:02}"),
                addresses: vec![(0, format!("10.0.1.{broker}:10911"))],
                ..BrokerData::default()
            })
            .collect(),
        ..TopicRouteData::default()
    };
    Route { brokers: known.iter().copied().collect(), body: data.encode(RouteJson::Strict) }
}

/// A number that looks like chance and is the same everywhere.
pub(super) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
