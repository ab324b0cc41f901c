//! Where should one look next? Runs seeds, keeps the plans that showed something new, and changes
//! those at random in the hope of more.
//!
//! The explorer is a plain struct: [`Explorer::next_trial`] says what to run, [`examine`] runs it on any
//! thread, [`Explorer::learn`] takes in what came of it. With one thread it does the same each time.

mod coverage;
mod mutate;

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::check::{Invariant, Violation};
use crate::dice::{Concern, Dice};
use crate::pair::{self, Lines};
use crate::plan::Plan;
pub use coverage::{Key, kind_of, kinds_of_seeds};

/// Plans that are kept to be changed.
const CORPUS_MAX: usize = 2_000;

/// Where a plan comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is that of its seed.
    Seed,
    /// It was kept from an earlier exploration.
    Corpus,
    /// It was made from others.
    Mutant,
}

/// A plan to run.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What is run.
    pub plan: Plan,
    /// Where it comes from.
    pub origin: Origin,
}

/// What a run showed.
#[derive(Debug, Clone)]
pub struct Findings {
    /// What it reached.
    pub keys: Vec<Key>,
    /// What should not have happened.
    pub violations: Vec<Violation>,
    /// Time that passed in it.
    pub simulated: Duration,
}

/// How many plans were run, and what they came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Plans of seeds.
    pub seeds: u64,
    /// Plans that were kept from earlier.
    pub corpus: u64,
    /// Plans made from others.
    pub mutants: u64,
    /// Plans in which something went wrong.
    pub wrong: u64,
    /// Time that passed in all of them.
    pub simulated: Duration,
}

/// A plan in which something went wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What was run.
    pub trial: Trial,
    /// The first that went wrong.
    pub violation: Violation,
}

/// Chooses plans, and knows what they have shown so far.
#[derive(Debug)]
pub struct Explorer<S> {
    seeds: S,
    seeds_left: bool,
    mutants: Mutants,
    /// Plans to be run before all others.
    kept: Vec<Plan>,
    corpus: Vec<Plan>,
    /// How many plans have reached each key.
    keys: BTreeMap<Key, u64>,
    /// The first failure of each invariant.
    failures: BTreeMap<Invariant, Failure>,
    tally: Tally,
    turn: u64,
    dice: Dice,
}

/// When plans are made from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutants {
    /// Never: seeds only.
    Never,
    /// One for each seed.
    InTurn,
    /// One for each seed, and without end when there are no more seeds.
    Endless,
}

impl<S: Iterator<Item = u64>> Explorer<S> {
    /// An explorer of these seeds. `kept` plans are run first.
    pub fn new(seeds: S, mutants: Mutants, mut kept: Vec<Plan>) -> Self {
        kept.reverse();
        Self {
            seeds,
            seeds_left: true,
            mutants,
            kept,
            corpus: Vec::new(),
            keys: BTreeMap::new(),
            failures: BTreeMap::new(),
            tally: Tally::default(),
            turn: 0,
            dice: Dice::new(0, Concern::Mutants),
        }
    }

    /// What to run next; `None` when there is nothing left.
    pub fn next_trial(&mut self) -> Option<Trial> {
        if let Some(plan) = self.kept.pop() {
            return Some(Trial { plan, origin: Origin::Corpus });
        }
        self.turn += 1;
        let mutant_next = self.mutants != Mutants::Never && self.turn.is_multiple_of(2);
        if !mutant_next && self.seeds_left {
            match self.seeds.next() {
                Some(seed) => {
                    return Some(Trial { plan: Plan::from_seed(seed), origin: Origin::Seed });
                }
                None => self.seeds_left = false,
            }
        }
        if !self.seeds_left && self.mutants != Mutants::Endless {
            return None;
        }
        let plan = mutate::mutant(&self.corpus, &mut self.dice);
        Some(Trial { plan, origin: Origin::Mutant })
    }

