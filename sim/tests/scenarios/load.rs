//! What befalls sends when a broker is slow, busy, full, or stores less than it should?

use std::collections::BTreeSet;

use producer_core::{ErrorKind, SendStatus};
use sim::model::broker::{Refusal, Status, Why};
use sim::plan::{FaultKind, HealthPlan, SendFault};

use super::seen::{address, at, ms, took};
use super::{Row, Scene, Seen, Way};

const fn refuse(refusal: Refusal) -> FaultKind {
    FaultKind::Sends { fault: SendFault::Refuse(refusal) }
}

/// Sends of four seconds and then some; broker 0 does this from one second to three.
fn at_one(kind: FaultKind) -> Scene {
    Scene::new(30).sends(100, 20, 200).sends(4_100, 200, 30).fault("broker-0", 1_000, 2_000, kind)
}

/// Requests that met what [`at_one`] does.
fn met(seen: &Seen) -> usize {
    seen.attempts(&address(0), 1_000, 3_000)
}

#[test]
fn s28_slow_disk() {
    let mut row = Row::new(28, "slow disk");
    for each in [100, 1_000, 10_000] {
        let scene = Scene::new(28).sends(100, 20, 300).sends(6_100, 200, 250).fault(
            "broker-0",
            1_000,
            10_000,
            FaultKind::SlowDisk { ms: each },
        );
        let mut figures = Vec::new();
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            let firsts = seen.first_attempts(&address(0), 1_000, 11_000).len();
            // Those of 200 ms of silence, and a trial a second; Java's table: one each 10 s, and
            // those that were under way.
            let most = match seen.health {
                HealthPlan::Adaptive if each >= 1_000 => 4 + 11,
                HealthPlan::Java if each >= 1_000 => 5 + 1,
                _ => usize::MAX,
            };
            assert!(!seen.way.rotates() || firsts <= most, "{seen}: {firsts} first attempts");
            assert!(seen.longest() <= ms(3_011), "{seen}");
            if seen.way == Way::Async {
                figures.push(firsts);
            }
        });
        row.figure(format!("{each} ms: {figures:?} first attempts"));
    }
}

#[test]
fn s29_busy() {
    let mut row = Row::new(29, "busy");
    let busy = [Refusal::Busy, Refusal::Overload, Refusal::PageCacheBusy, Refusal::WaitedTooLong];
    for refusal in busy {
        row.everywhere(&at_one(refuse(refusal)), |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            assert_eq!(seen.duplicates(), 0, "{seen}");
            let firsts = seen.first_attempts(&address(0), 1_000, 3_000).len();
            match (seen.way, seen.health) {
                (Way::Unanswered, _) => assert_eq!(seen.lost(), met(seen), "{seen}"),
                (Way::Hash, _) => assert_eq!(seen.rejected(), met(seen), "{seen}"),
                (Way::Strict, _) | (_, HealthPlan::Off) => {}
                (_, HealthPlan::Java) => assert_eq!(firsts, 1, "{seen}: away for ten seconds"),
                // Three in a row, and a trial a second.
                (_, HealthPlan::Adaptive) => assert!(firsts <= 3 + 2, "{seen}: {firsts}"),
            }
        });
    }
    two_busy_and_one_alone(&mut row);
    let mut all = Scene::new(29).sends(100, 10, 400);
    for broker in ["broker-0", "broker-1", "broker-2"] {
        all = all.fault(broker, 1_000, 2_000, refuse(Refusal::Busy));
    }
    row.everywhere(&all, |seen| {
        let tried = |send| seen.requests(send).len();
        let most = seen.sends().map(tried).max();
        assert!(most <= Some(3), "{seen}: {most:?} attempts of one send");
        let sends = seen.between(1_000, 3_000).count();
        let requests: usize = seen.between(1_000, 3_000).map(tried).sum();
        assert!(requests <= 3 * sends, "{seen}: {requests} requests of {sends} sends");
        assert_eq!(seen.failed(), seen.rejected(), "{seen}: surely not stored");
        assert!(seen.between(3_000, 9_000).all(|send| send.error().is_none()), "{seen}");
    });
    row.figure("one busy: 0 fail; all busy: <= 3 attempts a send, all surely not stored");
}

