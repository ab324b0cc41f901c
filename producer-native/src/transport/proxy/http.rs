//! HTTP CONNECT, the client's half (RFC 9110, section 9.3.6).

use producer_core::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{BAD_CREDENTIALS, Credentials, Problem, WANTS_CREDENTIALS};
use crate::transport::Stream;
use crate::transport::http::{base64, status};

/// Longest answer that is read.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Asks for a connection to `address`; when this returns, the stream leads there.
pub(super) async fn ask(
    stream: &mut Box<dyn Stream>,
    address: &Address,
    credentials: Option<&Credentials>,
) -> Result<(), Problem> {
    let mut request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n");
    if let Some(Credentials { user, password }) = credentials {
        let pair = format!("{user}:{}", password.reveal());
        request += &format!("Proxy-Authorization: Basic {}\r\n", base64(pair.as_bytes()));
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let head = head(stream).await?;
    match status(&head) {
        Some(200..=299) => Ok(()),
        Some(407) if credentials.is_none() => Err(Problem::Refused(WANTS_CREDENTIALS.to_owned())),
        Some(407) => Err(Problem::Refused(BAD_CREDENTIALS.to_owned())),
        Some(status) => Err(Problem::Refused(format!("it answers with status {status}"))),
        None => Err(Problem::Strange("its answer is not HTTP/1.x")),
    }
}

/// The answer up to its empty line and not a byte more: what follows belongs to the connection.
async fn head(stream: &mut Box<dyn Stream>) -> Result<Vec<u8>, Problem> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_BYTES_MAX {
            return Err(Problem::Strange("its answer does not end"));
        }
        head.push(stream.read_u8().await?);
        if head.len() == 5 && head != b"HTTP/" {
            return Err(Problem::Strange("its answer is not HTTP"));
        }
    }
    Ok(head)
}
