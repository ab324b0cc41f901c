//! Is it worth a moment to wait for more to write at once?

/// Decides when a connection that has something to write writes it.
///
/// A task woken by a send runs before the other senders do; it would write one frame a system call,
/// the peer would answer them one by one, and so it would go on. So when several requests are under
/// way, it goes once to the back of the run queue and lets the other senders have their turn. A
/// single send is written at once: for it the detour is pure delay.
///
/// Looking only at how many frames wait is not enough: once each send finds the connection idle,
/// it stays so (measured with 64 tasks on one worker: 1.0 writes a message, 0.03 with this).
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waited: bool,
}

impl Pace {
    /// Whether to come back a moment later; never twice in a row. If not, what waits is written.
    pub(crate) fn waits_for_more(&mut self, under_way: usize) -> bool {
        self.waited = under_way > 1 && !self.waited;
        self.waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_send_never_waits() {
        let mut pace = Pace::default();

        assert!((0..10).all(|_| !pace.waits_for_more(1)));
    }

    #[test]
    fn a_crowd_waits_once_a_write() {
        let mut pace = Pace::default();

        assert!(pace.waits_for_more(2));
        assert!(!pace.waits_for_more(64));
        assert!(pace.waits_for_more(64));
        assert!(!pace.waits_for_more(1));
        assert!(!pace.waits_for_more(1));
    }
}
