//! What a producer could do from the start: whole messages, one-way, queues, order, new topics.

use std::collections::BTreeMap;
use std::time::Duration;

use producer_native::{Batch, Message, Order, QueueChoice, Receipt, SendOptions, TopicName, Trace};
use tests::cluster::{Result, Topic};
use tests::interop::client::Read;
use tests::interop::{message, stored};

use crate::compat::world::World;

pub(crate) fn whole_messages(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("whole", 4))?;
    let shapes: Vec<_> = (0..COUNT).map(shape).collect();
    let receipts: Vec<_> = shapes.iter().map(|message| world.send(message.clone())).collect();

    let read = world.java.consume(&world.reach, "whole", COUNT)?;
    let even = world.reach.clone().with("tags", "even");
    let even = world.java.consume(&even, "whole", COUNT.div_ceil(2))?;

    assert_eq!(read.len(), COUNT);
    let read: BTreeMap<_, _> = read.iter().map(|read| (&*read.message_id, read)).collect();
    for (sent, receipt) in shapes.iter().zip(&receipts) {
        same(sent, receipt, read[receipt.message_id.as_str()]);
    }
    assert_eq!(even.len(), COUNT.div_ceil(2));
    assert!(even.iter().all(|read| read.tags.as_deref() == Some("even")), "{even:?}");
    Ok(())
}

fn same(sent: &Message, receipt: &Receipt, read: &Read) {
    assert_eq!(read.body(), sent.body()[..]);
    assert_eq!(read.topic, sent.topic().as_str());
    assert_eq!(read.tags.as_deref(), sent.property("TAGS"));
    assert_eq!(read.keys.as_deref(), sent.property("KEYS"));
    assert_eq!(read.flag, sent.flag_value());
    assert_eq!((&*read.broker, read.queue_id), (&*receipt.broker, receipt.queue_id));
    assert_eq!(read.queue_offset, receipt.queue_offset);
    assert_eq!(read.uniq_key.as_deref(), Some(receipt.message_id.as_str()));
    assert_eq!((read.sys_flag, read.reconsume_times), (0, 0));
    for (name, value) in sent.properties() {
        assert_eq!(read.properties.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!((read.store_time_ms - read.born_time_ms).abs() < 10_000, "{read:?}");
}

fn shape(n: usize) -> Message {
    shape_of("whole", n)
}

fn shape_of(topic: &str, n: usize) -> Message {
    let message = message(topic, &format!("body {n} \u{1F980}")).flag(i32::MIN + n as i32);
    let message = message.tag(if n.is_multiple_of(2) { "even" } else { "odd" });
    let number = n.to_string();
    let message = message.and_then(|message| message.keys(["k", &*number]));
    let message = message.and_then(|message| message.with_property("ключ", "значение = \"1\""));
    message.expect("valid")
}

pub(crate) fn keys_in_order(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("lane", 4))?;
    let options = SendOptions::default().queue(QueueChoice::ordered("order-7", Order::Strict));
    let bodies: Vec<_> = (0..COUNT).map(|n| n.to_string()).collect();
    let ticket = |body: &String| world.plain.enqueue_with(message("lane", body), options.clone());
    let tickets: Vec<_> = world.runtime.block_on(async { bodies.iter().map(ticket).collect() });
    tickets.into_iter().for_each(|ticket| drop(stored(world.runtime.block_on(ticket))));

    let read = world.java.consume(&world.reach, "lane", COUNT)?;

    assert!(read.iter().all(|one| one.queue_id == read[0].queue_id), "{read:?}");
    assert_eq!(read.iter().map(text).collect::<Vec<_>>(), bodies);
    Ok(())
}

pub(crate) fn one_way(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("one-way", 2))?;
    for n in 0..COUNT {
        let written = world.plain.send_oneway(message("one-way", &n.to_string()));
        world.runtime.block_on(written).unwrap_or_else(|error| panic!("one-way {n}: {error}"));
    }

    assert_eq!(world.stored("one-way", COUNT)?.len(), COUNT);
    let read = world.java.consume(&world.reach, "one-way", COUNT)?;

    let mut numbers: Vec<usize> = read.iter().filter_map(|read| text(read).parse().ok()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>());
    Ok(())
}

