//! Every fault under every configuration, run once for all tests.

use std::sync::OnceLock;

use sim::plan::Plan;
use sim::ready::failover::{Fault, Group, groups};
use sim::ready::small::With;

use super::measure::Figures;

/// Configurations, in the order of the rows.
pub(crate) const CONFIGS: [&str; 3] = ["Java", "Java, fault strategy", "default"];

/// What there is of a group: its faults with the figures of each configuration.
pub(crate) struct Measured {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// A fault and what it costs.
pub(crate) struct Row {
    pub(crate) fault: Fault,
    pub(crate) java: Figures,
    pub(crate) avoiding: Figures,
    pub(crate) default: Figures,
}

impl Row {
    pub(crate) fn all(&self) -> [&Figures; 3] {
        [&self.java, &self.avoiding, &self.default]
    }
}

/// All of it.
pub(crate) fn measured() -> &'static [Measured] {
    static MEASURED: OnceLock<Vec<Measured>> = OnceLock::new();
    MEASURED.get_or_init(|| groups().into_iter().map(group).collect())
}

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    measured().iter().flat_map(|group| &group.rows)
}

fn group(group: Group) -> Measured {
    let rows = std::thread::scope(|scope| {
        // Two at a time, for machines have two cores at least; each run is by itself.
        let mut halves: [Vec<(usize, Fault)>; 2] = [Vec::new(), Vec::new()];
        for (at, fault) in group.faults.into_iter().enumerate() {
            halves[at % 2].push((at, fault));
        }
        let row = |(at, fault)| (at, row(fault));
        let work = halves.map(|half| {
            scope.spawn(move || half.into_iter().map(row).collect::<Vec<(usize, Row)>>())
        });
        let mut rows: Vec<(usize, Row)> =
            work.into_iter().flat_map(|half| half.join().expect("runs end")).collect();
        rows.sort_by_key(|(at, _)| *at);
        rows
    });
    Measured { title: group.title, rows: rows.into_iter().map(|(_, row)| row).collect() }
}

fn row(fault: Fault) -> Row {
    let of = |plan: Plan| Figures::of(&plan, 1..=2);
    let java = of(fault.plan.clone().java());
    let avoiding = of(fault.plan.clone().java_avoiding());
    let default = of(fault.plan.clone());
    Row { fault, java, avoiding, default }
}
