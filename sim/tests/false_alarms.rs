//! Plans in which the explorer found a violation that was none: they must stay silent.

use sim::pair::{self, Lines};
use sim::plan::Plan;

fn violations(plan: &str) -> Vec<String> {
    let plan = Plan::from_json(plan).expect("a plan");
    let found = pair::run(&plan, Lines::Forget).violations;
    found.iter().map(ToString::to_string).collect()
}

/// I9: Java's preset asks for the template's route without being told to.
#[test]
fn routes_of_the_template_lead_in_javas_preset() {
    assert_eq!(violations(include_str!("plans/template_in_java.json")), [""; 0]);
}

/// I11: a master that waits for a slave which is cut off need not get its share.
#[test]
fn a_master_whose_slave_is_cut_off_is_not_well() {
    assert_eq!(violations(include_str!("plans/slave_cut_off.json")), [""; 0]);
}

/// The same on the simulated network.
#[cfg(feature = "world")]
#[test]
fn a_master_whose_slave_is_cut_off_is_not_well_in_the_world() {
    let plan = Plan::from_json(include_str!("plans/slave_cut_off.json")).expect("a plan");

    assert_eq!(sim::world::run(&plan, Lines::Forget).violations, []);
}

/// I20: no strict send goes to the queues of the template.
#[test]
fn a_strict_send_to_a_topic_to_be_may_fail() {
    assert_eq!(violations(include_str!("plans/strict_without_topic.json")), [""; 0]);
}

/// I10: an answer that arrives at the instant of a send may arrive after it.
#[test]
fn an_answer_of_the_same_instant_may_be_later() {
    assert_eq!(violations(include_str!("plans/answer_of_the_instant.json")), [""; 0]);
}

/// I10: a broker whose silent connection was given up, and that is dialled anew, cannot take what
/// goes to a silent one, though the old connection answers once more before it is closed.
#[test]
fn a_broker_that_is_dialled_anew_takes_nothing_yet() {
    assert_eq!(violations(include_str!("plans/dialled_anew.json")), [""; 0]);
}

/// I17: a backlog of sends that go one by one would fill the only place after healing.
#[test]
fn a_serial_backlog_ends_with_the_faults() {
    assert_eq!(violations(include_str!("plans/serial_backlog.json")), [""; 0]);
}

/// I21: a broker says that it is busy when the attempt is over, and the pause after that nearly.
#[test]
fn a_refusal_of_what_is_over_asks_for_no_pause() {
    assert_eq!(violations(include_str!("plans/answer_to_what_is_over.json")), [""; 0]);
}

/// I20: a send that has waited for room has no time left for a dial.
#[test]
fn a_send_without_time_may_fail_in_a_dial() {
    assert_eq!(violations(include_str!("plans/late_to_a_dial.json")), [""; 0]);
}

/// I10: a name server that answers late, after one that was asked later, is not believed: another
/// broker that it names is none to go to.
#[test]
fn a_route_that_comes_late_names_nobody_to_go_to() {
    assert_eq!(violations(include_str!("plans/late_route.json")), [""; 0]);
}
