//! Threats that a request brings: who asks, by what name, for what.

use bytes::Bytes;
use hyper::Response;
use producer_native::Address;
use producer_native::bridge::{
    Bridge, BridgeConfig, CloseCode, Network, Policy, ServerTls, Tokens,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{
    Ask, BROKER, Door, HOST, NOW, Stage, clock, config, read, send_frame, soon, token, tokens,
    until,
};

#[tokio::test(start_paused = true)]
async fn t01_cross_site_pages_are_refused() {
    let origins = vec!["https://shop.example".to_owned()];
    let without_origin = producer_native::bridge::WithoutOrigin::Refused;
    let mut stage = Stage::new(BridgeConfig { origins, without_origin, ..config() });
    let protocol = |ask: Ask| ask.header("sec-websocket-protocol", "rmq-tcp.v1");

    for origin in [
        "https://evil.example",
        "null",
        "https://shop.example.evil",
        "https://SHOP.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://x.shop.example",
        "http://127.0.0.1:7071",
        "http://127.0.0.1",
        "https://127.0.0.1:7070",
    ] {
        let ask = protocol(Ask::bare(BROKER)).origin(origin);
        assert_eq!(stage.refusal(ask).await, 403, "{origin}");
    }
    assert_eq!(stage.refusal(protocol(Ask::bare(BROKER))).await, 403, "without an origin");
    let two =
        protocol(Ask::bare(BROKER)).origin("https://shop.example").origin("https://evil.example");
    assert_eq!(stage.refusal(two).await, 403, "two origins");
    assert!(stage.no_dials());
    assert_eq!(stage.bridge.metrics().handshakes("origin"), 12);

    let ours = protocol(Ask::bare(BROKER)).origin("https://shop.example");
    assert!(stage.try_page(ours).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn t02_other_names_for_this_address_are_refused() {
    let mut stage = Stage::new(config());

    for host in ["evil.example", "evil.example:7070", "127.0.0.1.evil.example:7070", "[::1]:7070"] {
        // Such a page's origin is that name, so the two agree.
        let ask = Ask::bare(BROKER)
            .host(host)
            .origin(&format!("http://{host}"))
            .header("sec-websocket-protocol", "rmq-tcp.v1");
        assert_eq!(stage.refusal(ask).await, 421, "{host}");
    }
    assert!(stage.no_dials());
    assert_eq!(stage.bridge.metrics().handshakes("host"), 4);
}

#[tokio::test(start_paused = true)]
async fn t03_targets_that_no_route_has_are_refused_alike() {
    let mut stage = Stage::new(config());
    let mut answers = Vec::new();

    for target in [
        "127.0.0.1:10912",
        "127.0.0.1:7070",
        "169.254.169.254:80",
        "[::ffff:127.0.0.1]:10911",
        "2130706433:10911",
        "0177.0.0.1:10911",
        "0x7f.0.0.1:10911",
        "127.1:10911",
        "127.0.0.1.:10911",
        "localhost:10911",
        "user@127.0.0.1:10911",
        "127.0.0.1:010911",
        "127.0.0.1:10911%2f",
        "127.0.0.1:10911/",
    ] {
        let start = tokio::time::Instant::now();
        let request = format!(
            "GET /v1/connect/{target} HTTP/1.1\r\nhost: {HOST}\r\norigin: http://{HOST}\r\n\
             upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: rmq-tcp.v1\r\n\r\n"
        );
        let answer = stage.http(&request).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{target}: {answer}");
        assert_eq!(start.elapsed().as_millis(), 0, "nothing is waited for");
        let date = answer.lines().filter(|line| !line.starts_with("date:"));
        answers.push(date.collect::<Vec<_>>().join("\n"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "nobody can tell them apart");
    assert!(stage.no_dials());
}

#[tokio::test(start_paused = true)]
async fn t04_a_forged_registration_opens_nothing() {
    for (broker, permitted) in
        [("10.0.0.5:10911", true), ("169.254.169.254:10911", false), ("10.0.0.5:22", false)]
    {
        let name_servers = Address::list("10.0.0.1:9876").unwrap();
        let policy = Policy::default();
        let mut stage = Stage::new(BridgeConfig { name_servers, policy, ..config() });
        stage.name_server_says(broker).await;
        let metrics = stage.bridge.metrics();
        let learnt = format!("rmqb_route_rejected_total {}", u8::from(!permitted));
        until(|| metrics.to_string().contains("rmqb_route_age_seconds 0")).await;

        match permitted {
            true => assert!(stage.try_page(Ask::new(broker)).await.is_ok()),
            false => assert_eq!(stage.refusal(Ask::new(broker)).await, 403),
        }
        assert!(metrics.to_string().contains(&learnt), "{broker}: {metrics}");
        assert_eq!(stage.no_dials(), !permitted);
    }
}

#[tokio::test(start_paused = true)]
async fn t07_a_token_is_in_no_log_and_in_no_query() {
    let mut stage = Stage::with(config(), |bridge| bridge.tokens(tokens()).clock(clock()));
    let token = token(r#","sub":"me""#, NOW + 60);

    let mut ask = Ask::new(BROKER);
    ask.path = format!("{}?token={token}", ask.path);
    assert_eq!(stage.refusal(ask).await, 400);
    assert_eq!(stage.refusal(Ask::new(BROKER)).await, 401);
    let expired = Ask::new(BROKER).token(&crate::stage::token("", NOW - 60));
    assert_eq!(stage.refusal(expired).await, 401);

    let (mut page, response) = stage.try_page(Ask::new(BROKER).token(&token)).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "rmq-tcp.v1", "only this is echoed");
    let (_, broker) = stage.dial().await;
    page.hello().await;
    page.say(&format!(r#"{{"token":"{token}"}}"#)).await;
    assert_eq!(page.hello().await["token"], "ok");
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    page.say(r#"{"token":"wrong.wrong.wrong"}"#).await;
    assert_eq!(page.closed().await.0, CloseCode::TOKEN.0);
    drop((page, broker));
    until(|| stage.bridge.metrics().open() == 0).await;

    let lines = stage.lines.lock().unwrap().join("\n");
    assert!(lines.contains(r#""sub":"me""#), "{lines}");
    for part in token.split('.') {
        assert!(!lines.contains(part), "{lines}");
    }
    assert!(!stage.bridge.metrics().to_string().contains(&token));
}

#[tokio::test(start_paused = true)]
async fn t11_compression_is_not_agreed_on() {
    let mut stage = Stage::new(config());
    let ask = Ask::new(BROKER).header("sec-websocket-extensions", "permessage-deflate");

    let (mut page, response) = stage.try_page(ask).await.unwrap();
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    let (_, mut broker) = stage.dial().await;
    page.hello().await;

    // A compressed message, masked by zeros.
    let mut frame = vec![0xC2, 0x80 | 4, 0, 0, 0, 0];
    frame.extend_from_slice(&[1, 2, 3, 4]);
    page.0.get_mut().write_all(&frame).await.unwrap();
    assert_eq!(page.closed().await.0, CloseCode::PROTOCOL.0);
    page.close().await;
    assert_eq!(broker.read(&mut [0]).await.unwrap(), 0);
}

async fn refuses(config: BridgeConfig, tokens: Tokens, tls: Option<ServerTls>, at: &str) -> bool {
    let mut bridge = Bridge::builder(config).tokens(tokens);
    if let Some(tls) = tls {
        bridge = bridge.tls(tls);
    }
    let bridge = bridge.build();
    bridge.stop();
    soon(bridge.serve(Door::shut(at))).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn t13_plain_listeners_for_strangers_are_refused() {
    let config = BridgeConfig::default;
    let everybody = || Tokens::NotNeeded(producer_native::bridge::Grants::everything());
    let folder = std::env::temp_dir().join(format!("rmq-bridge-t13-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["bridge.example".to_owned()]).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = || Some(ServerTls::open(&chain, &key).unwrap());

    for at in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "192.0.2.1:80"] {
        assert!(refuses(config(), tokens(), None, at).await, "{at}");
        assert!(!refuses(config(), tokens(), tls(), at).await, "{at}");
        assert!(refuses(config(), everybody(), tls(), at).await, "{at} without tokens");
        let proxied = BridgeConfig { behind_proxy: true, ..config() };
        assert!(!refuses(proxied, tokens(), None, at).await, "{at} behind a proxy");
        let open = BridgeConfig { without_tokens: true, ..config() };
        assert!(!refuses(open, everybody(), tls(), at).await, "{at} without tokens, as told");
    }
    assert!(!refuses(config(), everybody(), None, "127.0.0.1:80").await);
    // Behind a proxy all the world comes from loopback.
    let proxied = BridgeConfig { behind_proxy: true, ..config() };
    assert!(refuses(proxied, everybody(), None, "127.0.0.1:80").await);
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let proxied = BridgeConfig { trusted_proxies, ..config() };
    assert!(refuses(proxied, everybody(), None, "127.0.0.1:80").await);
    assert!(!refuses(config(), everybody(), None, "[::1]:80").await);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn t14_a_stranger_cannot_say_that_he_is_another() {
    let trusted_proxies: Vec<Network> = vec!["10.0.0.0/8".parse().unwrap()];
    let mut stage = Stage::new(BridgeConfig { trusted_proxies, without_tokens: true, ..config() });

    for (from, seen) in [("192.0.2.1", "192.0.2.1"), ("10.0.0.1", "198.51.100.7")] {
        let ask = Ask::new(BROKER).from(from).header("x-forwarded-for", "1.1.1.1, 198.51.100.7");
        let (page, _) = stage.try_page(ask).await.unwrap();
        let _broker = stage.dial().await;
        page.close().await;
        until(|| stage.bridge.metrics().open() == 0).await;
        assert_eq!(stage.last_line()["ip"], seen, "from {from}");
    }
}

#[tokio::test(start_paused = true)]
async fn t15_connections_share_nothing() {
    let brokers: Vec<String> = (1..=100).map(|number| format!("10.0.0.{number}:10911")).collect();
    let always = brokers.iter().map(|broker| broker.parse().unwrap()).collect();
    let mut config = BridgeConfig { policy: Policy { always, ..Policy::default() }, ..config() };
    config.limits.connections_per_ip_max = 100;
    config.limits.requests_burst = 100;
    let mut stage = Stage::new(config);

    let mut pages = Vec::new();
    for broker in &brokers {
        pages.push((broker.clone(), stage.page(broker).await));
    }
    let mut tasks = Vec::new();
    for _ in &brokers {
        let (address, mut broker) = stage.dial().await;
        let at = pages.iter().position(|(target, _)| *target == address).unwrap();
        let (target, mut page) = pages.swap_remove(at);
        tasks.push(tokio::spawn(async move {
            assert_eq!(page.hello().await["hello"], target);
            for round in 0..20 {
                let frame = send_frame(&target.replace(['.', ':'], "_"), round);
                page.send(frame.clone()).await;
                assert_eq!(read(&mut broker, frame.len()).await, frame);
                broker.write_all(&frame).await.unwrap();
                assert_eq!(page.read(frame.len()).await, frame);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn t17_no_page_is_served_from_the_bridges_own_origin() {
    let mut stage = Stage::new(config());

    for path in ["/", "/index.html", "/v1/", "/metrics", "/../etc/passwd", "/%3Cscript%3E"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
        let answer = stage.http(&request).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
        assert!(answer.contains("content-type: text/plain"), "{answer}");
        assert!(!answer.contains("script"), "nothing is repeated: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn t17_pages_beside_the_bridge_have_no_path_and_no_host_of_its_own() {
    let mut stage = Stage::with(config(), |builder| {
        builder.pages(async |request| {
            let mut answer = Response::new(Bytes::from(format!("page {}", request.uri())));
            *answer.status_mut() = 203.try_into().unwrap();
            answer
        })
    });
    let ask = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");

    for path in ["/", "/index.html", "/v2/x?y=z"] {
        let answer = stage.http(&ask(path, HOST)).await;
        assert!(answer.starts_with("HTTP/1.1 203"), "{path}: {answer}");
        assert!(answer.contains("connection: close"), "{path}: {answer}");
        assert!(answer.ends_with(&format!("page {path}")), "{path}: {answer}");
    }
    for path in ["/v1/", "/v1/page", "/v1/connect/"] {
        let answer = stage.http(&ask(path, HOST)).await;
        assert!(answer.starts_with("HTTP/1.1 4") && !answer.contains("page"), "{path}: {answer}");
    }
    assert!(stage.http(&ask("/healthz", HOST)).await.ends_with("alive\n"));
    let elsewhere = stage.http(&ask("/", "evil.example")).await;
    assert!(elsewhere.starts_with("HTTP/1.1 421"), "{elsewhere}");
}
