//! Does our producer get through our bridge?
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "bridge/stage.rs"]
mod stage;
#[path = "bridge/world.rs"]
mod world;

#[path = "websocket/cluster.rs"]
mod cluster;
#[path = "websocket/signing.rs"]
mod signing;
#[path = "websocket/tls.rs"]
mod tls;
#[path = "websocket/tokens.rs"]
mod tokens;
#[path = "websocket/tunnel.rs"]
mod tunnel;
