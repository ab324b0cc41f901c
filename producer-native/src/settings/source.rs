//! What was written, and where: TOML and environment variables as one tree.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::SettingsError;

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// A value. It has no `Debug`: it may be a secret.
#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    /// A date, a fraction, or a number that is too large for anything here.
    Other,
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: what begins empty.
    Start,
    /// In a text, or in a file of this name.
    Line(Option<Arc<str>>, usize),
    /// In an environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("settings"),
            Self::Line(None, line) => write!(f, "line {line}"),
            Self::Line(Some(file), line) => write!(f, "{file}, line {line}"),
            Self::Variable(name) => write!(f, "variable {name}"),
        }
    }
}

/// Largest text that is read.
pub(crate) const BYTES_MAX: usize = 1 << 20;

impl Node {
    pub(crate) fn empty() -> Self {
        Self { value: Value::Table(BTreeMap::new()), place: Place::Start }
    }

    /// Reads TOML. Errors hold nothing of the text but line and column.
    pub(crate) fn toml(text: &str, file: Option<&str>) -> Result<Self, SettingsError> {
        let lines = Lines { text, file: file.map(Arc::from) };
        if text.len() > BYTES_MAX {
            return Err(SettingsError::new(lines.place(0), "", "it is longer than 1 MiB"));
        }
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let column = text.get(..at).map_or(0, |before| before.len() - lines.begin(at)) + 1;
            // Not the parser's own words: they may repeat a part of the line.
            let problem = match error.message().starts_with("duplicate key") {
                true => format!("a key is there twice, at column {column}"),
                false => format!("it is not TOML, at column {column}"),
            };
            SettingsError::new(lines.place(at), "", problem)
        })?;
        let place = lines.place(table.span().start);
        Ok(Self { value: Value::Table(lines.table(table.get_ref())), place })
    }

    /// Reads the variables that begin with `prefix`; two underscores lead into a table.
    pub(crate) fn variables(
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut root = Self::empty();
        for (name, text) in variables {
            let Some(key) = name.strip_prefix(prefix) else { continue };
            let place = Place::Variable(name.clone());
            let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
            if path.iter().any(String::is_empty) || path.len() > 2 {
                return Err(SettingsError::new(place, "", "its name leads to no key"));
            }
            let mut node = Self { value: Value::Text(text), place: place.clone() };
            for key in path.into_iter().rev() {
                let table = Value::Table(BTreeMap::from([(key, node)]));
                node = Self { value: table, place: place.clone() };
            }
            root.merge(node, "")?;
        }
        Ok(root)
    }

    /// Puts `later` over this, key by key.
    pub(crate) fn merge(&mut self, later: Self, path: &str) -> Result<(), SettingsError> {
        let from_variable = matches!(later.place, Place::Variable(_));
        match (&mut self.value, later.value) {
            (Value::Table(ours), Value::Table(theirs)) => {
                for (key, node) in theirs {
                    let path = join(path, &key);
                    match ours.get_mut(&key) {
                        Some(known) => known.merge(node, &path)?,
                        None => drop(ours.insert(key, node)),
                    }
                }
            }
            (Value::List(_), Value::Table(_)) if from_variable => {
                let problem = "several of these are set already; a variable cannot say which";
                return Err(SettingsError::new(later.place, path, problem));
            }
            (_, value) => *self = Self { value, place: later.place },
        }
        Ok(())
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

struct Lines<'a> {
    text: &'a str,
    file: Option<Arc<str>>,
}

impl Lines<'_> {
    fn place(&self, at: usize) -> Place {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        Place::Line(self.file.clone(), line)
    }

    /// Where the line begins.
    fn begin(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn table(&self, table: &DeTable<'_>) -> BTreeMap<String, Node> {
        let entries = table.iter().map(|(key, value)| {
            let place = self.place(key.span().start);
            (key.get_ref().to_string(), Node { value: self.value(value.get_ref()), place })
        });
        entries.collect()
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                parsed.map_or(Value::Other, Value::Number)
            }
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
            DeValue::Array(items) => {
                let items = items.iter().map(|item| Node {
                    value: self.value(item.get_ref()),
                    place: self.place(item.span().start),
                });
                Value::List(items.collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}
