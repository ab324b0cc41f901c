//! Requests, and the replies that come or do not.

use crate::pair::{Does, Seen, World, ms};
use producer_core::wire::properties;
use producer_core::{
    Config, ConnectionEnd, ErrorKind, InvalidMessage, Message, Outcome, Output, QueueChoice, Reply,
    ReplyMessage, RequestId, SendError, SendOptions,
};
use proptest::prelude::*;

fn message() -> Message {
    Message::new("t", "question").expect("a valid message")
}

const TICKET: u64 = 1_000;

fn request(world: &mut World, timeout: u64) -> RequestId {
    let options = SendOptions { timeout: Some(ms(timeout)), ..SendOptions::default() };
    world.with(|producer, now| producer.request(now, TICKET, message(), options))
}

/// The properties of the request that a broker has stored last.
fn stored(world: &World) -> String {
    let all = world.peers.values().flat_map(|peer| peer.stored.iter());
    all.last().expect("a request is stored").properties.clone()
}

/// The properties of the reply to a request.
fn reply_to(request: &str) -> String {
    let id = properties::get(request, "CORRELATION_ID").expect("a request has one");
    format!("CORRELATION_ID\u{1}{id}\u{2}MSG_TYPE\u{1}reply\u{2}color\u{1}red\u{2}")
}

fn bring(world: &mut World, address: &str, properties: &str) {
    let conn = world.conn_to(address).expect("a connection");
    world.bring_reply(conn, properties, b"answer");
}

fn ended(world: &mut World) -> Result<ReplyMessage, SendError> {
    world.replied(TICKET).expect("a request ends")
}

fn answers(world: &World) -> Vec<Seen> {
    world.seen.iter().filter(|seen| seen.flag & 1 == 1).cloned().collect()
}

#[test]
fn a_reply_ends_its_request_and_the_broker_is_answered() {
    let mut world = World::new(Config::default());
    let id = request(&mut world, 3_000);
    world.run(ms(20));
    let properties = stored(&world);
    let get = |name| properties::get(&properties, name).unwrap_or_default().to_owned();
    assert_eq!((get("CORRELATION_ID"), get("TTL")), (id.to_string(), "3000".to_owned()));
    assert_eq!(get("REPLY_TO_CLIENT"), world.producer.client_id());
    assert_eq!(id.to_string().as_bytes()[14], b'4', "a random UUID, as Java's");

    bring(&mut world, "b:1", &reply_to(&properties));

    let reply = ended(&mut world).expect("it came");
    assert_eq!((&*reply.body, reply.request_id.as_str()), (&b"answer"[..], &*get("UNIQ_KEY")));
    assert_eq!((reply.property("color"), &*reply.born_host), (Some("red"), "10.0.0.9:1234"));
    world.run(ms(5));
    let answers = answers(&world);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!((answers[0].code, answers[0].opaque, &*answers[0].address), (0, 4_712, "b:1"));
    assert_eq!(world.producer.stats().late_replies, 0);
}

#[test]
fn a_reply_may_come_before_the_acknowledgement() {
    let mut world = World::new(Config::default());
    request(&mut world, 3_000);
    world.run(ms(20));
    let first = reply_to(&stored(&world));
    bring(&mut world, "a:1", &first);
    ended(&mut world).expect("warm");
    for (does, delay) in [(Does::Store, 500), (Does::StoreSilently, 0)] {
        for address in ["a:1", "b:1"] {
            world.broker(address).does = does;
            world.broker(address).delay = ms(delay);
        }
        let before = world.log.len();
        request(&mut world, 3_000);
        world.run(ms(20));
        assert_eq!(world.log.len(), before + 1);
        let properties: Vec<String> = world
            .peers
            .values()
            .flat_map(|peer| peer.stored.iter().map(|stored| stored.properties.clone()))
            .filter(|text| !first.contains(properties::get(text, "CORRELATION_ID").expect("one")))
            .collect();
        bring(&mut world, "a:1", &reply_to(properties.last().expect("the second")));

        let reply = ended(&mut world).expect("it came");
        assert!(properties.last().is_some_and(|text| text.contains(reply.request_id.as_str())));
        world.run(ms(5_000));

        assert_eq!(world.log.len(), before + 1, "it is stored, so it is not sent again");
        let stats = world.producer.stats();
        assert_eq!((stats.in_hand, stats.unknown, stats.not_sent), (0, 0, 0), "{stats:?}");
        for peer in world.peers.values_mut() {
            peer.stored.clear();
        }
    }
    let stats = world.producer.stats();
    assert_eq!((stats.accepted, stats.stored), (3, 3), "{stats:?}");
}

