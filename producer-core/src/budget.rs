//! May there be one more retry?

/// A token bucket for retries: each send adds a share of a token, each retry takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// Retries per hundred sends in the long run.
    pub percent: u32,
    /// Retries that are in reserve at the start and after a quiet time.
    pub reserve: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { percent: 10, reserve: 1_000 }
    }
}

/// Parts of a token. Each send adds `percent` of them, each retry takes a hundred.
const TOKEN: u64 = 100;

/// The producer's account of retries.
#[derive(Debug)]
pub(crate) struct Account {
    policy: Option<RetryBudget>,
    parts: u64,
}

impl Account {
    pub(crate) fn new(policy: Option<RetryBudget>) -> Self {
        let parts = policy.map_or(0, |p| u64::from(p.reserve) * TOKEN);
        Self { policy, parts }
    }

    /// A send was accepted.
    pub(crate) fn deposit(&mut self) {
        if let Some(policy) = self.policy {
            let most = u64::from(policy.reserve) * TOKEN;
            self.parts = (self.parts + u64::from(policy.percent)).min(most);
        }
    }

    /// Takes a token for a retry; false when there is none.
    pub(crate) fn withdraw(&mut self) -> bool {
        if self.policy.is_none() {
            return true;
        }
        let enough = self.parts >= TOKEN;
        if enough {
            self.parts -= TOKEN;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_sends_beyond_the_reserve() {
        let mut account = Account::new(Some(RetryBudget { percent: 10, reserve: 3 }));

        assert_eq!((0..10).filter(|_| account.withdraw()).count(), 3);
        for _ in 0..25 {
            account.deposit();
        }
        assert_eq!((0..10).filter(|_| account.withdraw()).count(), 2);
    }

    #[test]
    fn no_policy_means_no_bound() {
        let mut account = Account::new(None);

        assert!((0..1_000_000).all(|_| account.withdraw()));
    }
}
