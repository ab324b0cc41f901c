//! The harness itself, against real servers: boots, stores, reads back, survives what it does to
//! nodes, and knows the Java client.

use std::thread;
use std::time::{Duration, Instant};

use producer_core::wire::Fields;
use producer_core::wire::code::request::SEND_MESSAGE_V2;
use producer_core::wire::code::response::MESSAGE_ILLEGAL;
use producer_core::wire::route::{MASTER_ID, TopicRouteData};
use tests::cluster::java::Peer;
use tests::cluster::{BrokerSpec, Cluster, Node, Release, Result, Stored, Topic};
use tests::interop::java::{java_reads_the_same, stored_is_what_java_sent};

#[test]
fn interop_harness_drives_5_4_0() -> Result<()> {
    drive(Release::V5_4_0)
}

#[test]
fn interop_harness_drives_4_9_7() -> Result<()> {
    drive(Release::V4_9_7)
}

/// On the release whose brokers lose registrations and whose slaves refuse pulls.
#[test]
fn interop_harness_starts_a_large_cluster() -> Result<()> {
    let cluster = Cluster::builder(Release::V5_4_0)
        .name_servers(2)
        .broker(BrokerSpec::master("a").config("brokerRole", "SYNC_MASTER"))
        .master("b")
        .slave("a")
        .start()?;
    cluster.create_topic(&Topic::new("both", 2))?;
    cluster.create_topic(&Topic::new("one", 2).on(&["b"]))?;

    for nth in 0..2 {
        let mut name_server = cluster.name_server(nth)?.client()?;
        let info = name_server.cluster_info()?;
        let shown = |name: &str, id: i64| {
            let data = info.brokers.iter().find(|(broker, _)| broker == name);
            data.and_then(|(_, data)| data.address(id)).map(str::to_owned)
        };
        for (name, id) in [("a", 0), ("a", 1), ("b", 0)] {
            let address = cluster.broker(name, id)?.address().to_string();
            assert_eq!(shown(name, id), Some(address), "{name} {id} at name server {nth}");
        }
        let route = name_server.route("one")?.expect("it was made");
        assert_eq!(route.queues.len(), 1);
    }
    for (broker, body) in [("b", "to b"), ("a", "to a")] {
        let mut client = cluster.master(broker)?.client()?;
        client.call(SEND_MESSAGE_V2, &send_header("both", 1, ""), body.as_bytes())?.ok()?;
    }
    let messages = cluster.read_back_when("both", 2)?;
    assert_eq!(bodies(&messages), ["to a", "to b"]);

    cluster.name_server(0)?.kill();
    cluster.master("b")?.kill();
    cluster.create_topic(&Topic::new("late", 1))?;
    assert_eq!(bodies(&cluster.read_back("both")?), ["to a"]);
    cluster.master("b")?.restart()?;
    assert_eq!(cluster.read_back_when("both", 2)?, messages);
    Ok(())
}

/// One cluster for all steps: starting it costs more than all of them.
fn drive(release: Release) -> Result<()> {
    let begin = Instant::now();
    let cluster = Cluster::builder(release).master("a").start()?;
    let done = |step: &str| eprintln!("{release} {:.1} s {step}", begin.elapsed().as_secs_f32());
    done("booted");

    cluster.create_topic(&Topic::new("plain", 4))?;
    stored_is_what_was_sent(&cluster)?;
    done("stored_is_what_was_sent");
    topics_are_as_asked(&cluster)?;
    done("topics_are_as_asked");
    frozen_broker_answers_late(&cluster)?;
    done("frozen_broker_answers_late");
    settings_change_at_run_time(&cluster)?;
    done("settings_change_at_run_time");
    java_peer_sends_what_is_stored(&cluster)?;
    done("java_peer_sends_what_is_stored");
    messages_survive_a_kill(&cluster)?;
    done("messages_survive_a_kill");
    name_server_comes_back_and_is_filled(&cluster)?;
    done("name_server_comes_back_and_is_filled");
    broker_moves_to_another_port(&cluster)?;
    done("broker_moves_to_another_port");

    let pids: Vec<_> = cluster.nodes().filter_map(Node::pid).collect();
    drop(cluster);
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| !runs(*pid)), "{pids:?} outlived their cluster");
    done("nothing_is_left");
    Ok(())
}

fn stored_is_what_was_sent(cluster: &Cluster) -> Result<()> {
    let mut client = cluster.master("a")?.client()?;
    let properties = "KEYS\u{1}k1 k2\u{2}TAGS\u{1}blue\u{2}UNIQ_KEY\u{1}7F000001\u{2}note\u{1}ü";

    let answer =
        client.call(SEND_MESSAGE_V2, &send_header("plain", 2, properties), b"first")?.ok()?;
    client.send_one_way(SEND_MESSAGE_V2, &send_header("plain", 3, ""), b"second")?;

    let messages = cluster.read_back_when("plain", 2)?;
    assert_eq!(bodies(&messages), ["first", "second"]);
    let first = &messages[0];
    assert_eq!((first.broker.as_str(), first.topic.as_str()), ("a", "plain"));
    assert_eq!((first.queue_id, first.queue_offset), (2, 0));
    assert_eq!(answer.number("queueOffset")?, 0);
    assert_eq!(first.keys(), Some("k1 k2"));
    assert_eq!(first.tags(), Some("blue"));
    assert_eq!(first.uniq_key(), Some("7F000001"));
    assert_eq!(first.property("note"), Some("ü"));
    assert_eq!((first.flag, first.born_time_ms), (5, 1_700_000_000_000));
    assert_eq!(first.store_host, cluster.master("a")?.address());
    assert_eq!(Some(&first.offset_id()), answer.ext.get("msgId"));
    assert_eq!(messages[1].queue_id, 3);
    Ok(())
}

