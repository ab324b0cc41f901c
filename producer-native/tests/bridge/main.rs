//! Does the bridge carry what it shall, and nothing else? And does our producer get through it?
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../counting/mod.rs"]
mod counting;
mod stage;
mod world;

mod admitting;
mod allocations;
mod carrying;
mod cluster;
#[cfg(all(feature = "bridge-cli", feature = "websocket"))]
mod command;
mod ends;
mod hostile;
mod threats;
mod ways;
#[cfg(feature = "websocket")]
#[path = "../websocket/mod.rs"]
mod websocket;
