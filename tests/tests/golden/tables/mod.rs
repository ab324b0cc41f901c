//! Tables of what functions of the Java library return, row by row.

mod headers;
mod identities;
mod messages;
mod names;

use std::collections::BTreeMap;

use crate::support::{files, json, root};
use serde_json::Value;

/// One row of a table.
pub(crate) struct Row<'v> {
    /// The arguments.
    pub(crate) input: &'v Value,
    /// What 5.4.0 returned.
    pub(crate) out: &'v Value,
    /// What 4.9.7 returned, if that is something else.
    pub(crate) out_4_9_7: Option<&'v Value>,
}

impl Row<'_> {
    /// Compares with 5.4.0.
    pub(crate) fn check(&self, found: impl Into<Value>) -> Result<(), String> {
        let found = found.into();
        if found == *self.out { Ok(()) } else { Err(format!("{} → {found}", self.input)) }
    }

    /// Compares with either release.
    pub(crate) fn check_either(&self, found: impl Into<Value>) -> Result<(), String> {
        let found = found.into();
        if Some(&found) == self.out_4_9_7 { Ok(()) } else { self.check(found) }
    }
}

type Check = fn(&Row<'_>) -> Result<(), String>;

/// The tables that are checked row by row.
const CHECKED: [(&str, Check); 38] = [
    ("acl-requests", identities::acl_request),
    ("acl-signatures", identities::acl_signature),
    ("batch-decode-odd-input", messages::batch_decode),
    ("batch-encoding", messages::batch_encoding),
    ("binary-headers-decode", headers::binary_header),
    ("client-ids", names::client_id),
    ("commands", headers::command),
    ("compression-names", messages::compression_name),
    ("crc32", identities::crc32),
    ("group-names", names::group_name),
    ("hash-selector", identities::hash_selector),
    ("heartbeat-bodies", messages::heartbeat_body),
    ("heartbeat-fingerprints", messages::heartbeat_fingerprint),
    ("hex-decode", identities::hex_decode),
    ("hex-encode", identities::hex_encode),
    ("json-headers-decode", headers::json_header),
    ("languages", names::language),
    ("message-checks", names::message_check),
    ("message-property-names", names::property_name),
    ("namespace-unwrap", names::namespace_unwrap),
    ("namespace-wrap", names::namespace_wrap),
    ("offset-message-id-decode", identities::offset_message_id_decode),
    ("offset-message-ids", identities::offset_message_id),
    ("perms", messages::perm),
    ("properties-decode", messages::properties_decode),
    ("properties-encode", messages::properties_encode),
    ("recall-handles-build", identities::recall_handle_build),
    ("recall-handles-decode", identities::recall_handle_decode),
    ("request-codes", names::request_code),
    ("response-codes", names::response_code),
    ("route-to-publish-info", messages::route_to_publish_info),
    ("send-responses", headers::send_response),
    ("sys-flags", messages::sys_flag),
    ("topic-names", names::topic_name),
    ("unique-ids", identities::unique_id),
    ("user-properties", names::user_property),
    ("versions", names::version),
    ("vip-addresses", names::vip_address),
];

/// The tables that are not checked here, and why.
const ELSEWHERE: [(&str, &str); 13] = [
    ("batch-checks", "which messages make a batch is decided above the wire codec"),
    ("compression", "compression comes with a later issue"),
    ("decompression-odd-input", "compression comes with a later issue"),
    ("delay-levels", "only brokers read delay levels"),
    ("fault-durations", "in sends.rs"),
    ("message-constructors", "message construction is no matter of the wire"),
    ("name-server-endpoints", "client configuration is no matter of the wire"),
    ("producer-defaults", "in sends.rs"),
    ("reply-messages", "reply construction is no matter of the wire"),
    ("stored-decode-odd-input", "in stored.rs"),
    ("stored-layout", "in stored.rs"),
    ("time-strings", "nothing of a producer prints such times"),
    ("trace-records", "in trace.rs"),
];

#[test]
fn every_table_is_checked_or_excused() {
    for path in files(&root().join("tables")) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("name");
        let checked = CHECKED.iter().any(|table| table.0 == name);
        let excused = ELSEWHERE.iter().any(|table| table.0 == name && !table.1.is_empty());
        assert!(checked != excused, "{name}: checked {checked}, excused {excused}");
    }
}

#[test]
fn tables_say_what_java_says() {
    let mut wrong = Vec::new();
    let mut counts = BTreeMap::new();
    for (name, check) in CHECKED {
        let table = json(&root().join("tables").join(name).with_extension("json"));
        for value in table["rows"].as_array().expect("rows") {
            let row =
                Row { input: &value["in"], out: &value["out"], out_4_9_7: value.get("out_4.9.7") };
            if let Err(message) = check(&row) {
                wrong.push(format!("{name}: {message}\n    Java: {}", row.out));
            }
            *counts.entry(name).or_insert(0) += 1;
        }
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let total: usize = counts.values().sum();
    println!("{total} rows of {} tables", counts.len());
    assert!(total >= 1_400, "{total}");
}
