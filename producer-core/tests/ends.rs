//! What the end of a connection says about what was written to it.

use crate::pair::{Does, World, ms, route_json};
use producer_core::wire::{Head, SerializeType, encode_frame};
use producer_core::{
    Address, Config, ConnectionEnd, Environment, ErrorKind, Instant, Message, Outcome, Output,
    Producer, SendOptions, TlsFault,
};

/// With TLS 1.3 a server refuses our certificate after we have begun to write.
#[test]
fn a_refused_client_certificate_means_that_nothing_was_read() {
    let mut world = World::new(Config::default());
    world.routes.insert("t".into(), route_json(&[("a", "a:1")], 4));
    world.broker("a:1").does = Does::Hang;
    let ticket = world.send("a");
    while world.producer.stats().in_hand > 0 {
        world.run(ms(10));
        let fault = TlsFault::ClientCertificate;
        world.cut("a:1", &ConnectionEnd::Tls { fault, detail: String::new() });
    }

    let error = world.finish(ticket).expect_err("refused");

    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert!(matches!(error.kind(), ErrorKind::Connect(ConnectionEnd::Tls { .. })), "{error}");
    assert!(world.broker("a:1").dials < 20, "{} dials", world.broker("a:1").dials);

    // Once it has answered anything, it has read something.
    world.broker("a:1").does = Does::StoreSilently;
    let ticket = world.send("b");
    world.run(ms(600));
    let fault = TlsFault::ClientCertificate;
    world.cut("a:1", &ConnectionEnd::Tls { fault, detail: String::new() });
    let end = world.finish(ticket);
    assert!(end.is_err_and(|error| error.outcome() == Outcome::Unknown));
}

#[test]
fn a_connection_that_will_be_closed_gets_nothing_new_and_is_answered() {
    let mut world = World::new(Config::default());
    world.routes.insert("t".into(), route_json(&[("a", "a:1")], 4));
    world.sent("warm").expect("stored");
    world.broker("a:1").delay = ms(50);
    let before = world.send("before");
    world.run(ms(10));

    world.announce("a:1");
    let after = world.send("after");

    for ticket in [before, after] {
        let receipt = world.finish(ticket).expect("stored");
        assert_eq!((receipt.attempts, receipt.maybe_duplicate), (1, false));
    }
    assert_eq!(world.peers["a:1"].dials, 2);
    assert_eq!(world.producer.stats().connection_failures, 0);
}

/// Found by `fuzz_operations_in_any_order_break_no_invariant`: the driver was told twice.
#[test]
fn garbage_behind_the_last_answer_closes_no_connection_twice() {
    let name_servers = Address::list("ns:1").expect("valid");
    let config = Config { name_servers, ..Config::default() };
    let mut producer = Producer::new(config, Environment::new(1, 0));
    let now = Instant::from_millis(1);
    let message = Message::new("t", "a").expect("valid");
    producer.send(now, (), message, SendOptions::default());
    let Output::Connect { conn, .. } = producer.poll_output() else { panic!("no dial") };
    producer.handle_connected(now, conn);
    producer.take_bytes(conn, &mut Vec::new());
    producer.handle_leaving(now, conn);
    let head = Head { code: 17, opaque: 0, flag: Head::RESPONSE, ..Head::default() };
    let mut bytes = Vec::new();
    encode_frame(&mut bytes, SerializeType::Json, &head, [], b"").expect("small");
    bytes.extend_from_slice(&[0xFF; 8]);

    producer.handle_received(now, conn, &bytes);

    let outputs = std::iter::from_fn(|| match producer.poll_output() {
        Output::Idle { .. } => None,
        output => Some(output),
    });
    let closes = outputs.filter(|output| matches!(output, Output::Close { .. })).count();
    assert_eq!(closes, 1);
}
