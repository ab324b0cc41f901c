//! What is a plan like that showed something new, and yet another one?

use crate::dice::Dice;
use crate::plan::{FaultPlan, Plan};

/// A plan made from those that are kept, or that of a new seed if there are none.
pub(super) fn mutant(corpus: &[Plan], dice: &mut Dice) -> Plan {
    let donor = Plan::from_seed(dice.number() >> 16);
    if corpus.is_empty() {
        return donor;
    }
    // What is new is changed more often.
    let newer = dice.one_in(2) && corpus.len() > 32;
    let parents = if newer { &corpus[corpus.len() - 32..] } else { corpus };
    let mut plan = dice.pick(parents).clone();
    let other = if dice.one_in(2) { dice.pick(corpus).clone() } else { donor };
    for _ in 0..dice.between(1, 3) {
        change(&mut plan, &other, dice);
    }
    tidy(&mut plan);
    plan
}

/// Faults of one plan at most.
const FAULTS_MAX: usize = 16;

fn change(plan: &mut Plan, other: &Plan, dice: &mut Dice) {
    let at = dice.below(plan.faults.len() as u64) as usize;
    match dice.below(12) {
        0 if !plan.faults.is_empty() => {
            plan.faults.remove(at);
        }
        1 | 2 => plan.faults.extend(borrowed(other, dice)),
        3 if !plan.faults.is_empty() => {
            let mut again = plan.faults[at].clone();
            shift(&mut again, plan.run_ms, dice);
            plan.faults.push(again);
        }
        4 | 5 if !plan.faults.is_empty() => shift(&mut plan.faults[at], plan.run_ms, dice),
        6 if !plan.faults.is_empty() => {
            let nodes = plan.nodes();
            plan.faults[at].target.clone_from(dice.pick(&nodes));
        }
        7 => plan.config = other.config.clone(),
        8 => plan.network = other.network,
        9 => plan.workloads.clone_from(&other.workloads),
        10 => {
            let from = dice.between(0, plan.run_ms);
            plan.faults.retain(|fault| fault.at_ms < from);
            plan.faults.extend(other.faults.iter().filter(|fault| fault.at_ms >= from).cloned());
        }
        _ => plan.seed = dice.number() >> 16,
    }
}

fn borrowed(other: &Plan, dice: &mut Dice) -> Option<FaultPlan> {
    (!other.faults.is_empty()).then(|| dice.pick(&other.faults).clone())
}

/// Another time, another length, or right after it.
fn shift(fault: &mut FaultPlan, run_ms: u64, dice: &mut Dice) {
    match dice.below(4) {
        0 => fault.at_ms = dice.between(0, run_ms),
        1 => fault.at_ms += *dice.pick(&[1, 10, 100, 1_000]),
        2 => fault.at_ms = fault.at_ms.saturating_sub(*dice.pick(&[1, 10, 100, 1_000])),
        _ => fault.for_ms = *dice.pick(&[1, 20, 250, 1_000, 4_000, 12_000]),
    }
}

/// Leaves what fits together: workloads have topics of their cluster, faults happen to who is there.
fn tidy(plan: &mut Plan) {
    let topics: Vec<String> = plan.cluster.topics.iter().map(|topic| topic.name.clone()).collect();
    for workload in &mut plan.workloads {
        if !topics.contains(&workload.topic) {
            workload.topic.clone_from(&topics[0]);
        }
    }
    let faults = std::mem::take(&mut plan.faults);
    for fault in faults {
        plan.faults.push(fault);
        if plan.check().is_err() || plan.faults.len() > FAULTS_MAX {
            plan.faults.pop();
        }
    }
    plan.faults.sort_by_key(|fault| fault.at_ms);
    if !plan.topics_can_exist() {
        // A producer that lets brokers make topics is what such a cluster is there for.
        plan.config.overrides.auto_create_topics = Some(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Concern;

    #[test]
    fn mutants_can_be_run_and_differ_from_their_parents() {
        let corpus: Vec<Plan> = (0..50).map(Plan::from_seed).collect();
        let mut dice = Dice::new(1, Concern::Mutants);

        let mutants: Vec<Plan> = (0..500).map(|_| mutant(&corpus, &mut dice)).collect();

        assert!(mutants.iter().all(|plan| plan.check().is_ok() && plan.topics_can_exist()));
        let same = mutants.iter().filter(|plan| corpus.contains(plan)).count();
        assert!(same < 100, "{same} of 500 are their parents");
    }
}
