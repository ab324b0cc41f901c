//! Which certificate does the listener show, and since when?

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::transport::{TlsError, tls_server};

/// A certificate and its key, in files that may be replaced while the bridge runs. They are looked
/// at every few seconds; connections that there are keep what they were shown.
pub struct ServerTls {
    chain: PathBuf,
    key: PathBuf,
    shown: Mutex<Shown>,
}

struct Shown {
    config: Arc<ServerConfig>,
    /// Of both files, when they were read.
    stamps: Option<[Stamp; 2]>,
}

/// When a file was written, and its length.
type Stamp = (SystemTime, u64);

impl ServerTls {
    /// Reads a PEM chain, the own certificate first, and its private key in PEM, not encrypted.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read, or they do not fit together.
    pub fn open(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (chain, key) = (chain.into(), key.into());
        let stamps = stamps(&chain, &key);
        let config = tls_server(&chain, &key)?;
        Ok(Self { chain, key, shown: Mutex::new(Shown { config, stamps }) })
    }

    /// Reads the files again if one of them was replaced, on this thread. If they cannot be used,
    /// what was shown is still shown, and they are read again at the next look: certificate and key
    /// are rarely replaced at once.
    ///
    /// # Errors
    /// [`TlsError`], as from [`open`](Self::open).
    pub fn look(&self) -> Result<(), TlsError> {
        let stamps = stamps(&self.chain, &self.key);
        if self.lock().stamps == stamps {
            return Ok(());
        }
        let config = tls_server(&self.chain, &self.key)?;
        *self.lock() = Shown { config, stamps };
        Ok(())
    }

    /// For a connection that begins.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.lock().config.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("chain", &self.chain).finish_non_exhaustive()
    }
}

fn stamps(chain: &Path, key: &Path) -> Option<[Stamp; 2]> {
    let stamp = |path: &Path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    Some([stamp(chain)?, stamp(key)?])
}
