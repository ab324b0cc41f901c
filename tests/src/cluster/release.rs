//! Which Apache RocketMQ, and where its jars are: copied out of Maven once, kept outside the
//! repository.

use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fmt};

use super::interop_wait::wait_for;
use super::process::run;
use super::{Error, Result};

/// A published release of Apache RocketMQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// The newest one the harness knows.
    V5_4_0,
    /// The last generation before 5.0, still run widely.
    V4_9_7,
}

impl Release {
    /// Every release that tests run against.
    pub const ALL: [Self; 2] = [Self::V5_4_0, Self::V4_9_7];

    /// As Maven spells it.
    pub fn version(self) -> &'static str {
        match self {
            Self::V5_4_0 => "5.4.0",
            Self::V4_9_7 => "4.9.7",
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version())
    }
}

/// The folder with the jars of `release`, servers and client, filled by Maven if it is not
/// complete. Safe to call from several processes at once.
pub fn jars(release: Release) -> Result<PathBuf> {
    let folder = cache()?.join(format!("jars-{release}-{}", fingerprint(&[SERVERS_POM])));
    let _lock = lock(&cache()?.join("jars.lock"), MAVEN_LIMIT)?;
    if is_complete(&folder) {
        return Ok(folder);
    }
    require("mvn", "--version", "Maven 3 (Debian: apt-get install maven)")?;
    let pom = cache()?.join("servers.pom.xml");
    write(&pom, SERVERS_POM)?;
    let copy = |mode: &[&str]| {
        let mut mvn = Command::new("mvn");
        mvn.args(mode).args(["-q", "-B", "dependency:copy-dependencies", "-f"]).arg(&pom);
        mvn.arg(format!("-DoutputDirectory={}", folder.display()));
        mvn.arg(format!("-Drelease={release}"));
        run(mvn, MAVEN_LIMIT, &cache()?)
    };
    if !copy(&["-o"])?.status.success() {
        say(format_args!("asking Maven for the jars of Apache RocketMQ {release}"));
        let online = copy(&[])?;
        if !online.status.success() {
            return Err(Error::new(format!(
                "Maven could not copy the jars of Apache RocketMQ {release}; it needs the network \
                 (or a mirror in its settings) the first time:\n{}\n{}",
                online.stdout, online.stderr
            )));
        }
    }
    write(&folder.join(COMPLETE), &count_jars(&folder).to_string())?;
    Ok(folder)
}

/// `$ROCKETMQ_PRODUCER_CACHE`, or `rocketmq-producer-tests` in the user's cache folder.
pub(super) fn cache() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("ROCKETMQ_PRODUCER_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("rocketmq-producer-tests")))
        .or_else(|| Some(set("HOME")?.join(".cache/rocketmq-producer-tests")))
        .ok_or_else(|| Error::new("no cache folder: set ROCKETMQ_PRODUCER_CACHE"))?;
    create(&folder)?;
    Ok(folder)
}

/// Writes a line past the capture of test output, so that a log shows what really ran.
pub(super) fn say(line: fmt::Arguments<'_>) {
    // Nobody to tell if stderr is gone.
    let _ = writeln!(std::io::stderr(), "real cluster: {line}");
}

/// Fails with a text that names `package` unless `program` starts.
pub(super) fn require(program: &str, version_flag: &str, package: &str) -> Result<()> {
    let probe = Command::new(program).arg(version_flag).output();
    match probe {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Error::new(format!(
            "{program} {version_flag} failed, the real cluster needs {package}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))),
        Err(error) => Err(Error::new(format!(
            "{program} does not start ({error}), the real cluster needs {package}"
        ))),
    }
}

/// Checked once a process.
pub(super) fn require_java() -> Result<()> {
    static FOUND: OnceLock<Result<()>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            require(
                "java",
                "-version",
                "a JDK 17 (Debian: apt-get install openjdk-17-jdk-headless)",
            )
        })
        .clone()
}

/// Holds the lock of the file at `path` until the answer is dropped.
pub(super) fn lock(path: &Path, limit: Duration) -> Result<File> {
    let file = open_lock(path)?;
    let taken = wait_for(limit, || match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::doing("locking")(error)),
    })?;
    taken.ok_or_else(|| Error::new(format!("{} stayed locked for {limit:?}", path.display())))?;
    Ok(file)
}

/// The lock, or `None` if somebody holds it.
pub(super) fn lock_if_free(path: &Path) -> Result<Option<File>> {
    let file = open_lock(path)?;
    Ok(file.try_lock().is_ok().then_some(file))
}

fn open_lock(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    options.open(path).map_err(Error::doing(format!("opening {}", path.display())))
}

pub(super) fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::doing(format!("creating {}", folder.display())))
}

pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::doing(format!("writing {}", path.display())))
}

/// Names a cache entry after all it was made from.
pub(super) fn fingerprint(sources: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The marker holds the number of jars, so a folder that lost some is filled again.
fn is_complete(folder: &Path) -> bool {
    let expected = fs::read_to_string(folder.join(COMPLETE));
    expected.is_ok_and(|expected| expected == count_jars(folder).to_string())
}

fn count_jars(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let is_jar = |path: PathBuf| path.extension().is_some_and(|extension| extension == "jar");
    entries.filter(|entry| entry.as_ref().is_ok_and(|entry| is_jar(entry.path()))).count()
}

const SERVERS_POM: &str = include_str!("../../interop/servers.pom.xml");
const COMPLETE: &str = ".complete";
const MAVEN_LIMIT: Duration = Duration::from_secs(600);
