//! What makes a message more than a plain one (spec §7.2, §7.9)?
//!
//! All of it is properties that brokers look at; nothing here changes how a message is sent.

use alloc::string::{String, ToString};
use core::time::Duration;

use crate::message::{InvalidMessage, Message};
use crate::wire::names::is_blank;
use crate::wire::property_names as names;

/// Properties that have a message delivered later.
pub(crate) const DELAYS: [&str; 4] = [
    names::DELAY_TIME_LEVEL,
    names::TIMER_DELAY_SEC,
    names::TIMER_DELAY_MS,
    names::TIMER_DELIVER_MS,
];

/// What keeps the timer messages of a broker (5.4.0), for
/// [`Message::timer_engine`](Message::timer_engine).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerEngine {
    /// Files in the shape of a wheel, the broker's default (`F`).
    FileTimeWheel,
    /// A RocksDB database (`R`).
    RocksDbTimeline,
}

/// Kinds of messages. A message can be delayed in one way only, for brokers silently believe one of
/// two. Delayed messages go out alone, neither in batches nor in transactions.
///
/// ```
/// # use core::time::Duration;
/// # use producer_core::{InvalidMessage, Message};
/// let tomorrow = Message::new("bills", "pay")?.delay(Duration::from_secs(86_400))?;
/// assert_eq!(tomorrow.property("TIMER_DELAY_MS"), Some("86400000"));
/// let both = tomorrow.delay_level(3);
/// assert!(matches!(both, Err(InvalidMessage::DelayedTwice { .. })));
/// let urgent = Message::new("alarms", "fire")?.priority(9)?.sharding_key("house-7")?;
/// # assert!(!urgent.is_delayed());
/// # Ok::<(), InvalidMessage>(())
/// ```
impl Message {
    /// Delivers it later, by one of the 18 levels that brokers have by default: 1 s, 5 s, 10 s,
    /// 30 s, 1 to 10 minutes, 20 and 30 minutes, 1 h and 2 h (`DELAY`, `messageDelayLevel`).
    ///
    /// A broker that was given fewer levels takes its last for all above.
    ///
    /// # Errors
    /// [`UnknownDelayLevel`](InvalidMessage::UnknownDelayLevel) for any other number than 1 to 18
    /// (Java sends it, and brokers deliver at once or take the last);
    /// [`DelayedTwice`](InvalidMessage::DelayedTwice).
    pub fn delay_level(self, level: u32) -> Result<Self, InvalidMessage> {
        if !(1..=Self::DELAY_LEVEL_MAX).contains(&level) {
            return Err(InvalidMessage::UnknownDelayLevel { level });
        }
        self.put_delay(names::DELAY_TIME_LEVEL, i64::from(level))
    }

    /// The highest delay level.
    pub const DELAY_LEVEL_MAX: u32 = 18;

    /// Delivers it so long after a broker got it (`TIMER_DELAY_MS`, brokers since 5.0). Counted in
    /// milliseconds, parts of one rounded up. Brokers round down to their precision (1 s), and
    /// refuse more than `timerMaxDelaySec` (3 days) with code 13.
    ///
    /// Brokers of 4.9 ignore it and **deliver at once**: use
    /// [`delay_level`](Self::delay_level) there. The receipt has a handle by which it can be
    /// recalled.
    ///
    /// # Errors
    /// [`DelayedTwice`](InvalidMessage::DelayedTwice);
    /// [`DelayTooLong`](InvalidMessage::DelayTooLong) past 2^63 ms.
    pub fn delay(self, delay: Duration) -> Result<Self, InvalidMessage> {
        let rounded = delay.saturating_add(Duration::from_nanos(999_999));
        let ms = i64::try_from(rounded.as_millis()).map_err(|_| InvalidMessage::DelayTooLong)?;
        self.put_delay(names::TIMER_DELAY_MS, ms)
    }

    /// [`delay`](Self::delay) in whole seconds (`TIMER_DELAY_SEC`).
    ///
    /// # Errors
    /// As [`delay`](Self::delay).
    pub fn delay_seconds(self, seconds: u64) -> Result<Self, InvalidMessage> {
        let longest = i64::MAX as u64 / 1_000;
        let seconds = if seconds <= longest { Some(seconds as i64) } else { None };
        self.put_delay(names::TIMER_DELAY_SEC, seconds.ok_or(InvalidMessage::DelayTooLong)?)
    }

