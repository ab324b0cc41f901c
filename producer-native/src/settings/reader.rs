//! Values by key and type; a key that nobody asked for is a mistake.

use std::collections::BTreeMap;
use std::time::Duration;

use super::SettingsError;
use super::source::{Node, Place, Value, join};
use crate::number;

/// A table that is being read.
pub(crate) struct Table {
    path: String,
    place: Place,
    nodes: BTreeMap<String, Node>,
    asked: Vec<&'static str>,
}

/// What is wanted in place of a value. The value itself is never repeated: it may be a secret.
pub(crate) type Wanted = &'static str;

impl Table {
    pub(crate) fn new(node: Node, path: &str) -> Result<Self, SettingsError> {
        match node.value {
            Value::Table(nodes) => {
                Ok(Self { path: path.to_owned(), place: node.place, nodes, asked: Vec::new() })
            }
            _ => Err(SettingsError::new(node.place, path, "wanted a table")),
        }
    }

    /// The node of a key.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.asked.push(key);
        self.nodes.remove(key)
    }

    /// The value of a key, if it is there.
    pub(crate) fn get<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Node) -> Result<R, Wanted>,
    ) -> Result<Option<R>, SettingsError> {
        let Some(node) = self.take(key) else { return Ok(None) };
        let value = read(&node);
        value.map(Some).map_err(|wanted| {
            SettingsError::new(node.place, &join(&self.path, key), format!("wanted {wanted}"))
        })
    }

    /// Sets a field if its key is there.
    pub(crate) fn set<R>(
        &mut self,
        key: &'static str,
        field: &mut R,
        read: impl FnOnce(&Node) -> Result<R, Wanted>,
    ) -> Result<(), SettingsError> {
        if let Some(value) = self.get(key, read)? {
            *field = value;
        }
        Ok(())
    }

    /// The tables of a key: none, one, or a list of them.
    pub(crate) fn tables(&mut self, key: &'static str) -> Result<Vec<Self>, SettingsError> {
        let path = join(&self.path, key);
        let nodes = match self.take(key) {
            None => Vec::new(),
            Some(Node { value: Value::List(nodes), .. }) => nodes,
            Some(node) => vec![node],
        };
        nodes.into_iter().map(|node| Self::new(node, &path)).collect()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.nodes.contains_key(key)
    }

    /// An error about this table, or a key of it.
    pub(crate) fn error(&self, key: &str, problem: impl Into<String>) -> SettingsError {
        let path = if key.is_empty() { self.path.clone() } else { join(&self.path, key) };
        SettingsError::new(self.place.clone(), &path, problem)
    }

    /// Everything was asked for: what is left is a mistake.
    pub(crate) fn finish(self) -> Result<(), SettingsError> {
        let Some((key, node)) = self.nodes.into_iter().next() else { return Ok(()) };
        // A key is no secret, but it may be long.
        let shown: String = key.chars().take(60).collect();
        let path = join(&self.path, &shown);
        let problem = match nearest(&key, &self.asked) {
            Some(near) => format!("there is no such key; did you mean {near}?"),
            None => format!("there is no such key; there are {}", self.asked.join(", ")),
        };
        Err(SettingsError::new(node.place, &path, problem))
    }
}

/// The known key that is meant, if one is near enough.
fn nearest(given: &str, known: &[&'static str]) -> Option<&'static str> {
    let given: Vec<char> = given.to_lowercase().replace('-', "_").chars().take(100).collect();
    let distances = known.iter().map(|&key| (distance(&given, key), key));
    let (distance, key) = distances.min()?;
    (distance <= (key.len() / 3).max(2)).then_some(key)
}

/// How many letters must be changed, added or left out (Levenshtein).
fn distance(given: &[char], key: &str) -> usize {
    let mut row: Vec<usize> = (0..=given.len()).collect();
    for (at, letter) in key.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, &other) in given.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[given.len()]
}

pub(crate) fn text(node: &Node) -> Result<String, Wanted> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err("a text in quotes"),
    }
}

