//! What tests of several crates share: [`cluster`] starts a real Apache RocketMQ.

pub mod cluster;
