//! What do few sends have, and what becomes of them when they end?
//!
//! Half messages, batches, requests and replies are sends like others: one path, one retry. What
//! they have besides is kept apart, so that the many stay small and quick.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::accumulator::Carried;
use crate::config::Config;
use crate::error::SendError;
use crate::groups::GroupId;
use crate::names::TopicName;
use crate::output::Output;
use crate::producer::Producer;
use crate::receipt::Receipt;
use crate::request_reply::RequestId;
use crate::route::{Broker, Topic};
use crate::send::Send;
use crate::send_frame::{Filling, Templates};
use crate::stamp::{Line, Stamp};
use crate::trace_notes::TraceLabels;
use crate::unique_id::MessageId;
use crate::wire::send::{SendForm, SendRequest, SendResponse};
use crate::wire::{Head, Text, code, property_names, sys_flag};

/// What a send has that is not an ordinary one.
pub(crate) struct Special {
    pub(crate) form: Form,
    /// Properties besides those of the message, as the wire has them.
    pub(crate) properties: String,
}

/// What kind of send it is.
pub(crate) enum Form {
    /// The first half of a transaction about a message to this topic.
    Half(TopicName, Option<Box<TraceLabels>>),
    /// Several messages in one request: their ids, in order.
    Batch(Vec<MessageId>),
    /// Several sends that share a request; alone it goes as it is.
    Accumulated(Box<Carried>),
    /// A request that another client is to answer.
    Request(RequestId),
    /// The answer to a request of another client.
    Reply,
    /// So many records of sends that have ended.
    Trace(usize),
}

impl Form {
    /// Whether the body holds several messages.
    pub(crate) fn is_batch(&self) -> bool {
        match self {
            Self::Batch(_) => true,
            Self::Accumulated(carried) => carried.packed.len() != 1,
            _ => false,
        }
    }

    /// The request code (`MQClientAPIImpl.sendMessage`).
    fn code(&self) -> i32 {
        match self {
            Self::Half(..) | Self::Request(_) | Self::Trace(_) => code::request::SEND_MESSAGE_V2,
            Self::Batch(_) => code::request::SEND_BATCH_MESSAGE,
            Self::Accumulated(_) if self.is_batch() => code::request::SEND_BATCH_MESSAGE,
            Self::Accumulated(_) => code::request::SEND_MESSAGE_V2,
            Self::Reply => code::request::SEND_REPLY_MESSAGE_V2,
        }
    }
}

impl<T> Send<T> {
    /// Whether it is the first half of a transaction.
    pub(crate) fn is_half(&self) -> bool {
        matches!(self.special.as_deref(), Some(Special { form: Form::Half(..), .. }))
    }
}

/// What a broker's answer says beyond a receipt.
#[derive(Default)]
pub(crate) struct Told {
    /// The broker's ids, joined by commas.
    pub(crate) offset_ids: String,
    pub(crate) transaction_id: Option<String>,
    /// Whether the messages of a batch were stored as one.
    pub(crate) inner_batch: bool,
}

impl Told {
    /// What `answer` says.
    pub(crate) fn new(answer: &SendResponse<'_>) -> Self {
        let text = |text: Option<Text<'_>>| text.map(|text| text.to_cow().into_owned());
        Self {
            offset_ids: text(answer.msg_id).unwrap_or_default(),
            transaction_id: text(answer.transaction_id),
            inner_batch: answer.batch_uniq_id.is_some(),
        }
    }
}

/// What an attempt has found out that its frame needs.
pub(crate) struct Way<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) queue_id: u32,
    pub(crate) born_ms: u64,
    pub(crate) opaque: i32,
    pub(crate) one_way: bool,
}

