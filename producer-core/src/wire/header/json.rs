//! The JSON header (spec §1.4).

use super::usual::{self, Stop};
use super::{HeaderLine, Visit};
use crate::has;
use crate::wire::json::{Reader, Value};
use crate::wire::{Ext, Language, WireError};

/// Decodes a JSON header: as far as it looks as Java writes it by the short way, the rest, if there
/// is one, by the general way.
#[inline]
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    visit: &mut impl Visit<'a>,
    ext: &mut Ext<'a>,
) -> Result<HeaderLine<'a>, WireError> {
    let mut line = HeaderLine::EMPTY;
    if !has::JSON_REQUESTS {
        // Who asks in binary is answered so; what is JSON all the same is seldom and can take longer.
        let mut reader = Reader::new(bytes);
        reader.open_object()?;
        members(bytes, &mut reader, &mut line, visit, ext)?;
        return Ok(line);
    }
    match usual::decode(bytes, &mut line, visit, ext) {
        Stop::End => {}
        Stop::Member { at, first } => {
            let mut reader = Reader::resume(bytes, at, 1, first);
            members(bytes, &mut reader, &mut line, visit, ext)?;
        }
        Stop::ExtField { at, first, start } => {
            let mut reader = Reader::resume(bytes, at, 2, first);
            ext_fields(bytes, start, &mut reader, visit, ext)?;
            members(bytes, &mut reader, &mut line, visit, ext)?;
        }
        Stop::Start => {
            let mut reader = Reader::new(bytes);
            reader.open_object()?;
            members(bytes, &mut reader, &mut line, visit, ext)?;
        }
    }
    Ok(line)
}

/// Reads the members of the header in any order, to the end of the text.
#[cold]
fn members<'a>(
    bytes: &'a [u8],
    reader: &mut Reader<'a>,
    line: &mut HeaderLine<'a>,
    visit: &mut dyn Visit<'a>,
    ext: &mut Ext<'a>,
) -> Result<(), WireError> {
    while let Some(name) = reader.next_member()? {
        match &*name.to_cow() {
            "code" => int(reader, &mut line.code, "code")?,
            "flag" => int(reader, &mut line.flag, "flag")?,
            "opaque" => int(reader, &mut line.opaque, "opaque")?,
            "version" => int(reader, &mut line.version, "version")?,
            "language" => line.language = language(reader.value()?)?,
            "remark" => line.remark = reader.value()?.to_text(),
            // Java has the last of two; fields that were shown already could not be taken back.
            "extFields" if !ext.is_absent() => {
                return Err(WireError::BadField { name: "extFields" });
            }
            "extFields" if reader.peek() == Some(b'{') => {
                let start = reader.position();
                reader.open_object()?;
                ext_fields(bytes, start, reader, visit, ext)?;
            }
            "extFields" => {
                if reader.value()? != Value::Null {
                    return Err(WireError::BadField { name: "extFields" });
                }
            }
            _ => {
                reader.value()?;
            }
        }
    }
    reader.end()
}

/// Reads the rest of the ext fields, whose brace is at `start`.
#[cold]
fn ext_fields<'a>(
    bytes: &'a [u8],
    start: usize,
    reader: &mut Reader<'a>,
    visit: &mut dyn Visit<'a>,
    ext: &mut Ext<'a>,
) -> Result<(), WireError> {
    while let Some(name) = reader.next_member()? {
        match reader.value()?.to_text() {
            Some(value) => visit.field(name, value),
            None => visit.null(name),
        }
    }
    *ext = Ext::json(&bytes[start..reader.position()]);
    Ok(())
}

/// Reads a number into `slot`; `null` leaves it as it is, as fastjson does.
fn int(reader: &mut Reader<'_>, slot: &mut i32, name: &'static str) -> Result<(), WireError> {
    let value = reader.value()?;
    if value != Value::Null {
        *slot = value.to_i32().ok_or(WireError::BadField { name })?;
    }
    Ok(())
}

/// A language is a name; fastjson takes its number too (`tables/json-headers-decode.json`).
fn language(value: Value<'_>) -> Result<Language, WireError> {
    match value {
        Value::Null => Ok(Language::UNKNOWN),
        Value::String(name) => Ok(Language::from_name(&name.to_cow())),
        Value::Number(_) => {
            let code = value.to_i32().and_then(|code| u8::try_from(code).ok());
            Ok(code.map_or(Language::UNKNOWN, Language::from_code))
        }
        Value::Bool(_) | Value::Nested(_) => Err(WireError::BadField { name: "language" }),
    }
}
