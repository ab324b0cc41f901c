//! What load do many producers put on servers? `sim/SCALE.md`.

use std::path::Path;

use sim::scale::{Figures, HEADER, Phase, Rules, Size, run, section};

use crate::support::document::is_up_to_date;

const SMALL: &str = "## 100 producers";

/// The large run takes half a minute of processor: it is made when the file is written.
fn large_section() -> String {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        return section(Size::WHOLE) + "\n";
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SCALE.md");
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let (large, _) = found.split_once(SMALL).unwrap_or_default();
    large.strip_prefix(HEADER).unwrap_or_default().to_owned()
}

#[test]
fn the_document_says_what_the_runs_show() {
    let text = HEADER.to_owned() + &large_section() + &section(Size::SMALL);
    assert!(!text.contains("not explained"), "{text}");
    is_up_to_date("SCALE.md", "scale", &text);
}

fn phase<'f>(figures: &'f Figures, name: &str) -> &'f Phase {
    figures.phases.iter().find(|phase| phase.name == name).expect("a phase")
}

/// What the document says in words.
#[test]
fn producers_that_restart_at_once_ask_for_less_at_once() {
    let [java, ours] = [Rules::Java, Rules::Ours].map(|rules| run(Size::SMALL, rules));
    let after = |figures| phase(figures, "the minute after").clone();
    let (java, ours) = (after(&java), after(&ours));

    assert!(java.routes_at_once >= 3 * ours.routes_at_once, "{java:?}\n{ours:?}");
    assert!(java.beats_at_once >= 5 * ours.beats_at_once, "{java:?}\n{ours:?}");
    assert!(ours.routes <= java.routes * 11 / 10, "{java:?}\n{ours:?}");
    assert_eq!((java.failed, ours.failed), (0, 0));
}

#[test]
fn a_run_is_the_same_every_time() {
    let size = Size { producers: 20, brokers: 4, ..Size::SMALL };

    assert_eq!(run(size, Rules::Ours), run(size, Rules::Ours));
    assert_ne!(run(size, Rules::Ours), run(size, Rules::Java));
}
