//! What befalls sends when name servers are dead, slow, empty or behind, and when routes change?

use std::time::Duration;

use sim::plan::{FaultKind, HealthPlan, Preset};

use super::scene::WAYS;
use super::seen::{at, ms, took};
use super::{Row, Scene, Seen, Way};

fn two_servers(seed: u64) -> Scene {
    Scene::new(seed).with(|plan| plan.cluster.name_servers = 2)
}

#[test]
fn s34_name_servers_behind() {
    let mut row = Row::new(34, "name servers behind");
    let new = "10.0.11.1:10911";
    for stale in [30_000, 155_000] {
        let scene = two_servers(34)
            .sends(100, 20, 100)
            .sends(2_100, (stale + 45_000) / 150, 150)
            .fault("ns-0", 500, stale, FaultKind::StaleRoutes)
            .fault("broker-0", 1_000, 1, FaultKind::Move);
        let mut used = Duration::ZERO;
        row.everywhere(&scene, |seen| {
            // Only what has to go to the broker that moved waits for the server that is behind.
            if seen.way.moves() || seen.way == Way::Unanswered {
                seen.all_well();
            }
            seen.fails_only_at(0);
            let changes = seen.history.ends[0].stats.route_changes;
            assert!(changes <= 3, "{seen}: {changes} changes: found, lost, found again");
            let after = seen.back_after(new, 1_000).expect("found");
            assert!(after <= ms(stale + 42_000), "{seen}: {after:?}");
            used = used.max(after);
        });
        row.figure(format!("{stale} ms behind: new address used <= {used:?}"));
    }
}

#[test]
fn s35_name_servers_down() {
    let mut row = Row::new(35, "name servers down");
    let kinds = [
        FaultKind::Crash,
        FaultKind::PowerLoss,
        FaultKind::SilentServer,
        FaultKind::SlowServer { ms: 4_000 },
    ];
    let (mut first_send, mut failed) = (Duration::ZERO, 0);
    for kind in kinds {
        let one = two_servers(35).sends(100, 500, 150).fault("ns-0", 1_000, 60_000, kind);
        let all = one.clone().fault("ns-1", 1_000, 60_000, kind);
        let dead = |server| two_servers(35).sends(100, 20, 100).fault(server, 0, 5_000, kind);
        let none = dead("ns-0").fault("ns-1", 0, 5_000, kind).sends(2_100, 100, 200);
        for way in WAYS {
            row.run(&one, way, HealthPlan::Adaptive).all_well();
            row.run(&all, way, HealthPlan::Adaptive).all_well();
            for server in ["ns-0", "ns-1"] {
                let seen = row.run(&dead(server), way, HealthPlan::Adaptive);
                seen.all_well();
                assert!(seen.longest() <= ms(275), "{seen}: the other is asked after 250 ms");
                first_send = first_send.max(seen.longest());
            }
            failed += none_at_the_start(&row.run(&none, way, HealthPlan::Adaptive));
        }
    }
    row.figure(format!(
        "route known: 0 fail; one down at the start: first send <= {first_send:?}; all down: \
         {failed} end at their deadline"
    ));
}

fn none_at_the_start(seen: &Seen) -> usize {
    for send in seen.sends().filter(|send| send.error().is_some()) {
        assert!(took(send) <= ms(3_010), "{seen}: send {} took {:?}", send.ticket, took(send));
        assert!(seen.requests(send).is_empty(), "{seen}: send {}", send.ticket);
    }
    // Servers that were restarted know nothing until brokers try them again, after five seconds.
    let recovered = seen.between(11_500, 99_000).all(|send| send.error().is_none());
    assert!(recovered, "{seen}: a send fails 1.5 s after all is well");
    let requests = seen.history.ends[0].stats.route_requests;
    assert!(requests <= 30, "{seen}: {requests} lookups");
    seen.not_sent()
}

