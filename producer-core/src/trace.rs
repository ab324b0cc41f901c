//! What do people see of a message's way who look for it by its id (spec §9.3)?
//!
//! When a send ends, a record of it is kept; some records together are a message to the trace topic.
//! That message is a send like others, but nobody's: it has no ticket, no place in the room of the
//! application's sends, one attempt, and is not traced itself.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::error::Outcome;
use crate::groups::GroupId;
use crate::has;
use crate::message::{Message, PROPERTY_BYTES_MAX};
use crate::names::TopicName;
use crate::output::Stats;
use crate::producer::{Closing, ClosingStage, Producer};
use crate::send::{Send, SendOptions, Stage};
use crate::slab::Key;
use crate::special::{Form, Special};
use crate::time::Instant;
use crate::wire::trace::{CLOUD_TRACE_PREFIX, TRACE_TOPIC, TraceEvent, TraceRecord};
use crate::wire::{namespace, property_names as names};

/// How sends are traced: [`Config::trace`](crate::Config::trace). Write
/// `Trace { field, ..Trace::default() }`: fields are added without notice.
///
/// Traced are sends that a broker has stored and that it wants traced, batches message by message,
/// ends of transactions and recalls; not one-way sends, of which nothing is known. Traces are sent
/// on behalf of the group that is traced, where Java has a group of its own for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Topic that gets the traces. Default `RMQ_SYS_TRACE_TOPIC`, which brokers have when they run
    /// with `traceTopicEnable=true`. Another one is inside the namespace, if there is one.
    pub topic: TopicName,
    /// Whose trace topics. Default [`AccessChannel::Local`].
    pub channel: AccessChannel,
    /// So many records make a message. Default 10, at most 20 (`traceMsgBatchNum`).
    pub batch: usize,
    /// A record waits no longer than that for others. Default 5 s.
    pub interval: Duration,
    /// Whether sends that failed are traced too, with success `false`. Default false: Java traces
    /// none of them.
    pub failures: bool,
    /// Most records that wait; past it they are dropped and counted
    /// ([`Stats::traces_dropped`](crate::Stats::traces_dropped)). Default 2,048. Together they have
    /// at most 8 MiB.
    pub records_max: usize,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            topic: TopicName::new(TRACE_TOPIC).expect("a constant that is valid"),
            channel: AccessChannel::Local,
            batch: 10,
            interval: Duration::from_secs(5),
            failures: false,
            records_max: 2_048,
        }
    }
}

/// Whose cluster it is (`AccessChannel.java`). It decides nothing but the trace topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AccessChannel {
    /// One's own: traces go to [`Trace::topic`].
    #[default]
    Local,
    /// A cloud's: traces go to `rmq_sys_TRACE_DATA_` and the region that the broker names.
    Cloud,
}

/// Most records in a message.
const BATCH_MAX: usize = 20;
/// A message that is so long takes no more records.
const BODY_BYTES_MAX: usize = 128_000;
/// Most bytes of records that wait.
const BYTES_MAX: usize = 8 << 20;
/// Most trace messages under way at a time.
const IN_HAND_MAX: usize = 32;
/// How long a trace message may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take once nothing else is left to do.
const LAST_TIMEOUT: Duration = Duration::from_secs(1);

/// Records on their way to the trace topic.
pub(crate) struct Tracer {
    policy: Trace,
    waiting: VecDeque<Entry>,
    bytes: usize,
    /// When the oldest record has waited for long enough.
    flush_at: Instant,
    in_hand: Vec<Key>,
    /// Attempts of trace messages that have ended.
    attempts: u64,
}

/// A record that waits.
struct Entry {
    trace_topic: TopicName,
    /// Topic of the message: one trace message is about one topic, as in Java.
    topic: String,
    group: GroupId,
    text: String,
    /// Joined by blanks, the id first.
    keys: String,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.text.len() + self.keys.len() + self.topic.len()
    }
}

impl Tracer {
    pub(crate) fn new(policy: &Trace) -> Box<Self> {
        let policy = Trace { batch: policy.batch.clamp(1, BATCH_MAX), ..policy.clone() };
        Box::new(Self {
            policy,
            waiting: VecDeque::new(),
            bytes: 0,
            flush_at: Instant::FAR,
            in_hand: Vec::new(),
            attempts: 0,
        })
    }

