//! Stored messages of real brokers, and what Java's decoder reads from them.

use std::collections::BTreeMap;

use crate::support::{files, hex, int, json, root, short, text};
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{batch, crc32, properties, sys_flag};
use serde_json::Value;

#[test]
fn stored_messages_read_as_java_reads_them() {
    let mut records = 0;
    let mut members = 0;
    for path in files(&root().join("stored")) {
        let case = json(&path);
        for record in case["records"].as_array().expect("records") {
            let context = format!("{} record {}", short(&path), record["index"]);
            let bytes = hex(text(record, "hex"));

            let (message, rest) = StoredMessage::decode(&bytes).expect(&context);

            assert!(rest.is_empty(), "{context}");
            if record["decode"].is_null() {
                // Sent with a type flag that its compression is not: Java fails to decompress.
                assert_ne!(message.sys_flag & sys_flag::COMPRESSED, 0, "{context}");
            } else {
                compare(&message, &record["decode"], record.get("bodyAsStored_hex"), &context);
                compare_client_ids(&message, &record["clientDecode"], &context);
            }
            assert_eq!(crc32::crc32_stored(&message.body), message.body_crc, "{context}");
            let mut again = Vec::new();
            message.encode(&mut again).expect(&context);
            assert_eq!(again, bytes, "{context}");
            members += compare_inner(&message, record.get("innerMessages"), &context);
            records += 1;
        }
    }
    println!("{records} records, {members} inner messages");
    assert!(records >= 35 && members >= 6, "{records} records, {members} inner messages");
}

#[test]
fn both_layouts_and_host_sizes_are_written_as_the_store_does() {
    let table = json(&root().join("tables/stored-layout.json"));
    let mut rows = 0;
    for row in table["rows"].as_array().expect("rows") {
        let context = row["in"].to_string();
        let Some(expected) = row["out"].get("hex") else {
            panic!("no hex in {row}");
        };
        let expected = hex(expected.as_str().expect("hex"));
        let (input, body) = (&row["in"], hex(text(&row["in"], "body_hex")));

        let message = StoredMessage {
            body_crc: crc32::crc32_stored(&body),
            queue_id: int(input, "queueId") as i32,
            flag: int(input, "flag") as i32,
            queue_offset: 0,
            physical_offset: 0,
            sys_flag: int(input, "sysFlag") as i32,
            born_timestamp: int(input, "bornTimestamp"),
            born_host: host(text(input, "bornHost")),
            store_timestamp: int(input, "storeTimestamp"),
            store_host: host(text(input, "storeHost")),
            reconsume_times: int(input, "reconsumeTimes") as i32,
            prepared_transaction_offset: int(input, "preparedTransactionOffset"),
            body: body.into(),
            topic: text(input, "topic").into(),
            properties: text(input, "properties").into(),
        };
        let mut bytes = Vec::new();
        message.encode(&mut bytes).expect(&context);

        assert_eq!(bytes, expected, "{context}");
        let (decoded, _) = StoredMessage::decode(&bytes).expect(&context);
        let out = &row["out"]["decoded"];
        compare(&decoded, &out["decode"], out.get("bodyAsStored_hex"), &context);
        rows += 1;
    }
    println!("{rows} rows");
    assert!(rows >= 9);
}

#[test]
fn damaged_records_are_refused_as_in_java() {
    let table = json(&root().join("tables/stored-decode-odd-input.json"));
    let mut rows = 0;
    for row in table["rows"].as_array().expect("rows") {
        let context = text(&row["in"], "name");
        let bytes = hex(text(&row["in"], "hex"));

        let decoded = StoredMessage::decode(&bytes);

        match &row["out"] {
            // Java fails when it decompresses the body, which is not done here.
            Value::Null if context == "compressed flag on a plain body" => {
                let flag = decoded.expect(context).0.sys_flag;
                assert_ne!(flag & sys_flag::COMPRESSED, 0);
            }
            Value::Null => assert!(decoded.is_err(), "{context}"),
            out => compare(&decoded.expect(context).0, out, None, context),
        }
        rows += 1;
    }
    println!("{rows} rows");
    assert!(rows >= 8);
}

