//! How many connections, and how fast?
//!
//! A connection is counted three times in its life: as a *knock* from the moment it is accepted
//! until its request was judged, by its request's address against a rate, and as *admitted* until it
//! ends. All of it is bounded, however many addresses come: what is known about an address that has
//! no connection is forgotten when its rate has recovered, and when there is no room left, addresses
//! that are new wait.
//!
//! An IPv6 address counts as its /64: whoever has one of those has all. Whoever has many of those is
//! met when there are too many knocks: then the oldest knock of the /48 (of IPv4, of the /24) that has
//! most is given up, and the one that comes has its place. So sockets that say nothing keep nobody
//! out, unless they come from so many networks, and so fast, that [`LimitSettings::knocks_max`] of them
//! come within the time of an honest handshake.

mod knocks;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

pub use knocks::Knock;
use knocks::Knocks;

/// How much is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Connections admitted at a time. Default 10,000.
    pub connections_max: usize,
    /// Those of one address. Default 64.
    pub connections_per_ip_max: u32,
    /// Those of one token's subject. Default 32.
    pub connections_per_subject_max: u32,
    /// Connections whose request was not judged yet; with one more, the oldest of whoever has most is
    /// closed. Default 256.
    pub knocks_max: usize,
    /// Those of one address. Default 8.
    pub knocks_per_ip_max: u32,
    /// Requests a second of one address. Default 20.
    pub requests_per_second: u32,
    /// Requests of one address that may come at once after a rest. Default 20.
    pub requests_burst: u32,
    /// Dials to one target at a time. Default 64.
    pub dials_per_target_max: u32,
    /// Addresses about which something is known. Default 65,536, some 6 MB.
    pub ips_max: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_ip_max: 64,
            connections_per_subject_max: 32,
            knocks_max: 256,
            knocks_per_ip_max: 8,
            requests_per_second: 20,
            requests_burst: 20,
            dials_per_target_max: 64,
            ips_max: 65_536,
        }
    }
}

/// Which limit was met.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Connections in all.
    Connections,
    /// Connections of the address.
    ConnectionsOfIp,
    /// Connections of the token's subject.
    ConnectionsOfSubject,
    /// Connections in all whose request was not judged.
    Knocks,
    /// Those of the address.
    KnocksOfIp,
    /// Requests of the address in a time.
    Rate {
        /// When the next one may come.
        retry_after: Duration,
    },
    /// Addresses that something is known about.
    Ips,
    /// Dials to the target.
    Dials,
}

impl Over {
    /// When to try again: exact for a rate, else a guess.
    pub const fn retry_after(&self) -> Duration {
        match self {
            Self::Rate { retry_after } => *retry_after,
            _ => Duration::from_secs(5),
        }
    }

    /// One word for it, for figures.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsOfIp => "connections-ip",
            Self::ConnectionsOfSubject => "connections-subject",
            Self::Knocks => "handshakes",
            Self::KnocksOfIp => "handshakes-ip",
            Self::Rate { .. } => "rate",
            Self::Ips => "addresses",
            Self::Dials => "dials",
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "too many connections",
            Self::ConnectionsOfIp => "too many connections from this address",
            Self::ConnectionsOfSubject => "too many connections with this token",
            Self::Knocks => "too many handshakes at a time",
            Self::KnocksOfIp => "too many handshakes at a time from this address",
            Self::Rate { .. } => "too many new connections from this address",
            Self::Ips => "too many addresses at a time",
            Self::Dials => "too many dials to this target at a time",
        })
    }
}

impl std::error::Error for Over {}

/// A connection that was admitted; to be given back by [`Limits::release`].
#[derive(Debug)]
#[must_use]
pub struct Admission {
    ip: Ip,
    subject: Option<u64>,
}

/// A dial under way; to be given back by [`Limits::dialled`].
#[derive(Debug)]
#[must_use]
pub struct Dial(SocketAddr);

/// Counts connections.
#[derive(Debug)]
pub struct Limits {
    settings: LimitSettings,
    knocks: Knocks,
    connections: usize,
    ips: HashMap<Ip, OfIp>,
    /// Addresses at which those without connections are looked for.
    sweep_at: usize,
    swept: Option<Instant>,
    /// By hash, so that nothing grows with the length of subjects; empty ones are not counted.
    subjects: HashMap<u64, u32>,
    hasher: RandomState,
    dials: HashMap<SocketAddr, u32>,
}

