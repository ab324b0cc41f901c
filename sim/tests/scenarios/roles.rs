//! What befalls sends when masters and slaves change their roles?

use std::collections::BTreeSet;
use std::time::Duration;

use sim::history::CutFromLog;
use sim::model::broker::Why;
use sim::plan::{FaultKind, Heard, Tail};

use super::seen::{address, at, ms};
use super::{Row, Scene, Seen, Way};

/// Where the slave of broker 0 is.
const SLAVE: &str = "10.0.2.1:10911";

fn with_slave(seed: u64) -> Scene {
    Scene::new(seed).with(|plan| plan.cluster.slaves = 1)
}

/// Acknowledged sends that no log holds.
fn lost_after_all(seen: &Seen) -> Vec<String> {
    let acked = seen.sends().filter(|send| send.receipt().is_some());
    let lost = acked.filter(|send| seen.copies(send).is_empty());
    lost.filter_map(|send| send.message_id.clone()).collect()
}

#[test]
fn s04_slave_acting_master() {
    let mut row = Row::new(4, "slave acting master");
    let scene =
        with_slave(4).sends(100, 20, 300).fault("broker-0", 1_000, 20_000, FaultKind::ActingMaster);

    let mut named = 0;
    row.everywhere(&scene, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        assert_eq!(seen.attempts(SLAVE, 0, 60_000), 0, "{seen}: it may be read, not written");
        if seen.way == Way::Strict {
            seen.keys_stay();
        }
        named += seen.history.routes.iter().filter(|route| route.at > at(1_000)).count();
    });
    row.figure(format!("0 requests to it after {named} routes"));
}

#[test]
fn s05_slave_promoted() {
    let mut row = Row::new(5, "slave promoted");
    for silent in [false, true] {
        let kind = FaultKind::Promote { after_ms: 15_000, tail: Tail::Kept, silent };
        let scene = with_slave(5)
            .sends(100, 20, 100)
            .sends(2_100, 250, 300)
            .fault("broker-0", 1_000, 40_000, kind);
        let mut latest = Duration::ZERO;
        row.everywhere(&scene, |seen| {
            if seen.way.moves() {
                seen.all_well();
            }
            seen.fails_only_at(0);
            assert_eq!(lost_after_all(seen), [""; 0], "{seen}: the slave had all");
            if seen.way == Way::Strict {
                seen.keys_stay();
            }
            let used = seen.back_after(SLAVE, 16_000).expect("the new master is used");
            assert!(used <= ms(32_000), "{seen}: used {used:?} after the promotion");
            latest = latest.max(used);
            let known = seen.route_that(true, SLAVE, 1_000).expect("named").at.as_millis();
            let old = seen.attempts(&address(0), known + 1, 80_000);
            assert_eq!(old, 0, "{seen}: the old master is left");
        });
        row.figure(format!("silent {silent}: used <= {latest:?} after it, 0 lost"));
    }
}

#[test]
fn s06_slave_promoted_without_the_tail() {
    let mut row = Row::new(6, "promoted without the tail");
    let kind = FaultKind::Promote { after_ms: 2_000, tail: Tail::Lost, silent: false };
    let scene = with_slave(6)
        .sends(100, 2, 600)
        .sends(2_100, 250, 200)
        .fault("broker-0", 1_000, 30_000, kind);

    let (mut lost, mut reused) = (0, 0);
    row.everywhere(&scene, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(0);
        let gone = lost_after_all(seen);
        let told: BTreeSet<&str> = seen.history.cuts.iter().filter_map(not_copied).collect();
        assert!(gone.iter().all(|id| told.contains(&**id)), "{seen}: {gone:?}, {told:?}");
        let mut places = BTreeSet::new();
        for receipt in seen.sends().filter_map(|send| send.receipt()) {
            let place = (receipt.broker.clone(), receipt.queue_id, receipt.queue_offset);
            reused += usize::from(!places.insert(place));
        }
        lost += gone.len();
    });
    row.figure(format!("{lost} acknowledged are lost by the broker; {reused} offsets given twice"));
}

fn not_copied(cut: &CutFromLog) -> Option<&str> {
    cut.message.uniq_key().filter(|_| cut.why == Why::NotCopied)
}

#[test]
fn s07_two_masters_claim_one_name() {
    let mut row = Row::new(7, "two masters, one name");
    let poll = 2_000;
    for heard in [Heard::All, Heard::Half] {
        let mut scene = with_slave(7)
            .with(|plan| plan.cluster.name_servers = 2)
            .configured(|config| config.route_poll_ms = Some(poll))
            .sends(100, 20, 100)
            .sends(2_100, 250, 280)
            .fault("broker-0", 1_000, 60_000, FaultKind::SplitBrain { heard });
        if heard == Heard::Half {
            // It is the second one that hears of the other master: the producer changes to it, and
            // back when that one falls silent.
            scene = scene.fault("ns-0", 10_000, 10_000, FaultKind::SilentServer).fault(
                "ns-1",
                30_000,
                10_000,
                FaultKind::SilentServer,
            );
        }
        let (mut most, mut both, mut lost) = (0, 0, 0);
        row.everywhere(&scene, |seen| {
            seen.all_well();
            let of_zero = |to: &&String| *to == SLAVE || **to == address(0);
            let routes = seen.history.routes.iter();
            let masters =
                routes.filter_map(|route| route.writable.iter().map(|(to, _)| to).find(of_zero));
            let masters: Vec<_> = masters.collect();
            let turns = masters.windows(2).filter(|pair| pair[0] != pair[1]).count();
            // Both register every 30 seconds, a second apart.
            assert!((1..=6).contains(&turns), "{seen}: {turns} changes of the master");
            most = most.max(turns);
            let to = [address(0), SLAVE.to_owned()].map(|to| seen.attempts(&to, 1_000, 61_000));
            both += usize::from(to.iter().all(|requests| *requests > 0));
            lost += lost_after_all(seen).len();
        });
        assert!(both >= 10, "{heard:?}: only in {both} runs were both written to");
        row.figure(format!(
            "{heard:?}: <= {most} changes of the master in a minute, {lost} lost with the usurper"
        ));
    }
}
