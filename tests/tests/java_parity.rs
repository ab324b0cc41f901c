//! `JAVA_PARITY.md` names what exists, and says why of what does not.

use std::collections::BTreeSet;

use tests::parity::{Here, exists, rows, sources};

#[test]
fn each_item_of_the_table_exists() {
    let sources = sources().expect("the sources are here");
    let named: BTreeSet<_> = rows()
        .into_iter()
        .filter_map(|row| if let Here::Items(items) = row.here { Some(items) } else { None })
        .flatten()
        .collect();

    let missing: Vec<_> = named.iter().filter(|item| !exists(item, &sources)).collect();

    assert!(named.len() > 50, "the table was not read: {named:?}");
    assert!(missing.is_empty(), "no such items: {missing:?}");
}

#[test]
fn what_is_not_there_is_not_found() {
    let sources = sources().expect("the sources are here");

    for item in ["Producer::sends", "Config::sen", "Builder::Producer", "Shutdown", "Config::Off"] {
        assert!(!exists(item, &sources), "{item}");
    }
}

#[test]
fn each_row_has_a_place_or_a_reason() {
    for row in rows() {
        let is_empty = match &row.here {
            Here::Items(items) => items.is_empty(),
            Here::NotYet => false,
            Here::None => row.remark.is_empty(),
        };
        assert!(!is_empty, "{row:?}");
    }
}

#[test]
fn no_member_stands_twice() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        for member in row.members {
            assert!(seen.insert((row.class, member)), "{} {member}", row.class);
        }
    }
}
