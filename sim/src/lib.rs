//! Models of an Apache RocketMQ name server and broker, and an embedded cluster made of them.
//!
//! [`model`] holds the models: sans-IO, deterministic, for tests in virtual time. [`serve`] puts
//! them on real TCP.

pub mod model;
pub mod serve;
