//! Flow rules: how a connection ends, and what is delivered before it does.

use std::time::Duration;

use futures_util::StreamExt;
use producer_native::bridge::{BridgeConfig, CloseCode, ConnectionRules, Drain};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, advance, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::stage::{SOCKET_BYTES, Stage, config, read, read_rest, send_frame, until};

fn with_rules(change: impl FnOnce(&mut ConnectionRules)) -> BridgeConfig {
    let mut config = config();
    change(&mut config.rules);
    config
}

#[tokio::test(start_paused = true)]
async fn what_a_page_sent_before_it_closed_arrives_whole() {
    let mut stage = Stage::new(config());
    let (mut page, mut broker) = stage.connected().await;
    let frame = send_frame("orders", 1_000);
    let count = 1_024;

    // More than any socket here holds, so that most of it is on its way when the page closes.
    let sender = tokio::spawn({
        let frame = frame.clone();
        async move {
            for _ in 0..count {
                page.send(frame.clone()).await;
            }
            page.close().await;
        }
    });
    let arrived = read(&mut broker, count * frame.len()).await;

    assert!(arrived.chunks(frame.len()).all(|chunk| chunk == frame));
    assert_eq!(broker.read(&mut [0]).await.unwrap(), 0, "and then a FIN");
    drop(broker);
    sender.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_page_sent_before_it_vanished_arrives_whole() {
    let mut stage = Stage::new(config());
    let (mut page, mut broker) = stage.connected().await;
    let frame = send_frame("orders", 10_000);

    for _ in 0..4 {
        page.send(frame.clone()).await;
    }
    drop(page);

    assert_eq!(read_rest(&mut broker).await, frame.repeat(4));
}

#[tokio::test(start_paused = true)]
async fn answers_after_the_page_closed_are_read_and_dropped() {
    let mut stage = Stage::new(config());
    let (page, mut broker) = stage.connected().await;

    let closing = tokio::spawn(page.close());
    assert!(read_rest(&mut broker).await.is_empty(), "a FIN");
    // Were they not read, this would block, and a real broker's socket would be reset.
    broker.write_all(&vec![0; 4 * SOCKET_BYTES]).await.unwrap();
    drop(broker);

    closing.await.unwrap();
    until(|| stage.bridge.metrics().open() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_never_closes_holds_a_connection_for_five_seconds() {
    let mut stage = Stage::new(config());
    let (page, _broker) = stage.connected().await;
    let start = Instant::now();

    page.close().await;
    until(|| stage.bridge.metrics().open() == 0).await;

    let took = start.elapsed();
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(6), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_page_is_pinged_and_given_up() {
    let mut stage = Stage::new(config());
    let (mut page, _broker) = stage.connected().await;
    let start = Instant::now();

    // Read by hand: the page's own WebSocket would answer.
    let socket = page.0.get_mut();
    let mut bytes = [0; 64];
    let have = socket.read(&mut bytes).await.unwrap();
    assert_eq!((bytes[0], have), (0x89, 10), "a ping");
    let pinged = start.elapsed();
    assert!(pinged >= Duration::from_secs(20) && pinged <= Duration::from_secs(26), "{pinged:?}");
    while socket.read(&mut bytes).await.unwrap_or(0) > 0 {}
    let gone = start.elapsed();
    assert!(gone >= Duration::from_secs(45) && gone <= Duration::from_secs(51), "{gone:?}");
    until(|| stage.bridge.metrics().open() == 0).await;
    assert_eq!(stage.last_line()["close"], 1006);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_answers_pings_stays_until_it_is_idle() {
    let mut stage = Stage::new(config());
    let (mut page, _broker) = stage.connected().await;
    let start = Instant::now();

    assert_eq!(page.closed().await.0, CloseCode::IDLE.0);

    let took = start.elapsed();
    assert!(took >= Duration::from_secs(600) && took <= Duration::from_secs(606), "{took:?}");
    assert!(stage.bridge.metrics().to_string().contains("rmqb_ping_rtt_seconds_count 2"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_a_lifetime() {
    let lifetime = Duration::from_secs(100);
    let mut stage = Stage::new(with_rules(|rules| rules.lifetime = lifetime));
    let (mut page, _broker) = stage.connected().await;
    let start = Instant::now();

    assert_eq!(page.closed().await.0, CloseCode::LIFETIME.0);
    assert!(start.elapsed() >= lifetime && start.elapsed() <= lifetime + Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_takes_nothing_is_left_and_its_broker_not_read() {
    let mut stage = Stage::new(config());
    let (mut page, mut broker) = stage.connected().await;
    let start = Instant::now();

    let answers = send_frame("orders", 200_000);
    let mut written = 0;
    let blocked = timeout(Duration::from_secs(20), async {
        for piece in answers.repeat(20).chunks(1024) {
            broker.write_all(piece).await.unwrap();
            written += piece.len();
        }
    });
    assert!(blocked.await.is_err(), "nobody reads any more");
    let held = written.saturating_sub(2 * SOCKET_BYTES);
    assert!(held <= 160 * 1024, "the bridge holds {held} bytes");

    until(|| stage.bridge.metrics().open() == 0).await;
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(30) && took <= Duration::from_secs(45), "{took:?}");
    assert_eq!(stage.last_line()["close"], 1013);
    while let Some(Ok(_)) = page.0.next().await {}
}

#[tokio::test(start_paused = true)]
async fn a_slow_page_that_takes_something_stays() {
    let mut stage = Stage::new(config());
    let (mut page, mut broker) = stage.connected().await;
    let answer = send_frame("orders", 100_000);
    let all = answer.repeat(4);
    let writer = tokio::spawn(async move {
        broker.write_all(&all).await.unwrap();
        broker
    });

    // 16 KiB in 20 s.
    let socket = page.0.get_mut();
    let mut buffer = vec![0; 16 * 1024];
    let mut taken = 0;
    while taken < 4 * answer.len() {
        advance(Duration::from_secs(20)).await;
        taken += socket.read(&mut buffer).await.unwrap();
        socket.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).await.unwrap();
    }

    assert_eq!(stage.bridge.metrics().open(), 1);
    drop(writer);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_nothing_stops_the_page() {
    let mut stage = Stage::new(config());
    let (mut page, mut broker) = stage.connected().await;
    let frame = send_frame("orders", 1_000);

    let mut sent = 0;
    let blocked = timeout(Duration::from_secs(60), async {
        loop {
            page.send(frame.clone()).await;
            sent += 1;
        }
    });
    assert!(blocked.await.is_err(), "the page is not read for ever");
    let held = (sent * frame.len()).saturating_sub(2 * SOCKET_BYTES);
    assert!(held <= 256 * 1024, "the bridge and the page's own socket hold {held} bytes");
    assert_eq!(stage.bridge.metrics().open(), 1, "its silence is not its fault");
    let stalled = value(&stage, "rmqb_stall_seconds_total{dir=\"up\"}");
    assert!((58.0..=61.0).contains(&stalled), "{stalled}");

    let sent = sent * frame.len();
    assert!(read(&mut broker, sent).await.chunks(frame.len()).all(|chunk| chunk == frame));
}

/// What the metrics say of this.
fn value(stage: &Stage, name: &str) -> f64 {
    let text = stage.bridge.metrics().to_string();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_page_is_read_no_faster_than_it_may_send() {
    let rate = 100_000;
    let mut stage = Stage::new(with_rules(|rules| rules.bytes_per_second = rate));
    let (mut page, mut broker) = stage.connected().await;
    let frame = send_frame("orders", 10_000);
    let start = Instant::now();

    let sender = tokio::spawn({
        let frame = frame.clone();
        async move {
            for _ in 0..100 {
                page.send(frame.clone()).await;
            }
            page
        }
    });
    read(&mut broker, 100 * frame.len()).await;

    let took = start.elapsed();
    assert!(took >= Duration::from_secs(9) && took <= Duration::from_secs(11), "{took:?}");
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_connections_one_by_one_and_loses_nothing() {
    let drain = Drain { delay: Duration::from_secs(3), spread: Duration::from_secs(20) };
    let mut stage = Stage::new(BridgeConfig { drain, ..config() });
    let mut ends = Vec::new();
    let start = Instant::now();
    for _ in 0..20 {
        let (mut page, mut broker) = stage.connected().await;
        let frame = send_frame("orders", 100);
        tokio::spawn({
            let frame = frame.clone();
            async move {
                // Answers each frame, after a while.
                while broker.read_exact(&mut vec![0; frame.len()]).await.is_ok() {
                    advance(Duration::from_millis(1)).await;
                    if broker.write_all(&frame).await.is_err() {
                        return;
                    }
                }
            }
        });
        ends.push(tokio::spawn(async move {
            // Sends until it is told to stop; each frame is answered.
            let mut open = 0;
            loop {
                page.send(frame.clone()).await;
                open += 1;
                match timeout(Duration::from_millis(500), page.next()).await {
                    Ok(Some(Message::Binary(_))) => open -= 1,
                    Ok(Some(Message::Text(_))) => break,
                    other => panic!("{other:?}"),
                }
            }
            loop {
                match page.next().await {
                    Some(Message::Binary(bytes)) => open -= bytes.len() / frame.len(),
                    Some(Message::Close(Some(close))) => {
                        assert_eq!(u16::from(close.code), CloseCode::DRAINING.0);
                        assert_eq!(open, 0, "each frame was answered");
                        return start.elapsed();
                    }
                    other => panic!("{other:?}"),
                }
            }
        }));
    }

    let draining = stage.bridge.clone();
    tokio::spawn(async move { draining.drain().await });
    tokio::task::yield_now().await;
    assert!(stage.http("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await.contains("503"));
    let mut times = Vec::new();
    for end in ends {
        times.push(end.await.unwrap());
    }
    let sorted = times.is_sorted();
    times.sort();

    assert!(!sorted, "in no order that one could foresee");
    assert!(times[0] >= Duration::from_secs(3));
    assert!(times[19] <= Duration::from_secs(28), "{times:?}");
    assert!(times[15] - times[4] >= Duration::from_secs(5), "spread: {times:?}");
    (&mut stage.served).await.unwrap().unwrap();
}

/// Such a page is told late, or never; what has come of it is delivered meanwhile.
#[tokio::test(start_paused = true)]
async fn what_a_page_that_reads_nothing_has_sent_arrives_when_the_bridge_stops() {
    let mut stage = Stage::new(config());
    let (mut page, broker) = stage.connected().await;
    let (mut asked, mut answers) = tokio::io::split(broker);
    let answering = tokio::spawn(async move {
        // More than all sockets hold. The end of the connection may cut it off.
        let _cut = answers.write_all(&send_frame("orders", 10_000).repeat(40)).await;
    });
    // No more than the sockets hold: the bridge itself has little room.
    let (frame, count) = (send_frame("orders", 1_000), 110);
    for _ in 0..count {
        // The broker takes nothing yet, so most of it is on its way.
        page.send(frame.clone()).await;
    }
    advance(Duration::from_secs(1)).await;

    stage.bridge.stop();
    advance(Duration::from_secs(1)).await;
    let mut arrived = vec![0; count * frame.len()];
    asked.read_exact(&mut arrived).await.unwrap();

    assert!(arrived.chunks(frame.len()).all(|chunk| chunk == frame));
    drop((page, asked));
    answering.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_a_drain_at_once() {
    let drain = Drain { delay: Duration::ZERO, spread: Duration::from_secs(1_000) };
    let mut stage = Stage::new(BridgeConfig { drain, ..config() });
    let (mut page, mut broker) = stage.connected().await;
    stage.bridge.drain().await;
    let start = Instant::now();

    let frame = send_frame("orders", 100);
    page.send(frame.clone()).await;
    stage.bridge.stop();

    assert_eq!(page.closed().await.0, CloseCode::DRAINING.0);
    page.close().await;
    assert_eq!(read_rest(&mut broker).await, frame, "what was sent arrives");
    drop(broker);
    (&mut stage.served).await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn metrics_add_up() {
    let mut stage = Stage::new(config());
    for frames in 0..3 {
        let (mut page, mut broker) = stage.connected().await;
        let frame = send_frame("orders", 10);
        page.send(frame.repeat(frames)).await;
        read(&mut broker, frames * frame.len()).await;
        page.close().await;
    }
    let (page, broker) = stage.connected().await;
    drop((page, broker));
    let mut refused = stage.page(crate::stage::REFUSES).await;
    refused.closed().await;
    drop(refused);
    let metrics = stage.bridge.metrics();
    until(|| metrics.open() == 0).await;

    assert_eq!(metrics.handshakes("ok"), 5);
    assert_eq!(value(&stage, "rmqb_frames_total{dir=\"up\",code=\"SEND_MESSAGE_V2\"}"), 3.0);
    assert_eq!(metrics.frames_to_brokers(), 3);
    let age = value(&stage, "rmqb_route_age_seconds");
    assert!(age == f64::INFINITY, "there is no name server: {age}");
    let closes: u64 = metrics
        .to_string()
        .lines()
        .filter(|line| line.starts_with("rmqb_closes_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(closes, 5, "as many as were opened");
    assert_eq!(stage.lines.lock().unwrap().len(), 5);
}
