//! What did an exploration come to, in a table?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::time::Duration;

use serde_json::json;
use sim::explore::{Explorer, Key, Tally, kinds_of_seeds};
use sim::plan::Mode;

/// What an exploration came to.
pub(crate) struct Table {
    tally: Tally,
    took: Duration,
    /// What the processor spent, if the system says so.
    cpu: Option<Duration>,
    corpus: usize,
    keys: usize,
    kinds: BTreeSet<String>,
    kinds_missing: BTreeSet<String>,
    pairs: usize,
    /// How many plans had sends of a mode that ended so.
    ended: BTreeMap<(&'static str, &'static str), BTreeMap<Mode, u64>>,
    attempts: BTreeMap<(&'static str, &'static str), u64>,
    marks: BTreeSet<String>,
    marks_missing: Vec<String>,
    violated: BTreeMap<&'static str, String>,
}

impl Table {
    pub(crate) fn of<S: Iterator<Item = u64>>(explorer: &Explorer<S>, took: Duration) -> Self {
        let mut table = Self {
            tally: explorer.tally(),
            took,
            cpu: cpu_time(),
            corpus: explorer.corpus().len(),
            keys: explorer.keys().len(),
            kinds: BTreeSet::new(),
            kinds_missing: BTreeSet::new(),
            pairs: 0,
            ended: BTreeMap::new(),
            attempts: BTreeMap::new(),
            marks: BTreeSet::new(),
            marks_missing: all_marks(),
            violated: BTreeMap::new(),
        };
        for (key, &plans) in explorer.keys() {
            match key {
                Key::Fault(kind) => {
                    table.kinds.insert(kind.clone());
                }
                Key::Pair(..) => table.pairs += 1,
                Key::Ended(mode, outcome, kind) => {
                    table.ended.entry((outcome, kind)).or_default().insert(*mode, plans);
                }
                Key::Attempt(phase, outcome) => {
                    table.attempts.insert((phase, outcome), plans);
                }
                Key::Mark(mark) => {
                    table.marks.insert(mark.clone());
                }
                Key::Cell(..) | Key::Retried(_) => {}
            }
        }
        table.marks_missing.retain(|mark| !table.marks.contains(mark));
        table.kinds_missing = kinds_of_seeds().difference(&table.kinds).cloned().collect();
        for failure in explorer.failures() {
            let violation = &failure.violation;
            table.violated.insert(violation.invariant.id(), violation.what.replace('\n', " "));
        }
        table
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let ended = self.ended.iter().flat_map(|((outcome, kind), modes)| {
            modes.iter().map(move |(mode, plans)| {
                json!({ "outcome": outcome, "kind": kind, "mode": mode, "plans": plans })
            })
        });
        let attempts = self.attempts.iter().map(|((phase, outcome), plans)| {
            json!({ "phase": phase, "outcome": outcome, "plans": plans })
        });
        json!({
            "seeds": self.tally.seeds,
            "mutants": self.tally.mutants,
            "kept": self.tally.corpus,
            "wrong": self.tally.wrong,
            "simulated_s": self.tally.simulated.as_secs_f64(),
            "took_s": self.took.as_secs_f64(),
            "cpu_s": self.cpu.map(|cpu| cpu.as_secs_f64()),
            "corpus": self.corpus,
            "keys": self.keys,
            "fault_kinds": self.kinds,
            "fault_kinds_missing": self.kinds_missing,
            "fault_pairs": self.pairs,
            "ended": ended.collect::<Vec<_>>(),
            "attempts": attempts.collect::<Vec<_>>(),
            "marks": self.marks,
            "marks_missing": self.marks_missing,
            "violated": self.violated,
        })
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { seeds, corpus, mutants, wrong, simulated } = self.tally;
        let plans = seeds + corpus + mutants;
        write!(f, "plans      {plans}: {seeds} of seeds, {mutants} made from others")?;
        if corpus > 0 {
            write!(f, ", {corpus} kept from earlier")?;
        }
        writeln!(f, "; {wrong} went wrong")?;
        let (hours, took) = (simulated.as_secs_f64() / 3_600.0, self.took.as_secs_f64());
        write!(f, "time       {hours:.1} h simulated in {took:.1} s")?;
        if let Some(cpu) = self.cpu {
            let (cpu, simulated) = (cpu.as_secs_f64(), simulated.as_secs_f64());
            write!(f, ", {cpu:.1} s of CPU: {:.0} s a CPU second", simulated / cpu.max(0.01))?;
        }
        writeln!(f, "\ncoverage   {} keys; {} plans showed something new", self.keys, self.corpus)?;
        let (hit, missing) = (self.kinds.len(), self.kinds_missing.len());
        let all = hit + missing;
        let pairs = all * all.saturating_sub(1) / 2;
        writeln!(f, "faults     {hit} of {all} kinds, {} of {pairs} pairs", self.pairs)?;
        list(f, "  not seen ", self.kinds_missing.iter().map(String::as_str))?;
        let (reached, missing) = (self.marks.len(), self.marks_missing.len());
        if reached + missing > 0 {
            writeln!(f, "marks      {reached} of {} decisions", reached + missing)?;
        }
        list(f, "  not taken ", self.marks_missing.iter().map(String::as_str))
    }

    fn ends(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modes: BTreeSet<Mode> = self.ended.values().flat_map(BTreeMap::keys).copied().collect();
        write!(f, "\n{:<42}", "plans in which a send ended so, by mode")?;
        for mode in &modes {
            let name = serde_json::to_value(mode).expect("a word");
            write!(f, "{:>10}", name.as_str().unwrap_or_default())?;
        }
        writeln!(f)?;
        for ((outcome, kind), plans) in &self.ended {
            write!(f, "  {:<40}", format!("{outcome} {kind}"))?;
            for mode in &modes {
                cell(f, plans.get(mode))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn attempts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes = ["not_sent", "rejected", "unknown"];
        let phases: BTreeSet<&str> = self.attempts.keys().map(|(phase, _)| *phase).collect();
        write!(f, "\n{:<42}", "failed attempts, by phase")?;
        outcomes.iter().try_for_each(|outcome| write!(f, "{outcome:>10}"))?;
        writeln!(f)?;
        for phase in phases {
            write!(f, "  {phase:<40}")?;
            for outcome in outcomes {
                cell(f, self.attempts.get(&(phase, outcome)))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary(f)?;
        self.ends(f)?;
        self.attempts(f)?;
        if self.violated.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nviolated, the first of each")?;
        for (id, what) in &self.violated {
            writeln!(f, "  {id:<4}{what}")?;
        }
        Ok(())
    }
}

/// A count, or a dot for none.
fn cell(f: &mut fmt::Formatter<'_>, count: Option<&u64>) -> fmt::Result {
    match count {
        Some(count) => write!(f, "{count:>10}"),
        None => write!(f, "{:>10}", "."),
    }
}

/// Names after a heading, if there are any.
fn list<'a>(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    names: impl Iterator<Item = &'a str>,
) -> fmt::Result {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    writeln!(f, "{heading}{}", names.join(", "))
}

/// The names of all decisions that can be reached; none without the feature `marks`.
fn all_marks() -> Vec<String> {
    #[cfg(feature = "marks")]
    return sim::marks::Marks::default().missing();
    #[cfg(not(feature = "marks"))]
    Vec::new()
}

/// What the processor has spent on this process. Only Linux says so in a file.
fn cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may have anything in it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}
