//! How do the bytes of a connection get through the weather of the plan?

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use producer_native::{Address, Connecting, ConnectionEnd, Stream, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep, timeout};
use turmoil::net::TcpStream;

use super::super::host::elapsed;
use super::board::{Board, Caller, Shared, note};
use crate::pair::weather::Passage;

/// A connection of the simulated network that does as the plan says. Both ways pass through the
/// end that dialled.
pub(super) struct Wire {
    /// `None` only while it is dropped.
    inner: Option<TcpStream>,
    board: Shared,
    number: usize,
    tick: Duration,
}

/// Bytes that a writer is rid of while nothing passes, as the buffers of two kernels take them.
const HELD_MAX: usize = 256 << 10;
/// How long a node waits for a connection.
const NODE_DIAL: Duration = Duration::from_secs(3);

/// How one producer dials.
pub(super) struct Network {
    pub(super) board: Shared,
    pub(super) producer: usize,
    pub(super) tick: Duration,
}

impl Transport for Network {
    fn connect(&self, address: &Address, _deadline: Instant) -> Connecting {
        let address = address.to_string();
        let from = Caller::Producer(self.producer);
        let number = self.board.lock().begin_dial(from, &address);
        let (board, producer, tick) = (self.board.clone(), self.producer, self.tick);
        let Some(number) = number else {
            let why = format!("{address} is not in the plan");
            return Box::pin(async move { Err(ConnectionEnd::Unreachable(why)) });
        };
        let watch = Watch::new(&board, number);
        Box::pin(async move {
            let result = dial(&board, number, &address, tick).await;
            board.awake(producer).await;
            watch.ended(result.is_ok());
            result.map(|wire| Box::new(wire) as Box<dyn Stream>)
        })
    }
}

/// Sees the end of a dial, which may be that it is dropped.
pub(super) struct Watch {
    board: Shared,
    number: usize,
    connected: bool,
}

impl Watch {
    pub(super) fn new(board: &Shared, number: usize) -> Self {
        Self { board: board.clone(), number, connected: false }
    }

    /// The dial has ended by itself.
    pub(super) fn ended(mut self, connected: bool) {
        self.connected = connected;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut board = self.board.lock();
        let Some(dial) = board.lines[self.number].dial else { return };
        board.history.dials[dial].ended_at = Some(elapsed());
        board.history.dials[dial].connected = self.connected;
        let how = if self.connected { "connected" } else { "not connected" };
        note(&board, format_args!("dialled #{} {how}", self.number));
    }
}