    /// Takes in what a plan has shown; true if any of it was new.
    pub fn learn(&mut self, trial: Trial, findings: Findings) -> bool {
        let tally = &mut self.tally;
        match trial.origin {
            Origin::Seed => tally.seeds += 1,
            Origin::Corpus => tally.corpus += 1,
            Origin::Mutant => tally.mutants += 1,
        }
        tally.simulated += findings.simulated;
        tally.wrong += u64::from(!findings.violations.is_empty());
        let before = self.keys.len();
        for key in findings.keys {
            *self.keys.entry(key).or_default() += 1;
        }
        for violation in findings.violations {
            let failure = || Failure { trial: trial.clone(), violation: violation.clone() };
            self.failures.entry(violation.invariant).or_insert_with(failure);
        }
        let is_new = self.keys.len() > before;
        if is_new && self.corpus.len() < CORPUS_MAX {
            self.corpus.push(trial.plan);
        }
        is_new
    }

    /// Plans that showed something new, in the order they did.
    pub fn corpus(&self) -> &[Plan] {
        &self.corpus
    }

    /// What was reached, and by how many plans.
    pub const fn keys(&self) -> &BTreeMap<Key, u64> {
        &self.keys
    }

    /// The first failure of each invariant.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.failures.values()
    }

    /// How many plans were run.
    pub const fn tally(&self) -> Tally {
        self.tally
    }
}

/// A name for the file of a plan: the same for the same plan.
pub fn name_of(plan: &Plan) -> String {
    format!("{:016x}", pair::fnv(pair::FNV, plan.to_json().as_bytes()))
}

/// Runs a plan on the pair level and says what it showed.
pub fn examine(plan: &Plan) -> Findings {
    coverage::forget_marks();
    let run = panic::catch_unwind(AssertUnwindSafe(|| pair::run(plan, Lines::Forget)));
    match run {
        Ok(run) => Findings {
            keys: coverage::keys(&run.history),
            violations: run.violations,
            simulated: run.simulated,
        },
        Err(why) => Findings {
            keys: Vec::new(),
            violations: vec![panicked(why.as_ref())],
            simulated: Duration::ZERO,
        },
    }
}

/// Whoever panics ends no send any more.
fn panicked(why: &(dyn std::any::Any + Send)) -> Violation {
    let text = why.downcast_ref::<&str>().copied();
    let text = text.or_else(|| why.downcast_ref::<String>().map(String::as_str));
    Violation {
        invariant: Invariant::Once,
        what: format!("panicked: {}", text.unwrap_or("without a text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explorer_alone_does_the_same_each_time() {
        let explore = || {
            let mut explorer = Explorer::new(0..40, Mutants::InTurn, Vec::new());
            while let Some(trial) = explorer.next_trial() {
                let findings = examine(&trial.plan);
                explorer.learn(trial, findings);
            }
            (explorer.tally(), explorer.keys().clone(), explorer.corpus().to_vec())
        };

        let (tally, keys, corpus) = explore();

        assert_eq!(explore(), (tally, keys, corpus.clone()));
        assert_eq!((tally.seeds, tally.mutants, tally.wrong), (40, 40, 0));
        assert!(corpus.len() > 10 && corpus.len() < 80, "{}", corpus.len());
    }

    #[test]
    fn a_panic_is_a_violation() {
        let mut plan = Plan::from_seed(1);
        plan.cluster.topics.clear();
        plan.faults.clear();

        let findings = examine(&plan);

        assert_eq!(findings.violations[0].invariant, Invariant::Once);
        assert!(findings.violations[0].what.starts_with("panicked: "));
    }

    #[test]
    fn one_failure_of_each_invariant_is_kept() {
        let mut explorer = Explorer::new(0..3, Mutants::Never, Vec::new());
        let violation = |invariant| Violation { invariant, what: String::new() };
        while let Some(trial) = explorer.next_trial() {
            let (keys, simulated) = (Vec::new(), Duration::ZERO);
            let violations = vec![violation(Invariant::Order), violation(Invariant::NoLoss)];
            explorer.learn(trial, Findings { keys, violations, simulated });
        }

        let kept: Vec<(Invariant, u64)> = explorer
            .failures()
            .map(|failure| (failure.violation.invariant, failure.trial.plan.seed))
            .collect();

        assert_eq!(kept, [(Invariant::NoLoss, 0), (Invariant::Order, 0)]);
        assert_eq!(explorer.tally().wrong, 3);
    }
}
