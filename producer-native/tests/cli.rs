//! The binary `rocketmq-producer`: what it prints, and how it exits.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "cli/run.rs"]
mod run;

#[path = "cli/decode.rs"]
mod decode;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/route.rs"]
mod route;
#[path = "cli/send.rs"]
mod send;
#[path = "cli/usage.rs"]
mod usage;
