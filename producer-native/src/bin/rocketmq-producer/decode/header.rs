//! A header as an object with the names of Java's fields.

use producer_core::wire::code::{request, response};
use producer_core::wire::{Frame, Header, SerializeType, WireError, version};
use serde_json::{Map, Value, json};

use super::loose;

/// The header, checked, and the object that shows it. A JSON header is shown as it stands.
pub(super) fn object<'a>(frame: &Frame<'a>) -> Result<(Header<'a>, Map<String, Value>), WireError> {
    let header = Header::decode(frame.serialize, frame.header)?;
    let object = match frame.serialize {
        SerializeType::Json => loose::object(frame.header)?,
        SerializeType::RocketMq => binary(&header),
    };
    Ok((header, object))
}

fn binary(header: &Header<'_>) -> Map<String, Value> {
    let mut object = Map::new();
    let language = header.language;
    object.insert("code".into(), header.code.into());
    object.insert(
        "language".into(),
        language.name().map_or_else(|| json!(language.code()), |name| json!(name)),
    );
    object.insert("version".into(), header.version.into());
    object.insert("opaque".into(), header.opaque.into());
    object.insert("flag".into(), header.flag.into());
    if let Some(remark) = header.remark {
        object.insert("remark".into(), remark.to_cow().into());
    }
    // Java takes an empty value for null; the wire has it all the same.
    let entries = header.ext.entries();
    let entries: Vec<(String, String)> = entries
        .map(|(name, value)| {
            (name.to_cow().into(), value.map_or_else(String::new, |v| v.to_cow().into()))
        })
        .collect();
    let count = entries.len();
    let fields: Map<String, Value> =
        entries.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if fields.len() < count {
        object.insert("extEntries".into(), json!(entries));
    }
    object.insert("extFields".into(), fields.into());
    object
}

/// The names of what the header has as numbers.
pub(super) fn explain(header: &Header<'_>) -> Value {
    let (kind, code) = match (header.is_response(), header.is_one_way()) {
        (true, _) => ("response", response::name(header.code)),
        (false, false) => ("request", request::name(header.code)),
        (false, true) => ("one-way request", request::name(header.code)),
    };
    json!({"kind": kind, "code": code, "version": version::name(header.version)})
}
