//! From the page to the broker: through the filter, in order, as fast as the broker takes it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::IoSlice;
use std::mem::take;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{self, Message, error::CapacityError};

use super::control::Control;
use super::ending::{By, CloseCode, Ending};
use super::filter::{Filter, KINDS, Refusal, Why};
use super::flow::{Flow, NO_PING};
use super::inbox::Payload;
use super::limits::Pace;
use super::metrics::Metrics;
use super::page::{Heard, PageIn};
use super::signing::{NoRoom, Signing};

/// One direction of a connection.
pub(super) struct Up<'c, P, W> {
    pub(super) page: PageIn<P>,
    pub(super) broker: W,
    pub(super) filter: Filter,
    /// Signs what has passed the filter, if the bridge does.
    pub(super) signing: Option<Signing<'c>>,
    pub(super) control: Control<'c>,
    pub(super) pace: Pace,
    pub(super) born: Instant,
    pub(super) flow: &'c Flow,
    pub(super) metrics: &'c Metrics,
}

impl<P, W> Up<'_, P, W>
where
    P: AsyncRead + AsyncWrite + Unpin,
    W: AsyncWrite + Unpin,
{
    /// Carries bytes until the page closes, is gone, or does what it may not. What it had sent
    /// before is written then.
    pub(super) async fn run(&mut self) -> Ending {
        let mut queue = Queue::default();
        loop {
            self.flow.listening.store(true, Relaxed);
            let next = self.next().await;
            self.flow.listening.store(false, Relaxed);
            let ended = match next {
                Ok(next) => self.take(next, &mut queue),
                Err(ending) => Some(ending),
            };
            if let Err(ending) = self.write(&mut queue).await {
                return ending;
            }
            if let Some(ending) = ended {
                return ending;
            }
            if let Some(signing) = &mut self.signing
                && let Err(NoRoom) = signing.find_room().await
            {
                return self.too_much("too many large frames at a time");
            }
        }
    }

    /// What the page says next. A frame that is kept to be signed has its time.
    async fn next(&mut self) -> Result<Option<Result<Heard, tungstenite::Error>>, Ending> {
        let Some(deadline) = self.signing.as_ref().and_then(Signing::deadline) else {
            return Ok(self.page.next().await);
        };
        let next = timeout_at(deadline, self.page.next()).await;
        next.map_err(|_elapsed| self.too_much("a frame took too long to arrive"))
    }

    fn too_much(&self, what: &str) -> Ending {
        self.metrics.limited("signing");
        Ending::limit(what, 5_000)
    }

    /// Adds what passes of what was heard; says if it was the last.
    fn take(
        &mut self,
        heard: Option<Result<Heard, tungstenite::Error>>,
        queue: &mut Queue,
    ) -> Option<Ending> {
        let message = match heard {
            Some(Ok(Heard::Payload(Payload { bytes, messages }))) => {
                (queue.messages, queue.heard) = (messages, bytes.len() as u64);
                return self.sift(bytes, queue);
            }
            Some(Ok(Heard::Message(message))) => message,
            Some(Err(error)) => return Some(end_of_page(&error)),
            None => return Some(Ending::new(By::Page, CloseCode::ABNORMAL, "gone")),
        };
        (queue.messages, queue.heard) = (1, message.len() as u64);
        match message {
            Message::Binary(bytes) => self.sift(bytes, queue),
            Message::Text(text) => self.control.handle(&text, &mut self.filter),
            Message::Close(frame) => {
                let code = frame.map_or(CloseCode(1005), |frame| CloseCode(frame.code.into()));
                Some(Ending::new(By::Page, code, ""))
            }
            Message::Pong(said) => {
                self.hear_pong(&said);
                None
            }
            Message::Ping(_) | Message::Frame(_) => None,
        }
    }

    /// Adds what the filter lets through, signed if it is to be.
    fn sift(&mut self, mut bytes: Bytes, queue: &mut Queue) -> Option<Ending> {
        let verdict = self.filter.check(&bytes);
        let held = Bytes::copy_from_slice(verdict.held);
        let (passed, refused) = (verdict.passed, verdict.refused);
        bytes.truncate(passed);
        for some in [held, bytes] {
            let Some(signing) = &mut self.signing else {
                queue.push(some);
                continue;
            };
            if let Err(error) = signing.push(some, |part| queue.push(part)) {
                let why = format!("the request cannot be signed: {error}");
                return Some(Ending::new(By::Bridge, CloseCode::REFUSED, why));
            }
        }
        refused.map(|refusal| self.refuse(&refusal))
    }

    /// A pong repeats when its ping was sent: see [`super::watch`]. A page may say anything, and as
    /// often as it likes; the one answer to a ping that is out counts.
    fn hear_pong(&self, said: &[u8]) {
        let Ok(micros) = said.try_into().map(u64::from_be_bytes) else { return };
        if micros == NO_PING || micros != self.flow.ping_out.load(Relaxed) {
            return;
        }
        self.flow.ping_out.store(NO_PING, Relaxed);
        let now = self.born.elapsed();
        if let Some(took) = now.checked_sub(Duration::from_micros(micros)) {
            self.metrics.pinged(took);
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Ending {
        self.metrics.filtered(refusal.code);
        let code = match refusal.why {
            Why::TooLarge { .. } | Why::HeaderTooLarge { .. } | Why::BodyTooLarge { .. } => {
                CloseCode::TOO_BIG
            }
            _ => CloseCode::REFUSED,
        };
        Ending::new(By::Bridge, code, refusal.to_string())
    }

    /// Writes what passes, once it is due: a page may be too fast in bytes, in frames, or in
    /// messages, of which those count that reach no broker, too.
    async fn write(&mut self, queue: &mut Queue) -> Result<(), Ending> {
        let (messages, heard) = (take(&mut queue.messages), take(&mut queue.heard));
        if messages == 0 {
            return Ok(());
        }
        let mut frames = [0; KINDS];
        if queue.bytes > 0 {
            self.filter.take_counts(|kind, count| frames[kind] = count);
        }
        let count = frames.iter().sum();
        let wait = self.pace.read(Instant::now(), heard, messages.max(count));
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if queue.bytes > 0 {
            let bytes = queue.bytes as u64;
            self.write_out(queue).await?;
            for (kind, count) in frames.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                self.metrics.frames_up(kind, count);
            }
            self.metrics.bytes_up(bytes);
            self.flow.up_frames.fetch_add(count, Relaxed);
            self.flow.up_bytes.fetch_add(bytes, Relaxed);
        }
        Ok(())
    }

    async fn write_out(&mut self, queue: &mut Queue) -> Result<(), Ending> {
        let deadline = self.signing.as_ref().and_then(Signing::write_deadline);
        let broker = &mut self.broker;
        let written = counted(self.metrics, async {
            broker.write_all_buf(queue).await?;
            broker.flush().await
        });
        let written = match deadline {
            None => written.await,
            Some(deadline) => match timeout_at(deadline, written).await {
                Ok(written) => written,
                Err(_elapsed) => return Err(self.too_much("the broker takes no large frames")),
            },
        };
        written.map_err(|error| super::down::end_of_broker(&error))?;
        if let Some(signing) = &mut self.signing {
            signing.written();
        }
        Ok(())
    }
}

/// Waits for a write to a broker, and counts the time if it must. One that is done at once costs no
/// look at the clock.
async fn counted<T>(metrics: &Metrics, write: impl Future<Output = T>) -> T {
    let mut write = pin!(write);
    let at_once = poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await;
    if let Poll::Ready(written) = at_once {
        return written;
    }
    let mut since = Instant::now();
    loop {
        let written = timeout(STALL_COUNTED, write.as_mut()).await;
        let now = Instant::now();
        metrics.stalled(false, now - since);
        if let Ok(written) = written {
            return written;
        }
        since = now;
    }
}

/// What the page's socket says, or breaks.
pub(super) fn end_of_page(error: &tungstenite::Error) -> Ending {
    use tungstenite::Error;
    let (by, code) = match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => (By::Bridge, CloseCode::TOO_BIG),
        Error::Capacity(_) | Error::Utf8(_) => (By::Bridge, CloseCode::PROTOCOL),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            (By::Page, CloseCode::ABNORMAL)
        }
        Error::Protocol(_) => (By::Bridge, CloseCode::PROTOCOL),
        _ => (By::Page, CloseCode::ABNORMAL),
    };
    Ending::new(by, code, error.to_string())
}

/// Pieces to be written together.
#[derive(Default)]
struct Queue {
    parts: VecDeque<Bytes>,
    bytes: usize,
    /// Messages of any kind that they are of, and the bytes of those.
    messages: u64,
    heard: u64,
}

impl Queue {
    fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.bytes += part.len();
            self.parts.push_back(part);
        }
    }
}

impl Buf for Queue {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while count > 0 {
            let part = self.parts.front_mut().expect("no more is advanced than is there");
            let step = count.min(part.len());
            part.advance(step);
            count -= step;
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.parts);
        pairs.map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }
}

/// How late the figures may be about a broker that takes nothing.
const STALL_COUNTED: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_written_in_order_and_whole() {
        let mut queue = Queue::default();
        for part in [&b"ab"[..], b"", b"cde", b"f"] {
            queue.push(Bytes::from_static(part));
        }
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(queue.chunks_vectored(&mut slices), 2);
        assert_eq!((&*slices[0], &*slices[1]), (&b"ab"[..], &b"cde"[..]));

        queue.advance(3);
        assert_eq!((queue.remaining(), queue.chunk()), (3, &b"de"[..]));
        queue.advance(3);
        assert_eq!((queue.remaining(), queue.chunk()), (0, &b""[..]));
    }
}
