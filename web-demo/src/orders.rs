//! What can be done to a node?

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sim::model::broker::{Fault, Refusal};

/// What a visitor does to a node; its name in the interface is that of [`Order::NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Stops it at once: connections are reset and its port refuses. A broker's log stays.
    Kill,
    /// Starts it on its port; a name server comes back without routes, and brokers tell it again.
    Restart,
    /// Kills a broker and starts it at another address, with its log.
    Move,
    /// Freezes it: the kernel takes connections and what they send, and nothing is read.
    Pause,
    /// Ends a pause: what was sent meanwhile is executed and answered.
    Resume,
    /// Each answer leaves so much later: `slow?ms=200`. 0 for at once.
    Slow(Duration),
    /// A broker stores, and answers no send.
    DropAnswers,
    /// A broker stores nothing and answers each send with `SYSTEM_BUSY`.
    Busy,
    /// A broker stores the next send, and cuts the connection in the middle of its answer.
    HalfAnswer,
    /// Nobody reaches a broker, while it runs on and name servers still name it.
    CutOff,
    /// Ends that.
    Rejoin,
    /// A name server keeps the routes it has, whatever brokers tell it.
    Stale,
    /// Ends all of these but [`Order::Kill`].
    Heal,
}

impl Order {
    /// What orders are called, without their parameter.
    pub const NAMES: [&str; 13] = [
        "kill",
        "restart",
        "move",
        "pause",
        "resume",
        "slow",
        "drop-answers",
        "busy",
        "half-answer",
        "cut-off",
        "rejoin",
        "stale",
        "heal",
    ];

    /// Reads an order and the query behind it.
    ///
    /// # Errors
    /// If there is none of that name, or its `ms` is missing, no number, or more than a minute.
    pub fn read(name: &str, query: Option<&str>) -> Result<Self, UnknownOrder> {
        if name == "slow" {
            let ms = query.and_then(|query| query.strip_prefix("ms="));
            let ms = ms.and_then(|ms| u64::from_str(ms).ok()).filter(|&ms| ms <= SLOW_MS_MAX);
            return ms.map(Duration::from_millis).map(Self::Slow).ok_or(UnknownOrder);
        }
        let order = match name {
            "kill" => Self::Kill,
            "restart" => Self::Restart,
            "move" => Self::Move,
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "drop-answers" => Self::DropAnswers,
            "busy" => Self::Busy,
            "half-answer" => Self::HalfAnswer,
            "cut-off" => Self::CutOff,
            "rejoin" => Self::Rejoin,
            "stale" => Self::Stale,
            "heal" => Self::Heal,
            _ => return Err(UnknownOrder),
        };
        query.is_none().then_some(order).ok_or(UnknownOrder)
    }

    /// What a broker does to sends from then on, and how the page calls it.
    pub(crate) const fn fault(self) -> Option<(Fault, &'static str)> {
        match self {
            Self::DropAnswers => Some((Fault::NoAnswer, "drop-answers")),
            Self::Busy => Some((Fault::Refuse(Refusal::Busy), "busy")),
            Self::HalfAnswer => Some((Fault::HalfAnswer, "half-answer")),
            _ => None,
        }
    }
}

const SLOW_MS_MAX: u64 = 60_000;

/// An order that nobody knows, or that lacks what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownOrder;

impl fmt::Display for UnknownOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there are the orders {}; slow wants ms=0 to {SLOW_MS_MAX}",
            Order::NAMES.join(", ")
        )
    }
}

impl std::error::Error for UnknownOrder {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_an_order_and_nothing_else_is() {
        for name in Order::NAMES {
            let query = (name == "slow").then_some("ms=200");
            assert!(Order::read(name, query).is_ok(), "{name}");
        }
        assert_eq!(Order::read("slow", Some("ms=5")), Ok(Order::Slow(Duration::from_millis(5))));
        for (name, query) in [
            ("", None),
            ("Kill", None),
            ("slow", None),
            ("slow", Some("ms=-1")),
            ("slow", Some("ms=60001")),
            ("slow", Some("ms=99999999999999999999")),
            ("kill", Some("ms=5")),
        ] {
            assert_eq!(Order::read(name, query), Err(UnknownOrder), "{name} {query:?}");
        }
    }
}