#[test]
fn without_a_reply_the_request_ends_at_its_time_and_a_late_one_is_counted() {
    let mut world = World::new(Config::default());
    request(&mut world, 400);
    world.run(ms(20));
    let properties = stored(&world);

    let error = ended(&mut world).expect_err("nobody replies");

    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::NoReply, Outcome::Unknown));
    assert!(error.elapsed() >= ms(400) && error.elapsed() <= ms(410), "{:?}", error.elapsed());
    assert!(error.message_id().is_some());
    bring(&mut world, "a:1", &reply_to(&properties));
    world.run(ms(5));
    assert_eq!((world.producer.stats().late_replies, answers(&world).len()), (1, 1));
    assert!(world.others.is_empty());
}

#[test]
fn replies_that_fit_no_request_are_counted_and_answered() {
    let mut world = World::new(Config::default());
    request(&mut world, 3_000);
    world.run(ms(20));
    let properties = stored(&world);
    let good = reply_to(&properties);
    for bad in [
        "CORRELATION_ID\u{1}5d3b8c61-0000-4000-8000-000000000000\u{2}",
        "CORRELATION_ID\u{1}none of ours\u{2}",
        "CORRELATION_ID\u{1}\u{2}",
        "color\u{1}red\u{2}",
        "",
        &good.to_uppercase(),
    ] {
        bring(&mut world, "a:1", bad);
    }
    let conn = world.conn_to("a:1").expect("a connection");
    let head = producer_core::wire::Head { code: 326, opaque: 9, ..Default::default() };
    world.push(conn, &head, &producer_core::wire::Fields::new(), b"");
    world.run(ms(10));

    let stats = world.producer.stats();
    assert_eq!(stats.late_replies, 6, "{stats:?}");
    let codes: Vec<i32> = answers(&world).iter().map(|answer| answer.code).collect();
    assert_eq!(codes, [0, 0, 0, 0, 0, 0, 1], "only one that cannot be read is refused");
    assert_eq!(world.conn_to("a:1"), Some(conn));
    bring(&mut world, "a:1", &good);
    ended(&mut world).expect("the right one");
    bring(&mut world, "a:1", &good);
    world.run(ms(5));
    assert_eq!(world.producer.stats().late_replies, 7, "a second reply is late");
}

#[test]
fn a_send_that_fails_ends_its_request() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::Refuse(13);
    world.broker("b:1").does = Does::Refuse(13);
    request(&mut world, 3_000);

    let error = ended(&mut world).expect_err("no broker takes it");

    assert_eq!(error.outcome(), Outcome::Rejected);
    assert!(matches!(error.kind(), ErrorKind::Broker { code: 13, .. }), "{error}");
    world.run(ms(4_000));
    assert!(world.others.is_empty(), "it ends once");
}

#[test]
fn a_cancelled_request_gives_its_ticket_back_once() {
    let mut world = World::new(Config::default());
    let early = request(&mut world, 3_000);
    assert_eq!(world.with(|p, now| p.cancel_request(now, early)), Some(TICKET));
    assert_eq!(world.with(|p, now| p.cancel_request(now, early)), None);
    let sent = request(&mut world, 3_000);
    world.run(ms(20));
    assert_eq!(world.log.len(), 1, "the first had not left");
    let properties = stored(&world);

    assert_eq!(world.with(|p, now| p.cancel_request(now, sent)), Some(TICKET));
    bring(&mut world, "a:1", &reply_to(&properties));
    world.run(ms(4_000));

    assert_eq!(world.producer.stats().late_replies, 1);
    assert!(world.others.is_empty(), "{:?}", world.others);
}

