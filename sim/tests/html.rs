//! Is a page whole, and small enough? What it does in a browser is tested by `./check browser`.

use std::path::Path;

use sim::check::{Invariant, Violation};
use sim::html;
use sim::pair::{self, Lines, Run};
use sim::plan::{FaultKind, FaultPlan, Plan};

/// Forty sends to two brokers, one of which loses power; a violation is made up.
fn run() -> Run {
    let mut plan = Plan::from_json(include_str!("plans/queue_gone.json")).expect("a plan");
    plan.cluster.brokers = 2;
    plan.cluster.topics[0].queues = vec![4, 4];
    plan.workloads[0].total = 40;
    plan.faults = vec![FaultPlan {
        at_ms: 150,
        for_ms: 700,
        target: "broker-1".to_owned(),
        kind: FaultKind::PowerLoss,
    }];
    plan.run_ms = 1_000;
    let mut run = pair::run(&plan, Lines::Keep);
    assert_eq!(run.violations, []);
    let tried = run
        .history
        .sends
        .iter()
        .find(|send| send.receipt().is_some_and(|receipt| receipt.attempts > 1));
    let what = format!("send {}: <made up> for this test", tried.expect("a retry").ticket);
    run.violations.push(Violation { invariant: Invariant::NoLoss, what });
    run
}

/// `./check browser` opens what this leaves behind.
#[test]
fn a_page_has_its_run_in_it() {
    let page = html::page(&run());

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("timeline.html");
    std::fs::write(file, &page).expect("the folder is there");
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains("<title>Seed 17: 1 fault, 40 sends, 1 violation</title>"));
    assert!(page.contains("\\u003cmade up>"), "text cannot end the script");
    for place in ["@title@", "@style@", "@meta@", "@events@", "@decode@", "@draw@", "@page@"] {
        assert!(!page.contains(place), "{place} is left");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "it needs nothing but itself");
}

#[test]
fn a_minute_fits_into_three_megabytes() {
    let mut plan = Plan::from_json(include_str!("plans/queue_gone.json")).expect("a plan");
    plan.run_ms = 60_000;
    plan.workloads[0].every_us = 2_500;
    plan.workloads[0].total = 24_000;

    let page = html::page(&pair::run(&plan, Lines::Keep));

    println!("{} KiB", page.len() / 1024);
    assert!(page.len() <= 3_000_000, "{} bytes", page.len());
}
