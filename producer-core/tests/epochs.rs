//! Two receipts of one key with equal epochs are in order: what makes epochs differ?

use crate::pair::{Does, World, ms, route_json};
use producer_core::{Config, Order, QueueChoice, SendOptions};

fn keyed() -> SendOptions {
    SendOptions::default().queue(QueueChoice::ordered("k", Order::Available))
}

/// The world, the address of the broker that is home to the key, and that of the other one.
fn at_home() -> (World, &'static str, &'static str, u64) {
    let mut world = World::new(Config::default());
    for _ in 0..4 {
        world.sent("warm").expect("all is well");
    }
    let first = world.send_with("0", keyed()).0;
    let receipt = world.finish(first).expect("all is well");
    let (home, other) = if &*receipt.broker == "a" { ("a:1", "b:1") } else { ("b:1", "a:1") };
    (world, home, other, receipt.epoch)
}

/// Found by the simulator (seeds 579, 801, 991): nothing was reported, time alone took the home
/// queue away, and the receipt bore the epoch of those before it.
#[test]
fn a_lane_that_leaves_a_silent_broker_says_so() {
    let (mut world, home, other, epoch) = at_home();
    world.broker(home).does = Does::Hang;
    world.send("falls silent");
    world.send("or the other one");
    world.run(ms(300));

    let ticket = world.send_with("1", keyed()).0;
    let moved = world.finish(ticket).expect("the other broker is well");

    assert_eq!(format!("{}:1", moved.broker), other);
    assert_ne!(moved.epoch, epoch);
}

/// Found by the simulator (seed 138): the queue was chosen before the epoch changed, and the
/// receipt, made after, bore the epoch of sends that could not choose it.
#[test]
fn a_receipt_bears_the_epoch_of_its_choice() {
    let (mut world, home, other, epoch) = at_home();
    world.broker(home).delay = ms(100);
    let ticket = world.send_with("1", keyed()).0;
    world.broker(other).does = Does::Hang;
    world.send("lost");
    world.send("or the other one");
    world.run(ms(10));
    world.kill(other);

    let before = world.finish(ticket).expect("it is only slow");
    let ticket = world.send_with("2", keyed()).0;
    let after = world.finish(ticket).expect("it is only slow");

    assert_eq!(before.epoch, epoch);
    assert_ne!(after.epoch, epoch);
}

/// Found by the simulator (scenario 37): a send whose queue was refused goes where others of its
/// key do not, and its receipt bore the epoch of those.
#[test]
fn a_send_that_was_refused_its_queue_shares_its_epoch_with_none() {
    for n in 0..60 {
        let mut world = World::new(Config::default());
        let queues = route_json(&[("a", "a:1"), ("b", "b:1"), ("c", "c:1")], 8);
        world.routes.insert("t".into(), queues);
        for broker in ["a:1", "b:1", "c:1"] {
            world.broker(broker).queues.0 = 2;
        }
        let key = QueueChoice::ordered(&format!("k{n}"), Order::Available);

        let receipts: Vec<_> = (0..12)
            .map(|body| {
                let options = SendOptions::default().queue(key.clone());
                let ticket = world.send_with(&body.to_string(), options).0;
                world.finish(ticket).expect("a queue is left")
            })
            .collect();

        for pair in receipts.windows(2) {
            let place = |at: usize| (&pair[at].broker, pair[at].queue_id);
            let moved = place(0) != place(1);
            assert!(!moved || pair[0].epoch != pair[1].epoch, "key {n}: {pair:?}");
        }
    }
}

/// Found by the simulator (drill 300105): the set of usable brokers was told apart by a number that
/// was the same with and without a broker that had been met before those sorted ahead of it.
#[test]
fn a_lane_says_so_in_whatever_order_brokers_were_met() {
    let mut world = World::new(Config::default());
    world.routes.insert("t".into(), route_json(&[("b", "b:1")], 4));
    world.sent("b is home to all keys").expect("all is well");
    world.routes.insert("t".into(), route_json(&[("a", "a:1"), ("b", "b:1")], 4));
    world.run(ms(31_000));
    let ticket = world.send_with("0", keyed()).0;
    let before = world.finish(ticket).expect("all is well");
    world.broker("b:1").does = Does::Hang;
    world.send("falls silent");
    world.send("or the other one");
    world.run(ms(300));

    let ticket = world.send_with("1", keyed()).0;
    let moved = world.finish(ticket).expect("the other broker is well");

    assert_eq!((&*before.broker, &*moved.broker), ("b", "a"));
    assert_ne!(moved.epoch, before.epoch);
}

/// Found by the simulator (drill 200053): a route that differs, but has the queues of the one before
/// it, brought back those that were withdrawn, and the lanes that went home did not say so.
#[test]
fn a_lane_that_goes_home_with_a_new_route_says_so() {
    let route = route_json(&[("a", "a:1")], 4);
    for n in 0..20 {
        let mut world = World::new(Config::default());
        world.routes.insert("t".into(), route.clone());
        world.broker("a:1").queues.0 = 3;
        let sent = |world: &mut World| {
            let key = QueueChoice::ordered(&format!("k{n}"), Order::Available);
            let ticket = world.send_with("0", SendOptions::default().queue(key)).0;
            world.finish(ticket).expect("a queue is left")
        };
        sent(&mut world);
        let away = sent(&mut world);
        world.broker("a:1").queues.0 = 4;
        let fewer = route.replace(r#""readQueueNums":4"#, r#""readQueueNums":3"#);
        world.routes.insert("t".into(), fewer);
        world.run(ms(31_000));

        let home = sent(&mut world);

        let moved = away.queue_id != home.queue_id;
        assert!(!moved || away.epoch != home.epoch, "key {n}: {away:?}, {home:?}");
    }
}

#[test]
fn a_send_without_a_key_changes_no_epoch() {
    let (mut world, _, other, epoch) = at_home();
    world.broker(other).does = Does::Refuse(2);
    let tickets = [world.send("here"), world.send("there")];
    let attempts =
        tickets.map(|ticket| world.finish(ticket).expect("at home all is well").attempts);

    let ticket = world.send_with("1", keyed()).0;
    let after = world.finish(ticket).expect("all is well");

    assert_eq!(attempts.iter().sum::<u32>(), 3, "one of them was refused and went home");
    assert_eq!(after.epoch, epoch);
}

/// As many brokers as before, but not the same.
#[test]
fn a_lane_that_leaves_a_broker_for_one_that_was_silent_says_so() {
    let (mut world, ..) = at_home();
    let sent = |world: &mut World| {
        let ticket = world.send_with("1", keyed()).0;
        world.finish(ticket).expect("one is well")
    };
    world.broker("a:1").delay = ms(400);
    world.send("is answered late");
    world.send("or the other one");
    world.run(ms(300));
    let before = sent(&mut world);
    world.broker("a:1").delay = ms(0);
    world.run(ms(200));
    world.broker("b:1").does = Does::Hang;
    world.send("falls silent");
    world.send("or the other one");
    world.run(ms(300));

    let after = sent(&mut world);

    assert_eq!((&*before.broker, &*after.broker), ("b", "a"));
    assert_ne!(before.epoch, after.epoch);
}