/// An IPv4 address, or the upper half of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ip {
    V4(u32),
    V6(u64),
}

#[derive(Debug, Default)]
struct OfIp {
    knocks: u32,
    connections: u32,
    /// When the requests so far would have come, had they come evenly.
    even: Option<Instant>,
}

impl OfIp {
    fn is_forgettable(&self, now: Instant) -> bool {
        self.knocks == 0 && self.connections == 0 && self.even.is_none_or(|even| even <= now)
    }
}

impl Limits {
    /// Counts from zero.
    pub fn new(settings: LimitSettings) -> Self {
        Self {
            settings,
            knocks: Knocks::default(),
            connections: 0,
            ips: HashMap::new(),
            sweep_at: SWEEP_FIRST,
            swept: None,
            subjects: HashMap::new(),
            hasher: RandomState::new(),
            dials: HashMap::new(),
        }
    }

    /// A connection was accepted. `ip` is its peer's; `None` if that is a trusted proxy, which
    /// speaks for many.
    ///
    /// # Errors
    /// [`Over`]: it is to be closed at once.
    pub fn knock(&mut self, now: Instant, ip: Option<IpAddr>) -> Result<Knock, Over> {
        let LimitSettings { knocks_max, knocks_per_ip_max, .. } = self.settings;
        let ip = ip.map(Ip::of);
        if let Some(ip) = ip
            && self.of_ip(now, ip)?.knocks >= knocks_per_ip_max
        {
            return Err(Over::KnocksOfIp);
        }
        if self.knocks.len() >= knocks_max {
            let given_up = self.knocks.give_up_one().ok_or(Over::Knocks)?;
            self.less(given_up);
        }
        if let Some(ip) = ip {
            self.of_ip(now, ip)?.knocks += 1;
        }
        Ok(self.knocks.add(ip))
    }

    /// A knock of this address is over.
    fn less(&mut self, ip: Option<Ip>) {
        if let Some(of_ip) = ip.and_then(|ip| self.ips.get_mut(&ip)) {
            of_ip.knocks -= 1;
        }
    }

    /// A request was read, and this is the address it comes from.
    ///
    /// # Errors
    /// [`Over::Rate`] or [`Over::Ips`]: it is not to be judged, which would cost something.
    pub fn request(&mut self, now: Instant, ip: IpAddr) -> Result<(), Over> {
        let LimitSettings { requests_per_second, requests_burst, .. } = self.settings;
        let every = Duration::from_secs(1) / requests_per_second.max(1);
        let ahead = every * requests_burst.saturating_sub(1);
        let of_ip = self.of_ip(now, Ip::of(ip))?;
        let even = of_ip.even.map_or(now, |even| even.max(now));
        let early = (even - now).saturating_sub(ahead);
        if !early.is_zero() {
            return Err(Over::Rate { retry_after: early });
        }
        of_ip.even = Some(even + every);
        Ok(())
    }

    /// A request was judged and is good: the connection is admitted, or a limit is in the way. The
    /// knock is over in either case.
    ///
    /// # Errors
    /// [`Over`]: which limit.
    pub fn admit(
        &mut self,
        now: Instant,
        knock: Knock,
        ip: IpAddr,
        subject: &str,
    ) -> Result<Admission, Over> {
        self.leave(knock);
        let ip = Ip::of(ip);
        let subject = (!subject.is_empty()).then(|| self.hasher.hash_one(subject));
        let of_subject = subject.and_then(|subject| self.subjects.get(&subject)).copied();
        let LimitSettings { connections_max, connections_per_ip_max, .. } = self.settings;
        if self.connections >= connections_max {
            return Err(Over::Connections);
        }
        if of_subject.unwrap_or(0) >= self.settings.connections_per_subject_max {
            return Err(Over::ConnectionsOfSubject);
        }
        let of_ip = self.of_ip(now, ip)?;
        if of_ip.connections >= connections_per_ip_max {
            return Err(Over::ConnectionsOfIp);
        }
        of_ip.connections += 1;
        if let Some(subject) = subject {
            *self.subjects.entry(subject).or_default() += 1;
        }
        self.connections += 1;
        Ok(Admission { ip, subject })
    }

