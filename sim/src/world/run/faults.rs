//! How does a fault of the plan begin and end?

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::host::elapsed;
use super::board::{Caller, note};
use super::{Event, Stage};
use crate::pair::faults::{change_broker, change_name_server};
use crate::pair::node::{Power, Server};
use crate::plan::{FaultKind, FaultPlan};

/// Whether a kind of fault exists on this level. What is left out is said by
/// [`crate::pair::Run::skipped`].
pub(super) const fn exists(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Partition { .. }
        | FaultKind::SynBlackHole
        | FaultKind::RefuseDials
        | FaultKind::Reset
        | FaultKind::ResetInAnswer { .. }
        | FaultKind::HalfRequest { .. }
        | FaultKind::Dribble { .. }
        | FaultKind::Slow { .. }
        | FaultKind::Crash
        | FaultKind::PowerLoss
        | FaultKind::Freeze
        | FaultKind::Sends { .. }
        | FaultKind::SlowDisk { .. }
        | FaultKind::DiskFull
        | FaultKind::ReadOnly
        | FaultKind::Move
        | FaultKind::Queues { .. }
        | FaultKind::Demote
        | FaultKind::StaleRoutes
        | FaultKind::Forget
        | FaultKind::SilentServer
        | FaultKind::SlowServer { .. }
        | FaultKind::WallJump { .. }
        | FaultKind::Stall
        | FaultKind::Cancel { .. }
        | FaultKind::Close => true,
        FaultKind::Flap { .. }
        | FaultKind::SlowReader { .. }
        | FaultKind::WriteQueues { .. }
        | FaultKind::OrderConf { .. }
        | FaultKind::Promote { .. }
        | FaultKind::Swap
        | FaultKind::ActingMaster
        | FaultKind::SplitBrain { .. }
        | FaultKind::LostTail { .. }
        | FaultKind::Join
        | FaultKind::Upgrade { .. }
        | FaultKind::RouteFlap { .. }
        | FaultKind::DeleteTopic { .. } => false,
    }
}

impl Stage {
    pub(super) fn fault_begins(self: &Rc<Self>, at: usize) {
        let fault = &self.plan.faults[at];
        if self.healed.get() {
            return;
        }
        let what = format!("fault {at} begins at {}: {:?}", fault.target, fault.kind);
        note(&self.board.lock(), format_args!("{what}"));
        if !exists(fault.kind) {
            note(&self.board.lock(), format_args!("fault {at} is skipped"));
            self.skipped.borrow_mut().push(at);
            return;
        }
        self.active.borrow_mut()[at] = true;
        self.apply(fault, true);
        self.later(Duration::from_millis(fault.for_ms.max(1)), Event::FaultEnds(at));
    }

    pub(super) fn fault_ends(self: &Rc<Self>, at: usize) {
        if self.active.borrow()[at] && !self.healed.get() {
            self.end_fault(at);
        }
    }

    pub(super) fn end_fault(self: &Rc<Self>, at: usize) {
        note(&self.board.lock(), format_args!("fault {at} ends"));
        self.active.borrow_mut()[at] = false;
        self.apply(&self.plan.faults[at], false);
    }

    fn apply(self: &Rc<Self>, fault: &FaultPlan, begins: bool) {
        if fault.kind.aims_at_producer() {
            let number = fault.target.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
            let Some(client) = number.filter(|n| *n < self.plan.producers().into()) else { return };
            return self.apply_to_producer(client, fault, begins);
        }
        let found = self.nodes.borrow().iter().position(|slot| slot.name == fault.target);
        let Some(node) = found else { return };
        let weather = self.board.lock().weather[node].change(fault.kind, begins);
        if weather {
            self.mend_ways();
            if matches!(fault.kind, FaultKind::Slow { .. }) {
                self.pace_ways();
            }
            return;
        }
        match fault.kind {
            FaultKind::Reset if begins => {
                let of_node = |from, to| to == node || from == Caller::Node(node);
                self.board.lock().reset(|line| of_node(line.from, line.to));
            }
            FaultKind::Crash => self.outage(node, Power::Crashed, begins),
            FaultKind::PowerLoss => self.outage(node, Power::Off, begins),
            FaultKind::Freeze => self.freeze(node, begins),
            kind => self.apply_inside(node, kind, begins),
        }
    }

    fn outage(self: &Rc<Self>, node: usize, power: Power, begins: bool) {
        let (was, down) = {
            let slot = &mut self.nodes.borrow_mut()[node];
            slot.down = if begins { slot.down + 1 } else { slot.down - 1 };
            (slot.power, slot.down)
        };
        if !begins {
            if down == 0 {
                self.start(node);
            }
        } else if was == Power::Up {
            self.stop(node, power);
        } else if power == Power::Off {
            self.nodes.borrow_mut()[node].power = power;
            self.board.lock().off[node] = true;
            self.mend_ways();
        }
    }

    fn apply_inside(self: &Rc<Self>, node: usize, kind: FaultKind, begins: bool) {
        let (host, mut faults) = {
            let slot = &self.nodes.borrow()[node];
            (slot.host.clone(), slot.server_faults)
        };
        let servers = usize::from(self.plan.cluster.name_servers);
        let topics = &self.plan.cluster.topics;
        host.enter(|server, now| match server {
            Server::Broker(broker) => {
                change_broker(broker, now, (node - servers, topics), kind, begins);
            }
            Server::NameServer(server) => change_name_server(server, &mut faults, kind, begins),
        });
        self.nodes.borrow_mut()[node].server_faults = faults;
        if kind == FaultKind::Move && begins {
            self.move_broker(node, (node - servers) as u16);
        }
    }

    fn apply_to_producer(self: &Rc<Self>, client: usize, fault: &FaultPlan, begins: bool) {
        let now = elapsed();
        let within = Duration::from_millis(fault.for_ms);
        match fault.kind {
            FaultKind::WallJump { ms } if begins => {
                self.client(client).wall_offset_ms.fetch_add(ms, Ordering::Relaxed);
            }
            FaultKind::Stall if begins => {
                let mut board = self.board.lock();
                let until = board.stalled_until[client].max(now + within);
                board.stalled_until[client] = until;
                board.history.stalls.push((client as u16, now, now + within));
            }
            // Somebody may have stalled it for longer.
            FaultKind::Stall => self.board.lock().wake_all(),
            FaultKind::Cancel { nth } if begins => self.cancel(client, nth),
            FaultKind::Close if begins => self.close(client, within),
            _ => {}
        }
    }
}
