//! The bytes of HTTP and WebSocket, written by hand.

use producer_native::Address;
use producer_native::bridge::BridgeConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::stage::{
    HOST, ORIGIN, Page, Stage, config, frame, json_frame, read, read_rest, send_frame, soon,
};

/// Bits and opcodes of a WebSocket frame.
pub(super) const FIN: u8 = 0x80;
pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// A bridge, and somebody who behaves.
pub(super) struct Scene {
    pub(super) stage: Stage,
    good: (Page, DuplexStream),
    /// The bridge asks the name server for brokers, and waits.
    _asked: DuplexStream,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let name_servers = Address::list("127.0.0.1:9876").unwrap();
        let mut config = BridgeConfig { name_servers, ..config() };
        config.limits.requests_burst = 1_000_000;
        let mut stage = Stage::new(config);
        let (_, asked) = stage.dial().await;
        let good = stage.connected().await;
        Self { stage, good, _asked: asked }
    }

    /// Somebody else's connection goes on.
    pub(super) async fn others_go_on(&mut self) {
        let (page, broker) = &mut self.good;
        let frame = send_frame("orders", 10);
        page.send(frame.clone()).await;
        assert_eq!(read(broker, frame.len()).await, frame);
        broker.write_all(&frame).await.unwrap();
        assert_eq!(page.read(frame.len()).await, frame);
    }

    /// A connection that was greeted, and the broker's end.
    pub(super) async fn connected(&mut self, target: &str) -> (Raw, DuplexStream) {
        let mut raw = Raw { socket: self.stage.socket(), inbox: Vec::new() };
        assert!(raw.write(head(target).as_bytes()).await);
        assert!(raw.answer().await.starts_with("HTTP/1.1 101"));
        let (_, broker) = self.stage.dial().await;
        assert_eq!(raw.next().await.map(|(opcode, _)| opcode), Some(TEXT), "hello");
        (raw, broker)
    }

    /// Sends these bytes of a WebSocket, one segment after the other, and returns how the bridge
    /// closed and what the broker saw.
    pub(super) async fn end_of(&mut self, target: &str, segments: &[Vec<u8>]) -> (u16, Vec<u8>) {
        let (mut raw, mut broker) = self.connected(target).await;
        for segment in segments {
            if !raw.write(segment).await {
                break;
            }
            // The bridge reads what is there before more comes.
            tokio::task::yield_now().await;
        }
        let code = raw.closed().await;
        drop(raw);
        (code, soon(read_rest(&mut broker)).await)
    }
}

/// The raw end of a page's socket.
pub(super) struct Raw {
    pub(super) socket: DuplexStream,
    inbox: Vec<u8>,
}

impl Raw {
    pub(super) fn new(socket: DuplexStream) -> Self {
        Self { socket, inbox: Vec::new() }
    }

    /// False if the bridge has hung up.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// The head of the bridge's answer, or nothing.
    pub(super) async fn answer(&mut self) -> String {
        loop {
            let end = self.inbox.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.inbox.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            if self.fill().await == 0 {
                return String::new();
            }
        }
    }

    /// The next frame of the bridge: its opcode and its payload.
    pub(super) async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((frame, used)) = whole(&self.inbox) {
                self.inbox.drain(..used);
                return Some(frame);
            }
            if self.fill().await == 0 {
                return None;
            }
        }
    }

    /// The code by which the bridge closes; 1006 if it says none.
    pub(super) async fn closed(&mut self) -> u16 {
        soon(async {
            loop {
                match self.next().await {
                    Some((CLOSE, said)) if said.len() >= 2 => {
                        return u16::from_be_bytes([said[0], said[1]]);
                    }
                    Some((CLOSE, _)) => return 1005,
                    Some(_) => {}
                    None => return 1006,
                }
            }
        })
        .await
    }

    async fn fill(&mut self) -> usize {
        self.socket.read_buf(&mut self.inbox).await.unwrap_or(0)
    }
}

/// The first frame of these bytes, and how long it is. Bridges do not mask.
fn whole(bytes: &[u8]) -> Option<((u8, Vec<u8>), usize)> {
    let (opcode, short) = (bytes.first()? & 0x0F, usize::from(*bytes.get(1)?));
    let (len, at) = match short {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()) as usize, 10),
        _ => (short, 2),
    };
    Some(((opcode, bytes.get(at..at + len)?.to_vec()), at + len))
}

/// A request to connect, as a page of the bridge's own host writes it.
pub(super) fn head(target: &str) -> String {
    format!(
        "GET /v1/connect/{target} HTTP/1.1\r\nhost: {HOST}\r\norigin: {ORIGIN}\r\n\
         upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: rmq-tcp.v1\r\n\r\n"
    )
}

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame of a page, masked; `first` are its bits and its opcode.
pub(super) fn message(first: u8, payload: &[u8]) -> Vec<u8> {
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(masked);
    bytes
}

pub(super) fn binary(payload: &[u8]) -> Vec<u8> {
    message(FIN | BINARY, payload)
}

/// A frame that every broker gets.
pub(super) fn good() -> Vec<u8> {
    send_frame("orders", 10)
}

/// Frames that nobody gets, and the code that says so.
pub(super) fn refused() -> Vec<(&'static str, Vec<u8>, u16)> {
    let changed = |at: usize, byte: u8| {
        let mut bytes = good();
        bytes[at] = byte;
        bytes
    };
    let admin = || frame(25, &[("topic", "orders")], b"brokerIP1=10.0.0.1");
    let mut admin_unanswered = admin();
    admin_unanswered[20] = 2;
    vec![
        ("a broker's configuration", admin(), 1008),
        ("the same, and no answer is wanted", admin_unanswered, 1008),
        ("JSON", json_frame(r#"{"code":310,"flag":0,"opaque":1}"#, b"x"), 1008),
        ("a response", changed(20, 1), 1008),
        ("a flag that nobody sets", changed(20, 4), 1008),
        ("a frame that is too large", changed(1, 0x7f), 1009),
        ("a negative length", changed(0, 0x80), 1009),
        ("a length of -1", [&[0xFF; 4], &good()[4..]].concat(), 1009),
        ("a length of 0", [&[0; 4], &good()[4..]].concat(), 1008),
        ("a length that holds no header", [&[0, 0, 0, 3], &good()[4..]].concat(), 1008),
        ("a header longer than its frame", changed(7, 0xff), 1008),
        ("a header of no length", [&good()[..4], &[1, 0, 0, 0], &good()[8..]].concat(), 1008),
    ]
}
