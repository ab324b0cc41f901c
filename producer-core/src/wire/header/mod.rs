//! Decoding a header in one pass over its bytes.

mod binary;
mod json;
mod usual;

pub(super) use usual::{leading_digits, plain_len, specials};

use super::{Ext, Language, SerializeType, Text, WireError};

/// The opaque of a header that has none. Java then takes a number of the receiver's own counter
/// (spec §1.4), which matches nothing on purpose; ours must not be given to a request.
pub const OPAQUE_MISSING: i32 = i32::MIN;

/// A header without its ext fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderLine<'a> {
    /// Request or response code.
    pub code: i32,
    /// Language of the sender.
    pub language: Language,
    /// Version ordinal of the sender.
    pub version: i32,
    /// Request id; a response echoes that of its request.
    pub opaque: i32,
    /// Bit 0: response, bit 1: one-way.
    pub flag: i32,
    /// Error text; never empty in the binary form.
    pub remark: Option<Text<'a>>,
}

impl HeaderLine<'_> {
    /// Whether this answers a request of ours, rather than being a request to us.
    #[inline]
    pub const fn is_response(&self) -> bool {
        self.flag & 1 == 1
    }

    /// Whether the sender wants no answer.
    #[inline]
    pub const fn is_one_way(&self) -> bool {
        self.flag & 2 == 2
    }

    const EMPTY: Self = Self {
        code: 0,
        language: Language::JAVA,
        version: 0,
        opaque: OPAQUE_MISSING,
        flag: 0,
        remark: None,
    };
}

/// A decoded header; its ext fields are read when asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Request or response code.
    pub code: i32,
    /// Language of the sender.
    pub language: Language,
    /// Version ordinal of the sender.
    pub version: i32,
    /// Request id; a response echoes that of its request.
    pub opaque: i32,
    /// Bit 0: response, bit 1: one-way.
    pub flag: i32,
    /// Error text; never empty in the binary form.
    pub remark: Option<Text<'a>>,
    /// The ext fields.
    pub ext: Ext<'a>,
}

impl<'a> Header<'a> {
    /// Decodes the header of a frame. All of it is checked, ext fields included.
    pub fn decode(serialize: SerializeType, bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut ext = Ext::default();
        let nobody = &mut Each(|_, _| {});
        let line = match serialize {
            SerializeType::Json => json::decode(bytes, nobody, &mut ext)?,
            SerializeType::RocketMq => binary::decode(bytes, nobody, &mut ext)?,
        };
        let HeaderLine { code, language, version, opaque, flag, remark } = line;
        Ok(Self { code, language, version, opaque, flag, remark, ext })
    }

    /// Whether this answers a request of ours, rather than being a request to us.
    pub const fn is_response(&self) -> bool {
        self.flag & 1 == 1
    }

    /// Whether the sender wants no answer.
    pub const fn is_one_way(&self) -> bool {
        self.flag & 2 == 2
    }
}

/// Decodes a header in one pass and shows each ext field that is not null to `visit`, in wire
/// order; of duplicates the last one counts.
///
/// `visit` may have seen fields before an error is found behind them.
#[inline]
pub fn decode_with<'a>(
    serialize: SerializeType,
    bytes: &'a [u8],
    visit: &mut impl FnMut(Text<'a>, Text<'a>),
) -> Result<HeaderLine<'a>, WireError> {
    decode_fields(serialize, bytes, &mut Each(visit))
}

/// Decodes a header in one pass and gives its ext fields to `visit`.
#[inline]
pub(super) fn decode_fields<'a>(
    serialize: SerializeType,
    bytes: &'a [u8],
    visit: &mut impl Visit<'a>,
) -> Result<HeaderLine<'a>, WireError> {
    let mut ext = Ext::default();
    match serialize {
        SerializeType::Json => json::decode(bytes, visit, &mut ext),
        SerializeType::RocketMq => binary::decode(bytes, visit, &mut ext),
    }
}

/// Who gets the ext fields while a header is decoded.
pub(super) trait Visit<'a> {
    /// Takes one field that is not null.
    fn field(&mut self, name: Text<'a>, value: Text<'a>);

    /// Takes one that is: an earlier one of its name counts no more.
    fn null(&mut self, _name: Text<'a>) {}

    /// Takes fields of a JSON header that come in an order known beforehand, which is quicker.
    /// `fields` follows the opening brace; what is returned follows a value's quote, or is all.
    #[inline]
    fn expected(&mut self, fields: &'a [u8]) -> &'a [u8] {
        fields
    }

    /// The same for the entries of a binary header.
    #[inline]
    fn expected_binary(&mut self, entries: &'a [u8]) -> &'a [u8] {
        entries
    }
}

/// Shows each field to a function.
struct Each<F>(F);

impl<'a, F: FnMut(Text<'a>, Text<'a>)> Visit<'a> for Each<F> {
    #[inline]
    fn field(&mut self, name: Text<'a>, value: Text<'a>) {
        (self.0)(name, value);
    }
}
