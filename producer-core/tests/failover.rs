//! What becomes of sends when brokers fail, in virtual time.

use crate::pair::{Dial, Does, Knows, World, ms, route_json};
use producer_core::{
    Config, ConnectionEnd, ErrorKind, Instant, OnUnknown, Outcome, Phase, Reply, Require,
    SendOptions, SendStatus,
};

#[test]
fn the_first_send_asks_for_the_route_dials_and_is_stored() {
    let mut world = World::new(Config::default());

    let receipt = world.sent("hello").expect("stored");

    assert_eq!(receipt.status, SendStatus::SendOk);
    assert_eq!((receipt.attempts, receipt.maybe_duplicate), (1, false));
    // Dial and ask the name server, dial and ask the broker: four round trips of 2 ms.
    assert_eq!(world.now, Instant::from_millis(6));
    let stored: Vec<_> = world.peers.values().flat_map(|peer| peer.stored.clone()).collect();
    let expected = format!("UNIQ_KEY\u{1}{}\u{2}WAIT\u{1}true\u{2}", receipt.message_id);
    assert_eq!(stored[0].properties, expected);
}

#[test]
fn a_thousand_first_sends_make_one_route_request() {
    let mut world = World::new(Config::default());

    for _ in 0..1_000 {
        world.send("x");
    }
    world.run_until_done();

    assert!(world.done.values().all(Result::is_ok));
    assert_eq!(world.route_requests, 1);
    assert_eq!(world.peers["a:1"].stored.len(), 500);
}

#[test]
fn a_killed_broker_costs_no_send() {
    for seed in 0..20 {
        let mut world = World::with_seed(Config::default(), seed);
        world.sent("warm").expect("stored");
        for n in 0..200 {
            world.send(&n.to_string());
            if n == 100 {
                world.kill("a:1");
            }
            world.run(ms(1));
        }
        world.run_until_done();

        for (ticket, result) in &world.done {
            assert!(result.is_ok(), "seed {seed} send {ticket}: {result:?}");
        }
    }
}

#[test]
fn a_broker_that_hangs_delays_only_what_it_had() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.broker("a:1").does = Does::Hang;

    for n in 0..1_000 {
        world.send(&n.to_string());
        world.run(ms(5));
    }
    world.run_until_done();

    assert!(world.done.values().all(Result::is_ok));
    let seen = world.peers["a:1"].sends_seen;
    assert!(seen < 60, "{seen} sends went to a broker that had stopped answering");
}

#[test]
fn a_broker_that_thaws_gets_its_share_again() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::Hang;
    for n in 0..200 {
        world.send(&n.to_string());
        world.run(ms(10));
    }
    world.broker("a:1").does = Does::Store;
    world.run(ms(3_000));
    let before = world.peers["a:1"].stored.len();

    for n in 0..200 {
        world.send(&n.to_string());
        world.run(ms(10));
    }

    let share = world.peers["a:1"].stored.len() - before;
    assert!((90..=110).contains(&share), "share {share} of 200");
}

#[test]
fn dials_that_vanish_leave_time_for_another_broker() {
    let mut world = World::new(Config::default());
    world.broker("a:1").dial = Dial::BlackHole;

    for n in 0..20 {
        world.send(&n.to_string());
    }
    world.run_until_done();

    assert!(world.done.values().all(Result::is_ok));
    assert!(world.now < Instant::from_millis(1_100), "{:?}", world.now);
}

#[test]
fn an_unanswered_send_is_unknown_and_what_never_left_is_not_sent() {
    let config = Config { on_unknown: OnUnknown::Stop, ..Config::default() };
    let mut world = World::new(config);
    world.broker("a:1").does = Does::StoreSilently;
    world.broker("b:1").does = Does::StoreSilently;

    let error = world.sent("x").expect_err("nobody answers");

    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(error.attempts().len(), 1);
    assert_eq!(error.attempts()[0].phase, Phase::Answer);
    assert_eq!(world.stored().len(), 1);
    assert_eq!(error.elapsed(), ms(3_000));

    world.kill("a:1");
    world.kill("b:1");
    let error = world.sent("y").expect_err("nobody is there");
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert_eq!(error.attempts()[0].phase, Phase::Dial);
}

