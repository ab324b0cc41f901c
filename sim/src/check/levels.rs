//! I13: is nothing left when all is over, and does nothing grow past its limit?

use super::{Found, Joined};
use crate::plan::FaultKind;

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
