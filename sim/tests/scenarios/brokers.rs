//! What befalls sends when brokers die, stop, move and come back?

use std::time::Duration;

use sim::plan::{FaultKind, HealthPlan, Preset};

use super::seen::{address, at, ms, took};
use super::{Row, Scene, Seen, Way};

/// Isolation, poll, and two seconds: by then a broker that is well has its share.
const BACK: Duration = ms(42_000);

/// When the producer learnt that a broker is gone, after a fault that began then.
fn gone(seen: &Seen, from_ms: u64) -> Duration {
    let route = seen.route_that(false, &address(0), from_ms);
    route.unwrap_or_else(|| panic!("{seen}: always in the route")).at.since(at(from_ms))
}

/// When a broker was used again, after a fault that ended then.
fn back(seen: &Seen, from_ms: u64) -> Duration {
    let back = seen.back_after(&address(0), from_ms);
    back.unwrap_or_else(|| panic!("{seen}: never used again"))
}

#[test]
fn s01_master_killed() {
    let mut row = Row::new(1, "master killed");
    let scene = Scene::new(1)
        .with(|plan| plan.network.latency_us = 5_000)
        .sends(100, 5, 300)
        .sends(1_600, 200, 250)
        .fault("broker-0", 1_000, 20_000, FaultKind::Crash);

    let (mut slowest, mut latest) = (Duration::ZERO, Duration::ZERO);
    row.everywhere(&scene, |seen| {
        for second in seen.sends().filter_map(|send| seen.requests(send).get(1).copied()) {
            let heard = at(1_005);
            let other = second.address != address(0) || seen.way == Way::Strict;
            assert!(second.at <= heard + ms(1) && other, "{seen}: retried at {second:?}");
        }
        match seen.way {
            Way::Sync | Way::Async | Way::Available => seen.all_well(),
            Way::Unanswered => assert!(seen.lost() <= 2, "{seen}: {} lost", seen.lost()),
            Way::Hash => assert!(seen.failed() <= 4, "{seen}"),
            Way::Strict => seen.keys_stay(),
        }
        seen.fails_only_at(0);
        assert!(!seen.way.moves() || seen.longest() <= ms(60), "{seen}");
        assert!(gone(seen, 1_000) <= ms(30_000), "{seen}: stale for {:?}", gone(seen, 1_000));
        let dials = seen.dials(&address(0), 1_000, 21_000).len();
        assert!(dials <= 2, "{seen}: {dials} dials of a dead broker");
        let share = seen.share(0, 35_000, 60_000);
        assert!(!seen.way.rotates() || (31..=35).contains(&share), "{seen}: share {share} %");
        assert!(back(seen, 21_000) <= BACK, "{seen}: back after {:?}", back(seen, 21_000));
        slowest = slowest.max(gone(seen, 1_000));
        latest = latest.max(back(seen, 21_000));
    });
    row.figure(format!("route stale <= {slowest:?}, used again <= {latest:?} after its return"));
}

#[test]
fn s02_master_without_power() {
    let mut row = Row::new(2, "master without power");
    let scene = Scene::new(2).sends(100, 20, 200).sends(4_100, 1_000, 170).fault(
        "broker-0",
        1_000,
        175_000,
        FaultKind::PowerLoss,
    );

    let mut stale = Duration::ZERO;
    row.everywhere(&scene, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        let longest = if seen.way.rotates() { ms(1_015) } else { ms(3_011) };
        assert!(seen.longest() <= longest, "{seen}");
        assert!(gone(seen, 1_000) <= ms(155_000), "{seen}: stale for {:?}", gone(seen, 1_000));
        // Once an attempt's time has passed, all know.
        let firsts = seen.first_attempts(&address(0), 2_020, 175_000).len();
        let known = seen.way.rotates() && seen.health != HealthPlan::Off;
        assert!(!known || firsts <= 1, "{seen}: {firsts} first attempts at a dead broker");
        stale = stale.max(gone(seen, 1_000));
    });
    let java = scene.preset(Preset::Java);
    let failed = [Way::Sync, Way::Async].map(|way| row.run(&java, way, HealthPlan::Off).failed());
    assert!(failed.iter().all(|failed| *failed >= 10), "Java's defaults fail {failed:?}");
    row.figure(format!("0 lost with an attempt's cap, {failed:?} without; stale <= {stale:?}"));
}

