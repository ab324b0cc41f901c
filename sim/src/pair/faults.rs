//! How does a fault of the plan begin and end?

use std::time::Duration;

use producer_core::wire::perm;
use producer_core::{ConnectionEnd, Instant};

use super::node::Power;
use super::roles::demote;
use super::{Event, Pair, UNIX_MS, note};
use crate::events::What;
use crate::history::End;
use crate::model::broker::{Broker, Times};
use crate::model::name_server::{NameServer, NameServerFaults};
use crate::plan::{Aim, FaultKind, FaultPlan};

impl Pair {
    pub(super) fn fault_begins(&mut self, at: usize) {
        if self.healed {
            return;
        }
        let fault = self.plan.faults[at].clone();
        note!(self, "fault {at} begins at {}: {:?}", fault.target, fault.kind);
        self.record_at(&fault.target, What::FaultBegins(at));
        self.progress[at].active = true;
        self.apply(at, &fault, true);
        self.later(Duration::from_millis(fault.for_ms.max(1)), Event::FaultEnds(at));
        if let Some(after) = self.until_next_step(at) {
            self.later(after, Event::FaultStep(at));
        }
    }

    pub(super) fn fault_steps(&mut self, at: usize) {
        if !self.progress[at].active || self.healed {
            return;
        }
        self.progress[at].steps += 1;
        note!(self, "fault {at} step {}", self.progress[at].steps);
        self.take_step(at);
        if let Some(after) = self.until_next_step(at) {
            self.later(after, Event::FaultStep(at));
        }
    }

    pub(super) fn fault_ends(&mut self, at: usize) {
        if !self.progress[at].active || self.healed {
            return;
        }
        self.end_fault(at);
    }

    pub(super) fn end_fault(&mut self, at: usize) {
        let fault = self.plan.faults[at].clone();
        note!(self, "fault {at} ends");
        self.record_at(&fault.target, What::FaultEnds(at));
        self.progress[at].active = false;
        self.apply(at, &fault, false);
    }

    fn apply(&mut self, at: usize, fault: &FaultPlan, begins: bool) {
        match fault.kind.aim() {
            Aim::Producer => {
                let number = fault.target.rsplit('-').next().and_then(|n| n.parse().ok());
                if let Some(client) = number.filter(|n| *n < self.clients.len()) {
                    self.apply_to_producer(client, fault, begins);
                }
            }
            Aim::Cluster => self.apply_to_cluster(fault.kind, begins),
            Aim::Bridge => {}
            Aim::Node | Aim::NameServer | Aim::Broker | Aim::Pair => {
                if let Some(node) = self.node_named(&fault.target) {
                    self.apply_to_node(at, node, fault.kind, begins);
                }
            }
        }
    }

    /// Something happens to the host of that name, or to all if no host has it.
    fn record_at(&mut self, name: &str, what: What) {
        let Some(recorder) = &mut self.recorder else { return };
        let hosts = crate::events::hosts(&self.plan);
        let host = hosts.iter().position(|host| host == name).map(|at| at as u16);
        recorder.note(self.now, host, what);
    }

