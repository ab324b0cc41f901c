//! `JAVA_PARITY.md`: what each public member of the Java producer is called here.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

const TABLE: &str = include_str!("../JAVA_PARITY.md");

/// Some members of one Java class, and their place here.
#[derive(Debug)]
pub struct Row {
    /// The class, by its simple name.
    pub class: &'static str,
    /// Its members, as [`public_members`](crate::cluster::public_members) writes them.
    pub members: Vec<&'static str>,
    /// Where they are.
    pub here: Here,
    /// What differs.
    pub remark: &'static str,
}

/// Where something of Java's is in our interface.
#[derive(Debug)]
pub enum Here {
    /// In these items, `Type::member` or `Type`.
    Items(Vec<&'static str>),
    /// It will come.
    NotYet,
    /// Nowhere; the row says why.
    None,
}

/// All rows. Panics when the file is not as its first lines say.
pub fn rows() -> Vec<Row> {
    let mut class = "";
    let mut rows = Vec::new();
    for line in TABLE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            class = heading;
        } else if line.starts_with("| `") {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [members, here, remark] = cells[..] else { panic!("not three cells: {line}") };
            let here = match here {
                "not yet" => Here::NotYet,
                "none" => Here::None,
                items => Here::Items(quoted(items)),
            };
            rows.push(Row { class, members: quoted(members), here, remark });
        }
    }
    rows
}

fn quoted(text: &'static str) -> Vec<&'static str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The library sources of the core and the native producer, by path.
pub fn sources() -> io::Result<BTreeMap<String, String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = BTreeMap::new();
    for package in ["producer-core", "producer-native"] {
        read(&root.join(package).join("src"), &mut sources)?;
    }
    Ok(sources)
}

fn read(folder: &Path, sources: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.insert(path.display().to_string(), fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Whether a public item of that path is in the sources: `Type`, `Type::member`, or either with
/// the name of its file before it.
pub fn exists(item: &str, sources: &BTreeMap<String, String>) -> bool {
    let (file, item) = match item.split_once("::") {
        Some((file, rest)) if file.starts_with(char::is_lowercase) => (Some(file), rest),
        _ => (None, item),
    };
    let in_file = |path: &str| {
        file.is_none_or(|file| {
            path.ends_with(&format!("/{file}.rs")) || path.contains(&format!("/{file}/"))
        })
    };
    let mut texts = sources.iter().filter(|(path, _)| in_file(path)).map(|(_, text)| text);
    match item.split_once("::") {
        Some((owner, member)) => {
            texts.any(|text| blocks(text, owner).any(|block| has_member(block, member)))
        }
        None => texts.any(|text| declares(text, item)),
    }
}

fn declares(text: &str, name: &str) -> bool {
    ["struct", "enum", "trait", "type", "const", "mod", "fn", "async fn"]
        .iter()
        .any(|kind| has_word(text, &format!("pub {kind} {name}")))
}

/// The declaration and the `impl` blocks of a type, each up to its closing brace in column 0.
fn blocks<'a>(text: &'a str, owner: &'a str) -> impl Iterator<Item = &'a str> {
    let starts = text.match_indices("\npub ").chain(text.match_indices("\nimpl"));
    starts.filter_map(move |(at, _)| {
        let block = &text[at + 1..];
        let head = block.lines().next().unwrap_or_default();
        let head = head.split_once(" for ").map_or(head, |(_, owner)| owner);
        has_word(head, owner).then(|| block.split("\n}\n").next().unwrap_or_default())
    })
}

fn has_member(block: &str, name: &str) -> bool {
    let is_variant = |line: &str| {
        let rest = line.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([',', '(', ' ']) && starts_upper(name))
    };
    let ways = ["pub fn ", "pub async fn ", "pub const fn ", "pub ", "    fn ", "    type "];
    ways.iter().any(|way| has_word(block, &format!("{way}{name}"))) || block.lines().any(is_variant)
}

fn starts_upper(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

/// Whether `phrase` occurs and does not go on as a longer word.
fn has_word(text: &str, phrase: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(phrase).any(|(at, _)| {
        !text[at + phrase.len()..].starts_with(is_part) && !text[..at].ends_with(is_part)
    })
}
