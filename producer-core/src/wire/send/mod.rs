//! Sending a message: SEND_MESSAGE (10, 324), SEND_MESSAGE_V2 (310, 320, 325) and the response.

mod look;
mod response;

use alloc::borrow::Cow;

use super::{Ext, Fields, Text, WireError};

pub use look::Looks;
pub use response::SendResponse;

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
        // Most writers keep the order of the names, so the next one is looked for first.
        let mut next = 0;
        for (key, value) in ext.iter() {
            let mut places = (next..FIELDS).chain(0..next);
            if let Some(at) = places.find(|at| key.eq_str(names[*at])) {
                found[at] = Some(value);
                next = at + 1;
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
