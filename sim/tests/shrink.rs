//! Does the minimiser find the few things that matter among the many that do not?

use std::cell::Cell;

use producer_core::{ErrorKind, Outcome};
use sim::check::{Invariant, Violation};
use sim::history::SendRecord;
use sim::pair::{self, Lines};
use sim::plan::{FaultKind, Mode, Overrides, Plan, SendFault};
use sim::shrink::{self, RUNS_MAX, Shrunk};

fn sends(plan: &Plan) -> u32 {
    plan.workloads.iter().map(|workload| workload.total).sum()
}

/// A violation if `wrong`.
fn violation(wrong: bool) -> Vec<Violation> {
    let what = "doctored".to_owned();
    wrong.then_some(Violation { invariant: Invariant::NoLoss, what }).into_iter().collect()
}

/// Shrinks by a rule about plans alone.
fn by_rule(plan: &Plan, wrong: impl Fn(&Plan) -> bool) -> Shrunk {
    let run = |plan: &Plan| violation(wrong(plan));
    shrink::shrink(plan, Invariant::NoLoss, RUNS_MAX, run).expect("the plan breaks the rule")
}

/// Plans with all that a plan can have.
fn rich() -> impl Iterator<Item = Plan> {
    (0..400).map(Plan::from_seed).filter(|plan| plan.faults.len() >= 6 && plan.cluster.brokers > 1)
}

#[test]
fn the_two_faults_that_matter_are_left() {
    let mut plans = 0;
    for plan in rich() {
        let (one, two) = (plan.faults[1].clone(), plan.faults[4].clone());
        let (same, targets) = (one.kind == two.kind, [&one.target, &two.target]);
        if same || targets[0] == targets[1] {
            continue;
        }
        plans += 1;

        let shrunk = by_rule(&plan, |plan| {
            [one.kind, two.kind].iter().all(|kind| plan.faults.iter().any(|f| f.kind == *kind))
        });

        assert_eq!(shrunk.plan.faults.len(), 2, "seed {}: {}", plan.seed, shrunk.plan.to_json());
        assert_eq!(sends(&shrunk.plan), 1);
        // It is kept where the topic would not come into being without.
        let auto_create_topics = shrunk.plan.config.overrides.auto_create_topics;
        let none = Overrides { auto_create_topics, ..Overrides::default() };
        assert_eq!(shrunk.plan.config.overrides, none);
        assert_eq!((shrunk.plan.network.jitter_us, shrunk.plan.workloads.len()), (0, 1));
        assert!(shrunk.complete, "{} runs", shrunk.runs);
    }
    assert!(plans > 10, "only {plans}");
}

#[test]
fn what_is_needed_is_kept() {
    let needs: [fn(&Plan) -> bool; 6] = [
        |plan| plan.cluster.brokers >= 2,
        |plan| plan.cluster.name_servers >= 2,
        |plan| plan.workloads.iter().any(|workload| workload.mode == Mode::Strict),
        |plan| sends(plan) >= 37,
        |plan| plan.faults.iter().any(|fault| fault.at_ms + fault.for_ms >= 1_000),
        |plan| plan.config.overrides.binary_header == Some(true),
    ];
    for (number, need) in needs.iter().enumerate() {
        let plan = rich().find(need).expect("some seed has it");

        let shrunk = by_rule(&plan, need);

        assert!(need(&shrunk.plan), "need {number}: {}", shrunk.plan.to_json());
        assert!(Plan::from_json(&shrunk.plan.to_json()).is_ok());
    }
}

#[test]
fn another_invariant_does_not_count() {
    let plan = Plan::from_seed(1);
    let other = |_: &Plan| violation(true);

    assert!(shrink::shrink(&plan, Invariant::Order, RUNS_MAX, other).is_none());
}

#[test]
fn runs_are_bounded() {
    let runs = Cell::new(0);
    let run = |_: &Plan| {
        runs.set(runs.get() + 1);
        violation(true)
    };
    let plan = rich().next().expect("plenty");

    let shrunk = shrink::shrink(&plan, Invariant::NoLoss, 7, run).expect("always wrong");

    assert_eq!((shrunk.runs, runs.get(), shrunk.complete), (7, 7, false));
}

/// Histories, not plans, decide here: what a history has that only a fault can bring about stands
/// for a bug that only that fault brings to light.
#[test]
fn plans_in_virtual_time_get_small() {
    let unknown =
        |send: &SendRecord| send.error().is_some_and(|error| error.outcome() == Outcome::Unknown);
    let twice = |send: &SendRecord| send.receipt().is_some_and(|receipt| receipt.maybe_duplicate);
    let broken = |send: &SendRecord| {
        send.error().is_some_and(|error| *error.kind() == ErrorKind::OrderBroken)
    };
    let signs: [&dyn Fn(&SendRecord) -> bool; 3] = [&unknown, &twice, &broken];
    let (mut small, mut all) = (0, 0);
    for sign in signs {
        let wrong = |plan: &Plan| {
            let history = pair::run(plan, Lines::Forget).history;
            violation(history.sends.iter().any(sign))
        };
        let plans = (0..300).map(Plan::from_seed).filter(|plan| !wrong(plan).is_empty());
        for plan in plans.take(4) {
            let shrunk = shrink::shrink(&plan, Invariant::NoLoss, RUNS_MAX, wrong).expect("wrong");
            let (faults, sends) = (shrunk.plan.faults.len(), sends(&shrunk.plan));
            all += 1;
            small += u32::from(faults <= 2 && sends <= 20);
            println!("seed {}: {faults} faults, {sends} sends, {} runs", plan.seed, shrunk.runs);
        }
    }

    // Some signs need many sends: room that fills up, a broker that falls over under load.
    assert!(all >= 10 && small * 100 >= all * 90, "{small} of {all}");
}

#[test]
fn a_fault_keeps_its_broker_when_another_goes() {
    let plan = rich()
        .find(|plan| plan.faults.iter().any(|fault| is_answered_twice(fault.kind)))
        .expect("some seed has it");

    let shrunk =
        by_rule(&plan, |plan| plan.faults.iter().any(|fault| is_answered_twice(fault.kind)));

    assert_eq!(shrunk.plan.cluster.brokers, 1);
    assert_eq!(shrunk.plan.faults[0].target, "broker-0");
}

fn is_answered_twice(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Sends { fault: SendFault::AnswerTwice })
}

/// The file is a module of this program, so what is generated compiles and passes.
#[test]
fn a_generated_test_is_as_committed() {
    let plan = Plan::from_json(include_str!("plans/queue_gone.json")).expect("a plan");
    let violation = Violation {
        invariant: Invariant::Routing,
        what: "at 103 ms orders to 10.0.1.1:10911/3: no route says so".to_owned(),
    };

    let text = shrink::as_test(&plan, &violation);

    if std::env::var_os("WRITE").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/generated.rs");
        std::fs::write(file, &text).expect("the folder is there");
    }
    let hint = "WRITE=1 cargo test -p sim --test simulator shrink writes it anew";
    assert!(text == include_str!("generated.rs"), "tests/generated.rs is out of date: {hint}");
}
