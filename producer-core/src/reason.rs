//! Why was this queue chosen?

use core::fmt;

use crate::error::Outcome;
use crate::producer::Producer;
use crate::send::{SendId, Stage};
use crate::time::Instant;

/// Why an attempt went to its queue and to no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It was the turn of its broker, and of this queue there.
    Turn,
    /// It was the turn of a broker that this send has tried already; this one is next.
    Elsewhere,
    /// It was the turn of a broker that is avoided, for it failed, was busy or is on trial with
    /// another send; this one is next.
    OtherAvoided,
    /// It was the turn of a broker that owes answers and says nothing; this one is next.
    OtherSilent,
    /// No broker is well that this send has not tried; this one it has not tried, at least.
    Untried,
    /// This send has tried every broker; this one is well.
    Again,
    /// No broker is better, so any must do. One that has just failed comes last.
    LastResort,
    /// The broker was avoided and has answered a probe: this send finds out whether it is well.
    Trial,
    /// The queue of the ordering key.
    Home,
    /// The queue of the ordering key cannot be used: the key has moved to another.
    Moved,
    /// The queue of the ordering key is not well, but no other is either.
    NoBetter,
    /// The hash of the send's argument over the queues as they are now.
    Hash,
    /// By lot.
    Random,
    /// The application's function returned it.
    Selected,
    /// The application named it.
    Named,
}

impl Reason {
    /// A word in `snake_case` for logs and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Elsewhere => "elsewhere",
            Self::OtherAvoided => "other_avoided",
            Self::OtherSilent => "other_silent",
            Self::Untried => "untried",
            Self::Again => "again",
            Self::LastResort => "last_resort",
            Self::Trial => "trial",
            Self::Home => "home",
            Self::Moved => "moved",
            Self::NoBetter => "no_better",
            Self::Hash => "hash",
            Self::Random => "random",
            Self::Selected => "selected",
            Self::Named => "named",
        }
    }

    /// A sentence for people.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Turn => "it was the turn of this broker and queue",
            Self::Elsewhere => "the broker whose turn it was has been tried by this send",
            Self::OtherAvoided => "the broker whose turn it was is avoided: it failed or was busy",
            Self::OtherSilent => "the broker whose turn it was owes answers and says nothing",
            Self::Untried => "no untried broker is well; this one is untried, at least",
            Self::Again => "all brokers have been tried; this one is well",
            Self::LastResort => "no broker is better, so any must do",
            Self::Trial => "the broker answered a probe, and this send tries it",
            Self::Home => "the queue of the ordering key",
            Self::Moved => "the queue of the ordering key cannot be used; the key has moved here",
            Self::NoBetter => "the queue of the ordering key is not well, but no other is either",
            Self::Hash => "the hash of the argument over the queues as they are",
            Self::Random => "by lot",
            Self::Selected => "the application's function returned it",
            Self::Named => "the application named it",
        }
    }
}

impl Reason {
    /// The reason when the broker is on trial: what is chosen by turns is chosen for that.
    pub(crate) const fn on_trial(self) -> Self {
        match self {
            Self::Turn | Self::Elsewhere | Self::OtherAvoided | Self::OtherSilent => Self::Trial,
            _ => self,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An attempt whose answer is awaited: where it went, and why there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptUnderWay<'a> {
    /// 1 for the first, those counted that never left.
    pub number: u32,
    /// Name of the broker.
    pub broker: &'a str,
    /// Queue.
    pub queue_id: u32,
    /// Number of its request on the connection; `None` for a one-way send.
    pub opaque: Option<i32>,
    /// When the queue was chosen.
    pub started: Instant,
    /// Why this queue.
    pub reason: Reason,
}

impl<T> Producer<T> {
    /// Whether a message may be, or come to be, stored if its send is given up now
    /// ([`cancel`](Self::cancel)); `None` once it has ended.
    pub fn outcome_if_cancelled(&self, id: SendId) -> Option<Outcome> {
        let send = self.sends.get(id.0)?;
        let conn = match send.stage {
            // Its bytes are in a frame that others share: it leaves it if that has not left.
            Stage::Carried(carrier) => self.sends.get(carrier).map(|carrier| carrier.stage),
            stage => Some(stage),
        };
        let left = match conn {
            Some(Stage::Under(under)) => {
                self.conns.get(under.conn).is_none_or(|conn| !conn.holds(under.from))
            }
            _ => false,
        };
        Some(if left { Outcome::Unknown } else { send.outcome })
    }

    /// The attempt of a send that is under way; `None` while it waits for room, its turn, a route or
    /// its next attempt, and once it has ended. Reading it changes nothing. A failed attempt has its
    /// reason in [`Attempt::reason`](crate::Attempt::reason).
    pub fn attempt_under_way(&self, id: SendId) -> Option<AttemptUnderWay<'_>> {
        let send = self.sends.get(id.0)?;
        let Stage::Under(under) = send.stage else { return None };
        Some(AttemptUnderWay {
            number: send.attempts_all,
            broker: &self.routes.brokers[under.queue.broker as usize].name,
            queue_id: under.queue.id,
            opaque: under.opaque,
            started: under.started,
            reason: under.reason,
        })
    }
}
