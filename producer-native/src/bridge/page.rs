//! The page's end: one WebSocket that two loops of one task use, one to read and one to write.
//!
//! tungstenite's buffers grow to the largest message they have held, and stay so. A page that was
//! sent 256 KiB once and then nothing would keep several times that, and there are thousands of
//! pages. So when a page has been silent for a while, and nothing is in those buffers, they are made
//! anew. What is in them cannot be asked; but nothing is if the bytes that tungstenite was given end
//! where a frame and its message end ([`Inbox`]), and no further message comes of them.
//!
//! [`Inbox`]: super::inbox::Inbox

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::flow::Counted;
use super::inbox::{Next, Payload};

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

/// What a page says.
pub(super) enum Heard {
    /// What nearly all of its bytes are.
    Payload(Payload),
    /// Any other message.
    Message(Message),
}

/// Reads what a page says.
pub(super) struct PageIn<P>(Arc<Mutex<Socket<P>>>);
/// Writes messages.
pub(super) struct PageOut<P>(Arc<Mutex<Socket<P>>>);

/// Both halves of a page's socket, behind its handshake.
pub(super) async fn open<P>(stream: Counted<P>, config: WebSocketConfig) -> (PageIn<P>, PageOut<P>)
where
    P: AsyncRead + AsyncWrite + Unpin,
{
    let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
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
        let Some(stream) = self.stream.as_mut().filter(|_| self.quiet) else { return false };
        stream.get_mut().inbox.rest();
        if !self.grown || self.closed {
            return false;
        }
        let written = matches!(stream.poll_flush_unpin(cx), Poll::Ready(Ok(())));
        if !written || !stream.get_ref().inbox.is_given_whole() {
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
    type Item = Result<Heard, tungstenite::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut socket = lock(&self.0);
        let socket = &mut *socket;
        loop {
            let Some(stream) = &mut socket.stream else { return Poll::Ready(None) };
            if let Some(payload) = stream.get_mut().inbox.take() {
                socket.quiet = false;
                return Poll::Ready(Some(Ok(Heard::Payload(payload))));
            }
            let next = stream.poll_next_unpin(cx);
            let inbox = &mut stream.get_mut().inbox;
            match &next {
                // It reads for both, and stops at what is not its own.
                Poll::Pending if inbox.next() == Next::Plain => continue,
                Poll::Pending => {
                    if socket.rest(cx) {
                        continue;
                    }
                }
                Poll::Ready(Some(Ok(message))) => {
                    if message.is_close() {
                        inbox.end();
                    }
                    socket.grown |= message.len() > LARGE_BYTES;
                    socket.quiet = message.is_pong();
                }
                Poll::Ready(_) => inbox.end(),
            }
            return next.map(|next| next.map(|message| message.map(Heard::Message)));
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

/// Smaller messages fit what a buffer has from the beginning, or nearly.
const LARGE_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests;
