//! I20: can name servers alone make a send fail whose route is known? They must not.

use std::time::Duration;

use producer_core::{ConnectionEnd, ErrorKind, SendError};

use super::{Found, Joined};
use crate::history::{History, SendRecord};
use crate::plan::{Mode, Plan, Preset};

/// Brokers that are well, on a network that is, are dialled sooner.
const QUICK_DIAL: Duration = Duration::from_millis(50);

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let history = joined.history;
    let faults = &history.plan.faults;
    if faults.is_empty() || !faults.iter().all(|fault| fault.target.starts_with("ns-")) {
        return;
    }
    for send in
        history.sends.iter().filter(|send| fails_for_no_reason_of_its_own(&history.plan, send))
    {
        let known = history.sends.iter().any(|other| {
            other.producer == send.producer
                && other.topic == send.topic
                && other.receipt().is_some()
                && other.ends.iter().all(|(at, _)| *at <= send.at)
        });
        if known || has_a_good_one(history, send) {
            let error = send.error().map(ToString::to_string).unwrap_or_default();
            found.report(format!("send {}: {error}", send.ticket));
        }
    }
}

/// Whether one name server was well all the time, and there was time to come to it.
fn has_a_good_one(history: &History, send: &SendRecord) -> bool {
    let ill = |name: &String| history.plan.faults.iter().any(|fault| fault.target == *name);
    let mut servers = (0..history.plan.cluster.name_servers).map(|n| format!("ns-{n}"));
    history.plan.config.preset == Preset::Default
        // A topic that a send makes is known only after it.
        && !history.plan.cluster.auto_create_topics
        && send.timeout.as_millis() >= 2_000
        && send.at.as_millis() >= 150
        && servers.any(|name| !ill(&name))
}

fn fails_for_no_reason_of_its_own(plan: &Plan, send: &SendRecord) -> bool {
    // A broker that an order configuration names may not have registered yet.
    let ordered = plan.cluster.topics.iter().any(|topic| topic.order.is_some());
    if ordered && send.error().is_some_and(|error| *error.kind() == ErrorKind::NoMaster) {
        return false;
    }
    // The template's queues are not those of the topic that will be: no strict send goes there.
    if plan.cluster.auto_create_topics
        && send.mode == Mode::Strict
        && send.error().is_some_and(|error| *error.kind() == ErrorKind::TopicNotFound)
    {
        return false;
    }
    // With little room or little time a send may fail among servers that are all well.
    send.timeout.as_millis() >= 1_000
        && send.error().is_some_and(|error| {
            !came_late_to_a_dial(error)
                && !matches!(
                    error.kind(),
                    ErrorKind::Full
                        | ErrorKind::Deadline
                        | ErrorKind::AttemptTimeout
                        | ErrorKind::OrderBroken
                )
        })
}

/// Whether the time of a send, which may have waited for room, was up in the middle of a dial.
fn came_late_to_a_dial(error: &SendError) -> bool {
    *error.kind() == ErrorKind::Connect(ConnectionEnd::DialTimeout)
        && error.attempts().last().is_some_and(|attempt| attempt.elapsed < QUICK_DIAL)
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, all, doctored::good};
    use crate::history::End;
    use crate::pair::{self, Lines};
    use crate::plan::{FaultKind, FaultPlan, Mode};

    /// A send that failed because a broker refused it, in a history in which only a name server
    /// is said to be ill.
    #[test]
    fn a_failure_that_name_servers_cannot_explain_is_found() {
        let mut plan = good(Mode::Rotate).plan;
        plan.faults = vec![FaultPlan {
            at_ms: 250,
            for_ms: 40,
            target: "broker-0".to_owned(),
            kind: FaultKind::Sends {
                fault: crate::plan::SendFault::Refuse(crate::plan::RefusalPlan::Illegal),
            },
        }];
        let mut history = pair::run(&plan, Lines::Forget).history;
        assert!(history.sends.iter().any(|send| send.ended(|end| matches!(end, End::Failed(_)))));
        history.plan.faults[0].target = "ns-0".to_owned();

        let found = all(&history);

        assert_eq!(
            found.first().map(|violation| violation.invariant),
            Some(Invariant::NameServers)
        );
    }
    /// Dials that took their time to fail, in a history in which only a name server is ill.
    #[test]
    fn dials_that_name_servers_cannot_explain_are_found() {
        let mut plan = good(Mode::Rotate).plan;
        plan.run_ms = 6_000;
        plan.config.overrides.attempt_timeout_ms = Some(0);
        let ill = |broker| FaultPlan {
            at_ms: 20,
            for_ms: 5_900,
            target: format!("broker-{broker}"),
            kind: FaultKind::SynBlackHole,
        };
        plan.faults = vec![ill(0), ill(1)];
        let mut history = pair::run(&plan, Lines::Forget).history;
        for fault in &mut history.plan.faults {
            fault.target = "ns-1".to_owned();
        }

        let found = all(&history);

        let dial = |v: &super::super::Violation| {
            v.invariant == Invariant::NameServers && v.what.contains("dial timed out")
        };
        assert!(found.iter().any(dial), "{found:?}");
    }
}
