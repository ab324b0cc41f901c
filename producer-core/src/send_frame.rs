//! How does a message become a frame, in one pass over its bytes?
//!
//! What is the same for every message of a topic is encoded when the topic is first used
//! ([`Templates::topic_head`]), what is the same for a broker when it is first seen
//! ([`Templates::broker_part`]). Per message, numbers and id are laid out in a small array, and the
//! frame is a handful of copies.

use alloc::vec::Vec;

use crate::config::Config;
use crate::unique_id::MessageId;
use crate::wire::code::request::SEND_MESSAGE_V2;
use crate::wire::{Language, SerializeType, digits, json};

/// What one message adds to its topic's template.
pub(crate) struct Filling<'a> {
    /// From [`Templates::topic_head`].
    pub(crate) topic_head: &'a [u8],
    /// From [`Templates::broker_part`].
    pub(crate) broker_part: &'a [u8],
    pub(crate) queue_id: u32,
    pub(crate) sys_flag: i32,
    pub(crate) born_ms: u64,
    pub(crate) flag: i32,
    pub(crate) id: &'a MessageId,
    pub(crate) wait_store_ok: bool,
    /// The application's properties as the wire has them.
    pub(crate) properties: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) opaque: i32,
    pub(crate) one_way: bool,
}

/// The parts of frames that are the same for every message of a producer.
pub(crate) struct Templates {
    serialize: SerializeType,
    /// Code, language and version of a binary header.
    binary_start: [u8; 5],
    /// After the flag, and after the opaque number, of a JSON header.
    json_language: Vec<u8>,
    json_version: Vec<u8>,
    /// The last born timestamp and its digits: many messages share a millisecond.
    born_ms: u64,
    born_digits: Digits,
}

impl Templates {
    pub(crate) fn new(config: &Config) -> Self {
        let language = Language::from_code(config.language);
        let mut json_language = Vec::from(&b",\"language\":"[..]);
        json::quote_into(&mut json_language, language.name().unwrap_or("OTHER"));
        json_language.extend_from_slice(b",\"opaque\":");
        let mut json_version =
            Vec::from(&b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":"[..]);
        digits::push_i32(&mut json_version, config.version);
        json_version.push(b'}');
        let [code_high, code_low] = (SEND_MESSAGE_V2 as i16).to_be_bytes();
        let [version_high, version_low] = (config.version as i16).to_be_bytes();
        Self {
            serialize: config.header,
            binary_start: [code_high, code_low, config.language, version_high, version_low],
            json_language,
            json_version,
            born_ms: 0,
            born_digits: Digits::of(0),
        }
    }

    /// Encodes what all frames of a topic share (V2 fields a, b, c, d, j, k, m).
    pub(crate) fn topic_head(&self, config: &Config, topic: &str) -> Vec<u8> {
        let queues = Digits::of(u64::from(config.default_topic_queues));
        let fields = [
            (b'a', config.group.as_str().as_bytes()),
            (b'b', topic.as_bytes()),
            (b'c', config.create_topic_key.as_bytes()),
            (b'd', queues.as_slice()),
            (b'j', b"0"),
            (b'k', b"false"),
            (b'm', b"false"),
        ];
        let mut head = Vec::new();
        if self.serialize == SerializeType::Json {
            head.extend_from_slice(b"{\"code\":");
            digits::push_i32(&mut head, SEND_MESSAGE_V2);
            head.extend_from_slice(b",\"extFields\":{");
        }
        for (name, value) in fields {
            self.field(&mut head, name, value);
        }
        head
    }

    /// Encodes the field `n` that names a broker.
    pub(crate) fn broker_part(&self, broker: &str) -> Vec<u8> {
        let mut part = Vec::new();
        self.field(&mut part, b'n', broker.as_bytes());
        part
    }

