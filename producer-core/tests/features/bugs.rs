//! Bugs of features that the plans of the swarm do not have, each with the test that catches it.

use std::collections::BTreeSet;
use std::panic;

use producer_core::planted::{self, Area, Bug};

use super::questions;

/// A test of this binary.
type Test = fn();

/// Bug, and the test that fails with it.
const CAUGHT: [(Bug, Test); 7] = [
    (Bug::DelayedTwice, questions::a_message_is_delayed_in_one_way_only),
    (Bug::DenialUnread, questions::access_control_is_told_from_other_refusals),
    (Bug::RecallAlwaysDone, questions::a_recall_that_comes_too_late_says_so),
    (Bug::SystemTopicCreated, questions::system_topics_are_not_created),
    (Bug::IndexBelieved, questions::only_what_was_wanted_is_found),
    (Bug::WrappedTwice, questions::names_get_into_the_namespace_once_and_the_systems_never),
    (Bug::FlagSigned, questions::a_signed_query_suits_both_generations),
];

#[test]
fn bugs_of_features_are_caught() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let survives = |&(bug, test): &(Bug, Test)| {
        planted::plant(Some(bug));
        let survived = panic::catch_unwind(test).is_ok();
        planted::plant(None);
        survived.then(|| bug.name())
    };
    let survived: Vec<&str> = CAUGHT.iter().filter_map(survives).collect();
    panic::set_hook(hook);

    assert!(survived.is_empty(), "{survived:?}");
    let listed: BTreeSet<Bug> = CAUGHT.iter().map(|caught| caught.0).collect();
    assert!(listed.iter().all(|bug| bug.area() == Area::Special));
    assert_eq!(listed.len(), CAUGHT.len());
}