    /// A connection ended before it was admitted.
    #[allow(clippy::needless_pass_by_value, reason = "it is over")]
    pub fn leave(&mut self, knock: Knock) {
        if let Some(ip) = self.knocks.remove(&knock) {
            self.less(ip);
        }
    }

    /// An admitted connection ended.
    pub fn release(&mut self, Admission { ip, subject }: Admission) {
        self.connections -= 1;
        if let Some(of_ip) = self.ips.get_mut(&ip) {
            of_ip.connections -= 1;
        }
        if let Some(subject) = subject {
            give_back(&mut self.subjects, &subject);
        }
    }

    /// A target is about to be dialled.
    ///
    /// # Errors
    /// [`Over::Dials`]: too many wait for it already.
    pub fn dial(&mut self, target: SocketAddr) -> Result<Dial, Over> {
        let dials = self.dials.entry(target).or_default();
        if *dials >= self.settings.dials_per_target_max {
            return Err(Over::Dials);
        }
        *dials += 1;
        Ok(Dial(target))
    }

    /// A dial ended, in whatever way.
    pub fn dialled(&mut self, Dial(target): Dial) {
        give_back(&mut self.dials, &target);
    }

    /// Connections that are admitted.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Connections whose request was not judged yet.
    pub fn knocks(&self) -> usize {
        self.knocks.len()
    }

    /// What is known about an address.
    fn of_ip(&mut self, now: Instant, ip: Ip) -> Result<&mut OfIp, Over> {
        if !self.ips.contains_key(&ip) {
            let full = self.ips.len() >= self.settings.ips_max;
            // When there is no room, at most once in a while: those who come are not to keep us
            // looking.
            let rested = self.swept.is_none_or(|swept| now >= swept + SWEEP_PAUSE);
            if self.ips.len() >= self.sweep_at && (!full || rested) {
                self.ips.retain(|_, of_ip| !of_ip.is_forgettable(now));
                self.swept = Some(now);
                self.sweep_at = (2 * self.ips.len()).clamp(SWEEP_FIRST, self.settings.ips_max);
            }
            if self.ips.len() >= self.settings.ips_max {
                return Err(Over::Ips);
            }
        }
        Ok(self.ips.entry(ip).or_default())
    }
}

fn give_back<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Ip {
    pub(super) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

/// Addresses below which nothing is forgotten.
const SWEEP_FIRST: usize = 1_024;
/// How long a table that is full is left alone after it was looked through.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// How fast one connection may go: whoever reads waits for as long as it says. Nothing is refused.
#[derive(Debug, Clone)]
pub struct Pace {
    bytes_per_second: u64,
    frames_per_second: u64,
    /// When what was read so far would have come, had it come evenly.
    bytes_even: Instant,
    frames_even: Instant,
}

impl Pace {
    /// A connection that starts now. Usual are 20 MiB and 50,000 frames a second.
    pub fn new(now: Instant, bytes_per_second: u64, frames_per_second: u64) -> Self {
        let (bytes_per_second, frames_per_second) =
            (bytes_per_second.max(1), frames_per_second.max(1));
        Self { bytes_per_second, frames_per_second, bytes_even: now, frames_even: now }
    }

    /// So much was read. Returns how long to wait before more is; zero while it is no more than
    /// [`Self::AHEAD`] ahead of an even pace.
    pub fn read(&mut self, now: Instant, bytes: u64, frames: u64) -> Duration {
        let spend = |even: &mut Instant, units: u64, per_second: u64| {
            let nanos = u128::from(units) * 1_000_000_000 / u128::from(per_second);
            let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 4));
            *even = (*even).max(now) + cost;
            (*even - now).saturating_sub(Self::AHEAD)
        };
        let bytes = spend(&mut self.bytes_even, bytes, self.bytes_per_second);
        let frames = spend(&mut self.frames_even, frames, self.frames_per_second);
        bytes.max(frames)
    }

    /// How far ahead of an even pace a connection may be.
    pub const AHEAD: Duration = Duration::from_millis(100);
}

#[cfg(test)]
mod tests;
