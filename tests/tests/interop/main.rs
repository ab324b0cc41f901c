//! Against real clusters, clients and servers of Apache RocketMQ, as `./check interop` runs it: one
//! test after the other, each with its clusters, for they are large.
//!
//! What starts one begins with `interop_`; the others are about the tests themselves.

mod batch;
mod browser;
mod compat;
mod features;
mod harness;
mod java_features;
mod java_parity;
mod java_peer;
mod kill;
mod order;
mod request;
mod send;
mod tls;
mod topology;
mod trace;
mod transaction;
mod twin;
