//! I8: do messages of one key keep their order where that was promised?
//!
//! `Strict`: all copies of a key are in one queue, and the first copies are in the order of the
//! sends; one that ended unknown may be anywhere. `Available`: the same among receipts of one
//! epoch. A hash: a key keeps its queue while the routes stay the same.

use std::collections::BTreeMap;

use producer_core::Outcome;

use super::{Found, Joined};
use crate::history::{End, RouteSeen, SendRecord, Stored};
use crate::plan::Mode;

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let mut lanes: BTreeMap<(u16, &str, &str, Mode), Vec<&SendRecord>> = BTreeMap::new();
    for send in &joined.history.sends {
        if let Some(key) = &send.key {
            lanes.entry((send.producer, &send.topic, key, send.mode)).or_default().push(send);
        }
    }
    for ((producer, topic, key, mode), sends) in lanes {
        let name = format!("{topic}/{key} of producer {producer}");
        match mode {
            Mode::Strict => {
                strict(joined, &name, &sends, found);
                overtaken(joined, &name, &sends, found);
            }
            Mode::Available => available(joined, &name, &sends, found),
            Mode::Hash => hash(joined, &name, &sends, found),
            Mode::Rotate | Mode::OneWay => {}
        }
    }
}

fn strict(joined: &Joined<'_>, name: &str, sends: &[&SendRecord], found: &mut Found) {
    let mut place: Option<(&str, i32)> = None;
    let mut last: Option<(u64, i64)> = None;
    for send in sends {
        let copies = joined.copies(send);
        for copy in copies {
            let at = (&*copy.broker, copy.message.queue_id);
            let home = *place.get_or_insert(at);
            if home != at {
                let ticket = send.ticket;
                found.report(format!("{name}: send {ticket} is in {at:?}, others in {home:?}"));
            }
        }
        let Some(first) = copies.iter().map(|copy| copy.message.queue_offset).min() else {
            continue;
        };
        if may_be_anywhere(send) {
            continue;
        }
        if let Some((before, offset)) = last
            && offset >= first
        {
            found.report(format!("{name}: send {before} is behind {} that followed", send.ticket));
        }
        last = Some((send.ticket, first));
    }
}

/// What waited behind a send of which nobody knows may not pass it; nor may it pass one that was
/// given up by its caller while it was under way.
fn overtaken(joined: &Joined<'_>, name: &str, sends: &[&SendRecord], found: &mut Found) {
    for (n, send) in sends.iter().enumerate() {
        let Some((at, end)) = send.ends.first() else { continue };
        let waited = sends[n + 1..].iter().filter(|later| later.at < *at);
        match end {
            End::Failed(error) if error.outcome() == Outcome::Unknown => {
                let mut passed = waited.filter(|later| later.receipt().is_some());
                if let Some(later) = passed.next() {
                    found.report(format!("{name}: {} passes {}", later.ticket, send.ticket));
                }
            }
            End::Cancelled => {
                let requests = joined.requests(send);
                let under_way = requests.last().is_some_and(|request| {
                    request.at < *at && request.answer.is_none_or(|(answered, _)| answered > *at)
                });
                let now = |later: &&&SendRecord| {
                    joined.requests(later).first().is_some_and(|request| request.at == *at)
                };
                if let Some(later) = waited.clone().find(now).filter(|_| under_way) {
                    found.report(format!("{name}: {} passes {}", later.ticket, send.ticket));
                }
            }
            End::Failed(_) | End::Stored(_) | End::Written => {}
        }
    }
}

/// Whether nobody was promised where the message is.
fn may_be_anywhere(send: &SendRecord) -> bool {
    send.ended(|end| match end {
        End::Failed(error) => error.outcome() == Outcome::Unknown,
        End::Cancelled => true,
        End::Stored(_) | End::Written => false,
    })
}

