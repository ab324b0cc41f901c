//! The keys of the cluster's access control: the bridge has one, pages have none.

use std::sync::Arc;
use std::time::Duration;

use producer_core::Credentials;
use producer_core::wire::acl::signature_of_request;
use producer_core::wire::code::request;
use producer_core::wire::{Header, frame};
use producer_native::Address;
use producer_native::bridge::{BridgeConfig, CloseCode, Signer, SigningRules};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use crate::stage::{self, Page, Stage, config, read, read_rest, route_frame, send_frame, until};

const SECRET: &str = "hush-hush-hush";

fn signing(config: BridgeConfig, rules: SigningRules) -> Stage {
    let account = Credentials::new("bridge", SECRET).unwrap();
    let signer = Arc::new(Signer::new(account, rules));
    Stage::with(config, |builder| builder.signer(signer))
}

/// The next frame that a broker gets: its ext fields and its body.
async fn next_frame(broker: &mut DuplexStream) -> (Vec<(String, String)>, Vec<u8>) {
    let mut bytes = read(broker, 4).await;
    let length = u32::from_be_bytes(bytes[..].try_into().unwrap());
    bytes.extend(read(broker, length as usize).await);
    let found = frame::split(&bytes, usize::MAX).unwrap().unwrap();
    let header = Header::decode(found.serialize, found.header).unwrap();
    let fields = header.ext.iter();
    let fields = fields.map(|(name, value)| (name.to_cow().into(), value.to_cow().into()));
    (fields.collect(), found.body.to_vec())
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> Vec<&'f str> {
    fields.iter().filter(|field| field.0 == name).map(|field| &*field.1).collect()
}

