//! Batches: what brokers of both releases store, and what a Java consumer reads.

use std::collections::BTreeMap;
use std::time::Duration;

use producer_native::{Batch, InvalidBatch, Message, Outcome, Producer};
use tests::cluster::{Cluster, Release, Result, Topic};
use tests::interop::client::{Java, Reach, Read};
use tests::interop::{Steps, producer, runtime};
use tokio::runtime::Runtime;

#[test]
fn interop_batch_5_4_0() -> Result<()> {
    batches(Release::V5_4_0)
}

#[test]
fn interop_batch_4_9_7() -> Result<()> {
    batches(Release::V4_9_7)
}

struct World {
    cluster: Cluster,
    runtime: Runtime,
    java: Java,
    reach: Reach,
}

fn batches(release: Release) -> Result<()> {
    let cluster = Cluster::builder(release).master("a").start()?;
    let reach = Reach::new(&cluster.name_server_list(), "interop-batch");
    let world = World { cluster, runtime: runtime(), java: Java::start()?, reach };
    let steps = Steps::begin(release);
    list(&world)?;
    steps.done("a list in one request");
    split(&world)?;
    steps.done("a list that is split");
    refused(&world);
    steps.done("a batch that the broker refuses");
    if release == Release::V5_4_0 {
        stored_as_one(&world)?;
        steps.done("a batch that is stored as one");
    }
    Ok(())
}

impl World {
    fn producer(&self) -> Producer {
        let builder = producer(&self.runtime, &self.cluster);
        builder.send_timeout(Duration::from_secs(20)).build().expect("it has what it needs")
    }

    fn topic(&self, name: &str, attributes: Option<&str>) -> Result<()> {
        let topic = Topic::new(name, 1);
        self.cluster.create_topic(&match attributes {
            Some(attributes) => topic.attributes(attributes),
            None => topic,
        })
    }

    fn read(&self, topic: &str, count: usize) -> Result<Vec<Read>> {
        let read = self.java.consume(&self.reach, topic, count)?;
        assert_eq!(read.len(), count, "{topic}");
        Ok(read)
    }
}

fn messages(topic: &str, count: usize) -> Vec<Message> {
    let message = |n: usize| {
        let message = Message::new(topic, format!("body {n}")).expect("valid");
        let message = message.tag("tag").and_then(|m| m.keys([format!("k{n}").as_str()]));
        message.and_then(|m| m.with_property("n", &n.to_string())).expect("valid").flag(n as i32)
    };
    (0..count).map(message).collect()
}

/// What was read is what was sent, under the ids and at the places that the receipts name.
fn same(read: &[Read], receipts: &[producer_native::Receipt]) {
    let by_id: BTreeMap<_, _> =
        read.iter().map(|read| (read.uniq_key.clone().unwrap_or_default(), read)).collect();
    assert_eq!(by_id.len(), receipts.len());
    for (n, receipt) in receipts.iter().enumerate() {
        let read = by_id[receipt.message_id.as_str()];
        assert_eq!(read.body(), format!("body {n}").into_bytes());
        assert_eq!((read.queue_id, read.queue_offset), (receipt.queue_id, receipt.queue_offset));
        assert_eq!((read.flag, read.tags.as_deref()), (n as i32, Some("tag")));
        assert_eq!(read.keys.as_deref(), Some(format!("k{n}").as_str()));
        assert_eq!(read.properties["n"], n.to_string());
    }
}

fn list(world: &World) -> Result<()> {
    world.topic("list", None)?;
    let producer = world.producer();
    let batch = Batch::new(messages("list", 50)).expect("valid");

    let receipts = world.runtime.block_on(producer.send_batch(batch)).expect("stored");

    let stored = world.cluster.read_back_when("list", 50)?;
    for (receipt, stored) in receipts.iter().zip(&stored) {
        assert_eq!(stored.uniq_key(), Some(receipt.message_id.as_str()));
        let id = receipt.offset_id.expect("brokers name it").to_string();
        assert_eq!(stored.offset_id(), id);
    }
    same(&world.read("list", 50)?, &receipts);
    Ok(())
}

fn split(world: &World) -> Result<()> {
    world.topic("split", None)?;
    let producer = world.producer();
    let batches = Batch::split(messages("split", 300), 4_096).expect("valid");
    assert!(batches.len() > 5);
    let mut receipts = Vec::new();
    for batch in batches {
        receipts.extend(world.runtime.block_on(producer.send_batch(batch)).expect("stored"));
    }
    same(&world.read("split", 300)?, &receipts);
    Ok(())
}

fn refused(world: &World) {
    let retry = Message::new("%RETRY%group", "x").expect("valid");
    assert_eq!(Batch::new([retry]), Err(InvalidBatch::RetryTopic));
    let mut large = producer(&world.runtime, &world.cluster);
    large = large.configure(|config| config.message_bytes_max = 8 << 20);
    let large = large.build().expect("it has what it needs");
    let bodies = (0..3).map(|_| Message::new("list", vec![b'x'; 2 << 20]).expect("valid"));
    let batch = Batch::new(bodies).expect("valid");

    let error = world.runtime.block_on(large.send_batch(batch)).expect_err("longer than 4 MiB");

    assert_eq!(error.outcome(), Outcome::Rejected, "{error}");
}

fn stored_as_one(world: &World) -> Result<()> {
    world.topic("inner", Some("+queue.type=BatchCQ"))?;
    let producer = world.producer();
    let mut receipts = Vec::new();
    let mut all = messages("inner", 20);
    let rest = all.split_off(8);
    for part in [all, rest] {
        let batch = Batch::new(part).expect("valid");
        receipts.extend(world.runtime.block_on(producer.send_batch(batch)).expect("stored"));
    }
    same(&world.read("inner", 20)?, &receipts);
    Ok(())
}