fn available(joined: &Joined<'_>, name: &str, sends: &[&SendRecord], found: &mut Found) {
    let mut last: BTreeMap<u64, (u64, &str, u32, u64)> = BTreeMap::new();
    for send in sends {
        let Some(receipt) = send.receipt() else { continue };
        // The places of what is gone are used again.
        if !joined.cuts(send).is_empty() {
            continue;
        }
        let (broker, queue, offset) = (&*receipt.broker, receipt.queue_id, receipt.queue_offset);
        if let Some((before, at, in_queue, up_to)) = last.get(&receipt.epoch)
            && ((*at, *in_queue) != (broker, queue) || *up_to >= offset)
        {
            found.report(format!(
                "{name}: sends {before} and {} have epoch {}, but are at {at}/{in_queue}@{up_to} \
                 and {broker}/{queue}@{offset}",
                send.ticket, receipt.epoch
            ));
        }
        last.insert(receipt.epoch, (send.ticket, broker, queue, offset));
    }
}

fn hash(joined: &Joined<'_>, name: &str, sends: &[&SendRecord], found: &mut Found) {
    let mut last: Option<(&SendRecord, &Stored)> = None;
    for send in sends {
        let Some(copy) = joined.copies(send).first() else { continue };
        if let Some((before, other)) = last {
            let moved =
                (&other.broker, other.message.queue_id) != (&copy.broker, copy.message.queue_id);
            if moved && !routes_differ(&joined.history.routes, send) {
                let (one, two) = (before.ticket, send.ticket);
                found.report(format!("{name}: sends {one} and {two} are in different queues"));
            }
        }
        last = Some((send, copy));
    }
}

/// The topic whose route others have until they exist.
const TEMPLATE: &str = "TBW102";

/// Whether the producer of a send has ever seen two different routes of its topic.
fn routes_differ(routes: &[RouteSeen], send: &SendRecord) -> bool {
    let of_topic = |route: &&RouteSeen| route.topic == send.topic || route.topic == TEMPLATE;
    let mut seen = routes.iter().filter(|route| route.producer == send.producer).filter(of_topic);
    let first = seen.next();
    seen.any(|route| first.is_some_and(|first| first.writable != route.writable))
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::history::{End, History};
    use crate::plan::Mode;

    /// Swaps what two sends are told and what is stored of them.
    fn swap(history: &mut History, one: usize, two: usize) {
        let ends = history.sends[one].ends.clone();
        let at = |history: &History, send: usize| {
            let id = history.sends[send].message_id.as_deref();
            history.stored.iter().position(|stored| stored.message.uniq_key() == id)
        };
        let (first, second) = (at(history, one), at(history, two));
        let (first, second) = (first.expect("stored"), second.expect("stored"));
        let places = [first, second].map(|at| {
            let message = &history.stored[at].message;
            (message.queue_offset, message.physical_offset)
        });
        let mut give = |at: usize, place: (i64, i64)| {
            let message = &mut history.stored[at].message;
            (message.queue_offset, message.physical_offset) = place;
        };
        give(first, places[1]);
        give(second, places[0]);
        let other = history.sends[two].ends.clone();
        if let (End::Stored(a), End::Stored(b)) = (&ends[0].1, &other[0].1) {
            let (mut a, mut b) = (a.clone(), b.clone());
            std::mem::swap(&mut a.queue_offset, &mut b.queue_offset);
            std::mem::swap(&mut a.offset_id, &mut b.offset_id);
            history.sends[one].ends[0].1 = End::Stored(a);
            history.sends[two].ends[0].1 = End::Stored(b);
        }
    }

    #[test]
    fn a_strict_lane_out_of_order_is_found() {
        fires(Invariant::Order, Mode::Strict, |history| swap(history, 3, 4));
    }

    #[test]
    fn an_available_lane_out_of_order_is_found() {
        fires(Invariant::Order, Mode::Available, |history| swap(history, 3, 4));
    }

    #[test]
    fn a_key_that_changes_its_queue_is_found() {
        fires(Invariant::Order, Mode::Hash, |history| {
            let id = history.sends[6].message_id.clone();
            let stored = history.stored.iter_mut().find(|s| s.message.uniq_key() == id.as_deref());
            stored.expect("stored").message.queue_id ^= 1;
            if let End::Stored(receipt) = &mut history.sends[6].ends[0].1 {
                receipt.queue_id ^= 1;
            }
        });
    }
}
