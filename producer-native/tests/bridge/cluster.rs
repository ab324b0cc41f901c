//! On loopback TCP, next to an embedded cluster: as `rocketmq-bridge --dev` is.

use producer_core::wire::frame;
use producer_core::wire::header::Header;
use producer_native::bridge::SUBPROTOCOL;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use futures_util::{SinkExt, StreamExt};

use crate::stage::{route_frame, send_frame, soon};
use crate::world::World;

type Page = WebSocketStream<TcpStream>;

async fn page(bridge: &str, target: &str) -> Page {
    let url = format!("ws://{bridge}/v1/connect/{target}");
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    let stream = TcpStream::connect(bridge).await.unwrap();
    let (mut page, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    assert!(matches!(soon(page.next()).await, Some(Ok(Message::Text(_)))), "hello");
    page
}

/// Sends a frame, and decodes the answer: its code and its body.
async fn ask(page: &mut Page, request: Vec<u8>) -> (i32, Vec<u8>) {
    page.send(Message::Binary(request.into())).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        match soon(page.next()).await {
            Some(Ok(Message::Binary(some))) => bytes.extend_from_slice(&some),
            other => panic!("{other:?}"),
        }
        if let Some(frame) = frame::split(&bytes, 1 << 24).unwrap() {
            let header = Header::decode(frame.serialize, frame.header).unwrap();
            return (header.code, frame.body.to_vec());
        }
    }
}

#[tokio::test]
async fn a_page_finds_a_broker_and_stores_a_message() {
    let World { cluster, bridge, at, served } = World::new().await;

    let mut names = page(&at, "ns").await;
    let (code, route) = ask(&mut names, route_frame("orders")).await;
    assert_eq!(code, 0);
    let broker = cluster.broker("broker-a").address().to_string();
    assert!(String::from_utf8_lossy(&route).contains(&broker));

    let mut page = page(&at, &broker).await;
    let (code, _) = ask(&mut page, send_frame("orders", 10)).await;
    assert_eq!(code, 0);
    assert_eq!(cluster.broker("broker-a").messages("orders").len(), 1);

    bridge.stop();
    soon(served).await.unwrap().unwrap();
    assert_eq!(bridge.metrics().open(), 0);
}
