//! Which queues and which order do topics have, as faults change them?

use super::{Pair, Progress, note};
use crate::model::broker::TopicConfig;
use crate::plan::{FaultKind, Plan, TopicPlan};

impl Pair {
    /// Gives each topic of a broker, and of its slave, the queues that the plan and the faults under
    /// way say.
    pub(super) fn set_queues(&mut self, node: usize) {
        for node in [Some(node), self.partner(node)].into_iter().flatten() {
            self.set_queues_of(node);
        }
    }

    fn set_queues_of(&mut self, node: usize) {
        let Some(number) = self.broker_number(node) else { return };
        for (topic, plan) in self.plan.cluster.topics.clone().iter().enumerate() {
            if !self.is_deleted(topic) {
                self.set_topic(node, number, plan);
            }
        }
        self.drain_if_up(node);
    }

    fn set_topic(&mut self, node: usize, number: usize, topic: &TopicPlan) {
        let under_way = self.under_way(&format!("broker-{number}"));
        let Some(config) = topic_config(topic, number, &under_way) else { return };
        let now = self.now;
        if let Some(broker) = self.nodes[node].broker() {
            broker.set_topic(now, &topic.name, config);
        }
    }

    /// Gives name servers the order configuration that the plan and the faults under way say.
    pub(super) fn set_order(&mut self) {
        for topic in self.plan.cluster.topics.clone() {
            let Some(order) = &topic.order else { continue };
            let order = order_conf(order, |broker| self.under_way(broker));
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

    fn under_way(&self, target: &str) -> Vec<FaultKind> {
        under_way(&self.plan, &self.progress, target)
    }

    fn is_deleted(&self, topic: usize) -> bool {
        self.under_way("cluster").into_iter().any(|kind| match kind {
            FaultKind::DeleteTopic { topic: deleted } => usize::from(deleted) == topic,
            _ => false,
        })
    }
}

/// The kinds of faults under way at a target, in the order of the plan.
pub(crate) fn under_way(plan: &Plan, progress: &[Progress], target: &str) -> Vec<FaultKind> {
    let faults = plan.faults.iter().zip(progress);
    let active = faults.filter(|(fault, progress)| progress.active && fault.target == target);
    active.map(|(fault, _)| fault.kind).collect()
}

/// The queues of a topic at the `number`th broker, if the plan has it there.
pub(crate) fn topic_config(
    topic: &TopicPlan,
    number: usize,
    under_way: &[FaultKind],
) -> Option<TopicConfig> {
    let planned = topic.queues.get(number).copied().filter(|queues| *queues > 0)?;
    let mut config = TopicConfig::queues(planned.into());
    for kind in under_way {
        match *kind {
            FaultKind::Queues { count } => config = TopicConfig::queues(count.into()),
            FaultKind::WriteQueues { count } => config.write_queues = count.into(),
            _ => {}
        }
    }
    Some(config)
}

/// The order configuration of the plan, as the faults under way at each broker change it.
pub(crate) fn order_conf(planned: &str, under_way: impl Fn(&str) -> Vec<FaultKind>) -> String {
    let mut parts = Vec::new();
    for part in planned.split(';') {
        let broker = part.split(':').next().unwrap_or("");
        let queues = under_way(broker).into_iter().rev().find_map(|kind| match kind {
            FaultKind::OrderConf { queues } => Some(queues),
            _ => None,
        });
        match queues {
            None => parts.push(part.to_owned()),
            Some(0) => {}
            Some(queues) => parts.push(format!("{broker}:{queues}")),
        }
    }
    parts.join(";")
}
