//! A bridge on loopback TCP, next to an embedded cluster: as `rocketmq-bridge --dev` is.
#![allow(dead_code, reason = "each test binary uses a part")]

use futures_util::StreamExt;
use producer_native::Address;
use producer_native::bridge::SUBPROTOCOL;
use producer_native::bridge::{Bridge, BridgeBuilder, BridgeConfig};
use sim::serve::EmbeddedCluster;
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::stage::soon;

pub(crate) struct World {
    pub(crate) cluster: EmbeddedCluster,
    pub(crate) bridge: Bridge,
    /// Where it listens, `ip:port`.
    pub(crate) at: String,
    pub(crate) served: JoinHandle<io::Result<()>>,
}

impl World {
    /// Two brokers, and `orders` with four queues on each.
    pub(crate) async fn new() -> Self {
        let cluster = EmbeddedCluster::builder()
            .broker("broker-a", |broker| broker)
            .broker("broker-b", |broker| broker)
            .topic("orders", 4)
            .start()
            .await
            .unwrap();
        cluster.wait_until_registered().await.unwrap();
        serve_as(cluster, |bridge| bridge).await
    }
}

/// A bridge on a port of its own, made as the test likes.
pub(crate) async fn serve_as(
    cluster: EmbeddedCluster,
    change: impl FnOnce(BridgeBuilder) -> BridgeBuilder,
) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (bridge, served) = start(&cluster, listener, change);
    World { cluster, bridge, at, served }
}

/// A bridge that serves pages of a cluster.
pub(crate) fn serve(
    cluster: &EmbeddedCluster,
    listener: TcpListener,
) -> (Bridge, JoinHandle<io::Result<()>>) {
    start(cluster, listener, |bridge| bridge)
}

fn start(
    cluster: &EmbeddedCluster,
    listener: TcpListener,
    change: impl FnOnce(BridgeBuilder) -> BridgeBuilder,
) -> (Bridge, JoinHandle<io::Result<()>>) {
    let name_servers = Address::list(&cluster.name_servers()).unwrap();
    let config = BridgeConfig { name_servers, ..BridgeConfig::dev() };
    let bridge = change(Bridge::builder(config)).build();
    let serving = bridge.clone();
    (bridge, tokio::spawn(async move { serving.serve(listener).await }))
}

pub(crate) type Page = WebSocketStream<TcpStream>;

/// A page that was greeted.
pub(crate) async fn page(bridge: &str, target: &str) -> Page {
    let url = format!("ws://{bridge}/v1/connect/{target}");
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    let stream = TcpStream::connect(bridge).await.unwrap();
    let (mut page, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    assert!(matches!(soon(page.next()).await, Some(Ok(Message::Text(_)))), "hello");
    page
}
