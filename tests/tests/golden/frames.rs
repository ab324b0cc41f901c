//! Every frame that real clients, name servers, brokers and a proxy exchanged.

use std::collections::BTreeMap;

use crate::support::{files, hex, int, json, root, short, text};
use producer_core::wire::frame::{FRAME_BYTES_MAX, split};
use producer_core::wire::send::SendResponse;
use producer_core::wire::{Frame, Head, Header, SerializeType, encode_frame, header};
use serde_json::Value;

/// Runs `check` on every recorded frame and returns how many there are.
fn each_frame(mut check: impl FnMut(&str, &Value, &Frame<'_>)) -> usize {
    let mut count = 0;
    for path in files(&root().join("frames")) {
        let case = json(&path);
        for recorded in case["frames"].as_array().expect("frames") {
            let context = format!("{} frame {}", short(&path), recorded["n"]);
            let bytes = hex(text(recorded, "hex"));
            let frame = split(&bytes, FRAME_BYTES_MAX).expect(&context).expect(&context);
            assert_eq!(frame.len, bytes.len(), "{context}");
            check(&context, recorded, &frame);
            count += 1;
        }
    }
    count
}

#[test]
fn headers_read_as_recorded() {
    let count = each_frame(|context, recorded, frame| {
        let header = Header::decode(frame.serialize, frame.header).expect(context);

        let expected = &recorded["header"];
        assert_eq!(i64::from(header.code), int(expected, "code"), "{context}");
        assert_eq!(i64::from(header.opaque), int(expected, "opaque"), "{context}");
        assert_eq!(i64::from(header.flag), int(expected, "flag"), "{context}");
        assert_eq!(i64::from(header.version), int(expected, "version"), "{context}");
        assert_eq!(header.language.name(), expected["language"].as_str(), "{context}");
        let remark = header.remark.map(|remark| remark.to_cow().into_owned());
        assert_eq!(remark.as_deref(), expected["remark"].as_str(), "{context}");
        let mut fields = recorded_ext(expected);
        if frame.serialize == SerializeType::RocketMq {
            // Java writes empty values, and reads them as null.
            fields.retain(|_, value| !value.is_empty());
        }
        assert_eq!(ext_map(&header), fields, "{context}");
        if let Some(entries) = expected.get("extEntries").and_then(Value::as_array) {
            let expected: Vec<_> = entries.iter().map(pair).collect();
            let found: Vec<_> = ext_list(&header);
            assert_eq!(found, expected, "{context}");
        }
        for (name, value) in fields {
            assert!(header.ext.get(&name).expect(context).eq_str(&value), "{context} {name}");
        }
        compare_body_note(context, recorded, frame.body);
    });
    println!("{count} frames");
    assert!(count >= 2_189, "{count}");
}

#[test]
fn one_pass_sees_what_the_lazy_fields_say() {
    each_frame(|context, _, frame| {
        let header = Header::decode(frame.serialize, frame.header).expect(context);
        let mut seen = Vec::new();

        let line = header::decode_with(frame.serialize, frame.header, &mut |name, value| {
            seen.push((name.to_cow().into_owned(), value.to_cow().into_owned()));
        })
        .expect(context);
        let response = SendResponse::decode(frame.serialize, frame.header).expect(context);

        assert_eq!(seen, ext_list(&header), "{context}");
        assert_eq!((line.code, line.opaque), (header.code, header.opaque), "{context}");
        assert_eq!(line.remark, header.remark, "{context}");
        assert_eq!((response.code, response.opaque), (header.code, header.opaque), "{context}");
        assert_eq!((response.flag, response.remark), (header.flag, header.remark), "{context}");
        assert_eq!(response.version, header.version, "{context}");
        assert_eq!(response.bad_field, None, "{context}");
        assert_eq!(response.msg_id, header.ext.get("msgId"), "{context}");
        assert_eq!(response.transaction_id, header.ext.get("transactionId"), "{context}");
        assert_eq!(response.region, header.ext.get("MSG_REGION"), "{context}");
        assert_eq!(response.recall_handle, header.ext.get("recallHandle"), "{context}");
        assert_eq!(response.batch_uniq_id, header.ext.get("batchUniqId"), "{context}");
        let trace_on = header.ext.get("TRACE_ON").map(|text| !text.eq_str("false"));
        assert_eq!(response.trace_on, trace_on, "{context}");
        assert_eq!(response.queue_id, header.ext.int("queueId").expect(context), "{context}");
        let offset = header.ext.long("queueOffset").expect(context);
        assert_eq!(response.queue_offset, offset, "{context}");
    });
}

#[test]
fn an_unfinished_frame_waits_for_more() {
    each_frame(|context, recorded, _| {
        let bytes = hex(text(recorded, "hex"));
        let cut = bytes.len() / 2;

        for len in [0, 3, 4, 7, 8, cut, bytes.len() - 1] {
            assert_eq!(
                split(&bytes[..len.min(bytes.len() - 1)], FRAME_BYTES_MAX),
                Ok(None),
                "{context}"
            );
        }
        let mut two = bytes.clone();
        two.extend_from_slice(&bytes);
        let first = split(&two, FRAME_BYTES_MAX).expect(context).expect(context);
        assert_eq!(first.len, bytes.len(), "{context}");
    });
}

#[test]
fn frames_are_written_as_java_writes_them() {
    let mut identical = 0;
    let mut other = BTreeMap::<&str, usize>::new();
    let count = each_frame(|context, recorded, frame| {
        let bytes = hex(text(recorded, "hex"));
        let header = Header::decode(frame.serialize, frame.header).expect(context);

        let again = encode(frame.serialize, &header, frame.body);

        if again == bytes {
            identical += 1;
            return;
        }
        let text = String::from_utf8_lossy(frame.header);
        let reason = if text.contains("\"extFields\":{}") {
            "an empty list of ext fields, which we leave out"
        } else if text.contains("\\u007F") || text.contains("\\u2028") || text.contains("\\u001F") {
            "fastjson of 4.9 escapes more, and in upper case"
        } else if text.contains("\"serializeTypeCurrentRPC\":\"ROCKETMQ\"") {
            "the server's default type, which nobody reads"
        } else {
            panic!("{context}: {text}\n{}", String::from_utf8_lossy(&again));
        };
        *other.entry(reason).or_default() += 1;
        let frame = split(&again, FRAME_BYTES_MAX).expect(context).expect(context);
        let reread = Header::decode(frame.serialize, frame.header).expect(context);
        assert_eq!(ext_list(&reread), ext_list(&header), "{context}");
        assert_eq!(reread.remark, header.remark, "{context}");
    });
    println!("{identical} of {count} byte for byte; {other:?}");
    assert!(identical * 100 >= count * 90, "{identical} of {count}");
}

fn encode(serialize: SerializeType, header: &Header<'_>, body: &[u8]) -> Vec<u8> {
    let remark = header.remark.map(|remark| remark.to_cow());
    let head = Head {
        code: header.code,
        language: header.language,
        version: header.version,
        opaque: header.opaque,
        flag: header.flag,
        remark: remark.as_deref(),
    };
    let ext: Vec<_> = header
        .ext
        .entries()
        .map(|(name, value)| (name.to_cow(), value.map(|value| value.to_cow()).unwrap_or_default()))
        .collect();
    let ext = ext.iter().map(|(name, value)| (&**name, &**value));
    let mut out = Vec::new();
    encode_frame(&mut out, serialize, &head, ext, body).expect("frame");
    out
}

fn ext_list(header: &Header<'_>) -> Vec<(String, String)> {
    let owned = |(name, value): (producer_core::wire::Text<'_>, producer_core::wire::Text<'_>)| {
        (name.to_cow().into_owned(), value.to_cow().into_owned())
    };
    header.ext.iter().map(owned).collect()
}

fn ext_map(header: &Header<'_>) -> BTreeMap<String, String> {
    ext_list(header).into_iter().collect()
}

fn recorded_ext(header: &Value) -> BTreeMap<String, String> {
    let fields = header.get("extFields").and_then(Value::as_object);
    fields
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
        .collect()
}

fn pair(entry: &Value) -> (String, String) {
    let word = |at: usize| entry[at].as_str().expect("entry").to_owned();
    (word(0), word(1))
}

/// `no body` or `N bytes…`.
fn compare_body_note(context: &str, recorded: &Value, body: &[u8]) {
    let note = text(recorded, "body_note");
    if note == "no body" {
        assert!(body.is_empty(), "{context}");
        return;
    }
    let bytes = note.split(' ').next().and_then(|word| word.parse::<usize>().ok());
    assert_eq!(bytes, Some(body.len()), "{context}: {note}");
}
