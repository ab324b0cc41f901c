//! Lanes that keep their order, through a bridge.

use sim::pair::Run;
use sim::plan::{BRIDGE, BridgePlan, FaultKind, Mode, Plan, Side};

use super::{Ledger, run};
use sim::ready::small::{With, cluster, one_by_one, sends};

/// Lanes of four keys, pipelined and one by one.
fn lanes() -> Plan {
    let mut plan = cluster(&[4, 4, 4])
        .with(sends(Mode::Strict, 200, 4, 10))
        .with(one_by_one(sends(Mode::Strict, 100, 4, 20)));
    plan.bridge = Some(BridgePlan::brisk());
    plan.run_ms = 8_000;
    plan
}

/// The numbers of the messages of each key are stored in order, repetitions aside. The checks know
/// that too; this is what they mean.
fn in_order(run: &Run) {
    for workload in 0..2 {
        for key in 0..4 {
            let mut last = None;
            for stored in &run.history.stored {
                let body = String::from_utf8_lossy(&stored.message.body).into_owned();
                let number = body.strip_prefix(&format!("w{workload}-"));
                let number = number.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
                let Some(number) = number.filter(|number| number % 4 == key) else { continue };
                assert!(last.is_none_or(|last| last <= number), "{number} after {last:?}");
                last = Some(number);
            }
        }
    }
}

#[test]
fn lanes_keep_their_order_whatever_breaks_at_the_bridge() {
    for kind in [
        FaultKind::Crash,
        FaultKind::Drain,
        FaultKind::HalfOpen { side: Side::Page },
        FaultKind::SlowPage { bytes_per_second: 100 },
        FaultKind::Dribble { bytes: 1 },
    ] {
        let run = run(&lanes().breaks(BRIDGE, 700, 600, kind));

        in_order(&run);
        let ledger = Ledger::of(&run);
        assert_eq!((ledger.asked, ledger.acked), (300, 300), "{kind:?}: {ledger:?}");
    }
}

#[test]
fn lanes_keep_their_order_while_bridge_and_broker_die() {
    let plan = lanes()
        .breaks("broker-0", 600, 1_000, FaultKind::PowerLoss)
        .breaks("broker-2", 900, 500, FaultKind::Crash)
        .breaks(BRIDGE, 700, 400, FaultKind::Crash);

    let run = run(&plan);

    in_order(&run);
    assert!(Ledger::of(&run).acked > 200, "{:?}", Ledger::of(&run));
}
