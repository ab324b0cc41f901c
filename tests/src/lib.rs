//! What tests of several crates share: [`cluster`] starts a real Apache RocketMQ, [`hot`] drives the
//! core's hot path alone.

pub mod cluster;
pub mod hot;
