//! What can be done from the command line?

pub(crate) mod cluster;
pub(crate) mod demo;
pub(crate) mod explore;
pub(crate) mod hashes;
pub(crate) mod html;
pub(crate) mod run;
pub(crate) mod scale;
pub(crate) mod shrink;
pub(crate) mod speed;

mod bug;
mod control;
mod table;
