//! A line on the terminal that shows how far a long run is.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Shown only when standard error is a terminal and standard output is not: else the lines of the
/// messages show how far we are.
pub(super) struct Progress {
    shown: bool,
    started: Instant,
    last: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let shown = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        Self { shown, started: now, last: now }
    }

    /// Shows these counts, a few times a second.
    pub(super) fn show(&mut self, ok: u64, failed: u64) {
        if !self.shown || self.last.elapsed() < PAUSE {
            return;
        }
        self.last = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = (ok + failed) as f64 / seconds;
        // A terminal that went away is no reason to stop sending.
        let _gone =
            write!(std::io::stderr(), "\r\x1b[K{ok} ok, {failed} failed, {rate:.0} per second");
    }

    /// Removes the line, before something else is written.
    pub(super) fn clear(&self) {
        if self.shown {
            let _gone = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

const PAUSE: Duration = Duration::from_millis(200);
