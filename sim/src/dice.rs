//! Where does chance come from? From a seed, one stream for each concern.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a random choice is about. Concerns do not share a stream, so that a change of one, say a
/// fault less, does not reshuffle the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// Which kinds of things a plan has at all.
    Swarm,
    /// How many name servers, brokers and queues.
    Topology,
    /// How the producer is configured.
    Config,
    /// What is sent, and when.
    Workload(u16),
    /// What breaks, and when.
    Faults,
    /// How long bytes travel on one way.
    Latency(u16),
    /// Seed of one producer.
    Producer(u16),
    /// Seed of one node.
    Node(u16),
    /// What heals at the end.
    Healing,
    /// How plans are changed to make others.
    Mutants,
    /// Which release servers are of.
    Release,
    /// What bridge there is, and what breaks there.
    Bridge,
}

impl Concern {
    const fn stream(self) -> u64 {
        let (kind, which) = match self {
            Self::Swarm => (1, 0),
            Self::Topology => (2, 0),
            Self::Config => (3, 0),
            Self::Workload(which) => (4, which),
            Self::Faults => (5, 0),
            Self::Latency(which) => (6, which),
            Self::Producer(which) => (7, which),
            Self::Node(which) => (8, which),
            Self::Healing => (9, 0),
            Self::Mutants => (10, 0),
            Self::Release => (11, 0),
            Self::Bridge => (12, 0),
        };
        (kind << 16) | which as u64
    }
}

/// Dice of one concern of one seed: the same throws on every machine.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of `concern` under `seed`.
    pub fn new(seed: u64, concern: Concern) -> Self {
        let mut chacha = ChaCha8Rng::seed_from_u64(seed);
        chacha.set_stream(concern.stream());
        Self(chacha)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `sides`; 0 if there are no sides.
    pub fn below(&mut self, sides: u64) -> u64 {
        if sides == 0 {
            return 0;
        }
        // The bias is below 2^-32 for all that is asked here.
        ((u128::from(self.number()) * u128::from(sides)) >> 64) as u64
    }

    /// A number of `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// True once in `n` throws.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concerns_do_not_share_a_stream() {
        let first = |concern| Dice::new(7, concern).number();

        assert_eq!(first(Concern::Faults), first(Concern::Faults));
        assert_ne!(first(Concern::Faults), first(Concern::Config));
        assert_ne!(first(Concern::Latency(0)), first(Concern::Latency(1)));
    }

    #[test]
    fn a_throw_stays_within_its_bounds() {
        let mut dice = Dice::new(1, Concern::Swarm);

        let throws: Vec<u64> = (0..1_000).map(|_| dice.between(3, 5)).collect();

        assert!((3..=5).all(|face| throws.contains(&face)));
        assert!(throws.iter().all(|throw| (3..=5).contains(throw)));
    }
}