#[test]
fn duplicates_share_the_message_id() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::StoreSilently;

    let mut receipts = Vec::new();
    for _ in 0..2 {
        receipts.push(world.sent("x").expect("stored"));
    }

    let duplicate = receipts.iter().find(|receipt| receipt.maybe_duplicate).expect("one was");
    let id = duplicate.message_id.to_string();
    let copies: Vec<_> = world
        .peers
        .values()
        .flat_map(|peer| &peer.stored)
        .filter(|stored| stored.properties.contains(&id))
        .collect();
    assert_eq!(copies.len(), 2);
    assert_eq!(duplicate.attempts, 2);
}

#[test]
fn a_reset_before_the_answer_is_retried_elsewhere() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::Reset;

    let mut attempts = 0;
    for n in 0..10 {
        attempts += world.sent(&n.to_string()).expect("stored").attempts;
    }

    assert_eq!(attempts, 11, "one send met the reset, the others avoided the broker");
}

#[test]
fn garbage_ends_one_connection_and_nothing_else() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.sent("warm").expect("stored");
    world.broker("a:1").does = Does::Garbage;

    let receipts: Vec<_> = (0..4).map(|n| world.sent(&n.to_string()).expect("stored")).collect();

    assert!(receipts.iter().all(|receipt| &*receipt.broker == "b"));
    assert_eq!(world.producer.stats().connection_failures, 1);
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::AnswerTwice;
    world.broker("b:1").does = Does::AnswerTwice;

    for n in 0..10 {
        world.sent(&n.to_string()).expect("stored");
    }

    let stats = world.producer.stats();
    assert_eq!((stats.stored, stats.late_responses), (10, 10));
    assert_eq!(stats.connection_failures, 0);
}

#[test]
fn an_answer_to_another_question_is_none() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::WrongOpaque;
    world.broker("b:1").does = Does::WrongOpaque;

    let error = world.sent("x").expect_err("nobody answers this send");

    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(world.producer.stats().connection_failures, 0);
}

#[test]
fn codes_outside_the_retry_set_end_the_send_at_once() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::Refuse(13);
    world.broker("b:1").does = Does::Refuse(13);

    let error = world.sent("x").expect_err("illegal");

    assert_eq!(error.outcome(), Outcome::Rejected);
    assert_eq!(error.attempts().len(), 1);
    assert!(matches!(error.kind(), ErrorKind::Broker { code: 13, .. }));
}

#[test]
fn busy_is_tried_elsewhere_and_within_the_budget() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.broker("a:1").does = Does::Refuse(2);

    for n in 0..100 {
        world.sent(&n.to_string()).expect("the other broker takes it");
    }
    world.broker("b:1").does = Does::Refuse(2);
    let error = world.sent("x").expect_err("all are busy");

    assert!(matches!(error.kind(), ErrorKind::Busy { .. }));
    assert_eq!(error.outcome(), Outcome::Rejected);
    assert!(world.peers["a:1"].sends_seen < 30);
}

#[test]
fn statuses_are_visible_and_can_be_required() {
    for (code, status) in [
        (10, SendStatus::FlushDiskTimeout),
        (11, SendStatus::SlaveNotAvailable),
        (12, SendStatus::FlushSlaveTimeout),
    ] {
        let mut world = World::new(Config::default());
        world.broker("a:1").does = Does::StoreAnd(code);
        world.broker("b:1").does = Does::StoreAnd(code);

        assert_eq!(world.sent("x").expect("stored").status, status);
        let strict = SendOptions { require: Some(Require::SendOk), ..SendOptions::default() };
        let (ticket, _) = world.send_with("y", strict);
        let error = world.finish(ticket).expect_err("not well enough");
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(error.kind(), &ErrorKind::BelowRequired { status });
    }
}

