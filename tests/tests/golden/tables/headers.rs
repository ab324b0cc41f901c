//! Headers: encoding, decoding, and what a send response says.

use producer_core::wire::frame::{FRAME_BYTES_MAX, split};
use producer_core::wire::send::SendResponse;
use producer_core::wire::{Head, Header, Language, SerializeType, Text, encode_frame};
use serde_json::{Value, json};

use crate::support::{hex, int, is_error, text};
use crate::tables::Row;

pub(crate) fn json_header(row: &Row<'_>) -> Result<(), String> {
    let header = text(row.input, "header");
    decoded(row, SerializeType::Json, header.as_bytes())
}

pub(crate) fn binary_header(row: &Row<'_>) -> Result<(), String> {
    decoded(row, SerializeType::RocketMq, &hex(text(row.input, "header_hex")))
}

/// Accepts what one of the releases accepts, refuses what both refuse.
fn decoded(row: &Row<'_>, serialize: SerializeType, bytes: &[u8]) -> Result<(), String> {
    let found = Header::decode(serialize, bytes);
    let accepted = [Some(row.out), row.out_4_9_7].into_iter().flatten().find(|out| !is_error(out));
    match (found, accepted) {
        (Err(_), None) => Ok(()),
        (Ok(header), Some(out)) => {
            let found = describe(&header);
            if found == *out { Ok(()) } else { Err(format!("{} → {found}", row.input)) }
        }
        (found, _) => Err(format!("{} → {found:?}", row.input)),
    }
}

/// A header as the table describes it: ext fields as a map, and null for what Java has as null.
fn describe(header: &Header<'_>) -> Value {
    let mut ext: Vec<(String, Option<String>)> = Vec::new();
    for (name, value) in header.ext.entries() {
        let name = name.to_cow().into_owned();
        ext.retain(|field| field.0 != name);
        ext.push((name, value.map(|value| value.to_cow().into_owned())));
    }
    ext.sort();
    json!({
        "code": header.code,
        "language": header.language.name(),
        "version": header.version,
        "opaque": header.opaque,
        "flag": header.flag,
        "remark": header.remark.map(|remark| remark.to_cow().into_owned()),
        "extFields": if header.ext.is_absent() { Value::Null } else { json!(ext) },
        "bodyLength": null,
    })
}

/// A command encoded by Java: ours has the same bytes, up to the order of ext fields, and reads
/// the same.
pub(crate) fn command(row: &Row<'_>) -> Result<(), String> {
    let serialize = match text(row.input, "serialize") {
        "JSON" => SerializeType::Json,
        _ => SerializeType::RocketMq,
    };
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for field in row.input["extFields"].as_array().into_iter().flatten() {
        // Null values are not sent.
        if let Some(value) = field[1].as_str() {
            fields.push((field[0].as_str().ok_or("field name")?, value));
        }
    }
    let head = Head {
        code: int(row.input, "code") as i32,
        language: Language::from_name(text(row.input, "language")),
        version: int(row.input, "version") as i32,
        opaque: int(row.input, "opaque") as i32,
        flag: int(row.input, "flag") as i32,
        remark: row.input["remark"].as_str(),
    };
    let body = row.input["body"].as_str().unwrap_or_default();
    let Some(java) = row.out.get("frame_hex").and_then(Value::as_str) else {
        return Err(format!("{} has no frame", row.input));
    };
    for java in [Some(java), row.out_4_9_7.and_then(|out| out["frame_hex"].as_str())] {
        let Some(java) = java.map(hex) else { continue };
        let frame = split(&java, FRAME_BYTES_MAX).map_err(|e| e.to_string())?.ok_or("short")?;
        let header = Header::decode(serialize, frame.header).map_err(|e| e.to_string())?;
        let mut ours = Vec::new();
        let order: Vec<_> = header.ext.entries().map(|entry| entry.0.to_cow()).collect();
        fields.sort_by_key(|field| order.iter().position(|name| name == field.0));
        encode_frame(&mut ours, serialize, &head, fields.iter().copied(), body.as_bytes())
            .map_err(|e| e.to_string())?;
        let again = split(&ours, FRAME_BYTES_MAX).map_err(|e| e.to_string())?.ok_or("short")?;
        let reread = Header::decode(serialize, again.header).map_err(|e| e.to_string())?;
        if describe_but_empty(&reread) != describe_but_empty(&header) {
            return Err(format!("{} → {} not {}", row.input, describe(&reread), describe(&header)));
        }
        let escapes_of_4_9 = Some(&*java) != row.out["frame_hex"].as_str().map(hex).as_deref();
        let empty = String::from_utf8_lossy(frame.header).contains("\"extFields\":{}");
        if ours != java && !escapes_of_4_9 && !empty {
            let show = |bytes| String::from_utf8_lossy(bytes).into_owned();
            return Err(format!("{} not {}", show(&ours), show(&java)));
        }
    }
    Ok(())
}

/// We leave out an empty list of ext fields, which reads the same to everybody.
fn describe_but_empty(header: &Header<'_>) -> Value {
    let mut value = describe(header);
    if value["extFields"] == json!([]) {
        value["extFields"] = Value::Null;
    }
    value
}

pub(crate) fn send_response(row: &Row<'_>) -> Result<(), String> {
    let fields = row.input["extFields"].as_array();
    let fields: Vec<_> = fields
        .into_iter()
        .flatten()
        .map(|field| (field[0].as_str().unwrap_or_default(), field[1].as_str().unwrap_or_default()))
        .collect();
    let head = Head {
        code: int(row.input, "code") as i32,
        flag: Head::RESPONSE,
        remark: row.input["remark"].as_str(),
        ..Head::default()
    };
    for serialize in [SerializeType::Json, SerializeType::RocketMq] {
        let mut bytes = Vec::new();
        encode_frame(&mut bytes, serialize, &head, fields.iter().copied(), b"")
            .map_err(|e| e.to_string())?;
        let frame = split(&bytes, FRAME_BYTES_MAX).map_err(|e| e.to_string())?.ok_or("short")?;
        let found = SendResponse::decode(serialize, frame.header).map_err(|e| e.to_string())?;
        compare_response(row, &found)?;
    }
    Ok(())
}

fn compare_response(row: &Row<'_>, found: &SendResponse<'_>) -> Result<(), String> {
    let show = |text: Option<Text<'_>>| json!(text.map(|text| text.to_cow().into_owned()));
    if is_error(row.out) {
        let refused = !matches!(found.code, 0 | 10 | 11 | 12);
        let unusable = found.queue_id.is_none() || found.queue_offset.is_none();
        let ok = refused || unusable;
        return ok.then_some(()).ok_or_else(|| format!("{} → {found:?}", row.input));
    }
    let region = show(found.region.filter(|region| !region.is_empty()));
    let region = if region.is_null() { json!("DefaultRegion") } else { region };
    let same = row.out["queue"]["queueId"] == json!(found.queue_id)
        && row.out["queueOffset"] == json!(found.queue_offset)
        && row.out["offsetMsgId"] == show(found.msg_id)
        && row.out["transactionId"] == show(found.transaction_id)
        && row.out.get("regionId").is_none_or(|out| *out == region)
        && row.out.get("traceOn").is_none_or(|out| *out == json!(found.trace_on.unwrap_or(true)))
        && row.out.get("recallHandle").is_none_or(|out| *out == show(found.recall_handle));
    same.then_some(()).ok_or_else(|| format!("{} → {found:?}", row.input))
}
