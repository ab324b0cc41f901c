//! The binary `rocketmq-producer`: what it prints, and how it exits.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "cli/run.rs"]
mod run;

#[path = "tls/front.rs"]
#[expect(dead_code, reason = "used in full by the tests of TLS")]
mod front;
#[path = "proxy/tiny.rs"]
#[expect(dead_code, reason = "used in full by the tests of proxies")]
mod tiny;

#[path = "cli/admin.rs"]
mod admin;
#[path = "cli/decode.rs"]
mod decode;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/exchange.rs"]
mod exchange;
#[path = "cli/reach.rs"]
mod reach;
#[path = "cli/route.rs"]
mod route;
#[path = "cli/send.rs"]
mod send;
#[path = "cli/usage.rs"]
mod usage;
