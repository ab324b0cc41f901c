//! `doctor`.

use serde_json::Value;
use sim::model::name_server::NameServerFaults;

use crate::run::{Ended, refused, run, serve};

fn codes(ended: &Ended) -> Vec<String> {
    let report = ended.lines().remove(0);
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_sound_cluster_is_praised() {
    let served = serve(|cluster| cluster.name_servers(2).numbered_brokers(2).slave_of_each());
    let name_servers = served.cluster.name_servers();

    let text = run(&["doctor", "-n", &name_servers, "-t", "orders"]);
    let json = run(&["doctor", "-n", &name_servers, "--json"]);

    assert_eq!((text.code, json.code), (Some(0), Some(0)), "{text:?} {json:?}");
    assert!(text.stdout.ends_with("nothing is wrong\n"), "{text:?}");
    let report = &json.lines()[0];
    assert_eq!(report["brokers"].as_array().map(Vec::len), Some(4));
    assert_eq!(report["name_servers"][1]["version"], "V5_4_0");
    assert!(report["brokers"][0]["elapsed_us"].as_u64().is_some_and(|us| us > 0), "{report}");
}

#[test]
fn what_is_wrong_has_a_code_and_an_advice() {
    let served = serve(|cluster| cluster.name_servers(2).numbered_brokers(2));
    let name_servers = served.cluster.name_servers();
    let doctor = |more: &[&str]| {
        run(&[&["doctor", "--json", "-n", &name_servers, "--timeout", "1s"], more].concat())
    };

    let absent = doctor(&["-t", "nope"]);
    let map = format!("{}={}", served.cluster.broker("broker-a").address(), refused());
    let mapped = doctor(&["--address-map", &map]);
    served.cluster.broker("broker-b").read_only();
    served.runtime.block_on(served.cluster.wait_until_registered()).unwrap();
    let read_only = doctor(&["-t", "orders"]);
    served.runtime.block_on(served.cluster.name_server(1).kill());
    // Else it would forget the broker at once.
    served.cluster.name_server(0).fault(NameServerFaults { stale: true, ..Default::default() });
    served.cluster.broker("broker-b").pause();
    served.runtime.block_on(served.cluster.broker("broker-a").kill());
    let dead = doctor(&["-t", "orders"]);

    assert_eq!(codes(&absent), ["topic_not_found"]);
    assert_eq!(codes(&mapped), ["mapped_unreachable"]);
    assert_eq!(codes(&read_only), ["broker_not_writable"]);
    let wanted = [
        "name_server_unreachable",
        "broker_not_writable",
        "advertised_unreachable",
        "broker_silent",
    ];
    assert_eq!(codes(&dead), wanted);
    for ended in [absent, mapped, read_only, dead] {
        assert_eq!(ended.code, Some(1));
        let finding: &Value = &ended.lines()[0]["findings"][0];
        assert!(!finding["advice"].as_str().unwrap().is_empty(), "{finding}");
    }
}

#[test]
fn a_port_that_is_no_name_server_is_told_from_a_dead_one() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _asked = stream.read(&mut [0; 512]).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });

    let other = run(&["doctor", "--json", "-n", &address]);
    let dead = run(&["doctor", "-n", &refused()]);

    web.join().unwrap();
    assert_eq!(codes(&other), ["not_a_name_server"]);
    assert!(other.stdout.contains("HTTP/1.1 400 Bad Request"), "{other:?}");
    assert_eq!(dead.code, Some(1));
    assert!(dead.stdout.contains("connection refused"), "{dead:?}");
    assert!(dead.stdout.contains("[name_server_unreachable]"), "{dead:?}");
}
