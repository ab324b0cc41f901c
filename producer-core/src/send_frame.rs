//! How does a message become a frame, in one pass over its bytes?
//!
//! What is the same for every message of a topic is encoded when the topic is first used
//! ([`Templates::topic_head`]), what is the same for a broker when it is first seen
//! ([`Templates::broker_part`]), what is the same for a millisecond when its first message comes
//! (`Middle`). A frame is these copied one behind the other, and a few holes filled in.

use alloc::vec::Vec;

use crate::config::Config;
use crate::unique_id::MessageId;
use crate::wire::code::request::SEND_MESSAGE_V2;
use crate::wire::{Language, SerializeType, digits, json};

/// What one message adds to its topic's template.
pub struct Filling<'a> {
    /// From [`Templates::topic_head`].
    pub topic_head: &'a [u8],
    /// From [`Templates::broker_part`].
    pub broker_part: &'a [u8],
    pub queue_id: u32,
    pub born_ms: u64,
    pub sys_flag: i32,
    pub flag: i32,
    pub id: &'a MessageId,
    pub wait_store_ok: bool,
    /// The application's properties as the wire has them.
    pub properties: &'a str,
    pub body: &'a [u8],
    pub opaque: i32,
    pub one_way: bool,
}

/// The parts of frames that are the same for every message of a producer.
pub struct Templates {
    serialize: SerializeType,
    middle: Middle,
    /// A JSON header behind the properties, up to the opaque number: of a request that is answered
    /// and of one that is not.
    json_asking: Vec<u8>,
    json_one_way: Vec<u8>,
    /// A JSON header behind the opaque number.
    json_end: Vec<u8>,
}

impl Templates {
    pub fn new(config: &Config) -> Self {
        let language = Language::from_code(config.language).name().unwrap_or("OTHER");
        let behind_properties = |flag: &[u8]| {
            let mut part = [b"\"},\"flag\":", flag, b",\"language\":"].concat();
            json::quote_into(&mut part, language);
            part.extend_from_slice(b",\"opaque\":");
            part
        };
        let mut json_end = Vec::from(&b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":"[..]);
        digits::push_i32(&mut json_end, config.version);
        json_end.push(b'}');
        Self {
            serialize: config.header,
            middle: Middle::default(),
            json_asking: behind_properties(b"0"),
            json_one_way: behind_properties(b"2"),
            json_end,
        }
    }

    /// Encodes the start of the frame, its holes empty, and what all frames of a topic share (V2
    /// fields a, b, c, d, j, k, m).
    pub fn topic_head(&self, config: &Config, group: &str, topic: &str) -> Vec<u8> {
        let mut head = Vec::from([0; LENGTHS]);
        match self.serialize.allowed() {
            SerializeType::Json => {
                head.extend_from_slice(b"{\"code\":");
                digits::push_i32(&mut head, SEND_MESSAGE_V2);
                head.extend_from_slice(b",\"extFields\":{");
            }
            SerializeType::RocketMq => {
                head.extend_from_slice(&(SEND_MESSAGE_V2 as i16).to_be_bytes());
                head.push(config.language);
                head.extend_from_slice(&(config.version as i16).to_be_bytes());
                head.resize(BINARY_START, 0);
            }
        }
        let mut queues = Vec::new();
        digits::push_u64(&mut queues, config.default_topic_queues.into());
        let fields = [
            (b'a', group.as_bytes()),
            (b'b', topic.as_bytes()),
            (b'c', config.create_topic_key.as_bytes()),
            (b'd', &queues),
            (b'j', b"0"),
            (b'k', if config.unit_mode { &b"true"[..] } else { b"false" }),
            (b'm', b"false"),
        ];
        for (name, value) in fields {
            push_field(self.serialize.allowed(), &mut head, name, value);
        }
        head
    }

    /// Encodes the field `n` that names a broker, and of the field `e` what stands before the
    /// number of a queue; in the binary form all but the last byte of its length.
    pub fn broker_part(&self, broker: &str) -> Vec<u8> {
        let mut part = Vec::new();
        push_field(self.serialize.allowed(), &mut part, b'n', broker.as_bytes());
        part.extend_from_slice(match self.serialize.allowed() {
            SerializeType::Json => b"\"e\":\"",
            SerializeType::RocketMq => b"\0\x01e\0\0\0",
        });
        part
    }

