//! I5: was what is stored sent, as it is, and is what failed for sure in no log?

use producer_core::Outcome;

use super::{Found, Joined};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    let stored = joined.history.stored.iter().map(|stored| (&stored.broker, &stored.message));
    let cuts = joined.history.cuts.iter().map(|cut| (&cut.broker, &cut.message));
    let numbers = joined.stored.iter().chain(&joined.cuts);
    for ((broker, message), number) in stored.chain(cuts).zip(numbers) {
        match joined.send(*number) {
            None => {
                let id = message.uniq_key().unwrap_or("");
                found.report(format!("{broker} holds {id:?}, which nobody sent"));
            }
            Some(send) if message.body != send.body.as_bytes() || message.topic != send.topic => {
                found.report(format!("{broker} holds something else as {}", send.ticket));
            }
            Some(_) => {}
        }
    }
    for send in &joined.history.sends {
        let surely = send.error().is_some_and(|error| error.outcome() != Outcome::Unknown);
        let copies = joined.copies(send).len() + joined.cuts(send).len();
        if surely && copies > 0 {
            let outcome = send.error().map(|error| error.to_string()).unwrap_or_default();
            found.report(format!("send {} is stored {copies} times, but: {outcome}", send.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn another_body_is_found() {
        fires(Invariant::NoPhantom, Mode::Rotate, |history| {
            history.stored[2].message.body.push(b'!');
        });
    }

    #[test]
    fn a_message_that_nobody_sent_is_found() {
        fires(Invariant::NoPhantom, Mode::OneWay, |history| {
            history.sends[0].message_id = Some("0".repeat(32));
        });
    }
}
