//! `NEEDS.md`, written from `needs.txt` and the names of all tests, is up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A row of `needs.txt`.
#[derive(Debug, Default)]
struct Row {
    number: String,
    title: String,
    tests: Vec<String>,
    remarks: Vec<String>,
}

#[test]
fn the_document_says_which_tests_there_are() {
    let tests = all_tests();
    let document = document(&rows(), &tests);
    let path = root().join("tests/NEEDS.md");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &document).expect("it can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == document,
        "tests/NEEDS.md is out of date; UPDATE=1 cargo test -p tests --test needs writes it"
    );
}

#[test]
fn each_row_is_there_once_and_has_an_answer() {
    let rows = rows();
    let numbers: Vec<_> = rows.iter().map(|row| row.number.clone()).collect();
    let needs = (1..=54).map(|number| number.to_string());
    let checks = (1..=13).map(|number| format!("P{number}"));
    assert_eq!(numbers, needs.chain(checks).collect::<Vec<_>>());
    for row in &rows {
        assert!(row.tests.len() + row.remarks.len() > 0, "{row:?}");
    }
}

#[test]
fn no_check_of_the_peers_is_left_out() {
    let named: BTreeSet<_> = rows().into_iter().flat_map(|row| row.tests).collect();
    let left_out: Vec<_> = all_tests()
        .into_keys()
        .filter(|test| test.starts_with('p') && test[1..].starts_with(|c: char| c.is_ascii_digit()))
        .filter(|test| !named.contains(test))
        .collect();
    assert!(left_out.is_empty(), "in no row of needs.txt: {left_out:?}");
}

fn rows() -> Vec<Row> {
    let text = include_str!("../needs.txt");
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (first, rest) = line.split_once(' ').unwrap_or_else(|| panic!("half a line: {line}"));
        match (first, rows.last_mut()) {
            ("+", Some(row)) => row.tests.push(rest.to_owned()),
            ("-", Some(row)) => row.remarks.push(rest.to_owned()),
            (number, _) => rows.push(Row {
                number: number.to_owned(),
                title: rest.to_owned(),
                ..Row::default()
            }),
        }
    }
    rows
}

/// Names of all tests, and the files that have one of that name.
fn all_tests() -> BTreeMap<String, Vec<PathBuf>> {
    let mut tests: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for package in ["producer-core", "producer-native", "sim", "tests"] {
        collect(&root().join(package), &mut tests);
    }
    tests
}

fn collect(folder: &Path, tests: &mut BTreeMap<String, Vec<PathBuf>>) {
    let entries = fs::read_dir(folder).expect("the sources are here");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    for path in paths {
        let is_hidden =
            path.file_name().is_some_and(|name| name == "target" || name == "node_modules");
        if path.is_dir() && !is_hidden {
            collect(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("readable");
            let relative = path.strip_prefix(root()).expect("below the root").to_owned();
            for name in tests_in(&text) {
                tests.entry(name).or_default().push(relative.clone());
            }
        }
    }
}

/// The function after each attribute `test`, whatever stands between.
fn tests_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        let attribute = line.strip_prefix("#[").map(|rest| rest.split(['(', ']']).next());
        if let Some(Some(attribute)) = attribute {
            is_test |= attribute.rsplit("::").next() == Some("test");
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            let end = rest.find(['(', '<']).unwrap_or(rest.len());
            names.push(rest[..end].to_owned());
            is_test = false;
        }
    }
    names
}

fn document(rows: &[Row], tests: &BTreeMap<String, Vec<PathBuf>>) -> String {
    let mut text = String::from(HEAD);
    for row in rows {
        if row.number == "P1" {
            text += CHECKS;
        }
        let cell: Vec<_> = row.tests.iter().map(|test| reference(test, tests)).collect();
        let cells = cell.into_iter().chain(row.remarks.iter().cloned());
        let cells = cells.collect::<Vec<_>>().join("<br>");
        writeln!(text, "| {} | {} | {cells} |", row.number, row.title).expect("a string");
    }
    text
}

/// The test's name, linked to its file. Panics if no test or several are called so.
fn reference(test: &str, tests: &BTreeMap<String, Vec<PathBuf>>) -> String {
    let (file, name) = match test.split_once("::") {
        Some((file, name)) => (Some(file), name),
        None => (None, test),
    };
    let files = tests.get(name).map(Vec::as_slice).unwrap_or_default();
    let is_it =
        |path: &&PathBuf| file.is_none_or(|file| path.file_stem().is_some_and(|stem| stem == file));
    let found: Vec<_> = files.iter().filter(is_it).collect();
    match found[..] {
        [path] => format!("[{name}](../{})", path.display()),
        [] => panic!("needs.txt names {test}, and there is no such test"),
        _ => panic!("needs.txt names {test}, which several files have: {found:?}"),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("it is there")
}

const HEAD: &str = "\
# What users suffer from, and the tests that it does not happen here

Written by `tests/tests/needs.rs` from `tests/needs.txt`; a test fails when a name in it is no test's.
Rows 1 to 54 are what users of RocketMQ, Kafka, NATS and Pulsar clients report; a row without tests says why.

| row | what users say | tests |
|---|---|---|
";
const CHECKS: &str = "
## Where other clients failed

| row | check | tests |
|---|---|---|
";
