//! What if a broker has fewer queues than the route says?

use crate::pair::{Does, World, ms, route_json};
use producer_core::{
    Config, ErrorKind, FaultTable, Health, Order, Outcome, QueueChoice, Reason, SendOptions,
};

/// Brokers have one queue each and the route, for a while, says four.
fn shrunk(config: Config) -> World {
    let mut world = World::new(config);
    world.broker("a:1").queues.0 = 1;
    world.broker("b:1").queues.0 = 1;
    world
}

/// From now on the route says the truth.
fn tell(world: &mut World) {
    world.routes.insert("t".into(), route_json(&[("a", "a:1"), ("b", "b:1")], 1));
}

fn keyed(key: &str, order: Order) -> SendOptions {
    SendOptions::default().queue(QueueChoice::ordered(key, order))
}

/// A key whose home, of eight queues, is the fourth of broker a.
fn far_key() -> String {
    let fourth = |key: &String| producer_core::wire::java_hash::hash_code(key).rem_euclid(8) == 3;
    (0..).map(|n| format!("k{n}")).find(fourth).expect("one of eight")
}

#[test]
fn a_queue_that_is_gone_costs_an_attempt_and_no_send() {
    let mut world = shrunk(Config::default());

    for n in 0..40 {
        let receipt = world.sent(&n.to_string()).expect("a queue is left");

        assert_eq!((receipt.queue_id, receipt.maybe_duplicate), (0, false));
        assert!(receipt.attempts <= 2, "send {n}: {} attempts", receipt.attempts);
    }
    let refused: usize = world.peers.values().map(|peer| peer.sends_seen - peer.stored.len()).sum();
    assert_eq!(refused, 2, "each broker refused one");
    assert_eq!(world.stored().len(), 40);
}

#[test]
fn sends_at_one_time_all_find_the_queue_that_is_left() {
    let mut world = shrunk(Config::default());
    world.sent("warm").expect("a queue is left");

    for n in 0..100 {
        world.send(&n.to_string());
    }
    world.run_until_done();

    assert!(world.done.values().all(Result::is_ok), "{:?}", world.done);
}

#[test]
fn a_queue_that_comes_back_is_used_again() {
    let mut world = shrunk(Config::default());
    for n in 0..8 {
        world.sent(&n.to_string()).expect("a queue is left");
    }
    world.broker("a:1").queues.0 = 4;
    world.broker("b:1").queues.0 = 4;
    world.run(ms(45_000));

    let used = (0..8).map(|n| {
        let receipt = world.sent(&n.to_string()).expect("all is well");
        (receipt.broker.to_string(), receipt.queue_id)
    });
    let used: std::collections::BTreeSet<_> = used.collect();

    assert_eq!(used.len(), 8, "{used:?}");
}

/// `AbstractSendMessageProcessor.msgCheck` answers a code that Java's producer does not retry.
#[test]
fn javas_defaults_report_a_queue_that_is_gone() {
    let mut world = shrunk(Config { auto_create_topics: false, ..Config::java() });

    let ends = (0..8).map(|n| world.sent(&n.to_string()));
    let failed: Vec<_> = ends.filter_map(Result::err).collect();

    assert_eq!(failed.len(), 6, "three of four queues at two brokers");
    assert!(failed.iter().all(|error| error.outcome() == Outcome::Rejected));
}

#[test]
fn a_selector_is_told_and_goes_by_the_next_route() {
    let mut world = shrunk(Config::default());
    let options = || SendOptions::default().queue(QueueChoice::hash(&far_key()));

    let ticket = world.send_with("0", options()).0;
    let error = world.finish(ticket).expect_err("its queue is gone");
    tell(&mut world);
    world.run(ms(1_500));
    let ticket = world.send_with("1", options()).0;
    let receipt = world.finish(ticket).expect("the route is true");

    assert_eq!((error.outcome(), error.attempts().len()), (Outcome::Rejected, 1));
    assert!(matches!(error.kind(), ErrorKind::Broker { code: 29, .. }), "{error}");
    assert_eq!(receipt.queue_id, 0);
}

#[test]
fn a_strict_lane_is_told_at_once_and_never_moves() {
    let mut world = shrunk(Config::default());
    let begun = world.now;

    let tickets = ["0", "1"].map(|body| world.send_with(body, keyed(&far_key(), Order::Strict)).0);
    let errors = tickets.map(|ticket| world.finish(ticket).expect_err("its queue is gone"));

    for error in &errors {
        assert_eq!((error.outcome(), error.attempts().len()), (Outcome::Rejected, 1), "{error}");
    }
    assert!(world.now.since(begun) < ms(20), "nobody waits for a queue that is gone");
    assert_eq!(world.stored().len(), 0);
}

