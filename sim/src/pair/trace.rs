//! What happened, a line an event, and a hash over all lines.

use std::fmt::{self, Write as _};

use producer_core::Instant;

/// Lines of a run. They are hashed always and kept only if asked for.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    line: String,
    kept: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Self {
        Self { hash: FNV, line: String::new(), kept: keep.then(Vec::new) }
    }

    pub(crate) fn write(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        self.line.clear();
        let micros = now.as_nanos() / 1_000;
        let written = write!(self.line, "{:>7}.{:03} ", micros / 1_000, micros % 1_000);
        written.and_then(|()| self.line.write_fmt(what)).expect("a string takes everything");
        self.hash = fnv(fnv(self.hash, self.line.as_bytes()), b"\n");
        if let Some(kept) = &mut self.kept {
            kept.push(self.line.clone());
        }
    }

    pub(crate) fn finish(self) -> (u64, Vec<String>) {
        (self.hash, self.kept.unwrap_or_default())
    }
}

/// Where a hash of FNV-1a begins. It is the same on every machine and in every release of Rust.
pub(crate) const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with a hash of FNV-1a.
pub(crate) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
