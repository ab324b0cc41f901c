//! Does a timeline say what happened, where, and why?

use producer_core::Reason;
use sim::events::What;
use sim::pair::{self, Lines, Run};
use sim::plan::{FaultKind, FaultPlan, Mode, Plan, SendFault};
use sim::timeline;

/// Twelve sends to two brokers, one of which crashes for a while.
fn crash() -> Run {
    let mut plan = Plan::from_json(include_str!("plans/queue_gone.json")).expect("a plan");
    plan.cluster.brokers = 2;
    plan.cluster.topics[0].queues = vec![4, 4];
    plan.faults = vec![FaultPlan {
        at_ms: 100,
        for_ms: 5_000,
        target: "broker-1".to_owned(),
        kind: FaultKind::Crash,
    }];
    plan.run_ms = 6_000;
    pair::run(&plan, Lines::Keep)
}

#[test]
fn each_line_stands_in_the_column_of_its_host() {
    let lines = timeline::lines(&crash());

    assert_eq!(lines[0], "         ms producer-0    ns-0          broker-0      broker-1");
    let column = lines[0].find("broker-1").expect("the last one");
    let fault = lines.iter().find(|line| line.contains("=== fault 0 at broker-1"));
    assert_eq!(fault.and_then(|line| line.find("===")), Some(column));
    let times: Vec<f64> =
        lines[1..].iter().map(|line| line[..11].trim().parse().expect("a time")).collect();
    assert!(times.is_sorted());
}

#[test]
fn frames_are_decoded_and_attempts_explained() {
    let text = timeline::lines(&crash()).join("\n");

    for part in [
        "> ns-0 GET_ROUTEINFO_BY_TOPIC #0 orders",
        " send 0, attempt 1 there because turn: it was the turn",
        "send 0 is stored: broker-",
        "dials broker-1",
        "because other_avoided: the broker whose turn it was is avoided",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn events_join_frames_sends_and_reasons() {
    let run = crash();
    let frames: Vec<_> = run
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Frame(frame) if frame.name() == "SEND_MESSAGE_V2" => Some(frame),
            _ => None,
        })
        .collect();

    assert!(frames.len() >= run.history.requests.len());
    assert!(frames.iter().all(|frame| frame.ticket.is_some() && frame.attempt.is_some()));
    let reasons: Vec<Reason> =
        frames.iter().filter_map(|f| f.attempt).map(|(_, why)| why).collect();
    assert!(reasons.contains(&Reason::Turn) && reasons.contains(&Reason::Trial), "{reasons:?}");
}

#[test]
fn what_is_lost_never_arrives() {
    let mut plan = Plan::from_json(include_str!("plans/queue_gone.json")).expect("a plan");
    plan.faults[0].kind = FaultKind::HalfRequest { reset: false };

    let run = pair::run(&plan, Lines::Keep);

    let lost = timeline::lines(&run).into_iter().filter(|line| line.contains("never arrives"));
    assert!(lost.count() >= 1);
}

#[test]
fn one_way_sends_have_reasons_too() {
    let mut plan = Plan::from_json(include_str!("plans/queue_gone.json")).expect("a plan");
    plan.workloads[0].mode = Mode::OneWay;
    plan.faults[0].kind = FaultKind::Sends { fault: SendFault::NoAnswer };

    let text = timeline::lines(&pair::run(&plan, Lines::Keep)).join("\n");

    assert!(text.contains(" send 2, attempt 1 there because"), "{text}");
}

#[test]
fn a_run_that_keeps_nothing_has_the_same_hash() {
    for seed in 0..30 {
        let plan = Plan::from_seed(seed);
        let (kept, forgotten) = (pair::run(&plan, Lines::Keep), pair::run(&plan, Lines::Forget));

        assert_eq!(kept.hash, forgotten.hash, "seed {seed}");
        assert!(!kept.events.is_empty() && forgotten.events.is_empty());
    }
}
