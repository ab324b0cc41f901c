//! What is worth a line in a log, and not ten gigabytes of them?

use std::sync::Mutex;
use std::time::Duration;

use producer_core::{Address, ConnectionEnd};
use tokio::time::Instant;

/// Connection events of one producer as `tracing` events, at most [`LINES_MAX`] a [`WINDOW`]: an
/// hour of outage must not fill a disk. Nothing is logged per message, and no body ever.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    until: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

const WINDOW: Duration = Duration::from_secs(10);
const LINES_MAX: u32 = 5;

impl Log {
    pub(crate) fn connected(&self, address: &Address) {
        if let Some(suppressed) = self.line(Instant::now()) {
            tracing::info!(%address, suppressed, "connected");
        }
    }

    pub(crate) fn ended(&self, address: &Address, end: &ConnectionEnd) {
        if let Some(suppressed) = self.line(Instant::now()) {
            tracing::warn!(%address, %end, suppressed, "connection ended");
        }
    }

    pub(crate) fn no_name_servers(&self, why: &str) {
        if let Some(suppressed) = self.line(Instant::now()) {
            tracing::warn!(why, suppressed, "name servers not found");
        }
    }

    pub(crate) fn no_credentials(&self, why: &str) {
        if let Some(suppressed) = self.line(Instant::now()) {
            tracing::warn!(why, suppressed, "no new credentials");
        }
    }

    /// A selector of the application panicked, in a send that now fails.
    pub(crate) fn selector_panicked() {
        tracing::error!("a queue selector panicked; its send fails");
    }

    /// A checker of the application panicked, failed or took too long.
    pub(crate) fn check_failed(&self, problem: &str) {
        if let Some(suppressed) = self.line(Instant::now()) {
            tracing::error!(problem, suppressed, "a transaction check; its transaction is unknown");
        }
    }

    /// A local transaction of the application panicked or failed.
    pub(crate) fn local_transaction_failed(&self, problem: &str) {
        if let Some(suppressed) = self.line(Instant::now()) {
            tracing::warn!(problem, suppressed, "a local transaction; its end is unknown");
        }
    }

    /// A hook of the application panicked.
    pub(crate) fn hook_panicked() {
        tracing::error!("a hook panicked; what it was told of goes on");
    }

    /// Whether one more line is allowed, and how many were not since the last.
    fn line(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().ok()?;
        if window.until.is_none_or(|until| now >= until) {
            window.until = Some(now + WINDOW);
            window.lines = 0;
        }
        window.lines += 1;
        if window.lines > LINES_MAX {
            window.suppressed += 1;
            return None;
        }
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_logs_a_few_lines_and_their_count() {
        let log = Log::default();
        let start = Instant::now();

        let lines = (0..1000).filter(|_| log.line(start).is_some()).count();

        assert_eq!(lines, 5);
        assert_eq!(log.line(start + WINDOW), Some(995));
        assert_eq!(log.line(start + WINDOW), Some(0));
    }
}
