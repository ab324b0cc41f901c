//! An attempt failed: what is next?

use core::time::Duration;

use crate::config::{Config, OnUnknown};
use crate::error::{ErrorKind, Outcome};
use crate::time::Instant;

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Choose a queue and try at once.
    Again,
    /// Choose a queue and try after a pause.
    After(Duration),
    /// Report it.
    GiveUp,
}

/// What there is to know about a send whose attempt has just failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) config: &'a Config,
    pub(crate) kind: &'a ErrorKind,
    /// Whether the attempt that failed may have stored the message.
    pub(crate) outcome: Outcome,
    /// Attempts that may have reached a broker, this one included.
    pub(crate) attempts: u32,
    /// All attempts, this one included.
    pub(crate) attempts_all: u32,
    /// Pauses made so far.
    pub(crate) pauses: u32,
    /// Whether the caller allows more than one attempt.
    pub(crate) may_retry: bool,
    /// Whether a broker is left that this send has not tried.
    pub(crate) another_broker: bool,
    /// Whether it leaves a broker that is silent for one that is well: the load is not more than if
    /// the silent one had been known to be so.
    pub(crate) moves: bool,
    /// Whether the broker lacks the queue that a stale route named, and another one will do.
    pub(crate) stale_queue: bool,
    pub(crate) now: Instant,
    pub(crate) deadline: Instant,
}