#[test]
fn an_available_lane_moves_and_says_so() {
    let mut world = World::new(Config::default());
    let key = far_key();
    let send = |world: &mut World, body: &str| {
        let ticket = world.send_with(body, keyed(&key, Order::Available)).0;
        world.finish(ticket).expect("a queue is left")
    };
    let home = send(&mut world, "0");
    world.broker("a:1").queues.0 = 1;
    world.broker("b:1").queues.0 = 1;

    let moved: Vec<_> = (1..6).map(|n| send(&mut world, &n.to_string())).collect();

    assert_eq!((&*home.broker, home.queue_id), ("a", 3));
    assert!(moved.iter().all(|receipt| receipt.epoch != home.epoch), "{moved:?}");
    for pair in moved.windows(2) {
        let same_epoch = pair[0].epoch == pair[1].epoch;
        let in_order = pair[0].broker == pair[1].broker && pair[0].queue_id == pair[1].queue_id;
        assert!(in_order || !same_epoch, "{pair:?}");
    }
}

/// Though no broker is well, and its own could be as good as any.
#[test]
fn a_key_does_not_go_home_to_a_queue_that_is_gone() {
    let mut world = shrunk(Config::default());
    for n in 0..8 {
        world.sent(&n.to_string()).expect("a queue is left");
    }
    for broker in ["a:1", "b:1"] {
        world.broker(broker).does = Does::Hang;
    }
    world.send("falls silent");
    world.send("and the other one");
    world.run(ms(300));

    let (_, id) = world.send_with("x", keyed(&far_key(), Order::Available));

    let attempt = world.producer.attempt_under_way(id).expect("the route is known");
    assert_eq!((attempt.queue_id, attempt.reason), (0, Reason::Moved));
}

/// Found by the simulator (seed 271): the retry took the first queue of the broker that had refused
/// it, the next message one of another broker, and both bore one epoch.
#[test]
fn what_a_retry_alone_may_choose_shares_its_epoch_with_nobody() {
    for n in 0..50 {
        let mut world = World::new(Config::default());
        world.broker("a:1").queues.0 = 1;
        let key = format!("k{n}");
        let send = |world: &mut World, body: &str| {
            let ticket = world.send_with(body, keyed(&key, Order::Available)).0;
            world.finish(ticket).expect("a queue is left")
        };

        let receipts: Vec<_> = (0..4).map(|n| send(&mut world, &n.to_string())).collect();

        for pair in receipts.windows(2) {
            let same_epoch = pair[0].epoch == pair[1].epoch;
            let together =
                (&pair[0].broker, pair[0].queue_id) == (&pair[1].broker, pair[1].queue_id);
            assert!(together || !same_epoch, "key {n}: {pair:?}");
        }
    }
}

/// Found by scenario 37: the queue that was chosen instead was gone too, three times over.
#[test]
fn an_available_lane_finds_the_queue_that_is_left() {
    for n in 0..50 {
        let mut world = shrunk(Config::default());
        world.broker("c:1").queues.0 = 1;
        let route = route_json(&[("a", "a:1"), ("b", "b:1"), ("c", "c:1")], 8);
        world.routes.insert("t".into(), route);

        let ticket = world.send_with("x", keyed(&format!("k{n}"), Order::Available)).0;
        let receipt = world.finish(ticket).expect("a queue is left");

        assert!(receipt.attempts <= 2, "key {n}: {} attempts", receipt.attempts);
    }
}

/// Found by scenario 37: Java's table avoided the broker that could have taken the message.
#[test]
fn a_broker_that_lacks_a_queue_is_not_avoided() {
    let health = Health::Java(FaultTable::default());
    let mut world = shrunk(Config { health, ..Config::default() });
    world.broker("c:1").queues.0 = 1;
    let route = route_json(&[("a", "a:1"), ("b", "b:1"), ("c", "c:1")], 8);
    world.routes.insert("t".into(), route);

    for n in 0..40 {
        let receipt = world.sent(&n.to_string()).expect("a queue is left");

        assert!(receipt.attempts <= 2, "send {n}: {} attempts", receipt.attempts);
    }
}

/// 4.9 says SYSTEM_ERROR, which from a broker that is ill would count against it.
#[test]
fn a_broker_that_lacks_a_queue_is_well() {
    let mut world = shrunk(Config::default());
    world.broker("a:1").queues.1 = 1;
    world.sent("warm").expect("a queue is left");

    for n in 0..20 {
        world.send(&n.to_string());
    }
    world.run_until_done();

    assert!(world.done.values().all(Result::is_ok), "{:?}", world.done);
    assert_eq!(world.producer.stats().ejections, 0);
}
