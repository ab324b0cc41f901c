//! Several groups on one client, and the second port of brokers.

use crate::pair::{Dial, World, ms, route_json};
use producer_core::wire::client::Heartbeat;
use producer_core::wire::code::request;
use producer_core::{
    AskTarget, Config, Decision, ErrorKind, GroupId, GroupName, Message, Output, Request,
    SendOptions, wire,
};

fn add(world: &mut World, name: &str) -> GroupId {
    let name = GroupName::new(name).expect("valid");
    world.with(|producer, now| producer.add_group(now, &name)).expect("room for a group")
}

fn of(group: GroupId) -> SendOptions {
    SendOptions { group, ..SendOptions::default() }
}

fn message(body: &'static str) -> Message {
    Message::new("t", body).expect("valid")
}

/// The groups that the last heartbeat to `address` named.
fn announced(world: &World, address: &str) -> Vec<String> {
    let beats = world.seen(request::HEART_BEAT);
    let last = beats.iter().rfind(|seen| seen.address == address).expect("a heartbeat");
    let mut groups = Heartbeat::decode(&last.body).expect("a heartbeat").producer_groups;
    groups.sort();
    groups
}

#[test]
fn heartbeats_name_all_groups() {
    let mut world = World::new(Config::default());
    for n in 0..8 {
        world.sent(&n.to_string()).expect("stored");
    }
    assert_eq!(announced(&world, "a:1"), ["RUST_PRODUCER"]);

    add(&mut world, "second");
    world.run(ms(100));
    assert_eq!(announced(&world, "a:1"), ["RUST_PRODUCER", "second"], "at once");
    add(&mut world, "third");
    world.run(ms(31_000));

    for address in ["a:1", "b:1"] {
        assert_eq!(announced(&world, address), ["RUST_PRODUCER", "second", "third"]);
    }
    assert_eq!(world.peers["a:1"].dials, 1, "all share one connection");
}

#[test]
fn a_group_that_leaves_is_not_announced_any_more() {
    let mut world = World::new(Config::default());
    let second = add(&mut world, "second");
    for n in 0..8 {
        world.send_with(&n.to_string(), of(second));
    }
    world.run_until_done();
    let (ticket, _) = world.send_with("in hand", of(second));

    world.with(|producer, now| producer.remove_group(now, second));
    world.finish(ticket).expect("what is in hand goes on");
    world.run(ms(31_000));

    let left = world.seen(request::UNREGISTER_CLIENT);
    assert_eq!(left.len(), 2, "both brokers are told");
    assert!(left.iter().all(|seen| seen.ext["producerGroup"] == "second"));
    assert_eq!(announced(&world, "a:1"), ["RUST_PRODUCER"]);
    world.sent("of another group").expect("the others go on");
    // It may come back.
    assert_eq!(add(&mut world, "second"), second);
    world.run(ms(100));
    assert_eq!(announced(&world, "a:1"), ["RUST_PRODUCER", "second"]);
}

#[test]
fn a_closed_client_says_good_bye_for_every_group_that_is_there() {
    let mut world = World::new(Config::default());
    let gone = add(&mut world, "gone");
    add(&mut world, "there");
    for n in 0..8 {
        world.sent(&n.to_string()).expect("stored");
    }
    world.with(|producer, now| producer.remove_group(now, gone));
    world.run(ms(100));
    let before = world.seen(request::UNREGISTER_CLIENT).len();

    world.close(ms(1_000));
    world.run(ms(1_000));

    let left = world.seen(request::UNREGISTER_CLIENT).split_off(before);
    let mut left: Vec<_> =
        left.iter().map(|seen| (&*seen.address, &*seen.ext["producerGroup"])).collect();
    left.sort_unstable();
    let expected =
        ["a:1", "b:1"].map(|address| [(address, "RUST_PRODUCER"), (address, "there")]).concat();
    assert_eq!(left, expected);
}

fn vip() -> World {
    let config = Config { vip_channel: true, ..Config::default() };
    let mut world = World::new(config);
    for address in ["a:10911", "a:10909"] {
        world.broker(address);
    }
    world.routes.insert("t".into(), route_json(&[("a", "a:10911")], 4));
    world
}

#[test]
fn sends_and_questions_go_to_the_second_port() {
    let mut world = vip();
    for n in 0..8 {
        world.sent(&n.to_string()).expect("stored");
    }
    for target in [
        AskTarget::Broker("a".into()),
        AskTarget::Address(producer_core::Address::new("a:10911").expect("valid")),
    ] {
        let fields = wire::Fields::new().text("topic", "t");
        let question = Request::new(target, request::GET_MIN_OFFSET, &fields);
        world.with(|producer, now| producer.ask(now, 77, question, ms(1_000)));
        world.run(ms(100));
    }

    assert_eq!(world.peers["a:10909"].stored.len(), 8);
    assert_eq!(world.peers["a:10911"].stored.len(), 0);
    let asked = world.seen(request::GET_MIN_OFFSET);
    assert!(asked.len() == 2 && asked.iter().all(|seen| seen.address == "a:10909"), "{asked:?}");
}

#[test]
fn heartbeats_and_ends_go_to_the_advertised_port() {
    let mut world = vip();
    let half = world.half(message("x")).expect("stored");
    world.with(|producer, now| {
        producer.end_transaction(now, &half.transaction, Decision::Commit, None)
    });
    let fields = wire::Fields::new().text("topic", "t").text("recallHandle", "h");
    let recall = Request::new(AskTarget::Broker("a".into()), request::RECALL_MESSAGE, &fields);
    world.with(|producer, now| producer.ask(now, 78, recall, ms(1_000)));
    world.run(ms(65_000));
    world.close(ms(1_000));
    world.run(ms(1_000));

    for code in [
        request::HEART_BEAT,
        request::UNREGISTER_CLIENT,
        request::END_TRANSACTION,
        request::RECALL_MESSAGE,
    ] {
        let seen = world.seen(code);
        assert!(!seen.is_empty(), "nothing of code {code}");
        assert!(seen.iter().all(|seen| seen.address == "a:10911"), "code {code}: {seen:?}");
    }
    assert!(world.seen(request::HEART_BEAT).len() >= 3, "every thirty seconds");
    let _answers: Vec<Output<u64>> = std::mem::take(&mut world.others);
}

/// Behind a proxy nobody listens there: the error says where it was dialled.
#[test]
fn a_second_port_that_nobody_serves_fails_sends() {
    let mut world = vip();
    world.broker("a:10909").dial = Dial::Refuse;

    let error = world.sent("x").expect_err("nobody listens");

    assert!(matches!(error.kind(), ErrorKind::Connect(_) | ErrorKind::Deadline), "{error}");
    assert!(error.to_string().contains("a:10909"), "{error}");
}

#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_are_noticed() {
    use producer_core::planted::Bug;

    crate::pair::hunt(&[
        (Bug::FirstGroupOnly, heartbeats_name_all_groups),
        (Bug::GroupStays, a_group_that_leaves_is_not_announced_any_more),
        (Bug::VipForAll, heartbeats_and_ends_go_to_the_advertised_port),
    ]);
}
