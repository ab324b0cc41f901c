//! What is noted of a send, a transaction, a recall that has ended?

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::ask::{Answer, Request};
use crate::groups::GroupId;
use crate::producer::Producer;
use crate::receipt::SendStatus;
use crate::send::Under;
use crate::slab::Key;
use crate::special::Form;
use crate::time::Instant;
use crate::trace::form;
use crate::transaction::{Decision, Transaction};
use crate::wire::recall::RecallHandle;
use crate::wire::send::SendResponse;
use crate::wire::trace::{Labels, TraceEvent, TracedKind};
use crate::wire::{batch, code, properties, property_names as names};

impl<T> Producer<T> {
    /// A send is stored. True if it was a trace, which is over then.
    #[cold]
    pub(crate) fn trace_stored(
        &mut self,
        key: Key,
        under: &Under,
        status: SendStatus,
        answer: &SendResponse<'_>,
    ) -> bool {
        if self.trace_ended(key, true) {
            return true;
        }
        if answer.trace_on == Some(false) && !planted!(TraceSwitchIgnored) {
            return false;
        }
        let text = |text: crate::wire::Text<'_>| text.to_cow().into_owned();
        let region = answer.region.filter(|region| !region.is_empty()).map_or_else(region, text);
        let told = Ended {
            began: under.started,
            success: status == SendStatus::SendOk,
            offset_ids: answer.msg_id.map(text),
            store_host: self.store_host(under.queue.broker),
            region,
        };
        self.trace_send(key, &told);
        false
    }

    /// A send has failed. True if it was a trace, which is over then.
    #[cold]
    pub(crate) fn trace_failed(&mut self, key: Key) -> bool {
        if self.trace_ended(key, false) {
            return true;
        }
        let wanted = self.tracer.as_ref().is_some_and(|tracer| tracer.wants_failures());
        let Some(send) = self.sends.get(key).filter(|_| wanted) else { return false };
        let told = Ended {
            began: send.accepted,
            success: false,
            offset_ids: None,
            store_host: send.last_broker.and_then(|broker| self.store_host(broker)),
            region: region(),
        };
        self.trace_send(key, &told);
        false
    }

    /// A record for a send that has ended, one for each message of a batch.
    fn trace_send(&mut self, key: Key, told: &Ended) {
        let Some(send) = self.sends.get(key) else { return };
        let of_half = matches!(form(send), Some(Form::Half(..)));
        let kind = match send.message.is_delayed() {
            true => TracedKind::Delayed,
            false if of_half => TracedKind::Half,
            false => TracedKind::Normal,
        };
        let (group, topic) = (send.group, send.message.topic().clone());
        let mut offset_ids = told.offset_ids.as_deref().unwrap_or("").split(',');
        let mut messages = Vec::new();
        if form(send).is_some_and(Form::is_batch) {
            for member in batch::members(send.message.body()).flatten() {
                let text = |name| properties::get(&member.properties, name).map(String::from);
                let id = text(names::UNIQ_CLIENT_MESSAGE_ID_KEYIDX).unwrap_or_default();
                let (tags, keys) = (text(names::TAGS), text(names::KEYS));
                messages.push(Traced { id, tags, keys, body_bytes: member.body.len() });
            }
        } else {
            let text = |name| send.message.property(name).map(String::from);
            messages.push(Traced {
                id: send.id.to_string(),
                tags: text(names::TAGS),
                keys: text(names::KEYS),
                body_bytes: send.message.wire_body().len(),
            });
        }
        // A batch that is stored as one has one id.
        let mut offset_id = None;
        let cost_ms = self.now.since(told.began).as_millis() as u64;
        for message in messages {
            let store_host = told.store_host.as_deref().map(Cow::Borrowed);
            offset_id = offset_ids.next().filter(|id| !id.is_empty()).or(offset_id);
            let event = TraceEvent::Publish {
                labels: Labels {
                    tags: message.tags.map(Cow::Owned),
                    keys: message.keys.map(Cow::Owned),
                    store_host,
                },
                body_bytes: message.body_bytes,
                cost_ms,
                kind,
                offset_id: offset_id.map(Cow::Borrowed),
                success: told.success,
            };
            let id = Cow::Owned(message.id);
            self.trace(group, topic.as_str(), &told.region, id, self.unix_at(told.began), event);
        }
    }