fn topics_are_as_asked(cluster: &Cluster) -> Result<()> {
    cluster.create_topic(&Topic::new("uneven", 5).write_queues(2).perm(4))?;

    let queues = &route_of(cluster, "uneven")?.expect("it was made").queues[0];
    assert_eq!((queues.read_queue_nums, queues.write_queue_nums, queues.perm), (5, 2, 4));
    assert!(cluster.read_back("uneven")?.is_empty());
    assert!(cluster.read_back("never-made")?.is_empty());
    Ok(())
}

fn frozen_broker_answers_late(cluster: &Cluster) -> Result<()> {
    let broker = cluster.master("a")?;
    let mut client = broker.client()?;
    let pause = Duration::from_millis(300);

    broker.freeze()?;
    assert!(!broker.is_live());
    let begin = Instant::now();
    let asked =
        thread::spawn(move || client.call(SEND_MESSAGE_V2, &send_header("plain", 0, ""), b"late"));
    thread::sleep(pause);
    broker.thaw()?;
    asked.join().expect("the sender does not panic")?.ok()?;

    assert!(begin.elapsed() >= pause);
    assert!(broker.is_live());
    let messages = cluster.read_back_when("plain", 3)?;
    assert_eq!(bodies(&messages), ["late", "first", "second"]);
    Ok(())
}

fn settings_change_at_run_time(cluster: &Cluster) -> Result<()> {
    let broker = cluster.master("a")?;
    let mut client = broker.client()?;

    broker.update_config("maxMessageSize", "64")?;
    let refused = client.call(SEND_MESSAGE_V2, &send_header("plain", 0, ""), &[b'x'; 65])?;
    broker.update_config("maxMessageSize", "4194304")?;

    assert_eq!(refused.code, MESSAGE_ILLEGAL);
    broker.update_config("brokerPermission", "4")?;
    assert_eq!(route_of(cluster, "plain")?.expect("it is there").queues[0].perm, 4);
    broker.update_config("brokerPermission", "6")
}

fn java_peer_sends_what_is_stored(cluster: &Cluster) -> Result<()> {
    cluster.create_topic(&Topic::new("java", 4))?;
    let peer = Peer::new(cluster.release())?;
    let steps = ["sync:3", "async:3", "oneway:3", "selector:3", "batch:3", "sync:1:6000"];

    let results = peer.send(&cluster.name_server_list(), "java", &steps)?;

    assert_eq!(results.len(), 3 + 3 + 3 + 3 + 1 + 1, "{results:?}");
    let messages = cluster.read_back_when("java", 16)?;
    assert_eq!(messages.len(), 16);
    stored_is_what_java_sent(&results, &messages);
    java_reads_the_same(&peer, &messages)
}

fn messages_survive_a_kill(cluster: &Cluster) -> Result<()> {
    let broker = cluster.master("a")?;
    let before = cluster.read_back("plain")?;
    let address = broker.address();

    broker.kill();
    assert!(broker.client().is_err());
    broker.restart()?;

    assert_eq!(broker.address(), address);
    assert_eq!(cluster.read_back_when("plain", before.len())?, before);
    broker.client()?.call(SEND_MESSAGE_V2, &send_header("plain", 2, ""), b"next")?.ok()?;
    let after = cluster.read_back_when("plain", before.len() + 1)?;
    assert_eq!(bodies(&after), ["late", "first", "next", "second"]);
    Ok(())
}

fn name_server_comes_back_and_is_filled(cluster: &Cluster) -> Result<()> {
    let name_server = cluster.name_server(0)?;

    name_server.terminate()?;
    assert!(name_server.client().is_err());
    name_server.restart()?;
    cluster.wait_registered()?;

    assert!(route_of(cluster, "plain")?.is_some());
    Ok(())
}

fn broker_moves_to_another_port(cluster: &Cluster) -> Result<()> {
    let broker = cluster.master("a")?;
    let old = broker.address();

    broker.terminate()?;
    broker.restart_on_another_port()?;

    assert_ne!(broker.address(), old);
    let route = route_of(cluster, "plain")?.expect("it is there");
    assert_eq!(route.brokers[0].address(MASTER_ID), Some(&*broker.address().to_string()));
    assert_eq!(cluster.read_back_when("plain", 4)?.len(), 4);
    Ok(())
}

fn route_of(cluster: &Cluster, topic: &str) -> Result<Option<TopicRouteData>> {
    cluster.name_server(0)?.client()?.route(topic)
}

fn send_header<'a>(topic: &'a str, queue_id: i32, properties: &'a str) -> Fields<'a> {
    Fields::new()
        .text("a", "harness")
        .text("b", topic)
        .text("c", "TBW102")
        .text("d", "4")
        .show("e", queue_id)
        .text("f", "0")
        .text("g", "1700000000000")
        .text("h", "5")
        .text("i", properties)
        .text("j", "0")
        .text("m", "false")
}

fn bodies(messages: &[Stored]) -> Vec<String> {
    let text = |message: &Stored| String::from_utf8_lossy(&message.body).into_owned();
    messages.iter().map(text).collect()
}

fn runs(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}
