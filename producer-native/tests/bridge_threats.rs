//! Each threat of the bridge's threat model, and the test that fails when its defence is removed.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "bridge/stage.rs"]
mod stage;

#[path = "bridge/threats/frames.rs"]
mod frames;
#[path = "bridge/hostile/mod.rs"]
mod hostile;
#[path = "bridge/threats/keys.rs"]
mod keys;
#[path = "bridge/threats/requests.rs"]
mod requests;
#[path = "bridge/threats/resources.rs"]
mod resources;
