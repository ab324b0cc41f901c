//! The published Java client takes our embedded cluster for a real one: it gets the right answers,
//! our brokers store what it sent, and it can read what they stored.

use std::collections::HashSet;
use std::time::Duration;

use producer_native::{Producer, QueueChoice, SendOptions};
use serde_json::Value;
use sim::model;
use sim::model::broker::{Fault, Refusal, Status, Times};
use sim::serve::EmbeddedCluster;
use tests::cluster::java::Peer;
use tests::cluster::{Error, Release, Result, Stored, read_from};
use tests::interop::java::{java_reads_the_same, stored_is_what_java_sent};
use tests::interop::{Steps, message, runtime, stored, until};
use tokio::runtime::Runtime;

#[test]
fn interop_java_5_4_0_sends_to_embedded_clusters() -> Result<()> {
    java_sends(Release::V5_4_0)?;
    java_understands_refusals(Release::V5_4_0)
}

#[test]
fn interop_java_4_9_7_sends_to_embedded_clusters() -> Result<()> {
    java_sends(Release::V4_9_7)?;
    java_understands_refusals(Release::V4_9_7)
}

fn java_sends(client: Release) -> Result<()> {
    let steps = Steps::begin(client);
    let peer = Peer::new(client)?;
    let runtime = runtime();
    for release in [model::Release::V5_4_0, model::Release::V4_9_7] {
        let cluster = EmbeddedCluster::builder().release(release).numbered_brokers(2);
        let cluster = cluster.topic("json", 4).topic("binary", 4).start();
        let cluster = runtime.block_on(cluster).expect("ports of this process are free");
        for (topic, flags) in [("json", None), ("binary", Some(BINARY))] {
            let results = send(&peer, &cluster, topic, flags)?;
            let messages = read_when(&cluster, topic, MESSAGES)?;
            assert_eq!(messages.len(), MESSAGES);
            stored_is_what_java_sent(&results, &messages);
            selector_is_ours(&runtime, &cluster, topic, &results);
            java_reads_the_same(&peer, &messages)?;
            steps.done(format_args!("client, models as {release:?}, headers in {topic}"));
        }
    }
    Ok(())
}

/// Statuses, errors and lost connections, one after the other, at a lone broker.
fn java_understands_refusals(client: Release) -> Result<()> {
    let steps = Steps::begin(client);
    let runtime = runtime();
    let cluster = EmbeddedCluster::builder().topic("faults", 4).start();
    let cluster = runtime.block_on(cluster).expect("ports of this process are free");
    let broker = &cluster.brokers()[0];
    let attempts = 3;
    for (fault, times) in [
        (Fault::StoredBut(Status::FlushDiskTimeout), 1),
        (Fault::StoredBut(Status::SlaveNotAvailable), 1),
        (Fault::StoredBut(Status::FlushSlaveTimeout), 1),
        (Fault::Refuse(Refusal::Illegal), 1),
        (Fault::Refuse(Refusal::SystemError), attempts),
        (Fault::CloseAfterStoring, 1),
        (Fault::Refuse(Refusal::GoAway), 1),
    ] {
        broker.fault(fault, Times::Next(times));
    }

    let results = Peer::new(client)?.send(&cluster.name_servers(), "faults", &["sync:8"])?;

    let said = |result: &Value| match result["status"].as_str() {
        Some(status) => status.to_owned(),
        None => result["responseCode"].to_string(),
    };
    // 4.9.7 does not notice that the connection of a request is gone, and waits out its time.
    let (lost, copies) = match client {
        Release::V5_4_0 => ("SEND_OK", 2),
        Release::V4_9_7 => ("null", 1),
    };
    let statuses = ["FLUSH_DISK_TIMEOUT", "SLAVE_NOT_AVAILABLE", "FLUSH_SLAVE_TIMEOUT"];
    let wanted = [&statuses[..], &["13", "1", lost, "SEND_OK", "SEND_OK"]].concat();
    assert_eq!(results.iter().map(said).collect::<Vec<_>>(), wanted, "{results:?}");
    let messages = broker.messages("faults");
    let keys: Vec<_> = messages.iter().filter_map(|message| message.property("KEYS")).collect();
    let twice = vec!["sync-5"; copies];
    assert_eq!(keys, [&["sync-0", "sync-1", "sync-2"], &twice[..], &["sync-6", "sync-7"]].concat());
    let ids: HashSet<_> = messages.iter().map(model::broker::Message::uniq_key).collect();
    assert_eq!(ids.len(), 6, "copies have one id");
    steps.done("client understands statuses, errors and lost connections");
    Ok(())
}

fn send(
    peer: &Peer,
    cluster: &EmbeddedCluster,
    topic: &str,
    flags: Option<&str>,
) -> Result<Vec<Value>> {
    let name_servers = format!("-Drocketmq.namesrv.addr={}", cluster.name_servers());
    let flags: Vec<_> = flags.into_iter().chain([&*name_servers]).collect();
    let steps =
        ["sync:40", "async:40", "oneway:20", "selector:20", "batch:20", "sync:1:6000", "batch:1"];
    let results = peer.run(&flags, &[&["send", topic, "java-peer"], &steps[..]].concat())?;
    assert_eq!(results.len(), 40 + 40 + 20 + 20 + 1 + 1 + 1, "{results:?}");
    Ok(results)
}

/// One-way messages may be under way still.
fn read_when(cluster: &EmbeddedCluster, topic: &str, count: usize) -> Result<Vec<Stored>> {
    let read = || -> Result<Vec<Stored>, Error> {
        let brokers = cluster.brokers().iter();
        let messages = brokers.map(|broker| read_from(broker.address(), &broker.name(), topic));
        Ok(messages.collect::<Result<Vec<_>>>()?.concat())
    };
    let limit = Duration::from_secs(5);
    until(limit, "all messages", || match read() {
        Ok(messages) if messages.len() < count => None,
        other => Some(other),
    })
}

/// Our producer takes the same queue for a key as Java's selector did.
fn selector_is_ours(runtime: &Runtime, cluster: &EmbeddedCluster, topic: &str, results: &[Value]) {
    let producer = Producer::builder("ours").name_servers(&cluster.name_servers());
    let producer = producer.runtime(runtime.handle().clone()).build().expect("complete");
    for result in results.iter().filter(|result| result["api"] == "selector") {
        let key = result["keys"][0].as_str().unwrap_or_default();
        let options = SendOptions::default().queue(QueueChoice::hash(key));
        let receipt = stored(runtime.block_on(producer.send_with(message(topic, key), options)));
        assert_eq!(result["broker"], *receipt.broker, "{result}");
        assert_eq!(result["queueId"], receipt.queue_id, "{result}");
    }
}

const BINARY: &str = "-Drocketmq.serialize.type=ROCKETMQ";
const MESSAGES: usize = 40 + 40 + 20 + 20 + 20 + 1 + 1;
