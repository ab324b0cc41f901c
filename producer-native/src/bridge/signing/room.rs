//! Room for large frames, shared so that nobody has all of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::super::limits::Ip;

/// Who may have a share of the room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Holder {
    /// The subject of a token.
    Subject(String),
    /// An address, of connections without tokens.
    Ip(Ip),
    /// A broker.
    Target(String),
}

impl Holder {
    /// How many times its share goes into the room. A target has more than a subject, for it has
    /// many: else one subject could fill what a target has.
    const fn part(&self) -> u32 {
        match self {
            Self::Subject(_) | Self::Ip(_) => SUBJECT_PART,
            Self::Target(_) => TARGET_PART,
        }
    }
}

/// All the room there is, in units.
#[derive(Debug)]
pub(super) struct Rooms {
    units: u32,
    all: Arc<Semaphore>,
    /// Shares of those who have a connection, with how many they have.
    shares: Mutex<HashMap<Holder, (Arc<Semaphore>, usize)>>,
}

impl Rooms {
    pub(super) fn new(units: u32) -> Arc<Self> {
        let units = units.max(1);
        let all = Arc::new(Semaphore::new(units as usize));
        Arc::new(Self { units, all, shares: Mutex::default() })
    }

    /// The share of a holder, whose connections have it together.
    pub(super) fn share(self: &Arc<Self>, holder: Holder) -> Share {
        let units = (self.units / holder.part()).max(1);
        let mut shares = self.lock();
        let new = || (Arc::new(Semaphore::new(units as usize)), 0);
        let (semaphore, connections) = shares.entry(holder.clone()).or_insert_with(new);
        *connections += 1;
        let semaphore = semaphore.clone();
        drop(shares);
        Share { rooms: self.clone(), holder, semaphore, units }
    }

    /// Waits for room, of these shares and of all. `None` if there is none in time. One that wants
    /// more than a share has, or all, gets that.
    pub(super) async fn find(
        &self,
        shares: &[Share],
        units: u32,
        deadline: Instant,
    ) -> Option<Permits> {
        // In this order for everybody, the subject's first and what is everybody's last: who waits
        // holds nothing that others wait for, but his own share, or his target's.
        let mut wanted: Vec<_> =
            shares.iter().map(|share| (&share.semaphore, units.min(share.units))).collect();
        wanted.push((&self.all, units.min(self.units)));
        let mut permits = Vec::new();
        for (semaphore, units) in wanted {
            let some = semaphore.clone().acquire_many_owned(units);
            // Nobody closes it.
            let Ok(Ok(permit)) = timeout_at(deadline, some).await else { return None };
            permits.push(permit);
        }
        Some(Permits { units: units.min(self.units), _all: permits })
    }

    /// How many have a share.
    #[cfg(test)]
    pub(super) fn holders(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Holder, (Arc<Semaphore>, usize)>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that was found, until it is dropped.
#[derive(Debug)]
pub(super) struct Permits {
    /// Of all the room.
    pub(super) units: u32,
    _all: Vec<OwnedSemaphorePermit>,
}

/// A share, for one connection.
#[derive(Debug)]
pub(super) struct Share {
    rooms: Arc<Rooms>,
    holder: Holder,
    semaphore: Arc<Semaphore>,
    units: u32,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut shares = self.rooms.lock();
        if let Some((_, connections)) = shares.get_mut(&self.holder) {
            *connections -= 1;
            if *connections == 0 {
                shares.remove(&self.holder);
            }
        }
    }
}

/// A subject has so small a part of the room ...
pub(in super::super) const SUBJECT_PART: u32 = 8;
/// ... and a target so small a one.
const TARGET_PART: u32 = 2;