    /// Whether sends that failed are traced too.
    pub(crate) fn wants_failures(&self) -> bool {
        self.policy.failures
    }

    /// Whether messages to this topic are traces themselves.
    fn is_trace_topic(&self, topic: &str) -> bool {
        !planted!(TracesTraced)
            && (topic.starts_with(self.policy.topic.as_str())
                || topic.starts_with(CLOUD_TRACE_PREFIX))
    }

    /// The topic for traces of this region's brokers; `None` if the region is no part of a name.
    fn topic_for(&self, region: &str) -> Option<TopicName> {
        match self.policy.channel {
            AccessChannel::Local => Some(self.policy.topic.clone()),
            AccessChannel::Cloud => {
                TopicName::new(&alloc::format!("{CLOUD_TRACE_PREFIX}{region}")).ok()
            }
        }
    }

    /// Takes the oldest records that make one message: its text and its keys.
    fn take(&mut self, bytes_max: usize) -> Option<(Entry, usize)> {
        let mut first = self.waiting.pop_front()?;
        self.bytes -= first.bytes();
        let mut count = 1;
        while count < self.policy.batch
            && let Some(next) = self.waiting.front()
            && (&next.trace_topic, &next.topic) == (&first.trace_topic, &first.topic)
            && next.group == first.group
            && first.text.len() + next.text.len() <= bytes_max
        {
            self.bytes -= next.bytes();
            first.text.push_str(&next.text);
            first.keys.push(' ');
            first.keys.push_str(&next.keys);
            self.waiting.pop_front();
            count += 1;
        }
        Some((first, count))
    }
}

/// The keys of a trace message: each once, ids before all others, and no more than a message may
/// have.
fn index_keys(joined: &str) -> String {
    let mut found: Vec<&str> = Vec::new();
    let mut bytes = names::KEYS.len() + 2;
    for key in joined.split(' ').filter(|key| !key.is_empty()) {
        let fits = bytes + key.len() < PROPERTY_BYTES_MAX;
        if fits && !found.contains(&key) {
            bytes += key.len() + 1;
            found.push(key);
        }
    }
    found.join(" ")
}

impl<T> Producer<T> {
    /// Whether anything is traced.
    #[inline]
    pub(crate) fn traces(&self) -> bool {
        has::TRACE && self.tracer.is_some()
    }

    /// Keeps a record.
    pub(crate) fn trace(
        &mut self,
        group: GroupId,
        topic: &str,
        region: &str,
        message_id: Cow<'_, str>,
        time_ms: u64,
        event: TraceEvent<'_>,
    ) {
        let Some(tracer) = &mut self.tracer else { return };
        if tracer.is_trace_topic(topic) {
            return;
        }
        let named = self.groups.get(usize::from(group.0)).unwrap_or(&self.groups[0]);
        let record = TraceRecord {
            time_ms,
            region: region.into(),
            group: namespace::unwrap_any(named.name.as_str()),
            topic: namespace::unwrap_any(topic),
            message_id,
            event,
        };
        let mut text = String::new();
        record.encode(&mut text);
        let keys = record.index_keys().collect::<Vec<_>>().join(" ");
        let topic = String::from(&*record.topic);
        let trace_topic = tracer.topic_for(region);
        let entry = trace_topic.map(|trace_topic| Entry { trace_topic, topic, group, text, keys });
        let full = tracer.waiting.len() >= tracer.policy.records_max && !planted!(TracesUnbounded);
        let fits = |entry: &Entry| !full && tracer.bytes + entry.bytes() <= BYTES_MAX;
        let Some(entry) = entry.filter(fits) else {
            self.stats.traces_dropped += 1;
            return;
        };
        tracer.bytes += entry.bytes();
        tracer.waiting.push_back(entry);
        if tracer.waiting.len() == 1 {
            tracer.flush_at = self.now + tracer.policy.interval;
        }
        let at = tracer.flush_at;
        self.wake_by(at);
        self.flush_batches();
    }

    /// Sends what there is enough of.
    fn flush_batches(&mut self) {
        let enough = |tracer: &Tracer| tracer.waiting.len() >= tracer.policy.batch;
        while self.tracer.as_deref().is_some_and(enough) && self.flush_one(TIMEOUT) {}
    }