/// Decides. `withdraw` takes a token from the retry budget; it is called only when one is needed.
pub(crate) fn next(situation: &Situation<'_>, withdraw: impl FnOnce() -> bool) -> Step {
    let Situation { config, kind, outcome, .. } = *situation;
    let exhausted = situation.attempts
        >= config.attempts_max + u32::from(planted!(OneAttemptTooMany))
        || situation.attempts_all >= config.attempts_all_max;
    if !situation.may_retry {
        reached!(RetryForbidden);
        return Step::GiveUp;
    }
    if exhausted {
        reached!(RetryExhausted);
        return Step::GiveUp;
    }
    if situation.now >= situation.deadline {
        reached!(RetryLate);
        return Step::GiveUp;
    }
    let worth_it = match kind {
        ErrorKind::Connect(_) | ErrorKind::TokenRefused { .. } => !planted!(DialNotRetried),
        ErrorKind::ConnectionLost(_) | ErrorKind::AttemptTimeout | ErrorKind::GoAway => true,
        ErrorKind::Busy { .. } => config.retry_codes.contains(&2) && !planted!(BusyNotRetried),
        ErrorKind::Broker { code, .. } => {
            situation.stale_queue || config.retry_codes.contains(code)
        }
        ErrorKind::BelowRequired { .. } => config.retry_not_ok,
        _ => false,
    };
    let stop = outcome == Outcome::Unknown && config.on_unknown == OnUnknown::Stop;
    let stop = stop && !planted!(StopIgnored);
    if !worth_it {
        reached!(RetryUseless);
        return Step::GiveUp;
    }
    if stop {
        reached!(RetryStopped);
        return Step::GiveUp;
    }
    let adds_load = match kind {
        ErrorKind::Busy { .. } => true,
        ErrorKind::AttemptTimeout => !situation.moves,
        _ => false,
    };
    if adds_load && outcome != Outcome::NotSent && !withdraw() {
        reached!(RetryTooDear);
        return Step::GiveUp;
    }
    let elsewhere = situation.another_broker && !planted!(SlowFailover);
    if elsewhere || config.backoff.first.is_zero() || planted!(NoPause) {
        reached!(RetryElsewhere);
        return Step::Again;
    }
    let doubled = config.backoff.first.saturating_mul(1 << situation.pauses.min(20));
    let pause = doubled.min(config.backoff.longest);
    if situation.now + pause >= situation.deadline {
        reached!(RetryNoTime);
        return Step::GiveUp;
    }
    reached!(RetryAfterPause);
    Step::After(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection_end::ConnectionEnd;
    use crate::receipt::SendStatus;

    fn situation<'a>(config: &'a Config, kind: &'a ErrorKind) -> Situation<'a> {
        Situation {
            config,
            kind,
            outcome: Outcome::Unknown,
            attempts: 1,
            attempts_all: 1,
            pauses: 0,
            may_retry: true,
            another_broker: true,
            moves: false,
            stale_queue: false,
            now: Instant::ZERO,
            deadline: Instant::from_millis(3_000),
        }
    }

    #[test]
    fn another_broker_is_tried_at_once_and_the_same_one_after_a_pause() {
        let config = Config::default();
        let kind = ErrorKind::ConnectionLost(ConnectionEnd::Reset);
        let other = situation(&config, &kind);
        let same = Situation { another_broker: false, pauses: 3, ..other };
        let late = Situation { another_broker: false, now: Instant::from_millis(2_995), ..other };

        assert_eq!(next(&other, || true), Step::Again);
        assert_eq!(next(&same, || true), Step::After(Duration::from_millis(80)));
        assert_eq!(next(&late, || true), Step::GiveUp);
    }

    #[test]
    fn only_requests_that_add_load_need_a_token() {
        let config = Config::default();
        let (busy, lost) = (
            ErrorKind::Busy { remark: "".into() },
            ErrorKind::ConnectionLost(ConnectionEnd::Reset),
        );

        let late = ErrorKind::AttemptTimeout;
        let stays = situation(&config, &late);
        let moves = Situation { moves: true, ..stays };

        assert_eq!(next(&situation(&config, &busy), || false), Step::GiveUp);
        assert_eq!(next(&stays, || false), Step::GiveUp);
        assert_eq!(next(&moves, || panic!("no token needed")), Step::Again);
        assert_eq!(next(&situation(&config, &lost), || panic!("no token needed")), Step::Again);
    }

    #[test]
    fn the_bounds_hold() {
        let config = Config::default();
        let kind = ErrorKind::AttemptTimeout;
        let base = situation(&config, &kind);

        for over in [
            Situation { attempts: 3, ..base },
            Situation { attempts_all: 16, ..base },
            Situation { may_retry: false, ..base },
            Situation { now: base.deadline, ..base },
        ] {
            assert_eq!(next(&over, || true), Step::GiveUp);
        }
        let stop = Config { on_unknown: OnUnknown::Stop, ..Config::default() };
        assert_eq!(next(&situation(&stop, &kind), || true), Step::GiveUp);
    }

    #[test]
    fn codes_outside_the_retry_set_are_final() {
        let config = Config::default();
        let illegal = ErrorKind::Broker { code: 13, remark: "".into() };
        let absent = ErrorKind::Broker { code: 17, remark: "".into() };

        assert_eq!(next(&situation(&config, &illegal), || true), Step::GiveUp);
        assert_eq!(next(&situation(&config, &absent), || true), Step::Again);
    }

    #[test]
    fn a_stale_queue_needs_neither_a_code_nor_a_token() {
        let config = Config::default();
        let kind = ErrorKind::Broker { code: 29, remark: "request queueId[3] is illegal".into() };
        let refused = Situation { outcome: Outcome::Rejected, ..situation(&config, &kind) };
        let stale = Situation { stale_queue: true, ..refused };

        assert_eq!(next(&refused, || true), Step::GiveUp);
        assert_eq!(next(&stale, || panic!("no token needed")), Step::Again);
    }

    #[test]
    fn what_is_worth_a_retry_can_be_configured() {
        let busy = ErrorKind::Busy { remark: "".into() };
        let below = ErrorKind::BelowRequired { status: SendStatus::FlushDiskTimeout };
        let mut config = Config::default();

        assert_eq!(next(&situation(&config, &busy), || true), Step::Again);
        assert_eq!(next(&situation(&config, &below), || true), Step::GiveUp);
        config.retry_codes.retain(|&code| code != 2);
        config.retry_not_ok = true;
        assert_eq!(next(&situation(&config, &busy), || true), Step::GiveUp);
        assert_eq!(next(&situation(&config, &below), || true), Step::Again);
    }

    #[test]
    fn without_backoff_the_same_broker_is_tried_at_once() {
        let config = Config::java();
        let kind = ErrorKind::ConnectionLost(ConnectionEnd::Reset);
        let same = Situation { another_broker: false, ..situation(&config, &kind) };

        assert_eq!(next(&same, || true), Step::Again);
    }
}
