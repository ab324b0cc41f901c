//! What the end of a connection says about what was written to it.

use crate::pair::{Does, World, ms, route_json};
use producer_core::{Config, ConnectionEnd, ErrorKind, Outcome, TlsFault};

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
