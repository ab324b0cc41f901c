//! What befalls sends when connections break in the middle, when bytes come one by one, and when
//! answers are not what was asked for?

use std::time::Duration;

use sim::model::broker::Malformed;
use sim::plan::{FaultKind, HealthPlan, SendFault};

use super::seen::{address, at, ms, took};
use super::{Row, Scene, Way};

#[test]
fn s23_connection_reset() {
    let mut row = Row::new(23, "connection reset");
    let between = Scene::new(23).sends(100, 5, 400).fault("broker-0", 1_000, 1, FaultKind::Reset);
    row.everywhere(&between, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        for second in seen.sends().filter_map(|send| seen.requests(send).get(1).copied()) {
            // A strict key has nowhere else to go, and pauses.
            let prompt = second.at <= at(1_002) || seen.way == Way::Strict;
            assert!(prompt, "{seen}: retried at {:?}", second.at);
        }
        seen.fails_only_at(0);
    });
    let mut within = Scene::new(23).sends(100, 20, 300);
    let cuts = [0, 1, 4, 8, 20, 150];
    for (n, after_bytes) in cuts.into_iter().enumerate() {
        let begins = 1_000 + 700 * n as u64;
        within = within.fault("broker-0", begins, 400, FaultKind::ResetInAnswer { after_bytes });
    }
    row.everywhere(&within, |seen| {
        if seen.way == Way::Unanswered {
            return assert_eq!(seen.lost(), 0, "{seen}");
        }
        seen.each_request_is_stored();
        let cut = seen.history.requests.iter().filter(|r| r.answer.is_none()).count();
        // Java's table stays away for ten seconds after the first.
        let stays_away = seen.health == HealthPlan::Java && seen.way.moves();
        assert_eq!(cut, if stays_away { 1 } else { cuts.len() }, "{seen}: one answer each time");
        let failures = seen.history.ends[0].stats.connection_failures;
        assert_eq!(failures, cut as u64, "{seen}: one connection ends each time");
        match seen.way {
            Way::Hash => assert_eq!(seen.unknown(), cut, "{seen}"),
            _ => assert_eq!(seen.duplicates(), cut, "{seen}: retried, and nothing else"),
        }
        if seen.way != Way::Hash {
            seen.all_well();
        }
    });
    row.figure(format!("{} answers cut: as many copies twice, or unknown", cuts.len()));
}

#[test]
fn s24_half_a_request() {
    let mut row = Row::new(24, "half a request");
    for reset in [false, true] {
        let scene = Scene::new(24).sends(100, 20, 300).fault(
            "broker-0",
            1_000,
            100,
            FaultKind::HalfRequest { reset },
        );
        let mut longest = Duration::ZERO;
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            assert_eq!(seen.duplicates(), 0, "{seen}: half a request is not stored");
            let cut = seen.sends().find(|send| {
                let first = seen.requests(send).first().copied();
                first.is_some_and(|r| r.address == address(0) && r.at >= at(1_000))
            });
            let cut = cut.expect("somebody met it");
            let there = seen.copies(cut).iter().filter(|copy| copy.broker == "broker-0").count();
            assert!(there == 0 || seen.way == Way::Strict, "{seen}: send {}", cut.ticket);
            if seen.way.rotates() {
                longest = longest.max(seen.longest());
            }
        });
        let most = if reset { ms(20) } else { ms(1_015) };
        assert!(longest <= most, "reset {reset}: {longest:?}");
        row.figure(format!("reset {reset}: longest {longest:?}"));
    }
}

