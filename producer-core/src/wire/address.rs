//! The VIP address of a broker (spec §8.9, `MixAll.brokerVIPChannel`).

use alloc::format;
use alloc::string::String;

use super::digits;

/// `address` with its port lowered by two. `None` if it has no port or one that is no number;
/// ports below 2 go negative, as in Java, and fail when connecting.
pub fn vip(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    let port = digits::parse_i32(port.as_bytes())?.wrapping_sub(2);
    Some(format!("{host}:{port}"))
}
