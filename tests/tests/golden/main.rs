//! What real clients and servers said, byte by byte, and what we make of it.

// By the crates that native has for it.
#[cfg(not(target_arch = "wasm32"))]
mod compression;
#[cfg(not(target_arch = "wasm32"))]
mod disk;
mod frames;
mod manifest;
mod questions;
mod sends;
mod special;
mod stored;
pub(crate) mod support;
pub(crate) mod tables;
mod trace;
mod typed;