fn compare(message: &StoredMessage<'_>, out: &Value, stored_body: Option<&Value>, context: &str) {
    assert_eq!(message.topic, text(out, "topic"), "{context}");
    assert_eq!(message.body_crc, int(out, "bodyCRC") as i32, "{context}");
    assert_eq!(message.queue_id, int(out, "queueId") as i32, "{context}");
    assert_eq!(message.flag, int(out, "flag") as i32, "{context}");
    assert_eq!(message.queue_offset, int(out, "queueOffset"), "{context}");
    assert_eq!(message.physical_offset, int(out, "commitLogOffset"), "{context}");
    // Decompressing clears the bit, which the stored body keeps.
    let flags = int(out, "sysFlag") as i32;
    let read = if stored_body.is_some() {
        sys_flag::without_compressed(message.sys_flag)
    } else {
        message.sys_flag
    };
    assert!(flags == read || flags == message.sys_flag, "{context}: {flags} {read}");
    assert_eq!(message.born_timestamp, int(out, "bornTimestamp"), "{context}");
    assert_eq!(message.store_timestamp, int(out, "storeTimestamp"), "{context}");
    assert_eq!(message.born_host, java_host(text(out, "bornHost")), "{context}");
    assert_eq!(message.store_host, java_host(text(out, "storeHost")), "{context}");
    assert_eq!(message.reconsume_times, int(out, "reconsumeTimes") as i32, "{context}");
    let prepared = int(out, "preparedTransactionOffset");
    assert_eq!(message.prepared_transaction_offset, prepared, "{context}");
    assert_eq!(message.offset_message_id().encode(), text(out, "msgId"), "{context}");
    assert_eq!(map(&message.properties), json_map(&out["properties"]), "{context}");
    let body =
        stored_body.map_or_else(|| text(out, "body_hex"), |body| body.as_str().expect("hex"));
    assert_eq!(message.body, hex(body), "{context}");
}

fn compare_client_ids(message: &StoredMessage<'_>, out: &Value, context: &str) {
    let offset_id = message.offset_message_id().encode();
    assert_eq!(offset_id, text(out, "offsetMsgId"), "{context}");
    let id = message.uniq_key().unwrap_or(&offset_id);
    assert_eq!(id, text(out, "msgId"), "{context}");
}

fn compare_inner(message: &StoredMessage<'_>, inner: Option<&Value>, context: &str) -> usize {
    let Some(inner) = inner.and_then(Value::as_array) else { return 0 };
    let members: Vec<_> =
        batch::members(&message.body).map(|member| member.expect(context)).collect();
    assert_eq!(members.len(), inner.len(), "{context}");
    for (member, out) in members.iter().zip(inner) {
        assert_eq!(member.body, hex(text(out, "body_hex")), "{context}");
        assert_eq!(member.flag, int(out, "flag") as i32, "{context}");
        assert_eq!(map(&member.properties), json_map(&out["properties"]), "{context}");
    }
    members.len()
}

fn map(property_string: &str) -> BTreeMap<String, String> {
    properties::decode(property_string).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn json_map(object: &Value) -> BTreeMap<String, String> {
    let object = object.as_object().expect("properties");
    object.iter().map(|(k, v)| (k.clone(), v.as_str().expect("text").to_owned())).collect()
}

/// `ip:port` with a bare IPv6 address.
fn host(text: &str) -> std::net::SocketAddr {
    let (ip, port) = text.rsplit_once(':').expect("host");
    (ip.parse::<std::net::IpAddr>().expect("ip"), port.parse().expect("port")).into()
}

/// `/ip:port` with a bracketed IPv6 address.
fn java_host(text: &str) -> std::net::SocketAddr {
    text.strip_prefix('/').expect("slash").parse().expect("host")
}