    pub(super) fn node_named(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|slot| slot.name == name)
    }

    fn apply_to_node(&mut self, at: usize, node: usize, kind: FaultKind, begins: bool) {
        if self.weather[node].change(kind, begins) {
            let open = matches!(kind, FaultKind::Partition { .. } | FaultKind::SlowReader { .. });
            if !begins && open {
                self.ways_open();
            }
            return;
        }
        match kind {
            FaultKind::Reset if begins => self.reset_all(node),
            FaultKind::Crash => self.outage(node, Power::Crashed, begins),
            FaultKind::PowerLoss => self.outage(node, Power::Off, begins),
            FaultKind::LostTail { ms } => self.lose_tail(node, ms, begins),
            FaultKind::Freeze => self.freeze(node, begins),
            FaultKind::Join if begins => self.join(node),
            FaultKind::Flap { .. } | FaultKind::RouteFlap { .. } | FaultKind::Upgrade { .. } => {
                self.begin_or_end_steps(at, node, kind, begins);
            }
            FaultKind::Promote { .. }
            | FaultKind::Swap
            | FaultKind::ActingMaster
            | FaultKind::SplitBrain { .. } => self.apply_to_roles(at, node, kind, begins),
            kind if kind.needs_broker() => self.apply_to_broker(node, kind, begins),
            kind => self.apply_to_name_server(node, kind, begins),
        }
    }

    /// Ways may be open again: what was held goes on, and writers may write.
    pub(super) fn ways_open(&mut self) {
        self.release();
        self.reset_what_was_cut();
        self.write_what_waits();
    }

    /// Between nodes a connection that lost something is noticed and made again: they time out.
    fn reset_what_was_cut(&mut self) {
        for link in 0..self.links.len() {
            let this = &self.links[link];
            if this.client().is_none() && this.pipes.iter().any(|pipe| pipe.cut) {
                for from in 0..2 {
                    self.links[link].pipes[from].cut = false;
                }
                self.break_link(link, &ConnectionEnd::Reset);
            }
        }
    }

    fn reset_all(&mut self, node: usize) {
        for link in 0..self.links.len() {
            let this = &self.links[link];
            if this.open && this.end_of(node).is_some() && (this.alive[0] || this.alive[1]) {
                self.break_link(link, &ConnectionEnd::Reset);
            }
        }
    }

    pub(super) fn outage(&mut self, node: usize, power: Power, begins: bool) {
        if !begins {
            self.nodes[node].down -= 1;
            if self.nodes[node].down == 0 {
                self.start_node(node);
            }
            return;
        }
        self.nodes[node].down += 1;
        if self.nodes[node].power == Power::Up {
            self.go_down(node, power);
        } else if power == Power::Off {
            self.nodes[node].power = Power::Off;
        }
    }

    pub(super) fn go_down(&mut self, node: usize, power: Power) {
        self.nodes[node].power = power;
        if let Some(server) = self.nodes[node].name_server() {
            server.forget_routes();
        }
        self.nodes[node].conns.clear();
        for link in 0..self.links.len() {
            let Some(end) = self.links[link].end_of(node) else { continue };
            match power {
                Power::Crashed => self.let_go(link, end, ConnectionEnd::Reset),
                Power::Off | Power::Up => self.links[link].alive[end] = false,
            }
        }
    }

    /// Power goes, and with it what was stored in the last `ms`.
    fn lose_tail(&mut self, node: usize, ms: u32, begins: bool) {
        if begins && self.nodes[node].power == Power::Up {
            let epoch = self.next_epoch();
            let since = self.now.as_millis().saturating_sub(ms.into());
            if let Some(broker) = self.nodes[node].broker() {
                broker.lose_tail(Instant::from_millis(since), epoch);
            }
        }
        self.outage(node, Power::Off, begins);
    }

    fn freeze(&mut self, node: usize, begins: bool) {
        let frozen = &mut self.nodes[node].frozen;
        if begins {
            *frozen += 1;
            if *frozen == 1 && self.nodes[node].power == Power::Up {
                self.freeze_node(node);
            }
        } else {
            *frozen -= 1;
            if *frozen == 0 {
                self.thaw_node(node);
            }
        }
    }

    fn apply_to_broker(&mut self, node: usize, kind: FaultKind, begins: bool) {
        let now = self.now;
        match kind {
            FaultKind::Queues { .. } | FaultKind::WriteQueues { .. } => {
                return self.set_queues(node);
            }
            FaultKind::OrderConf { .. } => return self.set_order(),
            _ => {}
        }
        let moved = kind == FaultKind::Move && begins;
        let Some(broker) = self.nodes[node].broker() else { return };
        change_broker(broker, now, kind, begins);
        if moved {
            self.move_broker(node);
        } else if self.nodes[node].power == Power::Up {
            self.drain_node(node);
        }
    }

    /// The broker starts again on another machine; nobody listens on the old one.
    fn move_broker(&mut self, node: usize) {
        if self.nodes[node].power != Power::Up || self.nodes[node].moves == 200 {
            return;
        }
        self.go_down(node, Power::Crashed);
        self.nodes[node].moves += 1;
        let number = (node - usize::from(self.plan.cluster.name_servers)) as u16;
        let address = super::node::address(10 + self.nodes[node].moves, number, 10911);
        self.nodes[node].address = address.to_string();
        self.by_address.insert(address.to_string(), node);
        let now = self.now;
        if let Some(broker) = self.nodes[node].broker() {
            broker.set_address(now, address);
        }
        self.start_node(node);
        self.slave_follows(node);
    }

    fn apply_to_name_server(&mut self, node: usize, kind: FaultKind, begins: bool) {
        let slot = &mut self.nodes[node];
        let mut faults = slot.server_faults;
        if let Some(server) = slot.name_server() {
            change_name_server(server, &mut faults, kind, begins);
        }
        slot.server_faults = faults;
    }

    fn apply_to_producer(&mut self, client: usize, fault: &FaultPlan, begins: bool) {
        let now = self.now;
        match fault.kind {
            FaultKind::WallJump { ms } if begins => {
                let unix_ms = (UNIX_MS + now.as_millis()).saturating_add_signed(ms);
                self.clients[client].producer.set_wall_clock(now, unix_ms);
            }
            FaultKind::Stall if begins => {
                let until = now + Duration::from_millis(fault.for_ms);
                let stalled = &mut self.clients[client].stalled_until;
                *stalled = Some(stalled.map_or(until, |at| at.max(until)));
                self.history.stalls.push((client as u16, now, until));
            }
            FaultKind::Cancel { nth } if begins => self.cancel(client, nth),
            FaultKind::Close if begins => {
                self.close(client, now + Duration::from_millis(fault.for_ms));
            }
            _ => {}
        }
    }

    fn cancel(&mut self, client: usize, nth: u32) {
        let sends: Vec<_> = self.clients[client].in_hand.values().copied().collect();
        for id in sends.into_iter().step_by(nth.max(1) as usize) {
            if let Some(ticket) = self.clients[client].producer.cancel(self.now, id) {
                for member in self.members(client, ticket) {
                    self.ended(client, member, End::Cancelled);
                }
                self.go_on_serially(client, ticket);
            }
        }
        self.drain_client(client);
    }

    pub(super) fn close(&mut self, client: usize, deadline: Instant) {
        note!(self, "p{client} is closed");
        self.clients[client].closing = true;
        self.clients[client].producer.close(self.now, deadline);
        self.drain_client(client);
    }
}

