//! One program for all tests but those of `mutants`: each would compile the client of a world, and
//! what a test asks of it, again. `cargo test -p sim swarm::` runs those of a module.

mod support;

mod again;
#[cfg(feature = "bridge")]
mod bridge;
mod clock;
#[cfg(feature = "command")]
mod cluster_command;
mod embedded_cluster;
#[cfg(feature = "command")]
mod explore_command;
mod failover_table;
mod false_alarms;
#[cfg(feature = "world")]
mod features;
mod generated;
mod golden;
mod html;
mod kinds;
mod models;
mod ordering;
#[cfg(feature = "world")]
mod requests;
mod scale;
mod scenarios;
mod shrink;
mod swarm;
#[cfg(feature = "world")]
mod swarm_world;
mod timeline;
#[cfg(feature = "world")]
mod transactions;
#[cfg(feature = "world")]
mod world;
