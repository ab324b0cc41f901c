//! The catalogue of scenarios: what goes wrong, and what does the producer make of it?
//!
//! Each is a plan of a few lines that runs in every way of sending that can show something, with
//! each strategy against failing brokers, in virtual time; every run is judged by all invariants
//! and by the scenario's own figures. `cargo test -p sim --test simulator scenarios -- --nocapture` prints
//! the table of those figures.

mod brokers;
mod bytes;
mod changes;
mod client;
mod load;
mod network;
mod roles;
mod routing;
mod scene;
mod seen;

use scene::{Row, Scene, Way};
use seen::Seen;
