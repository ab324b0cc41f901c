//! How is it told how messages ended?

use std::collections::HashSet;
use std::io::{self, BufWriter, Stdout, Write};
use std::time::{Duration, Instant};

use producer_native::{Attempt, ErrorKind, Outcome, SendError};
use serde::Serialize;

use super::latency::Latency;
use super::progress::Progress;
use super::window::{HandedOver, Sent};

/// How a message ended, and how long that took.
#[derive(Clone, Debug)]
pub(super) enum End {
    Sent(Sent, Duration),
    OneWay(HandedOver, Duration),
    /// It could not even be begun.
    Refused {
        code: &'static str,
        problem: String,
    },
}

/// Writes a line for each message and counts them.
pub(super) struct Report {
    out: BufWriter<Stdout>,
    json: bool,
    one_way: bool,
    progress: Progress,
    started: Instant,
    counts: Counts,
    latency: Latency,
    /// Hints that were given: once is enough.
    hinted: HashSet<&'static str>,
    spoiled: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    ok: u64,
    not_sent: u64,
    rejected: u64,
    unknown: u64,
}

/// A message that was stored, or handed over.
#[derive(Serialize)]
struct GoodLine<'a> {
    ok: bool,
    id: &'a str,
    offset_id: Option<&'a str>,
    broker: Option<&'a str>,
    queue: Option<u32>,
    offset: Option<u64>,
    status: &'a str,
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    maybe_duplicate: bool,
    /// By which a timer message can be recalled.
    #[serde(skip_serializing_if = "Option::is_none")]
    recall_handle: Option<&'a str>,
    elapsed_us: u128,
}

/// A message that was not.
#[derive(Serialize)]
struct BadLine<'a> {
    ok: bool,
    id: Option<String>,
    outcome: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    broker_code: Option<i32>,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    attempts: Vec<AttemptLine<'a>>,
    elapsed_us: u128,
}

#[derive(Serialize)]
struct AttemptLine<'a> {
    broker: Option<&'a str>,
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advertised: Option<&'a str>,
    queue: Option<u32>,
    phase: &'a str,
    elapsed_us: u128,
    outcome: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    broker_code: Option<i32>,
    error: String,
}

#[derive(Serialize)]
struct Summary {
    summary: SummaryLine,
}

#[derive(Serialize)]
struct SummaryLine {
    sent: u64,
    ok: u64,
    not_sent: u64,
    rejected: u64,
    unknown: u64,
    elapsed_ms: u128,
    p50_us: Option<u64>,
    p99_us: Option<u64>,
}

impl Report {
    pub(super) fn new(json: bool, one_way: bool) -> Self {
        Self {
            out: BufWriter::new(io::stdout()),
            json,
            one_way,
            progress: Progress::new(),
            started: Instant::now(),
            counts: Counts::default(),
            latency: Latency::new(),
            hinted: HashSet::new(),
            spoiled: false,
        }
    }

    /// Tells how the next message ended.
    pub(super) fn add(&mut self, end: &End) -> io::Result<()> {
        match end {
            End::Sent(Ok(receipt), elapsed) => {
                let offset_id = receipt.offset_id.as_ref();
                self.good(
                    *elapsed,
                    &GoodLine {
                        offset_id: offset_id.map(|id| id.as_str()),
                        broker: Some(&receipt.broker),
                        queue: Some(receipt.queue_id),
                        offset: Some(receipt.queue_offset),
                        attempts: Some(receipt.attempts),
                        maybe_duplicate: receipt.maybe_duplicate,
                        recall_handle: receipt.recall_handle.as_deref(),
                        ..GoodLine::new(
                            receipt.message_id.as_str(),
                            receipt.status.as_str(),
                            *elapsed,
                        )
                    },
                )?;
            }
            End::OneWay(Ok(id), elapsed) => {
                self.good(*elapsed, &GoodLine::new(id.as_str(), HANDED_OVER, *elapsed))?;
            }
            End::Sent(Err(error), elapsed) | End::OneWay(Err(error), elapsed) => {
                self.bad(BadLine::new(error, *elapsed), error.outcome(), Some(error))?;
            }
            End::Refused { code, problem } => {
                self.bad(BadLine::refused(code, problem), Outcome::NotSent, None)?;
            }
        }
        self.progress.show(self.counts.ok, self.counts.failed());
        Ok(())
    }

    /// Something else went wrong, and was told: not everything was sent.
    pub(super) fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// Hands over what was written so far.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The summary. Whether everything was good.
    pub(super) fn finish(&mut self) -> io::Result<bool> {
        self.progress.clear();
        let Counts { ok, not_sent, rejected, unknown } = self.counts;
        let summary = SummaryLine {
            sent: ok + self.counts.failed(),
            ok,
            not_sent,
            rejected,
            unknown,
            elapsed_ms: self.started.elapsed().as_millis(),
            p50_us: self.latency.percentile_us(50),
            p99_us: self.latency.percentile_us(99),
        };
        if self.json {
            self.write(&Summary { summary })?;
            self.out.flush()?;
        } else {
            self.out.flush()?;
            eprintln!("{}", summary.text(self.one_way));
        }
        Ok(self.counts.failed() == 0 && !self.spoiled)
    }