/// Appends the frame of a send that is not plain: one that is compressed, of another group or
/// special, or any where requests are signed or marked. Only the last two cost allocations.
#[inline(never)]
pub(crate) fn append_frame<T>(
    out: &mut Vec<u8>,
    (config, stamp, templates): (&Config, &Stamp, &mut Templates),
    (group, topic): (&str, &Topic),
    send: &Send<T>,
    way: &Way<'_>,
) {
    let unsaid = send.attempts_all > 0 && planted!(RetrySaysPlain);
    if send.special.is_none() && stamp.is_blank() {
        return templates.append(
            out,
            &Filling {
                topic_head: topic.head(send.group),
                broker_part: &way.broker.frame_part,
                queue_id: way.queue_id,
                born_ms: way.born_ms,
                sys_flag: if unsaid { 0 } else { send.message.sys_flag() },
                flag: send.message.flag_value(),
                id: &send.id,
                wait_store_ok: send.message.waits_for_store(),
                properties: send.message.property_text(),
                body: send.message.wire_body(),
                opaque: way.opaque,
                one_way: way.one_way,
            },
        );
    }
    let special = send.special.as_deref();
    let form = special.map(|special| &special.form);
    let code = form.map_or(code::request::SEND_MESSAGE_V2, Form::code);
    let half = matches!(form, Some(Form::Half(..)));
    let transaction = if half { sys_flag::TRANSACTION_PREPARED } else { 0 };
    let mut properties = String::with_capacity(64 + send.message.property_text().len());
    if !form.is_some_and(Form::is_batch) {
        // 4.9 brokers put what a batch as a whole has behind what its members have, and the last
        // value counts: all of them would have this id.
        properties.push_str("UNIQ_KEY\u{1}");
        properties.push_str(send.id.as_str());
        properties.push('\u{2}');
    }
    properties.push_str(match (form, send.message.waits_for_store()) {
        (Some(Form::Reply), true) => "", // as `MessageUtil.createReplyMessage`
        (_, true) => "WAIT\u{1}true\u{2}",
        (_, false) => "WAIT\u{1}false\u{2}",
    });
    properties.push_str(send.message.property_text());
    properties.push_str(special.map_or("", |special| &special.properties));
    if let Some(instance) = stamp.instance() {
        for part in [property_names::INSTANCE_ID, "\u{1}", instance, "\u{2}"] {
            properties.push_str(part);
        }
    }
    let request = SendRequest {
        producer_group: group.into(),
        topic: topic.wire.as_str().into(),
        default_topic: (&*config.create_topic_key).into(),
        default_topic_queue_nums: i32::try_from(config.default_topic_queues).unwrap_or(i32::MAX),
        queue_id: i32::try_from(way.queue_id).unwrap_or(i32::MAX),
        sys_flag: send.message.sys_flag() | transaction,
        born_timestamp: i64::try_from(way.born_ms).unwrap_or(i64::MAX),
        flag: send.message.flag_value(),
        properties: Some(properties.into()),
        reconsume_times: Some(0),
        unit_mode: Some(config.unit_mode),
        max_reconsume_times: None,
        batch: Some(code == code::request::SEND_BATCH_MESSAGE),
        broker_name: Some((*way.broker.name).into()),
    };
    let line = Line {
        code,
        opaque: way.opaque,
        flag: if way.one_way { Head::ONE_WAY } else { Head::REQUEST },
        remark: None,
    };
    stamp.append(out, &line, request.to_ext(SendForm::V2), send.message.wire_body());
}

impl<T> Producer<T> {
    /// A send has ended: its caller is told in the way of its kind.
    #[cold]
    pub(crate) fn ended(
        &mut self,
        ticket: Option<T>,
        special: Option<Box<Special>>,
        group: GroupId,
        result: Result<(Receipt, Told), SendError>,
    ) {
        let mut form = special.map(|special| special.form);
        if let Some(Form::Half(topic, labels)) = &mut form {
            return self.half_sent(ticket, (topic, labels.take(), group), result);
        }
        let Some(ticket) = ticket else { return };
        let output = match form {
            None | Some(Form::Reply | Form::Half(..) | Form::Accumulated(_)) => {
                Output::Completed { ticket, result: result.map(|(receipt, _)| receipt) }
            }
            // Traces have no ticket, and end in `trace.rs`.
            Some(Form::Trace(_)) => return,
            Some(Form::Request(id)) => {
                return self.request_sent(id, ticket, result.map(|(receipt, _)| receipt));
            }
            Some(Form::Batch(ids)) => {
                let members = |(receipt, told): (Receipt, Told)| {
                    ids.iter().copied().map(receipt.of_members(&told)).collect()
                };
                Output::BatchCompleted { ticket, result: result.map(members) }
            }
        };
        self.outputs.push_back(output);
    }
}
