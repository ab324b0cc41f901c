//! I6: is a message stored more than once only if an attempt ended of which nobody knew?

use std::time::Duration;

use producer_core::wire::code::response::GO_AWAY;
use producer_core::{Instant, OnUnknown};

use super::{Found, Joined};
use crate::history::Request;
use crate::plan::Mode;

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let config = joined.history.plan.config.config(Vec::new());
    for send in &joined.history.sends {
        let requests = joined.requests(send);
        let copies = joined.copies(send).len() + joined.cuts(send).len();
        let allowed = if send.mode == Mode::Hash { 1 } else { config.attempts_max.max(1) as usize };
        let sent_away =
            requests.iter().filter(|request| matches!(request.answer, Some((_, GO_AWAY)))).count();
        let attempts = requests.len() - sent_away;
        if attempts > allowed || requests.len() > config.attempts_all_max.max(1) as usize {
            found.report(format!("send {}: {attempts} attempts of {allowed}", send.ticket));
        }
        let unknown = unknown(joined, requests, send.at + send.timeout);
        if copies > requests.len() || copies > unknown + 1 {
            let attempts = requests.len();
            found.report(format!(
                "send {}: {copies} copies of {attempts} attempts, {unknown} of them unanswered",
                send.ticket
            ));
        }
        if copies > 1 && config.on_unknown == OnUnknown::Stop {
            found.report(format!("send {}: {copies} copies, and none was wanted", send.ticket));
        }
        let warned = send.receipt().is_none_or(|receipt| receipt.maybe_duplicate);
        if copies > 1 && !warned {
            found.report(format!("send {}: {copies} copies, and no warning", send.ticket));
        }
    }
}

/// How many attempts ended without anybody knowing how. An answer that others follow came too late,
/// as far as can be seen from here: later than the next attempt, or than any attempt would wait.
fn unknown(joined: &Joined<'_>, requests: &[&Request], deadline: Instant) -> usize {
    // What waited for its connection, or for room on it, was asked for some time before it left.
    let begun = |request: &Request| match request.waited {
        true => request.dialled_at,
        false => request.at,
    };
    let next = requests.iter().skip(1).map(|request| Some(begun(request))).chain([None]);
    let late = |request: &Request, next: Option<Instant>| {
        let (Some((at, _)), Some(next)) = (request.answer, next) else { return false };
        at > next
            || joined.leaves_late(request.at)
            || at.since(begun(request)) >= SHORTEST_ATTEMPT
            || begun(request) + LITTLE_TIME > deadline
    };
    let attempts = requests.iter().zip(next);
    attempts.filter(|(request, next)| request.is_indeterminate() || late(request, *next)).count()
}

/// With so little time left attempts are as short as that, shared out.
const LITTLE_TIME: Duration = Duration::from_millis(150);
/// No attempt is given up before.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(3);

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn a_copy_without_an_attempt_is_found() {
        fires(Invariant::Duplicates, Mode::Rotate, |history| {
            let copy = history.stored[0].clone();
            history.stored.push(copy);
        });
    }

    #[test]
    fn an_attempt_too_many_is_found() {
        fires(Invariant::Duplicates, Mode::Rotate, |history| {
            let mut again = history.requests[0].clone();
            again.answer = None;
            history.requests.extend([again.clone(), again.clone(), again]);
        });
    }
}
