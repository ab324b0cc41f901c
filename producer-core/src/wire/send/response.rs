//! The answer to a send.

use crate::wire::header::{self, Visit, leading_digits, plain_len, specials};
use crate::wire::{Fields, SerializeType, Text, WireError};

/// Any response, read in the one pass that a received header gets, with the fields that answer a
/// send (spec §2.3, `SendMessageResponseHeader.java`).
///
/// The receive path does not know yet what was asked, so fields that another response lacks are
/// `None` and never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendResponse<'a> {
    /// Response code (or request code: look at `flag`).
    pub code: i32,
    /// Version ordinal of the answering server.
    pub version: i32,
    /// Request id.
    pub opaque: i32,
    /// Bit 0: response, bit 1: one-way.
    pub flag: i32,
    /// Error text.
    pub remark: Option<Text<'a>>,
    /// Offset message id; a comma-joined list for a batch.
    pub msg_id: Option<Text<'a>>,
    /// Queue written.
    pub queue_id: Option<i32>,
    /// Logical offset in the queue, of the first message of a batch.
    pub queue_offset: Option<i64>,
    /// The message's UNIQ_KEY; 5.x brokers only.
    pub transaction_id: Option<Text<'a>>,
    /// Region of the broker.
    pub region: Option<Text<'a>>,
    /// `TRACE_ON`: false only if the text is exactly "false" (spec §3.3).
    pub trace_on: Option<bool>,
    /// Handle to recall a timer message; 5.3.2+.
    pub recall_handle: Option<Text<'a>>,
    /// Id of an inner batch; 5.x.
    pub batch_uniq_id: Option<Text<'a>>,
    /// Name of a number field whose text is no number. Java raises an exception for this one
    /// response, so it does not cost the connection here.
    pub bad_field: Option<&'static str>,
}

impl<'a> SendResponse<'a> {
    /// Decodes the header of a frame in one pass, without allocating.
    #[inline]
    pub fn decode(serialize: SerializeType, bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut got = Self::default();
        got.fill(serialize, bytes)?;
        Ok(got)
    }

    /// Does what [`decode`](Self::decode) does, in place: a response is large, and moving it costs
    /// more than reading some of its fields. `self` is a default one.
    #[inline]
    pub fn fill(&mut self, serialize: SerializeType, bytes: &'a [u8]) -> Result<(), WireError> {
        let line = header::decode_fields(serialize, bytes, self)?;
        self.code = line.code;
        self.version = line.version;
        self.opaque = line.opaque;
        self.flag = line.flag;
        self.remark = line.remark;
        Ok(())
    }

    /// Whether this answers a request of ours, rather than being a request to us.
    #[inline]
    pub const fn is_response(&self) -> bool {
        self.flag & 1 == 1
    }

    /// The ext fields in the order that a Java broker's `HashMap` gives them.
    pub fn to_ext(&self) -> Fields<'a> {
        Fields::new()
            .show_opt("queueId", self.queue_id)
            .text_opt("transactionId", self.transaction_id.map(|text| text.to_cow()))
            .text_opt("batchUniqId", self.batch_uniq_id.map(|text| text.to_cow()))
            .text_opt("recallHandle", self.recall_handle.map(|text| text.to_cow()))
            .text_opt("msgId", self.msg_id.map(|text| text.to_cow()))
            .show_opt("TRACE_ON", self.trace_on)
            .text_opt("MSG_REGION", self.region.map(|text| text.to_cow()))
            .show_opt("queueOffset", self.queue_offset)
    }
}

