//! What has a run shown that others may not have?

use std::collections::BTreeSet;

use producer_core::Outcome;

use crate::history::{End, History, SendRecord};
use crate::plan::{FaultKind, FaultPlan, Mode, Plan};

/// One thing that a run can show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A kind of fault was in the plan.
    Fault(String),
    /// Two kinds of faults were, by name in order.
    Pair(String, String),
    /// A send of this mode ended so: the outcome, and the kind of error.
    Ended(Mode, &'static str, &'static str),
    /// A send of this mode ended so in a plan with this kind of fault.
    Cell(String, Mode, &'static str),
    /// An attempt failed in this phase with this outcome.
    Attempt(&'static str, &'static str),
    /// A send was acknowledged after so many attempts.
    Retried(u32),
    /// The producer or a model took this decision. None without the feature `marks`.
    Mark(String),
}

/// All that a run has shown, each once.
pub(super) fn keys(history: &History) -> Vec<Key> {
    let mut keys: BTreeSet<Key> = BTreeSet::new();
    let happened = history.plan.faults.iter().filter(|fault| fault.at_ms < history.plan.run_ms);
    let kinds: BTreeSet<String> = happened.map(|fault| kind_of(fault.kind)).collect();
    for one in &kinds {
        keys.insert(Key::Fault(one.clone()));
        let others = kinds.iter().filter(|other| *other > one);
        keys.extend(others.map(|other| Key::Pair(one.clone(), other.clone())));
    }
    for send in history.sends.iter().filter(|send| !send.probe) {
        of_send(send, &kinds, &mut keys);
    }
    keys.extend(marks().into_iter().map(Key::Mark));
    keys.into_iter().collect()
}

fn of_send(send: &SendRecord, kinds: &BTreeSet<String>, keys: &mut BTreeSet<Key>) {
    let Some((_, end)) = send.ends.first() else { return };
    let (outcome, kind) = match end {
        End::Stored(receipt) => {
            keys.insert(Key::Retried(receipt.attempts));
            ("stored", receipt.status.as_str())
        }
        End::Failed(error) => (error.outcome().as_str(), error.kind().code()),
        End::Written => ("written", ""),
        End::Cancelled => ("cancelled", ""),
    };
    if !keys.insert(Key::Ended(send.mode, outcome, kind)) && outcome == "stored" {
        return;
    }
    let cells = kinds.iter().map(|fault| Key::Cell(fault.clone(), send.mode, outcome));
    keys.extend(cells);
    let attempts = send.error().map_or(&[][..], |error| error.attempts());
    keys.extend(attempts.iter().map(|attempt| {
        let outcome: Outcome = attempt.outcome;
        Key::Attempt(attempt.phase.as_str(), outcome.as_str())
    }));
}

/// The name of a kind of fault; of those that a broker does to sends, which one.
pub fn kind_of(kind: FaultKind) -> String {
    let json = serde_json::to_value(kind).expect("string keys only");
    let name = json["kind"].as_str().unwrap_or_default().to_owned();
    let inner = match &json["fault"] {
        serde_json::Value::String(inner) => Some(inner),
        serde_json::Value::Object(inner) => inner.keys().next(),
        _ => None,
    };
    inner.map_or(name, |inner| format!("sends:{inner}"))
}

/// The kinds of faults that plans of seeds have, as far as many seeds tell.
pub fn kinds_of_seeds() -> BTreeSet<String> {
    let faults = (0..3_000).flat_map(|seed| Plan::from_seed(seed).faults);
    faults.map(|fault: FaultPlan| kind_of(fault.kind)).collect()
}

/// What was reached before does not count.
pub(super) fn forget_marks() {
    marks();
}

/// Decisions that this thread has taken since it was last asked.
#[cfg(feature = "marks")]
fn marks() -> Vec<String> {
    crate::marks::take().reached()
}

#[cfg(not(feature = "marks"))]
const fn marks() -> Vec<String> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::{self, Lines};

    #[test]
    fn faults_are_counted_alone_and_in_pairs() {
        let mut plans = (0..100).map(Plan::from_seed).filter(|plan| plan.faults.len() > 2);
        let seen = plans.find_map(|plan| {
            let keys = keys(&pair::run(&plan, Lines::Forget).history);
            let pair = keys.iter().any(|key| matches!(key, Key::Pair(one, other) if one < other));
            let ended = keys.iter().any(|key| matches!(key, Key::Ended(_, "stored", "SEND_OK")));
            (pair && ended).then_some((plan, keys))
        });

        let (plan, keys) = seen.expect("some seed has several faults, and sends that succeed");

        assert!(keys.contains(&Key::Fault(kind_of(plan.faults[0].kind))));
    }

    #[cfg(feature = "marks")]
    #[test]
    fn decisions_of_the_run_count_and_no_others() {
        let quiet = (0..).map(Plan::from_seed).find(|plan| plan.faults.is_empty());
        let quiet = quiet.expect("some seed has no fault");
        pair::run(&Plan::from_seed(1), Lines::Forget);

        let first = super::super::examine(&quiet).keys;
        let again = super::super::examine(&quiet).keys;

        assert!(first.iter().any(|key| matches!(key, Key::Mark(mark) if mark == "model::Stored")));
        assert_eq!(first, again);
    }

    #[test]
    fn what_a_broker_does_to_sends_is_told_apart() {
        let kinds = kinds_of_seeds();

        assert!(kinds.contains("sends:no_answer") && kinds.contains("sends:refuse"), "{kinds:?}");
        assert!(kinds.contains("crash") && !kinds.contains("sends"), "{kinds:?}");
    }
}
