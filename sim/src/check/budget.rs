//! I2: does each send end within its time? Looking up the route, dialling and waiting count. Where
//! time is coarse, two ticks more.

use std::time::Duration;

use super::{Found, Joined};

/// The core rounds deadlines to 10 ms; a millisecond for us.
const ROUNDING: Duration = Duration::from_millis(11);

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    for send in &joined.history.sends {
        let Some((at, _)) = send.ends.first() else { continue };
        let limit = send.at + send.timeout + ROUNDING + 2 * joined.history.tick;
        let stood_still = joined.history.stalls.iter().any(|&(producer, from, to)| {
            producer == send.producer && from <= limit && to >= send.at
        });
        if *at > limit && !stood_still {
            let (took, allowed) = (at.since(send.at), send.timeout);
            found.report(format!("send {} took {took:?}, allowed {allowed:?}", send.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn a_late_end_is_found() {
        fires(Invariant::Budget, Mode::OneWay, |history| {
            let send = &mut history.sends[5];
            send.ends[0].0 = send.at + send.timeout + Duration::from_millis(12);
        });
    }
}
