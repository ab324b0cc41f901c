//! When does a delayed message show up? Delay levels (`ScheduleMessageService.java`) and timers
//! (`HookUtils.java`, `TimerMessageStore.java`).
//!
//! What waits is in the log, in an internal topic; the message that shows up names it by its
//! prepared transaction offset, which Java leaves 0. So nothing but the log has to be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use producer_core::wire::code::response;
use producer_core::wire::property_names::{
    DELAY_TIME_LEVEL, REAL_QUEUE_ID, REAL_TOPIC, TIMER_DEL_UNIQKEY, TIMER_DELAY_MS,
    TIMER_DELAY_SEC, TIMER_DELIVER_MS, TIMER_DEQUEUE_MS, TIMER_ENQUEUE_MS, TIMER_OUT_MS,
    UNIQ_CLIENT_MESSAGE_ID_KEYIDX as UNIQ_KEY,
};
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{WireError, properties, sys_flag};

use super::super::answer::Answer;
use super::super::{Instant, Release};
use super::store::{Place, replaced, without};
use super::topics::{DELAY_TOPIC, TIMER_TOPIC, is_internal};
use super::{Broker, Cut, Message, Why};

/// How a message is to be delayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delay {
    /// By a level, from 1 on.
    Level(usize),
    /// Until this time in ms since 1970, as brokers round it.
    Timer(i64),
}

/// A delayed message, as a broker's log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayedMessage {
    /// The message under the topic and queue that it is for; its offsets are those that the send
    /// was answered.
    pub message: Message,
    /// When it is due, in ms since 1970.
    pub due_at: i64,
    /// It is in its topic.
    pub delivered: bool,
    /// It will never be in its topic.
    pub recalled: bool,
}

/// What waits for its time.
#[derive(Debug, Default)]
pub(super) struct Delayed {
    /// When a message is due, in ms since 1970, and its physical offset.
    due: BTreeSet<(i64, i64)>,
    /// Not before then: the disk was full.
    retry_at: Option<Instant>,
}

impl Delayed {
    /// When something has to be done.
    pub(super) fn next_at(&self, wall_origin_ms: i64) -> Option<Instant> {
        let first = self.due.first()?.0.saturating_sub(wall_origin_ms);
        let first = Instant::from_millis(u64::try_from(first).unwrap_or(0));
        Some(self.retry_at.map_or(first, |retry_at| first.max(retry_at)))
    }
}

impl Broker {
    /// How a message with these properties is to be delayed, if at all.
    pub(super) fn delay_of(&self, now: Instant, text: &str) -> Result<Option<Delay>, Answer> {
        if let Some(level) = properties::get(text, DELAY_TIME_LEVEL) {
            let Ok(level) = level.parse::<i32>() else {
                let what =
                    format!("java.lang.NumberFormatException: For input string: \"{level}\"");
                return Err(Answer::outside(response::SYSTEM_ERROR, what));
            };
            if level > 0 {
                let max = self.config.delay_levels.len();
                return Ok(Some(Delay::Level(usize::try_from(level).unwrap_or(max).min(max))));
            }
        }
        let timer = TIMERS.iter().find_map(|&name| Some((name, properties::get(text, name)?)));
        let Some((name, value)) = timer.filter(|_| self.config.release == Release::V5_4_0) else {
            return Ok(None);
        };
        if !self.config.timers {
            let remark = "accurate timer message is not enabled, timerWheelEnable is false";
            return Err(Answer::error(response::SYSTEM_ERROR, remark));
        }
        let wall = self.wall_ms(now);
        let deliver = value.parse::<i64>().ok().map(|value| match name {
            TIMER_DELAY_SEC => wall.saturating_add(value.saturating_mul(1_000)),
            TIMER_DELAY_MS => wall.saturating_add(value),
            _ => value,
        });
        let max = millis(self.config.timer_max);
        match deliver {
            Some(deliver) if deliver <= wall => Ok(None),
            Some(deliver) if deliver - wall <= max => {
                Ok(Some(Delay::Timer(self.timer_slot(deliver))))
            }
            _ => Err(Answer::error(response::MESSAGE_ILLEGAL, timer_illegal(max))),
        }
    }

