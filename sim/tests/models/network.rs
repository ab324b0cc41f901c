//! Brokers and name servers together, over connections that carry bytes at once.

use std::collections::BTreeMap;
use std::time::Duration;

use producer_core::wire::Fields;
use producer_core::wire::send::SendForm;
use sim::model::broker::{Broker, BrokerConfig};
use sim::model::name_server::{NameServer, NameServerConfig};
use sim::model::{ConnId, Node};

use super::broker::config;
use crate::support::direct::{Direct, answers};
use crate::support::send_request;

/// One broker and one name server.
struct Pair {
    broker: Direct<Broker>,
    server: Direct<NameServer>,
    /// The broker's connection and the name server's end of it.
    wire: BTreeMap<ConnId, ConnId>,
    /// What the broker sent to others.
    sent: Vec<Vec<u8>>,
    server_down: bool,
}

impl Pair {
    fn new() -> Self {
        let config = BrokerConfig { name_servers: vec!["n:1".into()], ..config() };
        let mut pair = Self {
            broker: Direct::new(Broker::new(config)),
            server: Direct::new(NameServer::new(NameServerConfig::default())),
            wire: BTreeMap::new(),
            sent: Vec::new(),
            server_down: false,
        };
        pair.settle(Vec::new());
        pair
    }

    /// Carries bytes until nothing moves.
    fn settle(&mut self, mut from_broker: Vec<(ConnId, Vec<u8>)>) {
        loop {
            for (conn, address) in std::mem::take(&mut self.broker.wanted) {
                assert_eq!(address, "n:1");
                if self.server_down {
                    self.broker.with(|broker, now| broker.handle_closed(now, conn));
                    continue;
                }
                let there = self.server.connect();
                self.wire.insert(conn, there);
                from_broker
                    .extend(self.broker.with(|broker, now| broker.handle_connected(now, conn)));
            }
            if from_broker.is_empty() && self.broker.wanted.is_empty() {
                return;
            }
            for (conn, bytes) in std::mem::take(&mut from_broker) {
                let Some(&there) = self.wire.get(&conn) else {
                    self.sent.push(bytes);
                    continue;
                };
                for (_, back) in self.server.receive(there, &bytes) {
                    from_broker.extend(self.broker.receive(conn, &back));
                }
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let sent = self.broker.pass(time);
        self.server.pass(time);
        self.settle(sent);
    }

    /// The connection breaks at both ends.
    fn cut(&mut self) {
        for (here, there) in std::mem::take(&mut self.wire) {
            self.server.with(|server, now| server.handle_closed(now, there));
            let sent = self.broker.with(|broker, now| broker.handle_closed(now, here));
            self.settle(sent);
        }
    }
}

#[test]
fn a_broker_registers_by_itself_and_leaves_with_its_connection() {
    let mut pair = Pair::new();
    assert_eq!(pair.server.node.broker_address("broker-a", 0), Some("127.0.0.1:10911"));
    assert!(pair.server.node.topics().contains(&"T".to_owned()));

    pair.cut();
    assert_eq!(pair.server.node.broker_address("broker-a", 0), None);

    pair.pass(Duration::from_secs(5));
    assert!(pair.server.node.broker_address("broker-a", 0).is_some());
}

#[test]
fn registrations_keep_a_broker_alive() {
    let mut pair = Pair::new();
    for _ in 0..10 {
        pair.pass(Duration::from_secs(30));
    }

    assert!(pair.server.node.broker_address("broker-a", 0).is_some());
    assert!(pair.server.node.requests() >= 10);
}

#[test]
fn a_name_server_that_comes_back_empty_is_told_again() {
    let mut pair = Pair::new();
    pair.server_down = true;
    pair.cut();
    pair.server.node.forget();
    pair.pass(Duration::from_secs(60));
    assert_eq!(pair.server.node.broker_address("broker-a", 0), None);

    pair.server_down = false;
    pair.pass(Duration::from_secs(5));

    assert!(pair.server.node.broker_address("broker-a", 0).is_some());
}

#[test]
fn the_route_is_right_when_a_new_topic_is_answered() {
    let mut pair = Pair::new();
    let conn = pair.broker.connect();
    let create = Fields::new()
        .text("topic", "new")
        .text("defaultTopic", "TBW102")
        .show("readQueueNums", 2)
        .show("writeQueueNums", 2)
        .show("perm", 6)
        .text("topicFilterType", "SINGLE_TAG")
        .text("order", "false");
    let frame = pair.broker.request(17, &create, b"");

    // The registration is on its way, the answer waits for it.
    let sent = pair.broker.receive(conn, &frame);
    assert!(sent.iter().all(|(to, _)| *to != conn));
    pair.settle(sent);

    assert_eq!(answers(&pair.sent[0])[0].code, 0);
    assert!(pair.server.node.topics().contains(&"new".to_owned()));
}

#[test]
fn an_answer_does_not_wait_for_a_name_server_for_ever() {
    let mut pair = Pair::new();
    let conn = pair.broker.connect();
    let frame = pair.broker.request(25, &Fields::new(), b"brokerPermission=4\n");
    let _lost = pair.broker.receive(conn, &frame);

    let sent = pair.broker.pass(Duration::from_secs(6));

    assert!(sent.iter().any(|(to, _)| *to == conn));
    assert_eq!(pair.broker.node.config().permission, 4);
}

#[test]
fn same_inputs_give_same_bytes() {
    let run = || {
        let mut pair = Pair::new();
        let conn = pair.broker.connect();
        for n in 0..50 {
            let mut request = send_request("auto", -1);
            request.properties = None;
            let body = format!("{n}");
            let frame = pair.broker.request(310, &request.to_ext(SendForm::V2), body.as_bytes());
            let sent = pair.broker.receive(conn, &frame);
            pair.settle(sent);
            pair.pass(Duration::from_millis(700));
        }
        (pair.sent, pair.broker.node.messages())
    };

    assert!(run() == run());
}
