//! What is counted, and how Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use producer_core::wire::code;
use tokio::time::Instant;

use super::ending::{By, CloseCode};
use super::filter;

/// Counters of a bridge since it started. What happens per write costs an atomic addition; what
/// happens per connection, a lock.
#[derive(Debug, Default)]
pub struct Metrics {
    handshaking: AtomicI64,
    open: AtomicI64,
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
    down_frames: AtomicU64,
    up_stall_micros: AtomicU64,
    down_stall_micros: AtomicU64,
    route_entries: AtomicU64,
    route_rejected: AtomicU64,
    draining: AtomicU64,
    signed: AtomicU64,
    signing_bytes: AtomicI64,
    rare: Mutex<Rare>,
    /// By [`filter::label`].
    up_frames: [AtomicU64; filter::KINDS],
}

#[derive(Debug, Default)]
struct Rare {
    handshakes: BTreeMap<&'static str, u64>,
    dials: BTreeMap<&'static str, u64>,
    filtered: BTreeMap<String, u64>,
    closes: BTreeMap<(CloseCode, By), u64>,
    limits: BTreeMap<&'static str, u64>,
    dial_seconds: Histogram,
    ping_seconds: Histogram,
    /// When a name server answered last.
    answered: Option<Instant>,
}

impl Metrics {
    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed).try_into().unwrap_or_default()
    }

    /// How many handshakes ended so: `ok`, `origin`, `host`, `token`, `target`, `limit`, `timeout`
    /// or `http`.
    pub fn handshakes(&self, result: &str) -> u64 {
        self.rare().handshakes.get(result).copied().unwrap_or_default()
    }

    /// How many dials ended so: `ok`, `refused`, `timeout` or `limit`.
    pub fn dials(&self, result: &str) -> u64 {
        self.rare().dials.get(result).copied().unwrap_or_default()
    }

    /// How many connections ended with this code. Those that a page has ended with a code that means
    /// nothing in WebSocket itself (RFC 6455, 7.4.1) are under 0, whatever it was.
    pub fn closes(&self, code: CloseCode) -> u64 {
        let rare = self.rare();
        rare.closes.iter().filter(|((of, _), _)| *of == code).map(|(_, count)| count).sum()
    }

    /// How often this limit was reached.
    pub fn limits(&self, limit: &str) -> u64 {
        self.rare().limits.get(limit).copied().unwrap_or_default()
    }

    /// How many frames were refused.
    pub fn refused_frames(&self) -> u64 {
        self.rare().filtered.values().sum()
    }

    /// How many frames went to brokers and name servers.
    pub fn frames_to_brokers(&self) -> u64 {
        self.up_frames.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// How many brokers the name servers tell of that may be reached.
    pub fn route_entries(&self) -> u64 {
        self.route_entries.load(Relaxed)
    }

    pub(super) fn handshaking(&self, change: i64) {
        self.handshaking.fetch_add(change, Relaxed);
    }

    pub(super) fn handshake(&self, result: &'static str) {
        *self.rare().handshakes.entry(result).or_default() += 1;
    }

    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    pub(super) fn closed(&self, code: CloseCode, by: By) {
        self.open.fetch_sub(1, Relaxed);
        // A page says what it likes, and must not be able to fill a memory with labels.
        let unknown = by == By::Page && !PAGE_CODES.contains(&code.0);
        let code = if unknown { OTHER } else { code };
        *self.rare().closes.entry((code, by)).or_default() += 1;
    }

    pub(super) fn dialled(&self, result: &'static str, took: Duration) {
        let mut rare = self.rare();
        *rare.dials.entry(result).or_default() += 1;
        rare.dial_seconds.add(took);
    }

    pub(super) fn limited(&self, limit: &'static str) {
        *self.rare().limits.entry(limit).or_default() += 1;
    }

    /// A frame was refused. Codes that no broker knows are one label: a page must not be able to
    /// fill a memory with labels.
    pub(super) fn filtered(&self, code: Option<i16>) {
        let name = code.and_then(|code| code::request_name(code.into())).unwrap_or("none");
        *self.rare().filtered.entry(name.to_owned()).or_default() += 1;
    }

    /// Frames of a kind went to a broker or name server; see [`Filter::take_counts`].
    ///
    /// [`Filter::take_counts`]: super::Filter
    pub(super) fn frames_up(&self, kind: usize, count: u64) {
        self.up_frames[kind].fetch_add(count, Relaxed);
    }

    pub(super) fn bytes_up(&self, bytes: u64) {
        self.up_bytes.fetch_add(bytes, Relaxed);
    }

    pub(super) fn down(&self, bytes: u64, frames: u64) {
        self.down_bytes.fetch_add(bytes, Relaxed);
        self.down_frames.fetch_add(frames, Relaxed);
    }

    pub(super) fn pinged(&self, took: Duration) {
        self.rare().ping_seconds.add(took);
    }

    /// Time in which a page (`down`) or a broker took nothing.
    pub(super) fn stalled(&self, down: bool, time: Duration) {
        let counter = if down { &self.down_stall_micros } else { &self.up_stall_micros };
        counter.fetch_add(time.as_micros().try_into().unwrap_or(u64::MAX), Relaxed);
    }

    /// What name servers say, and when one of them answered last.
    pub(super) fn routes(&self, entries: usize, rejected: u64, answered: Option<Instant>) {
        self.route_entries.store(entries as u64, Relaxed);
        self.route_rejected.store(rejected, Relaxed);
        self.rare().answered = answered;
    }

    /// A request was signed.
    pub(super) fn signed(&self) {
        self.signed.fetch_add(1, Relaxed);
    }

    /// So much more, or less, room is taken by frames that wait to be signed.
    pub(super) fn signing_room(&self, change: i64) {
        self.signing_bytes.fetch_add(change, Relaxed);
    }

    pub(super) fn draining(&self) {
        self.draining.store(1, Relaxed);
    }

    fn rare(&self) -> MutexGuard<'_, Rare> {
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Metrics {
    /// As Prometheus reads it (text format 0.0.4).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page { text: f };
        let load = |value: &AtomicU64| value.load(Relaxed) as f64;
        let seconds = |value: &AtomicU64| value.load(Relaxed) as f64 / 1e6;
        page.family("connections", "gauge", "Sockets by state.")?;
        for (state, value) in [("handshake", &self.handshaking), ("open", &self.open)] {
            page.line("connections", &[("state", state)], value.load(Relaxed).max(0) as f64)?;
        }
        let rare = self.rare();
        page.counts("handshakes_total", "Requests by result.", "result", &rare.handshakes)?;
        page.counts("dials_total", "Dials by result.", "result", &rare.dials)?;
        page.histogram("dial_seconds", "Time of dials.", &rare.dial_seconds)?;
        page.family("frames_total", "counter", "Frames carried.")?;
        for (kind, count) in self.up_frames.iter().enumerate() {
            let labels = [("dir", "up"), ("code", filter::label(kind))];
            page.line("frames_total", &labels, load(count))?;
        }
        let down = load(&self.down_frames);
        page.line("frames_total", &[("dir", "down"), ("code", "any")], down)?;
        page.family("bytes_total", "counter", "Bytes of frames carried.")?;
        page.line("bytes_total", &[("dir", "up")], load(&self.up_bytes))?;
        page.line("bytes_total", &[("dir", "down")], load(&self.down_bytes))?;
        page.counts("filtered_total", "Frames refused.", "code", &rare.filtered)?;
        page.family("closes_total", "counter", "Connections ended.")?;
        for ((code, by), count) in &rare.closes {
            let code = if *code == OTHER { "other".to_owned() } else { code.0.to_string() };
            page.line("closes_total", &[("code", &code), ("by", by.name())], *count as f64)?;
        }
        page.counts("limits_total", "Limits reached.", "limit", &rare.limits)?;
        page.family("stall_seconds_total", "counter", "Time in which nothing was taken.")?;
        let up = seconds(&self.up_stall_micros);
        page.line("stall_seconds_total", &[("dir", "up")], up)?;
        let down = seconds(&self.down_stall_micros);
        page.line("stall_seconds_total", &[("dir", "down")], down)?;
        page.histogram("ping_rtt_seconds", "From ping to pong.", &rare.ping_seconds)?;
        for (name, kind, help, value) in [
            ("route_entries", "gauge", "Brokers that may be reached.", &self.route_entries),
            (
                "route_rejected_total",
                "counter",
                "Refused addresses in routes.",
                &self.route_rejected,
            ),
            ("signed_total", "counter", "Requests that the bridge has signed.", &self.signed),
            ("draining", "gauge", "1 once the bridge stops.", &self.draining),
        ] {
            page.family(name, kind, help)?;
            page.line(name, &[], load(value))?;
        }
        // Alerts on what is too old shall see what never was.
        let age = rare.answered.map_or(f64::INFINITY, |at| at.elapsed().as_secs() as f64);
        page.family("route_age_seconds", "gauge", "Since a name server answered.")?;
        page.line("route_age_seconds", &[], age)?;
        let held = self.signing_bytes.load(Relaxed).max(0) as f64;
        page.family("signing_bytes", "gauge", "Room taken by large frames to be signed.")?;
        page.line("signing_bytes", &[], held)
    }
}

