//! Transactions on real sockets, against an embedded cluster.

use std::time::Duration;

use crate::common::{soon, until};
use producer_native::{Builder, Decision, HalfMessage, Message, Producer, TransactionCheck};
use sim::model::Release;
use sim::serve::EmbeddedCluster;

/// A cluster that asks soon.
async fn cluster(release: Release) -> EmbeddedCluster {
    let builder = EmbeddedCluster::builder().release(release).topic("T", 2);
    let builder = builder.broker("broker-a", |broker| {
        broker.tune(|config| {
            config.transaction_timeout = Duration::from_millis(200);
            config.transaction_check_interval = Duration::from_millis(200);
        })
    });
    builder.start().await.expect("ports are free")
}

fn builder(cluster: &EmbeddedCluster) -> Builder {
    Producer::builder("shop").name_servers(&cluster.name_servers())
}

fn message(body: &str) -> Message {
    Message::new("T", body.to_owned()).expect("a valid message")
}

fn seen(cluster: &EmbeddedCluster) -> Vec<String> {
    let messages = cluster.broker("broker-a").messages("T");
    messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}

#[tokio::test]
async fn commit_rollback_and_check_with_both_releases() {
    for release in [Release::V5_4_0, Release::V4_9_7] {
        let cluster = cluster(release).await;
        let checker = |check: TransactionCheck| async move {
            assert_eq!(check.property("KEYS"), Some("order-1"));
            Decision::Commit
        };
        let producer = builder(&cluster).transaction_checker(checker).build().expect("valid");

        let open = soon(producer.begin(message("committed"))).await.expect("stored");
        assert!(seen(&cluster).is_empty());
        let id = open.half().transaction.id.clone();
        let receipt = soon(open.commit()).await.expect("told");
        assert_eq!(receipt.message_id.as_str(), id);
        until(|| seen(&cluster) == ["committed"]).await;
        soon(producer.begin(message("no"))).await.expect("stored").rollback().await.expect("told");
        let asked = message("asked").keys(["order-1"]).expect("a valid key");
        soon(producer.begin(asked)).await.expect("stored").unknown();
        until(|| seen(&cluster) == ["committed", "asked"]).await;

        let all = cluster.broker("broker-a").with(|broker, _| broker.transactions());
        assert!(all.iter().all(|one| one.commits + one.rollbacks == 1), "{all:?}");
        assert_eq!(producer.stats().checks_failed, 0);
        soon(producer.close(Duration::from_secs(5))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_told_before_the_producer_says_good_bye() {
    let cluster = cluster(Release::V5_4_0).await;
    let producer = builder(&cluster).build().expect("valid");
    let open = soon(producer.begin(message("paid"))).await.expect("stored");
    // Futures may move between threads.
    let ended = tokio::spawn({
        let producer = producer.clone();
        async move {
            let local = |_half: HalfMessage| async { Ok::<_, std::io::Error>(Decision::Commit) };
            producer.send_in_transaction(message("also paid"), local).await
        }
    });
    assert!(soon(ended).await.expect("no panic").expect("stored").told);
    soon(open.commit()).await.expect("told");
    soon(producer.close(Duration::from_secs(5))).await;

    until(|| seen(&cluster).len() == 2).await;
}

#[test]
fn blocking_transactions() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cluster = runtime.block_on(cluster(Release::V5_4_0));
    let producer = builder(&cluster).build_blocking().expect("valid");
    producer.begin(message("one")).expect("stored").commit().expect("told");
    producer.begin(message("no")).expect("stored").rollback().expect("told");
    drop(producer.begin(message("no")).expect("stored"));
    let ended = producer.send_in_transaction(message("two"), |_half| {
        producer.send(message("in between")).expect("the thread is free");
        Decision::Commit
    });
    assert_eq!(ended.expect("stored").decision, Decision::Commit);
    let ended = producer.send_in_transaction(message("no"), |_half| -> Decision { panic!("no") });
    assert_eq!(ended.expect("stored").problem.as_deref(), Some("it panicked: no"));
    producer.close(Duration::from_secs(5));

    runtime.block_on(until(|| seen(&cluster).len() == 3));
    assert_eq!(seen(&cluster).iter().filter(|body| *body == "no").count(), 0);
}
