//! Message ids as numbers: a history is joined by them many times, and texts are dear to compare.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Numbers of ids, in the order in which they were met.
#[derive(Default)]
pub(super) struct Ids<'h> {
    // Never gone through, so its order is nobody's concern.
    numbers: HashMap<&'h str, u32, FixedState>,
}

impl<'h> Ids<'h> {
    /// The number of an id, which may be new.
    pub(super) fn number(&mut self, id: &'h str) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(id).or_insert(next)
    }

    /// The number of an id that was met.
    pub(super) fn get(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// Things in groups by number; within a group they keep their order.
pub(super) struct Grouped<T> {
    /// Where each group begins, and where the last one ends.
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<'h, T> Grouped<&'h T> {
    /// `numbers` says for each of `all` which of `count` groups it belongs to.
    pub(super) fn new(count: usize, numbers: &[u32], all: &'h [T]) -> Self {
        let mut starts = vec![0; count + 1];
        for number in numbers {
            starts[*number as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut order = vec![0; all.len()];
        let mut next = starts.clone();
        for (at, number) in numbers.iter().enumerate() {
            let place = &mut next[*number as usize];
            order[*place as usize] = at;
            *place += 1;
        }
        Self { starts, items: order.into_iter().map(|at| &all[at]).collect() }
    }

    /// A group.
    pub(super) fn of(&self, number: u32) -> &[&'h T] {
        let at = number as usize;
        &self.items[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_the_order_of_what_is_in_them() {
        let grouped = Grouped::new(4, &[2, 0, 2, 3, 2], &['a', 'b', 'c', 'd', 'e']);

        assert_eq!(grouped.of(0), [&'b']);
        assert_eq!(grouped.of(1), [] as [&char; 0]);
        assert_eq!(grouped.of(2), [&'a', &'c', &'e']);
        assert_eq!(grouped.of(3), [&'d']);
    }
}
