//! Tokens that end while connections live.

use sim::plan::{BridgePlan, FaultKind, Plan};

use super::{Ledger, bridged, closes, run};
use sim::ready::small::With;

/// Tokens of four seconds, a send every 20 ms for six seconds.
fn plan() -> Plan {
    let tokens = BridgePlan { token_secs: Some(4), ..BridgePlan::brisk() };
    let mut plan = bridged(tokens);
    plan.workloads[0].every_us = 20_000;
    plan.run_ms = 10_000;
    plan
}

#[test]
fn connections_outlive_their_tokens() {
    let run = run(&plan());

    let ledger = Ledger::of(&run);
    assert_eq!((ledger.acked, ledger.twice), (300, 0), "{ledger:?}");
    assert_eq!((closes(&run, 4001, u64::MAX), run.history.lost.len()), (0, 0));
}

#[test]
fn connections_without_a_new_token_end_and_come_back_with_one() {
    // From before the first renewal until after the end of the grace.
    let run = run(&plan().breaks("producer-0", 2_000, 4_000, FaultKind::NoTokens));

    let ledger = Ledger::of(&run);
    assert_eq!((ledger.acked, ledger.unknown), (300, 0), "{ledger:?}");
    // They are told before the bridge ends them, and leave when nothing is under way.
    assert_eq!((closes(&run, 4001, 6_000), closes(&run, 1005, 6_000)), (0, 4));
}

#[test]
fn who_gets_no_token_for_longer_than_sends_wait_loses_no_more_than_those() {
    let run = run(&plan().breaks("producer-0", 2_000, 6_500, FaultKind::NoTokens));

    let ledger = Ledger::of(&run);
    assert!(ledger.not_sent > 0 && ledger.acked > 200, "{ledger:?}");
    // Those whose time was up just when they had left at last.
    assert!(ledger.unknown <= 4, "{ledger:?}");
}

#[test]
fn a_broker_may_die_while_tokens_are_missing() {
    let plan = plan().breaks("producer-0", 2_000, 3_500, FaultKind::NoTokens).breaks(
        "broker-1",
        4_800,
        1_500,
        FaultKind::Crash,
    );

    let run = run(&plan);

    let ledger = Ledger::of(&run);
    assert_eq!(ledger.acked, 300, "{ledger:?}");
}
