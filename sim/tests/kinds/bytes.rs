//! Faults of the ways between a producer and a broker.

use super::*;
use sim::plan::Loss;

#[test]
fn a_reader_that_does_not_read_lets_its_window_fill_and_no_more() {
    let window = |window_bytes| {
        let kind = FaultKind::SlowReader { window_bytes };
        with(plan(), 1_001, 150, "broker-0", kind)
    };

    let (tiny, wide) = (run(&window(1)), run(&window(1_000_000)));

    assert_eq!(asked(&tiny, BROKER_0, 1_001, 1_150).len(), 1, "one write is under way");
    assert!(asked(&wide, BROKER_0, 1_001, 1_150).len() > 5, "nobody notices");
    assert_eq!((failed(&tiny), failed(&wide)), (0, 0));
    assert!(longest(&wide) > Duration::from_millis(140), "answers come when it reads again");
}

#[test]
fn a_link_that_flaps_is_cut_every_other_period() {
    let flap = |loss| {
        let kind = FaultKind::Flap { period_ms: 100, loss };
        with(plan(), 1_000, 1_000, "broker-0", kind)
    };

    let (held, dropped) = (run(&flap(Loss::Held)), run(&flap(Loss::Dropped)));

    assert_eq!((failed(&held), failed(&dropped)), (0, 0));
    let late =
        sends(&held).filter(|send| send.ends[0].0.since(send.at) > Duration::from_millis(40));
    assert!(late.count() > 5, "some sends wait for the link");
    assert!(dropped.history.dials.len() > held.history.dials.len(), "lost bytes cost connections");
}
