//! A real Apache RocketMQ 5.4.0 for `./bench --real`: `real-cluster BROKERS`. It prints addresses,
//! name server first, and does what the lines of its input say, until `end`: see `servers.rs`.
#![expect(clippy::unwrap_used, reason = "a bench: what fails ends it")]

use std::io::stdin;

use tests::cluster::{BrokerSpec, Cluster, Node, Release, Topic};

fn main() {
    let brokers: u8 = std::env::args().nth(1).unwrap().parse().unwrap();
    let names: Vec<String> = (b'a'..b'a' + brokers).map(|name| char::from(name).into()).collect();
    let mut builder = Cluster::builder(Release::V5_4_0);
    for name in &names {
        // The harness has small files; a bench would fill one after the other.
        let spec = BrokerSpec::master(name).config("mappedFileSizeCommitLog", "268435456");
        builder = builder.broker(spec.config("mappedFileSizeConsumeQueue", "6000000"));
    }
    let cluster = builder.start().unwrap();
    cluster.create_topic(&Topic::new("bench-0", 4)).unwrap();
    let addresses: Vec<_> = cluster.nodes().map(|node| node.address().to_string()).collect();
    println!("{}", addresses.join(" "));
    let hurt = cluster.master(&names[0]).unwrap();
    for line in stdin().lines().map_while(Result::ok) {
        match line.as_str() {
            "kill" => hurt.kill(),
            "freeze" => hurt.freeze().unwrap(),
            "heal" => heal(hurt),
            _ => break,
        }
        println!("done");
    }
}

fn heal(node: &Node) {
    match node.pid() {
        Some(_) => node.thaw().unwrap(),
        None => node.restart().unwrap(),
    }
}
