//! I4: is what was acknowledged stored? Brokers lose what is in [`History::cuts`], and nothing
//! else; masters that wait for their slaves lose nothing by a promotion.
//!
//! [`History::cuts`]: crate::history::History::cuts

use producer_core::SendStatus;

use super::{Found, Joined};
use crate::model::broker::Why;
use crate::plan::Replication;

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    for send in &joined.history.sends {
        let Some(receipt) = send.receipt() else { continue };
        let cuts = joined.cuts(send);
        if !joined.copies(send).is_empty() {
            continue;
        }
        if cuts.is_empty() {
            found.report(format!("send {} was acknowledged and is in no log", send.ticket));
        }
        let waits = joined.history.plan.cluster.replication == Replication::Sync;
        if waits
            && receipt.status == SendStatus::SendOk
            && !cuts.is_empty()
            && cuts.iter().all(|cut| cut.why == Why::NotCopied)
        {
            found.report(format!("send {} was said to be copied, and is lost", send.ticket));
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
