//! One connection: dial, then carry bytes both ways until one side ends it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use producer_core::{ConnId, ConnectionEnd};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{timeout, timeout_at};

use crate::door::{Dial, Effects, Shared, State};
use crate::hooks::Tap;
use crate::pace::Pace;
use crate::transport::{Leaving, Stream, end_of};

/// What the door tells the tasks of connections. A connection that is not in here is not wanted.
#[derive(Debug, Default)]
pub(crate) struct Links(Vec<Option<Link>>);

#[derive(Debug)]
struct Link {
    conn: ConnId,
    /// There are bytes to take.
    transmit: bool,
    waker: Option<Waker>,
}

impl Links {
    pub(crate) fn insert(&mut self, conn: ConnId) {
        if self.0.len() <= conn.slot() {
            self.0.resize_with(conn.slot() + 1, || None);
        }
        self.0[conn.slot()] = Some(Link { conn, transmit: false, waker: None });
    }

    /// There are bytes to take; returns whom to wake.
    pub(crate) fn transmit(&mut self, conn: ConnId) -> Option<Waker> {
        let link = self.get(conn)?;
        link.transmit = true;
        link.waker.take()
    }

    /// The connection is not wanted any more; returns whom to wake.
    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Waker> {
        self.get(conn)?;
        self.0[conn.slot()].take()?.waker
    }

    pub(crate) fn take_wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.0.iter_mut().flatten().filter_map(|link| link.waker.take())
    }

    fn get(&mut self, conn: ConnId) -> Option<&mut Link> {
        self.0.get_mut(conn.slot())?.as_mut().filter(|link| link.conn == conn)
    }
}

/// Read at once.
const INBOX_BYTES: usize = 64 << 10;
/// Reads in a row before writing and other tasks get their turn.
const READS_MAX: usize = 16;
/// Capacity of the write buffer that a burst leaves behind at most.
const OUTBOX_KEPT: usize = 1 << 20;
/// How long a peer may take to accept the last bytes of a connection that is to be closed.
const LINGER: Duration = Duration::from_secs(1);

/// How a connection came to its end.
enum End {
    /// By the network or the peer.
    Theirs(ConnectionEnd),
    /// The core does not want it any more.
    Ours,
}

/// The life of one connection.
pub(crate) fn run(shared: Arc<Shared>, dial: Dial) -> impl Future<Output = ()> {
    // Made here, for a runtime that is gone drops the future without ever polling it.
    let unless_dropped = Unfinished { shared: shared.clone(), conn: dial.conn, finished: false };
    live(shared, dial, unless_dropped)
}

async fn live(shared: Arc<Shared>, dial: Dial, mut unless_dropped: Unfinished) {
    let conn = dial.conn;
    let end = match connect(&shared, &dial).await {
        Ok(stream) => {
            shared.log.connected(&dial.address);
            shared.enter(|state, now| state.core.handle_connected(now, conn));
            let mut pipe = Pipe::new(conn, stream, shared.hooks.tap(&dial.address));
            let end = poll_fn(|cx| pipe.poll(&shared, cx)).await;
            if matches!(end, End::Ours) {
                pipe.finish().await;
            }
            end
        }
        Err(end) => end,
    };
    if let End::Theirs(end) = end {
        shared.log.ended(&dial.address, &end);
        shared.enter(|state, now| report_closed(state, now, conn, end));
    }
    unless_dropped.finished = true;
}

async fn connect(shared: &Arc<Shared>, dial: &Dial) -> Result<Box<dyn Stream>, End> {
    let deadline = shared.at(dial.deadline);
    let mut connecting = shared.transport.connect(&dial.address, deadline);
    let wanted = poll_fn(|cx| {
        let waker = cx.waker().clone();
        let known = match shared.peek().links.get(dial.conn) {
            Some(link) => Some(link.waker.replace(waker)),
            None => None,
        };
        match known {
            Some(_stale) => Poll::Pending,
            None => Poll::Ready(()),
        }
    });
    tokio::select! {
        biased;
        () = wanted => Err(End::Ours),
        result = timeout_at(deadline, &mut connecting) => match result {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(end)) => Err(End::Theirs(end)),
            Err(_elapsed) => Err(End::Theirs(ConnectionEnd::DialTimeout)),
        },
    }
}

fn report_closed(
    state: &mut State,
    now: producer_core::Instant,
    conn: ConnId,
    end: ConnectionEnd,
) -> Option<Waker> {
    let stale = state.links.remove(conn);
    state.core.handle_closed(now, conn, end);
    stale
}

/// An open connection.
struct Pipe {
    conn: ConnId,
    stream: Box<dyn Stream>,
    inbox: Box<[u8]>,
    /// Taken from the core; all but the first `written` bytes are still to be written.
    outbox: Vec<u8>,
    written: usize,
    /// The stream may have kept some of what was written.
    unflushed: bool,
    pace: Pace,
    effects: Effects,
    /// For those who want to see the frames.
    tap: Option<Box<Tap>>,
}

