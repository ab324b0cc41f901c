//! What other clients get wrong, each a test: cancelled lookups, frames that are none, ids that
//! change, headers that differ, brokers that leave. Which check is which: `tests/NEEDS.md`.

use std::time::Duration;

use crate::pair::{Does, World, ms, route_json};
use producer_core::wire::{Header, frame};
use producer_core::{
    Address, Config, ConnId, Environment, ErrorKind, Instant, Message, OnUnknown, Outcome, Output,
    Producer, Receipt, SendError, SendOptions,
};

#[test]
fn p01_the_first_caller_of_a_lookup_leaves_and_others_go_on() {
    let mut world = World::new(Config::default());
    let (_, first) = world.send_with("first", SendOptions::default());
    let second = world.send("second");

    assert!(world.producer.cancel(world.now, first).is_some(), "nothing of it had left");
    world.finish(second).expect("the lookup goes on for those who are left");
    world.sent("third").expect("and the topic is not stuck");

    assert_eq!(world.route_requests, 1);
    assert_eq!(world.log, ["second", "third"]);
}

#[test]
fn p02_ten_thousand_sends_at_once_are_all_taken() {
    let mut world = World::new(Config::default());
    world.broker("a:1").delay = ms(20);
    world.broker("b:1").delay = ms(20);

    let tickets: Vec<_> = (0..10_000).map(|n| world.send(&n.to_string())).collect();

    for ticket in tickets {
        world.finish(ticket).expect("none is refused");
    }
    assert_eq!(world.log.len(), 10_000);
}

#[test]
fn p03_a_broker_that_swallows_dials_does_not_stall_the_other() {
    let mut world = World::new(Config::default());
    world.broker("a:1").dial = crate::pair::Dial::BlackHole;

    let tickets: Vec<_> = (0..100).map(|n| world.send(&n.to_string())).collect();
    world.run(ms(20));
    let early = tickets.iter().filter(|ticket| world.done.contains_key(ticket)).count();

    assert!(early >= 50, "the share of the other broker is done, and it is {early}");
    world.run(ms(1_500));
    assert!(tickets.iter().all(|ticket| matches!(world.done.get(ticket), Some(Ok(_)))));
}

#[test]
fn p04_a_frame_that_is_none_ends_its_connection() {
    let usual = Alone::usual;
    let bad: [(&str, Framing); 8] = [
        ("of no length", |_| 0_u32.to_be_bytes().to_vec()),
        ("shorter than its own head", |_| [&[0, 0, 0, 3][..], &[0; 8]].concat()),
        ("of negative length", |_| (-5_i32).to_be_bytes().to_vec()),
        ("of two gigabytes", |_| i32::MAX.to_be_bytes().to_vec()),
        ("over the limit", |_| ((16 << 20) + 1_u32).to_be_bytes().to_vec()),
        ("with a header beyond it", |_| [&[0, 0, 0, 8][..], &[0, 0, 0, 200], &[b'x'; 4]].concat()),
        ("in an unknown encoding", |opaque| {
            let mut frame = framed(&Alone::usual(opaque));
            frame[4] = 9;
            frame
        }),
        ("with half a header", |opaque| framed(&Alone::usual(opaque)[..20])),
    ];
    for (what, frame) in bad {
        let mut alone = Alone::new();
        let opaque = alone.send();
        alone.receive(&frame(opaque));

        assert!(alone.is_closed, "a frame {what}");
        assert!(alone.end.is_none(), "a frame {what} ends no send while there is time");
    }
    let mut alone = Alone::new();
    let opaque = alone.send();
    let whole = framed(&usual(opaque));
    alone.receive(&whole[..whole.len() - 1]);
    assert!(!alone.is_closed, "the rest may come");
    alone.receive(&whole[whole.len() - 1..]);
    alone.end.expect("it did").expect("stored");
}

