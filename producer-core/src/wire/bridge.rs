//! How the WebSocket bridge says that a connection is over (protocol `rmq-tcp.v1`).
//!
//! A WebSocket ends with a code and a reason. What happened to the broker's end counts as if it had
//! happened to our own; the rest the bridge did.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::connection_end::ConnectionEnd;
use crate::say::behind;

/// The address that stands for the bridge's own name servers; its target is `ns`.
pub const NAME_SERVERS: &str = "ns:9876";

/// It goes away; its connections are spread over some time.
pub const DRAINING: u16 = 1001;
/// The WebSocket closed without saying why.
pub const SILENT: u16 = 1005;
/// It refuses a frame.
pub const REFUSED_FRAME: u16 = 1008;
/// A frame is too large.
pub const TOO_LARGE: u16 = 1009;
/// It failed by itself.
pub const FAILED: u16 = 1011;
/// Too much to do, or we came too often; the reason may be `retry-after=milliseconds`.
pub const OVERLOADED: u16 = 1013;
/// The token is good no more.
pub const TOKEN: u16 = 4001;
/// The target is not allowed, or not any more.
pub const TARGET: u16 = 4003;
/// No frame for too long.
pub const IDLE: u16 = 4008;
/// The connection is as old as it may be.
pub const LIFETIME: u16 = 4009;
/// The target refused the dial.
pub const DIAL_REFUSED: u16 = 4502;
/// The target did not answer the dial.
pub const DIAL_TIMEOUT: u16 = 4504;
/// The target reset the connection.
pub const TARGET_RESET: u16 = 4510;
/// The target closed the connection.
pub const TARGET_CLOSED: u16 = 4511;

/// What a close of the bridge means to the producer. `reason` is what it said; control characters in
/// it are left out.
pub fn connection_end(code: u16, reason: &str) -> ConnectionEnd {
    match code {
        DIAL_REFUSED => ConnectionEnd::Refused,
        DIAL_TIMEOUT => ConnectionEnd::DialTimeout,
        TARGET_RESET => ConnectionEnd::Reset,
        TARGET_CLOSED => ConnectionEnd::Closed,
        TOKEN => ConnectionEnd::Token(explanation(code, reason)),
        OVERLOADED => {
            let after = Duration::from_millis(retry_after_ms(reason));
            ConnectionEnd::Overloaded { after, detail: explanation(code, reason) }
        }
        _ => ConnectionEnd::Proxy(explanation(code, reason)),
    }
}

/// A sentence about a close, for people.
pub fn explanation(code: u16, reason: &str) -> String {
    let said: String = reason.chars().filter(|c| !c.is_control()).collect();
    let mut text = match code {
        SILENT => String::from("the bridge closed the connection without a word"),
        _ => format!("the bridge closed the connection with {code}"),
    };
    if !said.is_empty() {
        text = format!("{text} ({said})");
    }
    match meaning(code) {
        Some(meaning) => format!("{text}: {meaning}"),
        None => text,
    }
}

fn meaning(code: u16) -> Option<&'static str> {
    Some(match code {
        1000 | DRAINING | 1012 => "it goes away; another connection may do",
        REFUSED_FRAME => "it refuses a frame: its operator decides which requests pass",
        TOO_LARGE => "a frame is larger than it lets through",
        FAILED => "it failed by itself",
        OVERLOADED => "it has too much to do, or we came too often",
        TOKEN => "the token is good no more",
        TARGET => "the target is not allowed (any more)",
        IDLE => "the connection was idle for too long",
        LIFETIME => "the connection was as old as it may be",
        _ => return None,
    })
}

/// Milliseconds after `retry-after=` in a reason; none that can be read are none.
fn retry_after_ms(reason: &str) -> u64 {
    let said = behind(reason, "retry-after=").unwrap_or_default();
    let digits = said.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_brokers_end_counts_as_ours_and_the_rest_the_bridge_did() {
        assert_eq!(connection_end(4502, "connection refused"), ConnectionEnd::Refused);
        assert_eq!(connection_end(4511, ""), ConnectionEnd::Closed);
        let token = connection_end(4001, "expi\u{7}red").to_string();
        assert_eq!(
            token,
            "the bridge closed the connection with 4001 (expired): the token is good no more"
        );
        let mute = connection_end(1005, "").to_string();
        assert_eq!(mute, "the bridge closed the connection without a word");
        assert!(matches!(connection_end(4999, "new"), ConnectionEnd::Proxy(_)));
    }

    #[test]
    fn a_token_that_is_over_is_no_fault_of_the_broker() {
        assert!(matches!(connection_end(4001, "expired"), ConnectionEnd::Token(_)));
    }

    #[test]
    fn it_is_read_when_to_come_back() {
        for (reason, ms) in [
            ("retry-after=250", 250),
            ("busy; retry-after=1500ms", 1_500),
            ("retry-after=", 0),
            ("retry-after=-1", 0),
            ("retry-after=99999999999999999999999", 0),
            ("", 0),
        ] {
            let ConnectionEnd::Overloaded { after, .. } = connection_end(1013, reason) else {
                panic!("{reason}");
            };
            assert_eq!(after, Duration::from_millis(ms), "{reason}");
        }
    }
}
