//! I12: is the load even while nothing is wrong?

use std::collections::BTreeMap;

use super::{Found, Joined};
use crate::history::History;
use crate::plan::{HealthPlan, Mode, Preset};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let history = joined.history;
    let rotate = |mode| matches!(mode, Mode::Rotate | Mode::OneWay);
    let calm = history.plan.faults.is_empty()
        && history.plan.workloads.len() == 1
        && history.plan.workloads.iter().all(|workload| rotate(workload.mode))
        // A topic that sends bring about is first at one broker, then at others.
        && history.plan.cluster.topics.iter().all(|topic| !topic.queues.is_empty())
        // Before that not all brokers may have registered.
        && history.plan.workloads.iter().all(|workload| workload.start_ms >= 60)
        // Java's table avoids brokers for their latency alone.
        && history.plan.config.overrides.health != Some(HealthPlan::Java)
        && history.sends.iter().all(|send| send.error().is_none());
    if !calm {
        return;
    }
    let per_queue = history.plan.config.preset == Preset::Java;
    let mut counts = places(history, per_queue);
    let mut stores: BTreeMap<(&str, i32), u32> = BTreeMap::new();
    for stored in &history.stored {
        let queue = if per_queue { stored.message.queue_id } else { 0 };
        *stores.entry((&*stored.broker, queue)).or_insert(0) += 1;
    }
    for ((broker, queue), count) in stores {
        *counts.entry((broker.to_owned(), queue)).or_default() += count;
    }
    let (least, most) = (counts.values().min(), counts.values().max());
    if let (Some(least), Some(most)) = (least, most)
        && most - least > 1
    {
        found.report(format!("uneven: {counts:?}"));
    }
    uneven_within(history, found);
}

/// Within a broker its queues take turns too.
fn uneven_within(history: &History, found: &mut Found) {
    let counts = |broker: &str| {
        let mut counts: BTreeMap<i32, u32> = places(history, true)
            .into_keys()
            .filter(|(name, _)| name == broker)
            .map(|(_, queue)| (queue, 0))
            .collect();
        for stored in history.stored.iter().filter(|stored| stored.broker == broker) {
            *counts.entry(stored.message.queue_id).or_default() += 1;
        }
        counts
    };
    for broker in 0..history.plan.cluster.brokers {
        let counts = counts(&format!("broker-{broker}"));
        if let (Some(least), Some(most)) = (counts.values().min(), counts.values().max())
            && most - least > 1
        {
            found.report(format!("uneven within broker-{broker}: {counts:?}"));
        }
    }
}

/// Every place that has its turn, with a count of 0.
fn places(history: &History, per_queue: bool) -> BTreeMap<(String, i32), u32> {
    let queues = history.plan.cluster.topics.iter().flat_map(|topic| topic.queues.iter());
    let mut places = BTreeMap::new();
    for (broker, queues) in queues.enumerate() {
        let count = if per_queue { i32::from(*queues) } else { i32::from(*queues > 0) };
        places.extend((0..count).map(|queue| ((format!("broker-{broker}"), queue), 0)));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::super::{all, doctored::good};
    use super::*;

    #[test]
    fn a_broker_that_gets_more_is_found() {
        let mut history = good(Mode::Rotate);
        for _ in 0..2 {
            let at = history.stored.iter().position(|stored| stored.broker == "broker-1");
            history.stored[at.expect("even")].broker = "broker-0".to_owned();
        }

        let found = all(&history);

        assert!(found.iter().any(|violation| violation.what.starts_with("uneven")), "{found:?}");
    }
}
