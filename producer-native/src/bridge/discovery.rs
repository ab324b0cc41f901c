//! Which brokers are there, and where are they dialled?
//!
//! Every so often the bridge asks its name servers for all brokers (GET_BROKER_CLUSTER_INFO) and
//! remembers those that the operator's [`Policy`] permits. What a page may reach is
//! (routes ∩ policy) ∪ the addresses that are always permitted.
//!
//! - A broker that no name server names any more stays for 90 s: registrations come and go while a
//!   broker restarts, and a page that just got its route must not find the door closed.
//! - What a name server says is no permission. A forged registration of an address outside the
//!   policy is counted, shown once, and never dialled.
//! - A broker that is registered by name is looked up here, the name only if the operator lists it.
//!   All addresses that are found go through the policy; one of those that pass is kept for as long
//!   as it is among them, and that one is dialled.

mod ask;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use producer_core::wire::cluster::ClusterInfo;
use tokio::time::Instant;

pub use ask::{AskError, ask};

use super::policy::{Denied, Policy, Target};

/// How long a broker stays permitted after a name server named it last.
pub const KEPT: Duration = Duration::from_secs(90);

/// Most brokers that are remembered, and most rejected addresses.
pub const ENTRIES_MAX: usize = 4_096;

/// What is known about brokers.
#[derive(Debug)]
pub struct Discovery {
    policy: Policy,
    /// By what routes call them.
    entries: HashMap<Target, Entry>,
    /// Texts of routes that were rejected, so that each is shown once.
    rejected: HashMap<String, Instant>,
    rejections: u64,
    answered: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    dialled: SocketAddr,
    seen: Instant,
}

/// What an answer of a name server brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Addresses that are permitted.
    pub permitted: usize,
    /// Addresses that are not, and why. Only those that were not rejected before, for a log.
    pub rejected: Vec<(String, Rejected)>,
    /// Names that the operator lists, to be looked up and handed to [`Discovery::found`].
    pub names: Vec<(String, u16)>,
}

/// Why an address that a name server names is not permitted.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// The policy is against it.
    Policy(Denied),
    /// It is neither an address as it should be written nor a name that is listed.
    Text,
    /// There are [`ENTRIES_MAX`] already.
    TooMany,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(denied) => denied.fmt(f),
            Self::Text => f.write_str("it is no plain ip:port, and no name that is listed"),
            Self::TooMany => write!(f, "there are {ENTRIES_MAX} already"),
        }
    }
}

/// The target is not permitted: pages are told this and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPermitted;

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this target is in no route, or not permitted")
    }
}

impl std::error::Error for NotPermitted {}

