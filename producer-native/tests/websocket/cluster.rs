//! On loopback TCP, with an embedded cluster behind the bridge.

use std::time::Duration;

use producer_native::{
    Batch, BuildError, Message, Order, Producer, QueueChoice, SendOptions, WebSocket,
};
use tokio::net::TcpListener;

use crate::stage::soon;
use crate::world::{World, serve};

impl World {
    fn producer(&self) -> Producer {
        let bridge = WebSocket::new(&format!("ws://{}/", self.at)).unwrap();
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
    let mut world = World::new().await;
    let producer = world.producer();
    producer.send_all(orders(20)).await.into_iter().for_each(|sent| drop(sent.unwrap()));

    world.bridge.stop();
    soon(&mut world.served).await.unwrap().unwrap();
    let listener = TcpListener::bind(&world.at).await.unwrap();
    let _bridge = serve(&world.cluster, listener);
    let receipts = producer.send_all(orders(50)).await;

    assert!(receipts.iter().all(Result::is_ok), "{:?}", receipts.iter().find(|r| r.is_err()));
}

#[tokio::test]
async fn tls_with_brokers_is_left_to_the_bridge() {
    let bridge = WebSocket::new("ws://127.0.0.1:7070").unwrap();
    let builder = Producer::builder("web").bridge(bridge).tls(producer_native::Tls::new());

    assert_eq!(builder.build().unwrap_err(), BuildError::TlsBehindBridge);
}
