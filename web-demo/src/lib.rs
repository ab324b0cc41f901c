//! The demonstration in the browser: an embedded cluster, the bridge and a page, on one port.
//!
//! Everything is in this process and on loopback: two name servers, three brokers of which one has a
//! slave ([`sim::serve`]), the bridge ([`producer_native::bridge`]) that lets in pages of its own
//! origin only, and beside it the files of the page and an interface that breaks the cluster and
//! reads its logs.
//!
//! # The interface of the page
//!
//! | request | answer |
//! |---|---|
//! | `GET /backend.json` | JSON: that there is a cluster; as a mere file it says that there is none |
//! | `GET /demo/v1/state` | JSON: the topic, and each node with its state and its faults |
//! | `POST /demo/v1/nodes/NODE/ORDER` | does something to a node, and answers the state |
//! | `POST /demo/v1/heal` | starts what is down and ends all faults, and answers the state |
//! | `GET /demo/v1/ledger?after=A,B,C` | what each master stored since: see [`ledger`] |
//! | `GET /demo/v1/ledger.txt?after=A,B,C` | the same in words, for people and scripts |
//! | `GET /demo/v1/messages?id=RUN.N` | JSON: each copy of one message, in whole |
//!
//! Nodes are `ns-0`, `ns-1`, `broker-a`, `broker-b`, `broker-c` and `broker-a-slave`; orders are those
//! of [`Order`]. A request with an `Origin` has to have ours, and a `POST` has to have one: no
//! other page breaks this cluster. There are no request bodies. An error is JSON, `{"error": "..."}`,
//! with 400 for what is not understood, 403 for a foreign origin, 404 for what is not there, 405 for
//! another method and 409 for what a node cannot do.

mod api;
mod demo;
pub mod ledger;
mod nodes;
mod orders;
mod site;

pub use demo::{Demo, Options, TOPIC};
pub use nodes::node_name;
pub use orders::{Order, UnknownOrder};
