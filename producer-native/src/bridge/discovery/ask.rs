//! Asking a name server for all brokers.

use std::fmt;

use producer_core::wire::cluster::ClusterInfo;
use producer_core::wire::code::{request, response, response_name};
use producer_core::wire::frame::split;
use producer_core::wire::{Head, Header, SerializeType, WireError, encode_frame};
use producer_core::{Address, ConnectionEnd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::transport::{Stream, Transport, end_of};

/// Why a name server's brokers are not known.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskError {
    /// It was not reached, or the connection ended before the answer.
    Connection(ConnectionEnd),
    /// Nothing came until the deadline.
    Silent,
    /// It answered something else: a response code.
    Refused(i32),
    /// What came is no answer.
    Malformed(WireError),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(end) => end.fmt(f),
            Self::Silent => f.write_str("no answer in time"),
            Self::Refused(code) => {
                write!(f, "answered {code} ({})", response_name(*code).unwrap_or("unknown"))
            }
            Self::Malformed(error) => write!(f, "answered what is no answer: {error}"),
        }
    }
}

impl std::error::Error for AskError {}

/// Asks one name server, on a connection of its own, until the deadline. Dropping the future ends
/// the connection.
///
/// # Errors
/// [`AskError`]: no answer, or none that can be used.
pub async fn ask(
    transport: &dyn Transport,
    name_server: &Address,
    deadline: Instant,
) -> Result<ClusterInfo, AskError> {
    let asking = async {
        let connecting = transport.connect(name_server, deadline);
        exchange(connecting.await.map_err(AskError::Connection)?).await
    };
    timeout_at(deadline, asking).await.map_err(|_| AskError::Silent)?
}

async fn exchange(mut stream: Box<dyn Stream>) -> Result<ClusterInfo, AskError> {
    let ended = |error: std::io::Error| AskError::Connection(end_of(&error));
    let head = Head {
        code: request::GET_BROKER_CLUSTER_INFO,
        opaque: OPAQUE,
        flag: Head::REQUEST,
        ..Head::default()
    };
    let mut bytes = Vec::new();
    // JSON, for that is what every name server answers to.
    encode_frame(&mut bytes, SerializeType::Json, &head, [], &[]).map_err(AskError::Malformed)?;
    stream.write_all(&bytes).await.map_err(ended)?;
    stream.flush().await.map_err(ended)?;
    bytes.clear();
    loop {
        if let Some(frame) = split(&bytes, ANSWER_BYTES_MAX).map_err(AskError::Malformed)? {
            let header = Header::decode(frame.serialize, frame.header);
            let header = header.map_err(AskError::Malformed)?;
            if header.is_response() && header.opaque == OPAQUE {
                return match header.code {
                    response::SUCCESS => {
                        ClusterInfo::decode(frame.body).map_err(AskError::Malformed)
                    }
                    code => Err(AskError::Refused(code)),
                };
            }
            // Something that the server asks of its clients.
            let len = frame.len;
            bytes.drain(..len);
            continue;
        }
        if stream.read_buf(&mut bytes).await.map_err(ended)? == 0 {
            return Err(AskError::Connection(ConnectionEnd::Closed));
        }
    }
}

/// The number of the only request of a connection.
const OPAQUE: i32 = 1;
/// Largest answer in bytes: some 10,000 brokers.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