#[test]
fn p05_a_retry_keeps_its_unique_key() {
    let mut world = World::new(Config::default());
    for broker in ["a:1", "b:1"] {
        world.broker(broker).does = Does::StoreSilently;
    }
    let message = Message::new("t", "x").expect("valid");
    let (ticket, _) = world.send_message(message.clone(), SendOptions::default());
    world.run(ms(1_500));
    world.broker("a:1").does = Does::Store;
    world.broker("b:1").does = Does::Store;
    let receipt = world.finish(ticket).expect("at last");

    let again = world.send_message(message, SendOptions::default()).0;
    let again = world.finish(again).expect("stored");

    let id = format!("UNIQ_KEY\u{1}{}\u{2}", receipt.message_id);
    let stored: Vec<_> = world.peers.values().flat_map(|peer| &peer.stored).collect();
    let copies = stored.iter().filter(|stored| stored.properties.contains(&id)).count();
    assert_eq!((copies, stored.len()), (receipt.attempts as usize, copies + 1));
    assert!(copies > 1 && stored.iter().all(|stored| stored.body == b"x"));
    assert_ne!(again.message_id, receipt.message_id, "a message sent twice is two messages");
}

#[test]
fn p10_routes_have_integer_keys_without_quotes() {
    let mut world = World::new(Config::default());
    let quoted = route_json(&[("a", "a:1")], 4);
    let bare = quoted.replace("\"0\":", "0:");
    assert_ne!(bare, quoted);
    world.routes.insert("t".into(), bare);

    assert_eq!(&*world.sent("x").expect("the route is read").broker, "a");
}

