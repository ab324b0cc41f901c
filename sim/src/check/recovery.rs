//! I11: has every broker its share again some time after it recovered?

use std::collections::BTreeSet;

use super::{Found, Joined};
use crate::plan::{HealthPlan, Preset};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let history = joined.history;
    let config = &history.plan.config;
    let standard = config.preset == Preset::Default
        && config.overrides.health.is_none_or(|health| health == HealthPlan::Adaptive);
    if !standard {
        return;
    }
    for producer in 0..history.plan.producers() {
        let probes = || {
            let all = history.sends.iter().filter(move |send| send.producer == producer);
            all.filter(|send| send.probe && send.at >= history.shared_from)
        };
        let Some(first) = probes().next() else { continue };
        let routes = history.routes.iter().filter(|route| {
            route.producer == producer && route.topic == first.topic && route.at <= first.at
        });
        // One that comes when a later question is answered comes too late.
        let route = routes.max_by_key(|route| route.asked);
        let served: BTreeSet<&str> =
            probes().filter_map(|send| Some(&*send.receipt()?.broker)).collect();
        // With fewer sends than brokers not every one has its turn.
        if probes().count() < 2 * history.plan.nodes().len() {
            continue;
        }
        for broker in &history.well {
            let named = route.is_some_and(|route| {
                route.writable.iter().any(|(at, queues)| *at == broker.address && *queues > 0)
            });
            // A slave that was promoted goes by its master's name.
            let name = broker.name.trim_end_matches("-slave");
            if named && !served.contains(name) {
                found.report(format!("{} is well, but gets nothing", broker.name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, all, doctored::good};
    use crate::history::End;
    use crate::plan::Mode;

    #[test]
    fn a_broker_that_is_avoided_for_ever_is_found() {
        let mut history = good(Mode::Rotate);
        for send in history.sends.iter_mut().filter(|send| send.probe) {
            if let (_, End::Stored(receipt)) = &mut send.ends[0] {
                receipt.broker = "broker-0".into();
            }
        }

        let found = all(&history);

        assert!(found.iter().any(|v| v.invariant == Invariant::Recovery), "{found:?}");
    }
}
