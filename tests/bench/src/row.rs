//! A row of the table: what it measures, what came out, and what it is to reach.

use serde::Serialize;

use crate::count::Counted;
use crate::figures::{median, range};
use crate::load::Load;
use crate::sample::Sample;

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) load: Load,
    /// What it is to reach, by its name in performance.md.
    pub(crate) goals: Vec<Goal>,
    /// One a round, with the limit before and after it.
    pub(crate) samples: Vec<(Sample, [Sample; 2])>,
    /// What a message costs, counted in a run of its own; then the same of the limit.
    pub(crate) counted: Option<(Counted, Counted)>,
}

/// A number to reach.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Goal {
    /// Share of the limit's rate, at least.
    Rate(&'static str, f64),
    /// Median latency by that of the limit, at most.
    Latency(&'static str, f64),
    /// Time of processors for a message by that of the limit, at most.
    Cpu(&'static str, f64),
    /// System calls for a message, at most; where they can be counted.
    Calls(&'static str, f64),
    /// Writes for a message, at most.
    Writes(&'static str, f64),
}

impl Row {
    fn ratio(&self, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let ratio = |(ours, [before, after]): &(Sample, [Sample; 2])| {
            of(ours) / ((of(before) + of(after)) / 2.0)
        };
        self.samples.iter().map(ratio).collect()
    }

    pub(crate) fn share(&self) -> f64 {
        median(self.ratio(Sample::rate))
    }

    pub(crate) fn spread(&self) -> (f64, f64) {
        range(self.ratio(Sample::rate))
    }

    pub(crate) fn latency(&self) -> f64 {
        median(self.ratio(|sample| sample.p50_us))
    }

    pub(crate) fn cpu(&self) -> f64 {
        median(self.ratio(Sample::cpu_us))
    }

    pub(crate) fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(|(ours, _)| of(ours)))
    }

    /// The goals, each with whether it is met; those left out that could not be measured here.
    pub(crate) fn judged(&self) -> Vec<(String, bool)> {
        self.goals.iter().filter_map(|goal| self.judge(goal)).collect()
    }

    fn judge(&self, goal: &Goal) -> Option<(String, bool)> {
        let counted = self.counted.as_ref().map(|(ours, _)| ours);
        Some(match *goal {
            Goal::Rate(name, least) => {
                (format!("{name} ≥{:.0}%", least * 100.0), self.share() >= least)
            }
            Goal::Latency(name, most) => (format!("{name} p50≤{most:.2}"), self.latency() <= most),
            Goal::Cpu(name, most) => (format!("{name} cpu≤{most:.1}"), self.cpu() <= most),
            Goal::Calls(name, most) => {
                (format!("{name} calls≤{most}"), counted?.system_calls? <= most)
            }
            Goal::Writes(name, most) => (format!("{name} writes≤{most}"), counted?.writes <= most),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix;

    fn sample(messages: u64) -> Sample {
        Sample { messages, seconds: 1.0, ..Sample::default() }
    }

    #[test]
    fn a_share_is_of_the_limit_around_it() {
        let mut row = matrix::rows(400, false).remove(0);
        row.goals = vec![Goal::Rate("G", 0.5), Goal::Calls("G", 0.1)];
        row.samples = vec![
            (sample(50), [sample(90), sample(110)]),
            (sample(30), [sample(100), sample(100)]),
            (sample(90), [sample(100), sample(100)]),
        ];
        assert_eq!((row.share(), row.spread()), (0.5, (0.3, 0.9)));
        assert_eq!(row.judged(), [("G ≥50%".to_owned(), true)], "calls were not counted");
    }
}
