//! How long did sends take, in bounded memory?

use std::time::Duration;

/// Counts of microseconds in buckets that are at most 1/32 wide, so that a percentile is at most
/// 3 % too high.
pub(super) struct Latency {
    counts: Vec<u64>,
    all: u64,
    longest: u64,
}

impl Latency {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; (65 - PRECISION_BITS) << PRECISION_BITS], all: 0, longest: 0 }
    }

    /// Counts one.
    pub(super) fn add(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(us)] += 1;
        self.all += 1;
        self.longest = self.longest.max(us);
    }

    /// Microseconds that so many percent did not exceed; `None` if there are none.
    pub(super) fn percentile_us(&self, percent: u64) -> Option<u64> {
        let rank = (self.all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(highest(at).min(self.longest))
    }
}

const PRECISION_BITS: usize = 5;

/// The first 32 numbers have a bucket each; then each power of two has 32.
fn bucket(us: u64) -> usize {
    let shift = (64 - us.leading_zeros() as usize).saturating_sub(PRECISION_BITS + 1);
    (shift << PRECISION_BITS) + (us >> shift) as usize
}

/// The highest number of a bucket.
fn highest(bucket: usize) -> u64 {
    let shift = (bucket >> PRECISION_BITS).saturating_sub(1);
    let from = ((bucket - (shift << PRECISION_BITS)) as u64) << shift;
    from + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_bucket_close_to_it() {
        for power in 0..64 {
            for us in [1u64 << power, (1 << power) + (1 << power) / 3, u64::MAX >> (63 - power)] {
                let top = highest(bucket(us));

                assert!(top >= us && top - us <= us / 32, "{us} {top}");
            }
        }
        let mut latency = Latency::new();
        latency.add(Duration::MAX);
        assert_eq!(latency.percentile_us(50), Some(u64::MAX));
    }

    #[test]
    fn percentiles_are_those_of_what_was_added() {
        let mut latency = Latency::new();
        assert_eq!(latency.percentile_us(99), None);

        for us in 1..=1_000 {
            latency.add(Duration::from_micros(us));
        }

        let p50 = latency.percentile_us(50).expect("numbers");
        let p99 = latency.percentile_us(99).expect("numbers");
        assert!((500..=516).contains(&p50) && (990..=1_000).contains(&p99), "{p50} {p99}");
    }
}
