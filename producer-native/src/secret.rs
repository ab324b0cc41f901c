//! Text that must not be seen.

use std::fmt;

/// A password or key. It shows itself as `***`, whoever formats it, and is compared in a time that
/// does not depend on where texts differ.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Takes over a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever must have it. Do not log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.0.as_bytes(), other.0.as_bytes());
        let differs = one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b));
        one.len() == other.len() && differs == 0
    }
}

impl Eq for Secret {}
