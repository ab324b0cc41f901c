//! What has to happen later, and in which order?

use std::collections::BTreeMap;

use super::Instant;

/// Things due at a time; those due together come in the order they were put.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    due: BTreeMap<(Instant, u64), T>,
    put: u64,
}

impl<T> Schedule<T> {
    pub(crate) const fn new() -> Self {
        Self { due: BTreeMap::new(), put: 0 }
    }

    pub(crate) fn put(&mut self, at: Instant, what: T) {
        self.due.insert((at, self.put), what);
        self.put += 1;
    }

    /// The next thing that is due.
    pub(crate) fn take(&mut self, now: Instant) -> Option<T> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// When the next thing is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.due.first_key_value().map(|(key, _)| key.0)
    }

    pub(crate) fn clear(&mut self) {
        self.due.clear();
    }
}
