//! What becomes of sends that share requests, in virtual time.

use std::collections::BTreeSet;

use crate::pair::{Dial, Does, World, messages, ms};
use producer_core::wire::sys_flag::Compression;
use producer_core::{
    AutoBatch, Config, ErrorKind, Message, OnUnknown, Order, Outcome, Queue, QueueChoice, Reply,
    SendOptions,
};

fn config(auto_batch: AutoBatch) -> Config {
    Config { auto_batch: Some(auto_batch), ..Config::default() }
}

/// One broker, one queue, warm; the next sends share what they can.
fn world(auto_batch: AutoBatch) -> World {
    world_of(config(auto_batch))
}

fn world_of(config: Config) -> World {
    let mut world = World::new(config);
    world.routes.insert("t".into(), crate::pair::route_json(&[("a", "a:1")], 1));
    world.sent("warm").expect("stored");
    world.log.clear();
    world
}

fn lingering() -> AutoBatch {
    AutoBatch { linger: ms(1_000), ..AutoBatch::default() }
}

fn key(order: Order) -> SendOptions {
    SendOptions::default().queue(QueueChoice::ordered("key", order))
}

fn requests(world: &World) -> usize {
    world.peers["a:1"].sends_seen - 1
}

/// The bodies of the requests that carried more than one.
fn shared(world: &World) -> Vec<usize> {
    world.seen(320).iter().map(|seen| seen.body.len()).collect()
}

fn sends(world: &mut World, count: usize) -> Vec<u64> {
    (0..count).map(|n| world.send(&n.to_string())).collect()
}

#[test]
fn as_many_gather_as_are_under_way() {
    let mut world = world(AutoBatch::default());

    let tickets = sends(&mut world, 11);
    world.run_until_done();

    assert_eq!((requests(&world), shared(&world).len()), (5, 3), "1, 1, 2, 4 and 3");
    assert_eq!(world.log, (0..11).map(|n| n.to_string()).collect::<Vec<_>>());
    let receipts: Vec<_> =
        tickets.iter().map(|ticket| world.done[ticket].clone().expect("stored")).collect();
    let offsets: Vec<u64> = receipts.iter().map(|receipt| receipt.queue_offset).collect();
    assert_eq!(offsets, (2..13).collect::<Vec<u64>>());
    for (receipt, stored) in receipts.iter().zip(&world.peers["a:1"].stored[1..]) {
        let id = format!("UNIQ_KEY\u{1}{}\u{2}", receipt.message_id);
        assert!(stored.properties.starts_with(&id), "{}", stored.properties);
    }
    let ids: BTreeSet<_> = receipts.iter().map(|receipt| receipt.message_id).collect();
    assert_eq!(ids.len(), 11);
    let stats = world.producer.stats();
    assert_eq!((stats.accepted, stats.stored, stats.in_hand), (12, 12, 0));
    assert_eq!((stats.bytes_in_hand, stats.requests_in_flight), (0, 0));
}

#[test]
fn one_that_is_alone_goes_as_an_ordinary_message() {
    let mut world = world(AutoBatch::default());

    world.sent("alone").expect("stored");

    assert!(world.seen(320).is_empty());
    assert_eq!(world.log, ["alone"]);
}

#[test]
fn those_that_come_together_leave_together() {
    let mut world = world(lingering());

    for ticket in 100..120 {
        let message = messages([ticket.to_string()]).remove(0);
        world.producer.send(world.now, ticket, message, SendOptions::default());
    }
    world.run(ms(10));

    assert_eq!((requests(&world), world.log.len()), (1, 20), "one door, one request");
}

#[test]
fn they_linger_no_longer_than_they_may() {
    let mut world = world(AutoBatch::default());
    world.broker("a:1").does = Does::StoreSilently;
    world.send("silent");
    world.run(ms(5));
    sends(&mut world, 5);

    world.run(ms(9));
    assert_eq!(world.log.len(), 4, "as many as were under way");
    world.run(ms(3));

    assert_eq!(world.log.len(), 6, "10 ms and a latency later");
}

#[test]
fn a_request_is_no_longer_than_it_may_be() {
    let limits = AutoBatch { bytes_max: 1_000, ..lingering() };
    let mut world = world(limits);

    sends(&mut world, 100);
    world.run_until_done();

    let lengths = shared(&world);
    assert!(lengths.iter().all(|&bytes| bytes <= 1_000), "{lengths:?}");
    assert!(lengths.iter().filter(|&&bytes| bytes > 900).count() >= 5, "{lengths:?}");
    assert_eq!(world.log.len(), 100);
}

