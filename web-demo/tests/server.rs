//! The server as a browser sees it: files, headers, orders, and the ledger.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use futures_util::StreamExt;
use producer_native::{Message, Producer};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, http};
use web_demo::{Demo, Options, Order, TOPIC};

/// An answer, taken apart.
struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|line| line.0.eq_ignore_ascii_case(name)).map(|line| line.1).next()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn node(&self, id: &str) -> Value {
        let state = self.json();
        let nodes = state["nodes"].as_array().expect("nodes");
        nodes.iter().find(|node| node["id"] == id).expect("such a node").clone()
    }
}

async fn start(page: &str) -> Demo {
    let page = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(page);
    let listen = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    Demo::start(Options { listen, page }).await.unwrap()
}

async fn ask(demo: &Demo, request: &str, headers: &str) -> Got {
    let address = demo.address();
    ask_as(demo, request, &format!("host: {address}\r\n{headers}")).await
}

async fn ask_as(demo: &Demo, request: &str, headers: &str) -> Got {
    let mut socket = TcpStream::connect(demo.address()).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\n{headers}\r\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head[9..12].parse().unwrap();
    Got { status, head, body: answer[end + 4..].to_vec() }
}

async fn get(demo: &Demo, path: &str) -> Got {
    ask(demo, &format!("GET {path}"), "").await
}

async fn post(demo: &Demo, path: &str) -> Got {
    let origin = format!("origin: http://{}\r\n", demo.address());
    ask(demo, &format!("POST {path}"), &origin).await
}

