//! What of a page's bytes needs no WebSocket library?
//!
//! A page writes each frame of the remoting protocol as a message of its own: eight bytes of
//! WebSocket, and then some hundred of payload. tungstenite makes a buffer of each, and its stream
//! locks and wakes; all that was more work than the filter's. So *plain* messages, which are binary,
//! in one frame, masked and not too large, are unmasked here where they were read, all that are
//! there at once. What is nearly all bytes of a page is then one piece a read: 1,760 instructions a
//! frame of 256 bytes with its filter, where there were 3,360, and mostly 90 to 100 % of a plain
//! relay's rate (`cargo bench -p tests --bench bridge -- frames`), where there were 48 to 67.
//!
//! All else is tungstenite's, a frame at a time: control frames, text, fragments, large messages,
//! and whatever breaks the protocol. It knows the rules and says what is wrong. A connection that is
//! over is its alone.

use std::io::Cursor;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{self, AsyncRead, AsyncReadExt, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

/// Bytes that were read from a page's socket, until they are taken.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: BytesMut,
    /// How large a buffer `bytes` was made with, and how large the next one is to be.
    made: usize,
    size: usize,
    /// Largest payload of a plain message.
    plain_bytes_max: usize,
    /// Where tungstenite is.
    given: Boundaries,
    /// Nothing is plain any more.
    over: bool,
}

/// Payloads of plain messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    /// How many messages that is.
    pub(super) messages: u64,
}

/// Whose are the bytes that come next?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// They are plain: [`Inbox::take`].
    Plain,
    /// tungstenite's: [`Inbox::give`].
    Other,
    /// More must be read first: [`Inbox::poll_read`].
    Unknown,
}

