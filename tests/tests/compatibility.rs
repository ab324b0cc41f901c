//! The README's table of compatibility is that of the last interop run.

use std::path::Path;
use std::{env, fs};

use tests::cluster::Release;
use tests::compat::{Column, Feature, records, table};

/// `./check interop` sets the variable after a run; without it there is nothing to compare with.
#[test]
fn the_readme_says_what_the_interop_run_saw() {
    if env::var_os("INTEROP_SEEN").is_none() {
        return;
    }
    let path = records().expect("below the target folder");
    let seen = fs::read_to_string(&path).expect("the interop run has written it");
    let (table, missing) = table(&seen);
    assert!(missing.is_empty(), "supported by servers, and not seen: {missing:#?}");
    let readme_path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&readme_path).expect("it is there");
    let (before, after) = around(&readme);
    let wanted = format!("{before}{table}{after}");
    if env::var_os("UPDATE").is_some() {
        fs::write(&readme_path, &wanted).expect("it can be written");
    } else {
        assert!(
            readme == wanted,
            "README.md differs from what was seen; INTEROP_SEEN=1 UPDATE=1 cargo test -p tests \
             --test compatibility writes it:\n{table}"
        );
    }
}

#[test]
fn the_readme_has_a_row_for_each_feature() {
    let readme = include_str!("../../README.md");
    let (before, after) = around(readme);
    let written = &readme[before.len()..readme.len() - after.len()];
    let all = Feature::ALL.iter().flat_map(|feature| columns().map(move |c| (*feature, c)));
    let seen: String = all.map(|(feature, column)| format!("{feature:?}\t{column}\n")).collect();

    let (table, missing) = table(&seen);

    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(written, table);
}

#[test]
fn what_was_not_seen_is_missed() {
    let (table, missing) = table("Messages\tbroker 5.4.0\n");

    assert!(missing.iter().any(|cell| cell == "Messages at broker 4.9.7"), "{missing:?}");
    assert!(!missing.iter().any(|cell| cell == "Messages at broker 5.4.0"), "{missing:?}");
    assert!(table.contains("| yes |  |  |  |\n"), "{table}");
}

fn columns() -> impl Iterator<Item = Column> {
    let brokers = Release::ALL.map(Column::Broker).into_iter();
    brokers.chain(Release::ALL.map(Column::Model)).chain([Column::JavaReads])
}

/// What stands before the table, its mark included, and what after it.
fn around(readme: &str) -> (&str, &str) {
    let (begin, end) = ("<!-- seen by ./check interop -->\n", "<!-- end -->");
    let from = readme.find(begin).expect("the mark before the table") + begin.len();
    let to = from + readme[from..].find(end).expect("the mark after the table");
    (&readme[..from], &readme[to..])
}
