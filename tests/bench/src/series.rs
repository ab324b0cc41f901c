//! What outcomes say when they are put in the order of time.

use serde::Serialize;

use crate::at_rate::Outcome;

/// Width of what is counted together.
pub(crate) const STEP_MS: u64 = 100;
/// What is answered within this is answered as usual, by brokers that take milliseconds.
const USUAL_US: u64 = 100_000;
/// So many steps in a row as usual, and the fault is over.
const STEADY: usize = 10;

/// A run at a fixed rate, a step after the other.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    /// Acknowledged in each step, whenever they were due.
    pub(crate) acknowledged: Vec<u64>,
    /// Due in each step.
    due: Vec<u64>,
    /// Milliseconds from when they were due that 99 % of those due in a step took; of all that
    /// ended, failed ones too.
    pub(crate) p99_ms: Vec<f64>,
    /// Of those due in each step, how many were answered as usual.
    usual: Vec<u64>,
}

impl Series {
    pub(crate) fn new(outcomes: &[Outcome], measure_ms: u64) -> Self {
        let steps = measure_ms.div_ceil(STEP_MS) as usize;
        let step = |micros: u64| (micros / (STEP_MS * 1_000)) as usize;
        let mut series = Self {
            acknowledged: vec![0; steps],
            due: vec![0; steps],
            p99_ms: vec![0.0; steps],
            usual: vec![0; steps],
        };
        let mut took = vec![Vec::new(); steps];
        for outcome in outcomes {
            if let Some(took) = took.get_mut(step(outcome.due)) {
                took.push(outcome.took);
                series.due[step(outcome.due)] += 1;
                let is_usual = outcome.stored && outcome.took <= USUAL_US;
                series.usual[step(outcome.due)] += u64::from(is_usual);
            }
            let end = step(outcome.due.saturating_add(outcome.took));
            if let Some(count) = series.acknowledged.get_mut(end).filter(|_| outcome.stored) {
                *count += 1;
            }
        }
        for (p99_ms, took) in series.p99_ms.iter_mut().zip(took) {
            *p99_ms = quantile(took, 0.99);
        }
        series
    }

    /// Milliseconds from the fault until 99 of 100 messages are answered as usual again, and go on
    /// to be for a second; `None` if that does not happen.
    pub(crate) fn back_ms(&self, fault_ms: u64) -> Option<u64> {
        let from = (fault_ms / STEP_MS) as usize;
        let is_usual = |at: &usize| self.usual[*at] * 100 >= self.due[*at] * 99;
        let last = self.due.len().checked_sub(STEADY)?;
        // Before the fault has had an effect all is as usual: what counts is when it ends.
        let begin = (from..self.due.len()).find(|at| !is_usual(at)).unwrap_or(from);
        let back = (begin..=last).find(|at| (*at..*at + STEADY).all(|at| is_usual(&at)));
        back.map(|back| if back == from { 0 } else { back as u64 * STEP_MS - fault_ms })
    }
}

/// Milliseconds.
pub(crate) fn quantile(mut micros: Vec<u64>, of: f64) -> f64 {
    micros.sort_unstable();
    let last = micros.len().saturating_sub(1) as f64;
    micros.get((last * of) as usize).map_or(0.0, |micros| *micros as f64 / 1e3)
}

/// The longest time without any acknowledgement, in milliseconds, from a moment on.
pub(crate) fn longest_gap_ms(outcomes: &[Outcome], from_ms: u64, until_ms: u64) -> f64 {
    let stored = outcomes.iter().filter(|outcome| outcome.stored);
    let mut ends: Vec<u64> = stored.map(|outcome| outcome.due + outcome.took).collect();
    ends.sort_unstable();
    let (from, until) = (from_ms * 1_000, until_ms * 1_000);
    let inside = ends.into_iter().filter(|end| (from..until).contains(end));
    let (mut last, mut longest) = (from, 0);
    for end in inside.chain([until]) {
        longest = longest.max(end - last);
        last = end;
    }
    longest as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One every 10 ms for 3 s; those due from 1.0 s to 1.5 s take until then, and one fails.
    fn stalled() -> Vec<Outcome> {
        let took = |due: u64| match due {
            1_000_000..1_500_000 => 1_500_000 - due,
            _ => 1_000,
        };
        (0..300)
            .map(|n| n * 10_000)
            .map(|due| Outcome { due, took: took(due), stored: due != 1_200_000 })
            .collect()
    }

    #[test]
    fn a_stall_is_seen() {
        let series = Series::new(&stalled(), 3_000);
        assert_eq!(series.acknowledged[9..16], [10, 0, 0, 0, 0, 0, 59]);
        // Those due in the last 100 ms of it are as usual.
        assert_eq!(series.back_ms(1_000), Some(400));
        assert_eq!(series.p99_ms[10], 490.0);
        let gap = longest_gap_ms(&stalled(), 1_000, 3_000);
        assert!((499.0..501.0).contains(&gap), "{gap}");
    }

    #[test]
    fn nothing_happened() {
        let calm: Vec<Outcome> =
            (0..300).map(|n| Outcome { due: n * 10_000, took: 900, stored: true }).collect();
        assert_eq!(Series::new(&calm, 3_000).back_ms(1_000), Some(0));
    }

    #[test]
    fn it_does_not_come_back() {
        let dead: Vec<Outcome> =
            (0..300).map(|n| Outcome { due: n * 10_000, took: 900, stored: n < 100 }).collect();
        assert_eq!(Series::new(&dead, 3_000).back_ms(1_000), None);
        assert_eq!(quantile(vec![3_000, 1_000, 2_000], 0.5), 2.0);
        assert_eq!(quantile(Vec::new(), 0.5), 0.0);
    }
}
