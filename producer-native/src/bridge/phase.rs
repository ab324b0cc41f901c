//! What is a bridge about to do, and who is told?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a bridge is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing.
    Serving,
    /// It ends its connections, the last one at this time.
    Draining { from: Instant, spread: Duration },
    /// It ends now.
    Stopping,
}

/// The phase, for all who must know. Whoever waits for the next one is woken in the order of
/// waiting; a channel of tokio's `watch` wakes by lot, and a simulated bridge must do the same again.
#[derive(Debug)]
pub(super) struct Phases {
    /// With the number of its changes so far.
    phase: Mutex<(Phase, u64)>,
    changed: Notify,
}

impl Phases {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { phase: Mutex::new((Phase::Serving, 0)), changed: Notify::new() })
    }

    pub(super) fn now(&self) -> Phase {
        self.look().0
    }

    /// Goes on to another phase, if there is one.
    pub(super) fn go_on(&self, next: impl FnOnce(Phase) -> Option<Phase>) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = next(phase.0) {
            *phase = (next, phase.1 + 1);
            drop(phase);
            self.changed.notify_waiters();
        }
    }

    /// For one who is to be told; he has seen nothing yet.
    pub(super) fn follow(self: &Arc<Self>) -> Follower {
        Follower { phases: self.clone(), seen: 0 }
    }

    fn look(&self) -> (Phase, u64) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who is told.
#[derive(Debug)]
pub(super) struct Follower {
    phases: Arc<Phases>,
    seen: u64,
}

impl Follower {
    /// The phase, which is seen by this.
    pub(super) fn see(&mut self) -> Phase {
        let (phase, changes) = self.phases.look();
        self.seen = changes;
        phase
    }

    /// Waits for a phase that was not seen. It may be dropped at any time.
    pub(super) async fn changed(&self) {
        loop {
            let changed = self.phases.changed.notified();
            if self.phases.look().1 != self.seen {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_longest_is_told_first() {
        let phases = Phases::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..40 {
            let (mut follower, told) = (phases.follow(), told.clone());
            waiting.push(tokio::spawn(async move {
                follower.changed().await;
                assert_eq!(follower.see(), Phase::Stopping);
                told.lock().unwrap().push(number);
            }));
        }
        tokio::task::yield_now().await;

        phases.go_on(|_| Some(Phase::Stopping));
        for waiting in waiting {
            waiting.await.unwrap();
        }
        phases.follow().changed().await;

        assert_eq!(*told.lock().unwrap(), (0..40).collect::<Vec<_>>());
    }
}
