//! I21: is a failure that may pass tried again, in time, elsewhere and without haste, while attempts
//! and time are left?

use std::time::Duration;

use producer_core::{Attempt, Config, ErrorKind, Instant, OnUnknown, Outcome, SendError};

use super::links::Links;
use super::{Found, Joined};
use crate::history::{Request, SendRecord};
use crate::plan::{Mode, Preset};

/// With so much time left a retry is worth it whatever its pause.
const WORTH_IT: Duration = Duration::from_millis(600);
/// Deadlines are rounded up to 10 ms, and a millisecond for us.
const ROUNDING: Duration = Duration::from_millis(11);
/// No attempt is so short while there is much time.
const TOO_SHORT: Duration = Duration::from_millis(20);
/// The pause is 10 ms, give or take a quarter.
const PAUSE: Duration = Duration::from_millis(7);
/// A dial so lately may still keep sends away.
const LATELY: Duration = Duration::from_secs(1);
/// No attempt fails while it waits for a connection that is there so soon.
const QUICK_DIAL: Duration = Duration::from_millis(50);

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let config = joined.history.plan.config.config(Vec::new());
    for send in &joined.history.sends {
        // A strict lane has one broker to go to, and meets its pauses most often.
        if matches!(send.mode, Mode::Rotate | Mode::Strict) {
            hurried(joined, &config, send, found);
        }
        if send.mode != Mode::Rotate {
            continue;
        }
        if let (Some(error), Some((at, _))) = (send.error(), send.ends.first()) {
            ended_too_soon(joined, &config, (send, error, *at), found);
            took_their_time(joined, &config, (send, error), found);
        }
    }
    went_elsewhere(joined, found);
}

fn ended_too_soon(
    joined: &Joined<'_>,
    config: &Config,
    (send, error, at): (&SendRecord, &SendError, Instant),
    found: &mut Found,
) {
    let refused = joined.history.ends.get(usize::from(send.producer));
    let refused = refused.is_none_or(|end| end.stats.retries_refused > 0);
    let deadline = send.at + send.timeout;
    let time_left = at + WORTH_IT < deadline && !joined.stood_still(send.producer, at);
    if refused || !time_left {
        return;
    }
    let tried = error.attempts().iter().filter(|attempt| attempt.broker.is_some());
    let counts = |attempt: &&Attempt| {
        attempt.outcome != Outcome::NotSent && attempt.kind != ErrorKind::GoAway
    };
    let reached = tried.clone().filter(counts).count();
    let left = reached < config.attempts_max as usize
        && tried.clone().count() < config.attempts_all_max as usize;
    let unknown = tried.clone().any(|attempt| attempt.outcome == Outcome::Unknown);
    let stop = unknown && config.on_unknown == OnUnknown::Stop;
    if left && !stop && may_pass(config, error.kind()) {
        found.report(format!("send {} gave up: {error}", send.ticket));
    }
    let short = |attempt: &&Attempt| {
        attempt.kind == ErrorKind::AttemptTimeout && attempt.elapsed < TOO_SHORT
    };
    if let Some(attempt) = tried.clone().find(short) {
        let elapsed = attempt.elapsed;
        found.report(format!("send {} had {elapsed:?} for an attempt", send.ticket));
    }
}

fn may_pass(config: &Config, kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Connect(_)
        | ErrorKind::TokenRefused { .. }
        | ErrorKind::ConnectionLost(_)
        | ErrorKind::AttemptTimeout
        | ErrorKind::GoAway => true,
        ErrorKind::Busy { .. } => config.retry_codes.contains(&2),
        ErrorKind::Broker { code, .. } => config.retry_codes.contains(code),
        _ => false,
    }
}

/// No attempt takes longer than it may, so that time is left for others.
fn took_their_time(
    joined: &Joined<'_>,
    config: &Config,
    (send, error): (&SendRecord, &SendError),
    found: &mut Found,
) {
    let Some(cap) = config.attempt_timeout.filter(|_| config.on_unknown == OnUnknown::Retry) else {
        return;
    };
    let stalled = joined.history.stalls.iter().any(|stall| stall.0 == send.producer);
    let long = error
        .attempts()
        .iter()
        .find(|attempt| attempt.broker.is_some() && attempt.elapsed > cap + ROUNDING);
    if let Some(attempt) = long.filter(|_| !stalled) {
        let elapsed = attempt.elapsed;
        found.report(format!("send {}: an attempt of {elapsed:?}, of {cap:?}", send.ticket));
    }
}

/// A broker that refused is not asked again at once.
fn hurried(joined: &Joined<'_>, config: &Config, send: &SendRecord, found: &mut Found) {
    if joined.history.plan.config.preset != Preset::Default {
        return;
    }
    for pair in joined.requests(send).windows(2) {
        let (first, second) = (pair[0], pair[1]);
        let Some((answered, 2)) = first.answer else { continue };
        if first.address == second.address
            && second.at >= answered
            && second.at.since(answered) < PAUSE
            && !joined.stood_still(send.producer, second.at)
            && is_heeded(config, send, first)
            && !may_have_failed(joined, second, answered)
        {
            let at = second.at.as_millis();
            found.report(format!(
                "send {} tries {} in haste at {at} ms",
                send.ticket, first.address
            ));
        }
    }
}

