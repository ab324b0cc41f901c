//! Ports nobody else takes: groups of four below the ephemeral range, one lock file a group.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use super::release::{cache, create, lock_if_free};
use super::{Error, Result};

/// The ports of one node while it lives: a broker listens on its port, its VIP port two below,
/// and its replication port one above.
#[derive(Debug)]
pub(super) struct Ports {
    listen: u16,
    _lock: File,
}

impl Ports {
    /// Takes a free group. The lock keeps other harnesses away, the bind test everybody else.
    pub(super) fn take() -> Result<Self> {
        let folder = cache()?.join("ports");
        create(&folder)?;
        // Processes start their search apart, so that they seldom meet.
        let first = (process::id() % u32::from(GROUPS)) as u16 * 7;
        for _ in 0..GROUPS {
            let nth = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % GROUPS;
            let listen = LOWEST + nth * 4 + 2;
            let lock = lock_if_free(&folder.join(listen.to_string()))?;
            let is_free = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
            if let Some(lock) = lock
                && [listen - 2, listen, listen + 1].into_iter().all(is_free)
            {
                return Ok(Self { listen, _lock: lock });
            }
        }
        Err(Error::new(format!("no free ports from {LOWEST} to {}", LOWEST + GROUPS * 4)))
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.listen).into()
    }

    pub(super) fn replication(&self) -> u16 {
        self.listen + 1
    }
}

static NEXT: AtomicU16 = AtomicU16::new(0);
const LOWEST: u16 = 20_000;
/// Up to port 32000: Linux gives out ephemeral ports from 32768 on.
const GROUPS: u16 = 3_000;