impl Inbox {
    /// An inbox that has what was read already. Larger messages than this are never plain.
    pub(super) fn new(read: &[u8], message_bytes_max: usize) -> Self {
        Self {
            bytes: BytesMut::from(read),
            made: 0,
            size: SIZE_MIN,
            plain_bytes_max: message_bytes_max.min(PLAIN_BYTES_MAX),
            given: Boundaries::default(),
            over: false,
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Next {
        if self.bytes.is_empty() {
            Next::Unknown
        } else if self.over || !self.given.at_one() {
            Next::Other
        } else {
            match Header::read(&self.bytes) {
                Header::Plain { payload, .. } if payload > self.plain_bytes_max => Next::Other,
                Header::Plain { bytes, payload, .. } if bytes + payload <= self.bytes.len() => {
                    Next::Plain
                }
                Header::Plain { .. } | Header::Cut => Next::Unknown,
                Header::Other => Next::Other,
            }
        }
    }

    /// All plain messages that are there as a whole, up to the first other one; `None` if there are
    /// none.
    pub(super) fn take(&mut self) -> Option<Payload> {
        if self.next() != Next::Plain {
            return None;
        }
        let Header::Plain { bytes: start, .. } = Header::read(&self.bytes) else { return None };
        // The first payload stays where it is: of large messages there is no other.
        let (mut messages, mut read, mut kept) = (0, 0, start);
        while messages < MESSAGES_MAX
            && let Header::Plain { bytes, payload, mask } = Header::read(&self.bytes[read..])
            && payload <= self.plain_bytes_max
            && bytes + payload <= self.bytes.len() - read
        {
            unmask(&mut self.bytes, read + bytes, kept, payload, mask);
            read += bytes + payload;
            kept += payload;
            messages += 1;
        }
        let mut bytes = self.bytes.split_to(read);
        bytes.truncate(kept);
        bytes.advance(start);
        Some(Payload { bytes: bytes.freeze(), messages })
    }

    /// Gives tungstenite what is here of its frame, and nothing of the next one.
    pub(super) fn give(&mut self, to: &mut ReadBuf<'_>) {
        while !self.bytes.is_empty() && to.remaining() > 0 {
            let some = self.given.step(&self.bytes[..self.bytes.len().min(to.remaining())]);
            to.put_slice(&self.bytes[..some]);
            self.bytes.advance(some);
            if self.given.is_between() {
                break;
            }
        }
    }

    /// Reads more; how many bytes. To be called when it must be.
    pub(super) fn poll_read<S>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>>
    where
        S: AsyncRead + Unpin,
    {
        while self.size <= self.bytes.len() {
            // It has a large message, and not yet all of it.
            self.size *= 2;
        }
        let space = self.size - self.bytes.len();
        if self.made == self.size {
            // The same memory again, for what was taken of it has been written. It may double, once:
            // if what is left in it is too much to be moved to its start.
            self.bytes.reserve(space);
        } else {
            let before = std::mem::replace(&mut self.bytes, BytesMut::with_capacity(self.size));
            self.bytes.extend_from_slice(&before);
            self.made = self.size;
        }
        let read = ready!(pin!(stream.read_buf(&mut self.bytes)).poll(cx))?;
        // A buffer that was filled is too small. One that was hardly used is too large, and there
        // are thousands of them.
        if read >= space && self.size < SIZE_MAX {
            self.size *= 2;
        } else if self.bytes.len() < self.size / 8 && self.size > SIZE_MIN {
            self.size /= 2;
        }
        Poll::Ready(Ok(read))
    }

    /// Gives the buffer back, if nothing is in it.
    pub(super) fn rest(&mut self) {
        if self.bytes.is_empty() {
            (self.bytes, self.made, self.size) = (BytesMut::new(), 0, SIZE_MIN);
        }
    }

    /// Whether tungstenite has got whole frames, of whole messages.
    pub(super) fn is_given_whole(&self) -> bool {
        self.given.at_one()
    }

    /// All that still comes is tungstenite's.
    pub(super) fn end(&mut self) {
        self.over = true;
    }
}

/// A buffer is from so large ...
const SIZE_MIN: usize = 4 * 1024;
/// ... to so large; twice that for the largest plain messages.
const SIZE_MAX: usize = 64 * 1024;
/// What the protocol asks pages not to exceed.
const PLAIN_BYTES_MAX: usize = 64 * 1024;
/// So many messages are taken at once: some have no payload.
const MESSAGES_MAX: u64 = 256;

type Mask = [u8; 4];

/// The header of a frame.
enum Header {
    /// Of a plain message, if that is not too large: its bytes, and those of the payload.
    Plain {
        bytes: usize,
        payload: usize,
        mask: Mask,
    },
    /// It may become one.
    Cut,
    Other,
}

impl Header {
    /// RFC 6455, 5.2.
    #[inline]
    fn read(bytes: &[u8]) -> Self {
        let (second, rest) = match bytes {
            [WHOLE_BINARY, second, rest @ ..] if second & MASKED != 0 => (*second, rest),
            [] | [WHOLE_BINARY] => return Self::Cut,
            _ => return Self::Other,
        };
        let (payload, rest) = match second & !MASKED {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Self::Cut };
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk() else { return Self::Cut };
                (u64::from_be_bytes(*length), rest)
            }
            length => (u64::from(length), rest),
        };
        let Some((mask, rest)) = rest.split_first_chunk() else { return Self::Cut };
        let payload = usize::try_from(payload).unwrap_or(usize::MAX);
        Self::Plain { bytes: bytes.len() - rest.len(), payload, mask: *mask }
    }
}

/// A last frame, and the only one, of a binary message, without reserved bits.
const WHOLE_BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;

/// Moves `count` bytes to where there is no header between them, and takes their mask away.
#[inline]
fn unmask(bytes: &mut [u8], from: usize, to: usize, count: usize, mask: Mask) {
    if to < from {
        bytes.copy_within(from..from + count, to);
    }
    // Of such words a compiler makes the largest that a processor has.
    let [a, b, c, d] = mask;
    let word = [a, b, c, d, a, b, c, d];
    let (words, rest) = bytes[to..to + count].as_chunks_mut::<8>();
    for eight in words {
        eight.iter_mut().zip(&word).for_each(|(byte, mask)| *byte ^= mask);
    }
    rest.iter_mut().zip(&word).for_each(|(byte, mask)| *byte ^= mask);
}

