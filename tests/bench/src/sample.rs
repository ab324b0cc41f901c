//! What a client measures of itself.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::count::{Counted, Counters};

/// Of one client's measured time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) messages: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    /// Of the whole process, user and system.
    pub(crate) cpu_seconds: f64,
    /// From the call to the receipt; 0 where nobody waits.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    /// At the end.
    pub(crate) resident_kib: u64,
    pub(crate) threads: u64,
    /// From the start of the process to the first receipt.
    pub(crate) first_ms: f64,
    /// All messages of the process, warming up included.
    #[serde(default)]
    pub(crate) messages_all: u64,
    #[serde(default)]
    pub(crate) counted: Option<Counted>,
}

impl Sample {
    pub(crate) fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds
    }

    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.messages.max(1) as f64
    }
}

/// The counters of a client at one moment.
pub(crate) struct Mark {
    at: Instant,
    cpu: Duration,
    messages: u64,
    counters: Counters,
}

impl Mark {
    pub(crate) fn now(messages: u64) -> Self {
        Self { at: Instant::now(), cpu: cpu(), messages, counters: Counters::now() }
    }

    /// What happened since; `latencies` in nanoseconds.
    pub(crate) fn until_now(&self, messages: u64, mut latencies: Vec<u32>) -> Sample {
        let (seconds, cpu) = (self.at.elapsed(), cpu() - self.cpu);
        latencies.sort_unstable();
        let quantile = |of: f64| {
            let last = latencies.len().saturating_sub(1);
            f64::from(latencies.get((last as f64 * of) as usize).copied().unwrap_or(0)) / 1e3
        };
        Sample {
            messages: messages - self.messages,
            failed: 0,
            seconds: seconds.as_secs_f64(),
            cpu_seconds: cpu.as_secs_f64(),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            resident_kib: status("VmRSS:"),
            threads: status("Threads:"),
            first_ms: 0.0,
            messages_all: messages,
            counted: self.counters.since(messages - self.messages),
        }
    }
}

/// Time on processors of all threads that are alive, to the nanosecond.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.filter_map(of).sum())
}

/// A figure of this process that the system knows; 0 if it does not.
pub(crate) fn status(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|it| it.strip_prefix(line));
    found.and_then(|it| it.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
