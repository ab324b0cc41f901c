//! On loopback TCP, with an embedded cluster behind the bridge.

use std::time::Duration;

use producer_native::bridge::{Bridge, BridgeConfig};
use producer_native::{
    Address, Batch, BuildError, Message, Order, Producer, QueueChoice, SendOptions, WebSocket,
};
use sim::serve::EmbeddedCluster;
use tokio::net::TcpListener;

struct World {
    cluster: EmbeddedCluster,
    bridge: Bridge,
    url: String,
}

impl World {
    async fn new() -> Self {
        let cluster = EmbeddedCluster::builder()
            .broker("broker-a", |broker| broker)
            .broker("broker-b", |broker| broker)
            .topic("orders", 4)
            .start()
            .await
            .unwrap();
        cluster.wait_until_registered().await.unwrap();
        let name_servers = Address::list(&cluster.name_servers()).unwrap();
        let bridge = Bridge::builder(BridgeConfig { name_servers, ..BridgeConfig::dev() }).build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let serving = bridge.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        Self { cluster, bridge, url }
    }

    fn producer(&self) -> Producer {
        let bridge = WebSocket::new(&self.url).unwrap();
        Producer::builder("web").bridge(bridge).build().unwrap()
    }

    fn stored(&self, broker: &str) -> usize {
        self.cluster.broker(broker).messages("orders").len()
    }
}

fn orders(count: usize) -> Vec<Message> {
    (0..count).map(|n| Message::new("orders", format!("order {n}")).unwrap()).collect()
}

#[tokio::test]
async fn a_producer_without_name_servers_publishes_through_a_bridge() {
    let world = World::new().await;
    let producer = world.producer();

    for result in producer.send_all(orders(200)).await {
        result.unwrap();
    }
    producer.send_batch(Batch::new(orders(20)).unwrap()).await.unwrap();
    let large = Message::new("orders", vec![b'x'; 3 << 20]).unwrap();
    producer.send(large).await.unwrap();
    let key = SendOptions::default().queue(QueueChoice::ordered("order-7", Order::Strict));
    let first = producer.send_with(orders(1).remove(0), key.clone()).await.unwrap();
    let second = producer.send_with(orders(1).remove(0), key).await.unwrap();

    assert_eq!(first.queue_offset + 1, second.queue_offset);
    assert_eq!(world.stored("broker-a") + world.stored("broker-b"), 223);
    assert_eq!(world.bridge.metrics().open(), 3, "name server and two brokers");
    assert_eq!(world.bridge.metrics().refused_frames(), 0);
    let report = producer.close(Duration::from_secs(5)).await;
    assert_eq!(report.unknown, 0, "{report:?}");
}

#[tokio::test]
async fn a_killed_broker_behind_a_bridge_loses_nothing() {
    let world = World::new().await;
    let producer = world.producer();
    producer.send_all(orders(20)).await.into_iter().for_each(|sent| drop(sent.unwrap()));

    world.cluster.broker("broker-a").kill().await;
    let receipts = producer.send_all(orders(200)).await;

    let at_b = receipts.iter().filter(|sent| sent.as_ref().is_ok_and(|r| &*r.broker == "broker-b"));
    assert_eq!(at_b.count(), 200, "{:?}", receipts.iter().find(|sent| sent.is_err()));
}

#[tokio::test]
async fn a_bridge_that_starts_anew_is_found_again() {
    let world = World::new().await;
    let producer = world.producer();
    producer.send_all(orders(20)).await.into_iter().for_each(|sent| drop(sent.unwrap()));

    world.bridge.stop();
    let name_servers = Address::list(&world.cluster.name_servers()).unwrap();
    let bridge = Bridge::builder(BridgeConfig { name_servers, ..BridgeConfig::dev() }).build();
    let at = world.url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
    let listener = loop {
        match TcpListener::bind(&at).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await, // the old one is about to let it go
        }
    };
    tokio::spawn(async move { bridge.serve(listener).await });
    let receipts = producer.send_all(orders(50)).await;

    assert!(receipts.iter().all(Result::is_ok), "{:?}", receipts.iter().find(|r| r.is_err()));
}

#[tokio::test]
async fn tls_with_brokers_is_left_to_the_bridge() {
    let bridge = WebSocket::new("ws://127.0.0.1:7070").unwrap();
    let builder = Producer::builder("web").bridge(bridge).tls(producer_native::Tls::new());

    assert_eq!(builder.build().unwrap_err(), BuildError::TlsBehindBridge);
}
