//! What pages and brokers of the bench write.

use producer_core::wire::code::request;
use producer_core::wire::{Head, SerializeType, encode_frame};

/// What the broker writes for each request: a frame as long as the answer to a send.
pub(crate) const ANSWER_BYTES: usize = 180;

/// An answer.
pub(crate) fn answer() -> [u8; ANSWER_BYTES] {
    let mut bytes = [0; ANSWER_BYTES];
    bytes[..4].copy_from_slice(&(ANSWER_BYTES as u32 - 4).to_be_bytes());
    bytes
}

/// A send, as the core writes it to brokers. The number is for the broker: how many bytes it is to
/// read before it answers, at the port that does so.
pub(crate) fn send(body: usize, opaque: i32) -> Vec<u8> {
    let fields = [
        ("a", "bench-group"),
        ("b", "bench-topic"),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "3"),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
        ("i", "UNIQ_KEY\u{1}7F0000010ED4000000000000000000A1\u{2}WAIT\u{1}true\u{2}"),
        ("j", "0"),
    ];
    let head = Head { code: request::SEND_MESSAGE_V2, opaque, ..Head::default() };
    let mut bytes = Vec::new();
    let body = vec![b'x'; body];
    encode_frame(&mut bytes, SerializeType::RocketMq, &head, fields, &body).expect("valid");
    bytes
}

/// Where the number stands in a frame.
pub(crate) const OPAQUE_AT: usize = 4 + 4 + 2 + 1 + 2;

/// A message of a page: masked, as browsers must.
pub(crate) fn message(payload: &[u8], to: &mut Vec<u8>) {
    const MASK: [u8; 4] = [0x5a, 0x17, 0xc3, 0x9e];
    to.push(0x82);
    match payload.len() {
        length @ 0..=125 => to.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            to.push(0x80 | 126);
            to.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            to.push(0x80 | 127);
            to.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    to.extend_from_slice(&MASK);
    to.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}
