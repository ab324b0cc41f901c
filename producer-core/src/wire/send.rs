//! Sending a message: SEND_MESSAGE (10, 324), SEND_MESSAGE_V2 (310, 320, 325) and the response.

use alloc::borrow::Cow;

use super::{Ext, Fields, SerializeType, Text, WireError, header};

/// Which names the fields of a send go by (spec §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendForm {
    /// Full names: codes 10 and 324.
    V1,
    /// One letter: codes 310, 320 and 325.
    V2,
}

impl SendForm {
    /// The form of a request code; `None` if the code sends no message.
    pub const fn of_code(code: i32) -> Option<Self> {
        use super::code::request as r;
        match code {
            r::SEND_MESSAGE | r::SEND_REPLY_MESSAGE => Some(Self::V1),
            r::SEND_MESSAGE_V2 | r::SEND_BATCH_MESSAGE | r::SEND_REPLY_MESSAGE_V2 => Some(Self::V2),
            _ => None,
        }
    }

    const fn names(self) -> &'static [&'static str; FIELDS] {
        match self {
            Self::V1 => &NAMES_V1,
            Self::V2 => &NAMES_V2,
        }
    }
}

/// The header of a send (spec §2.3, `SendMessageRequestHeader.java`, `…V2.java`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendRequest<'a> {
    /// Group of the producer, namespace included.
    pub producer_group: Cow<'a, str>,
    /// Topic, namespace included.
    pub topic: Cow<'a, str>,
    /// Topic whose settings an automatically created topic inherits, usually `TBW102`.
    pub default_topic: Cow<'a, str>,
    /// Queues of an automatically created topic.
    pub default_topic_queue_nums: i32,
    /// Queue to write; a broker picks one when it is negative.
    pub queue_id: i32,
    /// Bits of [`super::sys_flag`].
    pub sys_flag: i32,
    /// Client time in ms since 1970.
    pub born_timestamp: i64,
    /// The message's own flag.
    pub flag: i32,
    /// Property string (see [`super::properties`]).
    pub properties: Option<Cow<'a, str>>,
    /// How often a consumer has given the message back.
    pub reconsume_times: Option<i32>,
    /// Whether the client runs in unit mode.
    pub unit_mode: Option<bool>,
    /// How often a consumer may give the message back; on retry topics only.
    pub max_reconsume_times: Option<i32>,
    /// Whether the body is a batch.
    pub batch: Option<bool>,
    /// Broker meant; a proxy refuses sends without it.
    pub broker_name: Option<Cow<'a, str>>,
}

impl<'a> SendRequest<'a> {
    /// Reads the fields in one pass.
    pub fn from_ext(form: SendForm, ext: &Ext<'a>) -> Result<Self, WireError> {
        let names = form.names();
        let mut found: [Option<Text<'a>>; FIELDS] = [None; FIELDS];
        for (key, value) in ext.iter() {
            if let Some(at) = names.iter().position(|name| key.eq_str(name)) {
                found[at] = Some(value);
            }
        }
        let got = Found { names, found };
        Ok(Self {
            producer_group: got.need(0)?.to_cow(),
            topic: got.need(1)?.to_cow(),
            default_topic: got.need(2)?.to_cow(),
            default_topic_queue_nums: got.need_int(3)?,
            queue_id: got.need_int(4)?,
            sys_flag: got.need_int(5)?,
            born_timestamp: got.need(6)?.to_i64().ok_or(WireError::BadField { name: names[6] })?,
            flag: got.need_int(7)?,
            properties: got.found[8].map(|text| text.to_cow()),
            reconsume_times: got.int(9)?,
            unit_mode: got.found[10].map(|text| text.to_bool()),
            max_reconsume_times: got.int(11)?,
            batch: got.found[12].map(|text| text.to_bool()),
            broker_name: got.found[13].map(|text| text.to_cow()),
        })
    }

    /// The fields in alphabetical order of the short names.
    pub fn to_ext(&self, form: SendForm) -> Fields<'_> {
        let names = form.names();
        Fields::new()
            .text(names[0], &*self.producer_group)
            .text(names[1], &*self.topic)
            .text(names[2], &*self.default_topic)
            .show(names[3], self.default_topic_queue_nums)
            .show(names[4], self.queue_id)
            .show(names[5], self.sys_flag)
            .show(names[6], self.born_timestamp)
            .show(names[7], self.flag)
            .text_opt(names[8], self.properties.as_deref())
            .show_opt(names[9], self.reconsume_times)
            .show_opt(names[10], self.unit_mode)
            .show_opt(names[11], self.max_reconsume_times)
            .show_opt(names[12], self.batch)
            .text_opt(names[13], self.broker_name.as_deref())
    }
}

/// Values of the fields, by position in `names`.
struct Found<'a> {
    names: &'static [&'static str; FIELDS],
    found: [Option<Text<'a>>; FIELDS],
}

impl<'a> Found<'a> {
    fn need(&self, at: usize) -> Result<Text<'a>, WireError> {
        self.found[at].ok_or(WireError::MissingField { name: self.names[at] })
    }

    fn need_int(&self, at: usize) -> Result<i32, WireError> {
        self.need(at)?.to_i32().ok_or(WireError::BadField { name: self.names[at] })
    }

    fn int(&self, at: usize) -> Result<Option<i32>, WireError> {
        self.found[at].map(|_| self.need_int(at)).transpose()
    }
}

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
        let line = header::decode_with(serialize, bytes, &mut |key, value| got.take(key, value))?;
        got.code = line.code;
        got.version = line.version;
        got.opaque = line.opaque;
        got.flag = line.flag;
        got.remark = line.remark;
        Ok(got)
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

    #[inline]
    fn take(&mut self, key: Text<'a>, value: Text<'a>) {
        match key.as_bytes() {
            Some(b"msgId") => self.msg_id = Some(value),
            Some(b"queueId") => {
                self.queue_id = value.to_i32();
                if self.queue_id.is_none() {
                    self.bad_field = Some("queueId");
                }
            }
            Some(b"queueOffset") => {
                self.queue_offset = value.to_i64();
                if self.queue_offset.is_none() {
                    self.bad_field = Some("queueOffset");
                }
            }
            Some(b"transactionId") => self.transaction_id = Some(value),
            Some(b"MSG_REGION") => self.region = Some(value),
            Some(b"TRACE_ON") => self.trace_on = Some(!value.eq_str("false")),
            Some(b"recallHandle") => self.recall_handle = Some(value),
            Some(b"batchUniqId") => self.batch_uniq_id = Some(value),
            _ => {}
        }
    }
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

const FIELDS: usize = 14;

const NAMES_V1: [&str; FIELDS] = [
    "producerGroup",
    "topic",
    "defaultTopic",
    "defaultTopicQueueNums",
    "queueId",
    "sysFlag",
    "bornTimestamp",
    "flag",
    "properties",
    "reconsumeTimes",
    "unitMode",
    "maxReconsumeTimes",
    "batch",
    "bname",
];

const NAMES_V2: [&str; FIELDS] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
