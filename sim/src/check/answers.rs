//! I16: does an answer that arrives count, and is nobody blamed for a frame that was whole?

use std::time::Duration;

use producer_core::{ConnectionEnd, ErrorKind};

use super::{Found, Joined};
use crate::history::{Request, SendRecord};
use crate::plan::{FaultKind, Mode, SendFault};

/// An answer that comes so soon cannot be too late.
const SOON: Duration = Duration::from_millis(5);
/// While so much time is left, no attempt is as short as that.
const MUCH: Duration = Duration::from_millis(100);

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let plan = &joined.history.plan;
    let has = |wanted: fn(FaultKind) -> bool| plan.faults.iter().any(|fault| wanted(fault.kind));
    let garbles = has(|kind| {
        let FaultKind::Sends { fault } = kind else { return false };
        matches!(fault, SendFault::Garbage | SendFault::Malformed(_))
    });
    for send in &joined.history.sends {
        let requests = joined.requests(send);
        if send.mode == Mode::OneWay && requests.iter().any(|request| request.answer.is_some()) {
            found.report(format!("send {} is one-way and was answered", send.ticket));
        }
        if !joined.leaves_late(send.at + send.timeout)
            && !plan.config.overrides.retry_not_ok.unwrap_or(false)
        {
            believed(send, requests, found);
        }
        if !garbles && blames_a_frame(send) {
            found.report(format!("send {}: the frames were whole", send.ticket));
        }
    }
}

/// Whether a send ends with the first answer that says "stored".
fn believed(send: &SendRecord, requests: &[&Request], found: &mut Found) {
    let Some((ended, _)) = send.ends.first() else { return };
    for (n, request) in requests.iter().enumerate() {
        let Some((answered, 0)) = request.answer else { continue };
        let in_time = answered.since(request.at) < SOON
            && request.at + MUCH < send.at + send.timeout
            && requests.get(n + 1).is_none_or(|next| next.at > answered);
        if in_time && !request.waited && *ended > answered {
            let late = ended.since(answered);
            found.report(format!("send {} ends {late:?} after its answer", send.ticket));
            return;
        }
    }
}

fn blames_a_frame(send: &SendRecord) -> bool {
    let malformed =
        |kind: &ErrorKind| matches!(kind, ErrorKind::ConnectionLost(ConnectionEnd::Malformed(_)));
    send.error().is_some_and(|error| error.attempts().iter().any(|a| malformed(&a.kind)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn an_answer_that_does_not_count_is_found() {
        fires(Invariant::Framing, Mode::Rotate, |history| {
            let (at, _) = history.requests[3].answer.expect("answered");
            history.sends[3].ends[0].0 = at + Duration::from_millis(700);
        });
    }

    #[test]
    fn an_answer_to_a_one_way_send_is_found() {
        fires(Invariant::Framing, Mode::OneWay, |history| {
            let at = history.requests[3].at;
            history.requests[3].answer = Some((at, 0));
        });
    }
}
