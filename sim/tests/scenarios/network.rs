//! What befalls sends when bytes are late, lost, or cut off?

use std::collections::BTreeMap;
use std::time::Duration;

use sim::plan::{Direction, FaultKind, HealthPlan, Loss, Scope};

use super::scene::STRATEGIES;
use super::seen::{address, at, ms, took};
use super::{Row, Scene, Seen, Way};

/// Isolation, poll, and two seconds: by then a broker that can be reached has its share.
const BACK: Duration = ms(42_000);

fn cut(direction: Direction, loss: Loss) -> FaultKind {
    FaultKind::Partition { scope: Scope::Producers, direction, loss }
}

/// When broker 0 was used again after a fault that ended then, which must not take too long.
fn back(seen: &Seen, from_ms: u64) -> Duration {
    let back = seen.back_after(&address(0), from_ms);
    let back = back.unwrap_or_else(|| panic!("{seen}: never used again"));
    assert!(back <= BACK, "{seen}: used again after {back:?}");
    back
}

#[test]
fn s15_cut_off_from_a_broker() {
    let mut row = Row::new(15, "cut off from a broker");
    let cases =
        [(50, Loss::Held), (800, Loss::Held), (10_000, Loss::Dropped), (600_000, Loss::Dropped)];
    for (span, loss) in cases {
        let end = 1_000 + span;
        let scene = Scene::new(15)
            .sends(100, 20, 100)
            .sends(2_100, (span + 45_000) / 150, 150)
            .fault("broker-0", 1_000, span, cut(Direction::Both, loss));
        let (mut latest, mut firsts) = (Duration::ZERO, Vec::new());
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            assert!(!seen.way.rotates() || seen.longest() <= ms(1_015), "{seen}");
            let calm = seen.retries() + seen.duplicates() + seen.failed() == 0;
            assert!(loss == Loss::Dropped || calm, "{seen}: TCP sees to a short outage");
            // The attempts that told of it have ended by then.
            let first = seen.first_attempts(&address(0), 2_020, end).len() as u64;
            let allowed = match seen.health {
                HealthPlan::Off => u64::MAX,
                HealthPlan::Java => 1 + span / 10_000,
                HealthPlan::Adaptive => 0,
            };
            assert!(!seen.way.rotates() || first <= allowed, "{seen}: {first} first attempts");
            latest = latest.max(back(seen, end));
            if seen.way == Way::Async {
                firsts.push(first);
            }
        });
        row.figure(format!("{span} ms: {firsts:?} first attempts, back <= {latest:?}"));
    }
}

#[test]
fn s16_requests_lost() {
    let mut row = Row::new(16, "requests lost");
    let scene = Scene::new(16).sends(100, 20, 300).sends(6_100, 200, 50).fault(
        "broker-0",
        1_000,
        4_000,
        cut(Direction::Requests, Loss::Dropped),
    );

    let mut lost = 0;
    row.everywhere(&scene, |seen| {
        for send in seen.between(1_000, 5_000) {
            let copies = seen.copies(send);
            let in_time = seen.requests(send).iter().all(|request| request.at < at(5_000));
            let there = copies.iter().filter(|copy| copy.broker == "broker-0").count();
            assert!(!in_time || there == 0, "{seen}: send {} passed", send.ticket);
        }
        assert_eq!(seen.duplicates(), 0, "{seen}: a request that is lost makes no copy");
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        lost += seen.attempts(&address(0), 1_000, 5_000);
    });
    row.figure(format!("{lost} requests lost, 0 copies of them"));
}

