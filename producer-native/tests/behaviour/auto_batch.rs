//! Sends that share requests, over an embedded cluster.

use std::time::{Duration, Instant};

use producer_native::{AutoBatch, Builder, Message, Producer};
use sim::serve::EmbeddedCluster;

async fn served() -> EmbeddedCluster {
    let builder = EmbeddedCluster::builder().broker("broker-a", |broker| broker).topic("t", 4);
    builder.start().await.unwrap()
}

fn producer(cluster: &EmbeddedCluster) -> Builder {
    Producer::builder("sharing").name_servers(&cluster.name_servers())
}

fn message(number: usize) -> Message {
    Message::new("t", format!("{number:0128}")).unwrap()
}

#[tokio::test]
async fn messages_begun_together_share_requests_and_all_are_stored() {
    let cluster = served().await;
    let producer = producer(&cluster).auto_batch(AutoBatch::default()).build().unwrap();

    let results = producer.send_all((0..1_000).map(message)).await;

    assert!(results.iter().all(Result::is_ok));
    let stored = cluster.broker("broker-a").messages("t");
    assert_eq!(stored.len(), 1_000);
    let attempts = producer.stats().attempts;
    assert!(attempts < 50, "{attempts} requests for 1,000 messages");
    let first = results[0].as_ref().unwrap().message_id;
    assert!(results[1..].iter().all(|result| result.as_ref().unwrap().message_id != first));
}

#[tokio::test]
async fn a_flush_waits_for_nobodys_linger() {
    let cluster = served().await;
    let linger = Duration::from_secs(2);
    let sharing = producer(&cluster).auto_batch(AutoBatch { linger, ..AutoBatch::default() });
    let producer = sharing.build().unwrap();
    producer.send(message(0)).await.unwrap();
    cluster.broker("broker-a").slow(Duration::from_millis(300));
    let first = producer.enqueue(message(1));
    let second = producer.enqueue(message(2));
    let third = producer.enqueue(message(3));

    let begun = Instant::now();
    producer.flush().await;

    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    first.await.unwrap();
    second.await.unwrap();
    third.await.unwrap();
}

#[tokio::test]
async fn a_dropped_future_takes_its_message_along() {
    let cluster = served().await;
    let linger = Duration::from_secs(2);
    let sharing = producer(&cluster).auto_batch(AutoBatch { linger, ..AutoBatch::default() });
    let producer = sharing.build().unwrap();
    producer.send(message(0)).await.unwrap();
    cluster.broker("broker-a").slow(Duration::from_millis(100));
    let under_way = [producer.enqueue(message(1)), producer.enqueue(message(2))];
    drop(producer.enqueue(message(3)));
    let last = producer.enqueue(message(4));

    for ticket in under_way {
        ticket.await.unwrap();
    }
    last.await.unwrap();
    assert_eq!(cluster.broker("broker-a").messages("t").len(), 4);
}