/// Where frames begin and end in the bytes that tungstenite has got, and whether a message goes on
/// in the next one.
#[derive(Debug, Default)]
struct Boundaries {
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
    /// Looks at the next bytes, of which there are some, as far as they are one frame's, or one
    /// header's; how many those are.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.lost {
            return bytes.len();
        }
        if self.left > 0 {
            let some = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= some as u64;
            return some;
        }
        // A header is of 14 bytes at most.
        self.head.push(bytes[0]);
        match FrameHeader::parse(&mut Cursor::new(&self.head)) {
            Ok(None) => {}
            Ok(Some((header, left))) => {
                self.left = left;
                if matches!(header.opcode, OpCode::Data(_)) {
                    self.open = !header.is_final;
                }
                self.head.clear();
            }
            Err(_) => self.lost = true,
        }
        1
    }

    /// Whether what came ends with a frame.
    fn is_between(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }

    /// Whether it ends with a message, too.
    fn at_one(&self) -> bool {
        self.is_between() && !self.open && !self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these bytes, as if they had just come.
    fn read(inbox: &mut Inbox, mut bytes: &[u8]) -> usize {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match inbox.poll_read(&mut bytes, &mut cx) {
            Poll::Ready(Ok(read)) => read,
            other => panic!("{other:?}"),
        }
    }

    /// A plain message.
    fn message(payload: &[u8]) -> Vec<u8> {
        let [high, low] = (payload.len() as u16).to_be_bytes();
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![WHOLE_BINARY, MASKED | 126, high, low, 1, 2, 3, 4];
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    #[test]
    fn a_buffer_is_as_large_as_what_comes_and_is_used_again() {
        let stream = message(b"a frame, or so").repeat(40_000);
        let mut rest = &*stream;
        let mut inbox = Inbox::new(&[], 1024);
        let mut next = |inbox: &mut Inbox| {
            rest = &rest[read(inbox, rest)..];
            while let Some(Payload { bytes, messages }) = inbox.take() {
                assert_eq!(bytes, b"a frame, or so".repeat(messages as usize));
            }
            inbox.size / 1024
        };
        assert_eq!([(); 7].map(|()| next(&mut inbox)), [8, 16, 32, 64, 64, 64, 64]);
        let before = inbox.bytes.as_ptr();
        next(&mut inbox);
        assert_eq!(inbox.bytes.as_ptr(), before, "the same memory");

        // Such messages are nearly as long as buffers, or longer: each must be whole.
        for length in [8_000, 16_000, 65_535] {
            let stream = message(&vec![7; length]).repeat(3);
            let mut inbox = Inbox::new(&stream[..10], 100_000);
            let mut rest = &stream[10..];
            let mut messages = 0;
            while messages < 3 {
                match inbox.take() {
                    Some(payload) => {
                        assert!(payload.bytes.iter().all(|byte| *byte == 7));
                        messages += payload.messages;
                    }
                    None => {
                        assert!(!rest.is_empty(), "nothing comes of it");
                        rest = &rest[read(&mut inbox, rest)..];
                    }
                }
            }
            assert!(rest.is_empty() && inbox.bytes.is_empty(), "{length}");
            assert!(inbox.made <= 2 * SIZE_MAX, "{length}");
        }
    }

    #[test]
    fn a_buffer_that_is_hardly_used_becomes_small() {
        let mut inbox = Inbox::new(&[], 1024);
        inbox.size = SIZE_MAX;
        let sizes = [(); 5].map(|()| {
            read(&mut inbox, &message(b"small"));
            inbox.take();
            inbox.size / 1024
        });
        assert_eq!(sizes, [32, 16, 8, 4, 4]);
        inbox.rest();
        assert_eq!(inbox.bytes.capacity(), 0);
    }
}