#[test]
fn s17_answers_lost() {
    let mut row = Row::new(17, "answers lost");
    let scene = Scene::new(17).sends(100, 20, 300).sends(6_100, 200, 50).fault(
        "broker-0",
        1_000,
        4_000,
        cut(Direction::Answers, Loss::Dropped),
    );

    let mut retried = 0;
    row.everywhere(&scene, |seen| {
        seen.each_request_is_stored();
        assert_eq!(seen.duplicates(), seen.retries(), "{seen}: twice is what was tried twice");
        let warned = seen.sends().filter_map(|send| send.receipt()).filter(|r| r.maybe_duplicate);
        let twice = seen.sends().filter(|s| s.receipt().is_some() && seen.copies(s).len() > 1);
        assert_eq!(warned.count(), twice.count(), "{seen}: receipts that warn");
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        retried += seen.retries();
    });
    row.figure(format!("twice = tried again = {retried}"));
    let stops = scene.configured(|config| config.stop_on_unknown = Some(true));
    let mut unknown = 0;
    row.everywhere(&stops, |seen| {
        assert_eq!((seen.retries(), seen.duplicates()), (0, 0), "{seen}: never a second copy");
        seen.fails_only_at(0);
        unknown += seen.unknown();
    });
    row.figure(format!("told to stop instead: 0 twice, {unknown} unknown"));
}

#[test]
fn s18_name_server_cut_off_from_a_broker() {
    let mut row = Row::new(18, "broker cut off from name server");
    let kind = FaultKind::Partition {
        scope: Scope::Nodes,
        direction: Direction::Both,
        loss: Loss::Dropped,
    };
    let scene = Scene::new(18).sends(100, 1_000, 280).fault("broker-0", 1_000, 200_000, kind);

    let mut leaves = Duration::ZERO;
    row.everywhere(&scene, |seen| {
        let gone = seen.route_that(false, &address(0), 1_000).expect("it expires").at;
        leaves = leaves.max(gone.since(at(1_000)));
        assert!((ms(120_000)..=ms(155_000)).contains(&gone.since(at(1_000))), "{seen}: {gone:?}");
        let changes = seen.history.ends[0].stats.route_changes;
        assert_eq!(changes, 3, "{seen}: first seen, gone, back");
        // A strict key waits for its queue, which is in no route though its broker is well.
        if seen.way == Way::Strict {
            seen.keys_stay();
            let early = seen.sends().filter(|send| send.error().is_some() && send.at < gone);
            assert_eq!(early.count(), 0, "{seen}: while the route is as it was, all is well");
        } else {
            seen.all_well();
        }
        let while_gone = seen.attempts(&address(0), gone.as_millis(), 201_000);
        assert_eq!(while_gone, 0, "{seen}: sent to where no route points");
        back(seen, 201_000);
    });
    row.figure(format!("leaves the route <= {leaves:?}, 2 changes, no flapping"));
}

#[test]
fn s19_cut_off_from_everybody() {
    let mut row = Row::new(19, "cut off from everybody");
    let mut scene = Scene::new(19).sends(100, 20, 300).sends(6_100, 100, 250);
    for node in ["ns-0", "broker-0", "broker-1", "broker-2"] {
        scene = scene.fault(node, 1_000, 20_000, cut(Direction::Both, Loss::Dropped));
    }

    let (mut in_hand, mut wake) = (0, Duration::ZERO);
    row.everywhere(&scene, |seen| {
        for send in seen.sends().filter(|send| send.error().is_some()) {
            let late = took(send).saturating_sub(ms(3_000));
            assert!(late <= ms(10), "{seen}: send {} ends {late:?} late", send.ticket);
            wake = wake.max(late);
        }
        // Three seconds of sends, fifty a second, and those of the instant.
        let most = seen.history.ends[0].in_hand_max;
        assert!(most <= 152, "{seen}: {most} in hand");
        let recovered = seen.between(25_000, 99_000).all(|send| send.error().is_none());
        assert!(recovered, "{seen}: a send fails four seconds after all is well");
        in_hand = in_hand.max(most);
    });
    row.figure(format!("<= {in_hand} in hand, ends <= {wake:?} after the deadline"));
}

#[test]
fn s20_dials_vanish_or_take_three_seconds() {
    let mut row = Row::new(20, "dials vanish or take 3 s");
    for kind in [FaultKind::SynBlackHole, FaultKind::Slow { extra_ms: 1_450, jitter_ms: 0 }] {
        let scene = Scene::new(20)
            .sends(100, 20, 400)
            .sends(8_100, 200, 250)
            .fault("broker-0", 1_000, 10_000, kind)
            .fault("broker-0", 1_050, 1, FaultKind::Reset);
        let mut delayed = Vec::new();
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            let slow: Vec<_> = seen.sends().filter(|send| took(send) > ms(20)).collect();
            for receipt in slow.iter().filter_map(|send| send.receipt()) {
                let met_it = receipt.attempts > 1 || &*receipt.broker == "broker-0";
                assert!(!seen.way.rotates() || met_it, "{seen}: held up by another's broker");
            }
            assert!(!seen.way.rotates() || seen.longest() <= ms(1_015), "{seen}");
            back(seen, 11_000);
            if seen.way == Way::Async {
                delayed.push(slow.len());
            }
        });
        row.figure(format!("{delayed:?} of 650 met it (off, Java, adaptive)"));
    }
}

