//! What happens to the bytes between a producer and one address?

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// A direction, as the producer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Answers.
    Read,
    /// Requests.
    Write,
}

/// How a connection fails in the middle of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It is reset.
    Reset,
    /// It stays open, and nothing passes in this direction any more.
    Silence,
}

/// The bytes between a producer and one address, on all its connections, open ones included.
/// Clones are the same wire.
#[derive(Debug, Clone, Default)]
pub struct Wire(Arc<Mutex<Ways>>);

#[derive(Debug, Default)]
struct Ways {
    read: Rule,
    write: Rule,
}

/// What holds in one direction.
#[derive(Debug, Default)]
pub(super) struct Rule {
    pub(super) piece_bytes_max: Option<usize>,
    pub(super) bytes_per_second: Option<u32>,
    pub(super) stalled: bool,
    /// Bytes that still pass, and what then befalls the connection of the next. Once.
    pub(super) cut: Option<(u64, Cut)>,
    /// Bytes that have passed.
    pub(super) passed: u64,
    waiting: Vec<Waker>,
}

impl Wire {
    /// Lets so many more bytes pass, and then fails the connection that carries the next; others
    /// are not touched.
    pub fn cut_after(&self, way: Way, bytes: u64, cut: Cut) {
        self.change(way, |rule| rule.cut = Some((bytes, cut)));
    }

    /// Lets nothing pass until [`Self::resume`]; nothing is lost.
    pub fn stall(&self, way: Way) {
        self.change(way, |rule| rule.stalled = true);
    }

    /// Ends a stall.
    pub fn resume(&self, way: Way) {
        self.change(way, |rule| rule.stalled = false);
    }

    /// Each read or write passes a random number of bytes, at most this many; 1 for one by one,
    /// `None` for as many as there are.
    pub fn pieces(&self, way: Way, bytes_max: impl Into<Option<usize>>) {
        let bytes_max = bytes_max.into();
        self.change(way, |rule| rule.piece_bytes_max = bytes_max);
    }

    /// So many bytes a second at most, `None` for any number.
    pub fn bandwidth(&self, way: Way, bytes_per_second: impl Into<Option<u32>>) {
        let bytes_per_second = bytes_per_second.into();
        self.change(way, |rule| rule.bytes_per_second = bytes_per_second);
    }

    /// Ends everything that was switched on; a connection that was cut stays so.
    pub fn heal(&self) {
        for way in [Way::Read, Way::Write] {
            self.change(way, |rule| {
                *rule = Rule {
                    passed: rule.passed,
                    waiting: std::mem::take(&mut rule.waiting),
                    ..Rule::default()
                };
            });
        }
    }

    /// Bytes that have passed.
    pub fn passed(&self, way: Way) -> u64 {
        self.with(way, |rule| rule.passed)
    }

    pub(super) fn with<R>(&self, way: Way, look: impl FnOnce(&mut Rule) -> R) -> R {
        let mut ways = self.lock();
        look(match way {
            Way::Read => &mut ways.read,
            Way::Write => &mut ways.write,
        })
    }

    fn change(&self, way: Way, change: impl FnOnce(&mut Rule)) {
        let waiting = self.with(way, |rule| {
            change(rule);
            std::mem::take(&mut rule.waiting)
        });
        for waker in waiting {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rule {
    pub(super) const fn is_plain(&self) -> bool {
        self.piece_bytes_max.is_none()
            && self.bytes_per_second.is_none()
            && !self.stalled
            && self.cut.is_none()
    }

    /// Is woken when the rule changes.
    pub(super) fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }
}