fn page(name: &str, files: &[(&str, &str)]) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[tokio::test]
async fn a_page_is_served_with_strict_headers_and_right_types() {
    page(
        "page",
        &[
            ("index.html", "<p>page"),
            ("app.js", "let app"),
            ("app.js.gz", "packed"),
            ("style.css", "p{}"),
            ("wasm/core.wasm", "\0asm"),
            (".secret", "no"),
        ],
    );
    let demo = start("page").await;
    assert!(demo.is_built());

    for (path, mime) in [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/wasm/core.wasm", "application/wasm"),
        ("/demo/v1/state", "application/json"),
    ] {
        let got = get(&demo, path).await;
        assert_eq!((got.status, got.header("content-type")), (200, Some(mime)), "{path}");
        let policy = got.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval';",
            "style-src 'self';",
            &format!("connect-src 'self' ws://{};", demo.address()),
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval "), "{policy}");
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(got.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert_eq!(got.header("cross-origin-embedder-policy"), Some("require-corp"), "{path}");
    }
    assert_eq!(get(&demo, "/backend.json").await.json()["live"], true);
    let packed = ask(&demo, "GET /app.js", "accept-encoding: br, gzip\r\n").await;
    assert_eq!((packed.header("content-encoding"), &*packed.body), (Some("gzip"), &b"packed"[..]));
    assert_eq!(get(&demo, "/app.js").await.body, b"let app");
    for path in ["/.secret", "/app.js.gz", "/nothing", "/../Cargo.toml", "/%2e%2e/Cargo.toml"] {
        assert_eq!(get(&demo, path).await.status, 404, "{path}");
    }
    assert_eq!(post(&demo, "/").await.status, 405);
}

#[tokio::test]
async fn without_a_page_it_says_how_to_build_one() {
    let demo = start("nothing").await;

    let got = get(&demo, "/").await;

    assert_eq!(got.status, 503);
    assert!(String::from_utf8_lossy(&got.body).contains("./demo"));
    assert!(!demo.is_built());
}

#[tokio::test]
async fn other_pages_and_other_names_get_nothing() {
    let demo = start("nothing").await;
    let at = demo.address();
    let port = at.port();
    let kill = "POST /demo/v1/nodes/broker-a/kill";
    let foreign = [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        format!("https://{at}"),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        format!("http://localhost:{port}"),
    ];

    for origin in &foreign {
        let headers = format!("origin: {origin}\r\n");
        assert_eq!(ask(&demo, kill, &headers).await.status, 403, "{origin}");
        assert_eq!(ask(&demo, "GET /demo/v1/state", &headers).await.status, 403, "{origin}");
    }
    assert_eq!(ask(&demo, kill, "").await.status, 403, "without an origin");
    let two = format!("origin: http://{at}\r\norigin: http://{at}\r\n");
    assert_eq!(ask(&demo, kill, &two).await.status, 403, "two origins");
    let elsewhere = format!("host: evil.example:{port}\r\norigin: http://evil.example:{port}\r\n");
    assert_eq!(ask_as(&demo, kill, &elsewhere).await.status, 421);
    assert!(demo.cluster().broker("broker-a").is_up().await);
    let local = format!("host: localhost:{port}\r\norigin: http://localhost:{port}\r\n");
    assert_eq!(ask_as(&demo, kill, &local).await.status, 200, "the other name of loopback");

    for origin in &foreign {
        let refused = web_socket(&demo, Some(origin)).await.expect_err("foreign");
        let tungstenite::Error::Http(answer) = refused else { panic!("{refused}") };
        assert_eq!(answer.status(), http::StatusCode::FORBIDDEN, "{origin}");
    }
    assert!(web_socket(&demo, None).await.is_err(), "a program without an origin");
}

async fn web_socket(
    demo: &Demo,
    origin: Option<&str>,
) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>, tungstenite::Error> {
    let socket = TcpStream::connect(demo.address()).await.unwrap();
    let mut request =
        format!("ws://{}/v1/connect/ns", demo.address()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "rmq-tcp.v1".parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    Ok(tokio_tungstenite::client_async(request, socket).await?.0)
}

#[tokio::test]
async fn the_bridge_is_on_the_same_port_and_is_closed_in_order() {
    let demo = start("nothing").await;
    let origin = format!("http://{}", demo.address());

    let mut page = web_socket(&demo, Some(&origin)).await.unwrap();
    let hello = page.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(hello.contains(r#""hello":"ns""#), "{hello}");
    assert_eq!(get(&demo, "/healthz").await.body, b"alive\n");
    demo.stop().await.unwrap();

    let closed = loop {
        match page.next().await.unwrap().unwrap() {
            tungstenite::Message::Close(frame) => break frame.unwrap(),
            _notice => {}
        }
    };
    assert_eq!(u16::from(closed.code), 1001);
}

#[tokio::test]
async fn orders_change_nodes_and_are_undone() {
    let demo = start("nothing").await;
    let order = async |node: &str, order: &str| {
        let got = post(&demo, &format!("/demo/v1/nodes/{node}/{order}")).await;
        assert_eq!(got.status, 200, "{node} {order}: {}", String::from_utf8_lossy(&got.body));
        got.node(node)
    };
    let ids: Vec<_> = get(&demo, "/demo/v1/state").await.json()["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["ns-0", "ns-1", "broker-a", "broker-b", "broker-c", "broker-a-slave"]);

    assert_eq!(order("broker-a", "kill").await["up"], false);
    assert!(!demo.cluster().broker("broker-a").is_up().await);
    assert_eq!(order("broker-a", "restart").await["up"], true);
    let before = demo.cluster().broker("broker-a").address();
    assert_eq!(order("broker-a", "move").await["up"], true);
    assert_ne!(demo.cluster().broker("broker-a").address(), before);
    assert_eq!(order("broker-b", "pause").await["paused"], true);
    assert_eq!(order("broker-b", "resume").await["paused"], false);
    assert_eq!(order("broker-b", "slow?ms=70").await["slowMs"], 70);
    assert_eq!(order("broker-b", "busy").await["fault"], "busy");
    assert_eq!(order("broker-b", "drop-answers").await["fault"], "drop-answers");
    assert_eq!(order("broker-b", "half-answer").await["fault"], Value::Null, "it holds once");
    assert_eq!(order("broker-c", "cut-off").await["cutOff"], true);
    assert_eq!(order("broker-c", "rejoin").await["cutOff"], false);
    assert_eq!(order("ns-0", "stale").await["stale"], true);
    assert_eq!(order("ns-0", "slow?ms=9").await["slowMs"], 9);
    assert_eq!(order("ns-1", "kill").await["up"], false);
    order("broker-a-slave", "pause").await;
    order("broker-c", "cut-off").await;

    let healed = post(&demo, "/demo/v1/heal").await;
    for id in &ids {
        let node = healed.node(id);
        assert_eq!((&node["up"], &node["paused"]), (&true.into(), &false.into()), "{id}");
        assert_eq!((&node["cutOff"], &node["stale"]), (&false.into(), &false.into()), "{id}");
        assert_eq!((&node["slowMs"], &node["fault"]), (&0.into(), &Value::Null), "{id}");
    }
    demo.cluster().wait_until_registered().await.unwrap();
    producer(&demo).send(message("1.1")).await.unwrap();

    for (path, status) in [
        ("nodes/broker-z/kill", 404),
        ("nodes/ns-7/kill", 404),
        ("nodes/ns-0/busy", 409),
        ("nodes/broker-a/stale", 409),
        ("nodes/broker-a/explode", 400),
        ("nodes/broker-a/slow", 400),
        ("nodes/broker-a", 404),
        ("state", 405),
        ("nothing", 404),
    ] {
        let got = post(&demo, &format!("/demo/v1/{path}")).await;
        assert_eq!(got.status, status, "{path}");
        assert!(got.json()["error"].is_string(), "{path}");
    }
    assert_eq!(get(&demo, "/demo/v1/nodes/broker-a/kill").await.status, 405);
    assert!(Order::NAMES.contains(&"cut-off"));
}

fn producer(demo: &Demo) -> Producer {
    let builder = Producer::builder("web-demo-test").name_servers(&demo.cluster().name_servers());
    builder.build().unwrap()
}

fn message(number: &str) -> Message {
    let message = Message::new(TOPIC, format!("body {number}")).unwrap();
    message.with_property("demoSeq", number).unwrap()
}

#[tokio::test]
async fn the_ledger_tells_what_brokers_store_once_and_in_order() {
    let demo = start("nothing").await;
    let producer = producer(&demo);
    let mut receipts = Vec::new();
    for number in 0..30 {
        receipts.push(producer.send(message(&format!("a.{number}"))).await.unwrap());
    }
    producer.send(Message::new(TOPIC, "without a number").unwrap()).await.unwrap();

    let first = get(&demo, "/demo/v1/ledger").await;
    let (cursors, missed, records) = unpack(&first.body);

    assert_eq!((missed, records.len()), (vec![0, 0, 0], 31));
    assert_eq!(cursors.iter().sum::<u64>(), 31);
    let names = ["broker-a", "broker-b", "broker-c"];
    for (number, receipt) in receipts.iter().enumerate() {
        let found: Vec<_> = records.iter().filter(|one| one.1 == (10, number as u32)).collect();
        let [record] = *found else { panic!("{number} is there {} times", found.len()) };
        assert_eq!(names[usize::from(record.0)], &*receipt.broker);
        assert_eq!(
            (u32::from(record.2), u64::from(record.3)),
            (receipt.queue_id, receipt.queue_offset)
        );
    }
    assert_eq!(records.iter().filter(|one| one.1 == (0, 0)).count(), 1, "the one without a number");

    let after: Vec<_> = cursors.iter().map(u64::to_string).collect();
    let path = format!("/demo/v1/ledger?after={}", after.join(","));
    assert!(unpack(&get(&demo, &path).await.body).2.is_empty());
    producer.send(message("a.30")).await.unwrap();
    let new = unpack(&get(&demo, &path).await.body).2;
    assert_eq!(new.iter().map(|one| one.1).collect::<Vec<_>>(), [(10, 30)]);

    let words = get(&demo, &path.replace("ledger", "ledger.txt")).await;
    let words = String::from_utf8(words.body).unwrap();
    assert!(words.starts_with("next ") && words.contains(" a.30 "), "{words}");
    let copies = get(&demo, "/demo/v1/messages?id=a.30").await.json();
    assert_eq!(copies["copies"].as_array().map(Vec::len), Some(1));
    assert_eq!(copies["copies"][0]["body"], "body a.30");
    let by_id = format!("/demo/v1/messages?id={}", receipts[3].message_id);
    assert_eq!(get(&demo, &by_id).await.json()["copies"][0]["body"], "body a.3");
    for bad in ["ledger?after=x", "ledger?after=1,2,3,4", "messages", "messages?id="] {
        assert_eq!(get(&demo, &format!("/demo/v1/{bad}")).await.status, 400, "{bad}");
    }
}

/// Cursors, what is missing, and records: broker, run and number, queue, offset.
type Ledger = (Vec<u64>, Vec<u64>, Vec<(u8, (u32, u32), u16, u32)>);

fn unpack(bytes: &[u8]) -> Ledger {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let brokers = u32_at(0) as usize;
    let numbers = |start: usize| (0..brokers).map(|one| u64_at(start + 8 * one)).collect();
    let start = 8 + 16 * brokers;
    let records: Vec<_> = bytes[start..]
        .chunks_exact(16)
        .enumerate()
        .map(|(number, record)| {
            let at = start + 16 * number;
            let queue = u16::from_le_bytes(record[10..12].try_into().unwrap());
            (record[8], (u32_at(at), u32_at(at + 4)), queue, u32_at(at + 12))
        })
        .collect();
    assert_eq!(records.len(), u32_at(4) as usize);
    (numbers(8), numbers(8 + 8 * brokers), records)
}
