//! When have all sends ended that were accepted before a certain moment?

use std::collections::VecDeque;

use crate::slots::Slot;

/// Counts open sends by era. A flush ends the current era, and is over when no send of that era or
/// an earlier one is open. There are as many eras as flushes under way, plus one.
#[derive(Debug)]
pub(crate) struct Eras {
    /// The first era of `open`; eras count from 1.
    oldest: u64,
    open: VecDeque<usize>,
    /// Who waits for the end of which era.
    flushes: Vec<(u64, Slot)>,
}

impl Eras {
    pub(crate) fn new() -> Self {
        Self { oldest: 1, open: VecDeque::from([0]), flushes: Vec::new() }
    }

    /// A send was accepted: its era.
    pub(crate) fn begin(&mut self) -> u64 {
        if let Some(count) = self.open.back_mut() {
            *count += 1;
        }
        self.newest()
    }

    /// A send of this era has ended.
    pub(crate) fn end(&mut self, era: u64) {
        let index = era.checked_sub(self.oldest).and_then(|index| usize::try_from(index).ok());
        let Some(count) = index.and_then(|index| self.open.get_mut(index)) else { return };
        *count -= 1;
        while self.open.len() > 1 && self.open.front() == Some(&0) {
            self.open.pop_front();
            self.oldest += 1;
        }
    }

    /// Somebody waits until all sends accepted so far have ended.
    pub(crate) fn flush(&mut self, slot: Slot) {
        let newest = self.newest();
        self.flushes.push((newest, slot));
        if self.open.back() != Some(&0) {
            self.open.push_back(0);
        }
    }

    /// A flush that is over.
    pub(crate) fn next_flushed(&mut self) -> Option<Slot> {
        if self.flushes.is_empty() {
            return None;
        }
        let (oldest, idle) = (self.oldest, self.open.len() == 1 && self.open[0] == 0);
        let over = self.flushes.iter().position(|&(era, _)| era < oldest || idle)?;
        Some(self.flushes.remove(over).1)
    }

    fn newest(&self) -> u64 {
        self.oldest + self.open.len() as u64 - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Slots;

    #[test]
    fn a_flush_waits_for_what_came_before_and_not_for_what_came_after() {
        let mut eras = Eras::new();
        let slot = Slots::default().insert(0, None);
        let before = eras.begin();
        eras.flush(slot);
        let after = eras.begin();

        assert_eq!(eras.next_flushed(), None);
        eras.end(before);
        assert_eq!(eras.next_flushed(), Some(slot));
        assert_eq!(eras.next_flushed(), None);
        eras.end(after);
        assert_eq!(eras.open, [0]);
    }

    #[test]
    fn a_flush_of_nothing_is_over_at_once() {
        let mut eras = Eras::new();
        let slot = Slots::default().insert(0, None);

        eras.flush(slot);

        assert_eq!(eras.next_flushed(), Some(slot));
    }

    #[test]
    fn a_later_era_that_ends_first_keeps_its_place() {
        let mut eras = Eras::new();
        let slot = Slots::default().insert(0, None);
        let first = eras.begin();
        eras.flush(slot);
        let second = eras.begin();
        eras.flush(slot);

        eras.end(second);
        assert_eq!(eras.next_flushed(), None);
        eras.end(first);
        assert_eq!(eras.next_flushed(), Some(slot));
        assert_eq!(eras.next_flushed(), Some(slot));
    }
}
