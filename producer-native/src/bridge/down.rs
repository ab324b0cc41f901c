//! From the broker to the page: as fast as the page takes it, and never faster.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use bytes::BytesMut;
use futures_util::{Sink, SinkExt};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, Message};

use super::ending::{By, CloseCode, Ending};
use super::flow::Flow;
use super::metrics::Metrics;

/// One direction of a connection.
pub(super) struct Down<'c, R, W> {
    pub(super) broker: R,
    pub(super) page: W,
    /// What the bridge itself has to say to the page.
    pub(super) own: mpsc::Receiver<Message>,
    pub(super) frame_bytes_max: usize,
    pub(super) flow: &'c Flow,
    pub(super) metrics: &'c Metrics,
}

impl<R, W> Down<'_, R, W>
where
    R: AsyncRead + Unpin,
    W: Sink<Message, Error = tungstenite::Error> + Unpin,
{
    /// Carries bytes until the broker closes, or the page is gone.
    pub(super) async fn run(&mut self) -> Ending {
        let mut buffer = BytesMut::new();
        let mut size = BUFFER_BYTES_MIN;
        let mut frames = Frames::new(self.frame_bytes_max);
        loop {
            buffer.reserve(size);
            let read = tokio::select! {
                biased;
                Some(own) = self.own.recv() => {
                    // Most of these are pings, so nothing has come for a while: thousands of idle
                    // connections need no large buffers.
                    (buffer, size) = (BytesMut::new(), BUFFER_BYTES_MIN);
                    if let Err(ending) = self.send(own).await {
                        return ending;
                    }
                    continue;
                }
                read = self.broker.read_buf(&mut buffer) => read,
            };
            let bytes = match read {
                Ok(0) => {
                    let closed = "the broker closed the connection";
                    return Ending::new(By::Broker, CloseCode::BROKER_CLOSED, closed);
                }
                Ok(bytes) => bytes,
                Err(error) => return end_of_broker(&error),
            };
            let Some(count) = frames.count(&buffer) else {
                let big = "the broker sent a frame that is too big, or none";
                return Ending::new(By::Broker, CloseCode::TOO_BIG, big);
            };
            // A buffer that was filled is too small; one that was hardly used is too big, and
            // there are thousands of them.
            if bytes >= size && size < BUFFER_BYTES_MAX {
                size *= 2;
            } else if bytes < size / 8 && size > BUFFER_BYTES_MIN {
                size = BUFFER_BYTES_MIN;
            }
            if let Err(ending) = self.send(Message::Binary(buffer.split().freeze())).await {
                return ending;
            }
            self.flow.down_bytes.fetch_add(bytes as u64, Relaxed);
            self.flow.down_frames.fetch_add(count, Relaxed);
            self.metrics.down(bytes as u64, count);
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Ending> {
        self.flow.sending.store(true, Relaxed);
        let sent = self.page.send(message).await;
        self.flow.sending.store(false, Relaxed);
        sent.map_err(|error| super::up::end_of_page(&error))
    }
}

/// What is read at once from a broker: from so much, which idle connections keep ...
const BUFFER_BYTES_MIN: usize = 4 * 1024;
/// ... to so much.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// What an error of a broker's socket means.
pub(super) fn end_of_broker(error: &io::Error) -> Ending {
    let code = match error.kind() {
        io::ErrorKind::UnexpectedEof => CloseCode::BROKER_CLOSED,
        _ => CloseCode::BROKER_RESET,
    };
    Ending::new(By::Broker, code, format!("the connection to the broker broke: {error}"))
}

/// Counts frames by their lengths, over the ends of pieces.
struct Frames {
    bytes_max: usize,
    /// What is missing of the frame that has begun.
    missing: usize,
    /// The length of the next one, as far as it is there.
    length: [u8; 4],
    length_bytes: usize,
}

impl Frames {
    fn new(bytes_max: usize) -> Self {
        Self { bytes_max, missing: 0, length: [0; 4], length_bytes: 0 }
    }

    /// How many frames end in this piece; `None` if one is larger than may be.
    fn count(&mut self, mut piece: &[u8]) -> Option<u64> {
        let mut frames = 0;
        while !piece.is_empty() {
            if self.missing == 0 {
                let wanted = &mut self.length[self.length_bytes..];
                let have = wanted.len().min(piece.len());
                wanted[..have].copy_from_slice(&piece[..have]);
                self.length_bytes += have;
                piece = &piece[have..];
                if self.length_bytes < self.length.len() {
                    break;
                }
                self.length_bytes = 0;
                self.missing = u32::from_be_bytes(self.length) as usize;
                if self.missing == 0 || self.missing > self.bytes_max {
                    return None;
                }
            }
            let have = self.missing.min(piece.len());
            self.missing -= have;
            piece = &piece[have..];
            frames += u64::from(self.missing == 0);
        }
        Some(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let stream = b"\0\0\0\x01a\0\0\0\x03abc\0\0\0\x02ab";
        for piece in 1..=stream.len() {
            let mut frames = Frames::new(3);
            let counted = stream.chunks(piece).map(|piece| frames.count(piece));
            assert_eq!(counted.sum::<Option<u64>>(), Some(3), "pieces of {piece}");
        }
        assert_eq!(Frames::new(2).count(stream), None);
        assert_eq!(Frames::new(2).count(&[0; 4]), None);
    }
}
