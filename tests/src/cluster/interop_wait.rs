//! The one place of the harness that sleeps. Real servers tell nobody when they are ready, so it
//! asks again and again, up to a limit; `scripts/tidy` knows files that may by `interop` in the name.

use std::thread;
use std::time::{Duration, Instant};

use super::Result;

/// Asks `ready` every few milliseconds until it has a value; `None` when `limit` has passed.
pub(crate) fn wait_for<T>(
    limit: Duration,
    mut ready: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = ready()? {
            return Ok(Some(value));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(STEP);
    }
}

const STEP: Duration = Duration::from_millis(10);
