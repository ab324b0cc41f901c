//! How does a message become a frame, in one pass over its bytes?
//!
//! What is the same for every message of a topic is encoded when the topic is first used
//! ([`Templates::topic_head`]); per message only numbers, properties and body are appended.

use alloc::vec::Vec;

use crate::config::Config;
use crate::unique_id::MessageId;
use crate::wire::code::request::SEND_MESSAGE_V2;
use crate::wire::{Language, SerializeType, digits, json};

/// What one message adds to its topic's template.
pub(crate) struct Filling<'a> {
    /// From [`Templates::topic_head`].
    pub(crate) topic_head: &'a [u8],
    /// The broker's name, as it stands within a JSON string.
    pub(crate) broker_json: &'a [u8],
    pub(crate) broker: &'a str,
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
    language: u8,
    version: i32,
    /// After the flag, and after the opaque number, of a JSON header.
    json_language: Vec<u8>,
    json_version: Vec<u8>,
}

/// Bytes of a binary header before the opaque number: code, language, version.
const BINARY_START: usize = 5;

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
        Self {
            serialize: config.header,
            language: config.language,
            version: config.version,
            json_language,
            json_version,
        }
    }

    /// Encodes what all frames of a topic share (V2 fields a, b, c, d, j, k, m).
    pub(crate) fn topic_head(&self, config: &Config, topic: &str) -> Vec<u8> {
        let mut number = Vec::new();
        digits::push_u64(&mut number, u64::from(config.default_topic_queues));
        let queues = core::str::from_utf8(&number).unwrap_or("4");
        let fields = [
            ("a", config.group.as_str()),
            ("b", topic),
            ("c", config.create_topic_key.as_str()),
            ("d", queues),
            ("j", "0"),
            ("k", "false"),
            ("m", "false"),
        ];
        let mut head = Vec::new();
        match self.serialize {
            SerializeType::Json => {
                head.extend_from_slice(b"{\"code\":");
                digits::push_i32(&mut head, SEND_MESSAGE_V2);
                head.extend_from_slice(b",\"extFields\":{");
                for (name, value) in fields {
                    json::quote_into(&mut head, name);
                    head.push(b':');
                    json::quote_into(&mut head, value);
                    head.push(b',');
                }
                head.extend_from_slice(b"\"n\":\"");
            }
            SerializeType::RocketMq => {
                head.extend_from_slice(&(SEND_MESSAGE_V2 as i16).to_be_bytes());
                head.push(self.language);
                head.extend_from_slice(&(self.version as i16).to_be_bytes());
                for (name, value) in fields {
                    binary_entry(&mut head, name.as_bytes()[0], value.as_bytes());
                }
            }
        }
        head
    }

    /// Appends the whole frame to `out`.
    pub(crate) fn append(&self, out: &mut Vec<u8>, filling: &Filling<'_>) {
        let start = out.len();
        let guess = filling.topic_head.len() + filling.properties.len() + filling.body.len() + 512;
        out.reserve(guess);
        out.extend_from_slice(&[0; 8]);
        match self.serialize {
            SerializeType::Json => self.json_header(out, filling),
            SerializeType::RocketMq => binary_header(out, filling),
        }
        let header_bytes = (out.len() - start - 8) as u32;
        let mark = u32::from(self.serialize.code()) << 24 | header_bytes;
        let total = header_bytes + 4 + filling.body.len() as u32;
        out[start..start + 4].copy_from_slice(&total.to_be_bytes());
        out[start + 4..start + 8].copy_from_slice(&mark.to_be_bytes());
        out.extend_from_slice(filling.body);
    }

    fn json_header(&self, out: &mut Vec<u8>, filling: &Filling<'_>) {
        out.extend_from_slice(filling.topic_head);
        out.extend_from_slice(filling.broker_json);
        out.extend_from_slice(b"\",\"e\":\"");
        digits::push_u64(out, u64::from(filling.queue_id));
        out.extend_from_slice(b"\",\"f\":\"");
        digits::push_i32(out, filling.sys_flag);
        out.extend_from_slice(b"\",\"g\":\"");
        digits::push_u64(out, filling.born_ms);
        out.extend_from_slice(b"\",\"h\":\"");
        digits::push_i32(out, filling.flag);
        out.extend_from_slice(b"\",\"i\":\"UNIQ_KEY\\u0001");
        out.extend_from_slice(filling.id.as_bytes());
        out.extend_from_slice(if filling.wait_store_ok {
            b"\\u0002WAIT\\u0001true\\u0002".as_slice()
        } else {
            b"\\u0002WAIT\\u0001false\\u0002".as_slice()
        });
        if !filling.properties.is_empty() {
            json::escape_into(out, filling.properties);
        }
        out.extend_from_slice(b"\"},\"flag\":");
        out.push(if filling.one_way { b'2' } else { b'0' });
        out.extend_from_slice(&self.json_language);
        digits::push_i32(out, filling.opaque);
        out.extend_from_slice(&self.json_version);
    }
}

fn binary_header(out: &mut Vec<u8>, filling: &Filling<'_>) {
    let (start, entries) = filling.topic_head.split_at(BINARY_START);
    out.extend_from_slice(start);
    out.extend_from_slice(&filling.opaque.to_be_bytes());
    let flag = if filling.one_way { 2_i32 } else { 0 };
    out.extend_from_slice(&flag.to_be_bytes());
    out.extend_from_slice(&[0; 8]); // no remark; room for the length of the entries
    let entries_at = out.len();
    out.extend_from_slice(entries);
    binary_entry(out, b'n', filling.broker.as_bytes());
    binary_number(out, b'e', |out| digits::push_u64(out, u64::from(filling.queue_id)));
    binary_number(out, b'f', |out| digits::push_i32(out, filling.sys_flag));
    binary_number(out, b'g', |out| digits::push_u64(out, filling.born_ms));
    binary_number(out, b'h', |out| digits::push_i32(out, filling.flag));
    binary_number(out, b'i', |out| {
        out.extend_from_slice(b"UNIQ_KEY\x01");
        out.extend_from_slice(filling.id.as_bytes());
        let wait: &[u8] =
            if filling.wait_store_ok { b"\x02WAIT\x01true\x02" } else { b"\x02WAIT\x01false\x02" };
        out.extend_from_slice(wait);
        out.extend_from_slice(filling.properties.as_bytes());
    });
    let entries_bytes = (out.len() - entries_at) as u32;
    out[entries_at - 4..entries_at].copy_from_slice(&entries_bytes.to_be_bytes());
}

fn binary_entry(out: &mut Vec<u8>, name: u8, value: &[u8]) {
    out.extend_from_slice(&[0, 1, name]);
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

/// An entry whose length is known once it is written.
fn binary_number(out: &mut Vec<u8>, name: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[0, 1, name, 0, 0, 0, 0]);
    let at = out.len();
    write(out);
    let bytes = (out.len() - at) as u32;
    out[at - 4..at].copy_from_slice(&bytes.to_be_bytes());
}
