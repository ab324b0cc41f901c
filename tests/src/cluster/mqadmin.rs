//! The published `mqadmin`, for what people look at.

use std::process::Command;
use std::time::Duration;

use super::home::Home;
use super::process::run;
use super::release::{jars, require_java};
use super::{Error, Release, Result, jvm};

/// Runs `mqadmin` with these arguments and returns what it printed.
pub fn mqadmin(release: Release, arguments: &[&str]) -> Result<String> {
    require_java()?;
    let (jars, home) = (jars(release)?, Home::create()?);
    jvm::write_logback(release, home.path())?;
    let mut java = Command::new("java");
    jvm::common_flags(release, home.path(), &mut java);
    java.arg("-Xmx128m").arg("-cp").arg(jvm::class_path(&[], &jars));
    java.arg("org.apache.rocketmq.tools.command.MQAdminStartup").args(arguments);
    java.current_dir(home.path()).env_remove("NAMESRV_ADDR");
    let done = run(java, LIMIT, home.path())?;
    let text = format!("{}\n{}", done.stdout, done.stderr);
    if done.status.success() { Ok(text) } else { Err(Error::new(format!("mqadmin:\n{text}"))) }
}

const LIMIT: Duration = Duration::from_secs(60);
