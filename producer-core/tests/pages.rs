//! What pages, and others who come by a bridge, need of the core.

use std::time::Duration;

use crate::pair::{Dial, Does, World, ms, route_json};
use producer_core::{
    Backoff, Config, ErrorKind, Event, Instant, Order, Outcome, Output, QueueChoice, SendOptions,
};

fn of_a_page() -> Config {
    let redial = Backoff { first: ms(250), longest: ms(5_000) };
    Config { redial, events: true, ..Config::default() }
}

fn one_broker() -> World {
    let mut world = World::new(of_a_page());
    world.routes.insert("t".into(), route_json(&[("a", "a:1")], 4));
    world.sent("warm").expect("stored");
    world.others.clear();
    world
}

fn events(world: &mut World) -> Vec<Event> {
    let event = |output| match output {
        Output::Event(event) => Some(*event),
        _ => None,
    };
    world.others.drain(..).filter_map(event).collect()
}

#[test]
fn pauses_between_dials_are_those_of_the_configuration() {
    let mut world = one_broker();
    world.kill("a:1");
    let before = world.broker("a:1").dials;

    world.send("x");
    world.run(ms(2_900));

    // After about 250, 500 and 1,000 ms.
    let dials = world.broker("a:1").dials - before;
    assert!((3..=5).contains(&dials), "{dials} dials");
}

#[test]
fn who_is_asked_to_come_back_later_does() {
    let mut world = one_broker();
    world.kill("a:1");
    world.broker("a:1").dial = Dial::ComeBack(ms(1_500));
    let before = world.broker("a:1").dials;
    world.send("x");

    world.run(ms(1_400));
    assert_eq!(world.broker("a:1").dials - before, 1);
    world.broker("a:1").dial = Dial::Accept;
    world.run(ms(1_000));

    assert_eq!(world.stored(), ["warm", "x"]);
}

/// Whatever a bridge says, a minute is the longest that it is heeded.
#[test]
fn nobody_is_stayed_away_from_for_ever() {
    let mut world = one_broker();
    world.kill("a:1");
    world.broker("a:1").dial = Dial::ComeBack(Duration::from_secs(86_400));
    world.send("x");
    world.run(ms(5_000));
    world.broker("a:1").dial = Dial::Accept;

    world.run(ms(80_000));

    world.sent("y").expect("dialled again");
}

#[test]
fn who_is_online_again_does_not_wait() {
    let mut world = one_broker();
    world.kill("a:1");
    world.broker("a:1").dial = Dial::ComeBack(ms(2_500));
    world.send("x");
    world.run(ms(100));
    world.broker("a:1").dial = Dial::Accept;

    world.producer.handle_online(world.now);
    world.run(ms(20));

    assert_eq!(world.stored(), ["warm", "x"]);
}

/// Nobody had a route yet: the name servers are asked again at once too.
#[test]
fn who_is_online_again_does_not_wait_for_a_route() {
    let backoff = Backoff { first: ms(20_000), longest: ms(20_000) };
    let mut world = World::new(Config { send_timeout: ms(60_000), backoff, ..of_a_page() });
    for (_, dial) in world.name_servers.values_mut() {
        *dial = Dial::Refuse;
    }
    world.send("x");
    world.run(ms(5_000));
    for (_, dial) in world.name_servers.values_mut() {
        *dial = Dial::Accept;
    }

    world.producer.handle_online(world.now);
    world.run(ms(1));
    world.run(ms(20));

    assert_eq!(world.stored(), ["x"]);
}

#[test]
fn a_retry_is_told_and_so_is_a_broker_that_is_avoided() {
    let mut world = World::new(of_a_page());
    world.sent("warm").expect("stored");
    world.sent("warm").expect("stored");
    let told = events(&mut world);
    let brokers = vec!["a".into(), "b".into()].into_boxed_slice();
    assert_eq!(told, [Event::Route { topic: "t".into(), brokers }]);
    world.broker("a:1").does = Does::Reset;

    for n in 0..2 {
        world.sent(&n.to_string()).expect("the other one takes it");
    }

    let told = events(&mut world);
    let avoided = Event::Broker { name: "a".into(), usable: false };
    assert!(told.contains(&avoided), "{told:?}");
    let retried = told.iter().filter_map(|event| match event {
        Event::Retried { attempt, .. } => Some(attempt),
        _ => None,
    });
    let retried: Vec<_> = retried.collect();
    assert_eq!(retried.len(), 1, "{told:?}");
    assert_eq!(retried[0].broker.as_deref(), Some("a"));
    assert!(matches!(retried[0].kind, ErrorKind::ConnectionLost(_)));
    world.broker("a:1").does = Does::Store;
    world.run(ms(2_000));
    let back = Event::Broker { name: "a".into(), usable: true };
    assert!(events(&mut world).contains(&back));
}

#[test]
fn nobody_is_told_who_did_not_ask() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::Reset;
    for n in 0..4 {
        world.sent(&n.to_string()).expect("stored");
    }

    assert_eq!(events(&mut world), []);
}

/// At the name servers or at the broker: it is the same cause. Another token may be there in time.
#[test]
fn a_token_that_the_bridge_refuses_is_said_so_and_tried_anew() {
    for at_broker in [true, false] {
        let mut world = World::new(of_a_page());
        world.routes.insert("t".into(), route_json(&[("a", "a:1")], 4));
        let set = |world: &mut World, dial| match at_broker {
            true => world.broker("a:1").dial = dial,
            false => world.name_servers.values_mut().for_each(|(_, of)| *of = dial),
        };
        set(&mut world, Dial::NoToken);

        let error = world.sent("refused").expect_err("no token is good");
        assert_eq!((error.kind().code(), error.outcome()), ("token_refused", Outcome::NotSent));
        assert!(error.to_string().contains("the token has expired"), "{error}");

        let renewed = world.send("renewed");
        world.run(ms(700));
        set(&mut world, Dial::Accept);
        let receipt = world.finish(renewed).expect("the next token is good");
        assert!(!receipt.maybe_duplicate);
    }
}

#[test]
fn what_a_cancelled_send_may_have_done_is_known_before() {
    let mut world = one_broker();
    world.stall = ms(2);
    let (_, waiting) = world.send_with("held", SendOptions::default());
    // Its frame waits to be taken.
    assert_eq!(world.producer.outcome_if_cancelled(waiting), Some(Outcome::NotSent));
    world.broker("a:1").does = Does::StoreSilently;
    world.run(ms(5));

    assert_eq!(world.producer.outcome_if_cancelled(waiting), Some(Outcome::Unknown));
    world.producer.cancel(world.now, waiting);

    assert_eq!(world.producer.outcome_if_cancelled(waiting), None);
}

/// It keeps its place in the lane, so that nobody overtakes it, but is known no more.
#[test]
fn a_cancelled_send_of_a_lane_may_have_been_stored() {
    let mut world = one_broker();
    world.broker("a:1").does = Does::StoreSilently;
    let options = SendOptions::default().queue(QueueChoice::ordered("k", Order::Strict));
    let (_, id) = world.send_with("first", options.clone());
    let (_, behind) = world.send_with("behind", options);
    world.run(ms(1));

    assert_eq!(world.producer.outcome_if_cancelled(id), Some(Outcome::Unknown));
    assert_eq!(world.producer.outcome_if_cancelled(behind), Some(Outcome::NotSent));
    assert!(world.now < Instant::from_millis(100));
}
