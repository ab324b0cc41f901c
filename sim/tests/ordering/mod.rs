//! When is order lost, and what keeps it? Each caveat is a test that shows both, and a section of
//! `sim/ORDERING.md`.
//!
//! `cargo test -p sim --test simulator ordering -- --nocapture` prints the figures.

mod caveat;
mod measure;
mod report;

use sim::ready::ordering::Caveat;
use sim::ready::{batches, broken, calm, routes};

/// Moved, overtaken, failed, duplicates.
type Found = (usize, usize, usize, usize);

/// What becomes of each way of a caveat.
fn found(caveat: &Caveat) -> Vec<Found> {
    let figures = caveat::tried(caveat);
    let four = |f: &measure::Figures| (f.moved, f.overtaken, f.failed + f.unknown, f.duplicates);
    figures.iter().map(four).collect()
}

#[test]
fn rotation_is_not_order() {
    assert_eq!(found(&calm::rotation()), [(39, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]);
}

#[test]
fn two_producers_know_nothing_of_each_other() {
    assert_eq!(
        found(&calm::two_producers()),
        [(0, 7, 0, 0), (0, 6, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    );
}

#[test]
fn a_retry_is_overtaken() {
    assert_eq!(found(&broken::retry()), [(0, 1, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]);
}

#[test]
fn asynchronous_sends_are_not_repeated_in_order() {
    assert_eq!(
        found(&broken::asynchronous()),
        [(0, 0, 1, 0), (0, 1, 1, 0), (0, 0, 0, 0), (0, 31, 69, 0), (0, 0, 0, 0)]
    );
}

#[test]
fn a_lost_answer_is_a_duplicate_and_no_disorder() {
    assert_eq!(
        found(&broken::lost_answer()),
        [(0, 0, 0, 1), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 1, 0)]
    );
}

#[test]
fn the_latency_fault_strategy_shifts_turns() {
    assert_eq!(
        found(&broken::fault_strategy()),
        [(0, 0, 0, 0), (6, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    );
}

#[test]
fn batches_are_whole_and_overtake_each_other() {
    assert_eq!(
        found(&batches::together()),
        [(19, 0, 0, 0), (0, 1, 0, 0), (0, 0, 5, 0), (0, 0, 0, 5), (0, 0, 0, 0)]
    );
}

#[test]
fn another_number_of_queues_moves_hashed_keys() {
    assert_eq!(
        found(&routes::queue_count()),
        [(8, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (8, 0, 4, 0), (0, 0, 124, 0), (11, 0, 0, 0)]
    );
}

#[test]
fn a_lost_master_moves_hashed_keys() {
    assert_eq!(
        found(&routes::master_lost()),
        [(36, 0, 1, 0), (0, 0, 64, 0), (0, 0, 32, 0), (0, 0, 24, 0), (16, 0, 0, 0)]
    );
}

#[test]
fn a_stale_route_fails_first_and_moves_keys_then() {
    assert_eq!(
        found(&routes::stale_route()),
        [(18, 0, 281, 0), (18, 0, 1, 0), (0, 0, 380, 0), (8, 0, 0, 0)]
    );
}

#[test]
fn producers_of_different_age_hash_differently() {
    assert_eq!(
        found(&routes::handover()),
        [(8, 0, 0, 0), (8, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    );
}

#[test]
fn the_document_says_what_the_runs_show() {
    crate::support::document::is_up_to_date("ORDERING.md", "ordering", &report::document());
}

#[test]
fn a_topic_made_by_its_messages_moves_keys() {
    let created =
        [(2, 0, 0, 0), (2, 0, 0, 0), (0, 0, 2_000, 0), (2, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)];
    assert_eq!(found(&routes::auto_create()), created);
}

#[test]
fn a_promotion_without_the_tail_leaves_a_hole() {
    let promoted = [(12, 0, 2, 0), (0, 0, 6, 0), (12, 0, 0, 0), (0, 0, 6, 0), (12, 0, 0, 0)];
    assert_eq!(found(&routes::promoted()), promoted);
}
