//! A hash of few instructions, for a page. What is hashed there is short, and few of it: names of
//! topics and brokers, numbers of lanes and requests.

use core::hash::{BuildHasher, Hasher};

/// Makes hashes that depend on a seed.
#[derive(Clone)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) const fn with_seed(seed: u64) -> Self {
        Self(seed)
    }
}

impl BuildHasher for Seed {
    type Hasher = State;

    fn build_hasher(&self) -> State {
        State(self.0)
    }
}

/// FNV-1a with a step at the end that brings each bit to where the map looks.
pub(crate) struct State(u64);

/// 2^64 by the golden ratio, odd.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for State {
    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(GOLDEN);
        mixed ^ mixed >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::format;

    #[test]
    fn what_differs_falls_into_different_places() {
        let seed = Seed::with_seed(7);
        let hashes: BTreeSet<u64> =
            (0..10_000).map(|n| seed.hash_one(format!("topic-{n}").as_str())).collect();
        assert_eq!(hashes.len(), 10_000);
        // A map of 2^14 places takes the low bits, and tells neighbours apart by the seven highest.
        let places: BTreeSet<u64> = hashes.iter().map(|hash| hash & 0x3FFF).collect();
        assert!(places.len() > 7_000, "{}", places.len());
        assert_eq!(hashes.iter().map(|hash| hash >> 57).collect::<BTreeSet<_>>().len(), 128);
    }

    #[test]
    fn the_seed_counts() {
        assert_ne!(Seed::with_seed(1).hash_one(1_u64), Seed::with_seed(2).hash_one(1_u64));
    }
}
