//! Message traces: what a producer notes of its sends in the trace topic (spec §9.3,
//! `TraceDataEncoder.java`). Fields are joined by U+0001, each record ends with U+0002, what is not
//! there is the word `null`.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write};

use super::WireError;

/// The topic for traces, unless another one is chosen.
pub const TRACE_TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";
/// What the names of a cloud's trace topics begin with; the region follows.
pub const CLOUD_TRACE_PREFIX: &str = "rmq_sys_TRACE_DATA_";

const FIELD: char = '\u{1}';
const RECORD: char = '\u{2}';
const NOTHING: &str = "null";

/// What sort of message a record is about (`MessageType.java`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TracedKind {
    /// One like most.
    Normal,
    /// The first half of a transaction.
    Half,
    /// The end of a transaction.
    Commit,
    /// One that is delivered later.
    Delayed,
    /// One of an ordered sequence; Java's producer never says so.
    Ordered,
}

impl TracedKind {
    const ALL: [Self; 5] = [Self::Normal, Self::Half, Self::Commit, Self::Delayed, Self::Ordered];

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| text.parse() == Ok(*kind as u8))
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRecord<'a> {
    /// When it began, in milliseconds since 1970.
    pub time_ms: u64,
    /// Region of the broker.
    pub region: Cow<'a, str>,
    /// Producer group, without namespace.
    pub group: Cow<'a, str>,
    /// Topic of the message, without namespace.
    pub topic: Cow<'a, str>,
    /// The message's `UNIQ_KEY`.
    pub message_id: Cow<'a, str>,
    /// What happened.
    pub event: TraceEvent<'a>,
}

/// What a message and its broker are known by besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels<'a> {
    /// The message's tag.
    pub tags: Option<Cow<'a, str>>,
    /// The message's keys, joined by blanks.
    pub keys: Option<Cow<'a, str>>,
    /// Address of the broker.
    pub store_host: Option<Cow<'a, str>>,
}

/// What happened to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceEvent<'a> {
    /// It was sent.
    Publish {
        /// Tag, keys, broker.
        labels: Labels<'a>,
        /// Length of the body as it was sent.
        body_bytes: usize,
        /// How long the attempt took, in milliseconds.
        cost_ms: u64,
        /// What sort of message.
        kind: TracedKind,
        /// The broker's id of it.
        offset_id: Option<Cow<'a, str>>,
        /// Whether the broker said `SEND_OK`.
        success: bool,
    },
    /// Its transaction was ended.
    EndTransaction {
        /// Tag, keys, broker.
        labels: Labels<'a>,
        /// The transaction's id.
        transaction_id: Option<Cow<'a, str>>,
        /// `COMMIT_MESSAGE`, `ROLLBACK_MESSAGE` or `UNKNOW`.
        state: Cow<'a, str>,
        /// Whether the broker had asked.
        from_check: bool,
    },
    /// It was recalled before it was due (5.3.2).
    Recall {
        /// Whether the broker agreed.
        success: bool,
    },
}

/// A value, or the word for none.
struct OrNull<'a>(&'a Option<Cow<'a, str>>);

impl fmt::Display for OrNull<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or(NOTHING))
    }
}

