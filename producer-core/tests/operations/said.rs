//! What servers say, as bytes: for every small world of these tests.

use producer_core::wire::reply::PushReply;
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{Fields, Head, Language, SerializeType, encode_frame};

/// What all heads of a server's frames have in common.
pub(crate) fn head() -> Head<'static> {
    Head {
        code: 0,
        language: Language::JAVA,
        version: 493,
        opaque: 0,
        flag: Head::REQUEST,
        remark: None,
    }
}

/// A frame.
pub(crate) fn encode(
    serialize: SerializeType,
    head: &Head<'_>,
    fields: &Fields<'_>,
    body: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, serialize, head, fields.iter(), body).expect("small");
    out
}

/// What comes with a reply of these properties.
pub(crate) fn reply(properties: &str, born_ms: i64) -> PushReply {
    PushReply {
        producer_group: "repliers".into(),
        topic: "c_REPLY_TOPIC".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        born_host: "10.0.0.9:1234".into(),
        store_host: "10.0.0.1:10911".into(),
        born_timestamp: born_ms,
        properties: Some(properties.into()),
        ..PushReply::default()
    }
}

/// What a broker holds of a half message.
pub(crate) fn half_stored<'a>(
    topic: &'a str,
    properties: &'a str,
    body: &'a [u8],
    born_ms: i64,
) -> StoredMessage<'a> {
    StoredMessage {
        body_crc: 0,
        queue_id: 1,
        flag: 3,
        queue_offset: 40,
        physical_offset: 4_000,
        sys_flag: 0,
        born_timestamp: born_ms,
        born_host: "10.0.0.9:1234".parse().expect("an address"),
        store_timestamp: born_ms,
        store_host: "10.0.0.1:10911".parse().expect("an address"),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: body.into(),
        topic: topic.into(),
        properties: properties.into(),
    }
}
