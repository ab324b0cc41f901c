//! What befalls sends when it is the client that stops, jumps, leaves or overdoes it?

use std::collections::BTreeSet;

use producer_core::{ErrorKind, Instant};
use sim::history::{End, History};
use sim::pair::{self, Lines};
use sim::plan::{FaultKind, HealthPlan};

use super::seen::{at, took};
use super::{Row, Scene, Seen, Way};

#[test]
fn s41_wall_clock_jumps() {
    let mut row = Row::new(41, "wall clock jumps");
    let plain = Scene::new(41).sends(100, 20, 150).fault("broker-0", 500, 2_000, FaultKind::Crash);
    let mut compared = 0;
    for jump in [3_600_000, -3_600_000, -5_000] {
        let scene = plain.clone().fault("producer-0", 1_000, 1, FaultKind::WallJump { ms: jump });
        for (way, health) in [
            (Way::Sync, HealthPlan::Java),
            (Way::Async, HealthPlan::Off),
            (Way::Unanswered, HealthPlan::Adaptive),
            (Way::Hash, HealthPlan::Java),
            (Way::Strict, HealthPlan::Adaptive),
            (Way::Available, HealthPlan::Adaptive),
        ] {
            let seen = row.run(&scene, way, health);
            let steady = pair::run(&plain.plan(way, health), Lines::Forget).history;
            assert_eq!(ends(&seen.history), ends(&steady), "{seen}: the clock is for stamps only");
            compared += seen.history.sends.len();
            let born = |send| seen.copies(send).first().map(|copy| copy.message.born_timestamp);
            let before = seen.sends().filter(|send| send.at < at(900)).find_map(born);
            let after = seen.sends().filter(|send| send.at > at(1_010)).find_map(born);
            let jumped = before.zip(after).map(|(before, after)| after - before);
            assert!(jumped.is_some_and(|by| (by - jump).abs() < 3_000), "{seen}: {jumped:?}");
        }
    }
    row.figure(format!("{compared} sends end as they do without a jump, to the nanosecond"));
}

/// How each send ended, without ids, which come from the clock.
fn ends(history: &History) -> Vec<(Instant, String)> {
    let told = history.sends.iter().flat_map(|send| &send.ends);
    told.map(|(at, end)| {
        let how = match end {
            End::Stored(receipt) => {
                format!("{}/{}@{}", receipt.broker, receipt.queue_id, receipt.queue_offset)
            }
            End::Failed(error) => error.to_string(),
            End::Written => "written".to_owned(),
            End::Cancelled => "cancelled".to_owned(),
        };
        (*at, how)
    })
    .collect()
}

#[test]
fn s42_cancelled_and_closed() {
    let mut row = Row::new(42, "cancelled and closed");
    let busy = Scene::new(42).with(|plan| plan.network.latency_us = 20_000).sends(100, 5, 250);
    for nth in [1, 3] {
        // It lasts: who sends one after the other begins no more once all is well again.
        let scene = busy.clone().fault("producer-0", 800, 15_000, FaultKind::Cancel { nth });
        row.everywhere(&scene, |seen| {
            let in_hand = seen.sends().filter(|send| under_way(send, 800)).count();
            assert_eq!(seen.cancelled(), in_hand.div_ceil(nth as usize), "{seen}");
            let others = seen.stored() + seen.written();
            assert_eq!(others + seen.cancelled(), 250, "{seen}: nobody else suffers");
        });
    }
    for within in [0, 10, 1_000] {
        let scene = busy.clone().fault("producer-0", 800, within, FaultKind::Close);
        row.everywhere(&scene, |seen| closed(seen, within));
    }
    // Callbacks that panic or send again are the native driver's: tests/features/callbacks.rs.
    row.figure("every send ends once; the report of a close accounts for all that was in hand");
}

/// Whether a send was asked before, and had not ended when something happened then.
fn under_way(send: &sim::history::SendRecord, at_ms: u64) -> bool {
    send.at < at(at_ms) && send.ends.first().is_none_or(|(end, _)| *end >= at(at_ms))
}

fn closed(seen: &Seen, within: u64) {
    let report = seen.history.ends[0].report.as_ref().expect("it was closed");
    let in_hand = seen.sends().filter(|send| under_way(send, 800)).count() as u64;
    let told = report.stored + report.written + report.not_sent + report.rejected + report.unknown;
    assert_eq!(told, in_hand, "{seen}: {report:?}");
    let unknown = seen.sends().filter(|s| s.ended(is_unknown)).filter_map(|send| {
        let id = send.message_id.clone()?;
        under_way(send, 800).then_some(id)
    });
    let ids: BTreeSet<String> = report.unknown_ids.iter().map(ToString::to_string).collect();
    assert_eq!(unknown.collect::<BTreeSet<_>>(), ids, "{seen}");
    assert!(within < 1_000 || ids.is_empty(), "{seen}: there was time for all");
    for send in seen.between(801, 9_000) {
        let closed = send.error().is_some_and(|error| *error.kind() == ErrorKind::Closed);
        assert!(closed && took(send).is_zero(), "{seen}: send {}", send.ticket);
    }
}

