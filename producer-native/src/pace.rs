//! Is it worth a moment to wait for more to write at once?

/// Decides when a connection that has something to write writes it.
///
/// A task woken by a send runs before the other senders do; it would write one frame a system call.
/// So when there is a burst (several frames wait, or the last batch had several) it goes once to
/// the back of the run queue. A single send is written at once: for it the detour is pure delay.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last_batch: usize,
    waited: bool,
}

impl Pace {
    /// Whether to come back a moment later; never twice in a row. If not, the frames are written.
    pub(crate) fn waits_for_more(&mut self, frames: usize) -> bool {
        let burst = frames > 1 || self.last_batch > 1;
        if burst && !self.waited {
            self.waited = true;
            return true;
        }
        self.waited = false;
        self.last_batch = frames;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_sends_never_wait() {
        let mut pace = Pace::default();

        assert!((0..10).all(|_| !pace.waits_for_more(1)));
    }

    #[test]
    fn a_burst_waits_once_a_batch_and_its_end_costs_one_more_wait() {
        let mut pace = Pace::default();

        assert!(pace.waits_for_more(2));
        assert!(!pace.waits_for_more(64));
        assert!(pace.waits_for_more(1));
        assert!(!pace.waits_for_more(1));
        assert!(!pace.waits_for_more(1));
    }
}
