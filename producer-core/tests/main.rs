//! What the core does, seen from outside: against a small world in virtual time.
//!
//! One program, because each would compile the whole generic core again.

mod auto_batch;
mod auto_batch_chaos;
mod auto_batch_crowd;
mod batch;
mod budget;
mod chaos;
mod decoders;
mod ends;
mod epochs;
mod failover;
mod features;
mod fuzz;
mod java;
mod lifecycle;
mod mutate;
mod name_servers;
mod operations;
mod pages;
pub(crate) mod pair;
mod peers;
mod queues;
mod reasons;
mod recovery;
mod requests;
mod review;
mod sharing;
mod storms;
mod trace;
mod transactions;