    /// The start of the slot of the timer wheel that a time is in, or the slot before if it is a
    /// start itself.
    pub(super) fn timer_slot(&self, deliver: i64) -> i64 {
        let precision = millis(self.config.timer_precision).max(1);
        (deliver - 1).div_euclid(precision) * precision
    }

    /// Stores a message that is to be delayed.
    pub(super) fn store_delayed(
        &mut self,
        now: Instant,
        mut message: StoredMessage<'_>,
        delay: Delay,
    ) -> Result<Place, WireError> {
        let queue_id = message.queue_id.to_string();
        let out = match delay {
            Delay::Level(_) => None,
            Delay::Timer(out) => Some(out.to_string()),
        };
        let out = out.as_deref().map(|out| (TIMER_OUT_MS, out));
        let real = [(REAL_TOPIC, &*message.topic), (REAL_QUEUE_ID, &*queue_id)];
        let ours: Vec<_> = real.into_iter().chain(out).collect();
        let text = match (delay, self.config.release) {
            (Delay::Level(_), Release::V5_4_0) => without(&message.properties, &TIMERS),
            _ => message.properties.to_string(),
        };
        message.properties = replaced(&text, &ours).into();
        (message.topic, message.queue_id) = match delay {
            Delay::Level(level) => (DELAY_TOPIC.into(), level as i32 - 1),
            Delay::Timer(_) => (TIMER_TOPIC.into(), 0),
        };
        let place = self.append_internal(now, message)?;
        let due_at = self.due_at(delay, self.wall_ms(now));
        self.delayed.due.insert((due_at, place.at));
        Ok(place)
    }

    /// When what was stored at `stored` is due.
    fn due_at(&self, delay: Delay, stored: i64) -> i64 {
        match delay {
            Delay::Level(level) => {
                let time = self.config.delay_levels.get(level.saturating_sub(1));
                stored.saturating_add(time.map_or(0, |time| millis(*time)))
            }
            // A slot is read when it is over.
            Delay::Timer(out) => out.saturating_add(millis(self.config.timer_precision)),
        }
    }

    /// Lets show up what is due.
    pub(super) fn deliver_delayed(&mut self, now: Instant) {
        let wall = self.wall_ms(now);
        if self.config.id != 0 || self.delayed.retry_at.is_some_and(|at| now < at) {
            return;
        }
        self.delayed.retry_at = None;
        while let Some(&(due_at, at)) = self.delayed.due.first().filter(|first| first.0 <= wall) {
            if self.disk.full {
                self.delayed.retry_at = Some(now + RETRY);
                return;
            }
            self.delayed.due.remove(&(due_at, at));
            let shown = self.show_up(now, at);
            debug_assert!(shown.is_ok(), "what was stored can be stored again: {shown:?}");
            self.offer_copy(now);
        }
    }

    fn show_up(&mut self, now: Instant, at: i64) -> Result<(), WireError> {
        let Some(record) = self.log.indexed(at).map(<[u8]>::to_vec) else { return Ok(()) };
        let waited = StoredMessage::decode(&record)?.0;
        let text = waited.properties.clone();
        let mut message = waited.clone();
        if waited.topic == TIMER_TOPIC {
            let (stored, now) = (waited.store_timestamp.to_string(), self.wall_ms(now).to_string());
            let ours = [(TIMER_ENQUEUE_MS, &*stored), (TIMER_DEQUEUE_MS, &*now)];
            message.properties = replaced(&text, &ours).into();
        }
        message.topic = real_topic(&text).into();
        message.queue_id = real_queue(&text);
        message.prepared_transaction_offset = at;
        self.stamp(now, &mut message);
        if self.topics.get(&message.topic).is_none() {
            self.cuts.push(Cut { message: Message::from(&message), why: Why::TopicDeleted });
            return Ok(());
        }
        self.append(usize::try_from(message.queue_id).unwrap_or(0), message).map(|_| ())
    }

