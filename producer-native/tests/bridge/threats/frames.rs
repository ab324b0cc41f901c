//! Threats that frames bring: what they ask of a broker.

use producer_core::wire::code::request;
use producer_native::bridge::{BridgeConfig, CloseCode};
use tokio::io::AsyncReadExt;

use crate::stage::{
    Ask, BROKER, NOW, Page, Stage, clock, config, frame, json_frame, read, read_rest, route_frame,
    send_frame, token, tokens,
};

fn many() -> BridgeConfig {
    let mut config = config();
    config.limits.requests_burst = 100_000;
    config
}

/// Sends bytes in pieces of a size behind an allowed frame, and what the broker saw of them.
async fn sent(stage: &mut Stage, bytes: &[u8], piece: usize) -> (u16, Vec<u8>) {
    let (mut page, mut broker) = stage.connected().await;
    let good = send_frame("orders", 10);
    page.send(good.clone()).await;
    assert_eq!(read(&mut broker, good.len()).await, good);
    for piece in bytes.chunks(piece) {
        page.send(piece.to_vec()).await;
    }
    let code = page.closed().await.0;
    page.close().await;
    (code, read_rest(&mut broker).await)
}

#[tokio::test(start_paused = true)]
async fn t05_admin_commands_do_not_pass() {
    let mut stage = Stage::new(many());
    let allowed = [
        request::SEND_MESSAGE_V2,
        request::SEND_BATCH_MESSAGE,
        request::HEART_BEAT,
        request::UNREGISTER_CLIENT,
        request::END_TRANSACTION,
        request::GET_MAX_OFFSET,
    ];

    for code in (-3..1_100).filter(|code| !allowed.contains(code)) {
        let bytes = frame(code, &[("topic", "orders")], b"body");
        let piece = 1 + code.unsigned_abs() as usize % 40;
        let (closed, seen) = sent(&mut stage, &bytes, piece).await;
        assert_eq!((closed, seen.len()), (CloseCode::REFUSED.0, 0), "code {code}");
    }
    // What a name server is asked is not for brokers, and the other way round.
    let (closed, seen) = sent(&mut stage, &route_frame("orders"), 7).await;
    assert_eq!((closed, seen.len()), (CloseCode::REFUSED.0, 0));
}

#[tokio::test(start_paused = true)]
async fn t06_frames_that_could_be_read_in_two_ways_do_not_pass() {
    let mut stage = Stage::new(many());
    let good = send_frame("orders", 10);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let twice = r#"{"code":310,"code":25,"flag":0,"opaque":1}"#;
    let cases: [(&str, Vec<u8>); 7] = [
        ("JSON", json_frame(r#"{"code":310,"flag":0,"opaque":1}"#, b"x")),
        ("JSON with two codes", json_frame(twice, b"x")),
        ("an unknown kind of header", changed(4, 2)),
        ("a header longer than its frame", changed(6, 0xff)),
        ("a response", changed(20, 1)),
        ("no length", vec![0; 40]),
        ("a negative length", changed(0, 0x80)),
    ];

    for (what, bytes) in cases {
        for piece in [1, 5, bytes.len()] {
            let (code, seen) = sent(&mut stage, &bytes, piece).await;
            let refused = [CloseCode::REFUSED.0, CloseCode::TOO_BIG.0].contains(&code);
            assert!(refused && seen.is_empty(), "{what} in pieces of {piece}: {code}, {seen:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t16_a_token_for_one_topic_is_none_for_another() {
    let mut stage = Stage::with(many(), |bridge| bridge.tokens(tokens()).clock(clock()));
    let claims = r#","sub":"me","topics":["orders"],"groups":["pages"],"maxBody":100"#;
    let token = token(claims, NOW + 600);

    for (topic, body, code) in [
        ("invoices", 10, CloseCode::REFUSED),
        ("orders2", 10, CloseCode::REFUSED),
        ("orders", 101, CloseCode::TOO_BIG),
    ] {
        let ask = Ask::new(BROKER).token(&token);
        let (mut page, _): (Page, _) = stage.try_page(ask).await.unwrap();
        let (_, mut broker) = stage.dial().await;
        page.hello().await;
        let good = send_frame("orders", 100);
        page.send(good.clone()).await;
        assert_eq!(read(&mut broker, good.len()).await, good);

        page.send(send_frame(topic, body)).await;
        assert_eq!(page.closed().await.0, code.0, "{topic}");
        page.close().await;
        assert_eq!(broker.read(&mut [0]).await.unwrap(), 0, "not one byte");
    }
    assert_eq!(stage.bridge.metrics().refused_frames(), 3);
}
