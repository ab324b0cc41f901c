//! What does it mean when a bridge refuses, or closes?

use std::error::Error;
use std::fmt;
use std::io;

use producer_core::ConnectionEnd;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// How a bridge ended a connection, as an error of a stream carries it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed {
    code: u16,
    reason: String,
}

impl Closed {
    /// Nothing was said: the connection broke, or the bridge said no more than that it closes.
    const SILENT: u16 = 1005;

    pub(super) fn new(frame: Option<&CloseFrame>) -> Self {
        let code = frame.map_or(Self::SILENT, |frame| frame.code.into());
        // No longer than 123 bytes: a close frame holds no more.
        let reason = frame.map_or("", |frame| frame.reason.as_str());
        let reason = reason.chars().filter(|c| !c.is_control()).collect();
        Self { code, reason }
    }

    fn meaning(&self) -> Option<&'static str> {
        Some(match self.code {
            1000 | 1001 | 1012 => "it goes away; another connection may do",
            1008 => "it refuses a frame: its operator decides which requests pass",
            1009 => "a frame is larger than it lets through",
            1011 => "it failed by itself",
            1013 => "it has too much to do, or we came too often",
            4001 => "the token is good no more",
            4003 => "the target is not allowed (any more)",
            4008 => "the connection was idle for too long",
            4009 => "the connection was as old as it may be",
            _ => return None,
        })
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Self::SILENT => f.write_str("it closed the connection without a word")?,
            code => write!(f, "it closed the connection with {code}")?,
        }
        if !self.reason.is_empty() {
            write!(f, " ({})", self.reason)?;
        }
        match self.meaning() {
            Some(meaning) => write!(f, ": {meaning}"),
            None => Ok(()),
        }
    }
}

impl Error for Closed {}

impl From<Closed> for io::Error {
    fn from(closed: Closed) -> Self {
        Self::other(closed)
    }
}

/// How a connection ended, if a bridge ended it: what happened to the broker's end as if it were
/// our own, and else that the bridge did it.
pub(crate) fn end_of(error: &io::Error) -> Option<ConnectionEnd> {
    let closed = error.get_ref()?.downcast_ref::<Closed>()?;
    Some(match closed.code {
        4502 => ConnectionEnd::Refused,
        4504 => ConnectionEnd::DialTimeout,
        4510 => ConnectionEnd::Reset,
        4511 => ConnectionEnd::Closed,
        _ => ConnectionEnd::Proxy(closed.to_string()),
    })
}

/// Why there is no WebSocket, in words.
pub(super) fn refusal(error: &tungstenite::Error) -> String {
    let tungstenite::Error::Http(answer) = error else { return error.to_string() };
    let status = answer.status();
    let meaning = match status.as_u16() {
        400 => "it does not take the request",
        401 => "the token is missing, or no good",
        403 => "origin, host or target are not allowed",
        404 => "nothing is served there; look at the path",
        426 => "it speaks another protocol",
        429 | 503 => "it takes no more connections now",
        _ => "it does not open a WebSocket",
    };
    format!("it answers {status}: {meaning}")
}

/// The error of a WebSocket as one of a byte stream.
pub(super) fn broken(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            Closed::new(None).into()
        }
        tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => io::ErrorKind::ConnectionReset.into(),
        error => io::Error::other(error),
    }
}
