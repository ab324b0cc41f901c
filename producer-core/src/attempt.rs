//! One attempt: from a message that is ready to a frame on a connection, and what if it fails.
//!
//! Every kind of send goes through [`Producer::attempt`], and every failure through
//! [`Producer::attempt_failed`] and [`retry::next`]: there is no other way to try again.

use core::mem;

use crate::error::{Attempt, ErrorKind, Outcome, Phase, SendError};
use crate::expiry::attempt_deadline;
use crate::has;
use crate::health::Verdict;
use crate::in_flight::Purpose;
use crate::output::Output;
use crate::peers::Unconnected;
use crate::pick::{self, Choice, View};
use crate::producer::Producer;
use crate::retry::{self, Situation, Step};
use crate::route::{QueueRef, TopicId};
use crate::send::{self, Reply, Stage, Under, broker_bit};
use crate::send_frame::Filling;
use crate::slab::Key;
use crate::special::{Form, Special, Way, append_frame};
use crate::time::Instant;
use crate::unique_id::MessageId;

/// A failed attempt, before it is known what follows.
pub(crate) struct Failure {
    pub(crate) phase: Phase,
    pub(crate) outcome: Outcome,
    pub(crate) kind: ErrorKind,
    /// What it teaches about the broker.
    pub(crate) verdict: Verdict,
    /// Whether the route may be out of date.
    pub(crate) suspect_route: bool,
}

impl<T> Producer<T> {
    /// Sends a message that has its room and its turn: chooses a queue, encodes the message for it
    /// and puts the frame on its broker's connection. Without a route, it waits for one.
    #[inline(never)]
    pub(crate) fn attempt(&mut self, key: Key) {
        let Some(send) = self.sends.get(key) else { return };
        let topic = &mut self.routes.topics[send.topic as usize];
        if topic.route.is_none() {
            return self.attempt_without_route(key);
        }
        let view = View {
            brokers: &self.routes.brokers,
            conns: &self.conns,
            health: &self.config.health,
            now: self.now,
            tried: send.tried,
            last: send.last_broker,
        };
        let rotation = self.config.rotation;
        let choice = match pick::choose(send, topic, rotation, &mut self.random, &view) {
            Ok(choice) => choice,
            Err(kind) => return self.no_queue(key, kind),
        };
        let queue = choice.queue;
        match self.broker_connection(queue.broker) {
            Ok(conn) => self.begin_attempt(key, choice, conn),
            Err(Unconnected::NoMaster) => self.without_master(key, queue),
            Err(Unconnected::Until(at)) => self.wait_for_dial(key, queue, at),
        }
    }

    fn attempt_without_route(&mut self, key: Key) {
        let Some(send) = self.sends.get(key) else { return };
        let absent_until = self.routes.topic(send.topic).absent_until;
        if absent_until.is_some_and(|until| self.now < until) {
            reached!(TopicAbsent);
            self.fail_before_attempt(key, Phase::Route, ErrorKind::TopicNotFound);
        } else {
            reached!(WaitForRoute);
            self.wait_for_route(key);
        }
    }

    fn begin_attempt(&mut self, key: Key, choice: Choice, conn: Key) {
        let queue = choice.queue;
        let mut reason = choice.reason;
        let now = self.now;
        if has::AUTO_BATCH && self.accumulator.carriers > 0 {
            self.pack(key);
        }
        let born_ms = self.unix_ms();
        let alone = self.renew_epoch(key);
        let Some(send) = self.sends.get_mut(key) else { return };
        let due = attempt_deadline(&self.config, send, now);
        let one_way = send.reply == Reply::OneWay;
        let opaque = self.in_flight.insert(conn, Purpose::Send(key));
        if one_way {
            // Only the number is wanted: nobody will answer.
            reached!(OneWay);
            self.in_flight.remove(opaque, conn);
        }
        let mut queue = queue;
        if planted!(QueueIdKept) {
            queue.id = send.trail.last().and_then(|failed| failed.queue_id).unwrap_or(queue.id);
        }
        let Some(connection) = self.conns.get_mut(conn) else { return };
        let broker = &mut self.routes.brokers[queue.broker as usize];
        let from = connection.position();
        let topic = &self.routes.topics[send.topic as usize];
        if send.plain && self.stamp.is_blank() {
            self.templates.append(
                connection.out(),
                &Filling {
                    topic_head: &topic.frame_head,
                    broker_part: &broker.frame_part,
                    queue_id: queue.id,
                    born_ms,
                    sys_flag: 0,
                    flag: send.message.flag_value(),
                    id: &send.id,
                    wait_store_ok: send.message.waits_for_store(),
                    properties: send.message.property_text(),
                    body: send.message.body(),
                    opaque,
                    one_way: one_way && !planted!(OneWayAsksAnswer),
                },
            );
        } else {
            let group = &self.groups[usize::from(send.group.0)].wire;
            let way = Way { broker, queue_id: queue.id, born_ms, opaque, one_way };
            let names = (group.as_str(), topic);
            let encoders = (&self.config, &self.stamp, &mut self.templates);
            append_frame(connection.out(), encoders, names, send, &way);
        }
        let to = connection.position();
        if one_way {
            connection.one_way(key, now);
        } else {
            connection.asked(now);
        }
        if broker.health.suspect() && broker.health.chosen(now) {
            reason = reason.on_trial();
        }
        if connection.announce() {
            let conn = crate::connection::ConnId(conn);
            self.outputs.push_back(Output::Transmit { conn });
        }
        let opaque = (!one_way).then_some(opaque);
        let epoch = self.epoch;
        self.epoch += u64::from(alone);
        let special = send.special.is_some();
        let under = Under { conn, queue, reason, special, opaque, started: now, from, to, epoch };
        send.stage = Stage::Under(under);
        send.attempts_all += 1;
        send.last_broker = Some(queue.broker);
        send.tried &= if planted!(OnlyLastRemembered) { 0 } else { u64::MAX };
        send.tried |= broker_bit(queue.broker);
        self.stats.attempts += 1;
        self.set_due(key, due);
    }