/// With two of three busy, each is tried once and the third takes all; an only broker is left in
/// peace for a while before it is tried again.
fn two_busy_and_one_alone(row: &mut Row) {
    let two = at_one(refuse(Refusal::Busy));
    let two = two.fault("broker-1", 1_000, 2_000, refuse(Refusal::Busy));
    row.everywhere(&two, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
    });
    let alone = at_one(refuse(Refusal::Busy)).brokers(1, 4);
    row.everywhere(&alone, |seen| {
        for send in seen.sends() {
            let requests = seen.requests(send);
            let pauses = requests.windows(2).map(|pair| pair[1].at.since(pair[0].at));
            assert!(pauses.min() >= Some(ms(9)) || requests.len() < 2, "{seen}: {requests:?}");
        }
    });
}

#[test]
fn s30_stored_but() {
    let mut row = Row::new(30, "stored, but");
    let statuses = [
        (Status::FlushDiskTimeout, SendStatus::FlushDiskTimeout),
        (Status::FlushSlaveTimeout, SendStatus::FlushSlaveTimeout),
        (Status::SlaveNotAvailable, SendStatus::SlaveNotAvailable),
    ];
    let mut twice = 0;
    for (status, told) in statuses {
        for again in [false, true] {
            let scene = at_one(FaultKind::Sends { fault: SendFault::StoredBut(status) })
                .configured(|config| config.retry_not_ok = Some(again));
            row.everywhere(&scene, |seen| {
                seen.all_well();
                seen.each_request_is_stored();
                let receipts = seen.sends().filter_map(|send| send.receipt());
                let not_ok = receipts.filter(|receipt| receipt.status == told).count();
                match (seen.way, again) {
                    (Way::Unanswered, _) => {}
                    (_, false) | (Way::Hash, true) => {
                        assert_eq!((not_ok, seen.retries()), (met(seen), 0), "{seen}: {told}");
                    }
                    // Three times at the same queue: the last status is what it is.
                    (Way::Strict, true) => assert!(not_ok * 3 <= met(seen), "{seen}: {told}"),
                    (_, true) => {
                        assert_eq!(not_ok, 0, "{seen}: another broker says SEND_OK");
                        assert_eq!(seen.duplicates(), met(seen), "{seen}: a copy an attempt");
                    }
                }
                twice += seen.duplicates();
            });
        }
    }
    row.figure(format!("every status told; copies = attempts ({twice} twice) where tried again"));
}

#[test]
fn s31_not_stored() {
    let mut row = Row::new(31, "not stored");
    let kinds = [
        FaultKind::DiskFull,
        refuse(Refusal::DiskFull),
        refuse(Refusal::FewReplicas),
        refuse(Refusal::NoFile),
        refuse(Refusal::SystemError),
    ];
    for kind in kinds {
        // Only this remark leaves open whether something was written.
        let unclear = kind == refuse(Refusal::SystemError);
        row.everywhere(&at_one(kind), |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            assert_eq!(seen.copies_at(0, 1_000, 2_900), 0, "{seen}: {kind:?}");
            assert_eq!(seen.duplicates(), 0, "{seen}");
            assert!(!seen.way.moves() || seen.longest() <= ms(20), "{seen}: at once elsewhere");
            let failed = if unclear { seen.unknown() } else { seen.rejected() };
            assert_eq!(failed, seen.failed(), "{seen}: {kind:?}");
            if seen.way == Way::Hash {
                assert_eq!(failed, met(seen), "{seen}: one attempt each");
            }
        });
    }
    row.figure("0 copies where refused; sure that nothing is stored but for a bare SYSTEM_ERROR");
}

