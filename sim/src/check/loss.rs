//! I4: is what was acknowledged stored? The brokers of the models lose nothing.

use super::{Found, Joined};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    for send in &joined.history.sends {
        if send.receipt().is_some() && joined.copies(send).is_empty() {
            found.report(format!("send {} was acknowledged and is in no log", send.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn an_acknowledged_message_that_is_gone_is_found() {
        fires(Invariant::NoLoss, Mode::Rotate, |history| {
            history.stored.remove(7);
        });
    }
}