#[test]
fn s25_byte_by_byte_and_four_mib() {
    let mut row = Row::new(25, "byte by byte, and 4 MiB");
    let scene = Scene::new(25)
        .sends(100, 10, 100)
        .with(|plan| {
            let mut large = plan.workloads[0].clone();
            (large.body_bytes, large.total, large.every_us) = (4 << 20, 1, 500_000);
            plan.workloads.push(large);
        })
        .fault("broker-0", 200, 1_500, FaultKind::Dribble { bytes: 1 })
        .fault("ns-0", 1, 1_500, FaultKind::Dribble { bytes: 1 });

    let mut longest = Duration::ZERO;
    for way in [Way::Sync, Way::Async, Way::Unanswered, Way::Strict] {
        let seen = row.run(&scene, way, HealthPlan::Adaptive);
        seen.all_well();
        assert_eq!((seen.lost(), seen.duplicates(), seen.retries()), (0, 0, 0), "{seen}");
        let largest = seen.history.stored.iter().map(|stored| stored.message.body.len()).max();
        assert_eq!(largest, Some(4 << 20), "{seen}");
        longest = longest.max(seen.longest());
    }
    row.figure(format!("all stored as sent, longest {longest:?}"));
    let unread = Scene::new(25)
        .sends(100, 10, 400)
        .with(|plan| plan.workloads[0].body_bytes = 5_000)
        .fault("broker-0", 1_000, 2_500, FaultKind::SlowReader { window_bytes: 10_000 });
    let mut delayed = 0;
    row.everywhere(&unread, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        assert!(!seen.way.rotates() || seen.longest() <= ms(1_015), "{seen}");
        delayed += seen.sends().filter(|send| took(send) > ms(100)).count();
    });
    row.figure(format!("not read for 2.5 s: {delayed} delayed"));
}

#[test]
fn s26_answers_that_nobody_waits_for() {
    let mut row = Row::new(26, "answers twice, late, wrong");
    let faults = [
        SendFault::AnswerTwice,
        SendFault::WrongOpaque,
        SendFault::AnswerLate(ms(1_500)),
        SendFault::AnswerLate(ms(4_000)),
    ];
    for fault in faults {
        let scene = Scene::new(26).sends(100, 20, 200).sends(4_100, 200, 30).fault(
            "broker-0",
            1_000,
            2_000,
            FaultKind::Sends { fault },
        );
        let mut ignored = 0;
        row.everywhere(&scene, |seen| {
            seen.each_request_is_stored();
            if seen.way.moves() {
                seen.all_well();
            }
            let stats = &seen.history.ends[0].stats;
            let met = seen.attempts(&address(0), 1_000, 3_000) as u64;
            let late = stats.late_responses;
            let (fits, expected) = match (seen.way, fault) {
                (Way::Unanswered, _) => (late == 0, "nothing is answered"),
                (Way::Hash, SendFault::AnswerLate(by)) if by < ms(3_000) => {
                    (late == 0, "its one attempt waits for it")
                }
                (_, SendFault::AnswerLate(by)) if by > ms(1_000) => {
                    (late <= met, "the connection may be gone by then")
                }
                _ => (late == met, "one for each"),
            };
            assert!(fits, "{seen}: {fault:?}: {late} late of {met}: {expected}");
            ignored += late;
        });
        row.figure(format!("{fault:?}: {ignored} ignored"));
    }
    // That numbers come round after 2^31 is shown in producer-core: no run sends so much.
}

#[test]
fn s27_garbage() {
    let mut row = Row::new(27, "garbage");
    let faults = [
        SendFault::Garbage,
        SendFault::HalfAnswer,
        SendFault::Malformed(Malformed::TooLong),
        SendFault::Malformed(Malformed::LongHeader),
        SendFault::Malformed(Malformed::BrokenJson),
        SendFault::Malformed(Malformed::BrokenBinary),
        SendFault::Malformed(Malformed::UnknownForm),
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        let scene = Scene::new(27)
            .configured(|config| config.binary_header = Some(n % 2 == 1))
            .sends(100, 20, 150)
            .sends(3_100, 200, 30)
            .fault("broker-0", 1_000, 1_000, FaultKind::Sends { fault });
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            if seen.way != Way::Unanswered {
                seen.each_request_is_stored();
                let met = seen.attempts(&address(0), 1_000, 2_000);
                let unanswered = seen.history.requests.iter().filter(|r| r.answer.is_none());
                assert_eq!(unanswered.count(), met, "{seen}: {fault:?} answers nothing");
                let ended = seen.history.ends[0].stats.connection_failures as usize;
                assert!((1..=met).contains(&ended), "{seen}: {fault:?}: {ended} ended of {met}");
            }
            seen.fails_only_at(0);
            assert!(seen.longest() <= ms(3_011), "{seen}");
        });
    }
    row.figure(format!("{} sorts; each ends its connection, and no other", faults.len()));
}