    /// Takes back what waits in a slot.
    pub(super) fn forget_delayed(&mut self, slot: i64, topic: &str, uniq_key: &str) {
        let due_at = self.due_at(Delay::Timer(slot), 0);
        let same = |at: i64| {
            self.stored(at).is_some_and(|waiting| {
                waiting.topic == TIMER_TOPIC
                    && waiting.uniq_key() == Some(uniq_key)
                    && real_topic(&waiting.properties) == topic
            })
        };
        let in_slot = self.delayed.due.range((due_at, 0)..=(due_at, i64::MAX));
        let gone: Vec<_> = in_slot.copied().filter(|&(_, at)| same(at)).collect();
        self.delayed.due.retain(|one| !gone.contains(one));
    }

    /// Reads from the log what waits.
    pub(super) fn find_delayed(&mut self) {
        let all = self.delayed_messages();
        let waits = all.iter().filter(|one| !one.delivered && !one.recalled);
        let due = waits.map(|one| (one.due_at, one.message.physical_offset)).collect();
        self.delayed = Delayed { due, retry_at: None };
    }

    /// All delayed messages of the log, in the order they were sent.
    pub fn delayed_messages(&self) -> Vec<DelayedMessage> {
        let mut all: Vec<DelayedMessage> = Vec::new();
        let mut by_offset = BTreeMap::new();
        for message in self.log.messages() {
            let text = &*message.properties;
            let before = message.prepared_transaction_offset;
            if properties::get(text, TIMER_DEL_UNIQKEY).is_some() {
                let out = properties::get(text, TIMER_OUT_MS);
                let same = |one: &&mut DelayedMessage| {
                    one.message.property(TIMER_OUT_MS) == out
                        && one.message.uniq_key() == properties::get(text, UNIQ_KEY)
                        && one.message.topic == real_topic(text)
                };
                all.iter_mut().filter(same).for_each(|one| one.recalled = true);
            } else if let Some(due_at) = self.due_of(&message) {
                by_offset.insert(message.physical_offset, all.len());
                let message = Message {
                    topic: real_topic(text).to_owned(),
                    queue_id: real_queue(text),
                    ..Message::from(&message)
                };
                let (delivered, recalled) = (false, false);
                all.push(DelayedMessage { message, due_at, delivered, recalled });
            } else if let Some(&number) = by_offset.get(&before)
                && sys_flag::transaction(message.sys_flag) == 0
                && !is_internal(&message.topic)
                && all[number].message.uniq_key() == message.uniq_key()
            {
                all[number].delivered = true;
            }
        }
        all
    }

    /// When a record that waits is due.
    fn due_of(&self, message: &StoredMessage<'_>) -> Option<i64> {
        let delay = match &*message.topic {
            DELAY_TOPIC => Delay::Level(usize::try_from(message.queue_id).ok()? + 1),
            TIMER_TOPIC => {
                Delay::Timer(properties::get(&message.properties, TIMER_OUT_MS)?.parse().ok()?)
            }
            _ => return None,
        };
        Some(self.due_at(delay, message.store_timestamp))
    }
}

/// The topic that a message is for.
fn real_topic(text: &str) -> &str {
    properties::get(text, REAL_TOPIC).unwrap_or("")
}

/// The queue that a message is for.
pub(super) fn real_queue(text: &str) -> i32 {
    properties::get(text, REAL_QUEUE_ID).and_then(|id| id.parse().ok()).unwrap_or(0)
}

fn timer_illegal(max_ms: i64) -> String {
    format!(
        "timer message illegal, the delay time should not be bigger than the max delay \
         {max_ms}ms; or if set del msg, the delay time should be bigger than the current time"
    )
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Properties that make a timer message; the first that is there counts.
const TIMERS: [&str; 3] = [TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS];
/// Wait before what is due is tried again.
const RETRY: Duration = Duration::from_secs(1);
