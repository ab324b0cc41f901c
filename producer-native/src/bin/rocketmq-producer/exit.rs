//! How does a command end, and how is that told to people and scripts?

use std::io;
use std::process::ExitCode;

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done: every message was stored (one-way: handed to a connection), nothing is wrong
    1  not done: a message was not stored, a topic has no route, a frame is bad, doctor found a fault
    2  the arguments cannot be right
  130  interrupted by Ctrl-C
  141  the reader of standard output went away";

/// How a command ended. Whatever there was to say has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    NotDone,
    Usage,
    Interrupted,
    BrokenPipe,
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::NotDone => 1,
            Self::Usage => 2,
            Self::Interrupted => 130,
            Self::BrokenPipe => 141,
        })
    }
}

/// Why a command went no further.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    cause: String,
    hint: Option<String>,
}

impl Failure {
    /// The command could not do what it was asked for.
    pub(crate) fn new(cause: impl Into<String>) -> Self {
        Self { exit: Exit::NotDone, cause: cause.into(), hint: None }
    }

    /// The arguments are wrong in a way that only shows when they are seen together.
    pub(crate) fn usage(cause: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(cause) }
    }

    /// With what usually helps.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Tells the user.
    pub(crate) fn report(self) -> Exit {
        if self.exit != Exit::BrokenPipe {
            complain(&self.cause, self.hint.as_deref());
        }
        self.exit
    }
}

impl From<io::Error> for Failure {
    /// Errors of standard output; others are given a cause where they happen.
    fn from(error: io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::BrokenPipe => Exit::BrokenPipe,
            _ => Exit::NotDone,
        };
        Self { exit, cause: format!("cannot write to standard output: {error}"), hint: None }
    }
}

/// Writes an error, and what usually helps, to standard error.
pub(crate) fn complain(cause: &str, hint: Option<&str>) {
    eprintln!("error: {cause}");
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
}
