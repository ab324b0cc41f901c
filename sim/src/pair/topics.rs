//! Which queues and which order do topics have, as faults change them?

use super::{Pair, note};
use crate::model::broker::TopicConfig;
use crate::plan::{FaultKind, TopicPlan};

impl Pair {
    /// Gives each topic of the broker the queues that the plan and the faults under way say.
    pub(super) fn set_queues(&mut self, node: usize) {
        let Some(number) = self.broker_number(node) else { return };
        for (topic, plan) in self.plan.cluster.topics.clone().iter().enumerate() {
            if !self.is_deleted(topic) {
                self.set_topic(node, number, plan);
            }
        }
        self.drain_if_up(node);
    }

    fn set_topic(&mut self, node: usize, number: usize, topic: &TopicPlan) {
        let planned = topic.queues.get(number).copied().unwrap_or(0);
        if planned == 0 {
            return;
        }
        let target = format!("broker-{number}");
        let mut config = TopicConfig::queues(planned.into());
        for kind in self.under_way(&target) {
            match kind {
                FaultKind::Queues { count } => config = TopicConfig::queues(count.into()),
                FaultKind::WriteQueues { count } => config.write_queues = count.into(),
                _ => {}
            }
        }
        let now = self.now;
        if let Some(broker) = self.nodes[node].broker() {
            broker.set_topic(now, &topic.name, config);
        }
    }

    /// Gives name servers the order configuration that the plan and the faults under way say.
    pub(super) fn set_order(&mut self) {
        for topic in self.plan.cluster.topics.clone() {
            let Some(order) = &topic.order else { continue };
            let mut parts = Vec::new();
            for part in order.split(';') {
                let broker = part.split(':').next().unwrap_or("");
                let queues = self.under_way(broker).into_iter().rev().find_map(|kind| match kind {
                    FaultKind::OrderConf { queues } => Some(queues),
                    _ => None,
                });
                match queues {
                    None => parts.push(part.to_owned()),
                    Some(0) => {}
                    Some(queues) => parts.push(format!("{broker}:{queues}")),
                }
            }
            let order = parts.join(";");
            note!(self, "order of {} is {order}", topic.name);
            for slot in &mut self.nodes {
                if let Some(server) = slot.name_server() {
                    server.set_order(&topic.name, &order);
                }
            }
        }
    }

    pub(super) fn apply_to_cluster(&mut self, kind: FaultKind, begins: bool) {
        let FaultKind::DeleteTopic { topic: number } = kind else { return };
        let Some(topic) = self.plan.cluster.topics.get(usize::from(number)).cloned() else {
            return;
        };
        let now = self.now;
        for node in 0..self.nodes.len() {
            if let Some(server) = self.nodes[node].name_server()
                && begins
            {
                server.delete_topic(&topic.name);
            }
            let Some(number) = self.broker_number(node) else { continue };
            if !begins {
                self.set_topic(node, number, &topic);
            } else if let Some(broker) = self.nodes[node].broker() {
                broker.delete_topic(now, &topic.name);
            }
            self.drain_if_up(node);
        }
    }

    /// The kinds of faults under way at a target, in the order of the plan.
    fn under_way(&self, target: &str) -> Vec<FaultKind> {
        let faults = self.plan.faults.iter().zip(&self.progress);
        faults
            .filter(|(fault, progress)| progress.active && fault.target == target)
            .map(|(fault, _)| fault.kind)
            .collect()
    }

    fn is_deleted(&self, topic: usize) -> bool {
        self.under_way("cluster").into_iter().any(|kind| match kind {
            FaultKind::DeleteTopic { topic: deleted } => usize::from(deleted) == topic,
            _ => false,
        })
    }
}
