//! Why is a frame not let through?

use std::fmt;

use producer_core::wire::code;

/// Nothing more of a connection is let through, and this is why.
///
/// It repeats nothing that a page wrote but numbers, so it may go to logs and into a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The frame's request code, if it was read.
    pub code: Option<i16>,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a frame.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The frame's length does not hold its header's, or the header's not the least there can be.
    Length,
    /// The frame is larger than the limit.
    TooLarge {
        /// Length behind its first four bytes.
        bytes: u32,
        /// The limit.
        max: usize,
    },
    /// The header is larger than the limit.
    HeaderTooLarge {
        /// Bytes of the header.
        bytes: u32,
        /// The limit.
        max: usize,
    },
    /// The body is larger than the token, or this kind of request, allows.
    BodyTooLarge {
        /// Bytes of the body.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The header is JSON, or something unknown: pages write binary headers only.
    NotBinary {
        /// The byte that says how the header is written.
        kind: u8,
    },
    /// The request code is not for pages, or not for this kind of target.
    Code,
    /// A response: pages answer nobody.
    Response,
    /// Flag bits that no client sets.
    Flag,
    /// The header's lengths do not add up.
    Malformed,
    /// A field that decides what is allowed is there twice.
    Twice,
    /// The token names topics, and the header has none.
    NoTopic,
    /// The token does not name this topic.
    Topic,
    /// The token names groups, and the header has none.
    NoGroup,
    /// The token does not name this group.
    Group,
    /// The token names topics, but no groups: whose transaction it is cannot be told.
    GroupsUnnamed,
    /// A namespace field would change what the names mean that the token gives.
    Namespace,
    /// A property would put the message into further topics.
    Dispatch,
    /// The client says that it consumes; pages produce.
    Consumer,
    /// The body of a heartbeat is not what clients write.
    Heartbeat,
}

impl Refusal {
    /// The close code for the page: 1009 for what is too large, else 1008.
    pub const fn close_code(&self) -> u16 {
        match self.why {
            Why::TooLarge { .. } | Why::HeaderTooLarge { .. } | Why::BodyTooLarge { .. } => 1009,
            _ => 1008,
        }
    }

    /// The request code as text of a bounded number: Java's name of it, `unknown`, or `none`.
    pub fn label(&self) -> &'static str {
        match self.code {
            Some(code) => code::request_name(code.into()).unwrap_or("unknown"),
            None => "none",
        }
    }
}

impl fmt::Display for Refusal {
    /// At most 123 bytes, so that it fits a close frame.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code {
            write!(f, "request {code}: ")?;
        }
        match self.why {
            Why::Length => f.write_str("lengths of frame and header do not fit"),
            Why::TooLarge { bytes, max } => write!(f, "frame of {bytes} bytes, {max} at most"),
            Why::HeaderTooLarge { bytes, max } => {
                write!(f, "header of {bytes} bytes, {max} at most")
            }
            Why::BodyTooLarge { bytes, max } => write!(f, "body of {bytes} bytes, {max} at most"),
            Why::NotBinary { kind } => {
                write!(f, "header of type {kind}; only binary headers (1) pass the bridge")
            }
            Why::Code => f.write_str("this code does not pass the bridge to this target"),
            Why::Response => f.write_str("responses do not pass the bridge"),
            Why::Flag => f.write_str("unknown flag"),
            Why::Malformed => f.write_str("lengths within the header do not fit"),
            Why::Twice => f.write_str("a field is there twice"),
            Why::NoTopic => f.write_str("the token names topics, the request none"),
            Why::Topic => f.write_str("the token does not name this topic"),
            Why::NoGroup => f.write_str("the token names groups, the request none"),
            Why::Group => f.write_str("the token does not name this group"),
            Why::GroupsUnnamed => {
                f.write_str("a token that names topics must name groups for transactions")
            }
            Why::Namespace => f.write_str("no namespace field with a token that gives names"),
            Why::Dispatch => f.write_str("INNER_MULTI_DISPATCH with a token that names topics"),
            Why::Consumer => f.write_str("consumers do not pass the bridge"),
            Why::Heartbeat => f.write_str("not the heartbeat of a producer"),
        }
    }
}

impl std::error::Error for Refusal {}