#[test]
fn p11_answers_come_with_any_header_fields_in_any_order() {
    let ext = r#""extFields":{"queueId":"1","msgId":"7F00000100002A9F0000000000000001","queueOffset":"5"}"#;
    let optional =
        [r#""serializeTypeCurrentRPC":"JSON""#, r#""remark":"fine""#, r#""remark":null"#];
    let needed =
        |opaque| ["\"code\":0".into(), "\"flag\":1".into(), format!("\"opaque\":{opaque}")];
    let rest = [r#""language":"JAVA""#, r#""version":493"#];
    for chosen in 0..(1 << optional.len()) {
        for turn in 0..6 {
            let mut alone = Alone::new();
            let opaque = alone.send();
            let mut fields: Vec<String> = needed(opaque).into();
            fields.extend(rest.iter().chain([&ext]).map(|&field| field.to_owned()));
            let optional = optional.iter().enumerate().filter(|(n, _)| chosen & (1 << n) != 0);
            fields.extend(optional.map(|(_, field)| (*field).to_owned()));
            let length = fields.len();
            fields.rotate_left(turn % length);
            let header = format!("{{{}}}", fields.join(","));

            alone.receive(&framed(header.as_bytes()));

            let receipt = alone.end.expect(&header).expect(&header);
            assert_eq!((receipt.queue_id, receipt.queue_offset), (1, 5), "{header}");
        }
    }
}

#[test]
fn p11_an_answer_without_fields_ends_its_send() {
    let mut alone = Alone::new();
    let opaque = alone.send();
    alone.receive(&framed(format!("{{\"code\":17,\"flag\":1,\"opaque\":{opaque}}}").as_bytes()));
    alone.pass(Duration::from_secs(4));

    let error = alone.end.expect("it ended").expect_err("it was refused");
    assert_ne!(error.outcome(), Outcome::Unknown, "{error}");
}

#[test]
fn p12_a_broker_that_goes_away_did_not_take_the_send() {
    let mut world = World::new(Config::default());
    world.broker("a:1").does = Does::Refuse(1500);

    let receipts: Vec<_> = (0..10).map(|n| world.sent(&n.to_string()).expect("stored")).collect();

    assert!(receipts.iter().all(|receipt| !receipt.maybe_duplicate && &*receipt.broker == "b"));
    assert_eq!(world.log.len(), 10);
    assert!(receipts.iter().any(|receipt| receipt.attempts == 2), "one was told to go away");
}

#[test]
fn p12_the_only_broker_goes_away_and_comes_back() {
    let mut world = World::new(Config::default());
    world.routes.insert("t".into(), route_json(&[("a", "a:1")], 4));
    world.sent("warm").expect("stored");
    world.broker("a:1").does = Does::Refuse(1500);
    let ticket = world.send("x");
    world.run(ms(30));
    world.broker("a:1").does = Does::Store;

    let receipt = world.finish(ticket).expect("a new connection is made");

    assert!(!receipt.maybe_duplicate);
    assert!(world.peers["a:1"].dials > 1, "the old connection is left");
}

#[test]
fn p13_a_broker_dies_after_it_has_read_the_request() {
    let dies_with_one = |on_unknown| {
        let mut world = World::new(Config { on_unknown, ..Config::default() });
        world.broker("a:1").does = Does::StoreSilently;
        let ticket = loop {
            let ticket = world.send("x");
            world.run(ms(10));
            if !world.done.contains_key(&ticket) {
                break ticket;
            }
        };
        world.kill("a:1");
        world.finish(ticket)
    };

    let receipt = dies_with_one(OnUnknown::Retry).expect("the other broker takes it");
    assert!(receipt.maybe_duplicate && receipt.attempts == 2, "{receipt:?}");
    let error = dies_with_one(OnUnknown::Stop).expect_err("nobody knows");
    assert_eq!((error.outcome(), error.attempts().len()), (Outcome::Unknown, 1), "{error}");
    assert!(matches!(error.kind(), ErrorKind::ConnectionLost { .. }), "{error}");
}

/// What is answered to the request of that number.
type Framing = fn(i32) -> Vec<u8>;

/// A producer whose peer, name server and broker in one, answers what the test says.
struct Alone {
    producer: Producer<()>,
    now: Instant,
    conn: Option<ConnId>,
    wanted: Vec<ConnId>,
    is_closed: bool,
    end: Option<Result<Receipt, SendError>>,
}

impl Alone {
    fn new() -> Self {
        let name_servers = Address::list("peer:1").expect("valid");
        let config = Config { name_servers, ..Config::default() };
        let producer = Producer::new(config, Environment::new(7, crate::pair::UNIX_MS));
        let now = Instant::ZERO;
        Self { producer, now, conn: None, wanted: Vec::new(), is_closed: false, end: None }
    }

    /// The number of a send that is under way on the one connection.
    fn send(&mut self) -> i32 {
        let message = Message::new("t", "x").expect("valid");
        self.producer.send(self.now, (), message, SendOptions::default());
        loop {
            self.drain();
            let conn = match (self.wanted.pop(), self.conn) {
                (Some(conn), _) => {
                    self.producer.handle_connected(self.now, conn);
                    self.drain();
                    conn
                }
                (None, Some(conn)) => conn,
                (None, None) => panic!("nothing is dialled"),
            };
            self.conn = Some(conn);
            if let Some(opaque) = self.answer_until_send(conn) {
                return opaque;
            }
        }
    }

    fn answer_until_send(&mut self, conn: ConnId) -> Option<i32> {
        let mut bytes = Vec::new();
        self.producer.take_bytes(conn, &mut bytes);
        let mut rest = &bytes[..];
        let mut send = None;
        while let Some(found) = frame::split(rest, 16 << 20).expect("our frames") {
            let header = Header::decode(found.serialize, found.header).expect("our headers");
            rest = &rest[found.len..];
            match header.code {
                310 => send = Some(header.opaque),
                105 => {
                    let route = route_json(&[("a", "peer:1")], 4);
                    let body = format!("{{\"code\":0,\"flag\":1,\"opaque\":{}}}", header.opaque);
                    let frame = with_body(body.as_bytes(), route.as_bytes());
                    self.producer.handle_received(self.now, conn, &frame);
                }
                _ => {}
            }
        }
        send
    }

    fn usual(opaque: i32) -> Vec<u8> {
        let ext = r#"{"queueId":"1","msgId":"7F00000100002A9F0000000000000001","queueOffset":"5"}"#;
        format!("{{\"code\":0,\"flag\":1,\"opaque\":{opaque},\"extFields\":{ext}}}").into_bytes()
    }

    fn receive(&mut self, bytes: &[u8]) {
        let conn = self.conn.expect("a send is under way");
        self.producer.handle_received(self.now, conn, bytes);
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.producer.handle_timeout(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.producer.poll_output() {
                Output::Connect { conn, .. } => self.wanted.push(conn),
                Output::Close { conn } if Some(conn) == self.conn => self.is_closed = true,
                Output::Completed { result, .. } => self.end = Some(result),
                Output::Idle { .. } => return,
                _ => {}
            }
        }
    }
}

fn framed(header: &[u8]) -> Vec<u8> {
    with_body(header, b"")
}

fn with_body(header: &[u8], body: &[u8]) -> Vec<u8> {
    let total = (4 + header.len() + body.len()) as u32;
    let length = header.len() as u32;
    [&total.to_be_bytes()[..], &length.to_be_bytes(), header, body].concat()
}
