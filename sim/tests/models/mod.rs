//! The models in virtual time: no runtime, no socket, no clock.

mod acl;
mod broker;
mod delays;
mod faults;
mod name_server;
mod network;
mod recorded;
mod replies;
mod topics;
mod transactions;
