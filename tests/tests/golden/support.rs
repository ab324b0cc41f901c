//! Reading the recorded cases under `tests/golden` (see the README there).

use std::collections::BTreeMap;
use std::path::Path;

use producer_core::wire::route::{BrokerData, QueueData, RouteJson, TopicRouteData};
use serde_json::Value;

pub(crate) use crate::disk::{files, read, root};

/// The JSON of a file.
pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path below the golden folder, for messages.
pub(crate) fn short(path: &Path) -> String {
    path.strip_prefix(root()).expect("below golden").display().to_string()
}

/// Bytes of strict hexadecimal text: what a golden file says must not depend on our own decoder.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd hex");
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("hex digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Text of a member that has to be there.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

/// Number of a member that has to be there.
pub(crate) fn int(value: &Value, name: &str) -> i64 {
    value[name].as_i64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

/// Whether an outcome is a thrown exception.
pub(crate) fn is_error(out: &Value) -> bool {
    out.get("error").is_some()
}

/// A route with one broker, its only master, and so many queues.
pub(crate) fn route(broker_name: &str, queues: i32, address: String) -> Vec<u8> {
    let queue = QueueData {
        broker_name: broker_name.to_owned(),
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm: 6,
        topic_sys_flag: 0,
    };
    let broker = BrokerData {
        broker_name: broker_name.to_owned(),
        addresses: vec![(0, address)],
        ..BrokerData::default()
    };
    let data = TopicRouteData { queues: vec![queue], brokers: vec![broker], ..Default::default() };
    data.encode(RouteJson::Strict)
}

/// The route that leads a recorded send to the broker and the queue that its fields name.
pub(crate) fn route_of(ext: &BTreeMap<String, String>) -> Vec<u8> {
    let queues = ext["e"].parse::<i32>().expect("a recorded queue") + 1;
    route(&ext["n"], queues, String::from("127.0.0.1:10911"))
}
