//! How are brokers answered that ask how a transaction has ended?
//!
//! The application's checker runs on tasks of its own, a few at a time, while sends go on. Whatever
//! it does, the broker is answered or asks again.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use producer_core::{Decision, TransactionCheck};
use tokio::time::timeout;

use crate::compression::unpack_theirs;
use crate::door::{Effects, Shared};

/// How a local transaction or a check ended: a [`Decision`], or a `Result` of one. An error leaves
/// the transaction unknown, and its text goes to the broker's log.
pub trait Verdict {
    /// The decision, or why there is none.
    #[expect(clippy::missing_errors_doc, reason = "the error is the caller's own")]
    fn verdict(self) -> Result<Decision, String>;
}

impl Verdict for Decision {
    fn verdict(self) -> Result<Decision, String> {
        Ok(self)
    }
}

impl<E: Display> Verdict for Result<Decision, E> {
    fn verdict(self) -> Result<Decision, String> {
        self.map_err(|error| error.to_string())
    }
}

/// What a checker does, with its type forgotten.
pub(crate) type Checker = dyn Fn(TransactionCheck) -> Checking + Send + Sync;
type Checking = Pin<Box<dyn Future<Output = Result<Decision, String>> + Send>>;

/// How many checks there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// That run at once.
    pub(crate) running: usize,
    /// That wait; what comes above that is dropped, and the broker asks again.
    pub(crate) waiting: usize,
    /// How long one may take.
    pub(crate) time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { running: 16, waiting: 1_000, time: Duration::from_secs(10) }
    }
}

/// Bytes of bodies that wait, at most.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What the door knows of checks.
#[derive(Default)]
pub(crate) struct Checks {
    pub(crate) checker: Option<Arc<Checker>>,
    pub(crate) limits: Limits,
    running: usize,
    waiting: VecDeque<Box<TransactionCheck>>,
    waiting_bytes: usize,
    pub(crate) counts: Counts,
}

/// Counters of [`producer_core::Stats`] that only a driver knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) without_checker: u64,
    pub(crate) dropped: u64,
    pub(crate) failed: u64,
}

impl Checks {
    /// A broker has asked. Returns what is to be run on a new task.
    pub(crate) fn admit(&mut self, check: Box<TransactionCheck>) -> Option<Run> {
        let Some(checker) = self.checker.clone() else {
            self.counts.without_checker += 1;
            return None;
        };
        if self.running < self.limits.running {
            self.running += 1;
            return Some(Run { checker, time: self.limits.time, check });
        }
        let bytes = self.waiting_bytes + check.body.len();
        let id = &check.transaction.id;
        // Asked again before it was its turn.
        let again = self.waiting.iter().any(|known| known.transaction.id == *id);
        if again || self.waiting.len() >= self.limits.waiting || bytes > WAITING_BYTES_MAX {
            self.counts.dropped += 1;
        } else {
            self.waiting_bytes = bytes;
            self.waiting.push_back(check);
        }
        None
    }

    fn next(&mut self) -> Option<Box<TransactionCheck>> {
        let check = self.waiting.pop_front()?;
        self.waiting_bytes -= check.body.len();
        Some(check)
    }
}

/// A check to be run.
pub(crate) struct Run {
    checker: Arc<Checker>,
    time: Duration,
    check: Box<TransactionCheck>,
}

/// Makes a checker of a function of the application's.
pub(crate) fn checker<F, Fut>(check: F) -> Arc<Checker>
where
    F: Fn(TransactionCheck) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Verdict> + Send + 'static,
{
    let check = Arc::new(check);
    Arc::new(move |mut asked| {
        unpack_theirs(&mut asked.sys_flag, &mut asked.body);
        let check = check.clone();
        // Called when it is polled, where a panic is caught.
        Box::pin(async move { check(asked).await.verdict() })
    })
}

/// Runs a check, and those that wait after it.
pub(crate) fn run(shared: Arc<Shared>, first: Run) -> impl Future<Output = ()> {
    // Made here, for a runtime that is gone drops the future without ever polling it.
    run_all(Running { shared, over: false }, first)
}

async fn run_all(mut running: Running, first: Run) {
    let Run { checker, time, check } = first;
    let mut next = Some(check);
    while let Some(check) = next {
        let transaction = check.transaction.clone();
        let (decision, problem) = judge(contained(timeout(time, checker(*check))).await, time);
        if let Some(problem) = &problem {
            running.shared.log.check_failed(problem);
        }
        next = running.shared.enter(|state, now| {
            state.checks.counts.failed += u64::from(problem.is_some());
            state.end_transaction(now, &transaction, decision, problem.as_deref());
            let next = state.checks.next().filter(|_| state.closed.is_none());
            if next.is_none() {
                state.checks.running -= 1;
            }
            next
        });
    }
    running.over = true;
}

/// What a checker's end means.
fn judge(
    ended: Result<Result<Result<Decision, String>, tokio::time::error::Elapsed>, String>,
    time: Duration,
) -> (Decision, Option<String>) {
    match ended {
        Ok(Ok(Ok(decision))) => (decision, None),
        Ok(Ok(Err(error))) => (Decision::Unknown, Some(format!("the check failed: {error}"))),
        Ok(Err(_elapsed)) => {
            (Decision::Unknown, Some(format!("the check took longer than {time:?}")))
        }
        Err(panic) => (Decision::Unknown, Some(format!("the check panicked: {panic}"))),
    }
}

/// Waits for a future of the application's. A panic of it becomes an error that holds its text.
pub(crate) async fn contained<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(text_of(&*panic))),
    })
    .await
}

/// What a panic said.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no text").to_owned()
}

/// Gives the place of a task back that is dropped by its runtime, or panics.
struct Running {
    shared: Arc<Shared>,
    over: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let effects = &mut Effects::default();
        let _torn = self.shared.enter_if_sound(effects, |state, _| state.checks.running -= 1);
    }
}