    /// The queue's broker has no master now. Another broker may have one.
    #[cold]
    fn without_master(&mut self, key: Key, queue: QueueRef) {
        let Some(send) = self.sends.get_mut(key) else { return };
        let (before, topic) = (send.tried, send.topic);
        send.tried |= broker_bit(queue.broker);
        let tried = send.tried;
        let elsewhere = send.may_retry() && !send.is_strict() && tried != before;
        if elsewhere && self.another_broker(topic, tried) {
            reached!(MasterElsewhere);
            return self.attempt(key);
        }
        reached!(NoMaster);
        self.no_queue(key, ErrorKind::NoMaster);
    }

    /// The queue's broker could not be reached a moment ago: the send waits until it is dialled
    /// again, or tries another broker meanwhile.
    #[cold]
    fn wait_for_dial(&mut self, key: Key, queue: QueueRef, at: Instant) {
        let Some(send) = self.sends.get_mut(key) else { return };
        let (before, topic, deadline) = (send.tried, send.topic, send.deadline);
        send.tried |= broker_bit(queue.broker);
        let tried = send.tried;
        let elsewhere = send.may_retry() && !send.is_strict() && tried != before;
        if elsewhere && self.another_broker(topic, tried) {
            reached!(DialElsewhere);
            self.attempt(key);
            // Passed over is not tried: if the other one is lost, this one may be well by then.
            if let Some(send) = self.sends.get_mut(key)
                && matches!(send.stage, Stage::Under(_))
            {
                send.tried &= !broker_bit(queue.broker);
            }
            return;
        }
        reached!(WaitForDial);
        let Some(send) = self.sends.get_mut(key) else { return };
        send.stage = Stage::Backoff;
        send.tried = 0;
        self.set_due(key, at.min(deadline));
        self.suspect_route(topic);
    }

    /// There is no queue to send to now. The route may be out of date, so ask, unless it has been
    /// asked since; an ordered send waits for its queue while it may.
    fn no_queue(&mut self, key: Key, kind: ErrorKind) {
        let Some(send) = self.sends.get_mut(key) else { return };
        let topic = send.topic;
        let wait = self.config.backoff.longest;
        let strict = send.is_strict();
        let transient = matches!(
            kind,
            ErrorKind::NoMaster | ErrorKind::TopicNotWritable | ErrorKind::QueueNotFound
        ) || (strict && matches!(kind, ErrorKind::TopicNotFound));
        let asked_since = self.routes.topic(topic).asked.is_some_and(|at| at >= send.accepted);
        let hopeless = !transient || (asked_since && !strict && send.attempts_all == 0);
        if hopeless || wait.is_zero() || self.now + wait >= send.deadline {
            reached!(NoQueueFails);
            return self.fail_before_attempt(key, Phase::Queue, kind);
        }
        reached!(NoQueueWaits);
        send.stage = Stage::Backoff;
        send.tried = 0;
        self.set_due(key, self.now + wait);
        self.suspect_route(topic);
    }

