//! How does a fault of the plan begin and end?

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::host::elapsed;
use super::board::{Caller, note};
use super::{Event, Stage};
use crate::model::Instant;
use crate::pair::faults::{change_broker, change_name_server};
use crate::pair::node::{Power, Server};
use crate::pair::steps::next_step;
use crate::plan::{Aim, BRIDGE, FaultKind, FaultPlan};

/// Whether a kind of fault exists on this level. What is left out is said by
/// [`crate::pair::Run::skipped`].
pub(super) const fn exists(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Partition { .. }
        | FaultKind::Flap { .. }
        | FaultKind::SlowReader { .. }
        | FaultKind::SynBlackHole
        | FaultKind::RefuseDials
        | FaultKind::Reset
        | FaultKind::ResetInAnswer { .. }
        | FaultKind::HalfRequest { .. }
        | FaultKind::Dribble { .. }
        | FaultKind::Slow { .. }
        | FaultKind::Crash
        | FaultKind::PowerLoss
        | FaultKind::LostTail { .. }
        | FaultKind::Freeze
        | FaultKind::Sends { .. }
        | FaultKind::SlowDisk { .. }
        | FaultKind::DiskFull
        | FaultKind::ReadOnly
        | FaultKind::Move
        | FaultKind::Queues { .. }
        | FaultKind::WriteQueues { .. }
        | FaultKind::OrderConf { .. }
        | FaultKind::DeleteTopic { .. }
        | FaultKind::Demote
        | FaultKind::Join
        | FaultKind::Upgrade { .. }
        | FaultKind::RouteFlap { .. }
        | FaultKind::StaleRoutes
        | FaultKind::Forget
        | FaultKind::SilentServer
        | FaultKind::SlowServer { .. }
        | FaultKind::WallJump { .. }
        | FaultKind::Stall
        | FaultKind::Cancel { .. }
        | FaultKind::Promote { .. }
        | FaultKind::Swap
        | FaultKind::ActingMaster
        | FaultKind::SplitBrain { .. }
        | FaultKind::Close
        | FaultKind::NoTokens
        | FaultKind::Drain
        | FaultKind::HalfOpen { .. }
        | FaultKind::SlowPage { .. } => true,
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
        self.progress.borrow_mut()[at].active = true;
        self.apply(at, fault, true);
        self.later(Duration::from_millis(fault.for_ms.max(1)), Event::FaultEnds(at));
        self.plan_next_step(at);
    }

    pub(super) fn fault_steps(self: &Rc<Self>, at: usize) {
        if !self.progress.borrow()[at].active || self.healed.get() {
            return;
        }
        self.progress.borrow_mut()[at].steps += 1;
        note(&self.board.lock(), format_args!("fault {at} goes on"));
        self.take_step(at);
        self.plan_next_step(at);
    }

    fn plan_next_step(&self, at: usize) {
        let steps = self.progress.borrow()[at].steps;
        if let Some(after) = next_step(self.plan.faults[at].kind, steps) {
            self.later(after, Event::FaultStep(at));
        }
    }

    pub(super) fn fault_ends(self: &Rc<Self>, at: usize) {
        if self.progress.borrow()[at].active && !self.healed.get() {
            self.end_fault(at);
        }
    }

    pub(super) fn end_fault(self: &Rc<Self>, at: usize) {
        note(&self.board.lock(), format_args!("fault {at} ends"));
        self.progress.borrow_mut()[at].active = false;
        if self.plan.faults[at].target == BRIDGE {
            self.bridge_ends_steps(at);
        }
        self.apply(at, &self.plan.faults[at], false);
    }

    fn apply(self: &Rc<Self>, at: usize, fault: &FaultPlan, begins: bool) {
        match fault.kind.aim() {
            Aim::Producer => {
                let number = fault.target.rsplit('-').next().and_then(|n| n.parse().ok());
                let number = number.filter(|n| *n < usize::from(self.plan.producers()));
                if let Some(client) = number {
                    self.apply_to_producer(client, fault, begins);
                }
            }
            Aim::Cluster => self.apply_to_cluster(fault.kind, begins),
            Aim::Bridge => self.apply_to_bridge(fault.kind, begins),
            Aim::Node if fault.target == BRIDGE => self.apply_to_bridge(fault.kind, begins),
            Aim::Node | Aim::NameServer | Aim::Broker | Aim::Pair => {
                if let Some(node) = self.node_named(&fault.target) {
                    self.apply_to_node(at, node, fault.kind, begins);
                }
            }
        }
    }

    pub(super) fn node_named(&self, name: &str) -> Option<usize> {
        self.nodes.borrow().iter().position(|slot| slot.name == name)
    }

    fn apply_to_node(self: &Rc<Self>, at: usize, node: usize, kind: FaultKind, begins: bool) {
        let weather = self.board.lock().weather[node].change(kind, begins);
        if weather {
            self.mend_ways();
            if matches!(kind, FaultKind::Slow { .. }) {
                self.pace_ways();
            }
            return;
        }
        match kind {
            FaultKind::Reset if begins => {
                let of_node = |from, to| to == node || from == Caller::Node(node);
                self.board.lock().reset(|line| of_node(line.from, line.to));
            }
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
            FaultKind::Queues { .. } | FaultKind::WriteQueues { .. } => self.set_queues(node),
            FaultKind::OrderConf { .. } => self.set_order(),
            kind => self.apply_inside(node, kind, begins),
        }
    }

    /// Power goes, and with it what was stored in the last `ms`.
    fn lose_tail(self: &Rc<Self>, node: usize, ms: u32, begins: bool) {
        if begins && self.nodes.borrow()[node].power == Power::Up {
            let since = elapsed().as_millis().saturating_sub(ms.into());
            let epoch = self.next_epoch();
            let since = Instant::from_millis(since);
            self.with_broker(node, |broker, _| broker.lose_tail(since, epoch));
        }
        self.outage(node, Power::Off, begins);
    }

    pub(super) fn outage(self: &Rc<Self>, node: usize, power: Power, begins: bool) {
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
        host.enter(|server, now| match server {
            Server::Broker(broker) => change_broker(broker, now, kind, begins),
            Server::NameServer(server) => change_name_server(server, &mut faults, kind, begins),
        });
        self.nodes.borrow_mut()[node].server_faults = faults;
        if kind == FaultKind::Move && begins {
            self.move_broker(node);
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
            FaultKind::NoTokens => self.board.lock().bridge.let_tokens_be(client, !begins),
            _ => {}
        }
    }
}
