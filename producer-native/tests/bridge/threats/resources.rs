//! Threats that cost: time, memory, sockets.

use std::time::Duration;

use producer_native::bridge::CloseCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::stage::{Ask, BROKER, HOST, Stage, config, until};

#[tokio::test(start_paused = true)]
async fn t09_who_asks_slowly_is_not_waited_for() {
    let mut stage = Stage::new(config());
    let start = Instant::now();
    let mut socket = stage.socket();

    let request = format!("GET /healthz HTTP/1.1\r\nhost: {HOST}\r\nx-slow: {}", "x".repeat(600));
    let mut written = 0;
    for byte in request.bytes() {
        if socket.write_all(&[byte]).await.is_err() {
            break;
        }
        written += 1;
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    let took = start.elapsed();
    assert!(took <= Duration::from_millis(5_300), "{written} bytes in {took:?}");
    assert_eq!(stage.bridge.metrics().handshakes("timeout"), 1);
}

#[tokio::test(start_paused = true)]
async fn t09_sockets_that_say_nothing_are_few() {
    let mut stage = Stage::new(config());

    let silent: Vec<_> = (0..8).map(|_| stage.socket_from("192.0.2.1")).collect();
    let mut ninth = stage.socket_from("192.0.2.1");
    assert_eq!(ninth.read(&mut [0]).await.unwrap_or(0), 0, "it is closed at once");
    let other = Ask::new(BROKER).from("192.0.2.2");
    assert!(stage.try_page(other).await.is_ok(), "others are served");
    drop(silent);

    let mut all = Vec::new();
    for number in 0..=256 {
        all.push(stage.socket_from(&format!("198.51.{}.{}", number / 200, number % 200)));
    }
    let metrics = stage.bridge.metrics();
    until(|| metrics.handshakes("limit") == 2).await;
    assert_eq!(metrics.limits("handshakes"), 1);
    assert_eq!(metrics.limits("handshakes-ip"), 1);
}

#[tokio::test(start_paused = true)]
async fn t09_those_who_are_told_that_there_is_no_room_are_few() {
    let mut config = config();
    config.limits.connections_max = 1;
    let mut stage = Stage::new(config);
    let (_page, _broker) = stage.connected().await;

    let mut told = Vec::new();
    let from = |number: usize| format!("198.51.{}.{}", number / 200, number % 200);
    for number in 0..256 {
        told.push(stage.try_page(Ask::new(BROKER).from(&from(number))).await.unwrap().0);
    }
    let next = stage.refusal(Ask::new(BROKER).from(&from(256))).await;
    assert_eq!(next, 429, "it is only told a status");

    // They were told by a close code, and whoever does not answer it is not waited for.
    tokio::time::advance(Duration::from_millis(1_100)).await;
    assert_eq!(told[0].closed().await.0, CloseCode::LIMIT.0);
    let later = stage.try_page(Ask::new(BROKER).from(&from(257))).await;
    assert_eq!(later.unwrap().0.closed().await.0, CloseCode::LIMIT.0);
}

#[tokio::test(start_paused = true)]
async fn t09_heads_are_bounded() {
    let mut stage = Stage::new(config());
    let mut socket = stage.socket();

    socket
        .write_all(format!("GET /healthz HTTP/1.1\r\nhost: {HOST}\r\n").as_bytes())
        .await
        .unwrap();
    let mut written = 0;
    let field = format!("x: {}\r\n", "y".repeat(500));
    while socket.write_all(field.as_bytes()).await.is_ok() {
        written += field.len();
        assert!(written < 256 * 1024, "somebody reads for ever");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn t10_large_messages_end_the_connection() {
    let mut stage = Stage::new(config());

    let (mut page, _broker) = stage.connected().await;
    let header = [0x82, 0xFF, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0, 0];
    page.0.get_mut().write_all(&header).await.unwrap();
    assert_eq!(page.closed().await.0, CloseCode::TOO_BIG.0, "by its length alone");

    // 64 KiB a fragment, masked by zeros.
    let (mut page, _broker) = stage.connected().await;
    let mut fragment = vec![0x02, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    fragment.resize(fragment.len() + 65_536, 0);
    for _ in 0..6 {
        if page.0.get_mut().write_all(&fragment).await.is_err() {
            break;
        }
        fragment[0] = 0x00;
    }
    assert_eq!(page.closed().await.0, CloseCode::TOO_BIG.0, "by the sum of its fragments");
}

#[tokio::test(start_paused = true)]
async fn t12_a_storm_is_told_when_to_come_back() {
    let mut stage = Stage::new(config());
    let start = Instant::now();
    let mut rounds = 0;
    let mut pages = Vec::new();

    while pages.len() < 60 {
        rounds += 1;
        let mut next = Duration::ZERO;
        for _ in pages.len()..60 {
            let mut page = stage.page(BROKER).await;
            match page.next().await {
                Some(Message::Text(_)) => pages.push(page),
                Some(Message::Close(Some(close))) => {
                    assert_eq!(u16::from(close.code), CloseCode::LIMIT.0);
                    let reason = close.reason.to_string();
                    let millis = reason.rsplit_once("retry-after=").unwrap().1.parse().unwrap();
                    next = Duration::from_millis(millis);
                    assert!(!next.is_zero() && next <= Duration::from_secs(5), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
        let second = start.elapsed().as_secs() + 1;
        assert!(pages.len() as u64 <= 20 * (second + 1), "{} by second {second}", pages.len());
        tokio::time::advance(next.max(Duration::from_secs(1))).await;
    }
    assert!(rounds >= 2 && start.elapsed() <= Duration::from_secs(5), "all are back");
}