    /// An attempt under way has failed: note it, learn from it, and decide what follows.
    pub(crate) fn attempt_failed(&mut self, key: Key, failure: Failure) {
        let Failure { phase, outcome, kind, verdict, suspect_route } = failure;
        if matches!(kind, ErrorKind::BadCredentials { .. }) && !self.credentials_refused {
            self.credentials_refused = true;
            self.outputs.push_back(Output::CredentialsRefused);
        }
        let Some(send) = self.sends.get_mut(key) else { return };
        let Stage::Under(under) = send.stage else { return };
        let elapsed = self.now.since(under.started);
        send.outcome = if planted!(WorstForgotten) { outcome } else { send.outcome.max(outcome) };
        // To be told to go away is as good as a refused dial.
        if outcome != Outcome::NotSent && kind != ErrorKind::GoAway {
            send.attempts += 1;
        }
        let broker = &self.routes.brokers[under.queue.broker as usize];
        send.trail.push(Attempt {
            broker: Some(broker.name.clone()),
            advertised: broker.advertised.clone(),
            dialled: broker.dialled.clone(),
            queue_id: Some(under.queue.id),
            reason: Some(under.reason),
            phase,
            elapsed,
            outcome,
            kind: kind.clone(),
        });
        let (topic, conn) = (send.topic, broker.conn);
        let stale_queue = self.is_stale_queue(key, &kind);
        if stale_queue {
            self.withdraw_queue(key, under.queue);
        }
        if conn == under.conn {
            // Else the broker has moved on, and this says nothing of where it is now.
            let verdict = if stale_queue { Verdict::Answered } else { verdict };
            self.observe(under.queue.broker, verdict, elapsed);
        } else {
            reached!(BrokerHasMoved);
        }
        if suspect_route {
            self.suspect_route(topic);
        }
        match self.next_step(key, &kind, outcome, verdict) {
            Step::Again => {
                self.stats.retries += 1;
                self.tell_of_retry(key);
                if let Some(send) = self.sends.get_mut(key) {
                    if planted!(RetryRenewsTime) {
                        send.deadline = self.now + self.config.send_timeout;
                    }
                    send.stage = Stage::Backoff;
                    let deadline = send.deadline;
                    self.set_due(key, deadline);
                    self.ready.push_back(key);
                }
            }
            Step::After(pause) => self.pause(key, pause),
            Step::GiveUp => self.fail(key, kind),
        }
    }

    fn pause(&mut self, key: Key, pause: core::time::Duration) {
        let pause = self.random.jitter(pause);
        self.stats.retries += 1;
        self.tell_of_retry(key);
        let Some(send) = self.sends.get_mut(key) else { return };
        send.stage = Stage::Backoff;
        send.pauses += 1;
        send.tried = send.last_broker.map_or(0, broker_bit);
        let at = (self.now + pause).min(send.deadline);
        self.set_due(key, at);
    }

    fn next_step(
        &mut self,
        key: Key,
        kind: &ErrorKind,
        outcome: Outcome,
        verdict: Verdict,
    ) -> Step {
        let Some(send) = self.sends.get(key) else { return Step::GiveUp };
        assert!(send.may_retry() || !planted!(SelectedRetryPanics), "no publish info");
        let strict = send.is_strict();
        let situation = Situation {
            config: &self.config,
            kind,
            outcome,
            attempts: send.attempts,
            attempts_all: send.attempts_all,
            pauses: send.pauses,
            may_retry: send.may_retry() && send.is_wanted(),
            another_broker: !strict && self.another_broker(send.topic, send.tried),
            moves: !strict && verdict == Verdict::Gone && self.another_is_well(send),
            stale_queue: self.is_stale_queue(key, kind),
            now: self.now,
            deadline: send.deadline,
        };
        let account = &mut self.account;
        let mut refused = false;
        let step = retry::next(&situation, || {
            let granted = account.withdraw();
            refused = !granted;
            granted
        });
        self.stats.retries_refused += u64::from(refused);
        step
    }

    /// Whether the broker lacks the queue that a send was given by a stale route, and we may choose
    /// another. One that was asked for, by number or by a key of strict order, may not be replaced;
    /// Java replaces none.
    fn is_stale_queue(&self, key: Key, kind: &ErrorKind) -> bool {
        let chosen = |send: &send::Send<T>| send.may_retry() && !send.is_strict();
        !self.config.backoff.first.is_zero()
            && kind.lacks_queue()
            && self.sends.get(key).is_some_and(chosen)
    }

    /// Uses fewer queues of the broker until the next route.
    fn withdraw_queue(&mut self, key: Key, queue: QueueRef) {
        let Some(send) = self.sends.get_mut(key) else { return };
        reached!(QueueWithdrawn);
        if self.routes.topic_mut(send.topic).withdraw(queue) {
            send.tried &= !broker_bit(queue.broker);
        }
        self.epoch += 1;
    }

