//! Does the bridge carry what it shall, and nothing else?
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "bridge/stage.rs"]
mod stage;
#[path = "bridge/world.rs"]
mod world;

#[path = "bridge/admitting.rs"]
mod admitting;
#[path = "bridge/carrying.rs"]
mod carrying;
#[path = "bridge/cluster.rs"]
mod cluster;
#[path = "bridge/ends.rs"]
mod ends;
#[path = "bridge/ways.rs"]
mod ways;
