//! Does the producer say why it chose a queue?

use crate::pair::{Dial, Does, World, ms};
use producer_core::{Attempt, Backoff, Config, Order, QueueChoice, Reason, SendOptions};

/// A world in which both brokers are known and connected.
fn warm() -> World {
    let mut world = World::new(Config::default());
    for _ in 0..4 {
        world.sent("warm").expect("all is well");
    }
    world
}

/// The broker is gone, and a send to each has found that out or not.
fn lose(world: &mut World, broker: &str) {
    world.kill(broker);
    for _ in 0..2 {
        world.sent("x").expect("the other broker is well");
    }
}

/// Begins a send and says where it goes and why.
fn choice(world: &mut World, options: SendOptions) -> (String, Reason) {
    let (_, id) = world.send_with("x", options);
    let attempt = world.producer.attempt_under_way(id).expect("the route is known");
    (format!("{}:1", attempt.broker), attempt.reason)
}

fn rotated(world: &mut World) -> (String, Reason) {
    choice(world, SendOptions::default())
}

#[test]
fn queues_take_turns_while_all_is_well() {
    let mut world = warm();

    let choices: Vec<_> = (0..4).map(|_| rotated(&mut world)).collect();

    assert!(choices.iter().all(|(_, reason)| *reason == Reason::Turn), "{choices:?}");
    assert_ne!(choices[0].0, choices[1].0);
}

#[test]
fn a_retry_goes_elsewhere_and_says_so() {
    let mut world = warm();
    let (_, first) = world.send_with("x", SendOptions::default());
    let (_, second) = world.send_with("y", SendOptions::default());
    let attempt = world.producer.attempt_under_way(first).expect("under way");
    let lost = format!("{}:1", attempt.broker);
    assert_eq!((attempt.number, attempt.opaque.is_some()), (1, true));

    // The turn is that of the one that fails, when the retry is due.
    world.kill(&lost);
    let retried = world.producer.attempt_under_way(first).expect("at the other broker");

    assert_eq!((retried.number, retried.reason), (2, Reason::Elsewhere));
    assert_ne!(format!("{}:1", retried.broker), lost);
    assert_eq!(world.producer.attempt_under_way(second).map(|a| a.number), Some(1));
}

#[test]
fn a_broker_that_failed_is_avoided_and_then_tried() {
    let mut world = warm();
    lose(&mut world, "a:1");

    let avoided: Vec<_> = (0..2).map(|_| rotated(&mut world)).collect();
    world.broker("a:1").dial = Dial::Accept;
    let trial = (0..200).find_map(|_| {
        world.run(ms(20));
        let (broker, reason) = rotated(&mut world);
        (broker == "a:1").then_some(reason)
    });

    assert!(avoided.contains(&("b:1".to_owned(), Reason::OtherAvoided)), "{avoided:?}");
    assert_eq!(trial, Some(Reason::Trial));
}

#[test]
fn a_silent_broker_is_passed_over() {
    let mut world = warm();
    world.broker("a:1").does = Does::Hang;
    rotated(&mut world);
    rotated(&mut world);
    world.run(ms(300));

    let choices: Vec<_> = (0..2).map(|_| rotated(&mut world)).collect();

    assert!(choices.contains(&("b:1".to_owned(), Reason::OtherSilent)), "{choices:?}");
}

#[test]
fn if_no_broker_is_well_any_must_do() {
    let mut world = warm();
    for broker in ["a:1", "b:1"] {
        world.broker(broker).does = Does::Hang;
    }
    rotated(&mut world);
    rotated(&mut world);
    world.run(ms(300));

    let (_, reason) = rotated(&mut world);

    assert_eq!(reason, Reason::Untried);
}

#[test]
fn a_key_stays_at_home_until_it_must_move() {
    let keyed = || SendOptions::default().queue(QueueChoice::ordered("k", Order::Available));
    let mut world = warm();
    let (home, at_home) = choice(&mut world, keyed());
    world.run_until_done();
    lose(&mut world, &home);

    let (other, moved) = choice(&mut world, keyed());

    assert_eq!((at_home, moved), (Reason::Home, Reason::Moved));
    assert_ne!(home, other);
}

