//! Mistakes of the core, each with the scenario that notices it.

use std::panic;

use producer_core::planted::{self, Bug};

use super::{batches, compressed, shared, traces};

#[test]
fn planted_bugs_are_caught() {
    let table: [(Bug, fn()); 14] = [
        (Bug::BatchIdsRenewed, batches::a_batch_of_unknown_end_sent_again_keeps_its_ids),
        (Bug::RetryRenewsTime, batches::a_batch_of_unknown_end_sent_again_keeps_its_ids),
        (Bug::DuplicateUnsaid, batches::lost_answers_store_a_batch_again_under_the_same_ids),
        (Bug::AckOnClose, batches::lost_answers_store_a_batch_again_under_the_same_ids),
        (Bug::BusyNotRetried, batches::a_batch_that_a_busy_broker_refuses_goes_elsewhere_whole),
        (Bug::SlowFailover, batches::a_batch_that_a_busy_broker_refuses_goes_elsewhere_whole),
        (Bug::AckOnClose, batches::a_request_that_breaks_off_stores_no_message_of_its_batch),
        (Bug::EndedSentAgain, shared::who_cancels_is_in_no_later_request_and_the_others_are),
        (Bug::AckOnClose, shared::a_broker_that_dies_under_shared_requests_fails_nobody),
        (Bug::AckOnClose, shared::a_request_that_nobody_answers_is_unknown_to_all_who_share_it),
        (Bug::RetrySaysPlain, compressed::a_compressed_send_is_the_same_bytes_at_every_broker),
        (Bug::RetrySaysPlain, compressed::a_busy_broker_lets_a_compressed_send_go_elsewhere),
        (Bug::RetrySaysPlain, compressed::a_compressed_request_that_breaks_off_is_sent_again_whole),
        (Bug::TracesUnbounded, traces::sends_do_not_notice_that_nobody_takes_their_traces),
    ];
    let survives = |&(bug, test): &(Bug, fn())| {
        planted::plant(Some(bug));
        let survived = panic::catch_unwind(test).is_ok();
        planted::plant(None);
        survived.then(|| bug.name())
    };
    let survived: Vec<&str> = table.iter().filter_map(survives).collect();

    assert!(survived.is_empty(), "{survived:?}");
}
