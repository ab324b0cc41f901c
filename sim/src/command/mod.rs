//! What can be done from the command line?

pub(crate) mod cluster;

mod control;