#[test]
fn s32_refused_for_good() {
    let mut row = Row::new(32, "refused for good");
    row.everywhere(&at_one(refuse(Refusal::Illegal)), |seen| {
        assert_eq!((seen.retries(), seen.duplicates()), (0, 0), "{seen}");
        let refused = if seen.way == Way::Unanswered { seen.lost() } else { seen.rejected() };
        assert_eq!(refused, met(seen), "{seen}: each is told");
        assert_eq!(seen.failed(), seen.rejected(), "{seen}");
        // The message is at fault, so the broker keeps its third; Java's table sees it otherwise.
        let keeps = seen.health == HealthPlan::Java || (32..=35).contains(&met(seen));
        assert!(!seen.way.rotates() || keeps, "{seen}: {} of 100", met(seen));
    });
    for kind in [refuse(Refusal::NoPermission), refuse(Refusal::NoTopic)] {
        row.everywhere(&at_one(kind), |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            assert_eq!(seen.copies_at(0, 1_000, 2_900), 0, "{seen}: {kind:?}");
            assert_eq!(seen.failed(), seen.rejected(), "{seen}");
        });
    }
    let read_only =
        Scene::new(32).sends(100, 200, 400).fault("broker-0", 1_000, 40_000, FaultKind::ReadOnly);
    row.everywhere(&read_only, |seen| {
        if seen.way == Way::Strict {
            seen.keys_stay();
            assert_eq!(seen.failed(), seen.not_sent(), "{seen}");
        } else {
            seen.all_well();
        }
        let known = seen.route_that(false, &address(0), 1_000).expect("polled").at.as_millis();
        assert_eq!(seen.attempts(&address(0), known, 41_000), 0, "{seen}: once it is known");
    });
    let large =
        Scene::new(32).sends(100, 20, 3).with(|plan| plan.workloads[0].body_bytes = (4 << 20) + 1);
    row.everywhere(&large, |seen| {
        let too_large = |kind: &ErrorKind| matches!(kind, ErrorKind::MessageTooLarge { .. });
        let told = seen.sends().filter(|s| s.error().is_some_and(|e| too_large(e.kind()))).count();
        assert_eq!((told, seen.history.stored.len()), (3, seen.probes()), "{seen}");
        assert!(seen.sends().all(|send| took(send).is_zero()), "{seen}: told at once");
    });
    // Properties are checked by the core itself: no plan has any.
    row.figure("1 attempt, 0 copies where no other broker would do; read-only: 0 after the poll");
}

#[test]
fn s33_crash_around_the_append() {
    let mut row = Row::new(33, "crash around the append");
    let before = FaultKind::Sends { fault: SendFault::CloseBeforeStoring };
    row.everywhere(&at_one(before), |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        assert_eq!(seen.duplicates(), 0, "{seen}");
        assert_eq!(seen.copies_at(0, 1_000, 2_900), 0, "{seen}");
        if seen.way == Way::Unanswered {
            assert_eq!(seen.lost(), met(seen), "{seen}");
        }
    });
    let mut twice = 0;
    let after = FaultKind::Sends { fault: SendFault::CloseAfterStoring };
    row.everywhere(&at_one(after), |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        seen.each_request_is_stored();
        assert_eq!(seen.duplicates(), seen.retries(), "{seen}: twice is what was tried twice");
        let known = seen.sends().filter(|send| send.at < at(1_000)).all(|s| s.error().is_none());
        assert!(known, "{seen}: all was well before");
        twice += seen.duplicates();
    });
    let mut lost = 0;
    let scene = Scene::new(33).sends(100, 10, 300).fault(
        "broker-0",
        1_000,
        1_000,
        FaultKind::LostTail { ms: 200 },
    );
    row.everywhere(&scene, |seen| {
        let acked = seen.sends().filter(|send| send.receipt().is_some());
        let gone = acked.filter(|send| seen.copies(send).is_empty());
        let gone: BTreeSet<&str> = gone.filter_map(|send| send.message_id.as_deref()).collect();
        let cuts = seen.history.cuts.iter().filter(|cut| cut.why == Why::NotFlushed);
        let cuts: BTreeSet<&str> = cuts.filter_map(|cut| cut.message.uniq_key()).collect();
        assert!(gone.is_subset(&cuts), "{seen}: {gone:?} of {cuts:?}");
        assert!(!cuts.is_empty(), "{seen}: the tail had something");
        lost += gone.len();
    });
    row.figure(format!("before: 0 copies; after: twice = tried again = {twice}"));
    row.figure(format!("not flushed: {lost} acknowledged are lost, all in the broker's tail"));
}
