//! What went over a page's socket, without a look at the clock?

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::inbox::{Inbox, Next};

/// Counters of one connection. Its loops count; what watches over it compares what it sees with
/// what it saw before, so that carrying a byte costs no clock.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Bytes that were read from the page's socket: pongs count.
    pub(super) heard: AtomicU64,
    /// Bytes that the page's socket took.
    pub(super) taken: AtomicU64,
    /// Bytes of the stream that went to the broker.
    pub(super) up_bytes: AtomicU64,
    /// Frames that went to the broker.
    pub(super) up_frames: AtomicU64,
    /// Bytes of the stream that went to the page.
    pub(super) down_bytes: AtomicU64,
    /// Frames that went to the page.
    pub(super) down_frames: AtomicU64,
    /// The page is being read: its silence means something.
    pub(super) listening: AtomicBool,
    /// Something is being written to the page: that nothing is taken means something.
    pub(super) sending: AtomicBool,
    /// What the last ping says, until it was answered; else [`NO_PING`].
    pub(super) ping_out: AtomicU64,
}

/// No ping says this: the first one comes later.
pub(super) const NO_PING: u64 = 0;

impl Flow {
    /// Bytes of the stream, in both directions.
    pub(super) fn data(&self) -> u64 {
        self.up_bytes.load(Relaxed) + self.down_bytes.load(Relaxed)
    }
}

/// A page's socket, counted. tungstenite reads of it what is not plain.
pub(super) struct Counted<S> {
    stream: S,
    flow: Arc<Flow>,
    pub(super) inbox: Inbox,
}

impl<S> Counted<S> {
    pub(super) fn new(stream: S, flow: Arc<Flow>, inbox: Inbox) -> Self {
        Self { stream, flow, inbox }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    /// Also pending, without a promise to wake, if what was read is plain: then it is to be taken.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, flow, inbox } = &mut *self;
        while inbox.next() == Next::Unknown {
            let read = ready!(inbox.poll_read(stream, cx))?;
            flow.heard.fetch_add(read as u64, Relaxed);
            if read == 0 {
                break;
            }
        }
        if inbox.next() == Next::Plain {
            return Poll::Pending;
        }
        inbox.give(buf);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.flow.taken.fetch_add(taken as u64, Relaxed);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
