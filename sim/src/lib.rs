//! Models of an Apache RocketMQ name server and broker, an embedded cluster made of them, and a
//! simulator of producers among them.
//!
//! [`model`] holds the models: sans-IO, deterministic, for tests in virtual time. [`serve`] puts
//! them on real TCP. A [`plan`] says what happens in a simulated run, [`pair`] executes it in
//! virtual time, [`check`] judges its [`history`]. The feature `world` puts models and the real
//! producer on a simulated network.

pub mod check;
pub mod dice;
pub mod history;
pub mod model;
pub mod pair;
pub mod plan;
pub mod serve;
pub mod shrink;
#[cfg(feature = "world")]
pub mod world;
