//! A producer that goes through the bridge, and what is seen of its frames.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use producer_native::{
    Address, Builder, Connecting, ConnectionEnd, Leaving, SerializeType, Stream, Transport,
    WebSocket,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::Stage;
use super::super::board::{Caller, Shared};
use super::super::line::{Watch, dial};
use super::{HERE, NAME_SERVERS, PORT, tokens};

/// Makes a producer go through the bridge, if the plan has one.
pub(in super::super) fn through(builder: Builder, stage: &Stage, producer: usize) -> Builder {
    let Some(plan) = stage.plan.bridge else { return builder };
    let board = stage.board.clone();
    let mut bridge = WebSocket::new(&format!("ws://{HERE}:{PORT}/")).expect("a URL");
    if let Some(good_secs) = plan.token_secs {
        let board = board.clone();
        bridge = bridge.token_from(move || {
            let may = board.lock().bridge.has_token(producer);
            let token = may.then(|| tokens::token(producer, good_secs));
            async move { token.ok_or_else(|| io::Error::other("nobody gives tokens")) }
        });
    }
    let page = Page { board: board.clone(), producer, tick: stage.tick };
    let inner = Box::new(bridge.over(page).expect("without TLS there is nothing to be read"));
    // Not by `Builder::bridge`: what is seen of frames is seen above the WebSocket.
    builder.header(SerializeType::RocketMq).name_servers(NAME_SERVERS).transport(Through {
        board,
        producer,
        inner,
    })
}

/// Dials the bridge.
struct Page {
    board: Shared,
    producer: usize,
    tick: Duration,
}

impl Transport for Page {
    fn connect(&self, address: &Address, _deadline: Instant) -> Connecting {
        let address = address.to_string();
        let number = self.board.lock().begin_dial(Caller::Page(self.producer), &address);
        let (board, tick) = (self.board.clone(), self.tick);
        Box::pin(async move {
            let number = number.ok_or(ConnectionEnd::Refused)?;
            let wire = dial(&board, number, &address, tick).await?;
            Ok(Box::new(wire) as Box<dyn Stream>)
        })
    }
}

/// What the producer has for a transport: dials are in the history, and frames.
struct Through<T> {
    board: Shared,
    producer: usize,
    inner: Box<T>,
}

impl<T: Transport> Transport for Through<T> {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let text = address.to_string();
        let from = Caller::Producer(self.producer);
        let number = self.board.lock().begin_dial(from, &text);
        let Some(number) = number else {
            let why = format!("{text} is not in the plan");
            return Box::pin(async move { Err(ConnectionEnd::Unreachable(why)) });
        };
        let watch = Watch::new(&self.board, number);
        let (board, producer) = (self.board.clone(), self.producer);
        let connecting = self.inner.connect(address, deadline);
        Box::pin(async move {
            let result = connecting.await;
            board.awake(producer).await;
            watch.ended(result.is_ok());
            let inner = result?;
            board.lock().opened(number);
            Ok(Box::new(Tapped { inner, board, number }) as Box<dyn Stream>)
        })
    }
}

/// A connection through the bridge, as the producer sees it.
struct Tapped {
    inner: Box<dyn Stream>,
    board: Shared,
    number: usize,
}

/// After a malformed frame the producer has as long to close the connection.
const GRACE: Duration = Duration::from_millis(20);

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let number = self.number;
        {
            let mut board = self.board.lock();
            board.remember(number, cx);
            board.expect_closed_if_garbled(number, GRACE);
            if board.is_stalled(number) {
                return Poll::Pending;
            }
        }
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        let mut board = self.board.lock();
        match &buf.filled()[before..] {
            some if result.is_ok() && !some.is_empty() => board.received(number, some),
            _ if result.as_ref().is_err_and(Leaving::is) => {}
            _ => board.ended(number),
        }
        drop(board);
        Poll::Ready(result)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        let mut board = self.board.lock();
        match &result {
            Ok(taken) => board.sent(self.number, &bytes[..*taken]),
            Err(_) => board.ended(self.number),
        }
        drop(board);
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        self.board.lock().lines[self.number].open = false;
    }
}
