//! The one error of the harness: a text that says what is missing or what went wrong.

use std::fmt;

/// Why the harness could not do what a test asked. The text may span lines: it ends with the
/// last log lines of the node that failed, if one did.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(String);

/// What every fallible function of the harness returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For `map_err`: puts `what` was being done before the cause.
    pub(crate) fn doing<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |cause| Self(format!("{what}: {cause}"))
    }

    /// Another program took one of the ports between the check and the start.
    pub(super) fn is_port_taken(&self) -> bool {
        self.0.contains("BindException") || self.0.contains("Address already in use")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text itself, so that `expect` in a test shows log lines as lines.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
