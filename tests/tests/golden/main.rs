//! What real clients and servers said, byte by byte, and what we make of it.

mod compression;
mod frames;
mod manifest;
mod questions;
mod sends;
mod special;
mod stored;
mod support;
mod tables;
mod trace;
mod typed;
