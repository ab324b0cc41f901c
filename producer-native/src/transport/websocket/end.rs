//! What does it mean when a bridge refuses, or closes?

use std::error::Error;
use std::fmt;
use std::io;

use producer_core::ConnectionEnd;
use producer_core::wire::bridge;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// How a bridge ended a connection, as an error of a stream carries it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed {
    code: u16,
    reason: String,
}

impl Closed {
    pub(super) fn new(frame: Option<&CloseFrame>) -> Self {
        let code = frame.map_or(bridge::SILENT, |frame| frame.code.into());
        // No longer than 123 bytes: a close frame holds no more.
        let reason = frame.map_or("", |frame| frame.reason.as_str()).to_owned();
        Self { code, reason }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bridge::explanation(self.code, &self.reason))
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
    Some(bridge::connection_end(closed.code, &closed.reason))
}

/// Whether it is the token that a bridge refuses.
pub(super) fn refuses_token(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Http(answer) if answer.status().as_u16() == 401)
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