    /// Delivers it at this time, in milliseconds since 1970 by the broker's clock
    /// (`TIMER_DELIVER_MS`, brokers since 5.0); at once if that is past. For the rest as
    /// [`delay`](Self::delay).
    ///
    /// # Errors
    /// As [`delay`](Self::delay).
    pub fn deliver_at(self, unix_ms: u64) -> Result<Self, InvalidMessage> {
        let ms = i64::try_from(unix_ms).map_err(|_| InvalidMessage::DelayTooLong)?;
        self.put_delay(names::TIMER_DELIVER_MS, ms)
    }

    /// Which of its timers the broker is to keep it in (`E_T`, 5.4.0). Default: the broker's own
    /// choice.
    ///
    /// # Errors
    /// [`PropertiesTooLong`](InvalidMessage::PropertiesTooLong) when there is no room for it.
    pub fn timer_engine(self, engine: TimerEngine) -> Result<Self, InvalidMessage> {
        let engine = match engine {
            TimerEngine::FileTimeWheel => names::TIMER_ENGINE_FILE_TIME_WHEEL,
            TimerEngine::RocksDbTimeline => names::TIMER_ENGINE_ROCKSDB_TIMELINE,
        };
        self.put(names::TIMER_ENGINE_TYPE, engine)
    }

    /// Of messages that wait, consumers get those of a higher priority first
    /// (`_SYS_MSG_PRIORITY_`, 5.4.0). The broker puts it into the queue of this number, or the
    /// last, whatever queue the send has chosen; the receipt names it. Use it for topics that were
    /// made for priorities. Older brokers ignore it.
    ///
    /// # Errors
    /// [`PropertiesTooLong`](InvalidMessage::PropertiesTooLong) when there is no room for it.
    pub fn priority(self, priority: u16) -> Result<Self, InvalidMessage> {
        self.put(names::PRIORITY, &priority.to_string())
    }

    /// The key whose messages belong in one order (`__SHARDINGKEY`). It only marks the message as
    /// one of a FIFO topic, for proxies and consumers; what keeps the order is
    /// [`QueueChoice::ordered`](crate::QueueChoice::ordered).
    ///
    /// # Errors
    /// When it is blank or holds a separator.
    pub fn sharding_key(self, key: &str) -> Result<Self, InvalidMessage> {
        self.put(names::SHARDING_KEY, key)
    }

