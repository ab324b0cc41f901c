//! What is to become of transactions that the application has not ended?

use std::future::Future;
use std::time::Duration;

use producer_core::TransactionCheck;

use super::{BuildError, Builder};
use crate::checks::{self, Verdict};
use crate::transaction::WhenDropped;

impl Builder {
    /// Answers brokers that ask how a transaction of this group has ended: because its end was lost,
    /// or because this process, or another of the group, has died in between. It is asked of any
    /// process of the group, so it must look where all of them write. A producer without a checker
    /// does not answer ([`Stats::checks_without_checker`](crate::Stats::checks_without_checker)).
    ///
    /// Checks run on tasks of the producer's runtime, 16 at a time
    /// ([`checks_at_once`](Self::checks_at_once)), while sends go on. 1,000 more
    /// ([`checks_waiting`](Self::checks_waiting)), of 64 MiB, wait; what comes above is dropped and asked again
    /// ([`Stats::checks_dropped`](crate::Stats::checks_dropped)). A checker that panics, fails or
    /// takes longer than [`check_timeout`](Self::check_timeout) leaves the transaction unknown, and
    /// is counted ([`Stats::checks_failed`](crate::Stats::checks_failed)) and logged. It must not
    /// block its thread: nothing can end that.
    ///
    /// Brokers ask first after 6 s, then every 30 s, 15 times. A broker that was killed asks again
    /// about what it has asked before, and stores what is committed then once more, under the same
    /// id (seen with 4.9.7 and 5.4.0).
    ///
    /// ```no_run
    /// # use producer_native::{Decision, Producer, TransactionCheck};
    /// # async fn is_paid(order: &str) -> Result<bool, std::io::Error> { Ok(true) }
    /// # fn make() -> Result<Producer, producer_native::BuildError> {
    /// Producer::builder("orders")
    ///     .name_servers("localhost:9876")
    ///     .transaction_checker(|check: TransactionCheck| async move {
    ///         let order = check.property("KEYS").unwrap_or_default();
    ///         is_paid(order).await.map(|paid| match paid {
    ///             true => Decision::Commit,
    ///             false => Decision::Rollback,
    ///         })
    ///     })
    ///     .build()
    /// # }
    /// ```
    pub fn transaction_checker<F, Fut>(mut self, check: F) -> Self
    where
        F: Fn(TransactionCheck) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Verdict> + Send + 'static,
    {
        self.checker = Some(checks::checker(check));
        self
    }

    /// How many checks run at once. Default 16.
    pub fn checks_at_once(mut self, count: usize) -> Self {
        if count == 0 {
            self.note(BuildError::ZeroLimit { field: "checks_at_once" });
        }
        self.check_limits.running = count;
        self
    }

    /// How many checks may wait for their turn. Default 1,000.
    pub fn checks_waiting(mut self, count: usize) -> Self {
        self.check_limits.waiting = count;
        self
    }

    /// How long a check may take. Default 10 s.
    pub fn check_timeout(mut self, timeout: Duration) -> Self {
        self.check_limits.time = timeout;
        self
    }

    /// What becomes of a transaction whose guard is dropped. Default: it is rolled back.
    pub fn when_dropped(mut self, what: WhenDropped) -> Self {
        self.when_dropped = what;
        self
    }
}
