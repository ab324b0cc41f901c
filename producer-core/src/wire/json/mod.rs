//! JSON as fastjson writes and reads it: escapes here, the pull reader in [`Reader`].

mod escape;
mod reader;

pub(super) use escape::unescape;
pub use escape::{escape_into, quote_into};
pub use reader::{Reader, Value};

/// Deepest nesting of objects and arrays that is read. The deepest JSON of the protocol, a route
/// with static topics, has four levels; unknown members may bring more.
pub const DEPTH_MAX: u32 = 32;