    fn field(&self, out: &mut Vec<u8>, name: u8, value: &[u8]) {
        match self.serialize {
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

    /// Appends the whole frame to `out`.
    pub(crate) fn append(&mut self, out: &mut Vec<u8>, filling: &Filling<'_>) {
        if filling.born_ms != self.born_ms {
            self.born_ms = filling.born_ms;
            self.born_digits = Digits::of(filling.born_ms);
        }
        match self.serialize {
            SerializeType::Json => self.json(out, filling),
            SerializeType::RocketMq => self.binary(out, filling),
        }
        out.extend_from_slice(filling.body);
    }

    fn json(&self, out: &mut Vec<u8>, filling: &Filling<'_>) {
        let start = out.len();
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(filling.topic_head);
        out.extend_from_slice(filling.broker_part);
        let mut middle = Piece::<224>::new();
        middle.put(b"\"e\":\"");
        middle.digits(&Digits::of(u64::from(filling.queue_id)));
        middle.put(b"\",\"f\":\"");
        middle.signed(filling.sys_flag);
        middle.put(b"\",\"g\":\"");
        middle.digits(&self.born_digits);
        middle.put(b"\",\"h\":\"");
        middle.signed(filling.flag);
        middle.put(b"\",\"i\":\"UNIQ_KEY\\u0001");
        middle.put(filling.id.as_bytes());
        if filling.wait_store_ok {
            middle.put(b"\\u0002WAIT\\u0001true\\u0002");
        } else {
            middle.put(b"\\u0002WAIT\\u0001false\\u0002");
        }
        out.extend_from_slice(middle.as_slice());
        if !filling.properties.is_empty() {
            json::escape_into(out, filling.properties);
        }
        out.extend_from_slice(if filling.one_way { b"\"},\"flag\":2" } else { b"\"},\"flag\":0" });
        out.extend_from_slice(&self.json_language);
        out.extend_from_slice(Digits::of(filling.opaque.unsigned_abs().into()).as_slice());
        out.extend_from_slice(&self.json_version);
        let header_bytes = (out.len() - start - 8) as u32;
        let lengths = lengths(SerializeType::Json, header_bytes, filling.body.len());
        out[start..start + 8].copy_from_slice(&lengths);
    }

    fn binary(&self, out: &mut Vec<u8>, filling: &Filling<'_>) {
        let wait_bytes = if filling.wait_store_ok { 11 } else { 12 };
        let property_bytes = 9 + 32 + wait_bytes + filling.properties.len();
        let mut middle = Piece::<160>::new();
        let queue_id = Digits::of(u64::from(filling.queue_id));
        middle.binary_field(b'e', queue_id.as_slice().len());
        middle.digits(&queue_id);
        middle.binary_signed(b'f', filling.sys_flag);
        middle.binary_field(b'g', self.born_digits.as_slice().len());
        middle.digits(&self.born_digits);
        middle.binary_signed(b'h', filling.flag);
        middle.binary_field(b'i', property_bytes);
        middle.put(b"UNIQ_KEY\x01");
        middle.put(filling.id.as_bytes());
        if filling.wait_store_ok {
            middle.put(b"\x02WAIT\x01true\x02");
        } else {
            middle.put(b"\x02WAIT\x01false\x02");
        }
        let entry_bytes = filling.topic_head.len()
            + filling.broker_part.len()
            + middle.as_slice().len()
            + filling.properties.len();
        let mut start = Piece::<29>::new();
        start.put(&lengths(
            SerializeType::RocketMq,
            (BINARY_FIXED + entry_bytes) as u32,
            filling.body.len(),
        ));
        start.put(&self.binary_start);
        start.put(&filling.opaque.to_be_bytes());
        start.put(&[0, 0, 0, if filling.one_way { 2 } else { 0 }]);
        start.put(&[0; 4]); // no remark
        start.put(&(entry_bytes as u32).to_be_bytes());
        out.reserve(start.as_slice().len() + entry_bytes + filling.body.len());
        out.extend_from_slice(start.as_slice());
        out.extend_from_slice(filling.topic_head);
        out.extend_from_slice(filling.broker_part);
        out.extend_from_slice(middle.as_slice());
        out.extend_from_slice(filling.properties.as_bytes());
    }
}

/// Bytes of a binary header without its entries: code, language, version, opaque, flag, remark
/// length, entries' length (spec §1.5).
const BINARY_FIXED: usize = 2 + 1 + 2 + 4 + 4 + 4 + 4;

/// The two lengths that begin a frame (spec §1.1).
fn lengths(serialize: SerializeType, header_bytes: u32, body_bytes: usize) -> [u8; 8] {
    let mark = u32::from(serialize.code()) << 24 | header_bytes;
    let total = header_bytes + 4 + body_bytes as u32;
    (u64::from(total) << 32 | u64::from(mark)).to_be_bytes()
}

/// Decimal digits of a number.
#[derive(Clone, Copy)]
struct Digits {
    bytes: [u8; 20],
    from: u8,
}

impl Digits {
    #[inline]
    fn of(mut number: u64) -> Self {
        let mut bytes = [b'0'; 20];
        let mut from = 20;
        loop {
            from -= 1;
            bytes[from] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { bytes, from: from as u8 };
            }
        }
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        &self.bytes[usize::from(self.from)..]
    }
}

/// A short stretch of a frame, laid out before it is copied. What is put in has, wherever that is
/// possible, a length that the compiler knows: a copy is then a few moves and no call.
struct Piece<const MOST: usize> {
    bytes: [u8; MOST],
    len: usize,
}

impl<const MOST: usize> Piece<MOST> {
    #[inline]
    fn new() -> Self {
        Self { bytes: [0; MOST], len: 0 }
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: &[u8; N]) {
        self.bytes[self.len..self.len + N].copy_from_slice(bytes);
        self.len += N;
    }

    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    fn digits(&mut self, digits: &Digits) {
        match digits.from {
            19 => self.put(&[digits.bytes[19]]),
            18 => self.put(&[digits.bytes[18], digits.bytes[19]]),
            // Milliseconds since 1970, from 2001 to 2286.
            7 => self.put::<13>(digits.bytes[7..].try_into().unwrap_or(&[b'0'; 13])),
            _ => self.put_slice(digits.as_slice()),
        }
    }

    #[inline]
    fn signed(&mut self, number: i32) {
        if number == 0 {
            return self.put(b"0");
        }
        if number < 0 {
            self.put(b"-");
        }
        self.digits(&Digits::of(u64::from(number.unsigned_abs())));
    }

    #[inline]
    fn binary_field(&mut self, name: u8, bytes: usize) {
        self.put(&[0, 1, name]);
        self.put(&(bytes as u32).to_be_bytes());
    }

    #[inline]
    fn binary_signed(&mut self, name: u8, number: i32) {
        if number == 0 {
            self.binary_field(name, 1);
            return self.put(b"0");
        }
        let digits = Digits::of(u64::from(number.unsigned_abs()));
        let sign = usize::from(number < 0);
        self.binary_field(name, sign + digits.as_slice().len());
        self.signed(number);
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