#[test]
fn a_close_waits_for_replies_until_its_deadline() {
    let mut world = World::new(Config::default());
    request(&mut world, 60_000);
    world.run(ms(20));
    let properties = stored(&world);
    world.close(ms(1_000));
    world.run(ms(500));
    assert!(world.closed.is_none());
    bring(&mut world, "a:1", &reply_to(&properties));
    ended(&mut world).expect("it came while the producer was closing");
    world.run(ms(50));
    assert!(world.closed.is_some(), "and nothing else was waited for");

    let mut world = World::new(Config::default());
    request(&mut world, 60_000);
    world.run(ms(20));
    world.close(ms(1_000));
    let error = ended(&mut world).expect_err("nobody replies");
    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::Closed, Outcome::Unknown));
    assert!(error.elapsed() <= ms(1_400), "{:?}", error.elapsed());
    world.run(ms(500));
    assert!(world.closed.is_some());
    request(&mut world, 60_000);
    assert_eq!(*ended(&mut world).expect_err("closed").kind(), ErrorKind::Closed);
}

#[test]
fn a_requester_is_found_again_after_a_reconnect() {
    let mut world = World::new(Config::default());
    request(&mut world, 10_000);
    world.run(ms(50));
    let properties = stored(&world);
    for address in ["a:1", "b:1"] {
        world.cut(address, &ConnectionEnd::Reset);
    }
    world.seen.clear();

    world.run(ms(1_500));

    for address in ["a:1", "b:1"] {
        let conn = world.conn_to(address).expect("it is made again");
        let first = world.seen.iter().find(|seen| seen.conn == conn);
        assert_eq!(first.map(|seen| seen.code), Some(34), "first it says who it is");
    }
    bring(&mut world, "b:1", &reply_to(&properties));
    ended(&mut world).expect("on the new connection");
}

#[test]
fn brokers_of_a_route_are_connected_as_soon_as_it_is_known() {
    let mut world = World::new(Config::default());
    request(&mut world, 3_000);
    world.run(ms(10));

    assert!(world.conn_to("a:1").is_some() && world.conn_to("b:1").is_some());
}

#[test]
fn requests_take_queue_choices_and_are_always_answered() {
    let mut world = World::new(Config::default());
    let queue = QueueChoice::select(|queues, message| {
        assert_eq!(&**message.body(), b"question");
        queues.iter().position(|queue| &*queue.broker == "b" && queue.id == 2)
    });
    let options = SendOptions { queue, reply: Reply::OneWay, ..SendOptions::default() };
    world.with(|producer, now| producer.request(now, TICKET, message(), options));
    world.run(ms(20));

    assert_eq!(world.broker("b:1").stored[0].queue_id, 2);
    assert!(world.written.is_empty());
    let properties = stored(&world);
    bring(&mut world, "b:1", &reply_to(&properties));
    ended(&mut world).expect("it came");
}

#[test]
fn requests_that_wait_are_bounded() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::Hang;
    world.broker("b:1").does = Does::Hang;
    let mut full = 0;
    for ticket in 0..65_600 {
        let options = SendOptions { timeout: Some(ms(60_000)), ..SendOptions::default() };
        world.producer.request(world.now, ticket, message(), options);
        while let Output::Replied { result, .. } = world.producer.poll_output() {
            assert_eq!(*result.expect_err("no broker").kind(), ErrorKind::Full);
            full += 1;
        }
    }
    assert!(full >= 64, "{full}");
}

fn consumed(property: &str) -> Option<&'static str> {
    let all = [
        ("CLUSTER", "c"),
        ("CORRELATION_ID", "5d3b8c61-0000-4000-8000-000000000000"),
        ("REPLY_TO_CLIENT", "10.0.0.9@1"),
        ("TTL", "3000"),
    ];
    all.into_iter().find(|(name, _)| *name == property).map(|(_, value)| value)
}

fn replier() -> World {
    let mut world = World::new(Config::default());
    let route = crate::pair::route_json(&[("a", "a:1"), ("b", "b:1")], 1);
    world.routes.insert("c_REPLY_TOPIC".into(), route);
    world
}

fn reply(world: &mut World) -> u64 {
    let message = Message::reply_to(consumed, "answer").expect("a request");
    let message = message.with_property("color", "red").expect("a property");
    world.with(|producer, now| producer.reply(now, 77, message, SendOptions::default()));
    77
}

