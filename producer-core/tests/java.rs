//! Java's ways, for those who ask for them: rotation, retries and fault strategy.

use crate::pair::{Dial, Does, World, ms, route_json};
use producer_core::{
    Config, ErrorKind, FaultTable, Health, Message, Outcome, Queue, QueueChoice, Reason,
    SendOptions,
};

/// `sendLatencyFaultEnable=true`.
fn with_faults(detector: bool) -> Config {
    let table = FaultTable { detector, ..FaultTable::default() };
    Config { health: Health::Java(table), ..Config::java() }
}

/// Brokers of so many sends in a row.
fn brokers(world: &mut World, count: usize) -> Vec<String> {
    (0..count).map(|_| world.sent("x").expect("stored").broker.to_string()).collect()
}

#[test]
fn queues_take_turns_from_a_random_start() {
    let starts: std::collections::BTreeSet<_> = (0..40)
        .map(|seed| {
            let mut world = World::with_seed(Config::java(), seed);
            let receipts: Vec<_> = (0..16)
                .map(|_| world.sent("x").expect("stored"))
                .map(|receipt| (receipt.broker.to_string(), receipt.queue_id))
                .collect();
            assert_eq!(receipts[..8], receipts[8..]);
            receipts[0].clone()
        })
        .collect();

    assert!(starts.len() >= 6, "{starts:?}");
}

#[test]
fn a_retry_avoids_the_broker_that_has_just_failed() {
    let mut world = World::new(Config::java());
    world.broker("a:1").does = Does::Refuse(2);

    let receipts: Vec<_> = (0..20).map(|_| world.sent("x").expect("stored elsewhere")).collect();

    assert!(receipts.iter().all(|receipt| &*receipt.broker == "b" && receipt.attempts <= 2));
    let met = receipts.iter().filter(|receipt| receipt.attempts == 2).count();
    assert!(met >= 5, "without fault strategy the busy broker is tried again and again");
}

#[test]
fn three_attempts_and_no_more() {
    let mut world = World::new(Config::java());
    world.broker("a:1").does = Does::Refuse(2);
    world.broker("b:1").does = Does::Refuse(2);

    let error = world.sent("x").expect_err("all refuse");

    assert_eq!(error.attempts().len(), 3);
    assert_eq!(error.outcome(), Outcome::Rejected);
}

#[test]
fn a_slow_broker_is_avoided_as_long_as_the_table_says() {
    let mut world = World::new(with_faults(false));
    brokers(&mut world, 8);
    world.broker("a:1").delay = ms(600); // 550 ms and more: 2 s

    while world.sent("x").expect("stored").broker.as_ref() != "a" {}
    let avoided_from = world.now;
    assert!(brokers(&mut world, 50).iter().all(|broker| broker == "b"));
    world.broker("a:1").delay = ms(0);
    world.run(ms(2_000));

    assert!(world.now.since(avoided_from) < ms(2_500));
    assert!(brokers(&mut world, 8).iter().any(|broker| broker == "a"));
}

#[test]
fn an_answer_does_not_shorten_the_stay() {
    let mut world = World::new(with_faults(false));
    brokers(&mut world, 8);
    world.kill("a:1");
    while world.broker("a:1").dials < 2 {
        world.sent("x").expect("stored elsewhere");
    }
    world.broker("a:1").dial = Dial::Accept;

    world.run(ms(9_000)); // a failure counts as 10 s
    assert!(brokers(&mut world, 16).iter().all(|broker| broker == "b"));
    world.run(ms(1_500));
    assert!(brokers(&mut world, 16).iter().any(|broker| broker == "a"));
}

#[test]
fn the_detector_asks_a_broker_that_is_unreachable() {
    let mut world = World::new(with_faults(true));
    brokers(&mut world, 8);
    world.kill("a:1");
    while world.broker("a:1").dials < 2 {
        world.sent("x").expect("stored elsewhere");
    }
    let before = world.peers["a:1"].dials;

    world.run(ms(10_000));

    let asked = world.peers["a:1"].dials - before;
    assert!((3..=6).contains(&asked), "every 2 s: {asked} times in 10 s");
}

