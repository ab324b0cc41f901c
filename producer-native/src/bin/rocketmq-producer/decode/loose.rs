//! JSON as fastjson writes it, strict or not, as a value.

use producer_core::wire::json::{Reader, Value as Raw};
use producer_core::wire::{Text, WireError};
use serde_json::{Map, Value};

/// The whole of `text`, an object or array. Of members with one name the last counts.
pub(super) fn value(text: &[u8]) -> Result<Value, WireError> {
    let mut reader = Reader::new(text);
    let value = convert(reader.value()?)?;
    reader.end()?;
    Ok(value)
}

/// The object of a JSON header.
pub(super) fn object(text: &[u8]) -> Result<Map<String, Value>, WireError> {
    match value(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(WireError::BadJson { at: 0 }),
    }
}

/// Goes no deeper than the reader: it has refused what is nested more than 32 levels.
fn convert(raw: Raw<'_>) -> Result<Value, WireError> {
    Ok(match raw {
        Raw::Null => Value::Null,
        Raw::Bool(truth) => Value::Bool(truth),
        Raw::Number(digits) => number(digits),
        Raw::String(text) => string(text),
        Raw::Nested(text) => {
            let mut reader = Reader::new(text);
            if text.first() == Some(&b'{') {
                reader.open_object()?;
                let mut object = Map::new();
                while let Some(name) = reader.next_member()? {
                    object.insert(name.to_cow().into_owned(), convert(reader.value()?)?);
                }
                Value::Object(object)
            } else {
                reader.open_array()?;
                let mut array = Vec::new();
                while reader.next_element()? {
                    array.push(convert(reader.value()?)?);
                }
                Value::Array(array)
            }
        }
    })
}

fn string(text: Text<'_>) -> Value {
    Value::String(text.to_cow().into_owned())
}

/// A number, or its text where it is not one of standard JSON.
fn number(digits: &[u8]) -> Value {
    serde_json::from_slice(digits).unwrap_or_else(|_| string(Text::from_bytes(digits)))
}
