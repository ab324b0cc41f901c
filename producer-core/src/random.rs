//! Where do random choices come from? From one seed that the driver gave.

/// A small, fast generator (SplitMix64). It decides jitter, first queues and ids, never secrets.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number below `bound`, which is at least 1. The bias of the multiply method is below
    /// 2^-32 for every bound we use.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// `span`, give or take a quarter.
    pub(crate) fn jitter(&mut self, span: core::time::Duration) -> core::time::Duration {
        let quarters = 768 + self.below(513);
        span.saturating_mul(quarters) / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));

        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        let mut random = Random::new(1);
        let span = Duration::from_secs(1);

        for _ in 0..1000 {
            let jittered = random.jitter(span);

            assert!(jittered >= span * 3 / 4 && jittered <= span * 5 / 4);
        }
    }
}
