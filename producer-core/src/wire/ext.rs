//! The ext fields of a received header, read lazily.

use alloc::string::String;

use super::json::Reader;
use super::{Text, WireError};

/// The ext fields of one header: a list of name and value, in wire order, possibly with
/// duplicates of which the last wins (spec §1.5).
///
/// Fields that Java decodes to null (JSON `null`, empty binary values) are absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ext<'a> {
    source: Source<'a>,
}

/// Bytes that were checked when the header was decoded, so reading them again cannot fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Source<'a> {
    #[default]
    Absent,
    /// A JSON object with its braces.
    Json(&'a [u8]),
    /// Entries of key length, key, value length, value.
    Binary(&'a [u8]),
}

impl<'a> Ext<'a> {
    #[inline]
    pub(super) const fn json(object: &'a [u8]) -> Self {
        Self { source: Source::Json(object) }
    }

    #[inline]
    pub(super) const fn binary(entries: &'a [u8]) -> Self {
        Self { source: Source::Binary(entries) }
    }

    /// Whether the header has no ext fields at all, not even an empty list.
    pub const fn is_absent(&self) -> bool {
        matches!(self.source, Source::Absent)
    }

    /// The fields in wire order.
    pub fn iter(&self) -> Iter<'a> {
        Iter { entries: self.entries() }
    }

    /// The value of `name`: the last of its duplicates.
    pub fn get(&self, name: &str) -> Option<Text<'a>> {
        let mut found = None;
        for (key, value) in self.entries() {
            if key.eq_str(name) {
                found = value;
            }
        }
        found
    }

    /// The value of a field that has to be there.
    pub fn need(&self, name: &'static str) -> Result<Text<'a>, WireError> {
        self.get(name).ok_or(WireError::MissingField { name })
    }

    /// Text of a field that has to be there.
    pub fn need_text(&self, name: &'static str) -> Result<String, WireError> {
        self.need(name).map(|value| value.to_cow().into_owned())
    }

    /// Text of a field.
    pub fn text(&self, name: &'static str) -> Option<String> {
        self.get(name).map(|value| value.to_cow().into_owned())
    }

    /// An `Integer` that has to be there.
    pub fn need_i32(&self, name: &'static str) -> Result<i32, WireError> {
        self.need(name)?.to_i32().ok_or(WireError::BadField { name })
    }

    /// A `Long` that has to be there.
    pub fn need_i64(&self, name: &'static str) -> Result<i64, WireError> {
        self.need(name)?.to_i64().ok_or(WireError::BadField { name })
    }

    /// An `Integer`, if it is there.
    pub fn int(&self, name: &'static str) -> Result<Option<i32>, WireError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.to_i32().map(Some).ok_or(WireError::BadField { name })
    }

    /// A `Long`, if it is there.
    pub fn long(&self, name: &'static str) -> Result<Option<i64>, WireError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.to_i64().map(Some).ok_or(WireError::BadField { name })
    }

    /// A `Boolean`, if it is there.
    pub fn bool(&self, name: &'static str) -> Option<bool> {
        self.get(name).map(|value| value.to_bool())
    }

    /// All entries as they stand, with `None` for a value that Java has as null.
    pub fn entries(&self) -> Entries<'a> {
        Entries { source: self.open() }
    }

    fn open(&self) -> Open<'a> {
        match self.source {
            Source::Absent => Open::Binary(&[]),
            Source::Binary(bytes) => Open::Binary(bytes),
            Source::Json(object) => {
                let mut reader = Reader::new(object);
                match reader.open_object() {
                    Ok(()) => Open::Json(reader),
                    Err(_) => Open::Binary(&[]),
                }
            }
        }
    }
}

impl<'a> IntoIterator for &Ext<'a> {
    type Item = (Text<'a>, Text<'a>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The fields of [`Ext::iter`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    entries: Entries<'a>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Text<'a>, Text<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let (key, Some(value)) = self.entries.next()? {
                return Some((key, value));
            }
        }
    }
}

/// The entries of [`Ext::entries`].
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    source: Open<'a>,
}

/// A source being read.
#[derive(Debug, Clone)]
enum Open<'a> {
    Json(Reader<'a>),
    Binary(&'a [u8]),
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Text<'a>, Option<Text<'a>>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Open::Json(reader) => {
                let key = reader.next_member().ok()??;
                let value = reader.value().ok()?;
                Some((key, value.to_text()))
            }
            Open::Binary(rest) => {
                let (key, value, tail) = binary_entry(rest).ok()??;
                *rest = tail;
                Some((Text::from_bytes(key), (!value.is_empty()).then(|| Text::from_bytes(value))))
            }
        }
    }
}

/// Key, value and what follows them.
type BinaryEntry<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Takes the first entry of a binary ext region; `None` at its end (spec §1.5).
#[inline]
pub(super) fn binary_entry(bytes: &[u8]) -> Result<Option<BinaryEntry<'_>>, WireError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (len, rest) = bytes.split_first_chunk::<2>().ok_or(WireError::Truncated)?;
    let len = i16::from_be_bytes(*len);
    let len = usize::try_from(len).map_err(|_| WireError::NegativeLength)?;
    let (key, rest) = rest.split_at_checked(len).ok_or(WireError::Truncated)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let len = i32::from_be_bytes(*len);
    let len = usize::try_from(len).map_err(|_| WireError::NegativeLength)?;
    let (value, rest) = rest.split_at_checked(len).ok_or(WireError::Truncated)?;
    Ok(Some((key, value, rest)))
}