impl<'a> SendResponse<'a> {
    #[inline(always)] // As `field`.
    fn set(&mut self, name: &[u8], value: Text<'a>) {
        // The length alone tells most names apart.
        match name.len() {
            5 if name == b"msgId" => self.msg_id = Some(value),
            7 if name == b"queueId" => {
                self.queue_id = value.to_i32();
                if self.queue_id.is_none() {
                    self.bad_field = Some("queueId");
                }
            }
            8 if name == b"TRACE_ON" => self.trace_on = Some(!value.eq_str("false")),
            10 if name == b"MSG_REGION" => self.region = Some(value),
            11 if name == b"queueOffset" => {
                self.queue_offset = value.to_i64();
                if self.queue_offset.is_none() {
                    self.bad_field = Some("queueOffset");
                }
            }
            11 if name == b"batchUniqId" => self.batch_uniq_id = Some(value),
            12 if name == b"recallHandle" => self.recall_handle = Some(value),
            13 if name == b"transactionId" => self.transaction_id = Some(value),
            _ => {}
        }
    }

    #[cold]
    fn set_escaped(&mut self, name: Text<'a>, value: Text<'a>) {
        self.set(name.to_cow().as_bytes(), value);
    }
}

impl<'a> Visit<'a> for SendResponse<'a> {
    #[inline(always)] // Called for each field of each response: the call costs more than it does.
    fn field(&mut self, name: Text<'a>, value: Text<'a>) {
        match name.as_bytes() {
            Some(name) => self.set(name, value),
            None => self.set_escaped(name, value),
        }
    }

    #[cold]
    fn null(&mut self, name: Text<'a>) {
        match &*name.to_cow() {
            "msgId" => self.msg_id = None,
            "queueId" => self.queue_id = None,
            "TRACE_ON" => self.trace_on = None,
            "MSG_REGION" => self.region = None,
            "queueOffset" => self.queue_offset = None,
            "batchUniqId" => self.batch_uniq_id = None,
            "recallHandle" => self.recall_handle = None,
            "transactionId" => self.transaction_id = None,
            _ => {}
        }
    }

    /// The orders in which the `HashMap` of a 5.4.0 and of a 4.9.7 broker gives the fields, in one:
    /// each is taken if it comes next.
    #[inline]
    fn expected(&mut self, fields: &'a [u8]) -> &'a [u8] {
        let mut rest = fields;
        if let Some((value, behind)) = quoted_number(rest, b"\"queueId\":\"")
            && let Ok(value) = i32::try_from(value)
        {
            self.queue_id = Some(value);
            rest = behind;
        } else {
            return fields;
        }
        take_id(&mut self.transaction_id, &mut rest, b",\"transactionId\":\"");
        take_id(&mut self.msg_id, &mut rest, b",\"msgId\":\"");
        if let Some(behind) = rest.strip_prefix(b",\"TRACE_ON\":\"true\"") {
            self.trace_on = Some(true);
            rest = behind;
        }
        take_text(&mut self.region, &mut rest, b",\"MSG_REGION\":\"");
        if self.msg_id.is_none() {
            take_id(&mut self.msg_id, &mut rest, b",\"msgId\":\"");
        }
        if let Some((value, behind)) = quoted_number(rest, b",\"queueOffset\":\"") {
            self.queue_offset = Some(value);
            rest = behind;
        }
        rest
    }

    /// The order in which brokers write the fields of the header class, then those they add; or
    /// that of a map, where these are the other way round.
    #[inline]
    fn expected_binary(&mut self, entries: &'a [u8]) -> &'a [u8] {
        let mut rest = entries;
        take_entry(&mut self.msg_id, &mut rest, b"\x00\x05msgId");
        if let Some((value, behind)) = number_entry(rest, b"\x00\x07queueId")
            && let Ok(value) = i32::try_from(value)
        {
            self.queue_id = Some(value);
            rest = behind;
        }
        if let Some((value, behind)) = number_entry(rest, b"\x00\x0bqueueOffset") {
            self.queue_offset = Some(value);
            rest = behind;
        }
        take_entry(&mut self.transaction_id, &mut rest, b"\x00\x0dtransactionId");
        if self.msg_id.is_none() {
            take_entry(&mut self.msg_id, &mut rest, b"\x00\x05msgId");
        }
        if let Some(behind) = rest.strip_prefix(b"\x00\x08TRACE_ON\x00\x00\x00\x04true") {
            self.trace_on = Some(true);
            rest = behind;
        }
        take_entry(&mut self.region, &mut rest, b"\x00\x0aMSG_REGION");
        if self.queue_offset.is_none()
            && let Some((value, behind)) = number_entry(rest, b"\x00\x0bqueueOffset")
        {
            self.queue_offset = Some(value);
            rest = behind;
        }
        rest
    }
}

/// The value of the entry that `key` (with its length) starts, and what follows the entry. `None`
/// for an empty value: that is null, which the general way knows.
#[inline]
fn entry<'a, const N: usize>(rest: &'a [u8], key: &[u8; N]) -> Option<(&'a [u8], &'a [u8])> {
    let (len, rest) = rest.strip_prefix(key)?.split_first_chunk::<4>()?;
    // A negative length is too long as an unsigned one.
    let len = u32::from_be_bytes(*len) as usize;
    if len == 0 { None } else { rest.split_at_checked(len) }
}

