//! Behind a bridge that signs: a producer without a key, and brokers that want one.

use std::sync::Arc;
use std::time::Duration;

use producer_native::bridge::{Signer, SigningRules};
use producer_native::{Batch, Credentials, ErrorKind, Message, Producer, WebSocket};
use sim::model::Release;
use sim::model::broker::{Account, BrokerConfig};
use sim::serve::EmbeddedCluster;

use crate::world::{World, serve_as};

const SECRET: &str = "hush-hush-hush";

fn guarded(config: &mut BrokerConfig) {
    let account = Account {
        access_key: "bridge".to_owned(),
        secret_key: SECRET.to_owned(),
        publish: vec!["orders".to_owned()],
        ..Account::default()
    };
    config.accounts = Some(vec![account]);
}

fn guarded_by_old(config: &mut BrokerConfig) {
    config.release = Release::V4_9_7;
    guarded(config);
}

/// A cluster with access control, and a bridge that signs by this secret.
async fn world(tune: fn(&mut BrokerConfig), secret: &str) -> World {
    let cluster = EmbeddedCluster::builder()
        .broker("broker-a", |broker| broker.tune(tune))
        .topic("orders", 4)
        .topic("secrets", 4)
        .start()
        .await
        .unwrap();
    cluster.wait_until_registered().await.unwrap();
    let account = Credentials::new("bridge", secret).unwrap();
    let signer = Arc::new(Signer::new(account, SigningRules::default()));
    serve_as(cluster, |bridge| bridge.signer(signer)).await
}

fn producer(world: &World) -> producer_native::Builder {
    let bridge = WebSocket::new(&format!("ws://{}/", world.at)).unwrap();
    Producer::builder("web").bridge(bridge)
}

#[tokio::test]
async fn t08_a_page_without_a_key_publishes_where_one_is_needed() {
    for tune in [guarded as fn(&mut BrokerConfig), guarded_by_old] {
        let world = world(tune, SECRET).await;
        // One that has a key of its own, even a wrong one, is no worse off.
        let wrong = Credentials::new("somebody", "else").unwrap();
        for producer in [producer(&world), producer(&world).credentials(wrong)] {
            let producer = producer.build().unwrap();
            let orders =
                |count| (0..count).map(|n| Message::new("orders", format!("{n}")).unwrap());
            for sent in producer.send_all(orders(50).collect::<Vec<_>>()).await {
                sent.unwrap();
            }
            producer.send_batch(Batch::new(orders(5).collect::<Vec<_>>()).unwrap()).await.unwrap();
            let large = Message::new("orders", vec![b'x'; 3 << 20]).unwrap();
            producer.send(large).await.unwrap();
            // What the account may not do is the broker's decision.
            let denied = producer.send(Message::new("secrets", "x").unwrap()).await.unwrap_err();
            assert!(matches!(denied.kind(), ErrorKind::NotPermitted { .. }), "{denied}");
            producer.close(Duration::from_secs(5)).await;
        }
        assert_eq!(world.cluster.broker("broker-a").messages("orders").len(), 112);
        assert_eq!(world.cluster.broker("broker-a").messages("secrets").len(), 0);
    }
}

#[tokio::test]
async fn a_bridge_with_the_wrong_key_is_told_so_by_the_broker() {
    let world = world(guarded, "something else").await;
    let producer = producer(&world).build().unwrap();

    let denied = producer.send(Message::new("orders", "x").unwrap()).await.unwrap_err();
    assert!(matches!(denied.kind(), ErrorKind::BadCredentials { .. }), "{denied}");
}