    fn another_broker(&self, topic: TopicId, tried: u64) -> bool {
        let known = self.routes.topic(topic).route.as_ref();
        known.is_some_and(|known| {
            known.stretches.iter().any(|stretch| tried & broker_bit(stretch.broker) == 0)
        })
    }

    /// Whether a broker is left that the send has not tried and that is known to be well.
    fn another_is_well(&self, send: &send::Send<T>) -> bool {
        let view = View {
            brokers: &self.routes.brokers,
            conns: &self.conns,
            health: &self.config.health,
            now: self.now,
            tried: send.tried,
            last: send.last_broker,
        };
        let known = self.routes.topic(send.topic).route.as_ref();
        known.is_some_and(|known| known.stretches.iter().any(|s| view.is_well(s.broker)))
    }

    /// Takes an attempt's frame and request back. True if no byte of the frame has left.
    pub(crate) fn abandon_attempt(&mut self, key: Key) -> bool {
        let Some(send) = self.sends.get(key) else { return false };
        let Stage::Under(under) = send.stage else { return false };
        if let Some(opaque) = under.opaque.filter(|_| !planted!(ResponseTableLeaks)) {
            self.in_flight.remove(opaque, under.conn);
        }
        let Some(connection) = self.conns.get_mut(under.conn) else { return false };
        if under.opaque.is_some() {
            connection.settled();
        }
        if planted!(TimedOutStillSent) {
            return connection.holds(under.from);
        }
        let withdrawn = connection.withdraw(under.from, under.to);
        self.released(under.conn);
        withdrawn
    }

    /// Ends a send that is not on any connection.
    pub(crate) fn fail_before_attempt(&mut self, key: Key, phase: Phase, kind: ErrorKind) {
        let Some(send) = self.sends.get_mut(key) else { return };
        let elapsed = self.now.since(send.accepted);
        send.trail.push(Attempt::off_connection(phase, elapsed, kind.clone()));
        self.fail(key, kind);
    }

    /// Ends a send with an error.
    pub(crate) fn fail(&mut self, key: Key, kind: ErrorKind) {
        let Some(outcome) = self.sends.get(key).map(|send| send.outcome) else { return };
        if self.traces() && self.trace_failed(key) {
            return;
        }
        let ended = self.remove(key, outcome, |send| {
            let special = (send.special.take(), send.group);
            (send.ticket.take(), send.id, send.accepted, mem::take(&mut send.trail), special)
        });
        let Some((ticket, id, accepted, trail, (special, group))) = ended else { return };
        if has::AUTO_BATCH
            && let Some(Special { form: Form::Accumulated(carried), .. }) = special.as_deref()
        {
            return self.carried_failed(key, carried, &kind, outcome, &trail);
        }
        self.count_failed(outcome, id);
        let elapsed = self.now.since(accepted);
        let error = SendError::new(kind, outcome, Some(id), elapsed, trail);
        self.ended(ticket, special, group, Err(error));
    }

    /// One more has failed.
    pub(crate) fn count_failed(&mut self, outcome: Outcome, id: MessageId) {
        let (counter, reported) = match (outcome, &mut self.closing) {
            (Outcome::NotSent, closing) => {
                reached!(FailNotSent);
                (&mut self.stats.not_sent, closing.as_mut().map(|c| &mut c.report.not_sent))
            }
            (Outcome::Rejected, closing) => {
                reached!(FailRejected);
                (&mut self.stats.rejected, closing.as_mut().map(|c| &mut c.report.rejected))
            }
            (Outcome::Unknown, closing) => {
                reached!(FailUnknown);
                if let Some(closing) = closing {
                    let ids = &mut closing.report.unknown_ids;
                    if ids.len() < crate::output::CloseReport::IDS_MAX {
                        ids.push(id);
                    }
                }
                (&mut self.stats.unknown, closing.as_mut().map(|c| &mut c.report.unknown))
            }
        };
        *counter += 1;
        if let Some(reported) = reported {
            *reported += 1;
        }
    }

    /// A one-way send's frame was taken by the driver: that is all there will ever be to know.
    pub(crate) fn one_way_written(&mut self, key: Key) {
        let ended = self.remove(key, Outcome::NotSent, |send| (send.ticket.take(), send.id));
        let Some((ticket, message_id)) = ended else { return };
        reached!(OneWayWritten);
        self.stats.written += 1;
        if let Some(closing) = &mut self.closing {
            closing.report.written += 1;
        }
        if let Some(ticket) = ticket {
            self.outputs.push_back(Output::Written { ticket, message_id });
        }
    }
}