#[inline]
fn take_entry<'a, const N: usize>(slot: &mut Option<Text<'a>>, rest: &mut &'a [u8], key: &[u8; N]) {
    if let Some((value, behind)) = entry(rest, key) {
        *slot = Some(Text::from_bytes(value));
        *rest = behind;
    }
}

#[inline]
fn number_entry<'a, const N: usize>(rest: &'a [u8], key: &[u8; N]) -> Option<(i64, &'a [u8])> {
    let (value, behind) = entry(rest, key)?;
    let (digits, number) = leading_digits(value);
    (digits == value.len() && digits <= 18).then_some((number, behind))
}

/// Takes text behind `name`, if that is what comes next.
#[inline]
fn take_text<'a, const N: usize>(slot: &mut Option<Text<'a>>, rest: &mut &'a [u8], name: &[u8; N]) {
    if let Some(value) = rest.strip_prefix(name)
        && let Some(len) = plain_len(value)
    {
        *slot = Some(Text::from_bytes(&value[..len]));
        *rest = &value[len + 1..];
    }
}

/// The same for an id.
#[inline]
fn take_id<'a, const N: usize>(slot: &mut Option<Text<'a>>, rest: &mut &'a [u8], name: &[u8; N]) {
    if let Some(value) = rest.strip_prefix(name)
        && let Some(len) = id_len(value).or_else(|| plain_len(value))
    {
        *slot = Some(Text::from_bytes(&value[..len]));
        *rest = &value[len + 1..];
    }
}

/// The length of an id of 32 characters, as IPv4 hosts make them: all are compared at once.
#[inline]
fn id_len(value: &[u8]) -> Option<usize> {
    let (id, behind) = value.split_first_chunk::<32>()?;
    if behind.first() != Some(&b'"') {
        return None;
    }
    let words = id.as_chunks::<8>().0;
    let special = words.iter().fold(0, |found, word| found | specials(word));
    (special == 0).then_some(32)
}

/// A number in quotes behind `name`, and what follows it.
#[inline]
fn quoted_number<'a, const N: usize>(rest: &'a [u8], name: &[u8; N]) -> Option<(i64, &'a [u8])> {
    let value = rest.strip_prefix(name)?;
    let (digits, number) = leading_digits(value);
    let behind = value.get(digits..)?.strip_prefix(b"\"")?;
    (digits > 0 && digits <= 18).then_some((number, behind))
}

impl Default for SendResponse<'_> {
    fn default() -> Self {
        Self {
            code: 0,
            version: 0,
            opaque: header::OPAQUE_MISSING,
            flag: 0,
            remark: None,
            msg_id: None,
            queue_id: None,
            queue_offset: None,
            transaction_id: None,
            region: None,
            trace_on: None,
            recall_handle: None,
            batch_uniq_id: None,
            bad_field: None,
        }
    }
}