#[test]
fn s36_name_servers_empty() {
    let mut row = Row::new(36, "name servers empty");
    let mut unanswered = 0;
    for kind in [FaultKind::Forget, FaultKind::Crash] {
        let scene = Scene::new(36)
            .configured(|config| config.route_poll_ms = Some(1_000))
            .sends(100, 100, 400)
            .fault("ns-0", 1_000, 100, kind);
        row.everywhere(&scene, |seen| {
            seen.all_well();
            assert_eq!((seen.retries(), seen.lost()), (0, 0), "{seen}");
            let requests = seen.history.ends[0].stats.route_requests;
            let routes = seen.history.routes.len() as u64;
            assert!(requests > routes, "{seen}: somebody was told that there is no such topic");
            unanswered += requests - routes;
        });
    }
    row.figure(format!("{unanswered} times \"no such topic\", 0 sends fail"));
}

#[test]
fn s37_queues_come_and_go() {
    let mut row = Row::new(37, "queues come and go");
    let cases = [
        (4, [8, 8, 8], 0),
        (8, [2, 2, 2], 0),
        (8, [2, 2, 2], 29_000),
        (8, [1, 4, 6], 29_000),
        (4, [1, 1, 1], 29_000),
    ];
    let (mut java_rejected, mut replaced) = (0, 0);
    for (before, after, stale) in cases {
        let mut scene =
            Scene::new(37).brokers(3, before).sends(100, 20, 200).sends(4_100, 200, 150);
        if stale > 0 {
            scene = scene.fault("ns-0", 900, stale, FaultKind::StaleRoutes);
        }
        for (broker, count) in after.into_iter().enumerate() {
            let target = format!("broker-{broker}");
            scene = scene.fault(&target, 1_000, 33_000, FaultKind::Queues { count });
        }
        let grows = after[0] > before;
        row.everywhere(&scene, |seen| {
            if seen.way.moves() || grows {
                seen.all_well();
            }
            assert_eq!((seen.duplicates(), seen.unknown()), (0, 0), "{seen}");
            for send in seen.sends() {
                for pair in seen.requests(send).windows(2) {
                    let place = |n: usize| (&pair[n].address, pair[n].queue_id);
                    assert_ne!(place(0), place(1), "{seen}: send {} again", send.ticket);
                    replaced += 1;
                }
            }
            match seen.way {
                Way::Strict => seen.keys_stay(),
                // One attempt; once the route is known, by the queues that there are.
                Way::Hash if stale == 0 => assert!(seen.rejected() <= 8, "{seen}"),
                _ => {}
            }
        });
        let java = scene.preset(Preset::Java);
        let seen = row.run(&java, Way::Async, HealthPlan::Off);
        assert_eq!(seen.failed(), seen.rejected(), "{seen}");
        java_rejected += seen.rejected();
    }
    assert!(java_rejected > 100, "Java does not ask for another queue: {java_rejected}");
    row.figure(format!(
        "{replaced} queues replaced, 0 fail; Java's defaults: {java_rejected} fail"
    ));
}

#[test]
fn s38_order_topic_with_a_dead_broker() {
    let mut row = Row::new(38, "order topic, dead broker");
    let scene = Scene::new(38)
        .brokers(2, 4)
        .with(|plan| plan.cluster.topics[0].order = Some("broker-0:4;broker-1:4".to_owned()))
        .sends(100, 20, 300)
        .fault("broker-1", 1_000, 20_000, FaultKind::Crash);
    let mut failed = Vec::new();
    row.everywhere(&scene, |seen| {
        if seen.way.moves() {
            seen.all_well();
        }
        seen.fails_only_at(1);
        if matches!(seen.way, Way::Hash | Way::Strict) {
            seen.keys_stay();
            assert_eq!(seen.failed(), seen.not_sent() + seen.unknown(), "{seen}");
            let of_living =
                seen.sends().filter(|send| send.at > at(1_010) && send.error().is_none());
            let mut stored = of_living.flat_map(|send| seen.copies(send));
            assert!(stored.all(|copy| copy.broker == "broker-0"), "{seen}");
            failed.push(seen.failed());
        }
    });
    let known = failed.iter().max();
    row.figure(format!("0 keys rerouted; of 300 sends {known:?} had to go to the dead one"));
    assert!(failed.iter().all(|failed| *failed >= 80), "{failed:?}");
}