impl Discovery {
    /// Knows no broker yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            entries: HashMap::new(),
            rejected: HashMap::new(),
            rejections: 0,
            answered: None,
        }
    }

    /// What the operator permits.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A name server answered. Answers of several add up.
    pub fn learn(&mut self, now: Instant, brokers: &ClusterInfo) -> Learned {
        self.answered = Some(now);
        self.forget(now);
        let mut learned = Learned::default();
        for (_, broker) in &brokers.brokers {
            // Producers talk to masters, or to a slave that acts as one.
            let acting = broker.enable_acting_master == Some(true);
            let masters = broker.addresses.iter().filter(|(id, _)| acting || *id == 0);
            for (_, text) in masters {
                self.learn_one(now, text, &mut learned);
            }
        }
        learned
    }

    fn learn_one(&mut self, now: Instant, text: &str, learned: &mut Learned) {
        let outcome = match Target::parse(text, &self.policy.names) {
            Ok(Target::Address(address)) => self.add(now, address),
            Ok(Target::Name(name, port)) => {
                if learned.names.len() < ENTRIES_MAX {
                    learned.names.push((name, port));
                }
                return;
            }
            Ok(Target::NameServer) | Err(_) => Err(Rejected::Text),
        };
        match outcome {
            Ok(()) => learned.permitted += 1,
            Err(why) => self.reject(now, text, why, learned),
        }
    }

    /// A broker is at this address. Its second port, two below, is permitted with it if it is one
    /// of those the operator permits.
    fn add(&mut self, now: Instant, advertised: SocketAddr) -> Result<(), Rejected> {
        let dialled = self.policy.dialled(advertised).map_err(Rejected::Policy)?;
        self.insert(Target::Address(advertised), Entry { dialled, seen: now })?;
        let second = advertised.port().checked_sub(2);
        if let Some(port) = second.filter(|port| self.policy.ports.contains(port)) {
            let second = SocketAddr::new(advertised.ip(), port);
            if let Ok(dialled) = self.policy.dialled(second) {
                self.insert(Target::Address(second), Entry { dialled, seen: now })?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, target: Target, entry: Entry) -> Result<(), Rejected> {
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&target) {
            return Err(Rejected::TooMany);
        }
        self.entries.insert(target, entry);
        Ok(())
    }

    fn reject(&mut self, now: Instant, text: &str, why: Rejected, learned: &mut Learned) {
        self.rejections += 1;
        // What a broker registers may be long, and goes to a log.
        let shown: String = text.chars().take(80).map(plain).collect();
        if self.rejected.len() < ENTRIES_MAX && self.rejected.insert(shown.clone(), now).is_none() {
            learned.rejected.push((shown, why));
        }
    }

    /// A name of [`Learned::names`] was looked up, and these are its addresses. Returns what is
    /// dialled from now on.
    ///
    /// # Errors
    /// [`Rejected`] if none of them is permitted; what was found before then stays for its time.
    pub fn found(
        &mut self,
        now: Instant,
        name: &str,
        port: u16,
        ips: &[IpAddr],
    ) -> Result<SocketAddr, Rejected> {
        let target = Target::Name(name.to_owned(), port);
        let kept = self.entries.get(&target).map(|entry| entry.dialled);
        let mut denied = Denied::Network;
        let mut first = None;
        for ip in ips {
            match self.policy.dialled(SocketAddr::new(*ip, port)) {
                Ok(dialled) if Some(dialled) == kept => {
                    first = kept;
                    break;
                }
                Ok(dialled) => first = first.or(Some(dialled)),
                Err(why) => denied = why,
            }
        }
        let Some(dialled) = first else {
            self.rejections += 1;
            return Err(Rejected::Policy(denied));
        };
        self.insert(target, Entry { dialled, seen: now })?;
        Ok(dialled)
    }

    /// What to dial for a target that a page asks for. For [`Target::NameServer`] it is the bridge
    /// that chooses, so there is nothing to be found here.
    ///
    /// # Errors
    /// [`NotPermitted`].
    pub fn dialled(&self, now: Instant, target: &Target) -> Result<SocketAddr, NotPermitted> {
        if let Target::Address(address) = target
            && self.policy.always.contains(address)
        {
            return self.policy.dialled(*address).map_err(|_| NotPermitted);
        }
        let entry = self.entries.get(target).filter(|entry| now < entry.seen + KEPT);
        entry.map(|entry| entry.dialled).ok_or(NotPermitted)
    }

    /// How many targets are permitted by routes.
    pub fn entries(&self, now: Instant) -> usize {
        self.entries.values().filter(|entry| now < entry.seen + KEPT).count()
    }

    /// How many addresses were rejected, each as often as a name server named it.
    pub fn rejections(&self) -> u64 {
        self.rejections
    }

    /// How long ago a name server answered; `None` if none ever did.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.answered.map(|answered| now.saturating_duration_since(answered))
    }

    /// When a name server answered last.
    pub(super) fn answered(&self) -> Option<Instant> {
        self.answered
    }

    fn forget(&mut self, now: Instant) {
        self.entries.retain(|_, entry| now < entry.seen + KEPT);
        self.rejected.retain(|_, seen| now < *seen + SHOWN_AGAIN);
    }
}

/// A character that cannot change a line of a log.
fn plain(character: char) -> char {
    if character.is_ascii_graphic() { character } else { '?' }
}

/// After how long a rejected address is shown again.
const SHOWN_AGAIN: Duration = Duration::from_secs(3_600);