/// What a page may end a connection with to be counted by it.
const PAGE_CODES: RangeInclusive<u16> = 1000..=1015;
/// All other codes of pages.
const OTHER: CloseCode = CloseCode(0);

/// Counts of times in buckets.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

/// Upper bounds in seconds.
const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 3.0];

impl Histogram {
    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        for (bucket, bound) in self.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
    }
}

/// Writes families and lines.
struct Page<'p, 'f> {
    text: &'p mut fmt::Formatter<'f>,
}

const PREFIX: &str = "rmqb_";

impl Page<'_, '_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.text, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}")
    }

    /// One value. Labels are names of ours, so nothing in them is escaped.
    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) -> fmt::Result {
        write!(self.text, "{PREFIX}{name}")?;
        for (at, (label, of)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            write!(self.text, "{before}{label}=\"{of}\"")?;
        }
        if !labels.is_empty() {
            self.text.write_char('}')?;
        }
        match value {
            f64::INFINITY => writeln!(self.text, " +Inf"),
            _ => writeln!(self.text, " {value}"),
        }
    }

    fn counts<K: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: &BTreeMap<K, u64>,
    ) -> fmt::Result {
        self.family(name, "counter", help)?;
        for (of, count) in counts {
            self.line(name, &[(label, of.as_ref())], *count as f64)?;
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        self.family(name, "histogram", help)?;
        let bucket = format!("{name}_bucket");
        for (count, bound) in histogram.buckets.iter().zip(BUCKETS) {
            self.line(&bucket, &[("le", &bound.to_string())], *count as f64)?;
        }
        self.line(&bucket, &[("le", "+Inf")], histogram.count as f64)?;
        self.line(&format!("{name}_sum"), &[], histogram.sum)?;
        self.line(&format!("{name}_count"), &[], histogram.count as f64)
    }
}
