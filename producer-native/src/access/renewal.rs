//! The task that asks for credentials, until the producer is closed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Known, Lease, Provider};
use crate::discovery::until_ended;
use crate::door::Shared;

/// Longest time for one answer of a provider.
const PROVIDING: Duration = Duration::from_secs(30);
const RENEWAL_MIN: Duration = Duration::from_millis(100);
/// The shortest time between two questions that are asked because a broker has refused what there
/// is: it may be the broker that does not know of them yet.
const REFUSED_MIN: Duration = Duration::from_secs(5);
/// For credentials that stay good.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);
/// The first pause after a failure; it doubles.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// Asks, tells the core, waits, asks again. What there is stays in use until there is better.
pub(crate) async fn run(shared: Arc<Shared>, provider: Provider) {
    let unless_panicked = Panicked(&provider);
    let mut failures = 0_u32;
    loop {
        let asked = timeout(PROVIDING, (provider.ask)());
        let provided = match until_ended(&shared, |state| &mut state.renewal, asked).await {
            None => break,
            Some(Ok(Ok(lease))) => Ok(lease),
            Some(Ok(Err(error))) => Err(error.to_string()),
            Some(Err(_elapsed)) => Err("the provider has not answered".to_owned()),
        };
        let pause = match provided {
            Ok(lease) => {
                failures = 0;
                let renew_after = tell(&shared, &provider, lease);
                renew_after.map_or(FOR_EVER, |after| after.max(RENEWAL_MIN))
            }
            Err(why) => {
                let pause = RETRY_FIRST.saturating_mul(1 << failures.min(8)).min(RETRY_LONGEST);
                failures += 1;
                provider.failed(&shared, &why);
                pause
            }
        };
        let answered = Instant::now();
        let wait = async {
            let refused = async {
                provider.refused.notified().await;
                sleep_until(answered + REFUSED_MIN).await;
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = refused => {}
            }
        };
        if until_ended(&shared, |state| &mut state.renewal, wait).await.is_none() {
            break;
        }
    }
    std::mem::forget(unless_panicked);
}

/// Signs with these from now on; when to ask again.
fn tell(shared: &Arc<Shared>, provider: &Provider, lease: Lease) -> Option<Duration> {
    shared.enter(|state, _| state.core.set_credentials(Some(lease.credentials)));
    provider.state.send_replace(Known::There);
    lease.renew_after
}

impl Provider {
    fn failed(&self, shared: &Shared, why: &str) {
        shared.log.no_credentials(why);
        self.lack(why);
    }

    fn lack(&self, why: &str) {
        self.state.send_if_modified(|known| {
            let lacks = *known != Known::There;
            if lacks {
                *known = Known::Failed(why.to_owned());
            }
            lacks
        });
    }
}

/// A provider may panic. Those who wait for it are told.
struct Panicked<'p>(&'p Provider);

impl Drop for Panicked<'_> {
    fn drop(&mut self) {
        self.0.lack("the provider is no more");
    }
}