impl<'a> TraceRecord<'a> {
    /// Appends the record.
    pub fn encode(&self, out: &mut String) {
        // Writing to a string does not fail.
        let _infallible = self.write(out);
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let Self { time_ms, region, group, topic, message_id, event } = self;
        let name = match event {
            TraceEvent::Publish { .. } => "Pub",
            TraceEvent::EndTransaction { .. } => "EndTransaction",
            TraceEvent::Recall { .. } => "Recall",
        };
        write!(out, "{name}{FIELD}{time_ms}{FIELD}{region}{FIELD}{group}{FIELD}{topic}")?;
        write!(out, "{FIELD}{message_id}{FIELD}")?;
        let labels = |out: &mut String, labels: &Labels<'_>| {
            let Labels { tags, keys, store_host } = labels;
            let (tags, keys, host) = (OrNull(tags), OrNull(keys), OrNull(store_host));
            write!(out, "{tags}{FIELD}{keys}{FIELD}{host}{FIELD}")
        };
        match event {
            TraceEvent::Publish {
                labels: known,
                body_bytes,
                cost_ms,
                kind,
                offset_id,
                success,
            } => {
                labels(out, known)?;
                let (kind, offset_id) = (*kind as u8, OrNull(offset_id));
                write!(out, "{body_bytes}{FIELD}{cost_ms}{FIELD}{kind}{FIELD}")?;
                write!(out, "{offset_id}{FIELD}{success}{RECORD}")
            }
            TraceEvent::EndTransaction { labels: known, transaction_id, state, from_check } => {
                labels(out, known)?;
                let (kind, id) = (TracedKind::Commit as u8, OrNull(transaction_id));
                write!(out, "{kind}{FIELD}{id}{FIELD}{state}{FIELD}{from_check}{RECORD}")
            }
            TraceEvent::Recall { success } => write!(out, "{success}{RECORD}"),
        }
    }

    /// What the message that carries the record is to be found by: id and keys of the message.
    pub fn index_keys(&self) -> impl Iterator<Item = &str> {
        let keys = match &self.event {
            TraceEvent::Publish { labels, .. } | TraceEvent::EndTransaction { labels, .. } => {
                labels.keys.as_deref()
            }
            TraceEvent::Recall { .. } => None,
        };
        let keys = keys.unwrap_or("").split(' ').filter(|key| !key.is_empty());
        core::iter::once(&*self.message_id).chain(keys)
    }
}

/// The records of a trace message's body. The word `null` is read as nothing, as which it was
/// written; a field behind the last one is passed over, as in Java.
pub fn records(body: &str) -> impl Iterator<Item = Result<TraceRecord<'_>, WireError>> {
    body.split_terminator(RECORD).map(record)
}

fn record(text: &str) -> Result<TraceRecord<'_>, WireError> {
    let mut fields = text.split(FIELD);
    let mut field = |name| fields.next().ok_or(WireError::MissingField { name });
    let name = field("type")?;
    let time_ms = number(field("timestamp")?, "timestamp")?;
    let (region, group) = (field("regionId")?.into(), field("group")?.into());
    let (topic, message_id) = (field("topic")?.into(), field("msgId")?.into());
    let mut labels = || {
        Ok::<_, WireError>(Labels {
            tags: given(field("tags")?),
            keys: given(field("keys")?),
            store_host: given(field("storeHost")?),
        })
    };
    let event = match name {
        "Pub" => {
            let labels = labels()?;
            TraceEvent::Publish {
                labels,
                body_bytes: number(field("bodyLength")?, "bodyLength")?,
                cost_ms: number(field("costTime")?, "costTime")?,
                kind: TracedKind::parse(field("msgType")?)
                    .ok_or(WireError::BadField { name: "msgType" })?,
                offset_id: given(field("offsetMsgId")?),
                success: field("success")? == "true",
            }
        }
        "EndTransaction" => {
            let labels = labels()?;
            let _kind = field("msgType")?;
            TraceEvent::EndTransaction {
                labels,
                transaction_id: given(field("transactionId")?),
                state: field("transactionState")?.into(),
                from_check: field("fromTransactionCheck")? == "true",
            }
        }
        "Recall" => TraceEvent::Recall { success: field("success")? == "true" },
        _ => return Err(WireError::BadField { name: "type" }),
    };
    Ok(TraceRecord { time_ms, region, group, topic, message_id, event })
}

fn number<N: core::str::FromStr>(text: &str, name: &'static str) -> Result<N, WireError> {
    text.parse().map_err(|_| WireError::BadField { name })
}

fn given(text: &str) -> Option<Cow<'_, str>> {
    (text != NOTHING).then_some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_none_is_an_error_and_the_next_one_is_read() {
        let read: alloc::vec::Vec<_> = records(
            "Pub\u{1}1\u{1}r\u{2}What\u{2}Recall\u{1}7\u{1}r\u{1}g\u{1}t\u{1}id\u{1}true\u{2}",
        )
        .collect();

        assert!(read[0].is_err() && read[1].is_err());
        let recall = read[2].as_ref().expect("a recall");
        assert_eq!(recall.event, TraceEvent::Recall { success: true });
        assert_eq!(recall.index_keys().collect::<alloc::vec::Vec<_>>(), ["id"]);
    }
}
