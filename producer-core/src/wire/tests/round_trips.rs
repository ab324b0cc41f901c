//! What is written is read again.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use crate::wire::frame::{FRAME_BYTES_MAX, split};
use crate::wire::message_id::{OffsetMessageId, UniqKey, month_start_ms, next_month_start_ms};
use crate::wire::recall::RecallHandle;
use crate::wire::send::{SendForm, SendRequest, SendResponse};
use crate::wire::stored::StoredMessage;
use crate::wire::{
    Head, Header, Language, SerializeType, batch, encode_frame, hex, json, properties,
};

/// A record to be damaged.
pub(super) fn stored_example() -> Vec<u8> {
    let mut bytes = Vec::new();
    let host = SocketAddr::from(([10, 0, 0, 1], 10_911));
    let message = StoredMessage {
        body_crc: 1,
        queue_id: 2,
        flag: 3,
        queue_offset: 4,
        physical_offset: 5,
        sys_flag: 0,
        born_timestamp: 6,
        born_host: host,
        store_timestamp: 7,
        store_host: host,
        reconsume_times: 8,
        prepared_transaction_offset: 9,
        body: Cow::Borrowed(b"body"),
        topic: "topic".into(),
        properties: "a\u{1}b\u{2}".into(),
    };
    message.encode(&mut bytes).expect("short");
    bytes
}

fn serialize() -> impl Strategy<Value = SerializeType> {
    prop_oneof![Just(SerializeType::Json), Just(SerializeType::RocketMq)]
}

