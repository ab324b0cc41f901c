//! I9: do requests go only where a route points: to a master, to a queue that can be written?

use std::collections::BTreeMap;

use std::time::Duration;

use producer_core::Instant;
use producer_core::wire::code::response::GO_AWAY;

use super::{Found, Joined};
use crate::history::{History, Request, RouteSeen};

/// Of each name server so many of its last routes may be the one that is used: answers that came
/// too late are not.
const ROUTES_KEPT: usize = 3;

/// An answer that comes so soon is not too late.
const SOON: Duration = Duration::from_millis(5);

/// The topic from which others are made.
const TEMPLATE: &str = "TBW102";

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    after_go_away(joined, found);
    for request in &joined.history.requests {
        let topics = &joined.history.plan.cluster.topics;
        let fixed = topics.iter().any(|topic| topic.name == request.topic && topic.order.is_some());
        if !allowed(joined.history, request, fixed) {
            let Request { address, queue_id, topic, .. } = request;
            let at = request.at.as_millis();
            found.report(format!("at {at} ms {topic} to {address}/{queue_id}: no route says so"));
        }
    }
}

/// A connection whose broker asks to be left gets nothing more.
fn after_go_away(joined: &Joined<'_>, found: &mut Found) {
    let history = joined.history;
    let mut left: BTreeMap<usize, Instant> = BTreeMap::new();
    for request in &history.requests {
        // One that came late was not heard.
        if let Some((at, GO_AWAY)) = request.answer
            && at.since(request.at) < SOON
            && !request.waited
        {
            let first = left.entry(request.link).or_insert(at);
            *first = at.min(*first);
        }
    }
    for request in &history.requests {
        let after = left.get(&request.link).is_some_and(|at| request.at > *at);
        if after && !joined.leaves_late(request.at) {
            let (at, address) = (request.at.as_millis(), &request.address);
            found.report(format!("at {at} ms to {address}, which asked to be left"));
        }
    }
}

/// Whether routes of one topic are followed by messages of the other: those of the template are,
/// while a topic does not exist that sends bring about.
fn leads(history: &History, route: &RouteSeen, request: &Request) -> bool {
    route.topic == request.topic
        || (route.topic == TEMPLATE && history.plan.config.config(Vec::new()).auto_create_topics)
}

/// `fixed`: the queues are those of the order configuration, also of a broker that a route no longer
/// names; it is where it was.
fn allowed(history: &History, request: &Request, fixed: bool) -> bool {
    let routes = &history.routes;
    let points = |route: &RouteSeen| {
        let mut places = route.writable.iter();
        places.any(|(address, queues)| {
            *address == request.address && (0..*queues).contains(&request.queue_id)
        })
    };
    let mut seen: Vec<((&str, &str), usize)> = Vec::new();
    let known = routes.iter().rev().filter(|route| {
        route.producer == request.producer
            && leads(history, route, request)
            && route.at <= request.at
    });
    for route in known {
        let count = match seen.iter_mut().find(|(from, _)| *from == (&*route.server, &*route.topic))
        {
            Some((_, count)) => count,
            None => {
                seen.push(((&route.server, &route.topic), 0));
                &mut seen.last_mut().expect("just pushed").1
            }
        };
        *count += 1;
        // What waited for its connection was made any time since the dial.
        let waited = request.waited && route.at >= request.dialled_at;
        let recent = fixed || waited || *count <= ROUTES_KEPT;
        if recent && points(route) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn a_queue_beyond_the_last_is_found() {
        fires(Invariant::Routing, Mode::Rotate, |history| history.requests[9].queue_id = 2);
    }

    #[test]
    fn a_broker_that_no_route_names_is_found() {
        fires(Invariant::Routing, Mode::Rotate, |history| {
            for route in &mut history.routes {
                route.writable.remove(0);
            }
        });
    }
}
