//! A bridge in memory: the test plays page and broker.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use producer_core::wire::code::request;
use producer_core::wire::{Head, encode_frame};
use producer_native::bridge::{
    Bridge, BridgeBuilder, BridgeConfig, Keys, Listen, Policy, SUBPROTOCOL, TokenSettings, Tokens,
    Verifier,
};
use producer_native::{Address, Connecting, ConnectionEnd, SerializeType, Stream, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{self, Message};

/// Where the bridge believes to listen.
pub const HOST: &str = "127.0.0.1:7070";
/// The origin of its own pages.
pub const ORIGIN: &str = "http://127.0.0.1:7070";
/// A broker that [`config`] allows.
pub const BROKER: &str = "127.0.0.1:10911";
/// A broker whose machine refuses connections.
pub const REFUSES: &str = "127.0.0.1:1";
/// A broker whose machine answers no dial.
pub const SILENT: &str = "127.0.0.1:2";
/// What fits into each direction of each socket.
pub const SOCKET_BYTES: usize = 64 * 1024;

/// What arrives at the bridge's listener.
type Arrival = (DuplexStream, SocketAddr);

/// A bridge that serves.
pub struct Stage {
    pub bridge: Bridge,
    pub lines: Arc<Mutex<Vec<String>>>,
    pub served: JoinHandle<io::Result<()>>,
    door: mpsc::UnboundedSender<Arrival>,
    dials: mpsc::UnboundedReceiver<(Address, DuplexStream)>,
    ports: u16,
}

/// A bridge for development, without name servers, and with these brokers.
pub fn config() -> BridgeConfig {
    let always = [BROKER, REFUSES, SILENT].map(|address| address.parse().unwrap()).to_vec();
    let policy = Policy { always, ..Policy::default() };
    BridgeConfig { policy, ..BridgeConfig::dev() }
}

impl Stage {
    pub fn new(config: BridgeConfig) -> Self {
        Self::with(config, |builder| builder)
    }

    pub fn with(config: BridgeConfig, change: impl FnOnce(BridgeBuilder) -> BridgeBuilder) -> Self {
        let (dialled, dials) = mpsc::unbounded_channel();
        let (door, arrivals) = mpsc::unbounded_channel();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = lines.clone();
        let builder = Bridge::builder(config)
            .transport(Dials(dialled))
            .seed(7)
            .log(move |line| log.lock().unwrap().push(line.to_owned()));
        let bridge = change(builder).build();
        let serving = bridge.clone();
        let listener = Door { arrivals, at: HOST.parse().unwrap() };
        let served = tokio::spawn(async move { serving.serve(listener).await });
        Self { bridge, lines, served, door, dials, ports: 50_000 }
    }

    /// A new socket to the bridge, from loopback.
    pub fn socket(&mut self) -> DuplexStream {
        self.socket_from("127.0.0.1")
    }

    pub fn socket_from(&mut self, ip: &str) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(SOCKET_BYTES);
        self.ports += 1;
        let from = SocketAddr::new(ip.parse().unwrap(), self.ports);
        // A bridge that stops has no door any more.
        let _gone = self.door.send((theirs, from));
        ours
    }

    /// A way for clients of ours to the bridge, from loopback.
    pub fn way(&self) -> impl Transport + use<> {
        Sockets(self.door.clone())
    }

    /// What the bridge answers to a request, as text.
    pub async fn http(&mut self, request: &str) -> String {
        let mut socket = self.socket();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let mut have = 0;
        loop {
            let read = socket.read(&mut answer[have..]).await.unwrap();
            have += read;
            let text = String::from_utf8_lossy(&answer[..have]).into_owned();
            let body = text.split_once("\r\n\r\n").map(|(head, body)| {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                (body.len(), length.map_or(0, |length| length.parse::<usize>().unwrap()))
            });
            if read == 0 || body.is_some_and(|(have, all)| have >= all) {
                return text;
            }
        }
    }

    /// A page that asks for a target and was answered by 101.
    pub async fn page(&mut self, target: &str) -> Page {
        self.try_page(Ask::new(target)).await.unwrap().0
    }

    pub async fn try_page(&mut self, ask: Ask) -> Result<(Page, Response), tungstenite::Error> {
        let socket = self.socket_from(&ask.ip);
        let mut request = format!("ws://{}{}", ask.host, ask.path).into_client_request()?;
        for (name, value) in &ask.headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let (stream, response) = tokio_tungstenite::client_async(request, socket).await?;
        Ok((Page(stream), response))
    }

    /// The status of a refusal.
    pub async fn refusal(&mut self, ask: Ask) -> u16 {
        match self.try_page(ask).await {
            Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The next dial of the bridge: whom it wanted, and the broker's end.
    pub async fn dial(&mut self) -> (String, DuplexStream) {
        // One that never comes shall fail a test, not stop it.
        let (address, stream) = soon(self.dials.recv()).await.expect("a dial");
        (address.to_string(), stream)
    }

    /// Answers the bridge's question for all brokers: there is this one.
    pub async fn name_server_says(&mut self, broker: &str) {
        let (_, mut name_server) = self.dial().await;
        let length = read(&mut name_server, 4).await;
        read(&mut name_server, u32::from_be_bytes(length.try_into().unwrap()) as usize).await;
        let broker =
            format!(r#"{{"brokerName":"b","cluster":"c","brokerAddrs":{{"0":"{broker}"}}}}"#);
        let body =
            format!(r#"{{"brokerAddrTable":{{"b":{broker}}},"clusterAddrTable":{{"c":["b"]}}}}"#);
        let head = Head { opaque: 1, flag: Head::RESPONSE, ..Head::default() };
        let mut frame = Vec::new();
        encode_frame(&mut frame, SerializeType::Json, &head, [], body.as_bytes()).unwrap();
        name_server.write_all(&frame).await.unwrap();
    }

    /// A page that is connected with a broker, and the broker's end.
    pub async fn connected(&mut self) -> (Page, DuplexStream) {
        let mut page = self.page(BROKER).await;
        let (_, broker) = self.dial().await;
        page.hello().await;
        (page, broker)
    }

    /// Nobody was dialled.
    pub fn no_dials(&mut self) -> bool {
        self.dials.try_recv().is_err()
    }

    /// The last line of the log, as JSON.
    pub fn last_line(&self) -> serde_json::Value {
        let lines = self.lines.lock().unwrap();
        serde_json::from_str(lines.last().expect("a line")).unwrap()
    }
}

/// A request to connect.
pub struct Ask {
    pub ip: String,
    pub host: String,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
}

impl Ask {
    /// As a page of the bridge's own host would ask.
    pub fn new(target: &str) -> Self {
        Self::bare(target).origin(ORIGIN).header("sec-websocket-protocol", SUBPROTOCOL)
    }

    /// Without an origin and a subprotocol.
    pub fn bare(target: &str) -> Self {
        let path = format!("/v1/connect/{target}");
        Self { ip: "127.0.0.1".to_owned(), host: HOST.to_owned(), path, headers: Vec::new() }
    }

    pub fn origin(self, origin: &str) -> Self {
        self.header("origin", origin)
    }

    pub fn token(mut self, token: &str) -> Self {
        let coded = format!("{SUBPROTOCOL}, bearer.{}", base64url(token.as_bytes()));
        self.headers.retain(|(name, _)| *name != "sec-websocket-protocol");
        self.header("sec-websocket-protocol", &coded)
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    pub fn from(mut self, ip: &str) -> Self {
        self.ip = ip.to_owned();
        self
    }
}

/// The page's end of a connection.
#[derive(Debug)]
pub struct Page(pub WebSocketStream<DuplexStream>);

impl Page {
    /// The next message, without pings and pongs.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match self.0.next().await? {
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(message) => return Some(message),
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub async fn hello(&mut self) -> serde_json::Value {
        match self.next().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no hello: {other:?}"),
        }
    }

    pub async fn send(&mut self, bytes: impl Into<Bytes>) {
        self.0.send(Message::Binary(bytes.into())).await.unwrap();
    }

    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Reads so many bytes of the stream.
    pub async fn read(&mut self, bytes: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < bytes {
            match self.next().await {
                Some(Message::Binary(some)) => all.extend_from_slice(&some),
                other => panic!("after {} bytes: {other:?}", all.len()),
            }
        }
        all
    }

    /// The code and reason by which the bridge closes; what comes before is dropped.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Some(Message::Close(Some(frame))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(_) => {}
                None => panic!("it ended without a close frame"),
            }
        }
    }

    /// Closes, and waits for the answer.
    pub async fn close(mut self) {
        // The bridge may have been first.
        let _closed = self.0.close(None).await;
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

/// The bridge's listener.
pub struct Door {
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    at: SocketAddr,
}

impl Door {
    /// One through which nobody comes.
    pub fn shut(at: &str) -> Self {
        let (_, arrivals) = mpsc::unbounded_channel();
        Self { arrivals, at: at.parse().unwrap() }
    }
}

impl Listen for Door {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<Arrival> {
        match self.arrivals.recv().await {
            Some(arrival) => Ok(arrival),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }
}

/// Dials go to the test.
struct Dials(mpsc::UnboundedSender<(Address, DuplexStream)>);

impl Transport for Dials {
    fn connect(&self, address: &Address, _: tokio::time::Instant) -> Connecting {
        let (dials, address) = (self.0.clone(), address.clone());
        Box::pin(async move {
            match address.as_str() {
                REFUSES => return Err(ConnectionEnd::Refused),
                SILENT => std::future::pending().await,
                _ => {}
            }
            let (ours, theirs) = tokio::io::duplex(SOCKET_BYTES);
            dials.send((address, theirs)).map_err(|_| ConnectionEnd::Refused)?;
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

/// A request as the core writes it to brokers, with a body of so many bytes.
pub fn send_frame(topic: &str, body: usize) -> Vec<u8> {
    let ext = [
        ("a", "pages"),
        ("b", topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "0"),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
        ("i", ""),
        ("j", "0"),
    ];
    frame(request::SEND_MESSAGE_V2, &ext, &vec![b'x'; body])
}

/// A request for the route of a topic.
pub fn route_frame(topic: &str) -> Vec<u8> {
    frame(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)], &[])
}

pub fn frame(code: i32, ext: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let head = Head { code, opaque: 1, ..Head::default() };
    let mut bytes = Vec::new();
    encode_frame(&mut bytes, SerializeType::RocketMq, &head, ext.iter().copied(), body).unwrap();
    bytes
}

/// A request with a header in JSON.
pub fn json_frame(header: &str, body: &[u8]) -> Vec<u8> {
    let length = 4 + header.len() + body.len();
    let mut bytes = (length as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&(header.len() as u32).to_be_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A token with these claims besides audience and expiry, for somebody who may do everything unless
/// they say otherwise.
pub fn token(claims: &str, expires_at: u64) -> String {
    let mut all = format!(r#""aud":"bridge","exp":{expires_at}{claims}"#);
    let usual = [("sub", r#""somebody""#), ("topics", r#"["*"]"#), ("groups", r#"["*"]"#)];
    for (name, value) in usual {
        if !claims.contains(&format!(r#""{name}":"#)) {
            all += &format!(r#","{name}":{value}"#);
        }
    }
    let claims = format!("{{{all}}}");
    let message = format!("{}.{}", base64url(br#"{"alg":"HS256"}"#), base64url(claims.as_bytes()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64url(signature.as_ref()))
}

/// Tokens as [`token`] makes them.
pub fn tokens() -> Tokens {
    let keys = Keys::from_secret(&SECRET.into()).unwrap();
    Tokens::Needed(Arc::new(Verifier::new(TokenSettings::new("bridge"), keys)))
}

/// Dials the bridge, whatever the address.
struct Sockets(mpsc::UnboundedSender<Arrival>);

impl Transport for Sockets {
    fn connect(&self, _address: &Address, _deadline: tokio::time::Instant) -> Connecting {
        let (ours, theirs) = tokio::io::duplex(SOCKET_BYTES);
        let arrived = self.0.send((theirs, SocketAddr::from(([127, 0, 0, 1], 40_000))));
        Box::pin(async move {
            arrived.map_err(|_| ConnectionEnd::Refused)?;
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

/// When a test with tokens begins, in seconds since 1970.
pub const NOW: u64 = 1_700_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A clock that begins at [`NOW`] and goes with paused time.
pub fn clock() -> impl Fn() -> u64 {
    let start = tokio::time::Instant::now();
    move || NOW + start.elapsed().as_secs()
}

/// Reads so many bytes as the broker.
pub async fn read(broker: &mut DuplexStream, bytes: usize) -> Vec<u8> {
    let mut all = vec![0; bytes];
    broker.read_exact(&mut all).await.unwrap();
    all
}

/// Reads all that still comes.
pub async fn read_rest(broker: &mut DuplexStream) -> Vec<u8> {
    let mut all = Vec::new();
    broker.read_to_end(&mut all).await.unwrap();
    all
}

pub fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut coded = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            coded.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    coded
}

/// Waits for what must come, in real or paused time.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("in time")
}

/// Waits, in paused time, until a condition holds.
pub async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            // Not `advance`, which goes on while the lookup of a name is at work on its thread.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