    fn good(&mut self, elapsed: Duration, line: &GoodLine<'_>) -> io::Result<()> {
        self.counts.ok += 1;
        self.latency.add(elapsed);
        if self.json {
            return self.write(line);
        }
        write!(self.out, "{} {}", line.id, line.status)?;
        if let (Some(broker), Some(queue), Some(offset)) = (line.broker, line.queue, line.offset) {
            write!(self.out, " {broker}:{queue} offset {offset}")?;
        }
        if let Some(attempts @ 2..) = line.attempts {
            write!(self.out, ", {attempts} attempts")?;
        }
        if line.maybe_duplicate {
            write!(self.out, ", may be there twice")?;
        }
        writeln!(self.out, ", {:.1} ms", elapsed.as_secs_f64() * 1e3)
    }

    fn bad(
        &mut self,
        line: BadLine<'_>,
        outcome: Outcome,
        error: Option<&SendError>,
    ) -> io::Result<()> {
        match outcome {
            Outcome::NotSent => self.counts.not_sent += 1,
            Outcome::Rejected => self.counts.rejected += 1,
            Outcome::Unknown => self.counts.unknown += 1,
        }
        if self.json {
            return self.write(&line);
        }
        self.out.flush()?;
        self.progress.clear();
        let text = error.map_or_else(|| line.error.clone(), ToString::to_string);
        eprintln!("error: {} {}: {text}", line.id.as_deref().unwrap_or("message"), line.code);
        if let Some(hint) = line.hint
            && self.hinted.insert(hint)
        {
            eprintln!("hint: {hint}");
        }
        Ok(())
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}

/// A deadline says when it ended, not why; the attempts before it say that.
fn cause(error: &SendError) -> &ErrorKind {
    let attempts = error.attempts().iter().rev().map(|attempt| &attempt.kind);
    let mut kinds = std::iter::once(error.kind()).chain(attempts);
    kinds.find(|kind| kind.hint().is_some()).unwrap_or_else(|| error.kind())
}

/// The number that a broker or name server gave.
fn number(kind: &ErrorKind) -> Option<i32> {
    match kind {
        ErrorKind::Broker { code, .. } | ErrorKind::NameServerRefused { code, .. } => Some(*code),
        _ => None,
    }
}

impl Counts {
    fn failed(&self) -> u64 {
        self.not_sent + self.rejected + self.unknown
    }
}

impl<'a> GoodLine<'a> {
    fn new(id: &'a str, status: &'a str, elapsed: Duration) -> Self {
        let elapsed_us = elapsed.as_micros();
        let (offset_id, broker) = (None, None);
        let (queue, offset, attempts, maybe_duplicate) = (None, None, None, false);
        Self {
            ok: true,
            id,
            offset_id,
            broker,
            queue,
            offset,
            status,
            attempts,
            maybe_duplicate,
            recall_handle: None,
            elapsed_us,
        }
    }
}

impl<'a> BadLine<'a> {
    fn new(error: &'a SendError, elapsed: Duration) -> Self {
        Self {
            ok: false,
            id: error.message_id().map(|id| id.to_string()),
            outcome: error.outcome().as_str(),
            code: error.kind().code(),
            broker_code: number(error.kind()),
            error: error.kind().to_string(),
            hint: cause(error).hint(),
            attempts: error.attempts().iter().map(AttemptLine::new).collect(),
            elapsed_us: elapsed.as_micros(),
        }
    }

    fn refused(code: &'a str, problem: &str) -> Self {
        Self {
            ok: false,
            id: None,
            outcome: Outcome::NotSent.as_str(),
            code,
            broker_code: None,
            error: problem.to_owned(),
            hint: None,
            attempts: Vec::new(),
            elapsed_us: 0,
        }
    }
}

impl<'a> AttemptLine<'a> {
    fn new(attempt: &'a Attempt) -> Self {
        let address = attempt.dialled.as_ref().or(attempt.advertised.as_ref());
        let advertised = attempt.advertised.as_ref().filter(|&from| Some(from) != address);
        Self {
            broker: attempt.broker.as_deref(),
            address: address.map(|address| address.as_str()),
            advertised: advertised.map(|address| address.as_str()),
            queue: attempt.queue_id,
            phase: attempt.phase.as_str(),
            elapsed_us: attempt.elapsed.as_micros(),
            outcome: attempt.outcome.as_str(),
            code: attempt.kind.code(),
            broker_code: number(&attempt.kind),
            error: attempt.kind.to_string(),
        }
    }
}

impl SummaryLine {
    fn text(&self, one_way: bool) -> String {
        let stored = if one_way { "handed over" } else { "stored" };
        let mut text = format!("{} of {} {stored}", self.ok, self.sent);
        for (count, outcome) in [
            (self.not_sent, "not sent"),
            (self.rejected, "rejected"),
            (self.unknown, "unknown (perhaps stored)"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {outcome}"));
            }
        }
        text.push_str(&format!(" in {} ms", self.elapsed_ms));
        if let (Some(p50), Some(p99)) = (self.p50_us, self.p99_us) {
            let ms = |us: u64| us as f64 / 1e3;
            text.push_str(&format!(
                "; half took {:.1} ms, 99 % took {:.1} ms at most",
                ms(p50),
                ms(p99)
            ));
        }
        text
    }
}

/// The status of a one-way message: nobody knows more.
const HANDED_OVER: &str = "HANDED_OVER";
