//! Who waits for the same thing, in which order?

use alloc::collections::VecDeque;

use crate::slab::{Key, Slab};

/// Sends that wait, first come first served. A send that ended meanwhile leaves its key behind;
/// such keys are thrown out before they are more than the living.
#[derive(Debug, Default)]
pub(crate) struct Waiters(VecDeque<Key>);

impl Waiters {
    pub(crate) fn push<V>(&mut self, key: Key, sends: &Slab<V>) {
        if self.0.len() > 2 * sends.len() + 64 {
            self.0.retain(|&waiting| sends.get(waiting).is_some());
        }
        self.0.push_back(key);
    }

    pub(crate) fn pop(&mut self) -> Option<Key> {
        self.0.pop_front()
    }

    pub(crate) fn front(&self) -> Option<Key> {
        self.0.front().copied()
    }

    /// Whether nobody who is still there waits.
    pub(crate) fn is_deserted<V>(&mut self, sends: &Slab<V>) -> bool {
        while self.0.front().is_some_and(|&key| sends.get(key).is_none()) {
            self.0.pop_front();
        }
        self.0.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_do_not_pile_up() {
        let mut sends = Slab::new();
        let mut waiters = Waiters::default();

        for _ in 0..10_000 {
            let key = sends.insert(());
            waiters.push(key, &sends);
            sends.remove(key);
        }

        assert!(waiters.0.len() <= 66);
    }
}
