//! Which name server is dialled for a page that asks for any?
//!
//! They take turns. One that could not be reached is asked only when no other answers, for a time
//! that grows with its failures: so a dead one costs one page its share of the dial, and not each
//! page that comes. What the bridge itself asks them every so often counts as well.

use std::time::Duration;

use producer_core::Address;
use tokio::time::Instant;

/// The name servers, and how they were when they were dialled last.
#[derive(Debug)]
pub(super) struct NameServers {
    all: Vec<Known>,
    /// Whose turn it is.
    next: usize,
}

#[derive(Debug)]
struct Known {
    address: Address,
    failures: u32,
    /// Others come first until then.
    rests_until: Option<Instant>,
}

impl NameServers {
    pub(super) fn new(addresses: &[Address]) -> Self {
        let known =
            |address: &Address| Known { address: address.clone(), failures: 0, rests_until: None };
        Self { all: addresses.iter().map(known).collect(), next: 0 }
    }

    /// All of them, in the order in which they are to be tried now.
    pub(super) fn in_order(&mut self, now: Instant) -> Vec<Address> {
        let count = self.all.len().max(1);
        let turn = self.next % count;
        self.next = self.next.wrapping_add(1);
        let mut order: Vec<&Known> =
            self.all.iter().cycle().skip(turn).take(self.all.len()).collect();
        // The sort keeps turns among equals; of those that rest, who rests longest comes last.
        order.sort_by_key(|known| known.rests_until.filter(|until| *until > now));
        order.into_iter().map(|known| known.address.clone()).collect()
    }

    /// One was reached, or was not.
    pub(super) fn tried(&mut self, now: Instant, address: &Address, reached: bool) {
        let Some(known) = self.all.iter_mut().find(|known| known.address == *address) else {
            return;
        };
        if reached {
            (known.failures, known.rests_until) = (0, None);
        } else {
            let rest = REST_FIRST.saturating_mul(1 << known.failures.min(8)).min(REST_LONGEST);
            known.failures = known.failures.saturating_add(1);
            known.rests_until = Some(now + rest);
        }
    }
}

/// The first rest after a failure; it doubles.
const REST_FIRST: Duration = Duration::from_secs(1);
/// The longest one: so often they are asked anyway.
const REST_LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn order(servers: &mut NameServers, now: Instant) -> String {
        let order = servers.in_order(now);
        order.iter().map(|address| address.host()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn those_that_failed_come_last_until_they_have_rested() {
        let addresses = Address::list("a:1;b:1;c:1").unwrap();
        let mut servers = NameServers::new(&addresses);
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(order(&mut servers, start), "a b c");
        assert_eq!(order(&mut servers, start), "b c a");

        servers.tried(start, &addresses[0], false);
        servers.tried(after(1), &addresses[2], false);
        assert_eq!(order(&mut servers, after(2)), "b a c", "it would be c's turn");
        assert_eq!(order(&mut servers, after(2)), "b a c", "and a's");
        assert_eq!(order(&mut servers, after(1_000)), "b a c", "c rests still");
        assert_eq!(order(&mut servers, after(1_001)), "c a b");

        // Each failure doubles the rest, up to half a minute.
        for _ in 0..20 {
            servers.tried(start, &addresses[0], false);
        }
        assert!(order(&mut servers, after(29_999)).ends_with('a'));
        servers.tried(start, &addresses[0], true);
        servers.tried(start, &addresses[0], false);
        servers.next = 0;
        assert_eq!(order(&mut servers, after(1_000)), "a b c", "one success forgets them all");
        assert_eq!(order(&mut NameServers::new(&[]), start), "");
    }
}
