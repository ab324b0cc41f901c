//! Ext fields to be sent, in the order they were put.

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;

/// A list of ext fields: what a typed header becomes before it is encoded.
///
/// Java leaves out fields that are null and writes all others as text (spec §2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    list: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Fields<'a> {
    /// No fields.
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Adds a field.
    pub fn push(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.list.push((name.into(), value.into()));
    }

    /// Adds a text field.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.push(name, value);
        self
    }

    /// Adds a text field, unless it is absent.
    #[must_use]
    pub fn text_opt(self, name: &'static str, value: Option<impl Into<Cow<'a, str>>>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds a number or truth value.
    #[must_use]
    pub fn show(self, name: &'static str, value: impl ToString) -> Self {
        self.text(name, value.to_string())
    }

    /// Adds a number or truth value, unless it is absent.
    #[must_use]
    pub fn show_opt(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.show(name, value),
            None => self,
        }
    }

    /// The fields but those of the given names.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.list.retain(|field| !names.contains(&&*field.0));
        self
    }

    /// The fields in the order they were put.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.list.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
