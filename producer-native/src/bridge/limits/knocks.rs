//! Who has knocked, and who goes when there is no room for one more?

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use super::Ip;

/// A connection that was accepted; to be given back by [`Limits::admit`](super::Limits::admit) or
/// [`Limits::leave`](super::Limits::leave).
#[derive(Debug)]
#[must_use]
pub struct Knock {
    number: u64,
    given_up: Arc<Notify>,
}

impl Knock {
    /// Told once if this one must go, for others came: it does not count any more.
    pub fn given_up(&self) -> Arc<Notify> {
        self.given_up.clone()
    }
}

/// Those whose request was not judged yet, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    waiting: BTreeMap<u64, (Option<Ip>, Arc<Notify>)>,
    last: u64,
}

impl Knocks {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn add(&mut self, ip: Option<Ip>) -> Knock {
        self.last += 1;
        let given_up = Arc::new(Notify::new());
        self.waiting.insert(self.last, (ip, given_up.clone()));
        Knock { number: self.last, given_up }
    }

    /// The address of one that ends; `None` if it was given up before.
    pub(super) fn remove(&mut self, knock: &Knock) -> Option<Option<Ip>> {
        self.waiting.remove(&knock.number).map(|(ip, _)| ip)
    }

    /// Gives up the oldest one of the neighbourhood that has most, and returns its address: whoever
    /// fills the table makes room by it. Among equals it is the oldest of all. It looks at each knock,
    /// of which there are few.
    pub(super) fn give_up_one(&mut self) -> Option<Option<Ip>> {
        let mut holders: HashMap<Option<Neighbourhood>, (usize, u64)> = HashMap::new();
        for (number, (ip, _)) in &self.waiting {
            holders.entry(ip.map(Neighbourhood::of)).or_insert((0, *number)).0 += 1;
        }
        let most = holders.into_values().max_by_key(|&(count, oldest)| (count, u64::MAX - oldest));
        let (ip, given_up) = self.waiting.remove(&most?.1)?;
        given_up.notify_one();
        Some(ip)
    }
}

/// Addresses that are likely to be one customer's: an IPv4 /24, an IPv6 /48.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Neighbourhood {
    V4(u32),
    V6(u64),
}

impl Neighbourhood {
    const fn of(ip: Ip) -> Self {
        match ip {
            Ip::V4(bits) => Self::V4(bits >> 8),
            Ip::V6(upper) => Self::V6(upper >> 16),
        }
    }
}
