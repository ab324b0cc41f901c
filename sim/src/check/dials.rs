//! I15: is an address dialled once at a time, and left in peace for a while after a failure?

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Found, Joined};
use crate::history::Dial;
use crate::plan::Preset;

/// Most dials of one address that fail within a second, with pauses that double from 50 ms.
const FAILED_A_SECOND: usize = 7;

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let mut by_address: BTreeMap<(u16, &str), Vec<&Dial>> = BTreeMap::new();
    for dial in &joined.history.dials {
        by_address.entry((dial.producer, &dial.address)).or_default().push(dial);
    }
    let pauses = joined.history.plan.config.preset == Preset::Default;
    for ((producer, address), dials) in by_address {
        for pair in dials.windows(2) {
            if pair[0].ended_at.is_none_or(|ended| ended > pair[1].at) {
                let at = pair[1].at.as_millis();
                found.report(format!("producer {producer} dials {address} twice at {at} ms"));
            }
        }
        let failed: Vec<_> = dials.iter().filter(|dial| !dial.connected).collect();
        for window in failed.windows(FAILED_A_SECOND + 1) {
            let span = window[FAILED_A_SECOND].at.since(window[0].at);
            if pauses && span < Duration::from_secs(1) {
                let at = window[0].at.as_millis();
                found.report(format!("producer {producer} dials {address} in a hurry at {at} ms"));
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn two_dials_at_once_are_found() {
        fires(Invariant::Dials, Mode::Rotate, |history| {
            let again = history.dials[0].clone();
            history.dials.push(again);
        });
    }

    #[test]
    fn a_storm_of_dials_is_found() {
        fires(Invariant::Dials, Mode::Rotate, |history| {
            let mut dial = history.dials[0].clone();
            dial.connected = false;
            for _ in 0..8 {
                dial.at = dial.ended_at.expect("answered");
                dial.ended_at = Some(dial.at);
                history.dials.push(dial.clone());
            }
        });
    }
}
