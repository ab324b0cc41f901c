//! Producers of several groups share one client.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Cluster, Reaction, message, soon, until};
use producer_native::{BuildError, ErrorKind, FrameHook, Outcome, Outgoing, SeenFrame, SendHook};

/// The groups of sends, as they are on the wire and as hooks are told.
#[derive(Clone, Default)]
struct Groups(Arc<Mutex<Vec<String>>>);

impl FrameHook for Groups {
    fn sent(&self, frame: &SeenFrame<'_>) {
        let header = frame.header().expect("our header");
        let group = header.ext.get("a").map(|group| group.to_cow().into_owned());
        self.0.lock().expect("sound").extend(group);
    }
}

impl SendHook for Groups {
    fn before(&self, send: &mut Outgoing<'_>) {
        self.0.lock().expect("sound").push(format!("before {}", send.group()));
    }
}

#[tokio::test]
async fn producers_of_one_client_share_its_connections() {
    let cluster = Cluster::tcp(1).await;
    let seen = Groups::default();
    let builder = cluster.builder().frame_hook(seen.clone()).hook(seen.clone());
    let client = builder.build_client().expect("ok");
    let orders = client.producer("orders").expect("a group");
    let mails = client.producer("mails").expect("a group");

    soon(orders.send(message("a"))).await.expect("stored");
    soon(mails.send_all([message("b")])).await.remove(0).expect("stored");
    soon(mails.clone().enqueue(message("c"))).await.expect("stored");

    assert_eq!(cluster.brokers[0].accepted.load(SeqCst), 1, "one connection");
    assert_eq!(orders.client_id(), mails.client_id());
    assert_eq!(client.stats().stored, 3);
    let seen = seen.0.lock().expect("sound").clone();
    let expected = ["before orders", "orders", "before mails", "mails", "before mails", "mails"];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_closed_producer_says_good_bye_and_the_others_go_on() {
    let cluster = Cluster::tcp(1).await;
    let client = cluster.builder().build_client().expect("ok");
    let orders = client.producer("orders").expect("a group");
    let mails = client.producer("mails").expect("a group");
    let taken = client.producer("orders").expect_err("it is there");
    assert!(matches!(taken, BuildError::GroupTaken { .. }), "{taken}");
    let wrong = client.producer("or ders").expect_err("a blank");
    assert!(matches!(wrong, BuildError::Group { .. }), "{wrong}");
    soon(orders.send(message("a"))).await.expect("stored");
    cluster.brokers[0].react(|_| Reaction::Hold);
    let held = orders.enqueue(message("held"));
    until(|| cluster.brokers[0].held() == 1).await;

    let closing = tokio::spawn({
        let orders = orders.clone();
        async move { orders.close(Duration::from_secs(30)).await }
    });
    // It refuses further sends at once, and waits for the one in hand.
    let refused = loop {
        cluster.brokers[0].react(|body| match body {
            b"held" => Reaction::Hold,
            _ => Reaction::Store,
        });
        match soon(orders.send(message("late"))).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused.kind(), ErrorKind::Closed), "{refused}");
    assert_eq!(refused.outcome(), Outcome::NotSent);
    assert!(!closing.is_finished());
    assert_eq!(cluster.brokers[0].good_byes.load(SeqCst), 0, "what is in hand keeps the group");
    cluster.brokers[0].release();
    soon(held).await.expect("stored");
    soon(closing).await.expect("no panic");
    until(|| cluster.brokers[0].good_byes.load(SeqCst) == 1).await;

    soon(mails.send(message("b"))).await.expect("the other group goes on");
    let again = client.producer("orders").expect("it was closed");
    soon(again.send(message("c"))).await.expect("stored");
    drop(again);
    until(|| cluster.brokers[0].good_byes.load(SeqCst) == 2).await;
    soon(client.close(Duration::from_secs(1))).await;
    let error = soon(mails.send(message("d"))).await.expect_err("the client is closed");
    assert!(matches!(error.kind(), ErrorKind::Closed), "{error}");
}

#[tokio::test]
async fn a_client_lives_as_long_as_one_of_its_producers() {
    let cluster = Cluster::tcp(1).await;
    let client = cluster.builder().build_client().expect("ok");
    let orders = client.producer("orders").expect("a group");
    drop(client);

    soon(orders.send(message("a"))).await.expect("stored");
    assert_eq!(cluster.brokers[0].open.load(SeqCst), 1);
    drop(orders);

    until(|| cluster.brokers[0].open.load(SeqCst) == 0).await;
}
