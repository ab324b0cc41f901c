//! Frames of real clients and servers, and frames that nobody sends.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;

/// The whole of hex as objects, or what is wrong.
fn decode(text: &str) -> Result<Vec<Value>, BadInput> {
    let bytes = hex::bytes(text.as_bytes()).map_err(|(_, bad)| bad)?;
    Frames::new(&bytes).map(|next| next.and_then(|(at, f)| object(at, &f, Detail::Wire))).collect()
}

fn golden(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(folder);
    let mut folders = vec![root];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a golden folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn case(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a golden file")).expect("JSON")
}

#[test]
fn every_recorded_header_is_shown_as_recorded() {
    let mut count = 0;
    for path in golden("frames") {
        for recorded in case(&path)["frames"].as_array().expect("frames") {
            let context = format!("{} frame {}", path.display(), recorded["n"]);
            let decoded = decode(recorded["hex"].as_str().expect("hex")).expect(&context);

            let [Value::Object(found)] = &decoded[..] else { panic!("{context}: not one frame") };
            let mut header = found.clone();
            for ours in ["serialize", "body", "body_bytes"] {
                header.remove(ours);
            }
            assert_eq!(Value::Object(header), recorded["header"], "{context}");
            check_body(&context, recorded["body_note"].as_str().expect("a note"), found);
            count += 1;
        }
    }
    assert!(count >= 2_189, "{count}");
}

/// Holds a body against its note: `no body`, `N bytes, text: ...`, `N bytes, JSON: ...`.
fn check_body(context: &str, note: &str, found: &serde_json::Map<String, Value>) {
    let Some((bytes, what)) = note.split_once(" bytes") else {
        assert_eq!((note, found["body_bytes"].as_u64()), ("no body", Some(0)), "{context}");
        assert!(!found.contains_key("body"), "{context}");
        return;
    };
    assert_eq!(found["body_bytes"].to_string(), bytes, "{context}");
    let body = found.get("body");
    let good = match what.trim_start_matches(", ").split_once(": ").unwrap_or((what, "")) {
        ("text", text) => {
            let text = text.trim_end_matches('…').trim_end_matches("...");
            body.and_then(Value::as_str).is_none_or(|body| body.starts_with(text))
        }
        ("JSON", _) => body.is_some_and(|body| body.is_object() || body.is_array()),
        ("compressed", _) => body.is_none(),
        _ if what == ", stored messages" || what == ", batch encoding" => {
            body.is_some_and(Value::is_array)
        }
        _ => true,
    };
    assert!(good, "{context}: {note}, found {body:?}");
}

#[test]
fn stored_messages_are_shown_as_java_decodes_them() {
    let mut count = 0;
    for path in golden("stored") {
        for record in case(&path)["records"].as_array().expect("records") {
            let bytes = hex::bytes(record["hex"].as_str().expect("hex").as_bytes()).expect("hex");
            let Some(expected) = record["decode"].as_object() else { continue };

            let Some(Value::Array(found)) = body::answer(&bytes) else { panic!("{record}") };

            for name in NAMES {
                // Java writes /ip:port, and IPv6 addresses in full.
                let plain = |value: &Value| match value.as_str().and_then(|t| t.strip_prefix('/')) {
                    Some(host) => json!(host.parse::<SocketAddr>().expect("a host").to_string()),
                    None => value.clone(),
                };
                let is_flag = *name == "sysFlag" && record.get("bodyAsStored_hex").is_some();
                // Java 5 clears the bit when it decompresses.
                let found = match found[0][name].as_i64() {
                    Some(flag) if is_flag => {
                        json!(flag & !1 | expected[*name].as_i64().unwrap_or(0) & 1)
                    }
                    _ => found[0][name].clone(),
                };
                assert_eq!(found, plain(&expected[*name]), "{} {name}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

const NAMES: &[&str] = &[
    "topic",
    "flag",
    "msgId",
    "storeSize",
    "bodyCRC",
    "queueId",
    "queueOffset",
    "commitLogOffset",
    "sysFlag",
    "bornTimestamp",
    "bornHost",
    "storeTimestamp",
    "storeHost",
    "reconsumeTimes",
    "preparedTransactionOffset",
    "properties",
];

/// A JSON header in a frame, in hex.
fn frame(header: &str, body: &[u8]) -> String {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&((4 + header.len() + body.len()) as u32).to_be_bytes());
    bytes.extend_from_slice(&(header.len() as u32).to_be_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(body);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn loose_json_is_shown_strict() {
    let route =
        br#"{"brokerDatas":[{"brokerAddrs":{0:"a:1"},"brokerName":'b'}],"x":[1,-2.5,null]}"#;

    let found = decode(&frame(r#"{"code":0,"flag":1,opaque:7}"#, route)).expect("a frame");

    let wanted = json!([{
        "code": 0, "flag": 1, "opaque": 7, "serialize": "JSON", "body_bytes": route.len(),
        "body": {
            "brokerDatas": [{"brokerAddrs": {"0": "a:1"}, "brokerName": "b"}],
            "x": [1, -2.5, null],
        },
    }]);
    assert_eq!(Value::Array(found), wanted);
}

#[test]
fn bodies_of_messages_are_text_even_if_they_look_like_json() {
    let found = decode(&frame(r#"{"code":310,"flag":0}"#, br#"{"a":1}"#)).expect("a frame");
    let bytes = decode(&frame(r#"{"code":310,"flag":0}"#, b"\x1b[2J")).expect("a frame");

    assert_eq!(found[0]["body"], r#"{"a":1}"#);
    assert_eq!(bytes[0].get("body"), None);
}

#[test]
fn bad_input_names_its_byte() {
    let good = frame(r#"{"code":0}"#, b"");
    let len = good.len() / 2;
    let bad = |text: &str| decode(text).expect_err(text);

    assert_eq!(bad("0000").problem, "frame 1 is cut off after 2 bytes");
    let cut = bad(&format!("{good}0000000800"));
    assert_eq!((cut.at, &*cut.problem), (len, "frame 2 is cut off after 5 of 12 bytes"));
    assert_eq!(bad(&format!("{good}80000000")).at, len);
    assert_eq!(bad(&format!("{good}0000000405000000")).at, len + 4);
    let broken = bad(&format!("{good}{}", frame(r#"{"code":"#, b"")));
    assert_eq!(broken.at, len + 8 + 8, "{broken:?}");
}

#[test]
fn no_bytes_make_it_panic() {
    let header = "00000020010000150136000c0000000007000000000000000000000000";
    for cut in 0..header.len() {
        let _ = decode(&header[..cut]);
        let mut changed = header.as_bytes().to_vec();
        for digit in [b'0', b'7', b'8', b'f'] {
            changed[cut] = digit;
            let _ = decode(&String::from_utf8_lossy(&changed));
        }
    }
}
