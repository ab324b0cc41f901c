//! The servers of a plan as hosts of the simulated network, and the ways between them.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_local;

use super::super::builder::settle;
use super::super::host::{Conversation, Dial, Host};
use super::super::trace::Trace;
use super::board::{Caller, Shared};
use super::line::dial_from;
use super::{CLIENT, Stage};
use crate::model::broker::Broker;
use crate::model::name_server::{NameServer, NameServerFaults};
use crate::model::{ConnId, Instant, Node, Output};
use crate::pair::node::{Power, Server, address, all};
use crate::pair::steps::joins_later;
use crate::pair::weather::Passage;
use crate::plan::Plan;

/// One server and what the stage knows of it.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) host: Rc<Host<Server>>,
    pub(super) power: Power,
    pub(super) server_faults: NameServerFaults,
    pub(super) down: u16,
    /// It has not joined yet.
    pub(super) absent: bool,
    pub(super) frozen: u16,
    moves: u8,
}

impl Node for Server {
    fn handle_start(&mut self, now: Instant) {
        self.node().handle_start(now);
    }

    fn handle_accepted(&mut self, now: Instant, conn: ConnId, peer: SocketAddr) {
        self.node().handle_accepted(now, conn, peer);
    }

    fn handle_connected(&mut self, now: Instant, conn: ConnId) {
        self.node().handle_connected(now, conn);
    }

    fn handle_received(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.node().handle_received(now, conn, bytes);
    }

    fn handle_closed(&mut self, now: Instant, conn: ConnId) {
        self.node().handle_closed(now, conn);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node().handle_timeout(now);
    }

    fn poll_output(&mut self) -> Output {
        self.node().poll_output()
    }

    fn take_bytes(&mut self, conn: ConnId, out: &mut Vec<u8>) {
        self.node().take_bytes(conn, out);
    }
}

/// Makes all servers, each on a host of its own.
pub(super) fn inhabit(
    sim: &mut turmoil::Sim<'static>,
    plan: &Plan,
    board: &Shared,
    trace: &Trace,
    tick: Duration,
) -> Vec<Slot> {
    let slots = all(plan).into_iter().enumerate().map(|(number, slot)| {
        let at: SocketAddr = slot.address.parse().expect("an IPv4 address and a port");
        board.lock().by_address.insert(slot.address, number);
        let dial = dial_of(board.clone(), number, tick);
        let host = Host::with_dial(slot.name.clone(), at, slot.server, trace.clone(), dial);
        let host = Rc::new(host);
        let absent = joins_later(plan, &slot.name);
        if absent {
            host.want(false);
        }
        settle(sim, host.clone(), at);
        Slot {
            name: slot.name,
            host,
            power: if absent { Power::Crashed } else { Power::Up },
            server_faults: NameServerFaults::default(),
            down: u16::from(absent),
            absent,
            frozen: 0,
            moves: 0,
        }
    });
    slots.collect()
}

fn dial_of(board: Shared, node: usize, tick: Duration) -> Dial {
    Arc::new(move |address| {
        let board = board.clone();
        Box::pin(async move {
            let wire = dial_from(board, node, address, tick).await?;
            Ok(Box::new(wire) as Conversation)
        })
    })
}

impl Stage {
    pub(super) fn host(&self, node: usize) -> Rc<Host<Server>> {
        self.nodes.borrow()[node].host.clone()
    }

    /// Changes a broker; a name server is not touched.
    pub(super) fn with_broker(&self, node: usize, change: impl FnOnce(&mut Broker, Instant)) {
        self.host(node).enter(|server, now| {
            if let Server::Broker(broker) = server {
                change(broker, now);
            }
        });
    }

    /// Changes all name servers.
    pub(super) fn with_name_servers(&self, change: impl Fn(&mut NameServer)) {
        for slot in self.nodes.borrow().iter() {
            slot.host.enter(|server, _| {
                if let Server::NameServer(server) = server {
                    change(server);
                }
            });
        }
    }

    /// The process dies, or its machine.
    pub(super) fn stop(&self, node: usize, power: Power) {
        self.nodes.borrow_mut()[node].power = power;
        if power == Power::Off {
            // First, so that nobody hears how its connections end.
            self.board.lock().off[node] = true;
            self.mend_ways();
        }
        self.host(node).want(false);
    }

    /// The node runs (again), without a connection; a name server knows nothing.
    pub(super) fn start(self: &Rc<Self>, node: usize) {
        self.nodes.borrow_mut()[node].power = Power::Up;
        self.board.lock().off[node] = false;
        self.mend_ways();
        let (stage, host) = (self.clone(), self.host(node));
        host.enter(|server, _| {
            if let Server::NameServer(server) = server {
                server.forget_routes();
            }
        });
        host.want(true);
        spawn_local(async move {
            host.settled().await;
            let slot = &stage.nodes.borrow()[node];
            if slot.power == Power::Up && slot.frozen > 0 {
                freeze(&slot.host, true);
            }
        });
    }

