//! How do faults go that take several steps, that concern topics, and nodes that come later?

use std::rc::Rc;

use super::Stage;
use super::board::note;
use crate::model::broker::Broker;
use crate::pair::node::{Power, Server};
use crate::pair::steps::broker_number;
use crate::pair::topics::{order_conf, topic_config, under_way};
use crate::plan::{BRIDGE, Direction, FaultKind, Loss, Scope, TopicPlan};

impl Stage {
    pub(super) fn take_step(self: &Rc<Self>, at: usize) {
        let fault = &self.plan.faults[at];
        if fault.target == BRIDGE {
            return self.bridge_takes_step(at);
        }
        let Some(node) = self.node_named(&fault.target) else { return };
        let steps = self.progress.borrow()[at].steps;
        match fault.kind {
            FaultKind::Promote { .. } => self.promote(at),
            FaultKind::Flap { loss, .. } => self.cut_ways(node, loss, steps.is_multiple_of(2)),
            FaultKind::RouteFlap { .. } => self.know(node, !steps.is_multiple_of(2)),
            FaultKind::Upgrade { .. } if steps == 1 => self.leave(node),
            FaultKind::Upgrade { .. } => self.outage(node, Power::Crashed, true),
            _ => {}
        }
    }

    pub(super) fn begin_or_end_steps(
        self: &Rc<Self>,
        at: usize,
        node: usize,
        kind: FaultKind,
        begins: bool,
    ) {
        let steps = self.progress.borrow()[at].steps;
        match kind {
            FaultKind::Flap { loss, .. } if begins || steps.is_multiple_of(2) => {
                self.cut_ways(node, loss, begins);
            }
            FaultKind::RouteFlap { .. } => self.know(node, !begins),
            FaultKind::Upgrade { .. } if begins => self.let_write(node, false),
            FaultKind::Upgrade { .. } => {
                let up = self.nodes.borrow()[node].power == Power::Up;
                match steps {
                    0 => {}
                    1 if up => {
                        self.stop(node, Power::Crashed);
                        self.start(node);
                    }
                    1 => {}
                    _ => self.outage(node, Power::Crashed, false),
                }
                self.let_write(node, true);
            }
            _ => {}
        }
    }

    pub(super) fn cut_ways(&self, node: usize, loss: Loss, cut: bool) {
        let (scope, direction) = (Scope::All, Direction::Both);
        let kind = FaultKind::Partition { scope, direction, loss };
        self.board.lock().weather[node].change(kind, cut);
        self.mend_ways();
    }

    /// Name servers learn of a broker, or forget it.
    fn know(&self, node: usize, known: bool) {
        if known {
            return self.with_broker(node, Broker::register);
        }
        if let Some((name, id)) = self.name_of(node) {
            self.with_name_servers(|server| server.unregister(&name, id));
        }
    }

    /// Name servers take the write permission of a broker, or give it back.
    fn let_write(&self, node: usize, may: bool) {
        if let Some((name, _)) = self.name_of(node) {
            self.with_name_servers(|server| server.set_writable(&name, may));
        }
    }

    fn leave(&self, node: usize) {
        if self.nodes.borrow()[node].power == Power::Up {
            self.with_broker(node, |broker, _| broker.leave());
        }
    }

    fn name_of(&self, node: usize) -> Option<(String, i64)> {
        self.host(node).look(|server| match server {
            Server::Broker(broker) => Some((broker.config().name.clone(), broker.config().id)),
            Server::NameServer(_) => None,
        })
    }

    pub(super) fn join(self: &Rc<Self>, node: usize) {
        if std::mem::take(&mut self.nodes.borrow_mut()[node].absent) {
            self.outage(node, Power::Crashed, false);
        }
    }

    /// Who has not joined by now does.
    pub(super) fn join_all(self: &Rc<Self>) {
        let count = self.nodes.borrow().len();
        for node in 0..count {
            self.join(node);
        }
    }

    /// Gives each topic of a broker, and of its slave, the queues that the plan and the faults under
    /// way say.
    pub(super) fn set_queues(&self, node: usize) {
        for node in [Some(node), self.partner(node)].into_iter().flatten() {
            self.set_queues_of(node);
        }
    }

    fn set_queues_of(&self, node: usize) {
        for (number, topic) in (0..).zip(&self.plan.cluster.topics) {
            let deleted = FaultKind::DeleteTopic { topic: number };
            if !self.under_way("cluster").contains(&deleted) {
                self.set_topic(node, topic);
            }
        }
    }

    fn set_topic(&self, node: usize, topic: &TopicPlan) {
        let Some(number) = broker_number(&self.plan, node) else { return };
        let under_way = self.under_way(&format!("broker-{number}"));
        if let Some(config) = topic_config(topic, number, &under_way) {
            self.with_broker(node, |broker, now| broker.set_topic(now, &topic.name, config));
        }
    }

    /// Gives name servers the order configuration that the plan and the faults under way say.
    pub(super) fn set_order(&self) {
        for topic in &self.plan.cluster.topics {
            let Some(order) = &topic.order else { continue };
            let order = order_conf(order, |broker| self.under_way(broker));
            note(&self.board.lock(), format_args!("order of {} is {order}", topic.name));
            self.with_name_servers(|server| server.set_order(&topic.name, &order));
        }
    }

    pub(super) fn apply_to_cluster(&self, kind: FaultKind, begins: bool) {
        let FaultKind::DeleteTopic { topic } = kind else { return };
        let Some(topic) = self.plan.cluster.topics.get(usize::from(topic)) else { return };
        if begins {
            self.with_name_servers(|server| server.delete_topic(&topic.name));
        }
        let nodes = self.nodes.borrow().len();
        for node in usize::from(self.plan.cluster.name_servers)..nodes {
            if begins {
                self.with_broker(node, |broker, now| broker.delete_topic(now, &topic.name));
            } else {
                self.set_topic(node, topic);
            }
        }
    }

    fn under_way(&self, target: &str) -> Vec<FaultKind> {
        under_way(&self.plan, &self.progress.borrow(), target)
    }
}
