//! The life of a connection: hello, bytes in both directions, and how it ends.

use producer_native::bridge::{BridgeConfig, CloseCode};
use tokio::io::AsyncWriteExt;

use crate::stage::{
    self, BROKER, REFUSES, SILENT, Stage, config, read, read_rest, route_frame, send_frame,
};

#[tokio::test(start_paused = true)]
async fn hello_comes_after_the_dial_and_bytes_go_both_ways() {
    let mut stage = Stage::new(config());

    let mut page = stage.page(BROKER).await;
    let (address, mut broker) = stage.dial().await;
    let hello = page.hello().await;
    assert_eq!(address, BROKER);
    assert_eq!(hello["hello"], BROKER);
    assert_eq!(hello["maxFrame"], 4_259_844);
    assert_eq!(hello["pingMs"], 20_000);

    let frame = send_frame("orders", 100);
    page.send(frame.clone()).await;
    assert_eq!(read(&mut broker, frame.len()).await, frame);
    broker.write_all(&frame).await.unwrap();
    assert_eq!(page.read(frame.len()).await, frame);

    page.close().await;
    assert!(read_rest(&mut broker).await.is_empty());
    drop(broker);
    stage::until(|| stage.bridge.metrics().open() == 0).await;
    let line = stage.last_line();
    assert_eq!(line["by"], "page");
    assert_eq!(line["framesUp"], 1);
    assert_eq!(line["framesDown"], 1);
    assert_eq!(line["bytesUp"], frame.len());
    assert_eq!(line["target"], BROKER);
}

#[tokio::test(start_paused = true)]
async fn name_servers_take_turns() {
    let name_servers = producer_native::Address::list("127.0.0.1:9876;127.0.0.2:9876").unwrap();
    let mut stage = Stage::new(BridgeConfig { name_servers, ..config() });

    // The bridge itself asks one for routes, and waits for its answer.
    let (_, _asked) = stage.dial().await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut page = stage.page("ns").await;
        let (address, mut name_server) = stage.dial().await;
        assert_eq!(page.hello().await["hello"], "ns");
        seen.push(address);
        let frame = route_frame("orders");
        page.send(frame.clone()).await;
        assert_eq!(read(&mut name_server, frame.len()).await, frame);
    }
    seen.sort();
    assert_eq!(seen, ["127.0.0.1:9876", "127.0.0.2:9876"]);
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_fails_is_told_by_a_close_code() {
    let mut stage = Stage::new(config());

    let mut page = stage.page(REFUSES).await;
    let (code, reason) = page.closed().await;
    assert_eq!(code, CloseCode::DIAL_REFUSED.0, "{reason}");

    let start = tokio::time::Instant::now();
    let mut page = stage.page(SILENT).await;
    let (code, reason) = page.closed().await;
    assert_eq!(code, CloseCode::DIAL_TIMEOUT.0, "{reason}");
    assert_eq!(start.elapsed().as_secs(), 3);
    let metrics = stage.bridge.metrics();
    assert_eq!((metrics.dials("refused"), metrics.dials("timeout")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_closes_is_told_apart_from_one_that_resets() {
    let mut stage = Stage::new(config());
    let (mut page, mut broker) = stage.connected().await;
    let last = send_frame("orders", 70_000);

    broker.write_all(&last).await.unwrap();
    drop(broker);

    assert_eq!(page.read(last.len()).await, last, "what it said before is not lost");
    assert_eq!(page.closed().await.0, CloseCode::BROKER_CLOSED.0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_name_server_costs_one_page_its_time_and_no_other() {
    let name_servers = format!("{SILENT};127.0.0.1:9876");
    let name_servers = producer_native::Address::list(&name_servers).unwrap();
    let mut stage = Stage::new(BridgeConfig { name_servers, ..config() });
    let start = tokio::time::Instant::now();

    for _ in 0..7 {
        let mut page = stage.page("ns").await;
        let (address, _) = stage.dial().await;
        assert_eq!((&*address, &page.hello().await["hello"]), ("127.0.0.1:9876", &"ns".into()));
    }
    assert_eq!(start.elapsed().as_millis(), 1_500, "the dead one's share of 3 s");
}