/// Text with what JSON has to escape and what UTF-16 has pairs for.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9_-]{1,12}", "[\\x00-\\x7f]{1,20}", "\\PC{1,10}"]
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn frames_are_read_as_written(
        serialize in serialize(),
        code in any::<i16>(), opaque: i32, flag: i32, version in 0i16..700,
        remark in prop::option::of(text()),
        ext in prop::collection::vec((text(), text()), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let (code, version) = (i32::from(code), i32::from(version));
        let language = Language::RUST;
        let head = Head { code, language, version, opaque, flag, remark: remark.as_deref() };
        let mut out = Vec::new();
        let fields = ext.iter().map(|(name, value)| (&**name, &**value));

        encode_frame(&mut out, serialize, &head, fields, &body).expect("small");

        let frame = split(&out, FRAME_BYTES_MAX).expect("valid").expect("complete");
        prop_assert_eq!((frame.len, frame.body), (out.len(), &*body));
        let header = Header::decode(serialize, frame.header).expect("valid");
        prop_assert_eq!((header.code, header.version), (code, version));
        prop_assert_eq!((header.opaque, header.flag), (opaque, flag));
        prop_assert_eq!(header.language, language);
        let read = header.remark.map(|remark| remark.to_cow().into_owned());
        prop_assert_eq!(read, remark);
        let read: Vec<_> = header
            .ext
            .iter()
            .map(|(name, value)| (name.to_cow().into_owned(), value.to_cow().into_owned()))
            .collect();
        prop_assert_eq!(read, ext);
    }

    #[test]
    fn sends_are_read_as_written(
        serialize in serialize(), v2: bool, words in prop::collection::vec(text(), 5),
        queue_id: i32, born_timestamp: i64, optional: Option<i32>, unit_mode: Option<bool>,
    ) {
        let form = if v2 { SendForm::V2 } else { SendForm::V1 };
        let request = SendRequest {
            producer_group: (&*words[0]).into(),
            topic: (&*words[1]).into(),
            default_topic: (&*words[2]).into(),
            queue_id,
            born_timestamp,
            properties: Some((&*words[3]).into()),
            reconsume_times: optional,
            unit_mode,
            broker_name: Some((&*words[4]).into()),
            ..SendRequest::default()
        };
        let mut out = Vec::new();
        let head = Head::default();

        encode_frame(&mut out, serialize, &head, request.to_ext(form).iter(), b"").expect("small");

        let frame = split(&out, FRAME_BYTES_MAX).expect("valid").expect("complete");
        let header = Header::decode(serialize, frame.header).expect("valid");
        prop_assert_eq!(SendRequest::from_ext(form, &header.ext), Ok(request));
    }

    #[test]
    fn responses_are_read_as_written(
        serialize in serialize(), msg_id in text(), region in text(),
        queue_id: Option<i32>, queue_offset: Option<i64>, trace_on: Option<bool>,
        opaque in 0..i32::MAX,
    ) {
        let response = SendResponse {
            opaque,
            flag: 1,
            msg_id: Some((&*msg_id).into()),
            region: Some((&*region).into()),
            queue_id,
            queue_offset,
            trace_on,
            ..SendResponse::default()
        };
        let mut out = Vec::new();
        let head = Head { opaque, flag: 1, ..Head::default() };

        encode_frame(&mut out, serialize, &head, response.to_ext().iter(), b"").expect("small");

        let frame = split(&out, FRAME_BYTES_MAX).expect("valid").expect("complete");
        prop_assert_eq!(SendResponse::decode(serialize, frame.header), Ok(response));
    }

    #[test]
    fn json_strings_are_read_as_written(value in text()) {
        let mut out = Vec::new();
        json::quote_into(&mut out, &value);

        let mut reader = json::Reader::new(&out);

        let read = reader.value().expect("valid").to_text().expect("text");
        prop_assert_eq!(read.to_cow(), &*value);
        prop_assert!(reader.end().is_ok());
    }

    #[test]
    fn stored_messages_are_read_as_written(
        words in prop::collection::vec(any::<i32>(), 4), longs in prop::collection::vec(any::<i64>(), 5),
        born in ip(), store in ip(), port: u16, body in prop::collection::vec(any::<u8>(), 0..40),
        topic in "[a-z]{1,200}", properties in text(),
    ) {
        let mut message = StoredMessage {
            body_crc: words[0],
            queue_id: words[1],
            flag: words[2],
            queue_offset: longs[0],
            physical_offset: longs[1],
            sys_flag: 0,
            born_timestamp: longs[2],
            born_host: SocketAddr::new(born, port),
            store_timestamp: longs[3],
            store_host: SocketAddr::new(store, port),
            reconsume_times: words[3],
            prepared_transaction_offset: longs[4],
            body: Cow::Owned(body),
            topic: topic.into(),
            properties: properties.into(),
        };
        let mut out = Vec::new();

        message.encode(&mut out).expect("short");
        message.encode(&mut out).expect("short");

        let (read, rest) = StoredMessage::decode(&out).expect("valid");
        // Encoding sets the bits that say how long the hosts are.
        message.sys_flag = read.sys_flag;
        prop_assert_eq!(&read, &message);
        prop_assert_eq!(rest.len() * 2, out.len());
    }

    #[test]
    fn batches_are_read_as_written(
        members in prop::collection::vec((any::<i32>(), prop::collection::vec(any::<u8>(), 0..20), text()), 0..5),
    ) {
        let mut out = Vec::new();
        for (flag, body, properties) in &members {
            batch::push_member(&mut out, *flag, body, properties.as_bytes()).expect("short");
        }

        let read: Vec<_> = batch::members(&out)
            .map(|member| member.expect("valid"))
            .map(|member| (member.flag, member.body.to_vec(), member.properties.into_owned()))
            .collect();

        prop_assert_eq!(read, members);
    }

    #[test]
    fn properties_are_read_as_written(
        list in prop::collection::vec(("[a-z ]{1,9}", "[^\\x01\\x02]{1,9}"), 0..6),
    ) {
        let written = properties::encode(list.iter().map(|(name, value)| (&**name, &**value)));

        let cut = written.strip_suffix('\u{2}').unwrap_or(&written);

        for form in [&*written, cut] {
            let read: Vec<_> = properties::decode(form)
                .map(|(name, value)| (String::from(name), String::from(value)))
                .collect();
            prop_assert_eq!(&read, &list);
        }
    }

    #[test]
    fn ids_are_read_as_written(
        ip in ip(), port: u16, offset: i64, pid: u16, hash: u32, month_ms: u32, counter: u16,
    ) {
        let id = OffsetMessageId { host: SocketAddr::new(ip, port), offset };
        let key = UniqKey { ip, pid, hash, month_ms, counter };

        prop_assert_eq!(OffsetMessageId::decode(&id.encode()), Ok(id));
        prop_assert_eq!(UniqKey::decode(&key.encode()), Ok(key));
        prop_assert_eq!(hex::decode(&key.encode().to_lowercase()), hex::decode(&key.encode()));
    }

    #[test]
    fn handles_are_read_as_written(words in prop::collection::vec("[^ ]{1,12}", 4)) {
        let handle = RecallHandle {
            topic: words[0].clone(),
            broker_name: words[1].clone(),
            timestamp: words[2].clone(),
            message_id: words[3].clone(),
        };

        prop_assert_eq!(RecallHandle::decode(&handle.encode()), Ok(handle));
    }

    #[test]
    fn months_follow_each_other(ms in -4_000_000_000_000i64..8_000_000_000_000) {
        let (start, next) = (month_start_ms(ms), next_month_start_ms(ms));

        prop_assert!(start <= ms && ms < next);
        prop_assert_eq!(month_start_ms(next), next);
        prop_assert_eq!(month_start_ms(next - 1), start);
        let days = (next - start) / 86_400_000;
        prop_assert!((28..=31).contains(&days) && (next - start) % 86_400_000 == 0);
    }
}