#[test]
fn one_way_ends_when_its_bytes_are_taken() {
    let mut world = World::new(Config::default());
    let options = SendOptions { reply: Reply::OneWay, ..SendOptions::default() };

    let (ticket, _) = world.send_with("x", options);
    world.run_until_done();
    world.run(ms(10));

    assert_eq!(world.written, [ticket]);
    assert_eq!(world.stored(), ["x"]);
    assert_eq!(world.producer.stats().requests_in_flight, 0);
}

#[test]
fn one_way_goes_elsewhere_when_its_broker_refuses_the_dial() {
    for seed in 0..10 {
        let mut world = World::with_seed(Config::default(), seed);
        world.broker("a:1").dial = Dial::Refuse;
        let options = SendOptions { reply: Reply::OneWay, ..SendOptions::default() };

        world.send_with("x", options);
        world.run(ms(100));

        assert_eq!(world.stored(), ["x"]);
    }
}

#[test]
fn go_away_moves_the_send_and_the_connection() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.sent("warm").expect("stored");
    world.broker("a:1").does = Does::Refuse(1500);

    for n in 0..10 {
        let receipt = world.sent(&n.to_string()).expect("the other broker takes it");
        assert!(!receipt.maybe_duplicate);
    }
}

#[test]
fn a_broker_that_moved_is_found_on_evidence() {
    let mut world = World::new(Config::default());
    world.routes.insert("t".into(), route_json(&[("a", "a:1")], 4));
    world.sent("warm").expect("stored");
    world.run(ms(1_500));
    world.broker("a:2");
    world.routes.insert("t".into(), route_json(&[("a", "a:2")], 4));
    world.kill("a:1");

    let receipt = world.sent("x").expect("found at its new address");

    assert_eq!(world.peers["a:2"].stored.len(), 1);
    assert_eq!(&*receipt.broker, "a");
    assert!(world.now < Instant::from_millis(1_700), "{:?}", world.now);
}

/// A broker that was gone from the route, and came back, is seen by nothing but the poll.
#[test]
fn no_route_grows_much_older_than_the_poll_allows() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.run(ms(16_000));
    world.kill("a:1");
    world.routes.insert("t".into(), route_json(&[("b", "b:1")], 4));
    for n in 0..4 {
        world.sent(&n.to_string()).expect("stored by the other broker");
    }
    let asked_on_evidence = world.now;
    world.routes.insert("t".into(), route_json(&[("a", "a:2"), ("b", "b:1")], 4));
    world.broker("a:2");

    world.run(ms(32_000));

    assert!(asked_on_evidence < Instant::from_millis(17_000));
    for n in 0..4 {
        world.sent(&n.to_string()).expect("stored");
    }
    assert!(!world.peers["a:2"].stored.is_empty(), "its route is older than 31 s");
}

#[test]
fn a_broker_that_comes_back_into_the_route_is_used_within_seconds() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.sent("warm").expect("stored");
    world.run(ms(2_000));
    world.routes.insert("t".into(), route_json(&[("b", "b:1")], 4));
    world.kill("a:1");
    for n in 0..4 {
        world.sent(&n.to_string()).expect("stored at the other one");
        world.run(ms(1_000));
    }

    world.broker("a:1").dial = Dial::Accept;
    world.routes.insert("t".into(), route_json(&[("a", "a:1"), ("b", "b:1")], 4));
    let before = world.peers["a:1"].stored.len();
    for n in 0..60 {
        world.sent(&n.to_string()).expect("stored");
        world.run(ms(100));
    }

    assert!(world.peers["a:1"].stored.len() > before, "not used 6 s after it came back");
    let asked = world.route_requests;
    world.run(ms(29_000));
    assert!(world.route_requests - asked <= 2, "with all brokers back only the poll asks");
}