/// Begins or ends what happens inside a broker, but for its topics.
pub(crate) fn change_broker(broker: &mut Broker, now: Instant, kind: FaultKind, begins: bool) {
    match kind {
        FaultKind::Sends { fault } if begins => broker.fault(fault, Times::All),
        FaultKind::Sends { .. } => broker.clear_faults(),
        FaultKind::SlowDisk { ms } => {
            broker.slow_disk(Duration::from_millis(if begins { ms.into() } else { 0 }));
        }
        FaultKind::DiskFull => broker.fill_disk(begins),
        FaultKind::ReadOnly => {
            let permission = if begins { perm::READ } else { perm::READ | perm::WRITE };
            broker.set_permission(now, permission);
        }
        FaultKind::Demote => demote(broker, now, begins),
        _ => {}
    }
}

/// Begins or ends what happens inside a name server, which has these faults so far.
pub(crate) fn change_name_server(
    server: &mut NameServer,
    faults: &mut NameServerFaults,
    kind: FaultKind,
    begins: bool,
) {
    match kind {
        FaultKind::StaleRoutes => faults.stale = begins,
        FaultKind::SilentServer => faults.silent = begins,
        FaultKind::SlowServer { ms } => {
            faults.delay = Duration::from_millis(if begins { ms.into() } else { 0 });
        }
        _ => {}
    }
    server.fault(*faults);
    if kind == FaultKind::Forget && begins {
        server.forget();
    }
}
