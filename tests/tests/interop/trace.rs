//! What is traced is in the trace topic of a real broker, and of our models of it, and `mqadmin`
//! shows it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use producer_core::wire::trace::{TraceEvent, TraceRecord, TracedKind, records};
use producer_native::{Batch, HalfMessage, Message, Producer, Receipt, Trace};
use sim::serve::EmbeddedCluster;
use tests::cluster::{BrokerSpec, Cluster, Release, Result, Topic, create_at, mqadmin, read_from};
use tests::interop::{runtime, until};
use tokio::runtime::Runtime;

const TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";

#[test]
fn interop_trace_5_4_0() -> Result<()> {
    let broker = BrokerSpec::master("a").config("traceTopicEnable", "true");
    let cluster = Cluster::builder(Release::V5_4_0).broker(broker).start()?;
    cluster.create_topic(&Topic::new("orders", 2))?;
    let name_servers = cluster.name_server_list();

    let sent = traced(&runtime(), &name_servers, cluster.master("a")?.address())?;

    let id = sent[0].message_id.to_string();
    let shown = mqadmin(
        Release::V5_4_0,
        &["queryMsgTraceById", "-n", &name_servers, "-i", &id, "-t", TOPIC],
    )?;
    assert!(shown.contains("Pub") && shown.contains("shop"), "{shown}");
    assert!(shown.contains("success"), "{shown}");
    Ok(())
}

#[test]
fn interop_trace_model() -> Result<()> {
    let runtime = runtime();
    let cluster = EmbeddedCluster::builder().broker("a", |broker| broker);
    // Brokers create it by themselves, and let nobody else do so.
    let cluster = cluster.topic(TOPIC, 1);
    let cluster = runtime.block_on(cluster.start()).expect("ports of this process are free");
    let address = cluster.broker("a").address();
    create_at(address, &Topic::new("orders", 2))?;

    traced(&runtime, &cluster.name_servers(), address)?;
    Ok(())
}

/// Sends one of each kind, closes, and compares receipts with what the trace topic holds.
fn traced(runtime: &Runtime, name_servers: &str, broker: SocketAddr) -> Result<Vec<Receipt>> {
    let builder = Producer::builder("shop").name_servers(name_servers).trace(Trace::default());
    let producer = builder.runtime(runtime.handle().clone()).build().expect("complete");
    let mut receipts = Vec::new();
    for n in 0..11 {
        let message = order(&format!("order-{n}"));
        receipts.push(runtime.block_on(producer.send(message)).expect("stored"));
    }
    let batch = Batch::new([order("first"), order("second")]).expect("valid");
    receipts.extend(runtime.block_on(producer.send_batch(batch)).expect("stored"));
    let half = half(runtime, &producer);
    runtime.block_on(producer.close(Duration::from_secs(5)));
    let stats = producer.stats();
    assert_eq!((stats.traces, stats.traces_dropped), (15, 0));

    let stored = until(Duration::from_secs(10), TOPIC, || match read_from(broker, "a", TOPIC) {
        Ok(messages) if messages.len() < 2 => None,
        other => Some(other),
    })?;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in &stored {
        let keys: Vec<&str> = message.keys().expect("keys").split(' ').collect();
        let body = std::str::from_utf8(&message.body).expect("text");
        for text in body.split_inclusive('\u{2}') {
            let record = records(text).next().expect("a record").expect("readable");
            assert!(keys.contains(&&*record.message_id), "{keys:?}");
            found.entry(record.message_id.to_string()).or_default().push(text.to_owned());
        }
    }
    for (nth, receipt) in receipts.iter().enumerate() {
        let texts = &found[receipt.message_id.as_str()];
        let record = records(&texts[0]).next().expect("one").expect("readable");
        agrees(&record, receipt, broker, TracedKind::Normal);
        let key = match nth {
            11 => "first".to_owned(),
            12 => "second".to_owned(),
            nth => format!("order-{nth}"),
        };
        let TraceEvent::Publish { labels, .. } = &record.event else { panic!("{record:?}") };
        assert_eq!((labels.tags.as_deref(), labels.keys.as_deref()), (Some("eu"), Some(&*key)));
    }
    let texts = found[&half.transaction.id].concat();
    let of_half: Vec<_> = records(&texts).collect::<Result<_, _>>().expect("readable");
    agrees(&of_half[0], &half.receipt, broker, TracedKind::Half);
    let TraceEvent::EndTransaction { state, .. } = &of_half[1].event else { panic!("{texts}") };
    assert_eq!(state, "COMMIT_MESSAGE");
    Ok(receipts)
}

fn half(runtime: &Runtime, producer: &Producer) -> HalfMessage {
    let open = runtime.block_on(producer.begin(order("half"))).expect("stored");
    let half = open.half().clone();
    runtime.block_on(open.commit()).expect("told");
    half
}

fn order(key: &str) -> Message {
    let message = Message::new("orders", format!("body of {key}")).expect("valid");
    message.tag("eu").and_then(|message| message.keys([key])).expect("valid")
}

fn agrees(record: &TraceRecord<'_>, receipt: &Receipt, broker: SocketAddr, expected: TracedKind) {
    let TraceEvent::Publish { labels, kind, offset_id, success, .. } = &record.event else {
        panic!("{record:?}")
    };
    assert_eq!((&*record.group, &*record.topic), ("shop", "orders"));
    assert_eq!(record.region, *receipt.region);
    assert_eq!(labels.store_host.as_deref(), Some(&*broker.to_string()));
    assert_eq!(*kind, expected);
    assert_eq!(offset_id.as_deref(), receipt.offset_id.map(|id| id.to_string()).as_deref());
    assert!(*success);
}