#[test]
fn s03_master_lost_slave_stays() {
    let mut row = Row::new(3, "master lost, slave stays");
    let scene = Scene::new(3).with(|plan| plan.cluster.slaves = 1).sends(100, 20, 300).fault(
        "broker-0",
        1_000,
        20_000,
        FaultKind::Crash,
    );

    let (mut waited, mut moved) = (0, 0);
    row.everywhere(&scene, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        let route = seen.route_that(false, &address(0), 1_000).expect("it has left the route");
        assert_eq!(route.writable.len(), 2, "{seen}: a slave is not to be written: {route:?}");
        let masters = [0, 1, 2].map(address);
        let others = seen.history.requests.iter().find(|r| !masters.contains(&r.address));
        assert!(others.is_none(), "{seen}: {others:?}");
        if seen.way == Way::Strict {
            seen.keys_stay();
            assert!(seen.not_sent() > 0 && seen.unknown() == 0, "{seen}");
            waited = seen.not_sent();
        }
        if seen.way == Way::Hash {
            moved = seen.between(1_200, 6_000).filter(|send| send.receipt().is_some()).count();
            assert!(seen.failed() <= 1, "{seen}");
        }
        seen.fails_only_at(0);
    });
    row.figure(format!("strict keys of its queues fail ({waited}), a selector's go elsewhere"));
    assert!(moved > 200, "{moved} of a selector's sends");
}

#[test]
fn s08_old_master_is_a_slave() {
    let mut row = Row::new(8, "old master is a slave");
    let scene = Scene::new(8).sends(100, 20, 200).sends(4_100, 200, 250).fault(
        "broker-0",
        1_000,
        40_000,
        FaultKind::Demote,
    );

    // 5.x answers SYSTEM_BUSY, which does not say that the route is stale: it is polled.
    let mut attempts = Vec::new();
    row.everywhere(&scene, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        let stale = gone(seen, 1_000);
        assert!(stale <= ms(30_000), "{seen}: stale for {stale:?}");
        let after = seen.attempts(&address(0), 1_010 + stale.as_millis() as u64, 41_000);
        assert_eq!(after, 0, "{seen}: attempts at a slave");
        assert!(back(seen, 41_000) <= BACK, "{seen}");
        let before = seen.first_attempts(&address(0), 1_000, 41_000).len();
        match (seen.way.rotates(), seen.health) {
            (true, HealthPlan::Adaptive) => assert!(before <= 3 + 30, "{seen}: one a second"),
            (true, HealthPlan::Java) => assert!(before <= 1 + 3, "{seen}: one in ten seconds"),
            _ => {}
        }
        if seen.way == Way::Async {
            attempts.push(before);
        }
    });
    row.figure(format!("first attempts while stale: {attempts:?} (off, Java, adaptive)"));
    let slave = "10.0.2.1:10911";
    let swapped = Scene::new(8)
        .with(|plan| plan.cluster.slaves = 1)
        .sends(100, 20, 200)
        .sends(4_100, 200, 300)
        .fault("broker-0", 1_000, 30_000, FaultKind::Swap);
    row.everywhere(&swapped, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        let acked = seen.sends().filter(|send| send.receipt().is_some());
        let lost = acked.filter(|send| seen.copies(send).is_empty()).count();
        assert_eq!(lost, 0, "{seen}: a change of places loses nothing");
        let used = seen.back_after(slave, 1_000).expect("the new master is used");
        assert!(used <= ms(32_000), "{seen}: used after {used:?}");
    });
}

#[test]
fn s09_broker_restarted() {
    let mut row = Row::new(9, "broker restarted");
    for down in [100, 2_000, 10_000, 60_000] {
        let up = 1_000 + down;
        let scene = Scene::new(9)
            .sends(100, 10, 150)
            .sends(1_600, 500, ((up + 45_000 - 1_600) / 500) as u32)
            .fault("broker-0", 1_000, down, FaultKind::Crash);
        let mut latest = Duration::ZERO;
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            let late = seen.sends().filter(|send| send.at >= at(1_000)).filter_map(|s| s.error());
            let unknown = late.filter(|e| e.outcome() == producer_core::Outcome::Unknown).count();
            assert_eq!(unknown, 0, "{seen}: what was asked later never reached it");
            let dials = seen.dials(&address(0), 1_000, up);
            let apart = dials.windows(2).all(|pair| pair[1].at.since(pair[0].at) >= ms(50));
            assert!(apart && dials.len() <= 3, "{seen}: {dials:?}");
            assert!(back(seen, up) <= BACK, "{seen}: back after {:?}", back(seen, up));
            latest = latest.max(back(seen, up));
        });
        row.figure(format!("{down} ms down: back <= {latest:?}"));
    }
}