#[test]
fn an_attempt_says_whether_it_passed_queues_over() {
    for config in [Config::java(), with_faults(false)] {
        let mut world = World::new(config);
        world.broker("a:1").does = Does::Refuse(2);
        world.broker("b:1").does = Does::Refuse(2);
        let mut seen = std::collections::BTreeSet::new();

        for _ in 0..20 {
            let error = world.sent("x").expect_err("all are busy");
            let [first, second, _] = error.attempts() else { panic!("{error}") };
            // After the last of a broker it is the turn of the other one's first.
            let passed = first.queue_id != Some(3);
            assert_ne!(first.broker, second.broker);
            seen.insert((passed, second.reason));
            world.run(ms(11_000));
        }

        let expected = [(false, Some(Reason::Turn)), (true, Some(Reason::Elsewhere))];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    }
}

/// Why each of so many sends in a row goes where it goes.
fn choices(world: &mut World, count: usize) -> Vec<(String, Reason)> {
    let mut chosen = || {
        let (ticket, id) = world.send_with("x", SendOptions::default());
        let attempt = world.producer.attempt_under_way(id).expect("the route is known");
        let choice = (attempt.broker.to_string(), attempt.reason);
        world.finish(ticket).expect("stored");
        choice
    };
    (0..count).map(|_| chosen()).collect()
}

#[test]
fn brokers_that_are_avoided_are_passed_over() {
    let mut world = World::new(with_faults(false));
    brokers(&mut world, 8);
    world.broker("a:1").does = Does::Refuse(2);
    while world.producer.stats().ejections == 0 {
        world.sent("x").expect("stored elsewhere");
    }
    world.broker("a:1").does = Does::Store;

    let choices = choices(&mut world, 8);

    let count = |reason| choices.iter().filter(|choice| **choice == ("b".into(), reason)).count();
    assert_eq!((count(Reason::Turn), count(Reason::OtherAvoided)), (6, 2), "{choices:?}");
}

#[test]
fn of_brokers_that_are_avoided_one_that_can_be_reached_comes_first() {
    let mut world = World::new(with_faults(false));
    brokers(&mut world, 8);
    world.broker("a:1").does = Does::Reset;
    world.broker("b:1").does = Does::Refuse(2);
    while world.producer.stats().ejections < 2 {
        world.sent("x").expect_err("none is well");
    }
    world.broker("a:1").does = Does::Store;
    world.broker("b:1").does = Does::Store;

    let choices = choices(&mut world, 8);

    let last_resort = ("a".into(), Reason::LastResort);
    assert!(choices.iter().all(|choice| *choice == last_resort), "{choices:?}");
}

/// `sendDefaultImpl` catches what an attempt throws and asks no name server; routes are refreshed by
/// `pollNameServerInterval` alone.
#[test]
fn a_dead_broker_is_no_reason_to_ask_for_routes() {
    let mut world = World::new(Config::java());
    brokers(&mut world, 8);
    let before = world.route_requests;
    world.kill("a:1");

    brokers(&mut world, 200);
    world.run(ms(20_000));
    let early = world.route_requests - before;
    world.run(ms(20_000));

    assert_eq!(early, 0, "nobody asks because a broker is dead");
    assert_eq!(world.route_requests - before, 1, "the poll does");
}

/// `startScheduledTask`: all topics each time, however fresh.
#[test]
fn no_route_is_older_than_the_poll() {
    let mut world = World::new(Config::java());
    world.routes.insert("u".into(), route_json(&[("a", "a:1")], 4));
    brokers(&mut world, 1);
    world.run(ms(16_000));
    let message = Message::new("u", "x").expect("valid");
    let ticket = world.send_message(message, SendOptions::default()).0;
    world.finish(ticket).expect("stored");
    let before = world.route_requests;

    world.run(ms(31_000));

    assert_eq!(world.route_requests - before, 2, "one for each topic");
}

#[test]
fn a_fixed_queue_gets_one_attempt() {
    let mut world = World::new(Config::java());
    world.broker("b:1").does = Does::Reset;
    let queue = QueueChoice::Queue(Queue::new("b", 2));

    let ticket = world.send_with("x", SendOptions { queue, ..SendOptions::default() }).0;
    let error = world.finish(ticket).expect_err("reset");

    assert_eq!(error.attempts().len(), 1);
    assert!(matches!(error.kind(), ErrorKind::ConnectionLost(_)));
}

#[test]
fn a_missing_route_fails_at_once() {
    let mut world = World::new(Config::java());
    world.routes.clear();
    world.routes.insert("TBW102".into(), route_json(&[("a", "a:1")], 8));
    assert!(world.sent("x").expect("created on demand").queue_id < 4);

    let mut world = World::new(Config::java());
    for (_, dial) in world.name_servers.values_mut() {
        *dial = Dial::Refuse;
    }
    let error = world.sent("x").expect_err("unreachable");
    assert!(error.elapsed() < ms(50), "{error}");
}
