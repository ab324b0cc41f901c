//! I14: does what was under way on a connection that ended go on at once?

use std::time::Duration;

use producer_core::Instant;

use super::links::{Asked, Links, UNDER_WAY};
use super::{Found, Joined};
use crate::history::{End, LinkLost, Request, SendRecord};

/// One tick of a simulated network, rounded up.
const AT_ONCE: Duration = Duration::from_millis(2);

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let Some(mut links) = Links::of_standard(joined) else { return };
    let mut late = |links: &Links<'_>, lost: &LinkLost, asked: &Asked<'_>| {
        let request = asked.request;
        let send = joined.rotating_send(asked.number);
        let Some(send) = send else { return };
        let before = joined.requests(send).iter().filter(|request| request.at <= lost.at);
        let tried: Vec<&str> = before.map(|request| &*request.address).collect();
        let waits = lost.at.since(request.at) < surely_under_way(send, request)
            && !was_tried_unseen(joined, send)
            && !goes_on(joined, send, request, lost)
            && !dials(joined, lost)
            && !joined.stood_still(lost.producer, lost.at)
            && links.untried_is_well(request, lost.at, &tried);
        if waits {
            let (ticket, at) = (send.ticket, lost.at.as_millis());
            found.report(format!("send {ticket} waits, though #{} ended at {at} ms", lost.link));
        }
    };
    for (request, number) in joined.numbered_requests() {
        links.advance(request, |links, lost, standing| {
            standing.asked.iter().for_each(|asked| late(links, lost, asked));
        });
        links.leaves(request, number);
    }
}

/// How long an attempt is surely not given up: it has its share of the time that is left to the send,
/// for two more must have theirs.
fn surely_under_way(send: &SendRecord, request: &Request) -> Duration {
    let left = (send.at + send.timeout).since(request.at);
    UNDER_WAY.min(left / 3 * 9 / 10)
}

/// Whether a send is over, or on its way again, soon after a connection was lost.
fn goes_on(joined: &Joined<'_>, send: &SendRecord, request: &Request, lost: &LinkLost) -> bool {
    let soon = |at: Instant| at <= lost.at + AT_ONCE;
    let again = |other: &&Request| other.at >= request.at && other.link != request.link;
    send.ends.iter().any(|(at, _)| soon(*at))
        || joined.requests(send).iter().filter(|other| again(other)).any(|other| soon(other.at))
}

/// Whether the send was tried where nothing was seen of it: a dial failed, or its frame was taken back
/// before it left. Nobody but the producer knows then which brokers it has not tried yet.
fn was_tried_unseen(joined: &Joined<'_>, send: &SendRecord) -> bool {
    let tried = send.ends.iter().map(|(_, end)| match end {
        End::Stored(receipt) => receipt.attempts as usize,
        End::Failed(error) => error.attempts().len(),
        End::Written | End::Cancelled => 0,
    });
    tried.max().unwrap_or_default() > joined.requests(send).len()
}

/// Whether the producer was about to connect somewhere: the send may wait for that.
fn dials(joined: &Joined<'_>, lost: &LinkLost) -> bool {
    joined.history.dials.iter().any(|dial| {
        dial.producer == lost.producer
            && dial.at <= lost.at + AT_ONCE
            && dial.ended_at.is_none_or(|ended| ended >= lost.at)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Invariant, all, doctored::good};
    use crate::history::{End, History, LinkLost};
    use crate::plan::Mode;

    /// A connection ends while a request is under way; the send ends much later.
    fn waiting() -> History {
        let mut history = good(Mode::Rotate);
        let (at, link) = (history.requests[9].at, history.requests[9].link);
        history.requests[9].answer = None;
        history.lost.push(LinkLost { at: at + Duration::from_millis(1), producer: 0, link });
        let id = history.requests[9].message_id.clone();
        let send = history.sends.iter_mut().find(|send| send.message_id.as_ref() == Some(&id));
        send.expect("sent").ends[0].0 = at + Duration::from_millis(500);
        history
    }

    fn is_found(history: &History) -> bool {
        all(history).iter().any(|violation| violation.invariant == Invariant::FailFast)
    }

    #[test]
    fn a_send_that_waits_on_a_lost_connection_is_found() {
        assert!(is_found(&waiting()), "{:?}", all(&waiting()));
    }

    /// As in drills 6201 and 97033, whose timelines show a second attempt on the wire that has no
    /// first one.
    #[test]
    fn a_send_that_was_tried_unseen_may_wait() {
        let mut history = waiting();
        let id = history.requests[9].message_id.clone();
        let send = history.sends.iter_mut().find(|send| send.message_id.as_ref() == Some(&id));
        let End::Stored(receipt) = &mut send.expect("sent").ends[0].1 else { panic!("stored") };
        receipt.attempts += 1;

        assert!(!is_found(&history), "{:?}", all(&history));
    }

    /// As in drill 97033: of 1 s an attempt has a third, after which the send may pause.
    #[test]
    fn a_send_whose_attempt_was_over_may_wait() {
        let mut history = waiting();
        let id = history.requests[9].message_id.clone();
        let send = history.sends.iter_mut().find(|send| send.message_id.as_ref() == Some(&id));
        send.expect("sent").timeout = Duration::from_millis(3);

        assert!(!is_found(&history), "{:?}", all(&history));
    }
}
