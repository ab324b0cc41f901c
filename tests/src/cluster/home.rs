//! Where nodes keep their files: a folder under the system's temporary folder that goes away.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, io};

use super::Result;
use super::release::{create, lock, lock_if_free};

/// A new folder, removed when dropped, or by a later run if this process is killed.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    _lock: File,
}

impl Home {
    pub(super) fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let all = env::temp_dir().join("rocketmq-producer-tests");
        create(&all)?;
        // While one process sweeps or makes a folder, no other sweeps.
        let _entry = lock(&all.join("lock"), Duration::from_secs(60))?;
        sweep(&all);
        let name = format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = all.join(name);
        create(&path)?;
        let lock = lock(&path.join(LOCK), Duration::from_secs(1))?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        create(&path)?;
        Ok(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed now, the next run sweeps.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what killed processes left: folders whose lock nobody holds.
fn sweep(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let lock = entry.path().join(LOCK);
        if lock.exists() && matches!(lock_if_free(&lock), Ok(Some(_))) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The end of a log, whole lines; nothing if there is no such file.
pub(super) fn tail(path: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let from = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

const LOCK: &str = ".lock";
const TAIL_BYTES: u64 = 16_384;
const TAIL_LINES: usize = 30;