/// A page that brings what it has found, or nothing: the broker sees the bridge's account alone, and
/// the page sees nothing of it.
#[tokio::test(start_paused = true)]
async fn t08_no_page_needs_a_key_and_none_learns_ours() {
    let mut stage = signing(config(), SigningRules::default());
    let (mut page, mut broker) = stage.connected().await;
    let stolen = [("a", "pages"), ("b", "orders"), ("AccessKey", "root"), ("Signature", "forged")];
    let stolen = [&stolen[..], &[("SecurityToken", "stolen"), ("AccessKey", "")]].concat();
    let stolen = stage::frame(request::SEND_MESSAGE_V2, &stolen, b"body");
    let beat = br#"{"clientID":"c","producerDataSet":[{"groupName":"pages"}]}"#;
    let beat = stage::frame(request::HEART_BEAT, &[], beat);

    for sent in [send_frame("orders", 100), stolen, beat, send_frame("orders", 200_000)] {
        for piece in [7, 100, sent.len()] {
            if sent.len() / piece > 10_000 {
                continue;
            }
            for piece in sent.chunks(piece.min(200_000)) {
                page.send(piece.to_vec()).await;
            }
            let (fields, body) = next_frame(&mut broker).await;
            assert_eq!(value(&fields, "AccessKey"), ["bridge"]);
            assert!(value(&fields, "SecurityToken").is_empty(), "the page's is dropped");
            let pairs = fields.iter().map(|(name, value)| (&**name, &**value));
            let right = signature_of_request(pairs, SECRET, &body).unwrap();
            assert_eq!(value(&fields, "Signature"), [right]);
            assert!(sent.ends_with(&body));
        }
    }
    broker.write_all(&send_frame("answer", 10)).await.unwrap();
    let mut seen = page.read(send_frame("answer", 10).len()).await;
    page.send(stage::frame(25, &[], b"")).await;
    let (code, reason) = page.closed().await;
    assert_eq!(code, CloseCode::REFUSED.0, "the filter has the last word: {reason}");
    page.close().await;
    assert!(read_rest(&mut broker).await.is_empty());
    drop(broker);
    until(|| stage.bridge.metrics().open() == 0).await;

    seen.extend_from_slice(reason.as_bytes());
    let mut said = String::from_utf8_lossy(&seen).into_owned();
    said += &stage.lines.lock().unwrap().join("\n");
    said += &format!("{} {:?}", stage.bridge.metrics(), stage.bridge);
    assert!(said.contains("rmqb_signed_total 11\n"), "{said}");
    for secret in [SECRET, "stolen", "forged"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn t08_what_needs_no_signature_gets_none() {
    let name_servers = Address::list("127.0.0.1:9876").unwrap();
    let mut stage = signing(BridgeConfig { name_servers, ..config() }, SigningRules::default());
    let (_, mut asked) = stage.dial().await;
    asked.shutdown().await.unwrap();

    let mut page = stage.page("ns").await;
    let (_, mut name_server) = stage.dial().await;
    page.hello().await;
    let asked = route_frame("orders");
    page.send(asked.clone()).await;

    assert_eq!(read(&mut name_server, asked.len()).await, asked, "byte by byte");
}

/// Sends a frame of 200,000 bytes but its end.
async fn begin(page: &mut Page) -> Vec<u8> {
    let sent = send_frame("orders", 200_000);
    page.send(sent[..1_000].to_vec()).await;
    page.send(sent[1_000..150_000].to_vec()).await;
    sent[150_000..].to_vec()
}

/// T10 of this mode: what waits for the rest of its frame is bounded in bytes and in time.
#[tokio::test(start_paused = true)]
async fn t10_frames_to_be_signed_share_their_room_and_have_their_time() {
    let rules = SigningRules { held_bytes_max: 256 * 1024, ..SigningRules::default() };
    let mut stage = signing(config(), rules);
    let start = Instant::now();
    let (mut slow, mut nothing) = stage.connected().await;
    begin(&mut slow).await;
    let (mut other, mut others) = stage.connected().await;
    other.send(send_frame("orders", 1_000)).await;
    next_frame(&mut others).await;
    assert_eq!(start.elapsed(), Duration::ZERO, "small ones need no room");
    tokio::time::advance(Duration::from_secs(10)).await;
    let (mut waits, mut broker) = stage.connected().await;
    let waiting = tokio::spawn(async move {
        let rest = begin(&mut waits).await;
        waits.send(rest).await;
        waits
    });

    let (code, reason) = slow.closed().await;
    assert_eq!(code, CloseCode::LIMIT.0, "{reason}");
    assert!(reason.starts_with("a frame took too long") && start.elapsed() == rules.frame_time);
    slow.close().await;
    assert_eq!(nothing.read(&mut [0]).await.unwrap(), 0, "not a byte of it");
    drop(nothing);
    assert_eq!(next_frame(&mut broker).await.1.len(), 200_000, "and then there is room");
    waiting.await.unwrap();
    assert_eq!(stage.bridge.metrics().limits("signing"), 1);
}

/// A page that asks for room and gets none is told to come back.
#[tokio::test(start_paused = true)]
async fn a_page_that_finds_no_room_is_told_so() {
    let rules = SigningRules { held_bytes_max: 256 * 1024, ..SigningRules::default() };
    let mut stage = signing(config(), rules);
    let (mut first, broker) = stage.connected().await;
    let rest = begin(&mut first).await;
    let (mut second, _broker) = stage.connected().await;
    let waiting = tokio::spawn(async move {
        begin(&mut second).await;
        second
    });
    for _ in 0..30 {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    // Its broker takes nothing, so its room is taken for as long as it waits.
    for _ in 0..4 {
        let whole = [&*rest, &*send_frame("orders", 100_000)].concat();
        if tokio::time::timeout(Duration::from_millis(1), first.send(whole)).await.is_err() {
            break;
        }
    }
    let mut second = waiting.await.unwrap();
    let (code, reason) = second.closed().await;
    assert_eq!(code, CloseCode::LIMIT.0);
    assert!(reason.starts_with("too many large frames"), "{reason}");
    drop((first, broker));
}

/// T10: a broker that takes nothing keeps what is meant for it for a while, and not for ever.
#[tokio::test(start_paused = true)]
async fn t10_large_frames_to_a_broker_that_stands_still_have_their_time() {
    let rules = SigningRules::default();
    let mut stage = signing(config(), rules);
    let (mut page, broker) = stage.connected().await;
    let start = Instant::now();

    let rest = begin(&mut page).await;
    page.send(rest).await;
    let (code, reason) = page.closed().await;

    assert_eq!(code, CloseCode::LIMIT.0);
    assert!(reason.starts_with("the broker takes no large frames"), "{reason}");
    assert_eq!(start.elapsed(), rules.frame_time);
    page.close().await;
    drop(broker);
    let metrics = stage.bridge.metrics();
    until(|| metrics.open() == 0).await;
    assert!(metrics.to_string().contains("rmqb_signing_bytes 0\n"), "the room is back");
}