/// A dial on behalf of a node.
pub(super) async fn dial_from(
    board: Shared,
    node: usize,
    address: String,
    tick: Duration,
) -> io::Result<Wire> {
    let number = board.lock().begin_dial(Caller::Node(node), &address);
    let number = number.ok_or(io::ErrorKind::NotFound)?;
    match timeout(NODE_DIAL, dial(&board, number, &address, tick)).await {
        Ok(Ok(wire)) => Ok(wire),
        Ok(Err(_)) => Err(io::ErrorKind::ConnectionRefused.into()),
        Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// What becomes of a dial.
#[derive(PartialEq, Eq)]
enum Fate {
    Tried,
    Refused,
    Swallowed,
}

pub(super) async fn dial(
    board: &Shared,
    number: usize,
    address: &str,
    tick: Duration,
) -> Result<Wire, ConnectionEnd> {
    let address: SocketAddr = address
        .parse()
        .map_err(|_| ConnectionEnd::Unreachable(format!("{address} is no address here")))?;
    let fate = fate(&board.lock(), number);
    match fate {
        Fate::Swallowed => return pending().await,
        Fate::Refused => {
            sleep(2 * tick).await;
            return Err(ConnectionEnd::Refused);
        }
        Fate::Tried => {}
    }
    let connected = TcpStream::connect(address).await;
    match settle(board, number, connected, tick) {
        Some(result) => result,
        None => pending().await,
    }
}

/// What whoever dialled may know of the network's answer, which tells at once what nobody could
/// know: that the dial or its answer was lost.
fn settle(
    shared: &Shared,
    number: usize,
    connected: io::Result<TcpStream>,
    tick: Duration,
) -> Option<Result<Wire, ConnectionEnd>> {
    let mut board = shared.lock();
    match connected {
        Ok(stream) if board.passage(number, 1) != Passage::Dropped => {
            board.opened(number);
            Some(Ok(Wire { inner: Some(stream), board: shared.clone(), number, tick }))
        }
        Ok(stream) => {
            board.silent.push(stream);
            None
        }
        Err(_) if fate(&board, number) == Fate::Swallowed => None,
        Err(_) => Some(Err(ConnectionEnd::Refused)),
    }
}

fn fate(board: &Board, number: usize) -> Fate {
    let weather = &board.weather[board.lines[number].to];
    let ways = [board.passage(number, 0), board.passage(number, 1)];
    if weather.swallows_dials() || ways[0] == Passage::Dropped || board.holds(number, 0) {
        Fate::Swallowed
    } else if weather.refuses_dials() {
        Fate::Refused
    } else {
        Fate::Tried
    }
}

impl Wire {
    /// What was held back goes on as soon as it may.
    fn flush_held(&mut self, board: &mut Board, cx: &mut Context<'_>) -> io::Result<()> {
        while !board.lines[self.number].held.is_empty() && !board.keeps_back(self.number) {
            let held = std::mem::take(&mut board.lines[self.number].held);
            let written = self.inner().poll_write(cx, &held);
            let passed = match written {
                Poll::Pending => 0,
                Poll::Ready(result) => result?,
            };
            board.lines[self.number].held = held[passed..].to_vec();
            if passed == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Lets half of the bytes pass, and nothing after them; the writer is rid of all.
    fn write_half(
        &mut self,
        board: &mut Board,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<()>> {
        let half = &bytes[..bytes.len() / 2];
        if !half.is_empty() {
            ready!(self.inner().poll_write(cx, half))?;
        }
        let number = self.number;
        let resets = board.armed(number).and_then(|weather| weather.half_requests.pop_front());
        let line = &mut board.lines[number];
        (line.cut, line.reset) = (resets == Some(false), resets == Some(true));
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    fn inner(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.inner.as_mut().expect("a stream in use is not being dropped"))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (shared, number) = (self.board.clone(), self.number);
        let mut board = shared.lock();
        let before = buf.filled().len();
        let result = self.read(&mut board, cx, buf);
        match &result {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                board.received(number, &buf.filled()[before..]);
            }
            Poll::Ready(_) => board.ended(number),
            Poll::Pending => {}
        }
        result
    }
}

impl Wire {
    fn read(
        &mut self,
        board: &mut Board,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let number = self.number;
        board.remember(number, cx);
        board.expect_closed_if_garbled(number, 2 * self.tick);
        if board.lines[number].reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if board.lines[number].deaf {
            return Poll::Pending;
        }
        self.flush_held(board, cx)?;
        if board.is_stalled(number) || board.holds(number, 1) {
            return Poll::Pending;
        }
        let most = board.piece(number).min(buf.remaining());
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(self.inner().poll_read(cx, &mut piece))?;
        let mut bytes = piece.filled().len();
        if bytes > 0
            && let Some(weather) = board.armed(number)
            && let Some(after) = weather.resets_in_answer.pop_front()
        {
            bytes = bytes.min(after as usize);
            board.lines[number].reset = true;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            cx.waker().wake_by_ref();
        }
        buf.advance(bytes);
        Poll::Ready(Ok(()))
    }

    fn write(
        &mut self,
        board: &mut Board,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let number = self.number;
        board.remember(number, cx);
        if board.lines[number].reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.flush_held(board, cx)?;
        let armed = board.armed(number).is_some_and(|weather| !weather.half_requests.is_empty());
        if board.lines[number].cut {
            return Poll::Ready(Ok(bytes.len()));
        }
        if armed {
            ready!(self.write_half(board, cx, bytes))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        if board.keeps_back(number) || !board.lines[number].held.is_empty() {
            let most = board.window(number).unwrap_or(HELD_MAX);
            let held = &mut board.lines[number].held;
            let taken = bytes.len().min(most.saturating_sub(held.len()));
            held.extend_from_slice(&bytes[..taken]);
            return if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) };
        }
        let piece = board.piece(number).max(bytes.len() / 200).min(bytes.len());
        self.inner().poll_write(cx, &bytes[..piece])
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (shared, number) = (self.board.clone(), self.number);
        let mut board = shared.lock();
        let result = self.write(&mut board, cx, bytes);
        match &result {
            Poll::Ready(Ok(taken)) => board.sent(number, &bytes[..*taken]),
            Poll::Ready(Err(_)) => board.ended(number),
            Poll::Pending => {}
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shared = self.board.clone();
        let mut board = shared.lock();
        board.remember(self.number, cx);
        if board.lines[self.number].reset || board.lines[self.number].cut {
            return Poll::Ready(Ok(()));
        }
        self.flush_held(&mut board, cx)?;
        match board.lines[self.number].held.is_empty() {
            true => self.inner().poll_shutdown(cx),
            false => Poll::Pending,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut board = self.board.lock();
        let line = &mut board.lines[self.number];
        line.open = false;
        if line.cut
            && let Some(stream) = self.inner.take()
        {
            board.silent.push(stream);
        }
    }
}
