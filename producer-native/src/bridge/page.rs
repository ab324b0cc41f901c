//! The page's end: one WebSocket that two loops of one task use, one to read and one to write.
//!
//! tungstenite's buffers grow to the largest message they have held, and stay so. A page that sent
//! 256 KiB once and then nothing would keep several times that, and there are thousands of pages. So
//! when a page has been silent for a while, and nothing is in those buffers, they are made anew.
//! What is in them cannot be asked; but nothing is if the bytes from the socket end where a frame
//! and its message end ([`Boundaries`]), and no further message comes of them.

use std::io::Cursor;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::flow::Counted;

/// What is shared by both halves.
struct Socket<P> {
    /// Gone once it was shut down.
    stream: Option<WebSocketStream<Counted<P>>>,
    config: WebSocketConfig,
    /// The answer to a ping has come: nothing else did for a while.
    quiet: bool,
    /// A large message has gone through.
    grown: bool,
    /// A close frame was sent: what comes now belongs to the end.
    closed: bool,
}

/// Reads messages.
pub(super) struct PageIn<P>(Arc<Mutex<Socket<P>>>);
/// Writes messages.
pub(super) struct PageOut<P>(Arc<Mutex<Socket<P>>>);

/// Both halves of a page's socket, behind its handshake. `read` came with the request.
pub(super) async fn open<P>(
    mut stream: Counted<P>,
    mut read: Vec<u8>,
    config: WebSocketConfig,
) -> (PageIn<P>, PageOut<P>)
where
    P: AsyncRead + AsyncWrite + Unpin,
{
    stream.boundaries.see(&read);
    // Each later buffer is as large as the first one, which is this: without capacity, the page would
    // be read a message at a time.
    read.reserve_exact(config.read_buffer_size);
    let role = Role::Server;
    let stream = WebSocketStream::from_partially_read(stream, read, role, Some(config)).await;
    let stream = Some(stream);
    let socket = Socket { stream, config, quiet: false, grown: false, closed: false };
    let socket = Arc::new(Mutex::new(socket));
    (PageIn(socket.clone()), PageOut(socket))
}

fn lock<P>(socket: &Mutex<Socket<P>>) -> MutexGuard<'_, Socket<P>> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: AsyncRead + AsyncWrite + Unpin> PageIn<P> {
    /// Ends the socket, and says good-bye to TLS, too.
    pub(super) async fn shutdown(&self) {
        let stream = lock(&self.0).stream.take();
        if let Some(mut stream) = stream {
            let _gone = stream.get_mut().shutdown().await;
        }
    }
}

impl<P: AsyncRead + AsyncWrite + Unpin> Socket<P> {
    /// Gives back what buffers have grown to, if nothing is in them; says if they are new. To be
    /// called when no message comes of what was read.
    fn rest(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.quiet || !self.grown || self.closed {
            return false;
        }
        let Some(stream) = &mut self.stream else { return false };
        let written = matches!(stream.poll_flush_unpin(cx), Poll::Ready(Ok(())));
        if !written || !stream.get_ref().boundaries.at_one() {
            return false;
        }
        let Some(stream) = self.stream.take() else { return false };
        let (stream, config) = (stream.into_inner(), Some(self.config));
        // Without a handshake there is nothing to wait for.
        self.stream = WebSocketStream::from_raw_socket(stream, Role::Server, config).now_or_never();
        self.grown = false;
        true
    }
}

impl<P: AsyncRead + AsyncWrite + Unpin> Stream for PageIn<P> {
    type Item = Result<Message, tungstenite::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut socket = lock(&self.0);
        loop {
            let Some(stream) = &mut socket.stream else { return Poll::Ready(None) };
            let next = stream.poll_next_unpin(cx);
            match &next {
                Poll::Ready(Some(Ok(message))) => {
                    socket.grown |= message.len() > LARGE_BYTES;
                    socket.quiet = message.is_pong();
                }
                Poll::Ready(_) => {}
                Poll::Pending if socket.rest(cx) => continue,
                Poll::Pending => {}
            }
            return next;
        }
    }
}

impl<P: AsyncRead + AsyncWrite + Unpin> PageOut<P> {
    fn of_stream<R>(
        &self,
        act: impl FnOnce(&mut WebSocketStream<Counted<P>>) -> R,
    ) -> Result<R, tungstenite::Error> {
        let mut socket = lock(&self.0);
        let stream = socket.stream.as_mut().ok_or(tungstenite::Error::AlreadyClosed)?;
        Ok(act(stream))
    }
}

