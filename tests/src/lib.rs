//! What tests of several crates share: [`cluster`] starts a real Apache RocketMQ, [`hot`] drives the
//! core's hot path alone.

pub mod cluster;
pub mod hot;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
