//! What happens when time is up: an attempt's, a wait's, a send's?

use crate::attempt::Failure;
use crate::config::{Config, Health, OnUnknown};
use crate::connection::{Connection, State};
use crate::connection_end::ConnectionEnd;
use crate::error::{ErrorKind, Outcome, Phase};
use crate::health::Verdict;
use crate::producer::Producer;
use crate::send::{self, Stage};
use crate::slab::Key;
use crate::time::Instant;

impl<T> Producer<T> {
    /// Something is due for some sends.
    pub(crate) fn expire_sends(&mut self) {
        self.earliest = Instant::FAR;
        for slot in 0..self.due.len() {
            let due = self.due[slot];
            if due > self.now {
                self.earliest = self.earliest.min(due);
                continue;
            }
            if let Some(key) = self.sends.key_at(slot) {
                self.expire(key);
                if planted!(OneExpiresATime) {
                    return;
                }
            }
        }
    }

    /// A deadline passed between two attempts. Who has no token for the bridge hears of that: more
    /// time would not have helped.
    fn why_none_was_tried_again(&self, key: Key) -> ErrorKind {
        let last = self.sends.get(key).and_then(|send| send.trail.last());
        match last.map(|attempt| &attempt.kind) {
            Some(kind @ ErrorKind::TokenRefused { .. }) => kind.clone(),
            _ => ErrorKind::Deadline,
        }
    }

    pub(crate) fn expire(&mut self, key: Key) {
        let Some(send) = self.sends.get(key) else { return };
        let (stage, topic, over) = (send.stage, send.topic, self.now >= send.deadline);
        match stage {
            Stage::Under(_) => self.attempt_timed_out(key),
            Stage::Carried(carrier) => self.member_expired(key, carrier),
            Stage::Gathering => {
                self.fail_before_attempt(key, Phase::Backoff, ErrorKind::Deadline);
            }
            Stage::Room => {
                reached!(ExpiredInRoom);
                self.fail_before_attempt(key, Phase::Room, ErrorKind::Full);
            }
            Stage::Lane => {
                reached!(ExpiredInLane);
                if planted!(LaneWaitsForEver) {
                    return;
                }
                self.fail_before_attempt(key, Phase::Lane, ErrorKind::Deadline);
            }
            Stage::Route => {
                reached!(ExpiredInRoute);
                let kind = self.route_problem(topic);
                self.fail_before_attempt(key, Phase::Route, kind);
            }
            Stage::Backoff if over => {
                reached!(ExpiredInBackoff);
                let kind = self.why_none_was_tried_again(key);
                self.fail_before_attempt(key, Phase::Backoff, kind);
            }
            Stage::Backoff => {
                reached!(BackoffOver);
                if let Some(deadline) = self.sends.get(key).map(|send| send.deadline) {
                    self.set_due(key, deadline);
                }
                self.ready.push_back(key);
            }
        }
    }

    /// The attempt's time is up.
    fn attempt_timed_out(&mut self, key: Key) {
        let Some(send) = self.sends.get(key) else { return };
        let Stage::Under(under) = send.stage else { return };
        let deadline = send.deadline;
        let Some(conn) = self.conns.get(under.conn) else { return };
        let answered_since = self.answers(conn, under.started);
        let dialling = conn.state == State::Dialling;
        if self.now < deadline
            && self.config.on_unknown == OnUnknown::Stop
            && !conn.holds(under.from)
        {
            // It may not be sent again, so it may as well be waited for.
            reached!(TimeoutWaits);
            return self.set_due(key, deadline);
        }
        if !answered_since && !dialling {
            self.retire_if_silent(under.conn);
        }
        let withdrawn = self.abandon_attempt(key);
        match (dialling, withdrawn) {
            (true, _) => reached!(TimeoutDialling),
            (false, true) => reached!(TimeoutWithdrawn),
            (false, false) => reached!(TimeoutUnanswered),
        }
        let failure = Failure {
            phase: match (dialling, withdrawn) {
                (true, _) => Phase::Dial,
                (false, true) => Phase::Write,
                (false, false) => Phase::Answer,
            },
            outcome: if withdrawn { Outcome::NotSent } else { Outcome::Unknown },
            kind: match dialling {
                true => ErrorKind::Connect(ConnectionEnd::DialTimeout),
                false => ErrorKind::AttemptTimeout,
            },
            verdict: if answered_since { Verdict::Slow } else { Verdict::Gone },
            suspect_route: !answered_since,
        };
        reached!(if answered_since => TimeoutSlow else TimeoutGone);
        self.attempt_failed(key, failure);
        if !answered_since && !dialling {
            self.close_if_dead(under.conn);
        }
    }

    /// Whether a peer has answered others since `begun`, and has not fallen silent after that.
    fn answers(&self, conn: &Connection, begun: Instant) -> bool {
        let silence = match &self.config.health {
            Health::Adaptive(adaptive) => adaptive.silence,
            Health::Java(_) | Health::Off => core::time::Duration::MAX,
        };
        conn.last_received > begun && self.now.since(conn.last_received) < silence
    }
}

/// When an attempt that begins now must be answered: within its cap, and so that those that are
/// still allowed keep their share of the time.
pub(crate) fn attempt_deadline<T>(config: &Config, send: &send::Send<T>, now: Instant) -> Instant {
    if planted!(NoTimeForRetry) && send.attempts > 0 {
        return now;
    }
    let cap = send.attempt_timeout.or(config.attempt_timeout);
    let Some(cap) = cap.filter(|_| send.may_retry() && !planted!(FirstEatsAll)) else {
        return send.deadline;
    };
    let left = config.attempts_max.saturating_sub(send.attempts).max(1);
    let share = send.deadline.as_nanos().saturating_sub(now.as_nanos()) / u64::from(left);
    (now + cap).min(Instant::from_nanos(now.as_nanos() + share))
}
