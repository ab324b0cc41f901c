//! Faults of one broker.

use super::*;
use sim::model::broker::Why;

#[test]
fn a_broker_that_joins_gets_nothing_before_and_its_share_after() {
    let mut plan = with(plan(), 1_500, 0, "broker-1", FaultKind::Join);
    plan.config.overrides.route_poll_ms = Some(500);

    let run = run(&plan);

    assert_eq!(failed(&run), 0);
    assert!(asked(&run, BROKER_1, 0, 1_500).is_empty());
    let (old, new) = (asked(&run, BROKER_0, 2_500, 3_000), asked(&run, BROKER_1, 2_500, 3_000));
    assert!(new.len() + 1 >= old.len(), "{} against {}", new.len(), old.len());
}

#[test]
fn a_broker_that_is_upgraded_in_order_fails_no_send_and_doubles_none() {
    let kind = FaultKind::Upgrade { drain_ms: 300, leave_ms: 300 };
    let run = run(&with(plan(), 1_000, 1_500, "broker-0", kind));

    assert_eq!(failed(&run), 0);
    assert_eq!(run.history.stored.len(), run.history.sends.len(), "one copy of each");
    let refused = asked(&run, BROKER_0, 1_300, 1_600);
    assert!(refused.iter().any(|r| r.answer.is_some_and(|(_, code)| code == 1500)), "{refused:?}");
    assert!(asked(&run, BROKER_0, 1_700, 2_500).is_empty(), "it is down");
}

#[test]
fn a_broker_that_name_servers_forget_by_turns_is_used_by_turns() {
    let mut plan = with(plan(), 500, 2_000, "broker-0", FaultKind::RouteFlap { period_ms: 500 });
    plan.config.overrides.route_poll_ms = Some(100);

    let run = run(&plan);

    assert_eq!(failed(&run), 0);
    assert!(asked(&run, BROKER_0, 700, 1_000).is_empty());
    assert!(!asked(&run, BROKER_0, 1_200, 1_500).is_empty());
    assert!(asked(&run, BROKER_0, 1_700, 2_000).is_empty());
}

#[test]
fn power_that_fails_takes_what_was_not_on_disk() {
    let run = run(&with(plan(), 1_000, 300, "broker-0", FaultKind::LostTail { ms: 100 }));

    let cuts = &run.history.cuts;
    assert!(
        (8..=12).contains(&cuts.len()),
        "10 of a send every 5 ms to one of two: {}",
        cuts.len()
    );
    assert!(cuts.iter().all(|cut| cut.why == Why::NotFlushed && cut.broker == "broker-0"));
    let lost = sends(&run).filter(|send| {
        let id = send.message_id.as_deref();
        let in_log = |s: &sim::history::Stored| s.message.uniq_key() == id;
        send.receipt().is_some() && !run.history.stored.iter().any(in_log)
    });
    assert!(lost.count() > 5, "they had been acknowledged");
}
