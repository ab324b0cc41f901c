//! What breaks at the bridge itself, with the producer's defaults.

use std::time::Duration;

use sim::pair::{self, Lines, Run};
use sim::plan::{BRIDGE, BridgePlan, FaultKind, Side};

use super::{Ledger, bridged, closes, longest, run};
use sim::ready::small::With;

/// From the first second on.
fn broken(bridge: BridgePlan, for_ms: u64, kind: FaultKind) -> Run {
    run(&bridged(bridge).breaks(BRIDGE, 1_000, for_ms, kind))
}

/// All sends are acknowledged, each within this time; returns how many copies there are too many.
fn all_acknowledged(run: &Run, within_ms: u64) -> usize {
    let ledger = Ledger::of(run);
    assert_eq!((ledger.asked, ledger.acked), (300, 300), "{ledger:?}");
    let longest = longest(run);
    assert!(longest <= Duration::from_millis(within_ms), "{longest:?}");
    ledger.twice
}

#[test]
fn nothing_is_late_while_nothing_breaks() {
    let run = run(&bridged(BridgePlan::default()));

    assert_eq!(all_acknowledged(&run, 100), 0);
    assert_eq!((run.history.dials.len(), run.history.lost.len()), (4, 0));
}

#[test]
fn a_bridge_that_crashes_and_comes_back_costs_no_send() {
    for (for_ms, within_ms) in [(300, 600), (2_000, 2_500)] {
        let run = broken(BridgePlan::default(), for_ms, FaultKind::Crash);

        assert!(all_acknowledged(&run, within_ms) <= 4);
        assert_eq!(run.history.lost.len(), 4, "every connection ended");
    }
}

#[test]
fn a_bridge_whose_machine_loses_power_costs_no_send() {
    let run = broken(BridgePlan::default(), 300, FaultKind::PowerLoss);

    assert!(all_acknowledged(&run, 600) <= 4);
}

#[test]
fn a_bridge_that_drains_under_load_leaves_nothing_unknown() {
    let mut plan = bridged(BridgePlan::brisk());
    plan.workloads[0].total = 500;
    let run = run(&plan.breaks(BRIDGE, 1_000, 2_500, FaultKind::Drain));

    // No more than the one bridge there is being away, and long before that others were told.
    let ledger = Ledger::of(&run);
    assert_eq!((ledger.acked, ledger.unknown, ledger.twice), (500, 0, 0), "{ledger:?}");
    assert!(run.lines.iter().any(|line| line.ends_with("bridge has drained")));
}

#[test]
fn a_second_signal_ends_a_drain_and_costs_no_send() {
    let run = broken(BridgePlan::default(), 1_000, FaultKind::Drain);

    assert!(all_acknowledged(&run, 600) <= 4);
    assert_eq!(closes(&run, 1001, 3_000), 4);
}

#[test]
fn producers_that_are_silently_gone_are_left() {
    for (bridge, left) in [(BridgePlan::default(), 0), (BridgePlan::brisk(), 4)] {
        let run = broken(bridge, 0, FaultKind::HalfOpen { side: Side::Page });

        // An attempt may take a second, and the connection for the next one is dead too.
        assert!(all_acknowledged(&run, 2_100) <= 4);
        assert_eq!(closes(&run, 1006, 4_000), left);
    }
}

#[test]
fn brokers_that_are_silently_gone_cost_no_send() {
    let run = broken(BridgePlan::brisk(), 0, FaultKind::HalfOpen { side: Side::Broker });

    assert!(all_acknowledged(&run, 2_100) <= 4);
    assert_eq!(closes(&run, 1006, 8_000), 0, "the producers are there");
}

#[test]
fn a_page_that_takes_nothing_for_a_moment_keeps_its_connections() {
    let kind = FaultKind::SlowPage { bytes_per_second: 0 };
    let run = broken(BridgePlan::brisk(), 300, kind);

    assert_eq!(all_acknowledged(&run, 400), 0);
    assert_eq!(run.history.lost.len(), 0);
}

#[test]
fn a_page_that_takes_nothing_for_long_is_left() {
    let kind = FaultKind::SlowPage { bytes_per_second: 0 };
    let run = broken(BridgePlan::brisk(), 2_000, kind);

    all_acknowledged(&run, 2_200);
    assert_eq!(closes(&run, 1013, 4_000), 4);
}

#[test]
fn a_page_that_reads_slowly_keeps_its_connections() {
    let kind = FaultKind::SlowPage { bytes_per_second: 1_000 };
    let run = broken(BridgePlan::brisk(), 2_000, kind);

    all_acknowledged(&run, 2_200);
    assert_eq!(closes(&run, 1013, 8_000), 0);
}

#[test]
fn whatever_breaks_at_the_bridge_may_break_while_a_broker_dies() {
    let kinds = [
        FaultKind::Crash,
        FaultKind::PowerLoss,
        FaultKind::Drain,
        FaultKind::HalfOpen { side: Side::Page },
        FaultKind::HalfOpen { side: Side::Broker },
        FaultKind::SlowPage { bytes_per_second: 0 },
    ];
    for (n, kind) in kinds.into_iter().enumerate() {
        let dies = [FaultKind::Crash, FaultKind::PowerLoss][n % 2];
        let plan = bridged(BridgePlan::brisk())
            .breaks("broker-1", 900, 2_000, dies)
            .breaks(BRIDGE, 1_000, 500, kind);

        let run = run(&plan);

        let ledger = Ledger::of(&run);
        assert_eq!((ledger.asked, ledger.acked), (300, 300), "{kind:?}: {ledger:?}");
    }
}

#[test]
fn without_a_network_there_is_no_bridge() {
    let plan = bridged(BridgePlan::default())
        .breaks(BRIDGE, 1_000, 300, FaultKind::Crash)
        .breaks("producer-0", 1_000, 300, FaultKind::NoTokens)
        .breaks("broker-0", 1_000, 300, FaultKind::Crash);

    let run = pair::run(&plan, Lines::Forget);

    assert_eq!((run.skipped, run.violations), (vec![0, 1], vec![]));
}
