//! I10: is a broker left in peace that owes answers and has said nothing for a while, as long as
//! another one can take the messages?

use std::time::Duration;

use super::links::Links;
use super::{Found, Joined};
use crate::plan::Mode;

/// The producer's limit is 200 ms.
const SILENCE: Duration = Duration::from_millis(300);

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let history = joined.history;
    let Some(mut links) = Links::of_standard(joined) else { return };
    let mut rotating = vec![false; joined.ids.len()];
    for (send, number) in history.sends.iter().zip(&joined.sends) {
        if let Some(number) = number
            && matches!(send.mode, Mode::Rotate | Mode::OneWay)
        {
            rotating[*number as usize] = true;
        }
    }
    let mut seen = vec![false; joined.ids.len()];
    for (request, number) in joined.numbered_requests() {
        links.advance(request, |_, _, _| {});
        let first = !std::mem::replace(&mut seen[number as usize], true);
        let silent = links.get(request.link).is_some_and(|link| {
            link.asked.iter().map(|asked| asked.request).any(|asked| {
                asked.heard_at <= asked.at
                    && request.heard_at <= asked.at
                    && request.at.since(asked.at) > SILENCE
            })
        });
        if first
            && silent
            && rotating[number as usize]
            && !joined.stood_still(request.producer, request.at)
            && !joined.leaves_late(request.at)
            && links.other_is_well(request, request.at)
        {
            let (at, address) = (request.at.as_millis(), &request.address);
            found.report(format!("at {at} ms a new send to {address}, which is silent"));
        }
        links.leaves(request, number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use producer_core::wire::code::response;

    use super::super::{Invariant, all, doctored::good};
    use crate::history::{Dial, History};
    use crate::plan::Mode;

    /// One broker no longer answers, and gets its share all the same.
    fn silent() -> History {
        let mut history = good(Mode::Rotate);
        let silent = history.requests[0].address.clone();
        let from = history.requests[4].at;
        for request in &mut history.requests {
            if request.address == silent && request.at >= from {
                request.answer = None;
                request.heard_at = from - Duration::from_millis(1);
                let id = Some(&request.message_id);
                let send = history.sends.iter_mut().find(|send| send.message_id.as_ref() == id);
                send.expect("sent").ends[0].0 = request.at + Duration::from_secs(1);
            }
        }
        history
    }

    /// Each broker is dialled for which it is so, when one falls silent.
    fn dial(history: &mut History, which: impl Fn(&str, &str) -> bool) {
        let (at, silent) = (history.requests[4].at, history.requests[0].address.clone());
        let mut dials = history.dials.clone();
        dials.retain(|dial| which(&dial.address, &silent));
        assert!(!dials.is_empty());
        let anew = dials.into_iter().map(|dial| Dial { at, ended_at: None, ..dial });
        history.dials.extend(anew);
    }

    fn avoidance(history: &History) -> usize {
        all(history).iter().filter(|found| found.invariant == Invariant::Avoidance).count()
    }

    #[test]
    fn sends_to_a_silent_broker_are_found() {
        let history = silent();

        assert!(avoidance(&history) > 0, "{:?}", all(&history));
    }

    /// A dial tells that the connection before it was given up: what it still answers is nothing to
    /// go by. One to somewhere else tells nothing.
    #[test]
    fn a_broker_that_is_dialled_anew_is_not_another_to_go_to() {
        let (mut other, mut itself) = (silent(), silent());
        dial(&mut other, |address, silent| address != silent);
        dial(&mut itself, |address, silent| address == silent);

        assert_eq!(avoidance(&other), 0);
        assert!(avoidance(&itself) > 0);
    }
    /// A broker that said that it goes gets nothing more on that connection, though it answers what
    /// it had been asked before.
    #[test]
    fn a_broker_that_goes_is_not_another_to_go_to() {
        let mut history = silent();
        assert!(avoidance(&history) > 0);
        let (from, silent) = (history.requests[4].at, history.requests[0].address.clone());
        let mut others = history.requests.iter_mut().filter(|it| it.address != silent);
        let told = others.find(|it| it.at >= from).expect("the other one is sent to");
        let (at, _) = told.answer.expect("it answers");
        told.answer = Some((at, response::GO_AWAY));

        assert_eq!(avoidance(&history), 0);
    }
}
