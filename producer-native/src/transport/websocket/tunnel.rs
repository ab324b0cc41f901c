//! A byte stream in the binary messages of a WebSocket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream as _};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::end::{Closed, broken};
use super::{Fetching, TokenSource};
use crate::transport::{Leaving, Stream};

/// Most bytes of a message of ours, as the protocol asks for; of theirs, several times that.
const MESSAGE_BYTES: usize = 64 << 10;

pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(32 << 10)
        // Whoever writes flushes.
        .write_buffer_size(MESSAGE_BYTES)
        .max_write_buffer_size(4 * MESSAGE_BYTES)
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20))
}

/// Of the time that a token is good, the part after which the next one is fetched.
const RENEW_AFTER: f64 = 0.75;
/// The shortest that is waited for it, so that a token that ends at once does not make us ask all
/// the time, and the longest.
const RENEW_AFTER_MIN: Duration = Duration::from_secs(1);
const RENEW_AFTER_MAX: Duration = Duration::from_secs(86_400);

/// The stream, once the bridge has greeted.
pub(super) struct Tunnel {
    socket: WebSocketStream<Box<dyn Stream>>,
    /// What is left of the last binary message.
    rest: Bytes,
    token: Option<TokenSource>,
    renewal: Renewal,
}

/// How far the next token is.
enum Renewal {
    /// None is needed, as far as we know.
    None,
    At(Pin<Box<Sleep>>),
    Fetching(Fetching),
    Telling(Message),
}

impl Tunnel {
    pub(super) fn new(
        socket: WebSocketStream<Box<dyn Stream>>,
        token: Option<TokenSource>,
    ) -> Self {
        Self { socket, rest: Bytes::new(), token, renewal: Renewal::None }
    }

    /// Waits until the bridge says that it has reached the target.
    pub(super) async fn hello(&mut self) -> io::Result<()> {
        let greeted = std::future::poll_fn(|cx| self.poll_message(cx)).await?;
        match greeted {
            Some(Message::Text(text)) if said(&text, "hello").is_some() => {
                self.heed(&text);
                Ok(())
            }
            Some(Message::Close(frame)) => Err(Closed::new(frame.as_ref()).into()),
            Some(_) => Err(io::Error::other("the bridge does not begin with its greeting")),
            None => Err(Closed::new(None).into()),
        }
    }

    /// The next message that is not about the WebSocket itself.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Message>>> {
        loop {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                None => return Poll::Ready(Ok(None)),
                // The answer to a ping is on its way already.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(message)) => return Poll::Ready(Ok(Some(message))),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
    }

    /// Takes from a control message when the token ends; says if the connection does, soon.
    fn heed(&mut self, text: &str) -> bool {
        let left = said(text, "expiresInMs").and_then(|left| left.as_u64());
        if let (Some(left), Some(_)) = (left, &self.token) {
            let after = Duration::from_millis(left).mul_f64(RENEW_AFTER);
            let after = after.clamp(RENEW_AFTER_MIN, RENEW_AFTER_MAX);
            self.renewal = Renewal::At(Box::pin(sleep(after)));
        }
        said(text, "draining").is_some_and(|draining| draining == true)
    }

    /// Brings the bridge the next token in time. One that cannot be had is not asked for again: the
    /// bridge ends the connection, says why, and the next one asks.
    fn poll_renewal(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            self.renewal = match &mut self.renewal {
                Renewal::None => return Ok(()),
                Renewal::At(when) => match (when.as_mut().poll(cx), &self.token) {
                    (Poll::Pending, _) => return Ok(()),
                    (Poll::Ready(()), Some(fetch)) => Renewal::Fetching(fetch()),
                    (Poll::Ready(()), None) => Renewal::None,
                },
                Renewal::Fetching(fetching) => match fetching.as_mut().poll(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(token)) => {
                        let token = serde_json::json!({ "token": token.reveal() });
                        Renewal::Telling(Message::text(token.to_string()))
                    }
                    Poll::Ready(Err(_)) => Renewal::None,
                },
                Renewal::Telling(message) => {
                    let Poll::Ready(is_ready) = Pin::new(&mut self.socket).poll_ready(cx) else {
                        return Ok(());
                    };
                    is_ready.map_err(broken)?;
                    Pin::new(&mut self.socket).start_send(message.clone()).map_err(broken)?;
                    // What does not leave now leaves with the next that is read or written.
                    let _flushed = Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)?;
                    Renewal::None
                }
            }
        }
    }
}

/// A member of a control message.
fn said(text: &str, name: &str) -> Option<Value> {
    match serde_json::from_str(text) {
        Ok(Value::Object(mut said)) => said.remove(name),
        _ => None,
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.rest.is_empty() {
            this.poll_renewal(cx)?;
            match ready!(this.poll_message(cx))? {
                None => return Poll::Ready(Ok(())),
                Some(Message::Binary(bytes)) => this.rest = bytes,
                Some(Message::Text(text)) if this.heed(&text) => {
                    return Poll::Ready(Err(Leaving.into()));
                }
                Some(Message::Close(frame)) => {
                    return Poll::Ready(Err(Closed::new(frame.as_ref()).into()));
                }
                Some(_) => {}
            }
        }
        let count = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest[..count]);
        this.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let part = &bytes[..bytes.len().min(MESSAGE_BYTES)];
        let message = Message::Binary(Bytes::copy_from_slice(part));
        Pin::new(&mut self.socket).start_send(message).map_err(broken)?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(broken)
    }
}
