//! When does the core want to be told the time next?

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};

use producer_core::Instant;
use tokio::time::sleep_until;

use crate::door::{Effects, Shared};

/// What the task that tells the time and the door know of each other. The task is only disturbed
/// when it must wake earlier than it meant to, so a send with a later deadline costs it nothing.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// When the task wakes by itself.
    at: Instant,
    waker: Option<Waker>,
    started: bool,
    ended: bool,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { at: Instant::FAR, waker: None, started: false, ended: false }
    }
}

impl Alarm {
    /// True once: the task must be spawned.
    pub(crate) fn wants_start(&mut self) -> bool {
        !std::mem::replace(&mut self.started, true)
    }

    /// The core wants to be told at `at`. Returns whom to wake, if that is news.
    pub(crate) fn advance(&mut self, at: Instant) -> Option<Waker> {
        if at >= self.at {
            return None;
        }
        self.at = at;
        self.waker.take()
    }

    /// The producer is closed.
    pub(crate) fn end(&mut self) -> Option<Waker> {
        self.ended = true;
        self.waker.take()
    }
}

/// Tells the core the time whenever it wants, until the producer is closed.
pub(crate) fn run(shared: Arc<Shared>) -> impl Future<Output = ()> {
    // Made here, for a runtime that is gone drops the future without ever polling it.
    let unless_dropped = Unfinished { shared: shared.clone(), finished: false };
    tell(shared, unless_dropped)
}

async fn tell(shared: Arc<Shared>, mut unless_dropped: Unfinished) {
    let mut effects = Effects::default();
    let mut target = Instant::FAR;
    let mut sleep = pin!(sleep_until(shared.at(Instant::ZERO)));
    poll_fn(|cx| {
        loop {
            let stale;
            {
                let alarm = &mut shared.peek().alarm;
                if alarm.ended {
                    return Poll::Ready(());
                }
                stale = alarm.waker.replace(cx.waker().clone());
                if target != alarm.at {
                    target = alarm.at;
                    if target != Instant::FAR {
                        sleep.as_mut().reset(shared.at(target));
                    }
                }
            }
            drop(stale);
            if target == Instant::FAR {
                return Poll::Pending;
            }
            ready!(sleep.as_mut().poll(cx));
            shared.enter_with(&mut effects, |state, now| {
                state.alarm.at = Instant::FAR;
                state.alarm.waker = None;
                state.core.handle_timeout(now);
            });
            target = Instant::FAR;
        }
    })
    .await;
    unless_dropped.finished = true;
}

/// Dropped unfinished when the runtime drops the task, or it panics.
struct Unfinished {
    shared: Arc<Shared>,
    finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.runtime_gone();
        }
    }
}
