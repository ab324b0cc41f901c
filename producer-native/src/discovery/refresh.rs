//! The task that searches for name servers, until the producer is closed.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use producer_core::Address;
use tokio::time::{sleep, timeout};

use super::Discovery;
use crate::door::{Effects, Shared, State};

/// What the task and the door know of each other.
#[derive(Debug, Default)]
pub(crate) struct Search {
    waker: Option<Waker>,
    /// Nothing is searched any more: the producer is closed, or was told its name servers.
    ended: bool,
}

impl Search {
    /// Returns whom to wake.
    pub(crate) fn end(&mut self) -> Option<Waker> {
        self.ended = true;
        self.waker.take()
    }
}

/// Longest time for a search.
const SEARCH: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The first pause after a search that failed; it doubles.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LONGEST: Duration = Duration::from_secs(30);
/// Most name servers that are used.
const SERVERS_MAX: usize = 64;

/// Searches until there is no need any more.
pub(crate) async fn run(shared: Arc<Shared>, discovery: Arc<dyn Discovery>) {
    let unless_panicked = Panicked { shared: shared.clone() };
    let mut failures = 0;
    loop {
        let search = timeout(SEARCH, discovery.find(&*shared.without_tls));
        let found = match until_ended(&shared, |state| &mut state.search, search).await {
            None => break,
            Some(Ok(Ok(found))) if found.is_empty() => Err("none found".to_owned()),
            Some(Ok(found)) => found,
            Some(Err(_elapsed)) => Err("no end in time".to_owned()),
        };
        let every = discovery.every().max(PAUSE_MIN);
        let pause = match found {
            Ok(found) => {
                failures = 0;
                tell(&shared, found);
                every
            }
            Err(why) => {
                let retry = RETRY_FIRST.saturating_mul(1 << failures.min(8)).min(RETRY_LONGEST);
                failures += 1;
                lament(&shared, &format!("{}: {why}", discovery.describe()));
                retry.min(every)
            }
        };
        if until_ended(&shared, |state| &mut state.search, sleep(pause)).await.is_none() {
            break;
        }
    }
    drop(unless_panicked);
}

fn tell(shared: &Arc<Shared>, mut found: Vec<Address>) {
    found.truncate(SERVERS_MAX);
    shared.enter(|state, now| {
        if !state.search.ended {
            state.core.set_name_servers(now, found);
        }
    });
}

fn lament(shared: &Arc<Shared>, why: &str) {
    shared.log.no_name_servers(why);
    shared.enter(|state, _| state.core.await_name_servers(why.to_owned()));
}

/// The result of `work`, `None` when the search has ended first.
pub(crate) async fn until_ended<F: Future>(
    shared: &Shared,
    search: fn(&mut State) -> &mut Search,
    work: F,
) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let stale = {
            let mut state = shared.peek();
            let search = search(&mut state);
            if search.ended {
                return Poll::Ready(None);
            }
            search.waker.replace(cx.waker().clone())
        };
        drop(stale);
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

/// A search of the application's own may panic. Those who wait for it are told.
struct Panicked {
    shared: Arc<Shared>,
}

impl Drop for Panicked {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let why = "the search for name servers panicked";
        self.shared.log.no_name_servers(why);
        let _torn = self.shared.enter_if_sound(&mut Effects::default(), |state, _| {
            state.core.await_name_servers(why.to_owned());
        });
    }
}
