//! How can a smaller cluster do?

use serde_json::Value;

use super::{Plan, each};
use crate::plan::{Aim, ClusterPlan, Release, Replication};

/// One name server or broker less, with the faults that happen to it; those above it move down. A
/// node that a fault of another one names is not taken away.
pub(super) fn fewer_nodes(plan: &Plan) -> Vec<Plan> {
    let cluster = &plan.cluster;
    let brokers = (0..cluster.brokers).rev().filter(|_| cluster.brokers > 1).map(|gone| {
        let mut smaller = plan.clone();
        smaller.cluster.brokers -= 1;
        smaller.cluster.slaves -= u16::from(gone < cluster.slaves);
        for topic in &mut smaller.cluster.topics {
            if usize::from(gone) < topic.queues.len() {
                topic.queues.remove(usize::from(gone));
            }
        }
        renumbered(smaller, "broker", gone)
    });
    let servers =
        (0..cluster.name_servers).rev().filter(|_| cluster.name_servers > 1).map(|gone| {
            let mut smaller = plan.clone();
            smaller.cluster.name_servers -= 1;
            renumbered(smaller, "ns", gone)
        });
    brokers.chain(servers).chain([without_last_slave(plan)]).flatten().collect()
}

/// The last slave gone, with the faults that happen to it or to its pair.
fn without_last_slave(plan: &Plan) -> Option<Plan> {
    let mut smaller = plan.clone();
    let last = plan.cluster.slaves.checked_sub(1)?;
    smaller.cluster.slaves = last;
    let (master, slave) = (format!("broker-{last}"), format!("broker-{last}-slave"));
    smaller.faults.retain(|fault| {
        fault.target != slave && (fault.kind.aim() != Aim::Pair || fault.target != master)
    });
    Some(smaller)
}

/// Without what a cluster need not have: slaves waited for, topics made by brokers, an order.
pub(super) fn plainer(plan: &Plan) -> Vec<Plan> {
    let changes: [fn(&mut ClusterPlan); 4] = [
        |cluster| cluster.release = Release::default(),
        |cluster| cluster.replication = Replication::default(),
        |cluster| cluster.auto_create_topics = false,
        |cluster| cluster.topics.iter_mut().for_each(|topic| topic.order = None),
    ];
    let mut plans = changes
        .map(|change| {
            let mut plainer = plan.clone();
            change(&mut plainer.cluster);
            plainer
        })
        .to_vec();
    plans.retain(|plainer| plainer.cluster != plan.cluster);
    plans
}

/// Faults with the names that nodes have when one is gone; `None` if a fault still names that one.
fn renumbered(mut plan: Plan, sort: &str, gone: u16) -> Option<Plan> {
    let (name, slave) = (format!("{sort}-{gone}"), format!("{sort}-{gone}-slave"));
    plan.faults.retain(|fault| fault.target != name && fault.target != slave);
    let mut faults = serde_json::to_value(&plan.faults).expect("string keys only");
    if !rename(&mut faults, sort, gone) {
        return None;
    }
    plan.faults = serde_json::from_value(faults).ok()?;
    Some(plan)
}

/// Renames every node of a sort beyond `gone`; false if that one is named.
fn rename(value: &mut Value, sort: &str, gone: u16) -> bool {
    match value {
        Value::String(text) => {
            let rest = text.strip_prefix(sort).and_then(|rest| rest.strip_prefix('-'));
            let (number, role) =
                rest.map_or(("", ""), |rest| rest.split_once('-').unwrap_or((rest, "")));
            match number.parse::<u16>() {
                Ok(number) if number == gone => return false,
                Ok(number) if number > gone => {
                    let dash = if role.is_empty() { "" } else { "-" };
                    *text = format!("{sort}-{}{dash}{role}", number - 1);
                }
                Ok(_) | Err(_) => {}
            }
            true
        }
        Value::Array(items) => items.iter_mut().all(|item| rename(item, sort, gone)),
        Value::Object(fields) => fields.values_mut().all(|field| rename(field, sort, gone)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// One queue on each broker, half, or one less on one of them; topics that nobody uses.
pub(super) fn fewer_queues(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    let unused = each(&plan.cluster.topics, |topics, at| {
        topics.remove(at);
    });
    plans.extend(unused.filter(|topics| !topics.is_empty()).map(|topics| {
        let mut smaller = plan.clone();
        smaller.cluster.topics = topics;
        smaller
    }));
    for at in 0..plan.cluster.topics.len() {
        let mut change = |change: &dyn Fn(&mut Vec<u16>)| {
            let mut smaller = plan.clone();
            change(&mut smaller.cluster.topics[at].queues);
            plans.push(smaller);
        };
        change(&|queues| queues.iter_mut().for_each(|queues| *queues = (*queues).min(1)));
        change(&|queues| queues.iter_mut().for_each(|queues| *queues = queues.div_ceil(2)));
        for broker in 0..plan.cluster.topics[at].queues.len() {
            change(&|queues| queues[broker] -= u16::from(queues[broker] > 1));
        }
    }
    plans.retain(|smaller| smaller.cluster != plan.cluster);
    plans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FaultKind, FaultPlan};

    #[test]
    fn nodes_above_one_that_goes_move_down() {
        let mut plan = Plan::from_seed(1);
        plan.cluster = ClusterPlan { brokers: 3, slaves: 3, ..plan.cluster };
        let at = |target: &str| FaultPlan {
            at_ms: 1,
            for_ms: 1,
            target: target.to_owned(),
            kind: FaultKind::Freeze,
        };
        plan.faults = ["ns-0", "broker-0", "broker-1-slave", "broker-2-slave"].map(at).to_vec();

        let smaller = renumbered(plan, "broker", 1).expect("no fault names it inside");

        let targets: Vec<&str> = smaller.faults.iter().map(|fault| &*fault.target).collect();
        assert_eq!(targets, ["ns-0", "broker-0", "broker-1-slave"]);
    }
}
