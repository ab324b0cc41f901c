//! Is a document that tests write still what they find?

use std::path::Path;

/// Compares `text` with a file of the crate, or writes it if `UPDATE=1` is set.
///
/// # Panics
///
/// If the file says something else: with the first line that differs, and the command that writes
/// it anew.
pub(crate) fn is_up_to_date(file: &str, test: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).expect("the crate's folder can be written");
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if found == text {
        return;
    }
    let differs = |(_, (found, now)): &(usize, (&str, &str))| found != now;
    let (found_lines, lines) = (found.lines().chain([""]), text.lines().chain([""]));
    let first = found_lines.zip(lines).enumerate().find(differs);
    let first = first.map_or_else(String::new, |(at, (found, now))| {
        format!("\nline {} says\n  {found}\nand the runs say\n  {now}", at + 1)
    });
    panic!("sim/{file} is out of date: UPDATE=1 cargo test -p sim --test simulator {test}{first}");
}

/// A table in Markdown that can be read as it is: columns are as wide as their widest cell.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} "));
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let mut text = line(head.iter().map(|cell| (*cell).to_owned()).collect());
    text +=
        &format!("|{}|\n", widths.iter().map(|w| "-".repeat(w + 2)).collect::<Vec<_>>().join("|"));
    for row in rows {
        text += &line(row.clone());
    }
    text
}
