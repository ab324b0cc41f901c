//! What we send is what a Java consumer reads, and Java's services and requesters work on the same
//! clusters: the ground that tests of request-reply stand on.

use std::collections::BTreeMap;

use producer_native::{Message, Order, Producer, QueueChoice, Receipt, SendOptions};
use tests::cluster::{Cluster, Release, Result, Topic};
use tests::interop::client::{Java, Reach, Read};
use tests::interop::{Steps, message, producer, runtime, stored};
use tokio::runtime::Runtime;

#[test]
fn interop_java_consumer_reads_5_4_0() -> Result<()> {
    java_reads(Release::V5_4_0)
}

#[test]
fn interop_java_consumer_reads_4_9_7() -> Result<()> {
    java_reads(Release::V4_9_7)
}

fn java_reads(release: Release) -> Result<()> {
    let cluster = Cluster::builder(release).master("a").start()?;
    let steps = Steps::begin(release);
    let runtime = runtime();
    let plain = producer(&runtime, &cluster).build().expect("complete");
    let java = Java::start()?;
    let reach = Reach::new(&cluster.name_server_list(), "java-client");
    let world = World { cluster, runtime, plain, java, reach };
    whole_messages(&world)?;
    steps.done("a Java consumer reads whole messages");
    keys_in_order(&world)?;
    steps.done("a Java consumer reads a key in order");
    java_answers_java(&world)?;
    steps.done("a Java service answers a Java requester");
    Ok(())
}

struct World {
    cluster: Cluster,
    runtime: Runtime,
    plain: Producer,
    java: Java,
    reach: Reach,
}

fn whole_messages(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("whole", 4))?;
    let shapes: Vec<_> = (0..COUNT).map(shape).collect();
    let send =
        |message: &Message| stored(world.runtime.block_on(world.plain.send(message.clone())));
    let receipts: Vec<_> = shapes.iter().map(send).collect();

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
    let message = message("whole", &format!("body {n} \u{1F980}")).flag(i32::MIN + n as i32);
    let message = message.tag(if n.is_multiple_of(2) { "even" } else { "odd" });
    let number = n.to_string();
    let message = message.and_then(|message| message.keys(["k", &*number]));
    let message = message.and_then(|message| message.with_property("ключ", "значение = \"1\""));
    message.expect("valid")
}

fn keys_in_order(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("lane", 4))?;
    let options = SendOptions::default().queue(QueueChoice::ordered("order-7", Order::Strict));
    let bodies: Vec<_> = (0..COUNT).map(|n| n.to_string()).collect();
    let ticket = |body: &String| world.plain.enqueue_with(message("lane", body), options.clone());
    let tickets: Vec<_> = world.runtime.block_on(async { bodies.iter().map(ticket).collect() });
    tickets.into_iter().for_each(|ticket| drop(stored(world.runtime.block_on(ticket))));

    let read = world.java.consume(&world.reach, "lane", COUNT)?;

    assert!(read.iter().all(|one| one.queue_id == read[0].queue_id), "{read:?}");
    let text = |read: &Read| String::from_utf8_lossy(&read.body()).into_owned();
    assert_eq!(read.iter().map(text).collect::<Vec<_>>(), bodies);
    Ok(())
}

fn java_answers_java(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("questions", 2))?;
    // Replies go to a topic named after the cluster; a 5.x requester asks for its route.
    let asking = Reach::new(&world.cluster.name_server_list(), "java-requester");
    let service = world.java.serve(&world.reach, "questions", &[])?;

    let replies = world.java.request(&asking, "questions", 3, 10_000)?;

    let served = service.stop()?;
    assert_eq!((replies.len(), served.len()), (3, 3), "{replies:?} {served:?}");
    for (n, (reply, request)) in replies.iter().zip(&served).enumerate() {
        assert_eq!(reply["body"], format!("re:request-{n}"), "{reply}");
        assert_eq!(request["reply"]["status"], "SEND_OK", "{request}");
        let id = &request["properties"]["CORRELATION_ID"];
        assert_eq!(reply["properties"]["CORRELATION_ID"], *id, "{reply}");
    }
    Ok(())
}

const COUNT: usize = 20;
