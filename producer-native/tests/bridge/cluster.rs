//! On loopback TCP, next to an embedded cluster: as `rocketmq-bridge --dev` is.

use producer_core::wire::frame;
use producer_core::wire::header::Header;
use tokio_tungstenite::tungstenite::Message;

use futures_util::{SinkExt, StreamExt};

use crate::stage::{route_frame, send_frame, soon};
use crate::world::{Page, World, page};

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

    // Pages that understand are not waited for.
    bridge.stop();
    for mut page in [names, page] {
        while let Some(Ok(_)) = soon(page.next()).await {}
    }
    soon(served).await.unwrap().unwrap();
    assert_eq!(bridge.metrics().open(), 0);
}