#[test]
fn a_reply_goes_back_as_java_sends_it() {
    let mut world = replier();
    let ticket = reply(&mut world);
    world.finish(ticket).expect("it is handed on");

    let seen = world.seen(325);
    assert_eq!(seen.len(), 1);
    assert_eq!((&*seen[0].ext["b"], &*seen[0].body), ("c_REPLY_TOPIC", &b"answer"[..]));
    let text = &seen[0].ext["i"];
    for name in ["CORRELATION_ID", "REPLY_TO_CLIENT", "TTL"] {
        assert_eq!(properties::get(text, name), consumed(name), "{name}");
    }
    assert_eq!(properties::get(text, "MSG_TYPE"), Some("reply"));
    assert_eq!((properties::get(text, "WAIT"), properties::get(text, "CLUSTER")), (None, None));
    for missing in ["CLUSTER", "CORRELATION_ID", "REPLY_TO_CLIENT", "TTL"] {
        let without = |name: &str| consumed(name).filter(|_| name != missing);
        let refused = Message::reply_to(without, "answer").expect_err("not a request");
        assert_eq!(refused, InvalidMessage::NotARequest { name: missing });
    }
}

#[test]
fn a_requester_that_is_not_connected_is_sought_at_other_brokers() {
    let mut world = replier();
    for number in 0..20 {
        world.broker("a:1").does = Does::Refuse(1);
        let ticket = reply(&mut world);
        let receipt = world.finish(ticket).expect("the other broker knows it");
        assert_eq!(&*receipt.broker, "b", "{number}");
        world.run(ms(1));
    }
    let stats = world.producer.stats();
    assert_eq!(stats.ejections, 0, "that says nothing of a broker's health: {stats:?}");
    world.broker("b:1").does = Does::Refuse(1);
    let ticket = reply(&mut world);
    let error = world.finish(ticket).expect_err("it is nowhere");
    assert_eq!(error.outcome(), Outcome::Rejected, "nobody got it: {error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Each request ends exactly once, whatever befalls brokers and replies.
    #[test]
    fn each_request_ends_once(
        seed in 0_u64..1_000,
        steps in proptest::collection::vec((0_u8..7, 0_u64..60), 1..40),
    ) {
        let mut world = World::with_seed(Config::default(), seed);
        let (mut open, mut ended, mut next) = (Vec::new(), 0, 5_000);
        for (what, pause) in steps {
            match what {
                0..=2 => {
                    next += 1;
                    let options = SendOptions { timeout: Some(ms(200)), ..SendOptions::default() };
                    let id = world.with(|p, now| p.request(now, next, message(), options));
                    open.push(id);
                }
                3 => world.cut("a:1", &ConnectionEnd::Reset),
                4 => world.broker("b:1").does = Does::StoreSilently,
                5 => {
                    let id = open.pop();
                    ended += usize::from(id.is_some_and(|id| {
                        world.with(|p, now| p.cancel_request(now, id)).is_some()
                    }));
                }
                _ => {
                    let conn = world.conn_to("b:1");
                    if let (Some(conn), Some(id)) = (conn, open.pop()) {
                        let text = format!("CORRELATION_ID\u{1}{id}\u{2}");
                        world.bring_reply(conn, &text, b"answer");
                    }
                }
            }
            world.run(ms(pause));
        }
        world.run(ms(4_000));
        let mut replied = std::collections::BTreeSet::new();
        for output in &world.others {
            if let Output::Replied { ticket, .. } = output {
                prop_assert!(replied.insert(*ticket), "{} ended twice", ticket);
            }
        }
        prop_assert_eq!(replied.len() + ended, (next - 5_000) as usize);
        prop_assert_eq!(world.producer.stats().in_hand, 0);
    }
}

/// Each mistake is noticed by a test of this file.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_are_caught() {
    use producer_core::planted::Bug;

    crate::pair::hunt(&[
        (Bug::RepliedSentAgain, a_reply_may_come_before_the_acknowledgement),
        (Bug::PushUnanswered, a_reply_ends_its_request_and_the_broker_is_answered),
        (Bug::AnyReplyTaken, replies_that_fit_no_request_are_counted_and_answered),
        (Bug::NotConnectedIsUnwell, a_requester_that_is_not_connected_is_sought_at_other_brokers),
        (Bug::NotStayingConnected, a_requester_is_found_again_after_a_reconnect),
    ]);
}
