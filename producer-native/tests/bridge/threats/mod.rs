//! Each threat of the bridge's threat model, and the test that fails when its defence is removed.

mod frames;
mod keys;
mod requests;
mod resources;
