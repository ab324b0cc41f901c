//! A page in a real Chromium, the bridge, and a real cluster.

use tests::browser::{Real, Servers, play};
use tests::cluster::{Release, Result};

const SCENARIOS: &[&str] =
    &["send", "batch", "transaction", "lanes", "kill", "restart", "close", "worker"];

#[test]
fn interop_browser_5_4_0() -> Result<()> {
    let servers = Real::start(Release::V5_4_0)?;
    for topic in ["send", "batch", "commit", "rollback", "check", "lanes", "kill", "restart"] {
        servers.create_topic(topic, 4)?;
    }
    servers.create_topic("close", 4)?;
    servers.create_topic("worker", 4)?;
    play(&servers, "e2e.mjs", SCENARIOS)
}
