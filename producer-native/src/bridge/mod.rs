//! The WebSocket bridge: carries the remoting protocol's own frames between pages and a cluster.
//!
//! A page, or a service that only HTTP leads out of, reaches name servers and brokers by one URL
//! each: `/v1/connect/ns`, and `/v1/connect/10.0.0.5:10911` as the route data prints it. The bridge
//! holds no message and no state of a producer; it knows frames, request codes, targets and tenants.
//!
//! ```no_run
//! use producer_native::Address;
//! use producer_native::bridge::{Bridge, BridgeConfig};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let name_servers = Address::list("127.0.0.1:9876")?;
//! let bridge = Bridge::builder(BridgeConfig { name_servers, ..BridgeConfig::dev() }).build();
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:7070").await?;
//! bridge.serve(listener).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The protocol `rmq-tcp.v1`
//!
//! ```text
//! GET /v1/connect/ns                   Sec-WebSocket-Protocol: rmq-tcp.v1, bearer.<base64url(token)>
//!   Host, Origin, token, target        before 101; a refusal is a plain 4xx, and nothing was dialled
//! 101                                  then the dial, 3 s
//! {"v":1,"hello":"ns","maxFrame":4259844,"pingMs":20000,"expiresInMs":null}   now it is open
//! binary messages                      bytes of the TCP stream, cut anywhere, in both directions
//! text messages                        {"token":"..."} before the old one expires, one a second at most,
//!                                      {"traceparent":"..."};
//!                                      from the bridge: {"v":1,"token":"ok",...}, {"v":1,"draining":true}
//! ```
//!
//! | close code | means | the page should |
//! |---|---|---|
//! | 1000 | done | nothing |
//! | 1001 | the bridge stops | come back at once, with some jitter |
//! | 1002, 1008, 1009 | it broke the protocol, or the filter refused a frame | not try that again |
//! | 1013 | a limit; the reason ends with `retry-after=` milliseconds | wait so long |
//! | 4001 | the token has expired, or its successor is not good | get a new one |
//! | 4008, 4009 | idle, or too old | come back when there is something to send |
//! | 4502, 4504 | the broker refuses connections, or does not answer | try another broker |
//! | 4510, 4511 | the broker reset, or closed, its connection | as after any broken connection |
//!
//! Before it ends a connection that works (1001, 4001, 4009), the bridge says `draining` and waits
//! until no answers are on their way, two seconds at most: a client that stops writing then has
//! nothing unknown. What it writes nevertheless, before it answers the close, is delivered.
//!
//! # What it protects from
//!
//! | | threat | defence |
//! |---|---|---|
//! | T1 | any page opens our WebSocket | `Origin` is the own host or listed; none and `null` are refused; nothing ambient like a cookie counts |
//! | T2 | a name of somebody else leads here (DNS rebinding) | `Host` must be a name of ours |
//! | T3 | a page reaches what it likes | a target is in the routes, permitted, and dialled by the address that was compared; one answer for all that is refused |
//! | T4 | a forged registration | routes are cut down to the operator's networks and ports |
//! | T5 | admin commands | request codes are on a list, or refused before their first byte is passed on |
//! | T6 | two readers read two things | binary headers only, lengths checked, responses refused |
//! | T7 | tokens in logs and referrers | they come as a subprotocol; queries are refused; no log has one |
//! | T8 | keys of the cluster in a page | not needed: tokens are of the bridge, and end; it signs for pages ([`signing`]), and drops what keys they bring |
//! | T9 | slow and silent requests | 5 s in all; few sockets before they are answered, and whoever has most of them makes room |
//! | T10 | memory | messages, frames and buffers are bounded, and each direction reads only what it has written |
//! | T11 | compressed bombs | no compression is agreed on |
//! | T12 | storms of reconnects | a rate an address, told when to come back; a drain that is spread |
//! | T13 | eavesdroppers | TLS, or loopback, or a proxy that has it: nothing else is served |
//! | T14 | forged client addresses | `X-Forwarded-For` counts from listed proxies only |
//! | T15 | bytes in another's connection | all state is the connection's own |
//! | T16 | another tenant's topics | a token names topics and groups, and each frame is compared |
//! | T17 | scripts in a page of this origin | there are no pages of this origin, unless somebody gives it some ([`BridgeBuilder::pages`]) |
//!
//! The tests `t01` to `t17` (`tests/bridge/threats`, `tests/bridge_filter.rs`) each fail when the
//! defence beside them is taken out.
//!
//! # What it does not protect from
//!
//! * A script in *your* page has the page's token: keep tokens short-lived and narrow.
//! * A broker is not protected from what it allows: a page that may send, may send a lot. There are
//!   limits for each connection, not for a topic.
//! * Whoever holds an operator's account of the bridge's machine, its keys or its configuration.
//! * With a [`Signer`] all pages are one account to a broker. Who may do what is in the tokens, and the
//!   account should have no more than all of them together.
//! * Sockets that say nothing, from so many networks and so fast, that honest handshakes have no time
//!   ([`LimitSettings::knocks_max`]). More than nine subjects at a time that let large frames trickle
//!   ([`signing`]).
//! * Answers are not filtered: a page sees the routes of the topics it may ask for, with addresses.

mod config;
mod connection;
mod control;
pub mod discovery;
mod down;
mod ending;
pub mod filter;
mod flow;
pub mod grants;
mod handshake;
mod http;
mod inbox;
pub mod limits;
mod listen;
mod metrics;
mod name_servers;
mod page;
mod pages;
mod phase;
pub mod policy;
mod proxies;
mod proxy_v2;
mod relay;
mod routes;
mod server;
mod settings;
mod shared;
pub mod signing;
mod tls;
pub mod token;
mod tokens;
mod up;
mod watch;

pub use config::{BridgeConfig, ConnectionRules, Drain, WithoutOrigin};
pub use discovery::{AskError, Discovery, Learned, NotPermitted, Rejected};
pub use ending::{By, CloseCode};
pub use filter::{Filter, FilterLimits, Refusal, TargetKind, Verdict, Why};
pub use grants::{Grants, InvalidPattern, NamePattern, Names};
pub use handshake::{SUBPROTOCOL, TOKEN_PREFIX};
pub use limits::{Admission, Dial, Knock, LimitSettings, Limits, Over, Pace};
pub use listen::Listen;
pub use metrics::Metrics;
pub use policy::{Denied, InvalidNetwork, InvalidTarget, Network, Policy, Target};
pub use server::{Bridge, BridgeBuilder};
pub use settings::{BridgeSettings, KeyWatch, OpenError};
pub use signing::{Signer, SigningRules};
pub use tls::ServerTls;
pub use token::{InvalidKeys, KeyFile, Keys, TokenError, TokenSettings, Verifier};
pub use tokens::Tokens;