    /// The broker starts again on another machine; nobody listens on the old one.
    pub(super) fn move_broker(self: &Rc<Self>, node: usize) {
        {
            let slot = &mut self.nodes.borrow_mut()[node];
            if slot.power != Power::Up || slot.moves == 200 {
                return;
            }
            slot.moves += 1;
        }
        let moves = self.nodes.borrow()[node].moves;
        let number = node - usize::from(self.plan.cluster.name_servers);
        let to = address(10 + moves, number as u16, 10911);
        self.stop(node, Power::Crashed);
        let (stage, host) = (self.clone(), self.host(node));
        self.with_broker(node, |broker, now| broker.set_address(now, to));
        spawn_local(async move {
            host.settled().await;
            host.move_to(to);
            stage.board.lock().by_address.insert(to.to_string(), node);
            let moved = host.clone();
            stage.wish(move |sim| settle(sim, moved, to));
            // The host is there from the next step on.
            tokio::time::sleep(2 * stage.tick).await;
            let crashed = stage.nodes.borrow()[node].down > 0;
            if !crashed {
                stage.start(node);
            }
            stage.slave_follows(node);
        });
    }

    pub(super) fn freeze(&self, node: usize, begins: bool) {
        let slot = &mut self.nodes.borrow_mut()[node];
        if begins {
            slot.frozen += 1;
        } else {
            slot.frozen -= 1;
        }
        if slot.power == Power::Up && slot.frozen == u16::from(begins) {
            freeze(&slot.host, begins);
        }
    }

    /// Makes the network hold and lose what the weather says. Where bytes are held one way only,
    /// the streams see to it.
    pub(super) fn mend_ways(&self) {
        let nodes = self.nodes.borrow();
        let servers = usize::from(self.plan.cluster.name_servers);
        let address = |node: usize| nodes[node].host.address().ip();
        let hub = self.hub();
        for node in 0..nodes.len() {
            let ways = self.board.lock().between_producers_and(node);
            self.mend(hub, address(node), ways);
        }
        let bridge = self.board.lock().bridge.node;
        if let Some(bridge) = bridge {
            let ways = self.board.lock().between_producers_and_bridge(bridge);
            self.mend(CLIENT, hub, ways);
        }
        // Name servers do not talk to each other.
        for one in servers..nodes.len() {
            for other in 0..one {
                let ways = self.board.lock().between_nodes(one, other);
                if self.mend(address(one), address(other), ways) {
                    // Nodes notice connections that have lost something, and make them again.
                    let between = |from: Caller, to: usize| {
                        [(one, other), (other, one)].contains(&(to, from.node().unwrap_or(to)))
                    };
                    self.board.lock().reset(|line| between(line.from, line.to));
                }
            }
        }
        drop(nodes);
        self.board.lock().wake_all();
    }

    /// Whether the way has just stopped losing what travels on it.
    fn mend(&self, from: IpAddr, to: IpAddr, ways: [Passage; 2]) -> bool {
        let mut known = self.ways.borrow_mut();
        let before = known.insert((from, to), ways).unwrap_or([Passage::Open; 2]);
        if before == ways {
            return false;
        }
        turmoil::release(from, to);
        match ways {
            [Passage::Held, Passage::Held] => turmoil::hold(from, to),
            [forth, back] => {
                if forth == Passage::Dropped {
                    turmoil::partition_oneway(from, to);
                }
                if back == Passage::Dropped {
                    turmoil::partition_oneway(to, from);
                }
            }
        }
        before.contains(&Passage::Dropped) && !ways.contains(&Passage::Dropped)
    }

    /// Makes the network as slow as the weather says.
    pub(super) fn pace_ways(&self) {
        let nodes = self.nodes.borrow();
        let servers = usize::from(self.plan.cluster.name_servers);
        let (least, most) = super::latency(&self.plan);
        let pace = |here: IpAddr, peer: IpAddr, (extra, jitter): (u32, u32)| {
            let least = least + Duration::from_millis(extra.into());
            let most = most + Duration::from_millis((extra + jitter).into());
            self.wish(move |sim| {
                sim.set_link_latency(here, peer, least);
                sim.set_link_max_message_latency(here, peer, most);
            });
        };
        let (hub, bridge) = (self.hub(), self.board.lock().bridge.node);
        let of_bridge = bridge.map_or((0, 0), |node| self.board.lock().weather[node].slowness());
        for (node, slot) in nodes.iter().enumerate() {
            let (extra, jitter) = self.board.lock().weather[node].slowness();
            let brokers = if node < servers { &nodes[servers..] } else { &[] };
            let here = slot.host.address().ip();
            for peer in brokers {
                pace(here, peer.host.address().ip(), (extra, jitter));
            }
            pace(here, hub, (extra + of_bridge.0, jitter + of_bridge.1));
        }
        if bridge.is_some() {
            pace(hub, CLIENT, of_bridge);
        }
    }
}

fn freeze(host: &Host<Server>, begins: bool) {
    host.freeze(begins);
    host.enter(|server, now| match (server, begins) {
        (Server::NameServer(server), true) => server.freeze(),
        (Server::NameServer(server), false) => server.thaw(now),
        (Server::Broker(broker), true) => broker.freeze(),
        (Server::Broker(broker), false) => broker.thaw(now),
    });
}
