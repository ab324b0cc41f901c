//! Sends through small proxies on loopback.

use std::time::Duration;

use crate::tiny::{Kind, Tiny};
use producer_native::{Builder, ConnectionEnd, ErrorKind, Message, Outcome, Producer, Proxy};
use sim::serve::EmbeddedCluster;

async fn cluster() -> EmbeddedCluster {
    EmbeddedCluster::builder()
        .broker("broker-a", |broker| broker)
        .topic("orders", 4)
        .start()
        .await
        .unwrap()
}

fn message(body: impl Into<Vec<u8>>) -> Message {
    Message::new("orders", body.into()).unwrap()
}

fn stored(cluster: &EmbeddedCluster) -> usize {
    cluster.broker("broker-a").messages("orders").len()
}

/// Two attempts at most, so that a proxy that says no is not asked until the deadline.
fn builder(cluster: &EmbeddedCluster) -> Builder {
    Producer::builder("test")
        .name_servers(&cluster.name_servers())
        .direct_for(&cluster.name_servers())
        .send_timeout(Duration::from_secs(60))
        .configure(|config| config.attempts_all_max = 2)
}

#[tokio::test]
async fn messages_go_through_both_kinds_of_proxies() {
    for kind in [Kind::Socks5, Kind::Http] {
        for user in [None, Some(("me", "hunter2"))] {
            let cluster = cluster().await;
            let tiny = Tiny::start(kind, user).await;
            let producer = Producer::builder("test")
                .name_servers(&cluster.name_servers())
                .proxy(tiny.proxy(user))
                .build()
                .unwrap();

            let big = producer.send(message(vec![7; 1 << 20])).await;
            let many = producer.send_all((0..200).map(|n| message(n.to_string()))).await;

            assert!(big.is_ok() && many.iter().all(Result::is_ok), "{kind:?} {user:?}");
            assert_eq!(stored(&cluster), 201);
            let broker = cluster.broker("broker-a").address().to_string();
            assert_eq!(tiny.targets(), [cluster.name_servers(), broker], "{kind:?} {user:?}");
        }
    }
}

#[tokio::test]
async fn the_proxy_resolves_names() {
    let cluster = cluster().await;
    let broker = cluster.broker("broker-a").address().to_string();
    for kind in [Kind::Socks5, Kind::Http] {
        let tiny = Tiny::start(kind, None).await.knows("broker.invalid:10911", &broker);
        let producer = builder(&cluster)
            .map_address(&broker, "broker.invalid:10911")
            .proxy_for(".invalid", tiny.proxy(None))
            .build()
            .unwrap();

        producer.send(message("a")).await.unwrap();

        assert_eq!(tiny.targets(), ["broker.invalid:10911"], "and the name server went direct");
    }
}

#[tokio::test]
async fn a_proxy_that_says_no_is_named_and_nothing_is_sent() {
    let cluster = cluster().await;
    for kind in [Kind::Socks5, Kind::Http] {
        let strict = Tiny::start(kind, Some(("me", "hunter2"))).await;
        let none = Tiny::start(kind, None).await.knows("nobody:1", "127.0.0.1:1");
        let broker = cluster.broker("broker-a").address().to_string();
        let cases = [
            (strict.proxy(None), &*broker, "it wants a user and a password"),
            (strict.proxy(Some(("me", "hunter3"))), &*broker, "it refuses user or password"),
            (
                none.proxy(None),
                "nobody:1",
                match kind {
                    Kind::Socks5 => "the connection was refused at this address",
                    Kind::Http => "it answers with status 502",
                },
            ),
        ];
        for (proxy, dialled, words) in cases {
            let builder = builder(&cluster).map_address(&broker, dialled).proxy(proxy);
            let shown = format!("{builder:?}");
            let error = builder.build().unwrap().send(message("a")).await.unwrap_err();

            assert_eq!(error.outcome(), Outcome::NotSent);
            let text = format!("{error} {error:?} {shown}");
            let said = error.attempts().iter().any(|attempt| {
                matches!(&attempt.kind, ErrorKind::Connect(ConnectionEnd::Proxy(text))
                    if text.contains(words) && text.contains("://127.0.0.1:"))
            });
            assert!(said, "{words}: {text}");
            assert!(!text.contains("hunter"), "{text}");
        }
    }
    assert_eq!(stored(&cluster), 0);
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let cluster = cluster().await;
    let proxy = Proxy::new("socks5://me:hunter2@127.0.0.1:1").unwrap();

    let producer = builder(&cluster).proxy(proxy).build().unwrap();
    let error = producer.send(message("a")).await.unwrap_err();

    let text = error.to_string();
    assert!(text.contains("proxy socks5://127.0.0.1:1: connection refused"), "{text}");
    assert!(error.kind().hint().unwrap().contains("proxy"));
    assert!(!text.contains("hunter2"));
}

#[tokio::test]
async fn a_proxy_that_dies_is_dialled_again() {
    let cluster = cluster().await;
    let tiny = Tiny::start(Kind::Http, None).await;
    let producer = builder(&cluster).proxy(tiny.proxy(None)).build().unwrap();
    producer.send(message("a")).await.unwrap();

    tiny.cut();
    // The end may be seen before, in, or after the write: only then may it be unknown.
    let second = producer.send(message("b")).await;
    let third = producer.send(message("c")).await;

    assert!(second.is_ok() && third.is_ok(), "{second:?} {third:?}");
    assert!(tiny.targets().len() >= 2);
}