#[test]
fn a_request_has_no_more_messages_than_it_may_have() {
    let mut world = world(AutoBatch { messages_max: 8, ..lingering() });

    sends(&mut world, 81);
    world.run_until_done();

    assert_eq!((requests(&world), shared(&world).len()), (14, 11), "1, 1, 2, 4, 9 times 8, and 1");
}

#[test]
fn a_flush_and_a_close_let_them_go() {
    for close in [false, true] {
        let mut world = world(lingering());
        world.broker("a:1").delay = ms(500);
        sends(&mut world, 5);
        world.run(ms(10));
        assert_eq!(world.log.len(), 4);

        match close {
            true => world.close(ms(3_000)),
            false => world.with(|producer, now| producer.flush(now)),
        }
        world.run(ms(10));

        assert_eq!(world.log.len(), 5, "close: {close}");
        world.run_until_done();
        assert!(world.done.values().all(Result::is_ok));
        if let Some(report) = &world.closed {
            assert_eq!((report.stored, report.unknown), (5, 0));
        }
    }
}

#[test]
fn a_close_tells_each_what_became_of_it() {
    let mut world = world(lingering());
    world.broker("a:1").does = Does::StoreSilently;
    sends(&mut world, 3);
    world.with(|producer, now| producer.flush(now));
    world.run(ms(5));
    world.send_with("waits", SendOptions::default().timeout(ms(60_000)));

    world.close(ms(0));
    world.run(ms(400));

    let report = world.closed.clone().expect("closed");
    assert_eq!((report.unknown, report.unknown_ids.len(), report.not_sent), (3, 3, 1));
    assert_eq!(world.done.len(), 4);
}

#[test]
fn a_cancelled_message_is_not_in_the_request() {
    let mut world = world(AutoBatch::default());
    world.send("first");
    world.send("second");
    let (ticket, id) = world.send_with("cancelled while it waits", SendOptions::default());

    let given_back = world.with(|producer, now| producer.cancel(now, id));
    world.send("third");
    world.run_until_done();

    assert_eq!(given_back, Some(ticket));
    assert_eq!(world.log, ["first", "second", "third"]);
}

#[test]
fn a_message_cancelled_before_its_frame_left_is_taken_out_of_it() {
    let mut world = world(AutoBatch::default());
    world.stall = ms(50);
    let ids: Vec<_> = messages(["0", "1", "2"])
        .into_iter()
        .map(|message| world.producer.send(world.now, 100, message, SendOptions::default()))
        .collect();
    world.run(ms(10));

    let back = world.with(|producer, now| producer.cancel(now, ids[1]));
    assert_eq!(back, Some(100));
    world.with(|producer, now| producer.cancel(now, ids[0]));
    world.run(ms(200));

    assert_eq!(world.log, ["2"]);
    assert!(world.seen(320).is_empty(), "one alone is no batch");
    assert_eq!(world.done[&100].as_ref().expect("stored").attempts, 1);
    assert_eq!(world.producer.stats().in_hand, 0);
}

#[test]
fn a_message_cancelled_after_its_frame_left_is_not_sent_again() {
    let mut world = world_of(Config { attempt_timeout: Some(ms(100)), ..config(lingering()) });
    world.broker("a:1").does = Does::Hang;
    world.send("first");
    world.send("second");
    let (_, id) = world.send_with("cancelled", SendOptions::default());
    world.send("third");
    world.with(|producer, now| producer.flush(now));
    world.run(ms(20));

    world.with(|producer, now| producer.cancel(now, id));
    world.broker("a:1").does = Does::Store;
    world.run_until_done();

    let (first, third) = (String::from("first"), String::from("third"));
    assert!(world.log.contains(&first) && world.log.contains(&third), "{:?}", world.log);
    assert!(!world.log.contains(&String::from("cancelled")));
    assert!(world.done.values().all(Result::is_ok));
}

#[test]
fn a_member_ends_at_its_own_deadline() {
    let config = Config { attempt_timeout: None, ..config(lingering()) };
    let mut world = world_of(config);
    world.broker("a:1").does = Does::Hang;
    let patience = |millis| SendOptions::default().timeout(ms(millis));
    let (alone, _) = world.send_with("alone", patience(30_000));
    world.send_with("alone too", patience(30_000));
    let (short, _) = world.send_with("short", patience(12_000));
    let (long, _) = world.send_with("long", patience(20_000));
    world.with(|producer, now| producer.flush(now));

    world.run(ms(12_020));
    let error = world.done[&short].as_ref().expect_err("its time is up");
    assert_eq!((error.outcome(), error.kind()), (Outcome::Unknown, &ErrorKind::AttemptTimeout));
    assert!(!world.done.contains_key(&long) && !world.done.contains_key(&alone));
    world.run(ms(8_000));

    let error = world.done[&long].as_ref().expect_err("its time is up");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(error.attempts().len(), 1);
    world.run_until_done();
    assert_eq!(world.producer.stats().in_hand, 0);
}

