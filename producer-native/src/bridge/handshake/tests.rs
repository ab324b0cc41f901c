use std::sync::Arc;

use hyper::Request;
use ring::hmac;

use super::super::token::{Keys, TokenSettings, Verifier};
use super::*;

fn parts(request: &[(&str, String)], path: &str) -> Parts {
    let mut builder = Request::builder().method("GET").uri(path);
    for (name, value) in request {
        builder = builder.header(*name, value);
    }
    builder.body(()).expect("a request").into_parts().0
}

fn good() -> Vec<(&'static str, String)> {
    [
        ("host", "bridge.example"),
        ("origin", "https://bridge.example"),
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", &format!("rmq-tcp.v1, bearer.{}", token(NOW + 300))),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// A token as it stands behind `bearer.`.
fn token(expires_at: u64) -> String {
    let names = r#""topics":["*"],"groups":["*"]"#;
    let claims = format!(r#"{{"aud":"bridge","sub":"me","exp":{expires_at},{names}}}"#);
    let message = format!("{}.{}", coded(br#"{"alg":"HS256"}"#), coded(claims.as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hmac::sign(&key, message.as_bytes());
    coded(format!("{message}.{}", coded(signature.as_ref())).as_bytes())
}

fn coded(bytes: &[u8]) -> String {
    let padded = crate::transport::http::base64(bytes);
    padded.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

const NOW: u64 = 1_700_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The good request with one header replaced, or left out.
fn with(name: &'static str, value: Option<&str>) -> Parts {
    let mut headers: Vec<_> = good().into_iter().filter(|(of, _)| *of != name).collect();
    if let Some(value) = value {
        headers.push((name, value.to_owned()));
    }
    parts(&headers, "/v1/connect/10.0.0.5:10911")
}

fn config() -> BridgeConfig {
    let hosts = vec!["bridge.example".to_owned(), "10.1.1.1:8443".to_owned()];
    let origins = vec!["https://shop.example".to_owned(), "http://localhost:3000".to_owned()];
    BridgeConfig { hosts, origins, ..BridgeConfig::default() }
}

/// A verifier that knows one secret.
fn tokens() -> Tokens {
    let keys = Keys::from_secret(&SECRET.into()).expect("long enough");
    Tokens::Needed(Arc::new(Verifier::new(TokenSettings::new("bridge"), keys)))
}

fn decide_with(config: &BridgeConfig, tokens: &Tokens, request: &Parts) -> Decision {
    let listener = "10.1.1.1:443".parse().expect("an address");
    let over = None;
    let pages = false;
    decide(
        request,
        &Surroundings { config, listener, secure: true, tokens, over, unix: NOW, pages },
    )
}

/// Why it is refused, if it is.
fn why(request: &Parts) -> Option<Why> {
    match decide_with(&config(), &tokens(), request) {
        Decision::Refuse(refused) => Some(refused.why),
        _ => None,
    }
}

#[test]
fn a_good_request_connects() {
    let decision = decide_with(&config(), &tokens(), &with("accept", None));

    let Decision::Connect(connect) = decision else { panic!("{decision:?}") };
    assert_eq!(connect.target, Target::Address("10.0.0.5:10911".parse().expect("one")));
    assert_eq!(connect.grants.subject, "me");
    assert_eq!(connect.origin.as_deref(), Some("https://bridge.example"));
}

#[test]
fn what_is_missing_is_refused_in_order() {
    for (name, expected) in [
        ("host", Why::Host),
        ("origin", Why::Origin),
        ("upgrade", Why::Http),
        ("connection", Why::Http),
        ("sec-websocket-version", Why::Http),
        ("sec-websocket-key", Why::Http),
        ("sec-websocket-protocol", Why::Token),
    ] {
        assert_eq!(why(&with(name, None)), Some(expected), "without {name}");
    }
    let no_protocol = with("sec-websocket-protocol", Some(&format!("bearer.{}", token(NOW + 300))));
    assert_eq!(why(&no_protocol), Some(Why::Http));
    for key in
        ["", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ= ", "dGhlIHNhbXBsZSBub25j!Q=="]
    {
        assert_eq!(why(&with("sec-websocket-key", Some(key))), Some(Why::Http), "{key}");
    }
}

#[test]
fn hosts_are_those_listed() {
    for good in ["bridge.example", "Bridge.Example", "bridge.example:443", "10.1.1.1:8443"] {
        let request = with("host", Some(good));
        assert!(why(&request) != Some(Why::Host), "{good}");
    }
    for bad in [
        "evil.example",
        "bridge.example.evil.example",
        "xbridge.example",
        "bridge.example.",
        "10.1.1.1",
        "10.1.1.1:443",
        "bridge.example:",
        "bridge.example:x",
        "",
        "localhost",
    ] {
        assert_eq!(why(&with("host", Some(bad))), Some(Why::Host), "{bad}");
    }
    let mut two = with("host", Some("bridge.example"));
    two.headers.append("host", HeaderValue::from_static("evil.example"));
    assert_eq!(why(&two), Some(Why::Host), "two hosts");
}

#[test]
fn without_a_list_the_host_is_the_listener() {
    let config = BridgeConfig { origins: vec!["https://bridge.example".to_owned()], ..config() };
    let config = BridgeConfig { hosts: Vec::new(), ..config };
    let refused = |host: &str, listener: &str| {
        let request = with("host", Some(host));
        let listener = listener.parse().expect("an address");
        let tokens = tokens();
        let surroundings = Surroundings {
            config: &config,
            listener,
            secure: true,
            tokens: &tokens,
            over: None,
            unix: NOW,
            pages: false,
        };
        matches!(decide(&request, &surroundings), Decision::Refuse(_))
    };

    assert!(!refused("10.1.1.1:443", "10.1.1.1:443"));
    assert!(!refused("[::1]:443", "[::1]:443"));
    assert!(!refused("localhost:443", "127.0.0.1:443"));
    assert!(refused("localhost", "10.1.1.1:443"));
    assert!(refused("evil.example", "127.0.0.1:443"));
    assert!(refused("127.0.0.2", "127.0.0.1:443"));
    assert!(refused("0.0.0.0", "0.0.0.0:443"), "no address is that");
}

#[test]
fn origins_are_the_own_host_and_those_listed() {
    for good in [
        "https://bridge.example",
        "https://bridge.example:443",
        "https://shop.example",
        "http://localhost:3000",
    ] {
        assert_eq!(why(&with("origin", Some(good))), None, "{good}");
    }
    for bad in [
        "http://bridge.example",
        "https://bridge.example:8443",
        "https://bridge.example.evil.example",
        "https://evil.example",
        "https://shop.example:444",
        "https://Shop.example",
        "https://x.shop.example",
        "https://shop.example/",
        "http://localhost:3001",
        "null",
        "",
        "bridge.example",
    ] {
        assert_eq!(why(&with("origin", Some(bad))), Some(Why::Origin), "{bad}");
    }
    let mut two = with("origin", Some("https://bridge.example"));
    two.headers.append("origin", HeaderValue::from_static("https://evil.example"));
    assert_eq!(why(&two), Some(Why::Origin), "two origins");
}

#[test]
fn programs_without_an_origin_need_a_rule_and_a_token() {
    let none = with("origin", None);
    let with_token = BridgeConfig { without_origin: WithoutOrigin::WithToken, ..config() };
    let everybody = Tokens::NotNeeded(Grants::everything());

    assert!(matches!(decide_with(&with_token, &tokens(), &none), Decision::Connect(_)));
    let refused = decide_with(&with_token, &everybody, &none);
    assert!(matches!(refused, Decision::Refuse(Refused { why: Why::Origin, .. })), "{refused:?}");
    let allowed = BridgeConfig { without_origin: WithoutOrigin::Allowed, ..config() };
    assert!(matches!(decide_with(&allowed, &everybody, &none), Decision::Connect(_)));
}

#[test]
fn tokens_come_as_a_subprotocol_and_in_no_other_way() {
    for bad in
        ["rmq-tcp.v1", "rmq-tcp.v1, bearer.b2xk", "rmq-tcp.v1, bearer.YmFk", "rmq-tcp.v1, bearer."]
    {
        let request = with("sec-websocket-protocol", Some(bad));
        assert_eq!(why(&request), Some(Why::Token), "{bad}");
    }
    for bad in ["rmq-tcp.v1, bearer.dG9rZW4=", "rmq-tcp.v1, bearer.dG9rZW4, bearer.dG9rZW4"] {
        assert_eq!(why(&with("sec-websocket-protocol", Some(bad))), Some(Why::Http), "{bad}");
    }
    let query = parts(&good(), "/v1/connect/10.0.0.5:10911?token=dG9rZW4");
    assert_eq!(why(&query), Some(Why::Http));
}

#[test]
fn paths_are_few_and_short() {
    let decide = |path: &str| decide_with(&config(), &tokens(), &parts(&good(), path));

    assert_eq!(decide("/healthz"), Decision::Health);
    assert_eq!(decide("/readyz"), Decision::Ready);
    for path in ["/", "/v1/connect", "/v1/connects/ns", "/metrics", "/v2/connect/ns"] {
        let decision = decide(path);
        assert!(
            matches!(decision, Decision::Refuse(Refused { why: Why::Http, .. })),
            "{path}: {decision:?}"
        );
    }
    let long = format!("/v1/connect/{}", "x".repeat(600));
    let decision = decide(&long);
    let Decision::Refuse(refused) = decision else { panic!("{decision:?}") };
    assert_eq!(refused.status, StatusCode::URI_TOO_LONG);
}

#[test]
fn base64url_is_strict() {
    let pairs: [(&str, &[u8]); 5] =
        [("", b""), ("Zg", b"f"), ("Zm8", b"fo"), ("Zm9v", b"foo"), ("-_8", &[0xFB, 0xFF])];
    for (coded, plain) in pairs {
        assert_eq!(base64url(coded).as_deref(), Some(plain), "{coded}");
    }
    for bad in ["Z", "Zg==", "Zh", "Zm9", "Zm 9", "+/8", "Zm9vY"] {
        assert_eq!(base64url(bad), None, "{bad}");
    }
}
