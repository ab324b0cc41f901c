//! The property string of a message (spec §7.3, `MessageDecoder.java`).

use alloc::string::String;
use alloc::vec::Vec;

/// Between name and value.
pub const NAME_VALUE_SEPARATOR: u8 = 1;
/// Behind each property; the last one's is optional.
pub const PROPERTY_SEPARATOR: u8 = 2;
/// Most bytes of a property string: its length is an `i16` wherever it is stored.
pub const PROPERTIES_BYTES_MAX: usize = i16::MAX as usize;

/// Appends one property with its trailing separator, as 4.9.0 and 5.2+ do.
///
/// Nothing is escaped: separators inside `name` or `value` would forge other properties, so they
/// have to be refused before.
#[inline]
pub fn push(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(NAME_VALUE_SEPARATOR);
    out.extend_from_slice(value.as_bytes());
    out.push(PROPERTY_SEPARATOR);
}

/// The property string of `properties`, in the given order.
pub fn encode<'p>(properties: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut out = String::new();
    for (name, value) in properties {
        out.push_str(name);
        out.push(char::from(NAME_VALUE_SEPARATOR));
        out.push_str(value);
        out.push(char::from(PROPERTY_SEPARATOR));
    }
    out
}

/// The properties of a property string in wire order; of duplicates the last one counts. Entries
/// with an empty name or value are dropped, as in Java.
pub fn decode(text: &str) -> Iter<'_> {
    Iter { rest: text }
}

/// The value of `name`: the last of its duplicates.
pub fn get<'p>(text: &'p str, name: &str) -> Option<&'p str> {
    decode(text).filter(|property| property.0 == name).last().map(|property| property.1)
}

/// The properties of [`decode`].
#[derive(Debug, Clone)]
pub struct Iter<'p> {
    rest: &'p str,
}

impl<'p> Iterator for Iter<'p> {
    type Item = (&'p str, &'p str);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let separator = char::from(PROPERTY_SEPARATOR);
            let (entry, rest) = self.rest.split_once(separator).unwrap_or((self.rest, ""));
            self.rest = rest;
            if let Some((name, value)) = entry.split_once(char::from(NAME_VALUE_SEPARATOR))
                && !name.is_empty()
                && !value.is_empty()
            {
                return Some((name, value));
            }
        }
        None
    }
}
