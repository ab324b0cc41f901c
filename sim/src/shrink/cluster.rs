//! How can a smaller cluster do?

use serde_json::Value;

use super::{Plan, each};

/// One name server or broker less, with the faults that happen to it; those above it move down. A
/// node that a fault of another one names is not taken away.
pub(super) fn fewer_nodes(plan: &Plan) -> Vec<Plan> {
    let cluster = &plan.cluster;
    let brokers = (0..cluster.brokers).rev().filter(|_| cluster.brokers > 1).map(|gone| {
        let mut smaller = plan.clone();
        smaller.cluster.brokers -= 1;
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
    brokers.chain(servers).flatten().collect()
}

/// Faults with the names that nodes have when one is gone; `None` if a fault still names that one.
fn renumbered(mut plan: Plan, sort: &str, gone: u16) -> Option<Plan> {
    let name = format!("{sort}-{gone}");
    plan.faults.retain(|fault| fault.target != name);
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
            let number = text.strip_prefix(sort).and_then(|rest| rest.strip_prefix('-'));
            match number.and_then(|number| number.parse::<u16>().ok()) {
                Some(number) if number == gone => return false,
                Some(number) if number > gone => *text = format!("{sort}-{}", number - 1),
                Some(_) | None => {}
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