#[test]
fn a_key_stays_at_home_if_no_broker_is_better() {
    let keyed = || SendOptions::default().queue(QueueChoice::ordered("k", Order::Available));
    let mut world = warm();
    let (home, _) = choice(&mut world, keyed());
    world.run_until_done();
    for broker in ["a:1", "b:1"] {
        world.broker(broker).does = Does::Hang;
    }
    rotated(&mut world);
    rotated(&mut world);
    world.run(ms(300));

    assert_eq!(choice(&mut world, keyed()), (home, Reason::NoBetter));
}

#[test]
fn what_the_application_decides_is_its_reason() {
    let mut world = warm();
    let choices = [
        (QueueChoice::hash("k"), Reason::Hash),
        (QueueChoice::Random, Reason::Random),
        (QueueChoice::select(|_, _| Some(0)), Reason::Selected),
        (QueueChoice::ordered("k", Order::Strict), Reason::Home),
    ];

    for (queue, reason) in choices {
        let (_, why) = choice(&mut world, SendOptions::default().queue(queue));

        assert_eq!(why, reason);
    }
}

#[test]
fn a_failed_attempt_keeps_its_reason() {
    let mut world = World::new(Config { attempts_max: 1, ..Config::default() });
    world.sent("warm").expect("all is well");
    for broker in ["a:1", "b:1"] {
        world.broker(broker).does = Does::Hang;
    }

    let error = world.sent("x").expect_err("nobody answers");

    assert_eq!(error.attempts()[0].reason, Some(Reason::Turn));
    assert!(Reason::Turn.explanation().contains("turn"));
}

/// Attempts follow each other at once, so that a send remembers all brokers it has tried.
fn hasty() -> Config {
    let backoff = Backoff { first: ms(0), longest: ms(0) };
    Config { backoff, ..Config::default() }
}

fn brokers_and_reasons(attempts: &[Attempt]) -> Vec<(&str, Reason)> {
    let both = attempts.iter().map(|attempt| attempt.broker.as_deref().zip(attempt.reason));
    both.flatten().collect()
}

#[test]
fn who_has_tried_all_goes_back_to_one_that_is_well() {
    let mut world = World::new(hasty());
    world.broker("a:1").does = Does::Refuse(2);
    world.broker("b:1").does = Does::Refuse(2);

    let error = world.sent("x").expect_err("all are busy");

    let attempts = brokers_and_reasons(error.attempts());
    let [(first, Reason::Turn), (second, Reason::Turn), third] = attempts[..] else {
        panic!("{attempts:?}");
    };
    assert_ne!(first, second);
    assert_eq!(third, (first, Reason::Again));
}

#[test]
fn the_one_that_failed_last_is_not_the_next_whoever_has_the_turn() {
    let mut world = World::new(hasty());
    world.broker("a:1").delay = ms(10);
    world.broker("b:1").delay = ms(10);
    world.broker("a:1").does = Does::Refuse(2);
    world.broker("b:1").does = Does::Refuse(2);

    // They take each other's turns.
    let tickets = [world.send("x"), world.send("y"), world.send("z")];

    for ticket in tickets {
        let error = world.finish(ticket).expect_err("all are busy");
        let attempts = brokers_and_reasons(error.attempts());
        let moves = attempts.windows(2).all(|pair| pair[0].0 != pair[1].0);
        assert!(attempts.len() == 3 && moves, "{attempts:?}");
    }
}

#[test]
fn who_has_tried_all_and_finds_none_well_leaves_the_last() {
    let mut world = World::new(hasty());
    world.broker("a:1").does = Does::Reset;
    world.broker("b:1").does = Does::Reset;

    let error = world.sent("x").expect_err("all reset");

    let attempts = brokers_and_reasons(error.attempts());
    let [(first, Reason::Turn), (second, _), third] = attempts[..] else {
        panic!("{attempts:?}");
    };
    assert_ne!(first, second);
    assert_eq!(third, (first, Reason::LastResort));
}