    /// Puts the message into these light queues too (`INNER_MULTI_DISPATCH`, names as brokers know
    /// them, such as `%LMQ%name`), on brokers with `enableMultiDispatch`.
    ///
    /// # Errors
    /// [`InvalidDispatch`](InvalidMessage::InvalidDispatch) when there is no name, or one is blank
    /// or holds a comma, a separator, or a `/`, which a 5.x broker takes for a path.
    pub fn multi_dispatch<'q>(
        self,
        queues: impl IntoIterator<Item = &'q str>,
    ) -> Result<Self, InvalidMessage> {
        let mut joined = String::new();
        for queue in queues {
            if is_blank(queue) || queue.contains([',', '/', '\u{1}', '\u{2}']) {
                return Err(InvalidMessage::InvalidDispatch { name: String::from(queue) });
            }
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(queue);
        }
        if joined.is_empty() {
            return Err(InvalidMessage::InvalidDispatch { name: joined });
        }
        self.put(names::INNER_MULTI_DISPATCH, &joined)
    }

    /// For the message of a transaction: the broker asks how it has ended no sooner than this
    /// (`CHECK_IMMUNITY_TIME_IN_SECONDS`; its default is 6 s). Counted in seconds, rounded up.
    ///
    /// # Errors
    /// [`PropertiesTooLong`](InvalidMessage::PropertiesTooLong) when there is no room for it.
    pub fn check_immunity(self, time: Duration) -> Result<Self, InvalidMessage> {
        let seconds = time.as_nanos().div_ceil(1_000_000_000);
        self.put(names::CHECK_IMMUNITY_TIME_IN_SECONDS, &seconds.to_string())
    }

    /// The instance that it belongs to (`INSTANCE_ID`), for proxies and consumers that look at it;
    /// brokers of RocketMQ do not. A producer with a namespace names that instead.
    ///
    /// # Errors
    /// When it is blank or holds a separator.
    pub fn instance_id(self, instance: &str) -> Result<Self, InvalidMessage> {
        self.put(names::INSTANCE_ID, instance)
    }

    /// Who buys (`BUYER_ID`), for consumers that look at it; brokers do not. It can be read as the
    /// property of that name.
    ///
    /// # Errors
    /// When it is blank or holds a separator.
    pub fn buyer_id(self, buyer: &str) -> Result<Self, InvalidMessage> {
        self.put(names::BUYER_ID, buyer)
    }

    /// Whether it is to be delivered later.
    pub fn is_delayed(&self) -> bool {
        DELAYS.iter().any(|name| self.property(name).is_some())
    }

    /// Sets how long it is delayed, unless that is said in another way.
    fn put_delay(self, name: &'static str, value: i64) -> Result<Self, InvalidMessage> {
        let other = DELAYS.iter().find(|other| **other != name && self.property(other).is_some());
        match other {
            Some(&first) if !planted!(DelayedTwice) => {
                Err(InvalidMessage::DelayedTwice { first, second: name })
            }
            _ => self.put(name, &value.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message::new("t", "b").expect("valid")
    }

    #[test]
    fn delay_levels_are_1_to_18() {
        for level in [1, 18] {
            let message = message().delay_level(level).expect("a level");
            assert_eq!(message.property("DELAY"), Some(&*level.to_string()));
            assert!(message.is_delayed());
        }
        for level in [0, 19, u32::MAX] {
            let refused = message().delay_level(level);
            assert_eq!(refused, Err(InvalidMessage::UnknownDelayLevel { level }));
        }
        assert!(!message().is_delayed());
    }

    /// The planted bug `DelayedTwice` makes this fail.
    #[test]
    fn a_message_is_delayed_in_one_way_only() {
        type Set = fn(Message) -> Result<Message, InvalidMessage>;
        let ways: [(&str, Set); 4] = [
            ("DELAY", |message| message.delay_level(3)),
            ("TIMER_DELAY_SEC", |message| message.delay_seconds(3)),
            ("TIMER_DELAY_MS", |message| message.delay(Duration::from_millis(3))),
            ("TIMER_DELIVER_MS", |message| message.deliver_at(1_800_000_000_000)),
        ];
        for (first, set) in ways {
            let delayed = set(message()).expect("one way");
            for (second, set_again) in ways {
                let both = set_again(delayed.clone());
                if first == second {
                    assert!(both.is_ok(), "{first} may be set anew");
                } else {
                    assert_eq!(both, Err(InvalidMessage::DelayedTwice { first, second }));
                }
            }
        }
    }

    #[test]
    fn times_are_counted_in_the_units_of_brokers() {
        let ms =
            |delay| message().delay(delay).map(|m| m.property("TIMER_DELAY_MS").map(String::from));
        assert_eq!(ms(Duration::from_secs(2)), Ok(Some("2000".into())));
        assert_eq!(ms(Duration::from_micros(1_001)), Ok(Some("2".into())), "never too early");
        assert_eq!(ms(Duration::ZERO), Ok(Some("0".into())));
        assert_eq!(ms(Duration::MAX), Err(InvalidMessage::DelayTooLong));
        assert_eq!(message().delay_seconds(u64::MAX), Err(InvalidMessage::DelayTooLong));
        assert_eq!(message().deliver_at(u64::MAX), Err(InvalidMessage::DelayTooLong));
        let immune = message().check_immunity(Duration::from_millis(6_001)).expect("short");
        assert_eq!(immune.property("CHECK_IMMUNITY_TIME_IN_SECONDS"), Some("7"));
    }

    #[test]
    fn names_of_light_queues_are_checked() {
        let dispatched = message().multi_dispatch(["%LMQ%one", "%LMQ%two"]).expect("two names");
        assert_eq!(dispatched.property("INNER_MULTI_DISPATCH"), Some("%LMQ%one,%LMQ%two"));
        for bad in ["", " ", "a,b", "../x", "a\u{1}b"] {
            let name = String::from(bad);
            let refused = message().multi_dispatch(["good", bad]);
            assert_eq!(refused, Err(InvalidMessage::InvalidDispatch { name }));
        }
        assert!(message().multi_dispatch([]).is_err());
    }

    #[test]
    fn kinds_that_are_no_delay_go_together() {
        let message = message()
            .priority(3)
            .and_then(|message| message.sharding_key("order-1"))
            .and_then(|message| message.timer_engine(TimerEngine::RocksDbTimeline))
            .and_then(|message| message.instance_id("instance-1"))
            .and_then(|message| message.buyer_id("buyer-1"))
            .and_then(|message| message.delay_level(1))
            .expect("valid");

        for (name, value) in [
            ("_SYS_MSG_PRIORITY_", "3"),
            ("__SHARDINGKEY", "order-1"),
            ("E_T", "R"),
            ("INSTANCE_ID", "instance-1"),
            ("BUYER_ID", "buyer-1"),
            ("DELAY", "1"),
        ] {
            assert_eq!(message.property(name), Some(value), "{name}");
        }
    }
}
