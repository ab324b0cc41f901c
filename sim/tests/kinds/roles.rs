//! Faults of the roles of a master and its slave.

use producer_core::SendStatus;
use sim::model::broker::{Replication, Why};
use sim::plan::{Heard, Release, Tail};

use super::*;

const SLAVE_0: &str = "10.0.2.1:";

/// One master with a slave beside one without, and routes that are looked at every 200 ms.
fn paired() -> Plan {
    let mut plan = plan();
    plan.cluster.slaves = 1;
    plan.config.overrides.route_poll_ms = Some(200);
    plan
}

fn promoted(tail: Tail) -> FaultKind {
    FaultKind::Promote { after_ms: 300, tail, silent: false }
}

#[test]
fn a_slave_that_is_promoted_takes_over_the_name() {
    let run = run(&with(paired(), 1_000, 1_500, "broker-0", promoted(Tail::Kept)));

    assert_eq!(failed(&run), 0);
    assert!(run.history.cuts.is_empty(), "{:?}", run.history.cuts);
    assert!(asked(&run, SLAVE_0, 0, 1_300).is_empty());
    assert!(asked(&run, SLAVE_0, 1_600, 3_000).len() > 100);
    assert!(asked(&run, BROKER_0, 1_600, 3_000).is_empty(), "the old one came back as slave");
}

#[test]
fn what_a_promoted_slave_has_not_copied_is_lost_and_known_to_be() {
    let run = run(&with(paired(), 1_001, 1_500, "broker-0", promoted(Tail::Lost)));

    let cuts = &run.history.cuts;
    assert!((1..=6).contains(&cuts.len()), "what 20 ms bring: {}", cuts.len());
    assert!(cuts.iter().all(|cut| cut.broker == "broker-0" && cut.why == Why::NotCopied));
    let offsets: Vec<_> =
        cuts.iter().map(|c| (c.message.queue_id, c.message.queue_offset)).collect();
    let again = run.history.stored.iter().filter(|stored| {
        let at = (stored.message.queue_id, stored.message.queue_offset);
        stored.broker == "broker-0" && offsets.contains(&at)
    });
    assert_eq!(again.count(), offsets.len(), "their places are used again");
}

#[test]
fn a_master_that_waits_for_its_slave_loses_nothing_it_acknowledged() {
    let mut plan = with(paired(), 1_001, 1_500, "broker-0", promoted(Tail::Lost));
    plan.cluster.replication = Replication::Sync;

    let run = run(&plan);

    let lost = |send: &&SendRecord| {
        let id = send.message_id.as_deref();
        send.receipt().is_some() && !run.history.stored.iter().any(|s| s.message.uniq_key() == id)
    };
    assert_eq!(sends(&run).filter(lost).count(), 0);
}

#[test]
fn a_master_that_waits_for_a_slave_that_is_down_says_so() {
    let mut plan = with(paired(), 1_000, 500, "broker-0-slave", FaultKind::Crash);
    plan.cluster.replication = Replication::Sync;
    plan.config.overrides.attempt_timeout_ms = Some(0);
    plan.config.overrides.send_timeout_ms = Some(6_000);

    let run = run(&plan);

    let late = run.history.requests.iter().filter(|r| r.answer.is_some_and(|(_, code)| code == 12));
    assert_eq!(late.count(), 0, "the slave is back in time");
    let waited = sends(&run).filter(|s| s.ends[0].0.since(s.at) > Duration::from_millis(400));
    assert!(waited.count() > 0);

    plan.faults[0].for_ms = 3_000;
    let run = super::run(&plan);

    let late = run.history.requests.iter().filter(|r| r.answer.is_some_and(|(_, code)| code == 12));
    assert!(late.count() > 0, "FLUSH_SLAVE_TIMEOUT after three seconds");
}

/// 4.9.7 does not wait for a slave that it does not have, but says that there is none.
#[test]
fn a_master_of_an_old_release_says_that_its_slave_is_gone() {
    let mut plan = with(paired(), 1_000, 500, "broker-0-slave", FaultKind::Crash);
    plan.cluster.replication = Replication::Sync;
    let said = |run: &Run| {
        assert_eq!(failed(run), 0);
        let receipts = sends(run).filter_map(SendRecord::receipt);
        let alone = receipts.filter(|receipt| receipt.status == SendStatus::SlaveNotAvailable);
        let brokers: Vec<_> = alone.map(|receipt| receipt.broker.clone()).collect();
        assert!(brokers.iter().all(|broker| **broker == *"broker-0"), "{brokers:?}");
        brokers.len()
    };

    assert_eq!(said(&run(&plan)), 0);
    plan.cluster.release = Release::V4_9_7;

    let told = said(&run(&plan));
    assert!((40..=60).contains(&told), "every second send of 500 ms: {told}");
    #[cfg(feature = "world")]
    {
        let world = sim::world::run(&plan, Lines::Forget);
        assert_eq!(world.violations, []);
        let told = said(&world);
        assert!((40..=60).contains(&told), "on the simulated network, too: {told}");
    }
}

#[test]
fn master_and_slave_change_places_and_back() {
    let run = run(&with(paired(), 1_000, 1_000, "broker-0", FaultKind::Swap));

    assert_eq!(failed(&run), 0);
    assert!(run.history.cuts.is_empty());
    assert!(asked(&run, BROKER_0, 1_300, 2_000).is_empty());
    assert!(!asked(&run, SLAVE_0, 1_300, 2_000).is_empty());
    assert!(!asked(&run, BROKER_0, 2_300, 3_000).is_empty());
    assert!(asked(&run, SLAVE_0, 2_300, 3_000).is_empty());
    let refused = asked(&run, BROKER_0, 1_000, 1_300);
    assert!(
        refused.iter().any(|r| r.answer.is_some_and(|(_, code)| code == 2)),
        "what is sent to the old master is refused as by a slave: {refused:?}"
    );
}

#[test]
fn a_slave_that_stands_in_for_its_master_is_not_written_to() {
    let run = run(&with(paired(), 1_000, 1_000, "broker-0", FaultKind::ActingMaster));

    assert_eq!(failed(&run), 0);
    assert!(asked(&run, SLAVE_0, 0, 4_000).is_empty());
    assert!(asked(&run, BROKER_0, 1_300, 2_000).is_empty());
    assert!(!asked(&run, BROKER_0, 2_500, 3_000).is_empty(), "the master is back");
}

#[test]
fn of_two_masters_of_one_name_the_one_that_gives_in_loses_its_part() {
    let split = |heard, name_servers| {
        let kind = FaultKind::SplitBrain { heard };
        let mut plan = with(paired(), 1_000, 1_000, "broker-0", kind);
        plan.cluster.name_servers = name_servers;
        run(&plan)
    };

    let (all, half) = (split(Heard::All, 1), split(Heard::Half, 2));

    for run in [&all, &half] {
        assert_eq!(failed(run), 0);
        assert!(run.history.cuts.iter().all(|cut| cut.why == Why::NotCopied));
    }
    assert!(asked(&all, SLAVE_0, 1_000, 2_000).len() > 50);
    let taken = asked(&all, SLAVE_0, 1_000, 2_200);
    let taken = taken.iter().filter(|r| r.answer.is_some_and(|(_, code)| code == 0));
    assert_eq!(all.history.cuts.len(), taken.count());
}