#[test]
fn a_retry_leaves_out_who_was_told_that_it_failed() {
    let mut world = world(AutoBatch::default());
    world.broker("a:1").does = Does::Hang;
    let patience = |millis| SendOptions::default().timeout(ms(millis));
    world.send_with("alone", patience(60_000));
    world.send_with("alone too", patience(60_000));
    let (short, _) = world.send_with("short", patience(1_500));
    let (long, _) = world.send_with("long", patience(60_000));
    world.send_with("longer", patience(60_000));
    world.run(ms(1_600));
    assert_eq!(world.done[&short].as_ref().expect_err("over").outcome(), Outcome::Unknown);
    world.broker("a:1").does = Does::Store;
    world.run_until_done();

    let receipt = world.done[&long].as_ref().expect("stored at last");
    assert!(receipt.maybe_duplicate && receipt.attempts > 1);
    assert!(!world.log.contains(&String::from("short")), "{:?}", world.log);
}

#[test]
fn a_message_that_never_left_says_so_at_its_deadline() {
    let mut world = world(AutoBatch::default());
    world.kill("a:1");
    world.broker("a:1").dial = Dial::BlackHole;

    let tickets = sends(&mut world, 4);
    world.run_until_done();

    for ticket in tickets {
        let error = world.done[&ticket].as_ref().expect_err("nobody is there");
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
        assert!(!error.attempts().is_empty());
    }
}

#[test]
fn a_failure_is_that_of_all_who_shared() {
    let mut world = world(AutoBatch::default());
    world.broker("a:1").does = Does::Refuse(13);

    let tickets = sends(&mut world, 4);
    world.run_until_done();

    let mut ids = BTreeSet::new();
    for ticket in tickets {
        let error = world.done[&ticket].as_ref().expect_err("refused");
        assert_eq!((error.outcome(), error.attempts().len()), (Outcome::Rejected, 1));
        ids.extend(error.message_id());
    }
    assert_eq!(ids.len(), 4, "each names its own message");
    assert_eq!(world.producer.stats().rejected, 4);
}

#[test]
fn a_retry_goes_elsewhere_with_all_of_them() {
    let mut world = World::new(Config { attempt_timeout: Some(ms(100)), ..config(lingering()) });
    let first = world.sent("warm").expect("stored");
    let bad = if first.broker.as_ref() == "a" { "b:1" } else { "a:1" };
    world.broker(bad).does = Does::Reset;
    for ticket in 100..110 {
        let message = messages([ticket.to_string()]).remove(0);
        world.producer.send(world.now, ticket, message, SendOptions::default());
    }
    world.run_until_done();

    assert!((100..110).all(|ticket| world.done[&ticket].as_ref().is_ok_and(|r| r.attempts == 2)));
}

#[test]
fn what_is_special_goes_alone() {
    let mut world = world(lingering());
    let plain = || messages(["x"]).remove(0);
    let options = SendOptions::default;
    let queue = |queue| SendOptions::default().queue(queue);
    world.broker("a:1").delay = ms(50);
    world.send("under way");
    let packed = plain().with_compressed(Compression::Zlib, &b"z"[..]);
    let large = Message::new("t", vec![b'x'; 40_000]).expect("valid");
    let one_way = SendOptions { reply: Reply::OneWay, ..options() };

    world.send_message(packed, options());
    world.send_message(large, options());
    world.send_message(plain(), one_way);
    world.send_message(plain(), queue(QueueChoice::Random));
    world.send_message(plain(), queue(QueueChoice::select(|_, _| Some(0))));
    world.send_message(plain(), options().timeout(ms(1_000)));
    world.run(ms(5));

    assert_eq!(requests(&world), 7);
}

