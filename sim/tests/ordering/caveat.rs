//! A caveat: what happens, which ways of sending lose order by it, and which keep it.

use sim::plan::{Mode, Plan};

use crate::document::table;
use crate::measure::{Figures, measure};

/// One caveat.
pub(crate) struct Caveat {
    pub(crate) title: &'static str,
    /// What happens, and why.
    pub(crate) happens: &'static str,
    /// What is done in the runs.
    pub(crate) plan: &'static str,
    pub(crate) ways: Vec<Way>,
    /// What to do about it.
    pub(crate) remedy: &'static str,
}

/// A way of sending, under the caveat's circumstances.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) order: Order,
    pub(crate) plan: Plan,
    /// If workload 1 is the application's second try of a message, its number.
    pub(crate) repeats: Option<usize>,
}

/// What a way of sending is expected to do to the order of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Kept,
    Lost,
    /// Lost where the epochs of receipts differ, and kept among equal ones.
    Announced,
}

impl Way {
    pub(crate) fn keeps(name: &'static str, plan: Plan) -> Self {
        Self { name, order: Order::Kept, plan, repeats: None }
    }

    pub(crate) fn loses(name: &'static str, plan: Plan) -> Self {
        Self { name, order: Order::Lost, plan, repeats: None }
    }

    /// How the first workload chooses its queues.
    pub(crate) fn mode(&self) -> Mode {
        self.plan.workloads[0].mode
    }

    pub(crate) fn announces(name: &'static str, plan: Plan) -> Self {
        Self { name, order: Order::Announced, plan, repeats: None }
    }
}

impl Caveat {
    /// Runs every way, prints what was found, and sees that each did as it is said to.
    pub(crate) fn tried(&self) -> Vec<Figures> {
        let figures: Vec<Figures> =
            self.ways.iter().map(|way| measure(&way.plan, way.repeats)).collect();
        println!("{}\n{}", self.title, self.table(&figures));
        for (way, figures) in self.ways.iter().zip(&figures) {
            let order = match (figures.in_order(), figures.unannounced, way.mode()) {
                (true, ..) => Order::Kept,
                (false, 0, Mode::Available) => Order::Announced,
                (false, ..) => Order::Lost,
            };
            assert_eq!(order, way.order, "{}, {}: {figures:?}", self.title, way.name);
        }
        figures
    }

    /// The caveat's part of the document.
    pub(crate) fn section(&self, figures: &[Figures]) -> String {
        let Self { title, happens, plan, remedy, .. } = self;
        let table = self.table(figures);
        format!("## {title}\n\n{happens}\n\nThe runs: {plan}\n\n{table}\nWhat to do: {remedy}\n\n")
    }

    fn table(&self, figures: &[Figures]) -> String {
        let rows: Vec<Vec<String>> =
            self.ways.iter().zip(figures).map(|(way, figures)| row(way, figures)).collect();
        table(&HEAD, &rows)
    }
}

const HEAD: [&str; 9] = [
    "way of sending",
    "order",
    "stored",
    "failed",
    "duplicates",
    "moved",
    "overtaken",
    "median ms",
    "longest ms",
];

fn row(way: &Way, figures: &Figures) -> Vec<String> {
    let order = match way.order {
        Order::Kept => "kept",
        Order::Lost => "LOST",
        Order::Announced => "kept within an epoch",
    };
    let failed = match (figures.failed, figures.unknown) {
        (0, 0) => "0".to_owned(),
        (failed, 0) => failed.to_string(),
        (failed, unknown) => format!("{} ({unknown} unknown)", failed + unknown),
    };
    let Figures { stored, sent, lost, .. } = figures;
    let stored = match lost {
        0 => format!("{stored} of {sent}"),
        lost => format!("{stored} of {sent}, {lost} LOST"),
    };
    let ms = |time: std::time::Duration| format!("{:.0}", time.as_secs_f64() * 1e3);
    vec![
        way.name.to_owned(),
        order.to_owned(),
        stored,
        failed,
        figures.duplicates.to_string(),
        figures.moved.to_string(),
        figures.overtaken.to_string(),
        ms(figures.median),
        ms(figures.longest),
    ]
}