/// A queue by number is that queue, and Java's selector and ours choose the same for a key.
pub(crate) fn queues(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("queues", 5))?;
    let topic = TopicName::new("queues").expect("valid");
    let route = world.runtime.block_on(world.plain.route(&topic));
    let all = route.unwrap_or_else(|error| panic!("no route: {error}")).queues;
    let send = |body: &str, queue| {
        let options = SendOptions::default().queue(queue);
        stored(world.runtime.block_on(world.plain.send_with(message("queues", body), options)))
    };
    for queue in &all {
        assert_eq!(send("fixed", QueueChoice::Queue(queue.clone())).queue_id, queue.id);
    }
    let java = world.java.produce(&world.reach, "queues", &[&format!("selector:{COUNT}")])?;
    for result in &java {
        let key = result["keys"][0].as_str().unwrap_or_default();
        assert_eq!(send("hashed", QueueChoice::hash(key)).queue_id, result["queueId"], "{result}");
    }

    let read = world.java.consume(&world.reach, "queues", all.len() + 2 * COUNT)?;

    let fixed = read.iter().filter(|read| text(read) == "fixed").map(|read| read.queue_id);
    assert_eq!(fixed.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(read.len(), all.len() + 2 * COUNT);
    Ok(())
}

pub(crate) fn created_topics(world: &World) -> Result<()> {
    let creating = world.producer().configure(|config| config.auto_create_topics = true);
    let creating = creating.build().expect("complete");
    for n in 0..COUNT {
        let sent = creating.send(message("made-by-sending", &n.to_string()));
        stored(world.runtime.block_on(sent));
    }

    let read = world.java.consume(&world.reach, "made-by-sending", COUNT)?;

    assert_eq!(read.len(), COUNT);
    Ok(())
}

/// All members are stored one after the other, and each is found by its own receipt.
pub(crate) fn batches(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("whole-batches", 3))?;
    let shapes: Vec<_> = (0..COUNT).map(|n| shape_of("whole-batches", n)).collect();
    let batch = Batch::new(shapes.clone()).expect("they go together");
    let sent = world.runtime.block_on(world.plain.send_batch(batch));
    let receipts = sent.unwrap_or_else(|error| panic!("the batch failed: {error}"));

    let read = world.java.consume(&world.reach, "whole-batches", COUNT)?;

    assert_eq!((receipts.len(), read.len()), (COUNT, COUNT));
    let read: BTreeMap<_, _> = read.iter().map(|read| (&*read.message_id, read)).collect();
    for (sent, receipt) in shapes.iter().zip(&receipts) {
        same(sent, receipt, read[receipt.message_id.as_str()]);
    }
    let offsets = receipts.iter().map(|receipt| receipt.queue_offset);
    assert!(offsets.eq(0..COUNT as u64), "{receipts:?}");
    let stored = world.stored("whole-batches", COUNT)?;
    for (receipt, stored) in receipts.iter().zip(&stored) {
        let id = receipt.offset_id.as_ref().map(|id| id.as_str());
        assert_eq!(id, Some(&*stored.offset_id()));
    }
    Ok(())
}

/// The trace of each send is in the trace topic by the time the producer is closed.
pub(crate) fn traces(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("traced", 1))?;
    world.create_topic(&Topic::new("traces", 1))?;
    let trace = Trace { topic: TopicName::new("traces").expect("valid"), ..Trace::default() };
    let producer = world.producer().trace(trace).build().expect("complete");
    let send = |n: usize| {
        let message = message("traced", "x").keys([&*format!("key-{n}")]).expect("valid");
        stored(world.runtime.block_on(producer.send(message)))
    };
    let receipts: Vec<_> = (0..3).map(send).collect();
    world.runtime.block_on(producer.close(Duration::from_secs(5)));

    let read = world.java.consume(&world.reach, "traces", 1)?;

    let all: String = read.iter().map(text).collect();
    for (n, receipt) in receipts.iter().enumerate() {
        let id = receipt.message_id.as_str();
        assert!(all.contains(id) && all.contains(&format!("key-{n}")), "{id}: {all:?}");
        let is_key = |read: &Read| read.keys.as_deref().is_some_and(|keys| keys.contains(id));
        assert!(read.iter().any(is_key), "{id} is a key of its trace: {read:?}");
    }
    assert!(all.starts_with("Pub\u{1}"), "{all:?}");
    Ok(())
}

fn text(read: &Read) -> String {
    String::from_utf8_lossy(&read.body()).into_owned()
}

const COUNT: usize = 20;
