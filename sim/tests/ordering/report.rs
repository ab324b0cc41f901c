//! `sim/ORDERING.md`.

use sim::plan::Mode;
use sim::ready::ordering::{Caveat, Order, Way, all};

use super::caveat::{section, tried};
use super::measure::Figures;
use crate::support::document::table;

const HEADER: &str = "\
# When is order lost, and what keeps it?

Each section is one caveat: what happens, how few things it takes, what it does to each way of sending,
and what to do about it. The figures come from runs of the real producer core against models of name
server and broker in virtual time, and are the same on every machine.

    cargo test -p sim --test simulator ordering -- --nocapture     # runs all of it and prints the figures
    UPDATE=1 cargo test -p sim --test simulator ordering           # writes this file

A consumer sees the order of each queue's log, and none between queues. So the logs of the brokers
decide, and first copies count: *moved* are neighbours of a key (two of its messages, one sent after
the other) that are in different queues, *overtaken* are neighbours in one queue with the later one in
front. Order is kept if both are 0. *Failed* sends are gaps that the application knows of; *unknown* are
those of which nobody can say whether they are stored; *LOST* are messages that were acknowledged and
are in no log. *Median* and *longest* are from the call to its end, waiting in a lane and failed sends
included; what an application waits that sends one at a time is not. Ways are 1 ms each if nothing else
is said, and the configuration is `Config::default()`.

";

/// The whole file.
pub(crate) fn document() -> String {
    let caveats = all();
    let figures: Vec<Vec<Figures>> = caveats.iter().map(tried).collect();
    let rows: Vec<Row<'_>> = caveats.iter().zip(&figures).flat_map(ways).collect();
    let mut text = HEADER.to_owned() + &overview(&caveats, &figures);
    for (caveat, figures) in caveats.iter().zip(&figures) {
        text += &section(caveat, figures);
    }
    text += &strict(&rows);
    text += &available(&rows);
    text.trim_end().to_owned() + "\n"
}

type Row<'a> = (&'a Caveat, &'a Way, &'a Figures);

fn ways<'a>((caveat, figures): (&'a Caveat, &'a Vec<Figures>)) -> Vec<Row<'a>> {
    caveat.ways.iter().zip(figures).map(|(way, figures)| (caveat, way, figures)).collect()
}

/// The first way that loses and the last one that keeps, of each caveat.
fn overview(caveats: &[Caveat], figures: &[Vec<Figures>]) -> String {
    let row = |(caveat, figures): (&Caveat, &Vec<Figures>)| {
        let mut ways = caveat.ways.iter().zip(figures);
        let loses = ways.clone().find(|(way, _)| way.order == Order::Lost);
        let keeps = ways.rfind(|(way, _)| way.order == Order::Kept);
        let lost = loses.map_or_else(
            || "nothing".to_owned(),
            |(way, figures)| {
                let Figures { moved, overtaken, .. } = figures;
                format!("{}: {moved} moved, {overtaken} overtaken", way.name)
            },
        );
        let kept = keeps.map_or_else(
            || "nothing".to_owned(),
            |(way, figures)| {
                let failed = figures.failed + figures.unknown;
                format!("{}: {failed} of {} failed", way.name, figures.sent)
            },
        );
        vec![caveat.title.to_owned(), lost, kept]
    };
    let rows: Vec<Vec<String>> = caveats.iter().zip(figures).map(row).collect();
    table(&["caveat", "loses order", "keeps it"], &rows) + "\n"
}

fn strict(rows: &[Row<'_>]) -> String {
    let head = ["caveat", "way", "failed", "duplicates", "median ms", "longest ms"];
    let lines: Vec<Vec<String>> = rows
        .iter()
        .filter(|(_, way, _)| way.mode() == Mode::Strict && way.plan.producers() == 1)
        .map(|(caveat, way, figures)| {
            assert!(figures.in_order(), "{}, {}: {figures:?}", caveat.title, way.name);
            vec![
                caveat.title.to_owned(),
                way.name.to_owned(),
                format!("{} of {}", figures.failed + figures.unknown, figures.sent),
                figures.duplicates.to_string(),
                format!("{:.0}", figures.median.as_secs_f64() * 1e3),
                format!("{:.0}", figures.longest.as_secs_f64() * 1e3),
            ]
        })
        .collect();
    format!(
        "## What a `Strict` lane costs\n\n\
A `Strict` lane of one producer kept order in every run above: 0 moved, 0 overtaken. It pays with time and\n\
errors: a key has one message under way, waits for its own queue and no other, and fails those that wait\n\
behind one whose end nobody knows, for they would overtake it should it still arrive.\n\n{}\n",
        table(&head, &lines)
    )
}

fn available(rows: &[Row<'_>]) -> String {
    let head = ["caveat", "way", "failed", "moved", "of these with equal epochs", "longest ms"];
    let lines: Vec<Vec<String>> = rows
        .iter()
        .filter(|(_, way, _)| way.mode() == Mode::Available)
        .map(|(caveat, way, figures)| {
            assert_eq!(figures.unannounced, 0, "{}, {}: {figures:?}", caveat.title, way.name);
            vec![
                caveat.title.to_owned(),
                way.name.to_owned(),
                format!("{} of {}", figures.failed + figures.unknown, figures.sent),
                (figures.moved + figures.overtaken).to_string(),
                figures.unannounced.to_string(),
                format!("{:.0}", figures.longest.as_secs_f64() * 1e3),
            ]
        })
        .collect();
    format!(
        "## What an `Available` lane says\n\n\
An `Available` lane goes elsewhere when its queue cannot be used, and its receipts carry an `epoch` that\n\
is another whenever the choice may have been. Two messages of a key with equal epochs are in one queue, in\n\
order: of all neighbours that moved, none had equal epochs. The epoch errs on the safe side: it also\n\
changes when other keys had to move.\n\n{}\n",
        table(&head, &lines)
    )
}