/// A text, or `none`.
pub(crate) fn optional_text(node: &Node) -> Result<Option<String>, Wanted> {
    text(node).map(|text| Some(text).filter(|text| !text.is_empty()))
}

pub(crate) fn flag(node: &Node) -> Result<bool, Wanted> {
    match (&node.value, &node.place) {
        (Value::Flag(flag), _) => Ok(*flag),
        (Value::Text(text), Place::Variable(_)) if text == "true" => Ok(true),
        (Value::Text(text), Place::Variable(_)) if text == "false" => Ok(false),
        _ => Err("true or false"),
    }
}

/// A whole number that fits.
pub(crate) fn number<N: TryFrom<i64>>(node: &Node) -> Result<N, Wanted> {
    let number = match (&node.value, &node.place) {
        (Value::Number(number), _) => Some(*number),
        (Value::Text(text), Place::Variable(_)) => number::of_digits(text.trim()),
        _ => None,
    };
    number.and_then(|number| N::try_from(number).ok()).ok_or("a whole number in range")
}

/// A number of bytes: a number, or one with a unit.
pub(crate) fn bytes(node: &Node) -> Result<usize, Wanted> {
    const WANTED: Wanted = "a number of bytes: 65536, \"64 KiB\" or \"4 MiB\"";
    let Value::Text(text) = &node.value else { return number(node).map_err(|_| WANTED) };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(WANTED),
    };
    let number = number::of_digits::<usize>(digits.trim());
    number.and_then(|number| number.checked_mul(1 << unit)).ok_or(WANTED)
}

/// A length of time with a unit; zero is allowed.
pub(crate) fn time(node: &Node) -> Result<Duration, Wanted> {
    const WANTED: Wanted = "a time of at most a day with its unit: \"500ms\", \"3s\" or \"2m\"";
    let Value::Text(text) = &node.value else { return Err(WANTED) };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(WANTED),
    };
    let digits = digits.trim();
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(WANTED);
    }
    let number = digits.parse::<f64>().map_err(|_| WANTED)?;
    let time = Duration::try_from_secs_f64(number * seconds).map_err(|_| WANTED)?;
    if time > Duration::from_secs(86_400) { Err(WANTED) } else { Ok(time) }
}

/// A length of time, or `"none"`.
pub(crate) fn optional_time(node: &Node) -> Result<Option<Duration>, Wanted> {
    match &node.value {
        Value::Text(text) if text == "none" => Ok(None),
        _ => time(node).map(Some).map_err(|_| "a time with its unit (\"500ms\"), or \"none\""),
    }
}

/// Each element of a list.
pub(crate) fn list<R>(
    node: &Node,
    read: impl Fn(&Node) -> Result<R, Wanted>,
    wanted: Wanted,
) -> Result<Vec<R>, Wanted> {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(read).collect::<Result<_, _>>().map_err(|_| wanted),
        _ => Err(wanted),
    }
}

/// Texts in a list, or in one text between `;`.
pub(crate) fn texts(node: &Node) -> Result<Vec<String>, Wanted> {
    match &node.value {
        Value::Text(text) => {
            let parts = text.split([';', ',']).map(str::trim).filter(|part| !part.is_empty());
            Ok(parts.map(str::to_owned).collect())
        }
        _ => list(node, text, "a text, or a list of texts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_that_with_the_fewest_changes() {
        let known = ["send_timeout", "sends_max", "group", "tls"];
        for (given, near) in [
            ("send_timout", Some("send_timeout")),
            ("Send-Timeout", Some("send_timeout")),
            ("sendTimeout", Some("send_timeout")),
            ("gruop", Some("group")),
            ("tsl", Some("tls")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, &known), near, "{given}");
        }
        let long: String = "x".repeat(1_000_000);
        assert_eq!(nearest(&long, &known), None, "and it takes no time");
    }
}