fn is_unknown(end: &End) -> bool {
    matches!(end, End::Failed(error) if error.outcome() == producer_core::Outcome::Unknown)
}

#[test]
fn s43_burst() {
    let mut row = Row::new(43, "burst");
    let burst = |sends: u32, room: usize, waiting: usize| {
        Scene::new(43)
            .configured(|config| config.sends_max = Some(room))
            .configured(|config| config.waiting_max = Some(waiting))
            .sends(100, 20, sends)
            .with(|plan| plan.workloads[0].burst = sends)
            .lasts(4_000)
    };
    for (room, waiting) in [(65_536, 65_536), (100, 65_536), (100, 300)] {
        let scene = burst(500, room, waiting);
        row.everywhere(&scene, |seen| fits(seen, 500, room + waiting));
    }
    for (room, waiting) in [(65_536, 65_536), (1_000, 2_000)] {
        let seen = row.run(&burst(10_000, room, waiting), Way::Async, HealthPlan::Adaptive);
        fits(&seen, 10_000, room + waiting);
        let (stored, told) = (seen.stored(), seen.not_sent());
        row.figure(format!(
            "10,000 with room for {}: {stored} stored, {told} told",
            room + waiting
        ));
    }
}

/// What has room is stored; the rest is told at once that there is none.
fn fits(seen: &Seen, sends: usize, room: usize) {
    let one_by_one = seen.way == Way::Sync;
    let accepted = if one_by_one { sends } else { sends.min(room) };
    assert_eq!(seen.stored() + seen.written(), accepted, "{seen}");
    for send in seen.sends().filter(|send| send.error().is_some()) {
        let full = send.error().is_some_and(|error| *error.kind() == ErrorKind::Full);
        assert!(full && took(send).is_zero(), "{seen}: send {}", send.ticket);
    }
    let most = seen.history.ends[0].in_hand_max;
    assert_eq!(most, if one_by_one { 1 } else { accepted }, "{seen}");
}

#[test]
fn s44_a_thousand_producers() {
    let mut row = Row::new(44, "a thousand producers");
    let scene = Scene::new(44)
        .sends(100, 20, 1)
        .with(|plan| {
            for producer in 1..1_000 {
                let mut workload = plan.workloads[0].clone();
                workload.producer = producer;
                plan.workloads.push(workload);
            }
        })
        .fault("ns-0", 50, 2_000, FaultKind::RefuseDials);

    let seen = row.run(&scene, Way::Async, HealthPlan::Adaptive);

    seen.all_well();
    let mut most = 0;
    for second in (0..3_000).step_by(1_000) {
        let dials = seen.dials("10.0.0.1:9876", second, second + 1_000);
        let mut by_producer = vec![0; 1_000];
        for dial in dials {
            by_producer[usize::from(dial.producer)] += 1;
        }
        most = most.max(by_producer.into_iter().max().unwrap_or(0));
    }
    assert!(most <= 7, "{seen}: {most} dials of one producer in a second");
    let lookups: u64 = seen.history.ends.iter().map(|end| end.stats.route_requests).sum();
    // Those that wait for a server that refuses dials, and the polls of two minutes.
    assert!(lookups <= 12 * 1_000, "{seen}: {lookups} lookups");
    row.figure(format!("<= {most} dials a producer and second; {lookups} lookups in all"));
}

#[test]
fn s45_stalled() {
    let mut row = Row::new(45, "stalled");
    let scene = Scene::new(45)
        .with(|plan| plan.network.latency_us = 15_000)
        .sends(100, 5, 300)
        .sends(6_100, 100, 100)
        .fault("producer-0", 1_000, 5_000, FaultKind::Stall);

    let mut worst = 0;
    row.everywhere(&scene, |seen| {
        let stats = &seen.history.ends[0].stats;
        seen.all_well();
        assert_eq!((seen.retries(), seen.duplicates()), (0, 0), "{seen}: nothing was late but us");
        // Java's table takes our own pause for the brokers', and avoids all three.
        let most = if seen.health == HealthPlan::Java { 3 } else { 0 };
        assert!(stats.ejections <= most, "{seen}: {} ejected", stats.ejections);
        worst = worst.max(stats.ejections);
    });
    row.figure(format!("0 brokers thought ill, {worst} by Java's table"));
}
