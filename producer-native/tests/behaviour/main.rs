//! What the driver does on loopback sockets and under a paused clock.
//!
//! One program: linking one for each file takes longer than running them all. What counts
//! allocations, measures memory or sets what a process has once has its own.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "tls")]
#[path = "../tls/front.rs"]
mod front;
#[path = "../proxy/tiny.rs"]
mod tiny;

mod auto_batch;
mod batches;
mod blocking;
mod building;
mod cancelling;
mod clients;
mod compression;
mod discovery;
mod ending;
mod examples;
mod failover;
mod features;
mod hooks;
mod load;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod proxy;
mod sending;
#[cfg(feature = "config")]
mod settings;
#[cfg(feature = "tls")]
mod tls;
mod transactions;
mod trouble;
