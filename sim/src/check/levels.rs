//! I13: is nothing left when all is over, and does nothing grow past its limit?

use producer_core::{Config, ErrorKind, Instant};

use super::{Found, Joined};
use crate::history::{History, SendRecord};
use crate::plan::{FaultKind, Mode};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let plan = &joined.history.plan;
    let config = plan.config.config(Vec::new());
    let in_hand = config.sends_max + config.waiting_max;
    let moves = plan.faults.iter().filter(|fault| fault.kind == FaultKind::Move).count();
    // One for each address, and those that finish what is under way on them: a new one is made once
    // a second at most, and gives up after three.
    let connections = 4 * (plan.nodes().len() + moves);
    for (number, end) in joined.history.ends.iter().enumerate() {
        let stats = &end.stats;
        let left = [
            stats.in_hand,
            stats.waiting_for_room,
            stats.bytes_in_hand,
            stats.bytes_waiting,
            stats.requests_in_flight,
            stats.connections,
            stats.out_bytes,
        ];
        if left.iter().any(|level| *level > 0) {
            found.report(format!("producer {number} has something left: {stats:?}"));
        }
        if end.in_hand_max > in_hand || end.connections_max > connections {
            let (sends, conns) = (end.in_hand_max, end.connections_max);
            found.report(format!("producer {number} had {sends} sends, {conns} connections"));
        }
        on_the_wire(joined, number as u16, config.sends_max, found);
        if !plan.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Cancel { .. })) {
            refused(joined.history, number as u16, &config, found);
        }
    }
}

/// No more messages are under way than are let in.
fn on_the_wire(joined: &Joined<'_>, producer: u16, most: usize, found: &mut Found) {
    let mut changes: Vec<(Instant, bool)> = Vec::new();
    for send in joined.history.sends.iter().filter(|send| send.producer == producer) {
        let left = joined.requests(send).first().map(|request| request.at);
        if let (Some(left), Some((ended, _))) = (left, send.ends.first())
            && left < *ended
        {
            changes.extend([(left, true), (*ended, false)]);
        }
    }
    // At one instant places are given back before they are taken.
    changes.sort_unstable();
    let mut under_way = 0_usize;
    for together in changes.chunk_by(|one, next| one == next) {
        let (at, taken) = together[0];
        if !taken {
            under_way = under_way.saturating_sub(together.len());
            continue;
        }
        under_way += together.len();
        // Of one that stands still, ends are seen late.
        if under_way > most && !joined.stood_still(producer, at) {
            let at = at.as_millis();
            return found.report(format!("{under_way} sends of {most} are under way at {at} ms"));
        }
    }
}

/// A send is refused only when no more may wait.
fn refused(history: &History, producer: u16, config: &Config, found: &mut Found) {
    let ours = || history.sends.iter().filter(move |send| send.producer == producer);
    let at_once = |send: &&SendRecord| {
        let full = send.error().is_some_and(|error| *error.kind() == ErrorKind::Full);
        full && send.ends.first().is_some_and(|(at, _)| *at == send.at)
    };
    for send in ours().filter(at_once) {
        // One that nobody answers is asked a moment after its time.
        let late = |other: &SendRecord| send.mode == Mode::OneWay && other.at == send.at;
        let earlier = ours().filter(|other| other.ticket < send.ticket || late(other));
        // What ended at the same instant may have ended after it, unless it was refused as well.
        let in_hand = earlier.filter(|other| {
            let ended = other.ends.first().map(|(at, _)| *at);
            ended.is_none_or(|at| at > send.at || (at == send.at && !at_once(other)))
        });
        let in_hand = in_hand.count();
        if in_hand < config.sends_max + config.waiting_max {
            let ticket = send.ticket;
            return found.report(format!("send {ticket} is refused with {in_hand} in hand"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn a_leak_is_found() {
        fires(Invariant::Levels, Mode::Rotate, |history| {
            history.ends[0].stats.requests_in_flight = 1;
        });
    }

    #[test]
    fn too_many_connections_are_found() {
        fires(Invariant::Levels, Mode::Rotate, |history| history.ends[0].connections_max = 13);
    }
}
