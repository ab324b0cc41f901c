//! `route`.

use serde_json::json;

use crate::run::{refused, run, serve};

#[test]
fn a_route_names_queues_and_both_addresses() {
    let served = serve(|cluster| cluster);
    let name_servers = served.cluster.name_servers();
    let broker = served.cluster.broker("broker-a").address().to_string();
    let map = format!("{broker}=10.0.0.1:1");
    let arguments = ["route", "orders", "-n", &name_servers, "--address-map", &map];

    let text = run(&arguments);
    let json = run(&[&arguments[..], &["--json"]].concat());

    assert_eq!((text.code, json.code), (Some(0), Some(0)));
    assert!(text.stdout.contains(&format!("{broker} -> 10.0.0.1:1")), "{text:?}");
    let route = &json.lines()[0];
    assert_eq!(route["queues"][3], json!({"broker": "broker-a", "id": 3}));
    assert_eq!(route["brokers"][0]["advertised"], broker);
    assert_eq!(route["brokers"][0]["dialled"], "10.0.0.1:1");
}

#[test]
fn an_unknown_topic_and_a_dead_name_server_differ() {
    let served = serve(|cluster| cluster);

    let unknown = run(&["route", "nope", "--json", "-n", &served.cluster.name_servers()]);
    let dead = run(&["route", "nope", "--json", "-n", &refused(), "--timeout", "200ms"]);

    assert_eq!((unknown.code, dead.code), (Some(1), Some(1)));
    assert_eq!(unknown.lines()[0]["code"], "topic_not_found");
    assert_eq!(dead.lines()[0]["code"], "name_servers_unreachable");
    assert!(dead.stderr.contains("hint: check the name server addresses"), "{dead:?}");
}