#[test]
fn a_late_answer_is_counted_and_dropped() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.sent("warm").expect("stored");
    world.broker("a:1").delay = ms(1_100);
    // While something is under way the connection is kept, though it gets nothing new.
    let mut tickets: Vec<u64> = (0..2).map(|n| world.send(&n.to_string())).collect();
    world.run(ms(150));
    tickets.extend((0..2).map(|n| world.send(&n.to_string())));

    for ticket in tickets {
        world.finish(ticket).expect("stored");
    }
    world.run(ms(2_000));

    assert_eq!(world.producer.stats().late_responses, 1);
    assert_eq!(world.producer.stats().connection_failures, 0);
}

#[test]
fn all_brokers_down_fails_within_the_deadline_and_recovers() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.kill("a:1");
    world.kill("b:1");

    let begun = world.now;
    let error = world.sent("x").expect_err("all are down");
    assert!(world.now.since(begun) <= ms(3_010));
    assert_eq!(error.outcome(), Outcome::NotSent);
    let dials = world.peers["a:1"].dials + world.peers["b:1"].dials;
    assert!(dials < 30, "{dials} dials");

    world.broker("a:1").dial = Dial::Accept;
    world.sent("y").expect("one is back");
}

#[test]
fn a_dead_address_is_dialled_a_few_times_a_second_whoever_wants_it() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    world.sent("warm").expect("stored");
    let before = world.peers["a:1"].dials;
    world.kill("a:1");
    world.kill("b:1");

    for n in 0..1_000 {
        world.send(&n.to_string());
        world.run(ms(5));
    }

    let dials = world.peers["a:1"].dials - before;
    assert!(dials <= 5 * 4, "{dials} dials in 5 s");
}

#[test]
fn name_servers_that_die_after_the_first_route_cost_nothing() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    for (knows, dial) in world.name_servers.values_mut() {
        (*knows, *dial) = (Knows::Nothing, Dial::Refuse);
    }
    world.cut("ns0:1", &ConnectionEnd::Reset);
    world.cut("ns1:1", &ConnectionEnd::Reset);

    world.run(ms(600_000));
    for n in 0..10 {
        world.sent(&n.to_string()).expect("the last good route is kept");
    }
}

#[test]
fn an_empty_name_server_does_not_erase_a_route() {
    let mut world = World::new(Config::default());
    world.sent("warm").expect("stored");
    for (knows, _) in world.name_servers.values_mut() {
        *knows = Knows::Nothing;
    }

    world.run(ms(120_000));

    world.sent("x").expect("the last good route is kept");
}

#[test]
fn one_dead_name_server_costs_at_most_the_hedge() {
    for seed in 0..10 {
        let mut world = World::with_seed(Config::default(), seed);
        let dead = world.name_servers.get_mut("ns0:1").expect("is there");
        *dead = (Knows::Silent, Dial::BlackHole);

        world.sent("x").expect("the other one answers");

        assert!(world.now <= Instant::from_millis(270), "seed {seed}: {:?}", world.now);
    }
}

#[test]
fn a_missing_topic_is_asked_for_once_a_second() {
    let mut world = World::new(Config::default());
    world.routes.clear();

    for n in 0..5_000 {
        let error = world.sent(&n.to_string()).expect_err("no such topic");
        assert_eq!(error.kind(), &ErrorKind::TopicNotFound);
        world.run(ms(1));
    }

    assert!(world.route_requests <= 2 * 8, "{} requests in 5 s", world.route_requests);
}

#[test]
fn a_topic_is_created_on_demand_only_where_that_is_allowed() {
    let mut world = World::new(Config { auto_create_topics: true, ..Config::default() });
    world.routes.clear();
    world.routes.insert("TBW102".into(), route_json(&[("a", "a:1"), ("b", "b:1")], 8));

    let queues: std::collections::BTreeSet<u32> =
        (0..64).map(|n| world.sent(&n.to_string()).expect("created").queue_id).collect();

    assert_eq!(queues.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}
