//! What a name server knows, for how long, and how it says so.

use std::time::Duration;

use producer_core::wire::Fields;
use producer_core::wire::route::TopicRouteData;
use sim::model::name_server::{
    NameServer, NameServerConfig, NameServerFaults, Registration, TopicRegistration,
};

use crate::support::Got;
use crate::support::direct::{Direct, answers};

fn registration(broker: &str, id: i64, port: u16) -> Registration {
    Registration {
        cluster: "C".into(),
        broker: broker.into(),
        id,
        address: format!("127.0.0.1:{port}"),
        acting_master: false,
        silence_max: None,
        version: (1, 0, 0),
        topics: vec![TopicRegistration {
            topic: "T".into(),
            read_queues: 4,
            write_queues: 4,
            perm: 6,
            sys_flag: 0,
            order: false,
        }],
    }
}

fn ask(server: &mut Direct<NameServer>, code: i32, fields: &Fields<'_>) -> Option<Got> {
    let conn = server.connect();
    server.ask(conn, code, fields, b"").pop()
}

fn route(server: &mut Direct<NameServer>) -> Option<TopicRouteData> {
    let got = ask(server, 105, &Fields::new().text("topic", "T")).expect("an answer");
    (got.code == 0).then(|| TopicRouteData::decode(&got.body).expect("a route"))
}

fn server() -> Direct<NameServer> {
    let mut server = Direct::new(NameServer::new(NameServerConfig::default()));
    server.with(|server, now| {
        server.register(now, &registration("broker-a", 0, 1));
        server.register(now, &registration("broker-a", 1, 2));
        server.register(now, &registration("broker-b", 0, 3));
    });
    server
}

#[test]
fn routes_come_and_go_with_brokers() {
    let mut server = server();
    let names = |route: Option<TopicRouteData>| {
        let brokers = route.map_or_else(Vec::new, |route| route.brokers);
        brokers.into_iter().map(|broker| (broker.broker_name, broker.addresses.len())).collect()
    };
    let all: Vec<(String, usize)> = names(route(&mut server));
    assert_eq!(all, [("broker-a".to_owned(), 2), ("broker-b".to_owned(), 1)]);

    server.node.unregister("broker-a", 0);
    let slave_only: Vec<_> = names(route(&mut server));
    assert_eq!(slave_only[0], ("broker-a".to_owned(), 1));
    assert_eq!(route(&mut server).unwrap().queues.len(), 2);

    server.node.unregister("broker-a", 1);
    server.node.unregister("broker-b", 0);
    assert_eq!(route(&mut server), None);
}

#[test]
fn a_broker_that_moves_leaves_no_old_address() {
    let mut server = server();

    server.with(|server, now| server.register(now, &registration("broker-b", 0, 9)));

    assert_eq!(server.node.broker_address("broker-b", 0), Some("127.0.0.1:9"));
    assert_eq!(route(&mut server).unwrap().brokers[1].addresses.len(), 1);
}

#[test]
fn silent_brokers_expire_after_120_s() {
    let mut server = server();
    server.pass(Duration::from_secs(100));
    server.with(|server, now| server.register(now, &registration("broker-b", 0, 3)));

    server.pass(Duration::from_secs(26));

    assert_eq!(server.node.broker_address("broker-a", 0), None);
    assert!(server.node.broker_address("broker-b", 0).is_some());
}

#[test]
fn a_wiped_permission_lasts_until_topics_change() {
    let mut server = server();
    let wiped = ask(&mut server, 205, &Fields::new().text("brokerName", "broker-a")).unwrap();
    assert_eq!(wiped.ext("wipeTopicCount"), Some("1"));

    server.with(|server, now| server.register(now, &registration("broker-a", 0, 1)));
    assert_eq!(route(&mut server).unwrap().queues[0].perm, 4);

    let newer = Registration { version: (2, 0, 0), ..registration("broker-a", 0, 1) };
    server.with(|server, now| server.register(now, &newer));
    assert_eq!(route(&mut server).unwrap().queues[0].perm, 6);
}

#[test]
fn order_is_told_only_when_switched_on() {
    for on in [false, true] {
        let config = NameServerConfig { order_messages: on, ..NameServerConfig::default() };
        let mut server = Direct::new(NameServer::new(config));
        server.with(|server, now| server.register(now, &registration("broker-a", 0, 1)));
        let put = Fields::new()
            .text("namespace", "ORDER_TOPIC_CONFIG")
            .text("key", "T")
            .text("value", "broker-a:4");
        ask(&mut server, 100, &put);

        let order = route(&mut server).unwrap().order_topic_conf;

        assert_eq!(order.as_deref(), on.then_some("broker-a:4"));
    }
}

#[test]
fn faults_delay_silence_and_age_a_name_server() {
    let mut server = server();
    let conn = server.connect();
    let asked = Fields::new().text("topic", "T");
    server.node.fault(NameServerFaults { delay: Duration::from_secs(1), ..Default::default() });
    assert!(server.ask(conn, 105, &asked, b"").is_empty());
    let sent = server.pass(Duration::from_secs(1));
    assert_eq!(answers(&sent[0].1)[0].code, 0);

    server.node.fault(NameServerFaults { silent: true, ..Default::default() });
    assert!(server.ask(conn, 105, &asked, b"").is_empty());

    server.node.fault(NameServerFaults { stale: true, ..Default::default() });
    server.node.unregister("broker-b", 0);
    server.pass(Duration::from_secs(200));
    assert_eq!(route(&mut server).unwrap().brokers.len(), 2);

    server.node.fault(NameServerFaults::default());
    server.node.forget();
    assert_eq!(route(&mut server), None);
}
