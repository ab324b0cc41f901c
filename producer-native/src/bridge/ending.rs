//! How does a connection end, and what is its page told?

use std::borrow::Cow;

use producer_core::wire::bridge;

/// The code of a WebSocket close frame. Those from 4000 on are the bridge's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The page is done.
    pub const DONE: Self = Self(1000);
    /// The bridge stops; come back in a moment.
    pub const DRAINING: Self = Self(bridge::DRAINING);
    /// The page broke the WebSocket protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// Nothing was said, or nothing could be: never in a frame.
    pub const ABNORMAL: Self = Self(1006);
    /// The filter refused a frame.
    pub const REFUSED: Self = Self(bridge::REFUSED_FRAME);
    /// A message or a frame is too big.
    pub const TOO_BIG: Self = Self(bridge::TOO_LARGE);
    /// A mistake in the bridge.
    pub const BUG: Self = Self(bridge::FAILED);
    /// A limit was reached; the reason says when to come back.
    pub const LIMIT: Self = Self(bridge::OVERLOADED);
    /// The token has expired, or its successor is not good.
    pub const TOKEN: Self = Self(bridge::TOKEN);
    /// The target is not allowed any more.
    pub const TARGET: Self = Self(bridge::TARGET);
    /// No data for too long.
    pub const IDLE: Self = Self(bridge::IDLE);
    /// The connection is too old.
    pub const LIFETIME: Self = Self(bridge::LIFETIME);
    /// The broker cannot be reached.
    pub const DIAL_REFUSED: Self = Self(bridge::DIAL_REFUSED);
    /// The broker did not answer the dial in time.
    pub const DIAL_TIMEOUT: Self = Self(bridge::DIAL_TIMEOUT);
    /// The broker reset its connection.
    pub const BROKER_RESET: Self = Self(bridge::TARGET_RESET);
    /// The broker closed its connection.
    pub const BROKER_CLOSED: Self = Self(bridge::TARGET_CLOSED);
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The page closed it, or is gone.
    Page,
    /// The broker closed or reset it, or could not be reached.
    Broker,
    /// The bridge, by one of its rules.
    Bridge,
}

impl By {
    /// For metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Broker => "broker",
            Self::Bridge => "bridge",
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) code: CloseCode,
    pub(super) by: By,
    /// For the close frame, 123 bytes of it at most, and for the log.
    pub(super) reason: Cow<'static, str>,
}

impl Ending {
    pub(super) fn new(by: By, code: CloseCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, by, reason: reason.into() }
    }

    /// A limit, and when it is worth another try.
    pub(super) fn limit(what: &str, retry_after_ms: u64) -> Self {
        Self::new(By::Bridge, CloseCode::LIMIT, format!("{what}; retry-after={retry_after_ms}"))
    }

    /// What fits into a close frame.
    pub(super) fn short_reason(&self) -> &str {
        let mut end = self.reason.len().min(REASON_BYTES_MAX);
        while !self.reason.is_char_boundary(end) {
            end -= 1;
        }
        &self.reason[..end]
    }

    /// Whether the page is told, and may finish what it was sending: the broker is there, and
    /// nothing the page did is the reason.
    pub(super) fn lets_page_finish(&self) -> bool {
        let gentle = [CloseCode::DRAINING, CloseCode::TOKEN, CloseCode::IDLE, CloseCode::LIFETIME];
        self.by == By::Bridge && gentle.contains(&self.code)
    }
}

/// A control frame holds 125 bytes, and two are the code.
const REASON_BYTES_MAX: usize = 123;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let ending = Ending::new(By::Bridge, CloseCode::BUG, "\u{e9}".repeat(100));

        assert_eq!(ending.short_reason().len(), 122);
        assert_eq!(Ending::limit("too many", 50).short_reason(), "too many; retry-after=50");
    }
}