#[test]
fn s21_a_slow_link() {
    let mut row = Row::new(21, "a slow link");
    // One way, and for how long Java's table avoids a broker that took twice that.
    let steps = [(10, 0), (30, 0), (200, 0), (400, 2_000), (1_000, 5_000), (2_000, 6_000)];
    for (extra_ms, stay_ms) in steps {
        let scene = Scene::new(21)
            .configured(|config| config.attempt_timeout_ms = Some(0))
            .configured(|config| config.send_timeout_ms = Some(6_000))
            .sends(100, 20, 50)
            .sends(1_100, 200, 220)
            .fault("broker-0", 2_000, 40_000, FaultKind::Slow { extra_ms, jitter_ms: 0 });
        for way in [Way::Sync, Way::Async, Way::Strict, Way::Available] {
            for health in STRATEGIES {
                let seen = row.run(&scene, way, health);
                if way.rotates() {
                    seen.all_well();
                    let (one, two) = (seen.share(1, 5_000, 42_000), seen.share(2, 5_000, 42_000));
                    assert!(one.abs_diff(two) <= 1, "{seen}: shares {one} and {two} %");
                }
                if way == Way::Sync && health == HealthPlan::Java {
                    avoided(&seen, ms(stay_ms));
                }
                let firsts = seen.first_attempts(&address(0), 4_000, 42_000).len();
                let all = (42_000 - 4_000) / 600;
                let fewer = way != Way::Async || stay_ms == 0 || firsts < all * 2 / 3;
                assert!(fewer || health == HealthPlan::Off, "{seen}: {firsts} of {all}");
            }
        }
    }
    row.figure("each step of Java's table is met; the others share evenly".to_owned());
}

/// Asserts that after each answer of the slow broker the next first attempt there comes when its
/// stay is over, and soon after.
fn avoided(seen: &Seen, stay: Duration) {
    let slow = address(0);
    let firsts: BTreeMap<_, _> = seen
        .sends()
        .filter_map(|send| seen.requests(send).first().copied())
        .filter(|request| request.address == slow && request.at > at(2_000))
        .filter_map(|request| Some((request.at, request.answer?.0)))
        .filter(|(asked, _)| *asked < at(32_000))
        .collect();
    let firsts: Vec<_> = firsts.into_iter().collect();
    assert!(firsts.len() >= 2, "{seen}: {firsts:?}");
    for pair in firsts.windows(2) {
        let pause = pair[1].0.since(pair[0].1);
        assert!((stay..=stay + ms(700)).contains(&pause), "{seen}: {pause:?}, table says {stay:?}");
    }
}

#[test]
fn s22_a_link_that_flaps() {
    let mut row = Row::new(22, "a link that flaps");
    for (period, loss) in [(100, Loss::Held), (1_000, Loss::Dropped), (3_000, Loss::Dropped)] {
        let mut scene = Scene::new(22).sends(100, 20, 200).sends(4_100, 100, 600);
        for n in 0..20_000 / (2 * period) {
            let from = 1_000 + 2 * period * n;
            scene = scene.fault("broker-0", from, period, cut(Direction::Both, loss));
        }
        let (mut latest, mut dials) = (Duration::ZERO, 0);
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            latest = latest.max(back(seen, 21_000));
            dials = dials.max(seen.dials(&address(0), 1_000, 21_000).len());
            let share = seen.share(0, 50_000, 64_000);
            assert!(!seen.way.rotates() || (31..=35).contains(&share), "{seen}: {share} %");
        });
        assert!(dials <= 20, "{dials} dials in 20 s");
        row.figure(format!("{period} ms: <= {dials} dials, back <= {latest:?}"));
    }
}
