//! The wire codec: every byte that a RocketMQ 4.9–5.x name server, broker or proxy sends or expects.
//!
//! Nothing in here knows a connection, a clock or a retry. Decoders borrow from the received
//! buffer, never allocate on the send path, and answer a [`WireError`] to anything that Java
//! 5.4.0 and 4.9.7 would both refuse.

pub mod acl;
pub mod address;
pub mod batch;
pub mod bridge;
pub mod client;
pub mod cluster;
pub mod code;
pub mod crc32;
pub mod digits;
pub mod ext;
pub mod frame;
pub mod header;
pub mod hex;
pub mod java_hash;
pub mod json;
pub mod language;
pub mod message_id;
pub mod name_server;
pub mod names;
pub mod namespace;
pub mod offset;
pub mod perm;
pub mod properties;
pub mod property_names;
pub mod query;
pub mod recall;
pub mod registration;
pub mod reply;
pub mod route;
pub mod send;
pub mod stored;
pub mod sys_flag;
pub mod topic_config;
pub mod trace;
pub mod transaction;
pub mod version;

mod bytes;
mod encode;
mod error;
mod fields;
mod text;

pub use encode::{Head, encode_frame};
pub use error::WireError;
pub use ext::Ext;
pub use fields::Fields;
pub use frame::{Frame, SerializeType};
pub use header::{Header, HeaderLine};
pub use language::Language;
pub use text::Text;

#[cfg(test)]
mod tests;
