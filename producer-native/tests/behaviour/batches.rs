//! Batches over an embedded cluster.

use std::time::Duration;

use producer_native::{
    Batch, ErrorKind, Message, Outcome, Producer, Queue, QueueChoice, Reply, SendOptions,
};
use sim::serve::EmbeddedCluster;

async fn served() -> (EmbeddedCluster, Producer) {
    let builder = EmbeddedCluster::builder().broker("broker-a", |broker| broker).topic("t", 2);
    let cluster = builder.start().await.unwrap();
    let producer = Producer::builder("batches").name_servers(&cluster.name_servers());
    (cluster, producer.build().unwrap())
}

fn messages(count: usize) -> Vec<Message> {
    (0..count).map(|n| Message::new("t", format!("body {n}")).unwrap()).collect()
}

fn to_queue_1() -> SendOptions {
    SendOptions::default().queue(QueueChoice::Queue(Queue::new("broker-a", 1)))
}

#[tokio::test]
async fn all_of_a_batch_are_stored_in_its_order() {
    let (cluster, producer) = served().await;
    let batch = Batch::new(messages(100)).unwrap();

    let receipts = producer.send_batch_with(batch, to_queue_1()).await.unwrap();

    let stored = cluster.broker("broker-a").messages("t");
    assert_eq!((receipts.len(), stored.len()), (100, 100));
    for (n, (receipt, stored)) in receipts.iter().zip(&stored).enumerate() {
        assert_eq!(stored.body, format!("body {n}").into_bytes());
        assert_eq!((receipt.queue_id, receipt.queue_offset), (1, n as u64));
    }
}

#[tokio::test]
async fn a_long_list_is_split_and_loses_nothing() {
    let (cluster, producer) = served().await;
    let batches = Batch::split(messages(200), 1_000).unwrap();
    assert!(batches.len() > 10 && batches.iter().all(|batch| batch.bytes() <= 1_000));

    for batch in batches {
        producer.send_batch(batch).await.unwrap();
    }

    assert_eq!(cluster.broker("broker-a").messages("t").len(), 200);
}

#[tokio::test]
async fn one_way_batches_arrive_and_name_their_ids() {
    let (cluster, producer) = served().await;
    let batch = Batch::new(messages(3)).unwrap();

    let ids = producer.send_batch_oneway(batch, to_queue_1()).await.unwrap();

    assert_eq!(ids.len(), 3);
    // The next answer on the connection comes after them.
    producer.send_with(Message::new("t", "last").unwrap(), to_queue_1()).await.unwrap();
    assert_eq!(cluster.broker("broker-a").messages("t").len(), 4);
}

#[tokio::test]
async fn a_one_way_batch_that_is_refused_says_why() {
    let (_cluster, producer) = served().await;
    let ended = producer.close(Duration::from_secs(1)).await;
    assert_eq!(ended.not_sent, 0);

    let batch = Batch::new(messages(3)).unwrap();
    let refused = producer.send_batch_oneway(batch, SendOptions::default()).await.unwrap_err();

    assert_eq!((refused.kind(), refused.outcome()), (&ErrorKind::Closed, Outcome::NotSent));
}

#[tokio::test]
async fn reply_is_not_an_option_of_a_batch_that_is_awaited() {
    let (_cluster, producer) = served().await;
    let options = SendOptions { reply: Reply::OneWay, ..SendOptions::default() };

    let receipts = producer.send_batch_with(Batch::new(messages(2)).unwrap(), options).await;

    assert_eq!(receipts.unwrap().len(), 2);
}

#[tokio::test]
async fn a_selector_that_panics_fails_the_batch_alone() {
    let (_cluster, producer) = served().await;
    let options =
        SendOptions::default().queue(QueueChoice::select(|_, _| panic!("a bad selector")));

    let error = producer.send_batch_with(Batch::new(messages(2)).unwrap(), options).await;

    assert_eq!(error.unwrap_err().outcome(), Outcome::NotSent);
    producer.send_batch(Batch::new(messages(2)).unwrap()).await.unwrap();
}