/// What a look at the core brought.
enum Turn {
    /// Bytes to write.
    Write,
    /// More are worth waiting for: come back after those who are ready now.
    Yield,
    Nothing,
    NotWanted,
}

impl Pipe {
    fn new(conn: ConnId, stream: Box<dyn Stream>, tap: Option<Box<Tap>>) -> Self {
        Self {
            tap,
            conn,
            stream,
            inbox: vec![0; INBOX_BYTES].into_boxed_slice(),
            outbox: Vec::new(),
            written: 0,
            unflushed: false,
            pace: Pace::default(),
            effects: Effects::default(),
        }
    }

    fn poll(&mut self, shared: &Arc<Shared>, cx: &mut Context<'_>) -> Poll<End> {
        if let Err(end) = self.poll_read(shared, cx) {
            return Poll::Ready(End::Theirs(end));
        }
        let idle = match self.poll_write(cx) {
            Poll::Ready(Err(error)) => return Poll::Ready(End::Theirs(end_of(&error))),
            Poll::Ready(Ok(())) => true,
            Poll::Pending => false,
        };
        match self.look(shared, cx.waker(), idle) {
            Turn::NotWanted => return Poll::Ready(End::Ours),
            Turn::Yield => cx.waker().wake_by_ref(),
            Turn::Nothing => {}
            Turn::Write => {
                if let Some(tap) = &self.tap {
                    tap.sent(&self.outbox);
                }
                // What comes while this is written wakes the task again.
                if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                    return Poll::Ready(End::Theirs(end_of(&error)));
                }
            }
        }
        Poll::Pending
    }

    /// Hands everything that has arrived to the core.
    fn poll_read(
        &mut self,
        shared: &Arc<Shared>,
        cx: &mut Context<'_>,
    ) -> Result<(), ConnectionEnd> {
        for _ in 0..READS_MAX {
            let mut buf = ReadBuf::new(&mut self.inbox);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) if Leaving::is(&error) => {
                    let conn = self.conn;
                    shared.enter_with(&mut self.effects, |state, now| {
                        state.core.handle_leaving(now, conn);
                    });
                }
                Poll::Ready(Err(error)) => return Err(end_of(&error)),
                Poll::Ready(Ok(())) if buf.filled().is_empty() => {
                    return Err(ConnectionEnd::Closed);
                }
                Poll::Ready(Ok(())) => {
                    let (conn, bytes) = (self.conn, buf.filled());
                    if let Some(tap) = &mut self.tap {
                        tap.received(bytes);
                    }
                    shared.enter_with(&mut self.effects, |state, now| {
                        state.core.handle_received(now, conn, bytes);
                    });
                }
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Writes what was taken, to the end: TLS keeps records that the socket did not take, and a
    /// write that they delayed says that all is well.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.outbox.len() {
            let rest = &self.outbox[self.written..];
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Poll::Ready(Ok(bytes)) => {
                    self.written += bytes;
                    self.unflushed = true;
                }
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        if self.outbox.capacity() > OUTBOX_KEPT && self.outbox.len() < OUTBOX_KEPT / 4 {
            self.outbox.shrink_to(OUTBOX_KEPT);
        }
        self.outbox.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Asks the core for bytes, if the ones before are written, and to be woken for the next.
    fn look(&mut self, shared: &Arc<Shared>, waker: &Waker, idle: bool) -> Turn {
        let Self { conn, outbox, pace, effects, .. } = self;
        let conn = *conn;
        let (turn, _stale) = shared.enter_with(effects, |state, _| {
            let Some(link) = state.links.get(conn) else { return (Turn::NotWanted, None) };
            let mut stale = None;
            if !link.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                stale = link.waker.replace(waker.clone());
            }
            if !link.transmit || !idle {
                return (Turn::Nothing, stale);
            }
            if pace.waits_for_more(state.core.under_way(conn)) {
                return (Turn::Yield, stale);
            }
            link.transmit = false;
            state.core.take_bytes(conn, outbox);
            (Turn::Write, stale)
        });
        turn
    }

    /// Writes what was taken and closes, as long as the peer plays along.
    async fn finish(&mut self) {
        let rest = &self.outbox[self.written..];
        let stream = &mut self.stream;
        let closed = timeout(LINGER, async {
            stream.write_all(rest).await?;
            stream.shutdown().await
        });
        // The connection is closed either way, and nobody is left to be told how.
        let _unheard = closed.await;
    }
}

/// Dropped unfinished when the runtime drops the task, or it panics.
struct Unfinished {
    shared: Arc<Shared>,
    conn: ConnId,
    finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if !std::thread::panicking() {
            return self.shared.runtime_gone();
        }
        let end = ConnectionEnd::Other(String::from("the connection's task panicked"));
        let conn = self.conn;
        let _torn = self.shared.enter_if_sound(&mut Effects::default(), |state, now| {
            report_closed(state, now, conn, end)
        });
    }
}
