//! What tests of several crates share: [`browser`] serves pages, [`cluster`] starts a real Apache
//! RocketMQ, [`interop`]
//! sends to it and accounts for every message, [`parity`] reads the table of Java's members,
//! [`compat`] collects what was seen to work.

pub mod browser;
pub mod cluster;
pub mod compat;
pub mod interop;
pub mod parity;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
