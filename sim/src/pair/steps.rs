//! How do faults go that take several steps, and what of nodes that come later?

use std::time::Duration;

use super::node::Power;
use super::{Pair, note};
use crate::plan::{Direction, FaultKind, Loss, Plan, Scope};

impl Pair {
    /// When the next step of a fault under way is due.
    pub(super) fn until_next_step(&self, at: usize) -> Option<Duration> {
        next_step(self.plan.faults[at].kind, self.progress[at].steps)
    }

    pub(super) fn take_step(&mut self, at: usize) {
        let fault = self.plan.faults[at].clone();
        let Some(node) = self.node_named(&fault.target) else { return };
        let even = self.progress[at].steps.is_multiple_of(2);
        match fault.kind {
            FaultKind::Promote { .. } => self.promote(at),
            FaultKind::Flap { loss, .. } => self.cut_ways(node, loss, even),
            FaultKind::RouteFlap { .. } => self.know(node, !even),
            FaultKind::Upgrade { .. } if self.progress[at].steps == 1 => self.leave(node),
            FaultKind::Upgrade { .. } => self.outage(node, Power::Crashed, true),
            _ => {}
        }
    }

    pub(super) fn begin_or_end_steps(
        &mut self,
        at: usize,
        node: usize,
        kind: FaultKind,
        begins: bool,
    ) {
        let steps = self.progress[at].steps;
        match kind {
            FaultKind::Flap { loss, .. } if begins || steps.is_multiple_of(2) => {
                self.cut_ways(node, loss, begins);
            }
            FaultKind::RouteFlap { .. } => self.know(node, !begins),
            FaultKind::Upgrade { .. } if begins => self.let_write(node, false),
            FaultKind::Upgrade { .. } => {
                match steps {
                    0 => {}
                    1 if self.nodes[node].power == Power::Up => {
                        self.go_down(node, Power::Crashed);
                        self.start_node(node);
                    }
                    1 => {}
                    _ => self.outage(node, Power::Crashed, false),
                }
                self.let_write(node, true);
            }
            _ => {}
        }
    }

    fn cut_ways(&mut self, node: usize, loss: Loss, cut: bool) {
        let (scope, direction) = (Scope::All, Direction::Both);
        self.weather[node].change(FaultKind::Partition { scope, direction, loss }, cut);
        if !cut {
            self.ways_open();
        }
    }

    /// Name servers learn of a broker, or forget it.
    fn know(&mut self, node: usize, known: bool) {
        let now = self.now;
        let Some(broker) = self.nodes[node].broker() else { return };
        if known {
            broker.register(now);
            return self.drain_if_up(node);
        }
        let (name, id) = (broker.config().name.clone(), broker.config().id);
        for slot in &mut self.nodes {
            if let Some(server) = slot.name_server() {
                server.unregister(&name, id);
            }
        }
    }

    /// Name servers take the write permission of a broker, or give it back.
    fn let_write(&mut self, node: usize, may: bool) {
        let Some(broker) = self.nodes[node].as_broker() else { return };
        let name = broker.config().name.clone();
        for slot in &mut self.nodes {
            if let Some(server) = slot.name_server() {
                server.set_writable(&name, may);
            }
        }
    }

    fn leave(&mut self, node: usize) {
        if self.nodes[node].power != Power::Up {
            return;
        }
        if let Some(broker) = self.nodes[node].broker() {
            broker.leave();
        }
        self.drain_node(node);
    }

    /// Whether a node is not there from the start; it then counts as down.
    pub(super) fn joins_later(&mut self, node: usize) -> bool {
        let later = joins_later(&self.plan, &self.nodes[node].name);
        if later {
            self.nodes[node].absent = true;
            self.outage(node, Power::Crashed, true);
        }
        later
    }

    pub(super) fn join(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].absent) {
            note!(self, "{} joins", self.nodes[node].name);
            self.outage(node, Power::Crashed, false);
        }
    }

    /// Who has not joined by now does.
    pub(super) fn join_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.join(node);
        }
    }

    pub(super) fn drain_if_up(&mut self, node: usize) {
        if self.nodes[node].power == Power::Up {
            self.drain_node(node);
        }
    }

    pub(super) fn broker_number(&self, node: usize) -> Option<usize> {
        broker_number(&self.plan, node)
    }
}

/// When the next step of a fault is due that has taken so many.
pub(crate) fn next_step(kind: FaultKind, steps: u32) -> Option<Duration> {
    let ms = match kind {
        FaultKind::Flap { period_ms, .. } | FaultKind::RouteFlap { period_ms } => {
            period_ms.max(PERIOD_MIN_MS)
        }
        FaultKind::Promote { after_ms, .. } if steps == 0 => after_ms.max(1),
        FaultKind::Upgrade { drain_ms, .. } if steps == 0 => drain_ms.max(1),
        FaultKind::Upgrade { leave_ms, .. } if steps == 1 => leave_ms.max(1),
        _ => return None,
    };
    Some(Duration::from_millis(ms.into()))
}

/// The number of a broker in the plan; a slave has its master's.
pub(crate) fn broker_number(plan: &Plan, node: usize) -> Option<usize> {
    let number = node.checked_sub(plan.cluster.name_servers.into())?;
    Some(number.checked_sub(plan.cluster.brokers.into()).unwrap_or(number))
}

/// Whether a node is not there from the start.
pub(crate) fn joins_later(plan: &Plan, name: &str) -> bool {
    let mut faults = plan.faults.iter();
    faults.any(|f| f.kind == FaultKind::Join && f.target == name && f.at_ms > 0)
}

/// No fault takes steps faster.
const PERIOD_MIN_MS: u32 = 10;