    /// Appends the whole frame to `out`.
    #[inline(always)] // Each message passes here: the call costs more than a second copy.
    pub fn append(&mut self, out: &mut Vec<u8>, filling: &Filling<'_>) {
        let Filling { born_ms, sys_flag, flag, wait_store_ok, .. } = *filling;
        let kind = Kind::new(born_ms, sys_flag, flag, wait_store_ok);
        if self.middle.kind != kind {
            self.middle.write(self.serialize.allowed(), kind);
        }
        let start = out.len();
        out.extend_from_slice(filling.topic_head);
        out.extend_from_slice(filling.broker_part);
        match self.serialize.allowed() {
            SerializeType::Json => {
                digits::push_u64(out, filling.queue_id.into());
                self.middle.append(out, filling.id);
                self.finish_json(out, start, filling);
            }
            SerializeType::RocketMq => {
                match filling.queue_id {
                    digit @ 0..10 => out.extend_from_slice(&[1, b'0' + digit as u8]),
                    number => push_counted(out, |out| digits::push_u64(out, number.into())),
                }
                let id_at = self.middle.append(out, filling.id);
                finish_binary(out, start, id_at, filling);
            }
        }
        out.extend_from_slice(filling.body);
    }

    #[inline]
    fn finish_json(&self, out: &mut Vec<u8>, start: usize, filling: &Filling<'_>) {
        if !filling.properties.is_empty() {
            json::escape_into(out, filling.properties);
        }
        out.extend_from_slice(if filling.one_way { &self.json_one_way } else { &self.json_asking });
        digits::push_u64(out, filling.opaque.unsigned_abs().into());
        out.extend_from_slice(&self.json_end);
        let header_bytes = out.len() - start - LENGTHS;
        let lengths = lengths(SerializeType::Json, header_bytes, filling.body.len());
        out[start..start + LENGTHS].copy_from_slice(&lengths);
    }
}

#[inline]
fn finish_binary(out: &mut Vec<u8>, start: usize, id_at: usize, filling: &Filling<'_>) {
    out.extend_from_slice(filling.properties.as_bytes());
    let properties_at = id_at - BINARY_ID_NAME.len();
    let property_bytes = (out.len() - properties_at) as u32;
    out[properties_at - 4..properties_at].copy_from_slice(&property_bytes.to_be_bytes());
    let header_bytes = out.len() - start - LENGTHS;
    let lengths = lengths(SerializeType::RocketMq, header_bytes, filling.body.len());
    let entry_bytes = (out.len() - start - BINARY_START) as u32;
    let holes = &mut out[start..start + BINARY_START];
    holes[..LENGTHS].copy_from_slice(&lengths);
    holes[13..17].copy_from_slice(&filling.opaque.to_be_bytes());
    holes[20] = if filling.one_way { 2 } else { 0 };
    // The four bytes between are the length of a remark, which there is not.
    holes[25..].copy_from_slice(&entry_bytes.to_be_bytes());
}

/// The fields behind the queue's number up to the application's properties: f, g, h and the start
/// of i. But for the id, which is a hole, they are the same for most messages of a millisecond.
#[derive(Default)]
struct Middle {
    bytes: Vec<u8>,
    id_at: usize,
    kind: Kind,
}

/// What messages have in common that share a middle, in few words, for each message is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    born_ms: u64,
    /// The message's flag, the system's flag and, in the highest bit, whether to wait.
    flags: u64,
}

impl Kind {
    #[inline]
    fn new(born_ms: u64, sys_flag: i32, flag: i32, wait_store_ok: bool) -> Self {
        let wait = u64::from(wait_store_ok) << 63;
        // System flags that a producer sets are small and positive.
        Self {
            born_ms,
            flags: wait | u64::from(sys_flag.unsigned_abs()) << 32 | u64::from(flag as u32),
        }
    }

    fn sys_flag(self) -> i32 {
        (self.flags >> 32) as i32 & i32::MAX
    }

    fn flag(self) -> i32 {
        self.flags as u32 as i32
    }

    fn wait_store_ok(self) -> bool {
        self.flags >> 63 == 1
    }
}

