//! Plans that show something, ready to be run: when order is lost (`sim/ORDERING.md`), and what
//! faults cost (`sim/FAILOVER.md`).
//!
//! Tests run them and write these documents; the page of the demo offers them.

pub mod batches;
pub mod broken;
pub mod calm;
pub mod failover;
pub mod ordering;
pub mod routes;
pub mod small;
