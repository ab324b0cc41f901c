//! I1: does each send end exactly once?

use super::{Found, Joined};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    for send in &joined.history.sends {
        if send.ends.len() != 1 {
            found.report(format!("send {} ended {} times", send.ticket, send.ends.len()));
        }
    }
    for (number, end) in joined.history.ends.iter().enumerate() {
        if end.report.is_none() {
            found.report(format!("producer {number} was closed and never said so"));
        }
        let stats = &end.stats;
        let ended = stats.stored + stats.written + stats.not_sent + stats.rejected + stats.unknown;
        if !(stats.accepted.saturating_sub(stats.cancelled)..=stats.accepted).contains(&ended) {
            found.report(format!("producer {number} does not account for its sends: {stats:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn a_second_end_is_found() {
        fires(Invariant::Once, Mode::Rotate, |history| {
            let end = history.sends[3].ends[0].clone();
            history.sends[3].ends.push(end);
        });
    }

    #[test]
    fn a_producer_that_forgets_a_send_is_found() {
        fires(Invariant::Once, Mode::Rotate, |history| history.ends[0].stats.stored -= 1);
    }
}
