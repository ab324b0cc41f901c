//! The published Java client as a peer: a small program around it, compiled once a release, that
//! sends what it is told and says in JSON what the client returned.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::home::Home;
use super::jvm;
use super::process::run;
use super::release::{cache, create, fingerprint, jars, lock, require, require_java, write};
use super::{Error, Release, Result};

/// The Java client of one release.
#[derive(Clone, Debug)]
pub struct Peer {
    release: Release,
    jars: PathBuf,
    classes: PathBuf,
}

impl Peer {
    /// Compiles the program if this release has not been compiled from this source before.
    pub fn new(release: Release) -> Result<Self> {
        require_java()?;
        let jars = jars(release)?;
        let sources = sources(release);
        let texts: Vec<_> = sources.iter().map(|&(_, text)| text).collect();
        let classes = cache()?.join(format!("peer-{release}-{}", fingerprint(&texts)));
        let _lock = lock(&cache()?.join("peer.lock"), COMPILE_LIMIT)?;
        let marker = classes.join(".complete");
        if !marker.exists() {
            compile(release, sources, &jars, &classes)?;
            write(&marker, "")?;
        }
        Ok(Self { release, jars, classes })
    }

    /// Sends to `topic`, one step after another, and returns one object a result. A step is
    /// `api:count` or `api:count:body_bytes`, the api `sync`, `async` (results in the order of
    /// the callbacks), `oneway`, `selector` (by Java's hash of the key) or `batch` (one result).
    ///
    /// The i-th message of a step has the key `api-i` and the tag `api`; its body is the key,
    /// filled up with `x`. A result has `api`, `keys`, `msgId` and, except for `oneway`, `status`,
    /// `offsetMsgId`, `topic`, `broker`, `queueId`, `queueOffset`, `transactionId`, `regionId`
    /// and `traceOn`; or `api`, `keys`, `exception`, `text` and perhaps `responseCode`.
    pub fn send(&self, name_servers: &str, topic: &str, steps: &[&str]) -> Result<Vec<Value>> {
        let arguments = [&["send", topic, "java-peer"], steps].concat();
        self.run(&[&format!("-Drocketmq.namesrv.addr={name_servers}")], &arguments)
    }

    /// What Java reads from unique ids: `id`, `ip`, `timeMs`, `pid`.
    pub fn ids(&self, ids: &[&str]) -> Result<Vec<Value>> {
        self.run(&[], &[&["ids"], ids].concat())
    }

    /// What Java reads from stored messages given in hex, one object each: `isMessage`, and if so
    /// `topic`, `msgId`, `queueId`, `queueOffset`, `physicalOffset`, `storeSize`, `bodyCrc`,
    /// `flag`, `sysFlag`, `bornTimeMs`, `bornHost`, `storeTimeMs`, `storeHost`, `reconsumeTimes`,
    /// `preparedTransactionOffset`, `bodyHex` (decompressed) and `properties`.
    pub fn decode(&self, stored: &[&str]) -> Result<Vec<Value>> {
        self.run(&[], &[&["decode"], stored].concat())
    }

    /// Runs the program with JVM flags before its arguments, and reads what it printed.
    pub fn run(&self, flags: &[&str], arguments: &[&str]) -> Result<Vec<Value>> {
        let home = Home::create()?;
        let mut java = self.program(&home, flags, "Peer")?;
        java.args(arguments);
        let done = run(java, RUN_LIMIT, home.path())?;
        let text = format!("{}\n{}", done.stdout, done.stderr);
        if !done.status.success() {
            let ended = done.status;
            return Err(Error::new(format!("Java peer {} {ended}:\n{text}", self.release)));
        }
        let results = done.stdout.lines().filter(|line| line.starts_with('{'));
        let results: Result<_, _> = results.map(serde_json::from_str).collect();
        results.map_err(|error| Error::new(format!("Java peer: {error} in:\n{text}")))
    }

    /// A JVM that will run that main class in `home`.
    pub(super) fn program(&self, home: &Home, flags: &[&str], main: &str) -> Result<Command> {
        jvm::write_logback(self.release, home.path())?;
        let mut java = Command::new("java");
        jvm::common_flags(self.release, home.path(), &mut java);
        java.arg("-Xmx128m").args(flags).arg("-cp");
        java.arg(jvm::class_path(&[&self.classes], &self.jars)).arg(main);
        java.current_dir(home.path()).env_remove("NAMESRV_ADDR");
        Ok(java)
    }
}

type Sources = &'static [(&'static str, &'static str)];

/// File names and texts. The lasting client uses what only 5.4.0 has.
fn sources(release: Release) -> Sources {
    const BOTH: Sources = &[
        ("Peer.java", include_str!("../../interop/java/Peer.java")),
        ("Client.java", include_str!("../../interop/java/Client.java")),
    ];
    match release {
        Release::V5_4_0 => BOTH,
        Release::V4_9_7 => &BOTH[..1],
    }
}

fn compile(release: Release, sources: Sources, jars: &Path, classes: &Path) -> Result<()> {
    require("javac", "-version", "a JDK (Debian: apt-get install openjdk-17-jdk-headless)")?;
    create(classes)?;
    let mut javac = Command::new("javac");
    javac.args(["-proc:none", "-encoding", "UTF-8", "-nowarn", "-cp"]);
    javac.arg(jvm::class_path(&[], jars)).arg("-d").arg(classes);
    for (name, text) in sources {
        let source = classes.join(name);
        write(&source, text)?;
        javac.arg(source);
    }
    let done = run(javac, COMPILE_LIMIT, classes)?;
    if done.status.success() {
        return Ok(());
    }
    Err(Error::new(format!("javac for {release}:\n{}{}", done.stdout, done.stderr)))
}

const COMPILE_LIMIT: Duration = Duration::from_secs(120);
const RUN_LIMIT: Duration = Duration::from_secs(60);
