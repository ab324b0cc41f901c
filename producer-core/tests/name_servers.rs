//! Name servers that change while sends are in hand.

use crate::pair::{Dial, Knows, World, ms};
use producer_core::{Address, Config, ErrorKind, Outcome};

fn list(text: &str) -> Vec<Address> {
    Address::list(text).expect("valid")
}

fn with_servers(servers: &str) -> World {
    World::new(Config { name_servers: list(servers), ..Config::default() })
}

/// Adds a server to the world that answers.
fn answers(world: &mut World, address: &str) {
    world.name_servers.insert(address.into(), (Knows::Routes, Dial::Accept));
}

fn set(world: &mut World, servers: &str) {
    let now = world.now;
    world.producer.set_name_servers(now, list(servers));
    world.run(ms(0));
}

fn unanswering(world: &mut World, dial: Dial) {
    for state in world.name_servers.values_mut() {
        *state = (Knows::Silent, dial);
    }
}

#[test]
fn a_lookup_at_a_server_that_is_gone_goes_on_at_another() {
    for dial in [Dial::Accept, Dial::BlackHole, Dial::Refuse] {
        let mut world = with_servers("ns0:1");
        unanswering(&mut world, dial);
        answers(&mut world, "new:1");
        let tickets: Vec<u64> = (0..10).map(|n| world.send(&n.to_string())).collect();
        world.run(ms(50));
        let changed = world.now;

        set(&mut world, "new:1");

        for ticket in tickets {
            world.finish(ticket).unwrap_or_else(|error| panic!("{dial:?}: {error}"));
        }
        assert!(world.now.since(changed) <= ms(10), "{dial:?}: at once");
    }
}

#[test]
fn a_late_answer_of_a_server_that_is_gone_counts_no_more() {
    let mut world = with_servers("ns0:1;ns1:1");
    let first = world.send("a");
    world.run(ms(3)); // the question has arrived, its answer has not
    answers(&mut world, "new:1");

    set(&mut world, "new:1");
    world.finish(first).expect("stored");
    set(&mut world, "ns1:1");
    world.run(ms(40_000));

    world.sent("b").expect("routes are polled from the new one");
    assert_eq!(world.log.len(), 2, "each once");
}

#[test]
fn who_waits_for_dead_servers_goes_on_when_one_is_added() {
    let mut world = with_servers("ns0:1;ns1:1");
    unanswering(&mut world, Dial::Refuse);
    answers(&mut world, "new:1");
    let ticket = world.send("a");
    world.run(ms(1_000));

    set(&mut world, "ns0:1;ns1:1;new:1");

    let receipt = world.finish(ticket).expect("stored");
    assert_eq!(receipt.attempts, 1);
    assert!(world.now.as_millis() <= 1_300, "it waits for the hedge at most");
}

#[test]
fn a_change_does_not_touch_known_routes() {
    let mut world = with_servers("ns0:1;ns1:1");
    world.sent("a").expect("stored");
    let requests = world.route_requests;
    answers(&mut world, "new:1");

    set(&mut world, "new:1");

    world.sent("b").expect("stored");
    assert_eq!(world.route_requests, requests);
    assert_eq!(world.producer.stats().connections, 2, "none to a name server that is gone");
    world.run(ms(31_000));
    assert!(world.route_requests > requests, "the poll asks the new one");
}

#[test]
fn servers_that_stay_keep_their_connection() {
    let mut world = with_servers("ns0:1;ns1:1");
    world.sent("a").expect("stored");
    let before = world.producer.stats();

    for servers in ["ns1:1;ns0:1", "ns0:1;ns1:1;ns1:1", "ns1:1;ns0:1"] {
        set(&mut world, servers);
    }

    let after = world.producer.stats();
    assert_eq!((before.connections, before.connects), (after.connections, after.connects));
}

#[test]
fn sends_wait_for_name_servers_that_are_awaited() {
    for config in [Config::default(), Config::java()] {
        let mut world = World::new(config);
        world.producer.set_name_servers(world.now, Vec::new());
        world.producer.await_name_servers("asking http://addresses:8080".into());
        let ticket = world.send("a");
        let query = world.query("t");
        world.run(ms(1_500));

        set(&mut world, "ns0:1");

        world.finish(ticket).expect("stored");
        assert!(world.routes_seen[&query].is_ok());
        assert!(world.now.as_millis() < 1_520);
    }
}

#[test]
fn awaited_name_servers_that_never_come_are_said_so() {
    let mut world = World::new(Config::default());
    world.producer.set_name_servers(world.now, Vec::new());
    world.producer.await_name_servers("not asked yet".into());
    let ticket = world.send("a");
    let query = world.query("t");
    world.run(ms(100));
    world.producer.await_name_servers("http://addresses:8080: status 404".into());

    let error = world.finish(ticket).expect_err("nobody knows the way");

    let last = String::from("http://addresses:8080: status 404");
    assert_eq!(*error.kind(), ErrorKind::NameServersUnreachable { last });
    assert_eq!((error.outcome(), error.elapsed()), (Outcome::NotSent, ms(3_000)));
    world.run(ms(100));
    assert!(world.routes_seen[&query].is_err());
    let poll = world.now + ms(20_000);
    assert!(world.wake_at.is_none_or(|at| at > poll), "and nothing spins meanwhile");
}

#[test]
fn no_servers_at_all_fail_those_who_wait() {
    let mut world = with_servers("ns0:1");
    unanswering(&mut world, Dial::BlackHole);
    let ticket = world.send("a");
    world.run(ms(100));

    world.producer.set_name_servers(world.now, Vec::new());
    world.run(ms(0));

    assert_eq!(*world.finish(ticket).expect_err("none").kind(), ErrorKind::NoNameServer);
    assert_eq!(*world.sent("b").expect_err("none").kind(), ErrorKind::NoNameServer);
}

#[test]
fn changes_while_closing_and_after_it_begin_nothing() {
    let mut world = with_servers("ns0:1");
    world.sent("a").expect("stored");
    world.close(ms(100));
    set(&mut world, "new:1");
    world.run(ms(1_000));
    assert!(world.closed.is_some());

    set(&mut world, "ns0:1;ns1:1");

    assert_eq!(world.producer.stats().connections, 0);
    assert_eq!(world.wake_at, None);
}

/// Whatever changes at whatever moment, each send is stored once, within its deadline.
#[test]
fn servers_that_change_all_the_time_lose_no_send() {
    for seed in 0..50_u64 {
        let config = Config { name_servers: list("s0:1;s1:1"), ..Config::default() };
        let mut world = World::with_seed(config, seed);
        for n in 0..4 {
            answers(&mut world, &format!("s{n}:1"));
        }
        let mut tickets = Vec::new();
        for round in 0..40_u64 {
            let first = (seed + round * 7) % 4;
            let second = (seed + round * 3) % 4;
            set(&mut world, &format!("s{first}:1;s{second}:1"));
            tickets.push(world.send(&round.to_string()));
            world.run(ms((seed * 31 + round * 17) % 5));
        }

        for ticket in tickets {
            world.finish(ticket).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }

        assert_eq!(world.log.len(), 40, "seed {seed}");
    }
}
