//! Sees what becomes of a caveat's ways, and writes it down.

use sim::plan::Mode;
use sim::ready::ordering::{Caveat, Order, Way};

use super::measure::{Figures, measure};
use crate::support::document::table;

/// Runs every way, prints what was found, and sees that each did as it is said to.
pub(crate) fn tried(caveat: &Caveat) -> Vec<Figures> {
    let figures: Vec<Figures> =
        caveat.ways.iter().map(|way| measure(&way.plan, way.repeats)).collect();
    println!("{}\n{}", caveat.title, ways(caveat, &figures));
    for (way, figures) in caveat.ways.iter().zip(&figures) {
        let order = match (figures.in_order(), figures.unannounced, way.mode()) {
            (true, ..) => Order::Kept,
            (false, 0, Mode::Available) => Order::Announced,
            (false, ..) => Order::Lost,
        };
        assert_eq!(order, way.order, "{}, {}: {figures:?}", caveat.title, way.name);
    }
    figures
}

/// The caveat's part of the document.
pub(crate) fn section(caveat: &Caveat, figures: &[Figures]) -> String {
    let Caveat { title, happens, plan, remedy, .. } = caveat;
    let table = ways(caveat, figures);
    format!("## {title}\n\n{happens}\n\nThe runs: {plan}\n\n{table}\nWhat to do: {remedy}\n\n")
}

fn ways(caveat: &Caveat, figures: &[Figures]) -> String {
    let rows: Vec<Vec<String>> =
        caveat.ways.iter().zip(figures).map(|(way, figures)| row(way, figures)).collect();
    table(&HEAD, &rows)
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