impl<P: AsyncRead + AsyncWrite + Unpin> Sink<Message> for PageOut<P> {
    type Error = tungstenite::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.of_stream(|stream| stream.poll_ready_unpin(cx))?
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Self::Error> {
        let (large, close) = (message.len() > LARGE_BYTES, message.is_close());
        self.of_stream(|stream| stream.start_send_unpin(message))??;
        let mut socket = lock(&self.0);
        socket.grown |= large;
        socket.closed |= close;
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.of_stream(|stream| stream.poll_flush_unpin(cx))?
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.of_stream(|stream| stream.poll_close_unpin(cx))?
    }
}

/// Where frames begin and end in the bytes of a page, and whether a message goes on in the next one.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    /// The start of a header that is not whole.
    head: Vec<u8>,
    /// What is missing of the payload.
    left: u64,
    /// A message has begun whose last frame has not.
    open: bool,
    /// What came is no frame; tungstenite says so as well.
    lost: bool,
}

impl Boundaries {
    /// Looks at the next bytes.
    pub(super) fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.lost {
            let passed = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= passed as u64;
            bytes = &bytes[passed..];
            if bytes.is_empty() {
                return;
            }
            let header = match self.head.is_empty() {
                true => self.header(bytes).inspect(|used| bytes = &bytes[*used..]),
                false => None,
            };
            if header.is_none() && !bytes.is_empty() {
                // Rare: it is cut. It is of 14 bytes at most.
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                let head = std::mem::take(&mut self.head);
                if self.header(&head).is_none() {
                    self.head = head;
                }
            }
        }
    }

    /// Reads a header if it is whole; how many bytes it is.
    fn header(&mut self, bytes: &[u8]) -> Option<usize> {
        if let Some((used, left)) = usual_header(bytes) {
            (self.left, self.open) = (left, false);
            return Some(used);
        }
        let mut cursor = Cursor::new(bytes);
        match FrameHeader::parse(&mut cursor) {
            Ok(Some((header, left))) => {
                self.left = left;
                if matches!(header.opcode, OpCode::Data(_)) {
                    self.open = !header.is_final;
                }
                Some(cursor.position() as usize)
            }
            Ok(None) => None,
            Err(_) => {
                self.lost = true;
                None
            }
        }
    }

    /// Whether what came ends with a frame, and with its message.
    pub(super) fn at_one(&self) -> bool {
        self.left == 0 && self.head.is_empty() && !self.open && !self.lost
    }
}

/// The header of nearly all frames, a whole binary message below 64 KiB: its bytes, and those of the
/// payload.
#[inline]
fn usual_header(bytes: &[u8]) -> Option<(usize, u64)> {
    let [0x82, second, rest @ ..] = bytes else { return None };
    let (used, left) = match second & 0x7f {
        127 => return None,
        126 => (4, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
        length => (2, u64::from(length)),
    };
    let used = used + if second & 0x80 != 0 { MASK_BYTES } else { 0 };
    (used <= bytes.len()).then_some((used, left))
}

const MASK_BYTES: usize = 4;

/// Smaller messages fit what a buffer has from the beginning, or nearly.
const LARGE_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_end_where_they_end_however_they_are_cut() {
        // Two fragments with a pong between them, an empty message, and one of 300 bytes.
        let mut bytes = b"\x02\x82mask12\x8a\x80mask\x80\x81mask3\x82\x80mask".to_vec();
        bytes.extend_from_slice(b"\x82\xfe\x01\x2cmask");
        bytes.resize(bytes.len() + 300, 0);

        for piece in 1..=bytes.len() {
            let mut seen = Boundaries::default();
            for (at, some) in bytes.chunks(piece).enumerate() {
                seen.see(some);
                let until = at * piece + some.len();
                let wanted = [21, 27, bytes.len()].contains(&until);
                assert_eq!(seen.at_one(), wanted, "{until} bytes in pieces of {piece}");
            }
        }
        let mut seen = Boundaries::default();
        seen.see(b"\x8f\x80mask");
        assert!(!seen.at_one(), "there is no such opcode");
    }
}