    /// Sends what has waited for long enough. Returns when that is so again.
    pub(crate) fn tend_traces(&mut self) -> Instant {
        let Some(tracer) = self.tracer.as_mut().filter(|_| has::TRACE) else {
            return Instant::FAR;
        };
        if tracer.flush_at <= self.now {
            tracer.flush_at = self.now + tracer.policy.interval;
            while self.flush_one(TIMEOUT) {}
        }
        self.tracer.as_ref().map_or(Instant::FAR, |tracer| tracer.flush_at)
    }

    /// Nothing is left to do but to send the last traces: whether there are some.
    pub(crate) fn flush_last_traces(&mut self) -> bool {
        if !self.traces() {
            return false;
        }
        while self.flush_one(LAST_TIMEOUT) {}
        self.tracer.as_ref().is_some_and(|tracer| !tracer.in_hand.is_empty())
    }

    /// Sends one trace message. False if there is nothing to send, or too many are under way.
    fn flush_one(&mut self, timeout: Duration) -> bool {
        let bytes_max = BODY_BYTES_MAX.min(self.config.message_bytes_max);
        let over = |closing: &Closing| {
            closing.stage != ClosingStage::Draining || self.now >= closing.deadline
        };
        let over = self.closing.as_ref().is_some_and(over);
        let Some(tracer) = &mut self.tracer else { return false };
        if tracer.in_hand.len() >= IN_HAND_MAX {
            return false;
        }
        let taken = tracer.take(bytes_max);
        if tracer.waiting.is_empty() {
            tracer.flush_at = Instant::FAR;
        }
        let Some((entry, records)) = taken else { return false };
        let message = Message::new(entry.trace_topic.clone(), entry.text)
            .and_then(|message| message.put(names::KEYS, &index_keys(&entry.keys)));
        let topic = self.topic(&entry.trace_topic, entry.group);
        let (false, Ok(message), Ok(topic)) = (over, message, topic) else {
            self.stats.traces_dropped += records as u64;
            return true;
        };
        let special = Special { form: Form::Trace(records), properties: String::new() };
        let options =
            SendOptions { group: entry.group, timeout: Some(timeout), ..SendOptions::default() };
        let key = self.insert(None, message, options, topic, 0, Some(Box::new(special)));
        if let Some(send) = self.sends.get_mut(key) {
            // It takes none of the application's room and waits for none of it.
            send.holds_room = true;
            send.stage = Stage::Backoff;
        }
        if let Some(tracer) = &mut self.tracer {
            tracer.in_hand.push(key);
        }
        // It goes on at the end of the call: whoever calls may be in the midst of something.
        self.ready.push_back(key);
        true
    }

    /// A send has ended: if it was a trace, it is over, and nobody is told.
    pub(crate) fn trace_ended(&mut self, key: Key, stored: bool) -> bool {
        let Some(send) = self.sends.get(key) else { return false };
        let Some(Form::Trace(records)) = form(send) else { return false };
        let (records, attempts) = (*records as u64, u64::from(send.attempts_all));
        // It was never counted in, and removing it counts it out.
        self.sends_admitted += 1;
        self.remove(key, Outcome::NotSent, |_| ());
        if let Some(tracer) = &mut self.tracer {
            tracer.in_hand.retain(|&trace| trace != key);
            tracer.attempts += attempts;
        }
        match stored {
            true => self.stats.traces += records,
            false => self.stats.traces_dropped += records,
        }
        self.flush_batches();
        true
    }

    /// Takes out of the counters what is not the application's.
    pub(crate) fn without_traces(&self, stats: Stats) -> Stats {
        let Some(tracer) = self.tracer.as_ref().filter(|_| has::TRACE) else { return stats };
        let in_hand = tracer.in_hand.iter().filter_map(|&key| self.sends.get(key));
        let under_way: u64 = in_hand.map(|send| u64::from(send.attempts_all)).sum();
        let ours = if planted!(TracesCounted) { 0 } else { tracer.in_hand.len() };
        Stats {
            in_hand: stats.in_hand - ours,
            attempts: stats.attempts - tracer.attempts - under_way,
            ..stats
        }
    }
}

pub(crate) fn form<T>(send: &Send<T>) -> Option<&Form> {
    send.special.as_deref().map(|special| &special.form)
}
