//! A page's connection, or one without a bridge, with as little of its own as can be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::frames::message;

/// Largest message of a page.
const MESSAGE_BYTES: usize = 64 * 1024;

/// What a page reads: the payload of messages, or all bytes.
pub(crate) struct Reader {
    stream: TcpStream,
    is_page: bool,
    buffer: Vec<u8>,
    /// What is read and not yet looked at.
    have: usize,
    at: usize,
    /// What is missing of the message that has begun.
    missing: usize,
}

/// Both directions.
pub(crate) struct Line {
    pub(crate) writer: TcpStream,
    pub(crate) reader: Reader,
}

impl Line {
    /// To a broker or a relay.
    pub(crate) fn plain(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect(to).unwrap(), false)
    }

    /// Through a bridge. Panics if it is not let in.
    pub(crate) fn page(bridge: SocketAddr, target: SocketAddr) -> Self {
        let stream = TcpStream::connect(bridge).unwrap();
        Self::upgrade(stream, bridge, target).unwrap()
    }

    /// Asks for a target, and waits for the greeting; why not, if it does not come.
    pub(crate) fn upgrade(
        stream: TcpStream,
        bridge: SocketAddr,
        target: SocketAddr,
    ) -> Result<Self, String> {
        let mut line = Self::over(stream, true);
        let request = format!(
            "GET /v1/connect/{target} HTTP/1.1\r\nHost: {bridge}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: rmq-tcp.v1\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        line.writer.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        line.reader.greeting()?;
        Ok(line)
    }

    fn over(stream: TcpStream, is_page: bool) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let reader = Reader {
            stream: stream.try_clone().unwrap(),
            is_page,
            buffer: Vec::new(),
            have: 0,
            at: 0,
            missing: 0,
        };
        Self { writer: stream, reader }
    }

    /// Frames as they go over this line: for a page, one message each if they fit.
    pub(crate) fn coded<'f>(&self, frames: impl IntoIterator<Item = &'f [u8]>) -> Vec<u8> {
        let mut all = Vec::new();
        for frame in frames {
            match self.reader.is_page {
                true => frame.chunks(MESSAGE_BYTES).for_each(|part| message(part, &mut all)),
                false => all.extend_from_slice(frame),
            }
        }
        all
    }
}

impl Reader {
    /// Waits for so many bytes of the stream.
    pub(crate) fn wait(&mut self, mut bytes: usize) {
        while bytes > 0 {
            if self.at == self.have {
                self.fill().unwrap();
            }
            if !self.is_page {
                self.missing = self.have - self.at;
            } else if self.missing == 0 {
                self.missing = self.message_bytes();
                continue;
            }
            let step = self.missing.min(self.have - self.at).min(bytes);
            self.at += step;
            self.missing -= step;
            bytes -= step;
        }
    }

    /// Reads what is there and forgets it.
    pub(crate) fn drop_all(&mut self) {
        self.buffer.resize(64 * 1024, 0);
        while matches!(self.stream.read(&mut self.buffer), Ok(1..)) {}
    }

    /// The length of the next message.
    fn message_bytes(&mut self) -> usize {
        let first = self.byte();
        assert_eq!(first, 0x82, "a binary message, and no close frame");
        match self.byte() {
            126 => usize::from(u16::from_be_bytes([self.byte(), self.byte()])),
            127 => (0..8).fold(0, |length, _| length << 8 | usize::from(self.byte())),
            length => usize::from(length),
        }
    }

    fn byte(&mut self) -> u8 {
        if self.at == self.have {
            self.fill().unwrap();
        }
        self.at += 1;
        self.buffer[self.at - 1]
    }

    fn fill(&mut self) -> Result<(), String> {
        self.buffer.resize(256 * 1024, 0);
        (self.at, self.have) = (0, 0);
        let read = self.stream.read(&mut self.buffer).map_err(|error| error.to_string())?;
        self.have = read;
        if read == 0 { Err("it was closed".to_owned()) } else { Ok(()) }
    }

    /// Reads the answer to the request, and the message that says that the target is reached.
    fn greeting(&mut self) -> Result<(), String> {
        let mut text = Vec::new();
        let mut some = [0; 1024];
        loop {
            let read = self.stream.read(&mut some).map_err(|error| error.to_string())?;
            text.extend_from_slice(&some[..read]);
            let whole = String::from_utf8_lossy(&text);
            let Some((head, rest)) = whole.split_once("\r\n\r\n") else {
                if read == 0 {
                    return Err(format!("it was closed after {whole:?}"));
                }
                continue;
            };
            if !head.starts_with("HTTP/1.1 101") {
                return Err(head.lines().next().unwrap_or_default().to_owned());
            }
            // What a broker writes by itself may stand behind it.
            if rest.contains("\"hello\"") && rest.contains('}') {
                return Ok(());
            }
            if rest.contains("retry-after=") || read == 0 {
                return Err(rest.to_owned());
            }
        }
    }
}
