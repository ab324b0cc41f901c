//! Retries that multiply load have a budget; those that only move it have none.

use crate::pair::{Does, World, ms};
use producer_core::Config;

/// More than the retry budget holds: moving away from a silent broker adds no load.
#[test]
fn a_broker_that_hangs_with_thousands_in_flight_fails_no_send() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.sent("warm").expect("stored");
    // Its last answers come when the thousands are under way: it is silent only after them.
    world.broker("a:1").delay = ms(100);
    for n in 0..10 {
        world.send(&n.to_string());
    }
    world.run(ms(50));
    world.broker("a:1").does = Does::Hang;
    let tickets: Vec<u64> = (0..6_000).map(|n| world.send(&n.to_string())).collect();

    for ticket in tickets {
        world.finish(ticket).expect("stored by the other broker");
    }

    assert_eq!(world.producer.stats().retries_refused, 0);
}

#[test]
fn a_cluster_that_hangs_gets_no_more_retries_than_the_budget_allows() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.sent("warm").expect("stored");
    world.broker("a:1").does = Does::Hang;
    world.broker("b:1").does = Does::Hang;

    for n in 0..6_000 {
        world.send(&n.to_string());
    }
    world.run_until_done();

    let stats = world.producer.stats();
    assert_eq!(stats.unknown, 6_000);
    assert!(stats.retries <= 1_000 + 600, "{stats:?}");
}