    /// A transaction was ended, on this connection.
    #[cold]
    pub(crate) fn trace_end(
        &mut self,
        transaction: &Transaction,
        decision: Decision,
        from_check: bool,
        conn: Key,
    ) {
        let broker = self.routes.broker_id(&transaction.broker);
        let there = broker.filter(|&broker| self.routes.broker(broker).conn == conn);
        let dialled = || self.conns.get(conn).map(|conn| conn.dialled.to_string());
        let store_host = there.and_then(|broker| self.store_host(broker)).or_else(dialled);
        let default = TraceLabels::default();
        let known = transaction.labels.as_deref().unwrap_or(&default);
        let id = transaction.transaction_id().unwrap_or(&transaction.id);
        let event = TraceEvent::EndTransaction {
            labels: Labels {
                tags: known.tags.as_deref().map(Cow::Borrowed),
                keys: known.keys.as_deref().map(Cow::Borrowed),
                store_host: store_host.map(Cow::Owned),
            },
            transaction_id: Some(Cow::Borrowed(id)),
            state: Cow::Borrowed(match decision {
                Decision::Commit => "COMMIT_MESSAGE",
                Decision::Rollback => "ROLLBACK_MESSAGE",
                Decision::Unknown => "UNKNOW",
            }),
            from_check,
        };
        let named = known.region.clone().filter(|region| !region.is_empty());
        let (region, now) = (named.unwrap_or_else(region), self.unix_ms());
        let id = Cow::Borrowed(&*transaction.id);
        self.trace(transaction.group, &transaction.topic, &region, id, now, event);
    }

    /// A broker has answered whether a timer message is recalled (`RecallMessageTraceHook.java`:
    /// only where it names its region).
    #[cold]
    pub(crate) fn trace_recall(&mut self, request: &Request, answer: &Answer) {
        let field = |name: &str| {
            let found = request.fields.iter().find(|field| field.0 == name);
            found.map(|field| &*field.1)
        };
        let handle = field("recallHandle").map(RecallHandle::decode);
        let (Some(topic), Some(region), Some(Ok(handle))) =
            (field("topic"), answer.field(names::MSG_REGION), handle)
        else {
            return;
        };
        let wire = field("producerGroup").unwrap_or("");
        let group = self.groups.iter().position(|group| group.wire == wire).unwrap_or(0);
        let event = TraceEvent::Recall { success: answer.code == code::response::SUCCESS };
        let group = GroupId(u16::try_from(group).unwrap_or(0));
        let (id, now) = (Cow::Owned(handle.message_id), self.unix_ms());
        self.trace(group, topic, region, id, now, event);
    }

    /// The broker's address as its messages name it.
    fn store_host(&self, broker: crate::route::BrokerId) -> Option<String> {
        let broker = self.routes.broker(broker);
        let advertised = broker.advertised.as_ref()?;
        // As Java has it: where the message went.
        let vip = || crate::wire::address::vip(advertised.as_str());
        self.config.vip_channel.then(vip).flatten().or_else(|| Some(advertised.to_string()))
    }

    /// An instant by the wall clock.
    fn unix_at(&self, at: Instant) -> u64 {
        let since = self.now.since(at).as_millis() as u64;
        self.unix_ms().saturating_sub(since)
    }
}

/// What an end tells about a send.
struct Ended {
    began: Instant,
    success: bool,
    offset_ids: Option<String>,
    store_host: Option<String>,
    region: String,
}

/// A message that a record is about.
struct Traced {
    id: String,
    tags: Option<String>,
    keys: Option<String>,
    body_bytes: usize,
}

/// What records of a transaction's end say of its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TraceLabels {
    pub(crate) tags: Option<String>,
    pub(crate) keys: Option<String>,
    pub(crate) region: Option<String>,
}

impl TraceLabels {
    pub(crate) fn new<'p>(property: impl Fn(&str) -> Option<&'p str>) -> Box<Self> {
        let text = |name| property(name).map(String::from);
        let region = text(names::MSG_REGION);
        Box::new(Self { tags: text(names::TAGS), keys: text(names::KEYS), region })
    }
}

/// The region of brokers that name none.
fn region() -> String {
    String::from("DefaultRegion")
}
