//! How soon is all well again when a fault is over?

use crate::pair::{Dial, Does, World, ms, route_json};
use producer_core::{Config, ConnectionEnd, Health};

fn one_broker(config: Config) -> World {
    let mut world = World::new(config);
    world.routes.insert("t".into(), route_json(&[("a", "a:1")], 4));
    world
}

/// `FAILOVER.md`, half-open with one broker: 193 sends failed where Java's lost one.
#[test]
fn a_silently_gone_connection_costs_no_send() {
    let mut world = one_broker(Config::default());
    world.sent("warm").expect("stored");
    world.run(ms(2_000));
    world.vanish("a:1");

    let sent = (0..200).map(|n| {
        world.run(ms(10));
        world.send(&n.to_string())
    });
    let tickets: Vec<u64> = sent.collect();
    let slowest = tickets.into_iter().map(|ticket| {
        let end = world.finish(ticket);
        end.expect("a new connection is a second away")
    });

    assert_eq!(slowest.count(), 200);
    assert!(world.peers["a:1"].dials <= 3, "{} dials", world.peers["a:1"].dials);
}

/// `FAILOVER.md`, process killed: a poll while the next look at the route was due used up the pause
/// that would have followed, and the broker was idle for 26 s.
#[test]
fn a_poll_does_not_end_the_search_for_a_lost_broker() {
    for seed in 0..20 {
        let mut world = World::with_seed(Config::default(), seed);
        for n in 0..8 {
            world.sent(&n.to_string()).expect("stored");
        }
        world.run(ms(15_000));
        world.routes.insert("t".into(), route_json(&[("b", "b:1")], 4));
        world.kill("a:1");
        for n in 0..200 {
            world.sent(&n.to_string()).expect("stored at the other one");
            world.run(ms(100));
        }

        world.broker("a:1").dial = Dial::Accept;
        world.routes.insert("t".into(), route_json(&[("a", "a:1"), ("b", "b:1")], 4));
        let (back, before) = (world.now, world.peers["a:1"].stored.len());
        while world.peers["a:1"].stored.len() == before {
            world.sent("x").expect("stored");
            world.run(ms(100));
        }

        let took = world.now.since(back);
        assert!(took < ms(20_000), "seed {seed}: not used for {took:?}, longer than it was gone");
    }
}

/// The answer to a probe is the first thing heard of a broker behind a connection that is gone: it
/// must not be asked on that one.
#[test]
fn a_probe_goes_out_on_a_new_connection() {
    let mut world = World::new(Config::default());
    assert!(matches!(Config::default().health, Health::Adaptive(_)));
    for n in 0..8 {
        world.sent(&n.to_string()).expect("stored");
    }
    world.vanish("a:1");
    let (gone, before) = (world.now, world.peers["a:1"].stored.len());

    while world.peers["a:1"].stored.len() == before {
        world.send("x");
        world.run(ms(20));
    }

    let took = world.now.since(gone);
    assert!(took < ms(2_500), "idle for {took:?}");
}

/// A broker that could not be dialled when a send passed it over has not been tried by that send: it
/// takes the send at once when the other one is lost.
#[test]
fn a_broker_that_was_passed_over_takes_what_another_loses() {
    let mut moved = 0;
    for seed in 0..20 {
        let mut world = World::with_seed(Config::default(), seed);
        for n in 0..8 {
            world.sent(&n.to_string()).expect("stored");
        }
        world.broker("b:1").does = Does::Hang;
        world.kill("a:1");
        for _ in 0..50 {
            world.run(ms(8));
            world.send("x");
        }
        world.broker("a:1").dial = Dial::Accept;
        let before = world.peers["a:1"].stored.len();
        while world.peers["a:1"].stored.len() < before + 3 {
            world.run(ms(8));
            world.send("x");
        }

        world.done.clear();
        world.cut("b:1", &ConnectionEnd::Reset);
        world.run(ms(4));
        let soon = std::mem::take(&mut world.done);
        world.run_until_done();

        // Those with two attempts were at the broker that is lost, and at no other before.
        let late = world.done.values().flatten().filter(|receipt| receipt.attempts == 2).count();
        moved += soon.values().flatten().filter(|receipt| receipt.attempts == 2).count();
        assert_eq!(late, 0, "seed {seed}: so many sends waited");
    }
    assert!(moved > 100, "{moved} sends moved");
}

/// Such an answer has cost no duplicate and next to no work, and what it tells of passes.
#[test]
fn the_only_broker_that_goes_away_is_asked_until_it_is_back() {
    let mut world = World::new(Config::default());
    world.routes.insert("t".into(), route_json(&[("a", "a:1")], 4));
    world.sent("warm").expect("stored");
    world.broker("a:1").does = Does::Refuse(1500);
    world.send("x");
    world.run(ms(1_000));
    assert!(world.broker("a:1").sends_seen < 12, "asked without haste");

    world.broker("a:1").does = Does::Store;
    world.run(ms(1_500));

    assert_eq!(world.stored(), ["warm", "x"]);
}