#[test]
fn only_what_is_alike_goes_together() {
    let mut world = world(lingering());
    world.routes.insert("u".into(), crate::pair::route_json(&[("a", "a:1")], 1));
    let plain = || messages(["x"]).remove(0);
    let tagged = |tag: &str| plain().tag(tag).expect("valid");
    let queue = || SendOptions::default().queue(QueueChoice::Queue(Queue::new("a", 0)));
    let other_topic = || Message::new("u", "x").expect("valid");
    for _ in 0..2 {
        let now = world.now;
        for (message, options) in [
            (plain(), SendOptions::default()),
            (tagged("eu"), SendOptions::default()),
            (tagged("us"), SendOptions::default()),
            (plain().wait_store_ok(false), SendOptions::default()),
            (plain(), queue()),
            (plain(), queue().require(producer_core::Require::SendOk)),
            (other_topic(), SendOptions::default()),
        ] {
            world.producer.send(now, 100 + world.producer.stats().accepted, message, options);
        }
    }
    world.run_until_done();

    // The two of `queue()` that differ in what they require have one class, and do not share.
    assert_eq!(world.log.len(), 14);
    let together: Vec<_> = world.seen(320).iter().map(|seen| seen.ext["i"].clone()).collect();
    assert!(together.len() >= 6, "{together:?}");
    assert!(world.done.values().all(Result::is_ok));
}

#[test]
fn a_lane_sends_together_what_waits_in_it() {
    for order in [Order::Strict, Order::Available] {
        let mut world = world(AutoBatch { messages_max: 10, ..lingering() });

        for n in 0..26 {
            world.send_with(&n.to_string(), key(order));
        }
        world.run_until_done();

        assert_eq!(world.log, (0..26).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(requests(&world), 4, "1 + 10 + 10 + 5");
        assert!(world.done.values().all(Result::is_ok));
    }
}

#[test]
fn a_lane_keeps_its_order_around_what_goes_alone() {
    let mut world = world(lingering());
    for n in 0..9 {
        let message = messages([n.to_string()]).remove(0);
        let message = match n {
            4 => message.with_compressed(Compression::Zlib, &b"4"[..]),
            _ => message,
        };
        world.send_message(message, key(Order::Strict));
    }
    world.run_until_done();

    assert_eq!(world.log, (0..9).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(requests(&world), 4, "0, 1-3, 4, 5-8");
}

#[test]
fn a_strict_lane_that_lost_a_message_lets_none_pass() {
    let config = Config { on_unknown: OnUnknown::Stop, ..config(AutoBatch::default()) };
    let mut world = world_of(config);
    world.send_with("first", key(Order::Strict));
    let together: Vec<_> =
        (0..3).map(|n| world.send_with(&n.to_string(), key(Order::Strict)).0).collect();
    world.run(ms(1));
    world.broker("a:1").does = Does::StoreSilently;
    world.run(ms(2));
    let behind: Vec<_> =
        (3..6).map(|n| world.send_with(&n.to_string(), key(Order::Strict)).0).collect();
    world.run_until_done();

    for ticket in &together[1..] {
        let error = world.done[ticket].as_ref().expect_err("nobody answered");
        assert_eq!(error.outcome(), Outcome::Unknown);
    }
    for ticket in behind {
        let error = world.done[&ticket].as_ref().expect_err("it may not overtake");
        assert_eq!((error.outcome(), error.kind()), (Outcome::NotSent, &ErrorKind::OrderBroken));
    }
}

#[test]
fn the_door_has_room_for_those_that_share_and_not_for_more() {
    let config = Config { sends_max: 8, ..config(lingering()) };
    let mut world = world_of(config);
    world.broker("a:1").delay = ms(20);

    let tickets = sends(&mut world, 20);
    let stats = world.producer.stats();
    assert_eq!((stats.in_hand, stats.waiting_for_room), (20, 12));
    world.with(|producer, now| producer.flush(now));
    world.run(ms(11_000));

    assert!(tickets.iter().all(|ticket| world.done[ticket].is_ok()));
    assert_eq!(world.producer.stats().bytes_in_hand, 0);
}

#[test]
fn nobody_waits_when_it_is_off() {
    let mut world = world_of(Config::default());

    sends(&mut world, 20);
    world.run_until_done();

    assert_eq!((requests(&world), shared(&world).len()), (20, 0));
}

/// Each mistake is noticed by a test of this file.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_are_caught() {
    use producer_core::planted::Bug;

    crate::pair::hunt(&[
        (Bug::CarriedSentAnyway, a_message_cancelled_before_its_frame_left_is_taken_out_of_it),
        (Bug::LingersForEver, they_linger_no_longer_than_they_may),
        (Bug::MembersShareOffset, as_many_gather_as_are_under_way),
        (Bug::LaneBatchTurned, a_lane_sends_together_what_waits_in_it),
        (Bug::MemberWaitsForCarrier, a_member_ends_at_its_own_deadline),
        (Bug::BatchUnbounded, a_request_is_no_longer_than_it_may_be),
        (Bug::CloseKeepsBatches, a_flush_and_a_close_let_them_go),
        (Bug::EndedSentAgain, a_retry_leaves_out_who_was_told_that_it_failed),
    ]);
}
