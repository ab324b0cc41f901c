//! Which language a peer says it is written in.

use core::fmt;

/// A language code (spec §1.6, `LanguageCode.java`). Codes that Java does not know are kept, so
/// that what came in goes out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(u8);

impl Language {
    /// Java, the default of every command of every release.
    pub const JAVA: Self = Self(0);
    /// C++.
    pub const CPP: Self = Self(1);
    /// Go.
    pub const GO: Self = Self(9);
    /// Rust; unknown to servers before 4.9.4, which show it as null.
    pub const RUST: Self = Self(12);
    /// What Java decodes to null: a name it does not know.
    pub const UNKNOWN: Self = Self(0xff);

    /// The language of a byte on the wire.
    #[inline]
    pub const fn from_code(code: u8) -> Self {
        Self(code)
    }

    /// The byte on the wire.
    #[inline]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The language of a constant's name; [`Self::UNKNOWN`] for other names.
    pub fn from_name(name: &str) -> Self {
        NAMES.iter().position(|&known| known == name).map_or(Self::UNKNOWN, |at| Self(at as u8))
    }

    /// The constant's name; `None` for codes Java does not know.
    pub fn name(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.0)).copied()
    }
}

impl Default for Language {
    fn default() -> Self {
        Self::JAVA
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Position is code.
const NAMES: [&str; 14] = [
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP",
    "OMS", "RUST", "NODE_JS",
];
