//! I17: once a name server and a broker are well, does every new send succeed?

use super::{Found, Joined};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let from = joined.history.judged_from;
    for send in joined.history.sends.iter().filter(|send| send.probe && send.at >= from) {
        if send.receipt().is_none() {
            let error = send.error().map_or_else(|| "no end".to_owned(), ToString::to_string);
            let at = send.at.since(joined.history.healed_at);
            found.report(format!("send {}, {at:?} after healing: {error}", send.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, all, doctored::good};
    use crate::plan::Mode;

    #[test]
    fn a_send_that_fails_after_healing_is_found() {
        let mut history = good(Mode::Rotate);
        let probe = history.sends.iter_mut().rfind(|send| send.probe).expect("probes");
        probe.ends.clear();

        let found = all(&history);

        assert!(found.iter().any(|violation| violation.invariant == Invariant::Liveness));
    }
}
