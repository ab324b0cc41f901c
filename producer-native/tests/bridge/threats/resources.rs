//! Threats that cost: time, memory, sockets.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use producer_native::bridge::CloseCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::stage::{
    Ask, BROKER, HOST, NOW, Stage, clock, config, read, send_frame, soon, token, tokens, until,
};

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
    assert_eq!(all[0].read(&mut [0]).await.unwrap_or(0), 0, "the first makes room for the last");
    let newcomer = Ask::new(BROKER).from("203.0.113.1");
    assert!(stage.try_page(newcomer).await.is_ok(), "nobody is locked out");
}

/// A page that says much without a byte for the broker: it is slowed as any other.
#[tokio::test(start_paused = true)]
async fn t10_messages_of_every_kind_have_their_pace() {
    let nothing = Bytes::from_static(b"12345678");
    for message in [
        Message::text(r#"{"traceparent":"00"}"#),
        Message::Ping(nothing.clone()),
        Message::Pong(nothing),
        Message::Binary(Bytes::new()),
    ] {
        let mut config = config();
        config.rules.frames_per_second = 100;
        let mut stage = Stage::new(config);
        let (mut page, mut broker) = stage.connected().await;
        let start = Instant::now();

        let sent = async {
            for _ in 0..500 {
                page.0.feed(message.clone()).await.unwrap();
            }
            page.send(send_frame("orders", 10)).await;
        };
        let ((), seen) =
            tokio::join!(soon(sent), soon(read(&mut broker, send_frame("orders", 10).len())));
        assert_eq!(seen, send_frame("orders", 10));
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(4) && took <= Duration::from_secs(6), "{took:?}");
        let metrics = stage.bridge.metrics().to_string();
        assert!(metrics.contains("rmqb_ping_rtt_seconds_count 0\n"), "nobody asked: {metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn t10_tokens_come_one_a_second() {
    let mut stage = Stage::with(config(), |bridge| bridge.tokens(tokens()).clock(clock()));
    let token = token("", NOW + 600);
    let (mut page, _) = stage.try_page(Ask::new(BROKER).token(&token)).await.unwrap();
    let _broker = stage.dial().await;
    page.hello().await;
    let next = format!(r#"{{"token":"{token}"}}"#);

    for _ in 0..3 {
        page.say(&next).await;
        assert_eq!(page.hello().await["token"], "ok");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    page.say(&next).await;
    page.say(&next).await;
    let (code, reason) = page.closed().await;
    assert_eq!((code, &*reason), (CloseCode::LIMIT.0, "too many tokens; retry-after=1000"));
    assert_eq!(stage.bridge.metrics().limits("tokens"), 1);
}

#[tokio::test(start_paused = true)]
async fn t10_pages_do_not_choose_the_labels_of_figures() {
    let mut stage = Stage::new(config());
    for code in [1000, 3000, 4000, 4001, 4321, 4999] {
        let (mut page, _broker) = stage.connected().await;
        page.0.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await.unwrap();
        while let Some(Ok(_)) = page.0.next().await {}
    }
    let metrics = stage.bridge.metrics();
    until(|| metrics.open() == 0).await;

    let text = metrics.to_string();
    let closes: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("rmqb_closes_total")).collect();
    let wanted = [r#"{code="other",by="page"} 5"#, r#"{code="1000",by="page"} 1"#];
    assert_eq!(closes, wanted);
    assert_eq!(stage.last_line()["close"], 4999, "the log has it");
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
