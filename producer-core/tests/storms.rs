//! What a producer with many topics asks of name servers at one instant.

use producer_core::{Config, Message, SendOptions};

use crate::pair::{World, ms, route_json};

fn many_topics(count: usize) -> World {
    let mut world = World::new(Config::default());
    for number in 0..count {
        let name = format!("t{number}");
        world.routes.insert(name.clone(), route_json(&[("a", "a:1"), ("b", "b:1")], 4));
        let message = Message::new(&*name, "x").expect("valid");
        world.send_message(message, SendOptions::default());
    }
    world.run_until_done();
    world
}

#[test]
fn three_thousand_routes_are_asked_for_one_after_the_other() {
    let mut world = many_topics(3_000);
    world.run(ms(31_000));
    let (before, mut most) = (world.route_requests, 0);
    for _ in 0..300 {
        let asked = world.route_requests;
        world.run(ms(100));
        most = most.max(world.route_requests - asked);
    }

    assert!((2_900..=3_100).contains(&(world.route_requests - before)), "each once in 30 s");
    assert!(most <= 15, "{most} in a tenth of a second");
}

/// A machine that slept, or a runtime that stood still, had all polls due at one instant: every
/// route was asked for in one write.
#[test]
fn who_has_slept_does_not_ask_for_every_route_at_once() {
    let mut world = many_topics(3_000);
    world.run(ms(40_000));
    let before = world.producer.stats().route_requests;

    world.now = world.now + ms(3_600_000);
    world.producer.handle_timeout(world.now);

    let asked = world.producer.stats().route_requests - before;
    assert!((1..=64).contains(&asked), "{asked} at once");
    world.run(ms(1_000));
    let asked = world.producer.stats().route_requests - before;
    assert!(asked < 300, "{asked} in the second after");
}