impl Default for Kind {
    /// That of no message.
    fn default() -> Self {
        Self { born_ms: u64::MAX, flags: u64::MAX }
    }
}

impl Middle {
    /// Appends it with the id; returns where in `out` the id is.
    #[inline]
    fn append(&self, out: &mut Vec<u8>, id: &MessageId) -> usize {
        let id_at = out.len() + self.id_at;
        out.extend_from_slice(&self.bytes);
        out[id_at..id_at + ID_CHARS].copy_from_slice(id.as_bytes());
        id_at
    }

    /// Makes it what the message needs.
    #[inline(never)]
    fn write(&mut self, serialize: SerializeType, kind: Kind) {
        self.kind = kind;
        let (born_ms, sys_flag, flag) = (kind.born_ms, kind.sys_flag(), kind.flag());
        let out = &mut self.bytes;
        out.clear();
        match serialize {
            SerializeType::Json => {
                out.extend_from_slice(b"\",\"f\":\"");
                digits::push_i32(out, sys_flag);
                out.extend_from_slice(b"\",\"g\":\"");
                digits::push_u64(out, born_ms);
                out.extend_from_slice(b"\",\"h\":\"");
                digits::push_i32(out, flag);
                out.extend_from_slice(b"\",\"i\":\"UNIQ_KEY\\u0001");
            }
            SerializeType::RocketMq => {
                out.extend_from_slice(b"\0\x01f\0\0\0");
                push_counted(out, |out| digits::push_i32(out, sys_flag));
                out.extend_from_slice(b"\0\x01g\0\0\0");
                push_counted(out, |out| digits::push_u64(out, born_ms));
                out.extend_from_slice(b"\0\x01h\0\0\0");
                push_counted(out, |out| digits::push_i32(out, flag));
                out.extend_from_slice(b"\0\x01i\0\0\0\0");
                out.extend_from_slice(BINARY_ID_NAME);
            }
        }
        self.id_at = out.len();
        out.resize(self.id_at + ID_CHARS, 0);
        out.extend_from_slice(match (serialize, kind.wait_store_ok()) {
            (SerializeType::Json, true) => b"\\u0002WAIT\\u0001true\\u0002",
            (SerializeType::Json, false) => b"\\u0002WAIT\\u0001false\\u0002",
            (SerializeType::RocketMq, true) => b"\x02WAIT\x01true\x02",
            (SerializeType::RocketMq, false) => b"\x02WAIT\x01false\x02",
        });
    }
}

/// Appends a field of text.
fn push_field(serialize: SerializeType, out: &mut Vec<u8>, name: u8, value: &[u8]) {
    match serialize {
        SerializeType::Json => {
            out.extend_from_slice(&[b'"', name, b'"', b':']);
            json::quote_into(out, core::str::from_utf8(value).unwrap_or_default());
            out.push(b',');
        }
        SerializeType::RocketMq => {
            out.extend_from_slice(&[0, 1, name]);
            out.extend_from_slice(&(value.len() as u32).to_be_bytes());
            out.extend_from_slice(value);
        }
    }
}

/// Appends what `push` appends, fewer than 256 bytes, behind a byte that counts them.
#[inline]
fn push_counted(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    let count_at = out.len();
    out.push(0);
    push(out);
    out[count_at] = (out.len() - count_at - 1) as u8;
}

/// The two lengths that begin a frame (spec §1.1).
#[inline]
fn lengths(serialize: SerializeType, header_bytes: usize, body_bytes: usize) -> [u8; LENGTHS] {
    let mark = u32::from(serialize.code()) << 24 | header_bytes as u32;
    let total = (header_bytes + 4 + body_bytes) as u32;
    (u64::from(total) << 32 | u64::from(mark)).to_be_bytes()
}

/// Bytes of the two lengths.
const LENGTHS: usize = 8;
/// Bytes of a binary frame before its ext fields: the two lengths, code, language, version, opaque,
/// flag, length of the remark, length of the ext fields (spec §1.5).
const BINARY_START: usize = LENGTHS + 2 + 1 + 2 + 4 + 4 + 4 + 4;
/// The name of the id among the properties.
const BINARY_ID_NAME: &[u8] = b"UNIQ_KEY\x01";
const ID_CHARS: usize = 32;
