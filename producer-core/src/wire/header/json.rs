//! The JSON header (spec §1.4).

use super::HeaderLine;
use crate::wire::json::{Reader, Value};
use crate::wire::{Ext, Language, Text, WireError};

/// Decodes a JSON header.
#[inline]
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    visit: &mut impl FnMut(Text<'a>, Text<'a>),
    ext: &mut Ext<'a>,
) -> Result<HeaderLine<'a>, WireError> {
    let mut line = HeaderLine::EMPTY;
    let mut reader = Reader::new(bytes);
    reader.open_object()?;
    while let Some(name) = reader.next_member()? {
        match name.as_bytes() {
            Some(b"code") => line.code = int(&mut reader, "code")?,
            Some(b"flag") => line.flag = int(&mut reader, "flag")?,
            Some(b"opaque") => line.opaque = int(&mut reader, "opaque")?,
            Some(b"version") => line.version = int(&mut reader, "version")?,
            Some(b"language") => line.language = language(reader.value()?)?,
            Some(b"remark") => line.remark = reader.value()?.to_text(),
            Some(b"extFields") => ext_fields(bytes, &mut reader, visit, ext)?,
            _ => {
                reader.value()?;
            }
        }
    }
    reader.end()?;
    Ok(line)
}

#[inline]
fn int(reader: &mut Reader<'_>, name: &'static str) -> Result<i32, WireError> {
    reader.value()?.to_i32().ok_or(WireError::BadField { name })
}

/// A language is a name; fastjson takes its number too (`tables/json-headers-decode.json`).
fn language(value: Value<'_>) -> Result<Language, WireError> {
    match value {
        Value::Null => Ok(Language::UNKNOWN),
        Value::String(name) if name == "JAVA" => Ok(Language::JAVA),
        Value::String(name) => Ok(Language::from_name(&name.to_cow())),
        Value::Number(_) => {
            let code = value.to_i32().and_then(|code| u8::try_from(code).ok());
            Ok(code.map_or(Language::UNKNOWN, Language::from_code))
        }
        Value::Bool(_) | Value::Nested(_) => Err(WireError::BadField { name: "language" }),
    }
}

#[inline]
fn ext_fields<'a>(
    bytes: &'a [u8],
    reader: &mut Reader<'a>,
    visit: &mut impl FnMut(Text<'a>, Text<'a>),
    ext: &mut Ext<'a>,
) -> Result<(), WireError> {
    *ext = Ext::default();
    if reader.peek() != Some(b'{') {
        return match reader.value()? {
            Value::Null => Ok(()),
            _ => Err(WireError::BadField { name: "extFields" }),
        };
    }
    let start = reader.position();
    reader.open_object()?;
    while let Some(name) = reader.next_member()? {
        if let Some(value) = reader.value()?.to_text() {
            visit(name, value);
        }
    }
    *ext = Ext::json(&bytes[start..reader.position()]);
    Ok(())
}
