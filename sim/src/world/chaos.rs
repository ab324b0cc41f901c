//! How does a stream fail in the middle of its bytes?

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::wire::{Cut, Rule, Way, Wire};

/// A stream that does to its bytes what its [`Wire`] says, with dice of its own. Simulated
/// networks deliver whole writes; real ones do not.
#[derive(Debug)]
pub struct ChaosStream<S> {
    inner: S,
    wire: Wire,
    dice: ChaCha8Rng,
    read: Lane,
    write: Lane,
    reset: bool,
}

/// One direction of one connection.
#[derive(Debug, Default)]
struct Lane {
    silent: bool,
    /// Bandwidth is used up until then.
    pause: Option<Pin<Box<Sleep>>>,
}

/// What may pass now.
enum Grant {
    /// So many bytes at most.
    Bytes(usize),
    /// Whatever there is: nothing is to be looked at.
    All,
    /// Nothing, for ever, and without a sign.
    Nothing,
}

impl<S> ChaosStream<S> {
    /// Wraps a stream. Streams of one run that shall not behave alike need different seeds.
    pub fn new(inner: S, wire: Wire, seed: u64) -> Self {
        Self {
            inner,
            wire,
            dice: ChaCha8Rng::seed_from_u64(seed),
            read: Lane::default(),
            write: Lane::default(),
            reset: false,
        }
    }

    fn poll_grant(&mut self, cx: &mut Context<'_>, way: Way) -> Poll<io::Result<Grant>> {
        let lane = match way {
            Way::Read => &mut self.read,
            Way::Write => &mut self.write,
        };
        if self.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if lane.silent {
            return Poll::Ready(Ok(Grant::Nothing));
        }
        if let Some(pause) = &mut lane.pause {
            ready!(pause.as_mut().poll(cx));
            lane.pause = None;
        }
        let (dice, reset) = (&mut self.dice, &mut self.reset);
        self.wire.with(way, |rule| {
            if rule.is_plain() {
                // A cut that is set while the stream waits for bytes must be seen.
                rule.wait(cx.waker());
                return Poll::Ready(Ok(Grant::All));
            }
            if rule.stalled {
                rule.wait(cx.waker());
                return Poll::Pending;
            }
            match rule.cut {
                Some((0, Cut::Reset)) => {
                    rule.cut = None;
                    *reset = true;
                    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
                }
                Some((0, Cut::Silence)) => {
                    rule.cut = None;
                    lane.silent = true;
                    Poll::Ready(Ok(Grant::Nothing))
                }
                _ => {
                    rule.wait(cx.waker());
                    Poll::Ready(Ok(Grant::Bytes(allowance(rule, dice))))
                }
            }
        })
    }

    /// So many bytes have passed.
    fn passed(&mut self, way: Way, bytes: usize) {
        let pause = self.wire.with(way, |rule| {
            rule.passed += bytes as u64;
            if let Some((left, _)) = &mut rule.cut {
                *left = left.saturating_sub(bytes as u64);
            }
            let per_second = u64::from(rule.bytes_per_second?.max(1));
            Some(Duration::from_micros(bytes as u64 * 1_000_000 / per_second))
        });
        let lane = match way {
            Way::Read => &mut self.read,
            Way::Write => &mut self.write,
        };
        lane.pause = pause.map(|pause| Box::pin(sleep(pause)));
    }
}

/// Bytes that one read or write may pass.
fn allowance(rule: &Rule, dice: &mut ChaCha8Rng) -> usize {
    let mut bytes = PIECE_BYTES;
    if let Some((left, _)) = rule.cut {
        bytes = bytes.min(usize::try_from(left).unwrap_or(usize::MAX));
    }
    if let Some(per_second) = rule.bytes_per_second {
        // What passes in 10 ms.
        bytes = bytes.min((per_second / 100).max(1) as usize);
    }
    if let Some(max) = rule.piece_bytes_max {
        let roll = dice.next_u32() as usize % max.max(1) + 1;
        bytes = bytes.min(roll);
    }
    bytes
}

impl<S: AsyncRead + Unpin> AsyncRead for ChaosStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match ready!(self.poll_grant(cx, Way::Read))? {
            Grant::Nothing => return Poll::Pending,
            Grant::All => ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?,
            Grant::Bytes(bytes) => {
                let mut piece = [0; PIECE_BYTES];
                let mut piece = ReadBuf::new(&mut piece[..bytes.min(buf.remaining())]);
                ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece))?;
                buf.put_slice(piece.filled());
            }
        }
        let bytes = buf.filled().len() - before;
        self.passed(Way::Read, bytes);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ChaosStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let most = match ready!(self.poll_grant(cx, Way::Write))? {
            Grant::Nothing => return Poll::Ready(Ok(buf.len())),
            Grant::All => buf.len(),
            Grant::Bytes(bytes) => buf.len().min(bytes),
        };
        let bytes = ready!(Pin::new(&mut self.inner).poll_write(cx, &buf[..most]))?;
        self.passed(Way::Write, bytes);
        Poll::Ready(Ok(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Bytes that pass at once where each is looked at.
const PIECE_BYTES: usize = 4096;
