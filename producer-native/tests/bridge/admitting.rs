//! Who is let in, how many of them, and until when?

use std::time::Duration;

use producer_core::wire::{Head, encode_frame};
use producer_native::bridge::{BridgeConfig, CloseCode, LimitSettings, Policy};
use producer_native::{Address, SerializeType};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::stage::{
    Ask, BROKER, NOW, Page, Stage, clock, config, read, send_frame, token, tokens, until,
};

/// Comes in, and is connected.
async fn come_in(stage: &mut Stage, ask: Ask) -> (Page, DuplexStream) {
    let (mut page, _) = stage.try_page(ask).await.unwrap();
    let (_, broker) = stage.dial().await;
    page.hello().await;
    (page, broker)
}

/// Two of these have room, the third is told when to come back, and has room when one has left;
/// somebody else is not concerned.
async fn two_have_room(limits: LimitSettings, word: &str, ask: impl Fn(u8) -> Ask, other: Ask) {
    let config = BridgeConfig { limits, ..config() };
    let mut stage = Stage::with(config, |bridge| bridge.tokens(tokens()).clock(clock()));
    let one = come_in(&mut stage, ask(1)).await;
    let _two = come_in(&mut stage, ask(2)).await;

    let (mut three, _) = stage.try_page(ask(3)).await.unwrap();
    let (code, reason) = three.closed().await;
    assert_eq!(code, CloseCode::LIMIT.0, "{word}");
    assert!(reason.ends_with("; retry-after=5000"), "{word}: {reason}");
    assert!(stage.no_dials(), "{word}: nobody was dialled for it");
    three.close().await;
    let metrics = stage.bridge.metrics();
    assert_eq!(metrics.limits(word), 1);
    until(|| metrics.open() == 2).await;

    let _other = match word {
        "connections" => None,
        _ => Some(come_in(&mut stage, other).await),
    };
    let open = metrics.open();
    drop(one.1);
    one.0.close().await;
    until(|| metrics.open() == open - 1).await;
    come_in(&mut stage, ask(4)).await;
}

fn from(ip: u8, subject: &str) -> Ask {
    let claims = format!(r#","sub":"{subject}""#);
    Ask::new(BROKER).token(&token(&claims, NOW + 600)).from(&format!("192.0.2.{ip}"))
}

#[tokio::test(start_paused = true)]
async fn connections_have_limits_in_all_by_address_and_by_subject() {
    let limits = LimitSettings::default();
    let subject = |n: u8| format!("page-{n}");

    let all = LimitSettings { connections_max: 2, ..limits };
    two_have_room(all, "connections", |n| from(n, &subject(n)), from(9, "other")).await;
    let by_ip = LimitSettings { connections_per_ip_max: 2, ..limits };
    two_have_room(by_ip, "connections-ip", |n| from(1, &subject(n)), from(9, "other")).await;
    let by_subject = LimitSettings { connections_per_subject_max: 2, ..limits };
    two_have_room(by_subject, "connections-subject", |n| from(n, "me"), from(9, "other")).await;
}

const NAME_SERVER: &str = "127.0.0.1:9876";
const REGISTERED: &str = "10.0.0.5:10911";

/// The bridge asks for brokers, and there is this one, or none.
async fn answer(stage: &mut Stage, broker: Option<&str>) {
    let (address, mut server) = stage.dial().await;
    assert_eq!(address, NAME_SERVER);
    let length = read(&mut server, 4).await;
    read(&mut server, u32::from_be_bytes(length.try_into().unwrap()) as usize).await;
    let brokers = broker.map_or_else(String::new, |at| {
        format!(r#""b":{{"brokerName":"b","cluster":"c","brokerAddrs":{{"0":"{at}"}}}}"#)
    });
    let body = format!(r#"{{"brokerAddrTable":{{{brokers}}},"clusterAddrTable":{{}}}}"#);
    let head = Head { opaque: 1, flag: Head::RESPONSE, ..Head::default() };
    let none: [(&str, &str); 0] = [];
    let mut frame = Vec::new();
    encode_frame(&mut frame, SerializeType::Json, &head, none, body.as_bytes()).unwrap();
    server.write_all(&frame).await.unwrap();
    // Until the bridge has read it and hung up.
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_left_the_routes_keeps_its_connections_and_gets_no_new_ones() {
    let name_servers = Address::list(NAME_SERVER).unwrap();
    let mut config = BridgeConfig { name_servers, policy: Policy::default(), ..config() };
    // Nobody answers pings here.
    config.rules.silence = Duration::from_secs(1_000);
    let mut stage = Stage::new(config);
    answer(&mut stage, Some(REGISTERED)).await;
    let (mut page, mut broker) = come_in(&mut stage, Ask::new(REGISTERED)).await;

    // Registrations come and go: it is missed for a minute, and nobody notices.
    for _ in 0..2 {
        answer(&mut stage, None).await;
        come_in(&mut stage, Ask::new(REGISTERED)).await;
    }
    answer(&mut stage, None).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(stage.refusal(Ask::new(REGISTERED)).await, 403);

    let frame = send_frame("orders", 10);
    page.send(frame.clone()).await;
    assert_eq!(read(&mut broker, frame.len()).await, frame, "the connection there was goes on");

    // Whoever asked for it made the bridge look again, and it is back.
    answer(&mut stage, Some(REGISTERED)).await;
    come_in(&mut stage, Ask::new(REGISTERED)).await;
}
