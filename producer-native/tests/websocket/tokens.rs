//! Tokens of our client: shown, renewed on the open connection, kept to itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use producer_native::{ConnectionEnd, WebSocket};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, advance, timeout};

use super::tunnel::{bridge, connected, dial};
use crate::stage::{BROKER, NOW, Stage, clock, config, token, tokens};

fn stage() -> Stage {
    Stage::with(config(), |builder| builder.tokens(tokens()).clock(clock()))
}

/// A client whose tokens are good for 40 s each, and how many it has fetched.
fn renewing() -> (WebSocket, Arc<AtomicU64>) {
    let (fetched, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let count = fetched.clone();
    let bridge = bridge().token_from(move || {
        count.fetch_add(1, Relaxed);
        let expires_at = NOW + start.elapsed().as_secs() + 40;
        async move { Ok::<_, std::io::Error>(token(r#","sub":"shop""#, expires_at)) }
    });
    (bridge, fetched)
}

#[tokio::test(start_paused = true)]
async fn a_connection_outlives_its_tokens() {
    let mut stage = stage();
    let (bridge, fetched) = renewing();
    let way = bridge.over(stage.way()).unwrap();
    let (mut stream, _broker) = connected(&mut stage, &way).await;
    assert_eq!(fetched.load(Relaxed), 1);

    // Reading is what drives it.
    assert!(timeout(Duration::from_secs(300), stream.read_u8()).await.is_err(), "it is open");

    let fetched = fetched.load(Relaxed);
    assert!((9..=12).contains(&fetched), "one every 30 s: {fetched}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_renewed_ends_the_connection_after_its_grace() {
    let mut stage = stage();
    let way = bridge().token(token(r#","sub":"shop""#, NOW + 40)).over(stage.way()).unwrap();
    let (mut stream, _broker) = connected(&mut stage, &way).await;
    let start = Instant::now();

    let ended = stream.read_u8().await.unwrap_err();

    assert!(ended.to_string().contains("4001"), "{ended}");
    let after = start.elapsed().as_secs();
    assert!((70..=90).contains(&after), "40 s and a grace of 30 s: {after}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_no_good_is_said_so_and_not_repeated() {
    let stage = stage();
    advance(Duration::from_secs(1)).await;
    let secret = token(r#","sub":"shop""#, NOW - 100);
    let without = bridge().over(stage.way()).unwrap();
    let expired = bridge().token(secret.clone()).over(stage.way()).unwrap();
    let none = bridge().token_from(|| async { Err::<String, _>("the vault is shut") });
    let none = none.over(stage.way()).unwrap();

    for (end, wanted) in [
        (dial(&without, BROKER).await.err(), "401"),
        (dial(&expired, BROKER).await.err(), "401"),
        (dial(&none, BROKER).await.err(), "no token: the vault is shut"),
    ] {
        let Some(ConnectionEnd::Token(text)) = end else { panic!("{end:?}") };
        assert!(text.contains(wanted) && !text.contains(&secret), "{text}");
    }
}
