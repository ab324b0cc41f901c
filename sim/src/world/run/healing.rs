//! What heals at the end, and do sends succeed then? The same as on the pair level, in less time:
//! brokers are made to register more often.

use std::rc::Rc;
use std::time::Duration;

use super::super::host::elapsed;
use super::board::note;
use super::nodes::Slot;
use super::{Event, Stage};
use crate::dice::{Concern, Dice};
use crate::history::WellBroker;
use crate::pair::healing::{LEARNT, LEARNT_SOON, PROBES, copes, outlasts_healing};
use crate::pair::node::{Power, Server};
use crate::plan::{BRIDGE, Replication};

/// Brokers register so often, so long.
const REGISTER_EVERY: Duration = Duration::from_secs(1);
const REGISTERED: Duration = Duration::from_secs(9);

impl Stage {
    pub(super) fn heal(self: &Rc<Self>) {
        let mut dice = Dice::new(self.plan.seed, Concern::Healing);
        let servers = self.plan.cluster.name_servers;
        let server = dice.below(servers.into()) as usize;
        let broker = usize::from(servers) + dice.below(self.plan.cluster.brokers.into()) as usize;
        let name = self.nodes.borrow()[broker].name.clone();
        let slave = format!("{name}-slave");
        let core = [self.nodes.borrow()[server].name.clone(), name, slave];
        note(&self.board.lock(), format_args!("heal {core:?}"));
        let all = !copes(&self.plan);
        for (at, fault) in self.plan.faults.iter().enumerate() {
            let heals = core.contains(&fault.target) || fault.target == BRIDGE;
            let stays = outlasts_healing(fault) && !heals;
            let active = self.progress.borrow()[at].active;
            if active && (all || !stays) {
                self.end_fault(at);
            }
        }
        self.join_all();
        self.healed.set(true);
        self.see_who_is_well();
        self.board.lock().history.healed_at = elapsed();
        self.register();
        let poll = self.plan.config.config(Vec::new()).route_poll;
        let mut probe_at = elapsed() + REGISTERED + poll.mul_f64(1.3) + Duration::from_secs(7);
        self.probe_from(probe_at);
        if all || self.bridge.is_some() {
            // Java notices a dead connection by a send that fails. So does everybody if all of them
            // died at once, with the bridge, while nothing was under way.
            probe_at = probe_at + LEARNT;
            self.board.lock().history.judged_from = probe_at;
            self.probe_from(probe_at);
        }
        let shared_from = probe_at + LEARNT_SOON;
        self.board.lock().history.shared_from = shared_from;
        self.probe_from(shared_from);
        self.at(probe_at + Duration::from_secs(8), Event::CloseAll);
        self.at(probe_at + Duration::from_secs(10), Event::Over);
    }

    /// All brokers that can tell all name servers of themselves.
    pub(super) fn register(self: &Rc<Self>) {
        for slot in self.nodes.borrow().iter() {
            if slot.power == Power::Up && slot.frozen == 0 {
                slot.host.enter(|server, now| {
                    if let Server::Broker(broker) = server {
                        broker.register(now);
                    }
                });
            }
        }
        let healed_at = self.board.lock().history.healed_at;
        if elapsed() < healed_at + REGISTERED {
            self.later(REGISTER_EVERY, Event::Register);
        }
    }

    pub(super) fn close_all(self: &Rc<Self>) {
        for client in 0..self.plan.producers().into() {
            if !self.client(client).closing.get() {
                self.close(client, Duration::from_secs(1));
            }
        }
    }

    fn probe_from(&self, at: producer_core::Instant) {
        for client in 0..self.plan.producers().into() {
            self.at(at, Event::Probe(client, PROBES));
        }
    }

    fn see_who_is_well(&self) {
        let (nodes, progress) = (self.nodes.borrow(), self.progress.borrow());
        for &node in self.masters.borrow().iter() {
            let slot = &nodes[node];
            let ill = |slot: &Slot| {
                let mut faults = self.plan.faults.iter().zip(progress.iter());
                slot.power != Power::Up
                    || faults.any(|(fault, now)| now.active && fault.target == slot.name)
            };
            // One that waits for a slave that is down or cut off is as good as silent.
            let waits = self.plan.cluster.replication == Replication::Sync
                && self.partner(node).is_some_and(|slave| ill(&nodes[slave]));
            if !ill(slot) && !waits {
                let name = slot.host.look(|server| match server {
                    Server::Broker(broker) => broker.config().name.clone(),
                    Server::NameServer(_) => slot.name.clone(),
                });
                let address = slot.host.address().to_string();
                self.board.lock().history.well.push(WellBroker { name, address });
            }
        }
    }
}
