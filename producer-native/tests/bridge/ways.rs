//! Ways to a broker, and what is said before the first frame.

use futures_util::{SinkExt, StreamExt};
use producer_native::Address;
use producer_native::bridge::{Bridge, BridgeConfig, CloseCode, Policy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::stage::{
    Ask, BROKER, HOST, NOW, REFUSES, SILENT, Stage, clock, config, read, route_frame, send_frame,
    soon, token, tokens, until,
};
use crate::world::page;

/// On real TCP, for nothing else resets.
#[tokio::test]
async fn a_broker_that_resets_is_told_apart_from_one_that_closes() {
    for (resets, wanted) in [(true, CloseCode::BROKER_RESET), (false, CloseCode::BROKER_CLOSED)] {
        let broker = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = broker.local_addr().unwrap();
        let policy = Policy { always: vec![address], ..Policy::default() };
        let bridge = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = bridge.local_addr().unwrap().to_string();
        let config = BridgeConfig { policy, ..BridgeConfig::dev() };
        let serving = Bridge::builder(config).build();
        let served = tokio::spawn({
            let serving = serving.clone();
            async move { serving.serve(bridge).await }
        });

        let mut page = page(&at, &address.to_string()).await;
        let (mut socket, _) = soon(broker.accept()).await.unwrap();
        page.send(Message::Binary(send_frame("orders", 10).into())).await.unwrap();
        // All of it, for a socket with unread bytes is always reset.
        socket.read_exact(&mut vec![0; send_frame("orders", 10).len()]).await.unwrap();
        if resets {
            socket.set_zero_linger().unwrap();
        }
        drop(socket);

        let closed = soon(page.next()).await;
        let Some(Ok(Message::Close(Some(close)))) = closed else { panic!("{closed:?}") };
        assert_eq!(u16::from(close.code), wanted.0, "{}", close.reason);
        serving.stop();
        drop(page);
        soon(served).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn brokers_are_told_who_comes_before_the_first_frame_and_name_servers_are_not() {
    let name_servers = Address::list("127.0.0.1:9876").unwrap();
    let mut stage = Stage::new(BridgeConfig { proxy_protocol: true, name_servers, ..config() });
    let (_, _asked) = stage.dial().await;

    let (mut page, _) = stage.try_page(Ask::new(BROKER).from("192.0.2.7")).await.unwrap();
    let (_, mut broker) = stage.dial().await;
    page.hello().await;
    let frame = send_frame("orders", 10);
    page.send(frame.clone()).await;
    let header = read(&mut broker, 28).await;
    assert_eq!(&header[..16], b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
    assert_eq!(header[16..24], [192, 0, 2, 7, 127, 0, 0, 1], "from the page, to the bridge");
    assert_eq!(header[26..], 7070_u16.to_be_bytes());
    assert_eq!(read(&mut broker, frame.len()).await, frame);

    let mut page = stage.page("ns").await;
    let (_, mut name_server) = stage.dial().await;
    page.hello().await;
    page.send(route_frame("orders")).await;
    assert_eq!(read(&mut name_server, route_frame("orders").len()).await, route_frame("orders"));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_registers_by_name_is_looked_up_by_the_bridge() {
    let name_servers = Address::list("10.0.0.1:9876").unwrap();
    let names = vec![("localhost".to_owned(), 10_911)];
    let policy = Policy { names, loopback: true, ..Policy::default() };
    let mut stage = Stage::new(BridgeConfig { name_servers, policy, ..config() });
    assert_eq!(stage.refusal(Ask::new("localhost:10911")).await, 403, "it is in no route");

    stage.name_server_says("localhost:10911").await;
    let metrics = stage.bridge.metrics();
    until(|| metrics.to_string().contains("rmqb_route_entries 1\n")).await;

    for _ in 0..2 {
        let mut page = stage.page("localhost:10911").await;
        let (dialled, _broker) = stage.dial().await;
        assert_eq!(page.hello().await["hello"], "localhost:10911");
        let ip = dialled.parse::<std::net::SocketAddr>().unwrap().ip();
        assert!(ip.is_loopback(), "{dialled}: the transport looks nothing up");
    }
    for other in ["localhost:10909", "LOCALHOST:10911", "localhost.:10911", "127.0.0.1:10911"] {
        assert_eq!(stage.refusal(Ask::new(other)).await, 403, "{other}");
    }
}

/// Status, the header by which a browser lets the page read it, and the body.
async fn diagnose(
    stage: &mut Stage,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> (String, Option<String>, serde_json::Value) {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers: String = headers.collect();
    let path = format!("/v1/diagnose?target={target}");
    let request = format!("{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n{headers}\r\n");
    let answer = stage.http(&request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let named = |line: &str| line.strip_prefix("access-control-allow-origin: ").map(str::to_owned);
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, head.lines().find_map(named), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_page_may_ask_what_is_wrong() {
    let origin = "https://shop.example";
    let origins = vec![origin.to_owned()];
    let mut stage = Stage::with(BridgeConfig { origins, ..config() }, |builder| {
        builder.tokens(tokens()).clock(clock())
    });
    let good = format!("Bearer {}", token("", NOW + 600));
    let old = format!("Bearer {}", token("", NOW - 600));
    let ours = [("origin", origin), ("authorization", &good)];

    for (target, wanted, dial) in [
        (BROKER, "allowed", "ok"),
        ("127.0.0.1%3A10911", "allowed", "ok"),
        (REFUSES, "allowed", "refused"),
        (SILENT, "allowed", "timeout"),
        ("10.0.0.9:10911", "not-in-route", "not-tried"),
        ("what?", "not-in-route", "not-tried"),
    ] {
        let (status, allowed, said) = diagnose(&mut stage, "GET", target, &ours).await;
        assert_eq!((&*status, allowed.as_deref()), ("200", Some(origin)), "{target}");
        let found = (&said["origin"], &said["token"], &said["target"], &said["dial"]);
        assert_eq!(found, (&true.into(), &"ok".into(), &wanted.into(), &dial.into()), "{target}");
    }
    for _ in 0..2 {
        stage.dial().await;
    }

    // Whoever may not connect learns why, and nothing of what there is.
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    for (headers, token, allowed) in [
        (&[("origin", origin), ("authorization", &*old)][..], "expired", Some(origin)),
        (&[("origin", origin)], "missing", Some(origin)),
        (&[("origin", "https://evil.example"), ("authorization", &good)], "not-told", None),
        (&[("origin", "null")], "not-told", None),
    ] {
        let (status, named, said) = diagnose(&mut stage, "GET", BROKER, headers).await;
        assert_eq!((&*status, named.as_deref()), ("200", allowed));
        assert_eq!(said["origin"], allowed.is_some());
        assert_eq!((&said["token"], &said["target"]), (&token.into(), &"not-told".into()));
        assert_eq!(said["dial"], "not-tried");
    }
    assert!(stage.no_dials());

    let (status, named, _) = diagnose(&mut stage, "OPTIONS", BROKER, &ours).await;
    assert_eq!((&*status, named.as_deref()), ("204", Some(origin)));
    let evil = [("origin", "https://evil.example")];
    let (_, named, _) = diagnose(&mut stage, "OPTIONS", BROKER, &evil).await;
    assert_eq!(named, None);
    assert_eq!(diagnose(&mut stage, "POST", BROKER, &ours).await.0, "405");
    let rebound = "GET /v1/diagnose HTTP/1.1\r\nhost: evil.example\r\n\r\n";
    assert!(stage.http(rebound).await.starts_with("HTTP/1.1 421"));

    // A page that is too fast is told when to come back.
    let mut waits = serde_json::Value::Null;
    for _ in 0..25 {
        waits = diagnose(&mut stage, "GET", BROKER, &ours).await.2;
        while !stage.no_dials() {}
    }
    assert!(waits["retryAfterMs"].as_u64().is_some_and(|wait| wait <= 1_000), "{waits}");
    assert_eq!((&waits["token"], &waits["target"]), (&"not-told".into(), &"not-told".into()));
}

#[tokio::test(start_paused = true)]
async fn control_messages_are_bounded_and_nothing_of_them_reaches_a_broker() {
    let long = |bytes: usize| format!(r#"{{"token":"{}"}}"#, "x".repeat(bytes));
    for (text, wanted, words) in [
        (long(8 * 1024 + 1), CloseCode::TOKEN, "the token is too long"),
        (long(16 * 1024), CloseCode::REFUSED, "a control message is too long"),
        (long(256 * 1024), CloseCode::TOO_BIG, ""),
        (r#"{"token":7}"#.to_owned(), CloseCode::REFUSED, "a control message has a token"),
        ("[]".to_owned(), CloseCode::REFUSED, "a text message must be a JSON object"),
        (format!(r#"{{"traceparent":"{}"}}"#, "0".repeat(129)), CloseCode::REFUSED, "traceparent"),
    ] {
        let mut stage = Stage::with(config(), |builder| builder.tokens(tokens()).clock(clock()));
        let ask = Ask::new(BROKER).token(&token("", NOW + 60));
        let (mut page, _) = stage.try_page(ask).await.unwrap();
        let (_, mut broker) = stage.dial().await;
        page.hello().await;

        // The bridge may have closed before it has read all of it.
        let _cut = page.0.send(Message::text(text)).await;
        let (code, reason) = page.closed().await;
        assert_eq!(code, wanted.0, "{reason}");
        assert!(reason.starts_with(words), "{reason}");
        page.close().await;
        let mut rest = Vec::new();
        broker.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
        broker.shutdown().await.unwrap();
    }
}
