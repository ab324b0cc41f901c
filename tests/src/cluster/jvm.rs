//! How a JVM of the harness is started: flags that make servers start fast and quietly.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::release::{create, write};
use super::{Release, Result};

/// Everything before the heap size and the main class.
pub(super) fn server_flags(release: Release, jars: &Path, home: &Path, java: &mut Command) {
    for package in ["sun.nio.ch", "sun.security.x509"] {
        java.args(["--add-exports", &format!("java.base/{package}=ALL-UNNAMED")]);
    }
    // Without jdk.internal.ref 4.9.7 ends with 253 when its store is not empty.
    for package in [
        "java.nio",
        "java.util",
        "java.lang",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "jdk.internal.misc",
        "jdk.internal.ref",
    ] {
        java.args(["--add-opens", &format!("java.base/{package}=ALL-UNNAMED")]);
    }
    // By default each server makes an RSA key at start: up to 10 s of CPU time.
    let tls = home.join(TLS);
    if tls.exists() {
        java.arg("-Dtls.server.mode=permissive").arg(define("tls.config.file", &tls));
    } else {
        java.arg("-Dtls.server.mode=disabled");
    }
    common_flags(release, home, java);
    java.arg("-cp").arg(class_path(&[], jars));
}

/// What servers and the Java peer share; `home` has been through [`write_logback`].
pub(super) fn common_flags(release: Release, home: &Path, java: &mut Command) {
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
    java.arg(define("user.home", home)).arg(define("java.io.tmpdir", home));
    match release {
        Release::V5_4_0 => {
            java.arg(define("rmq.logback.configurationFile", &home.join("quiet.xml")))
        }
        Release::V4_9_7 => java.arg(define("rocketmq.client.logRoot", &home.join("logs"))),
    };
}

/// Puts the quiet logback file where `release` looks for it; the log is `server.log` in `home`.
pub(super) fn write_logback(release: Release, home: &Path) -> Result<()> {
    match release {
        Release::V5_4_0 => write(&home.join("quiet.xml"), QUIET_5),
        Release::V4_9_7 => {
            create(&home.join("conf"))?;
            for kind in ["broker", "namesrv", "tools"] {
                write(&home.join(format!("conf/logback_{kind}.xml")), QUIET_4)?;
            }
            Ok(())
        }
    }
}

/// `folders` first, then all jars of `jars`.
pub(super) fn class_path(folders: &[&Path], jars: &Path) -> OsString {
    let mut path = OsString::new();
    for folder in folders {
        path.push(folder);
        path.push(":");
    }
    path.push(jars.join("*"));
    path
}

fn define(property: &str, value: &Path) -> OsString {
    let mut flag = OsString::from(format!("-D{property}="));
    flag.push(value);
    flag
}

/// What [`Builder::tls`](super::Builder::tls) writes into a node's folder.
pub(super) const TLS: &str = "tls.properties";
const QUIET_5: &str = include_str!("../../interop/logback/quiet-5.xml");
const QUIET_4: &str = include_str!("../../interop/logback/quiet-4.xml");
