//! I7: does a receipt carry the status that the broker gave?

use producer_core::SendStatus;

use super::{Found, Joined};

pub(super) fn check(joined: &Joined<'_>, found: &mut Found) {
    for send in &joined.history.sends {
        let Some(receipt) = send.receipt() else { continue };
        let answers = joined.requests(send).iter().filter_map(|request| request.answer);
        let statuses = answers.filter_map(|(_, code)| SendStatus::from_code(code));
        if !statuses.clone().any(|status| status == receipt.status) {
            let statuses: Vec<SendStatus> = statuses.collect();
            let given = receipt.status;
            found.report(format!("send {}: {given}, brokers said {statuses:?}", send.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Invariant, doctored::fires};
    use crate::plan::Mode;

    #[test]
    fn a_swallowed_status_is_found() {
        fires(Invariant::Status, Mode::Rotate, |history| {
            let answer = history.requests[0].answer.expect("answered");
            history.requests[0].answer = Some((answer.0, 10));
        });
    }

    #[test]
    fn a_success_that_was_a_refusal_is_found() {
        fires(Invariant::Status, Mode::Rotate, |history| {
            let answer = history.requests[0].answer.expect("answered");
            history.requests[0].answer = Some((answer.0, 2));
        });
    }
}
