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
        push_time(&mut self.line, now);
        self.line.write_fmt(what).expect("a string takes everything");
        self.hash = fnv(fnv(self.hash, self.line.as_bytes()), b"\n");
        if let Some(kept) = &mut self.kept {
            kept.push(self.line.clone());
        }
    }

    pub(crate) fn finish(self) -> (u64, Vec<String>) {
        (self.hash, self.kept.unwrap_or_default())
    }
}

/// Milliseconds and three places, as `{:>7}.{:03} ` has them: at each line the formatter would cost
/// as much as the rest of it.
fn push_time(line: &mut String, at: Instant) {
    let micros = at.as_nanos() / 1_000;
    let mut digits = [b' '; 26];
    let mut rest = micros;
    let mut place = digits.len() - 1;
    for nth in 0..20 {
        if nth == 3 {
            place -= 1;
            digits[place] = b'.';
        }
        place -= 1;
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 && nth >= 3 {
            break;
        }
    }
    // Seven places before the point, and those after it.
    let width = "1234567.123 ".len();
    let from = place.min(digits.len() - width);
    line.push_str(std::str::from_utf8(&digits[from..]).unwrap_or_default());
}

/// Where a hash of FNV-1a begins. It is the same on every machine and in every release of Rust.
pub(crate) const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with a hash of FNV-1a.
pub(crate) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_formatter_writes_them() {
        let edges = [0, 1, 999, 1_000, 1_001, 9_999_999, 9_999_999_999, 10_000_000_000];
        for micros in edges.into_iter().chain((0..40).map(|bit| 1_u64 << bit)) {
            let mut line = String::new();

            push_time(&mut line, Instant::ZERO + std::time::Duration::from_micros(micros));

            assert_eq!(line, format!("{:>7}.{:03} ", micros / 1_000, micros % 1_000));
        }
    }
}
