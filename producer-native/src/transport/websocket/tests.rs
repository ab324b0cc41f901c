use super::*;

#[test]
fn urls_of_bridges_are_read_and_others_refused() {
    let places = [
        ("ws://10.0.0.1:7071", "ws://10.0.0.1:7071"),
        (" ws://bridge.example.com/ ", "ws://bridge.example.com:80"),
        ("WS://bridge.example.com/mq/", "ws://bridge.example.com:80/mq"),
        ("ws://[::1]/", "ws://[::1]:80"),
        ("ws://[::1]:7071/a/b", "ws://[::1]:7071/a/b"),
    ];
    for (url, place) in places {
        assert_eq!(WebSocket::new(url).unwrap().place(), place, "{url}");
    }
    let bad = [
        "bridge:7071",
        "http://bridge:7071",
        "ftp://bridge",
        "ws://",
        "ws:///path",
        "ws://bridge:0",
        "ws://bridge:70000",
        "ws://user@bridge",
        "ws://bridge/?token=secret-1",
        "ws://bridge/#x",
        "ws://bridge/a b",
        "ws://bridge/\r\nHost: x",
    ];
    for url in bad {
        let problem = WebSocket::new(url).unwrap_err().to_string();
        assert!(!problem.contains("secret-1"), "{problem}");
    }
}

#[test]
fn a_request_names_target_protocol_token_and_origin() {
    let bridge = WebSocket::new("ws://bridge:7071/mq").unwrap().token("t?ken>");
    let bridge = bridge.origin("https://shop.example.com").unwrap();
    assert!(!format!("{bridge:?}").contains("t?ken>"));

    let token = Secret::from("t?ken>");
    let broker = Address::new("10.0.0.5:10911").unwrap();
    let request = bridge.request(&broker, Some(&token)).unwrap();

    assert_eq!(request.uri(), "ws://bridge:7071/mq/v1/connect/10.0.0.5:10911");
    assert_eq!(request.headers()[SEC_WEBSOCKET_PROTOCOL], "rmq-tcp.v1, bearer.dD9rZW4-");
    assert_eq!(request.headers()[ORIGIN], "https://shop.example.com");
    assert!(!format!("{request:?}").contains("dD9rZW4-"));
    let name_servers = WebSocket::name_servers().unwrap();
    let request = bridge.request(&name_servers, None).unwrap();
    assert_eq!(request.uri(), "ws://bridge:7071/mq/v1/connect/ns");
    assert_eq!(request.headers()[SEC_WEBSOCKET_PROTOCOL], "rmq-tcp.v1");
}

#[test]
fn close_codes_say_what_happened_to_the_broker_or_what_the_bridge_did() {
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;

    let end = |code: u16, reason: &'static str| {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        end_of_bridge(&end::Closed::new(Some(&frame)).into()).unwrap()
    };
    assert_eq!(end(4502, ""), ConnectionEnd::Refused);
    assert_eq!(end(4504, ""), ConnectionEnd::DialTimeout);
    assert_eq!(end(4510, ""), ConnectionEnd::Reset);
    assert_eq!(end(4511, ""), ConnectionEnd::Closed);
    let ConnectionEnd::Token(text) = end(4001, "expired\r\n") else { panic!("the bridge did it") };
    assert_eq!(
        text,
        "the bridge closed the connection with 4001 (expired): the token is good no more"
    );
    let ConnectionEnd::Proxy(text) = end(3000, "") else { panic!("the bridge did it") };
    assert_eq!(text, "the bridge closed the connection with 3000");
}
