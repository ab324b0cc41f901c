//! I14: does what was under way on a connection that ended go on at once?

use std::collections::BTreeMap;

use std::time::Duration;

use producer_core::Instant;

use super::links::{Links, UNDER_WAY};
use super::{Found, Joined};
use crate::history::{LinkLost, Request, SendRecord};
use crate::plan::Mode;

/// One tick of a simulated network, rounded up.
const AT_ONCE: Duration = Duration::from_millis(2);

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let history = joined.history;
    let Some(mut links) = Links::of_standard(history) else { return };
    let by_id: BTreeMap<&str, &SendRecord> = history
        .sends
        .iter()
        .filter(|send| send.mode == Mode::Rotate)
        .filter_map(|send| Some((send.message_id.as_deref()?, send)))
        .collect();
    let mut late = |links: &Links<'_>, lost: &LinkLost, request: &Request| {
        let Some(send) = by_id.get(&*request.message_id) else { return };
        let before = joined.requests(send).iter().filter(|request| request.at <= lost.at);
        let before = before.map(|request| &*request.address);
        let tried: Vec<&str> = before.chain(in_vain(joined, send, lost.at)).collect();
        let waits = lost.at.since(request.at) < UNDER_WAY
            && !goes_on(joined, send, request, lost)
            && !dials(joined, lost)
            && !joined.stood_still(lost.producer, lost.at)
            && links.untried_is_well(request, lost.at, &tried);
        if waits {
            let (ticket, at) = (send.ticket, lost.at.as_millis());
            found.report(format!("send {ticket} waits, though #{} ended at {at} ms", lost.link));
        }
    };
    for request in &history.requests {
        links.advance(request, |links, lost, standing| {
            standing.asked.iter().for_each(|request| late(links, lost, request));
        });
        links.leaves(request);
    }
}

/// Whether a send is over, or on its way again, soon after a connection was lost.
fn goes_on(joined: &Joined<'_>, send: &SendRecord, request: &Request, lost: &LinkLost) -> bool {
    let soon = |at: Instant| at <= lost.at + AT_ONCE;
    let again = |other: &&Request| other.at >= request.at && other.link != request.link;
    send.ends.iter().any(|(at, _)| soon(*at))
        || joined.requests(send).iter().filter(|other| again(other)).any(|other| soon(other.at))
}

/// Where dials failed while the send was in hand: it may have been an attempt of its own, of which
/// nothing was seen on the wire.
fn in_vain<'h>(
    joined: &Joined<'h>,
    send: &SendRecord,
    at: Instant,
) -> impl Iterator<Item = &'h str> {
    let (producer, since) = (send.producer, send.at);
    let dials = joined.history.dials.iter().filter(move |dial| {
        let failed = dial.ended_at.is_some_and(|ended| since <= ended && ended <= at);
        dial.producer == producer && !dial.connected && failed
    });
    dials.map(|dial| &*dial.address)
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

    use producer_core::Instant;

    use super::super::{Invariant, all, doctored::good};
    use crate::history::{Dial, History, LinkLost};
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

    /// The send may have tried there: the timeline of drill 6201 shows its first attempt end in a
    /// dial, which no request on the wire tells of.
    #[test]
    fn a_broker_that_was_dialled_in_vain_counts_as_tried() {
        let mut history = waiting();
        let at = history.requests[9].at;
        let mut addresses: Vec<_> = history.requests.iter().map(|r| r.address.clone()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        history.dials.extend(addresses.into_iter().map(|address| Dial {
            at: Instant::ZERO,
            producer: 0,
            address,
            ended_at: Some(at),
            connected: false,
        }));

        assert!(!is_found(&history), "{:?}", all(&history));
    }
}
