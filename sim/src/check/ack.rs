//! I3: is the message where its receipt says?

use super::{Found, Joined};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    for send in &joined.history.sends {
        let Some(receipt) = send.receipt() else { continue };
        let copies = joined.copies(send);
        let cuts = joined.cuts(send);
        let kept = copies.iter().map(|stored| (&stored.broker, &stored.message));
        let gone = cuts.iter().map(|cut| (&cut.broker, &cut.message));
        let is_there = kept.chain(gone).any(|(broker, message)| {
            let id = message.offset_message_id();
            **broker == *receipt.broker
                && u32::try_from(message.queue_id) == Ok(receipt.queue_id)
                && u64::try_from(message.queue_offset) == Ok(receipt.queue_offset)
                && receipt.offset_id.is_some_and(|given| given.as_str() == id)
        });
        if !is_there && copies.len() + cuts.len() > 0 {
            let (broker, queue, offset) = (&receipt.broker, receipt.queue_id, receipt.queue_offset);
            found.report(format!("send {} is not at {broker}/{queue}@{offset}", send.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::history::End;
    use crate::plan::Mode;

    #[test]
    fn a_receipt_that_names_another_place_is_found() {
        fires(Invariant::AckTruth, Mode::Rotate, |history| {
            if let End::Stored(receipt) = &mut history.sends[4].ends[0].1 {
                receipt.queue_offset += 1;
            }
        });
    }
}
