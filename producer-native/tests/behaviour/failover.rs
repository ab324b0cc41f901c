//! The producer and an embedded cluster on real sockets, while brokers come and go.

use std::collections::HashSet;
use std::time::Duration;

use producer_native::{ErrorKind, Message, Outcome, Producer, Receipt, SendError};
use sim::serve::EmbeddedCluster;

const TASKS: usize = 16;
const ROUNDS: usize = 60;

/// Every task sends its messages one by one; a broker is killed and restarted meanwhile.
async fn send_through_a_failure(producer: &Producer, cluster: &EmbeddedCluster) -> Vec<Sent> {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let producer = producer.clone();
            tokio::spawn(async move {
                let mut sent = Vec::new();
                for round in 0..ROUNDS {
                    let body = format!("{task}-{round}");
                    let message = Message::new("orders", body.clone()).expect("valid");
                    sent.push(Sent { body, result: producer.send(message).await });
                }
                sent
            })
        })
        .collect();
    let broker = cluster.broker("broker-a");
    while producer.stats().stored < (TASKS * ROUNDS / 4) as u64 {
        tokio::task::yield_now().await;
    }
    broker.kill().await;
    while producer.stats().stored < (TASKS * ROUNDS / 2) as u64 {
        tokio::task::yield_now().await;
    }
    broker.restart().await.expect("it comes back");
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("it does not panic"));
    }
    all
}

struct Sent {
    body: String,
    result: Result<Receipt, SendError>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_stored_and_what_was_not_sent_is_not() {
    let cluster =
        EmbeddedCluster::builder().numbered_brokers(3).topic("orders", 4).start().await.unwrap();
    let producer = Producer::builder("test")
        .name_servers(&cluster.name_servers())
        .send_timeout(Duration::from_secs(60))
        .build()
        .unwrap();

    let sent = send_through_a_failure(&producer, &cluster);
    let sent = tokio::time::timeout(Duration::from_secs(60), sent).await.expect("in time");

    let brokers = cluster.brokers().iter();
    let stored: HashSet<Vec<u8>> =
        brokers.flat_map(|broker| broker.messages("orders")).map(|m| m.body.to_vec()).collect();
    assert_eq!(sent.len(), TASKS * ROUNDS);
    for Sent { body, result } in sent {
        match result {
            Ok(_) => assert!(stored.contains(body.as_bytes()), "{body} is acknowledged and gone"),
            Err(error) if error.outcome() == Outcome::Unknown => {}
            Err(error) => assert!(!stored.contains(body.as_bytes()), "{body} is stored: {error}"),
        }
    }
    let stats = producer.stats();
    assert_eq!(stats.stored + stats.not_sent + stats.rejected + stats.unknown, stats.accepted);
    producer.close(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_named_as_such() {
    let cluster = EmbeddedCluster::start(1).await.unwrap();
    let builder = Producer::builder("test").name_servers(&cluster.name_servers());
    let producer = builder.build().unwrap();

    let error = producer.send(Message::new("nowhere", "a").unwrap()).await.unwrap_err();

    assert_eq!((error.kind(), error.outcome()), (&ErrorKind::TopicNotFound, Outcome::NotSent));
}