/// Whether a request was surely answered in time: its attempt was not over by then.
fn is_heeded(config: &Config, send: &SendRecord, request: &Request) -> bool {
    let begun = if request.waited { request.dialled_at.max(send.at) } else { request.at };
    let left = (send.at + send.timeout).since(begun);
    let share = left / config.attempts_max.max(1);
    let time = config.attempt_timeout.map_or(left, |cap| cap.min(share));
    request.answer.is_some_and(|(answered, _)| answered.since(begun) < time)
}

/// A retry does not go back while a broker that was not tried is well.
fn went_elsewhere(joined: &Joined<'_>, found: &mut Found) {
    let Some(mut links) = Links::of_standard(joined) else { return };
    for (request, number) in joined.numbered_requests() {
        links.advance(request, |_, _, _| {});
        if let Some(send) = joined.rotating_send(number)
            && joined.requests(send).len() > 1
        {
            let before: Vec<&str> = joined
                .requests(send)
                .iter()
                .take_while(|earlier| !std::ptr::eq(**earlier, request))
                .map(|earlier| &*earlier.address)
                .collect();
            let back = before.contains(&&*request.address)
                && !lacked_queue(joined, send)
                && !request.waited
                && links.untried_is_well(request, request.at, &before)
                && !may_have_failed(joined, request, send.at)
                && !joined.stood_still(send.producer, request.at);
            if back {
                let (ticket, address) = (send.ticket, &request.address);
                let at = request.at.as_millis();
                found.report(format!("send {ticket} goes back to {address} at {at} ms"));
            }
        }
        links.leaves(request, number);
    }
}

/// Whether a broker lacked a queue: another of its queues is then tried at once.
fn lacked_queue(joined: &Joined<'_>, send: &SendRecord) -> bool {
    let mut answers = joined.requests(send).iter().filter_map(|request| request.answer);
    answers.any(|(_, code)| matches!(code, 1 | 29))
}

/// Whether an attempt since then may have failed that is not seen on the wire: a connection was
/// lost, or a dial a moment ago was not answered soon and well.
fn may_have_failed(joined: &Joined<'_>, request: &Request, since: Instant) -> bool {
    let history = joined.history;
    let lately = |at: Instant| at <= request.at && request.at.since(at) < LATELY;
    let lost = history
        .lost
        .iter()
        .any(|lost| lost.producer == request.producer && since <= lost.at && lost.at <= request.at);
    lost || history.dials.iter().any(|dial| {
        let well = |ended: Instant| dial.connected && ended.since(dial.at) < QUICK_DIAL;
        dial.producer == request.producer
            && dial.at <= request.at
            && dial
                .ended_at
                .is_none_or(|ended| ended >= request.at || (!well(ended) && lately(ended)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, all, doctored::good};
    use crate::history::History;
    use crate::pair::{self, Lines};
    use crate::plan::{FaultKind, FaultPlan, Mode, RefusalPlan, SendFault};

    fn finds(history: &History, what: &str) {
        let found = all(history);
        let wanted = |v: &&super::super::Violation| {
            v.invariant == Invariant::Retries && v.what.contains(what)
        };
        assert!(found.iter().any(|v| wanted(&v)), "{found:?}");
    }

    /// One broker is busy for a while; in a lane, which has one queue, both are.
    fn busy(mode: Mode, attempts_max: Option<u32>) -> History {
        let mut plan = good(mode).plan;
        plan.run_ms = 3_000;
        plan.workloads[0].total = 200;
        plan.config.overrides.attempts_max = attempts_max;
        let busy = |broker: &str| FaultPlan {
            at_ms: 300,
            for_ms: 80,
            target: broker.to_owned(),
            kind: FaultKind::Sends { fault: SendFault::Refuse(RefusalPlan::Busy) },
        };
        plan.faults = vec![busy("broker-0")];
        if mode == Mode::Strict {
            plan.faults.push(busy("broker-1"));
        }
        let run = pair::run(&plan, Lines::Forget);
        assert_eq!(run.violations, []);
        run.history
    }

    #[test]
    fn a_retry_that_goes_back_is_found() {
        let mut history = busy(Mode::Rotate, None);
        let elsewhere = |pair: &[crate::history::Request]| {
            pair[0].message_id == pair[1].message_id && pair[0].address != pair[1].address
        };
        let first = history.requests.windows(2).position(elsewhere).expect("a retry");
        history.requests[first + 1].address = history.requests[first].address.clone();
        history.requests[first + 1].link = history.requests[first].link;

        finds(&history, "goes back");
        finds(&history, "in haste");
    }

    #[test]
    fn a_lane_that_makes_no_pause_is_found() {
        let mut history = busy(Mode::Strict, None);
        let again = |pair: &[crate::history::Request]| pair[0].message_id == pair[1].message_id;
        let first = history.requests.windows(2).position(again).expect("a retry");
        let (refused, _) = history.requests[first].answer.expect("it is refused");
        assert!(history.requests[first + 1].at.since(refused) >= super::PAUSE);

        history.requests[first + 1].at = refused;

        finds(&history, "in haste");
    }

    #[test]
    fn a_send_that_gives_up_is_found() {
        let mut history = busy(Mode::Rotate, Some(1));
        assert!(history.sends.iter().any(|send| send.error().is_some()), "one attempt is all");

        history.plan.config.overrides.attempts_max = None;

        finds(&history, "gave up");
    }
}
