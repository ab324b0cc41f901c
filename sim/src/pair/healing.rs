//! What heals at the end, and do sends succeed then?
//!
//! One name server and one broker, drawn by lot, are well from then on, with the ways to them;
//! nodes that are down, frozen or cut off may stay so for ever. A configuration that cannot cope
//! with that, such as Java's, gets everything healed.

use std::time::Duration;

use producer_core::OnUnknown;

use super::node::{Power, Slot};
use super::{Event, Pair, note, record};
use crate::dice::{Concern, Dice};
use crate::events::What;
use crate::history::WellBroker;
use crate::plan::{FaultKind, FaultPlan, HealthPlan, Plan, Preset, Replication, Scope};

/// Sends after healing, by each producer.
pub(crate) const PROBES: u32 = 12;
/// A send's standard timeout, which is what a producer may take to notice after its next poll.
const NOTICED: Duration = Duration::from_secs(3);
/// Java's table keeps a broker away for up to so long after its last failure.
const AVOIDED: Duration = Duration::from_secs(30);
/// A send that learns that a connection is dead, and fails, has ended by then.
pub(crate) const LEARNT: Duration = Duration::from_secs(14);
/// I11: a producer with the standard rules has replaced dead connections, and tried who came back.
pub(crate) const LEARNT_SOON: Duration = Duration::from_secs(4);

impl Pair {
    pub(super) fn heal(&mut self) {
        let mut dice = Dice::new(self.plan.seed, Concern::Healing);
        let server = dice.below(self.plan.cluster.name_servers.into()) as usize;
        let brokers = u64::from(self.plan.cluster.brokers);
        let broker = usize::from(self.plan.cluster.name_servers) + dice.below(brokers) as usize;
        let name = self.nodes[broker].name.clone();
        let slave = format!("{name}-slave");
        let core = [self.nodes[server].name.clone(), name, slave];
        note!(self, "heal {core:?}");
        record!(self, note(self.now, None, What::Healed));
        let all = !copes(&self.plan);
        for at in 0..self.progress.len() {
            let fault = &self.plan.faults[at];
            let stays = outlasts_healing(fault);
            if self.progress[at].active && (all || !stays || core.contains(&fault.target)) {
                self.end_fault(at);
            }
        }
        self.join_all();
        self.healed = true;
        self.see_who_is_well();
        self.history.healed_at = self.now;
        for node in 0..self.nodes.len() {
            let now = self.now;
            if self.nodes[node].power == Power::Up && self.nodes[node].frozen == 0 {
                if let Some(broker) = self.nodes[node].broker() {
                    broker.register(now);
                }
                self.drain_node(node);
            }
        }
        let poll = self.clients[0].producer.config().route_poll;
        // I17: one poll, which is up to a quarter late, and one timeout.
        let mut probe_at = self.now + poll.mul_f64(1.25) + NOTICED;
        if all {
            // Java notices a dead connection by a send that fails.
            let learn_at = probe_at + AVOIDED;
            for client in 0..self.clients.len() {
                self.at(learn_at, Event::Probe(client, PROBES));
            }
            probe_at = learn_at + LEARNT;
            self.history.judged_from = probe_at;
        }
        self.history.shared_from = probe_at + LEARNT_SOON;
        for client in 0..self.clients.len() {
            self.at(probe_at, Event::Probe(client, PROBES));
            self.at(self.history.shared_from, Event::Probe(client, PROBES));
        }
        self.at(probe_at + Duration::from_secs(10), Event::CloseAll);
        self.at(probe_at + Duration::from_secs(20), Event::Over);
    }

    fn see_who_is_well(&mut self) {
        for &node in &self.masters {
            let slot = &self.nodes[node];
            let ill = |slot: &Slot| {
                let mut faults = self.plan.faults.iter().zip(&self.progress);
                slot.power != Power::Up
                    || faults.any(|(fault, at)| at.active && fault.target == slot.name)
            };
            // One that waits for a slave that is down or cut off is as good as silent.
            let waits = self.plan.cluster.replication == Replication::Sync
                && self.partner(node).is_some_and(|slave| ill(&self.nodes[slave]));
            if !ill(slot) && !waits {
                let name = slot.as_broker().map_or(&slot.name, |broker| &broker.config().name);
                let well = WellBroker { name: name.clone(), address: slot.address.clone() };
                self.history.well.push(well);
            }
        }
    }

    pub(super) fn close_all(&mut self) {
        for client in 0..self.clients.len() {
            let deadline = self.now + Duration::from_secs(1);
            if !self.clients[client].closing {
                self.close(client, deadline);
            }
        }
    }
}

/// Whether a fault may stay for ever, where it is not in the core that heals.
pub(crate) fn outlasts_healing(fault: &FaultPlan) -> bool {
    match fault.kind {
        // A name server that producers hear and brokers do not reach says for two minutes who was
        // master before: nobody could know better.
        FaultKind::Partition { scope: Scope::Nodes, .. } => !fault.target.starts_with("ns-"),
        FaultKind::Partition { .. }
        | FaultKind::SynBlackHole
        | FaultKind::Crash
        | FaultKind::PowerLoss
        | FaultKind::LostTail { .. }
        | FaultKind::Freeze => true,
        _ => false,
    }
}

/// Whether sends must succeed while nodes are silent.
pub(crate) fn copes(plan: &Plan) -> bool {
    let overrides = &plan.config.overrides;
    let config = plan.config.config(Vec::new());
    plan.config.preset == Preset::Default
        && overrides.health.is_none_or(|health| health == HealthPlan::Adaptive)
        && overrides.attempt_timeout_ms.is_none()
        && overrides.send_timeout_ms.is_none_or(|ms| ms >= 3_000)
        && config.attempts_max >= 3
        // A send that waits a second for a silent broker keeps others out.
        && config.sends_max >= PROBES as usize
        && config.on_unknown == OnUnknown::Retry
}
