use std::collections::VecDeque;
use std::io;

use proptest::prelude::*;
use tokio::io::ReadBuf;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};

use super::super::flow::Flow;
use super::super::inbox::Inbox;
use super::*;

const MESSAGE_BYTES_MAX: usize = 100_000;

/// A socket from which these pieces come, each after a pause, and then the end.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    paused: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.paused = !self.paused;
        if self.paused {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(piece) = self.pieces.front_mut() else { return Poll::Ready(Ok(())) };
        let some = piece.len().min(buf.remaining());
        buf.put_slice(&piece[..some]);
        piece.drain(..some);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What a page was understood to say.
#[derive(Debug, Default, PartialEq)]
struct Said {
    /// Bytes of binary messages up to each other message, which is here as text.
    parts: Vec<(Vec<u8>, String)>,
    bytes: Vec<u8>,
    /// Binary messages.
    messages: u64,
}

impl Said {
    fn hear(&mut self, message: Message) {
        match message {
            Message::Binary(bytes) => {
                self.bytes.extend_from_slice(&bytes);
                self.messages += 1;
            }
            other => self.parts.push((std::mem::take(&mut self.bytes), format!("{other:?}"))),
        }
    }
}

fn config() -> WebSocketConfig {
    let config = WebSocketConfig::default().read_buffer_size(1024);
    config.max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// What comes of bytes that arrive in these pieces, the first with the request; and how it ends.
fn ours(pieces: &[&[u8]]) -> (Said, Option<String>) {
    let mut pieces: VecDeque<_> = pieces.iter().map(|piece| piece.to_vec()).collect();
    let first = pieces.pop_front().unwrap_or_default();
    let inbox = Inbox::new(&first, MESSAGE_BYTES_MAX);
    let stream = Counted::new(Pieces { pieces, paused: false }, Arc::<Flow>::default(), inbox);
    let mut said = Said::default();
    let end = block_on(async {
        let (mut page, _out) = open(stream, config()).await;
        loop {
            match page.next().await {
                Some(Ok(Heard::Payload(payload))) => {
                    said.bytes.extend_from_slice(&payload.bytes);
                    said.messages += payload.messages;
                }
                Some(Ok(Heard::Message(message))) => said.hear(message),
                Some(Err(error)) => return Some(error.to_string()),
                None => return None,
            }
        }
    });
    (said, end)
}

/// The same by tungstenite alone.
fn theirs(bytes: &[u8]) -> (Said, Option<String>) {
    let stream = Pieces { pieces: [bytes.to_vec()].into(), paused: false };
    let mut said = Said::default();
    let end = block_on(async {
        let config = Some(config());
        let mut page = WebSocketStream::from_raw_socket(stream, Role::Server, config).await;
        loop {
            match page.next().await {
                Some(Ok(message)) => said.hear(message),
                Some(Err(error)) => return Some(error.to_string()),
                None => return None,
            }
        }
    });
    (said, end)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A frame of a page.
fn frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn payload(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0..600_usize,
        2 => prop_oneof![Just(125), Just(126), Just(127), Just(0xffff), Just(0x1_0000)],
        1 => 600..90_000_usize,
    ]
}

/// A message of any kind, in one frame or in several.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let mask = any::<[u8; 4]>();
    let plain = (mask, length(), any::<u8>())
        .prop_map(|(mask, length, seed)| frame(0x82, mask, &payload(length, seed)));
    let small = (mask, prop_oneof![Just(0x89_u8), Just(0x8a), Just(0x81)], 0..125_usize)
        .prop_map(|(mask, first, length)| frame(first, mask, &vec![b'a'; length]));
    let fragments = (mask, length(), length(), any::<bool>()).prop_map(|(mask, one, two, ping)| {
        let mut bytes = frame(0x02, mask, &payload(one, 1));
        if ping {
            bytes.extend(frame(0x89, mask, b"ping"));
        }
        bytes.extend(frame(0x80, mask, &payload(two, 2)));
        bytes
    });
    prop_oneof![6 => plain, 2 => small, 1 => fragments]
}

fn cut<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    let pieces = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
    // One without bytes would be the end, but the request may have nothing behind it.
    let without = cuts.len().is_multiple_of(2).then_some(&b""[..]);
    without.into_iter().chain(pieces.filter(|piece| !piece.is_empty())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_page_is_understood_as_tungstenite_does_however_its_bytes_are_cut(
        messages in prop::collection::vec(message(), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = messages.concat();
        prop_assert_eq!(ours(&cut(&bytes, &cuts)), theirs(&bytes));
    }

    #[test]
    fn what_breaks_the_protocol_does_so_as_with_tungstenite(
        messages in prop::collection::vec(message(), 1..6),
        (at, with) in (any::<prop::sample::Index>(), any::<u8>()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        // What matters is at the start of a message.
        let mut bytes = messages.concat();
        let starts: Vec<_> = messages.iter().scan(0, |start, message| {
            let here = *start;
            *start += message.len();
            Some(here)
        }).collect();
        bytes[starts[at.index(starts.len())] + usize::from(with % 2)] = with;

        prop_assert_eq!(ours(&cut(&bytes, &cuts)), theirs(&bytes));
    }
}

#[test]
fn what_is_not_plain_is_judged_by_tungstenite() {
    let mask = [1, 2, 3, 4];
    let fine = frame(0x82, mask, b"fine");
    let large =
        CapacityError::MessageTooLong { size: MESSAGE_BYTES_MAX + 1, max_size: MESSAGE_BYTES_MAX };
    let large = tungstenite::Error::from(large);
    let broken = |error: ProtocolError| tungstenite::Error::from(error).to_string();
    let cases = [
        (frame(0x82, mask, &payload(MESSAGE_BYTES_MAX + 1, 0)), large.to_string()),
        (b"\x82\x04bare".to_vec(), broken(ProtocolError::UnmaskedFrameFromClient)),
        (frame(0xc2, mask, b"rsv"), broken(ProtocolError::NonZeroReservedBits)),
        (frame(0x80, mask, b"what?"), broken(ProtocolError::UnexpectedContinueFrame)),
        (frame(0x83, mask, b"what?"), broken(ProtocolError::InvalidOpcode(3))),
    ];
    for (wrong, end) in cases {
        let (said, ended) = ours(&[&[&*fine, &wrong, &fine].concat()]);
        assert_eq!((&*said.bytes, ended), (&b"fine"[..], Some(end)));
    }
    // It is gone in the middle of a message, or of its header.
    for cut in 1..fine.len() {
        let (_, ended) = ours(&[&fine, &fine[..cut]]);
        assert_eq!(ended, Some(broken(ProtocolError::ResetWithoutClosingHandshake)), "{cut}");
    }
}

#[test]
fn nothing_is_heard_behind_a_close_frame() {
    let mask = [9, 8, 7, 6];
    let bytes = [frame(0x82, mask, b"one"), frame(0x88, mask, &[]), frame(0x82, mask, b"two")];

    let (said, end) = ours(&[&bytes.concat()]);

    assert_eq!(said.parts, [(b"one".to_vec(), "Close(None)".to_owned())]);
    assert_eq!((said.bytes, end), (Vec::new(), None));
}