#[test]
fn s10_broker_moved() {
    let mut row = Row::new(10, "broker moved");
    let (old, new) = (address(0), "10.0.11.1:10911");
    let scene = Scene::new(10).sends(100, 20, 200).sends(4_100, 200, 100).fault(
        "broker-0",
        1_000,
        1,
        FaultKind::Move,
    );

    let mut latest = Duration::ZERO;
    row.everywhere(&scene, |seen| {
        if seen.way != Way::Hash {
            seen.all_well();
        }
        assert!(seen.failed() <= 1, "{seen}: a selector has one attempt");
        let known = seen.route_that(true, new, 1_000).expect("the new address is known").at;
        let dials = seen.history.dials.iter().filter(|dial| dial.address == old && dial.at > known);
        let requests = seen.history.requests.iter().filter(|r| r.address == old && r.at > known);
        assert_eq!((dials.count(), requests.count()), (0, 0), "{seen}: the old address is used");
        assert!(known.since(at(1_000)) <= ms(1_100), "{seen}: known at {known:?}");
        let used = seen.back_after(new, 1_000).expect("the new address is used");
        assert!(used <= ms(1_500), "{seen}: used after {used:?}");
        latest = latest.max(used);
        seen.fails_only_at(0);
    });
    row.figure(format!("new address used <= {latest:?}, old one never again"));
}

#[test]
fn s11_all_masters_down() {
    let mut row = Row::new(11, "all masters down");
    let mut scene = Scene::new(11).sends(100, 20, 600);
    for broker in 0..3 {
        scene = scene.fault(&format!("broker-{broker}"), 1_000, 6_000, FaultKind::Crash);
    }

    let mut most = 0;
    row.everywhere(&scene, |seen| {
        let (mut requests, mut wakes) = (0, Vec::new());
        for end in &seen.history.ends {
            requests += end.stats.route_requests;
        }
        // One lookup a second at most while it lasts, and those of the rest of the run.
        assert!(requests <= 6 + 8, "{seen}: {requests} lookups");
        most = most.max(requests);
        let deadline = ms(3_000);
        for send in seen.sends().filter(|send| send.error().is_some()) {
            assert!(
                took(send) <= deadline + ms(10),
                "{seen}: {} took {:?}",
                send.ticket,
                took(send)
            );
            wakes.push(took(send));
        }
        assert!(seen.way == Way::Hash || !wakes.is_empty(), "{seen}: somebody waits in vain");
        let recovered = seen.between(11_000, 99_000).all(|send| send.error().is_none());
        assert!(recovered, "{seen}: a send fails four seconds after all are back");
        for broker in 0..3 {
            let dials = seen.dials(&address(broker), 1_000, 7_000).len();
            assert!(dials <= 40, "{seen}: {dials} dials of broker {broker} in six seconds");
        }
    });
    row.figure(format!("<= {most} lookups; failures end at their deadline"));
}

#[test]
fn s14_broker_paused() {
    let mut row = Row::new(14, "broker paused");
    for pause in [1_000, 5_000, 60_000] {
        let scene = Scene::new(14)
            .sends(100, 20, 100)
            .sends(2_100, 500, ((pause + 45_000 - 1_000) / 500) as u32)
            .fault("broker-0", 1_000, pause, FaultKind::Freeze);
        let (mut twice, mut latest) = (0, Duration::ZERO);
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            // All that it read, or will read, it executes: each attempt stores a copy.
            seen.each_request_is_stored();
            assert!(back(seen, 1_000 + pause) <= BACK, "{seen}");
            latest = latest.max(back(seen, 1_000 + pause));
            twice += seen.duplicates();
        });
        row.figure(format!("{pause} ms: {twice} twice, back <= {latest:?}"));
    }
}
