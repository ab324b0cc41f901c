//! One question on a connection of its own.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use producer_core::wire::frame::{FRAME_BYTES_MAX, split};
use producer_core::wire::{Fields, Frame, Head, Header, Language, SerializeType, encode_frame};
use producer_native::{Address, ConnectionEnd, Dialer, Stream, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) version: i32,
    pub(super) remark: String,
    pub(super) body: Vec<u8>,
    /// From the question to its answer, without the dial.
    pub(super) elapsed: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AskError {
    /// There is no connection.
    Dial(String),
    /// There is one, but nothing came over it.
    Silent(Duration),
    /// There is one, and it ended.
    Lost(String),
    /// What came is no answer.
    NoFrame(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(cause) => write!(f, "cannot connect: {cause}"),
            Self::Silent(limit) => write!(f, "connected, but no answer within {limit:?}"),
            Self::Lost(cause) => write!(f, "connected, but the connection ended: {cause}"),
            Self::NoFrame(problem) => write!(f, "what listens there is no RocketMQ: {problem}"),
        }
    }
}

/// Asks `address` the question `code`. Dial and answer may take `limit` each.
pub(super) async fn ask(
    dialer: &Dialer,
    address: &Address,
    code: i32,
    fields: &Fields<'_>,
    body: &[u8],
    limit: Duration,
) -> Result<Answer, AskError> {
    let mut stream = dial(dialer, address, limit).await?;
    let mut out = Vec::new();
    let head = Head {
        code,
        language: Language::RUST,
        version: VERSION,
        opaque: OPAQUE,
        ..Head::default()
    };
    encode_frame(&mut out, SerializeType::Json, &head, fields.iter(), body)
        .map_err(|error| AskError::NoFrame(error.to_string()))?;
    let asked = Instant::now();
    let exchange = async {
        stream.write_all(&out).await.map_err(lost)?;
        stream.flush().await.map_err(lost)?;
        read_answer(&mut stream, asked).await
    };
    timeout(limit, exchange).await.unwrap_or(Err(AskError::Silent(limit)))
}

/// Connects as a producer does.
pub(super) async fn dial(
    dialer: &Dialer,
    address: &Address,
    limit: Duration,
) -> Result<Box<dyn Stream>, AskError> {
    let deadline = tokio::time::Instant::now() + limit;
    match timeout(limit, dialer.connect(address, deadline)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(ConnectionEnd::DialTimeout)) | Err(_) => {
            Err(AskError::Dial(format!("no answer within {limit:?}")))
        }
        Ok(Err(end)) => Err(AskError::Dial(end.to_string())),
    }
}

/// Reads until the answer; requests of the peer's own are passed over.
async fn read_answer(stream: &mut Box<dyn Stream>, asked: Instant) -> Result<Answer, AskError> {
    let no_frame = |error: producer_core::wire::WireError| AskError::NoFrame(error.to_string());
    let mut bytes = Vec::new();
    loop {
        while let Some(frame) = split(&bytes, FRAME_BYTES_MAX)
            .map_err(|error| first_words(&bytes).unwrap_or_else(|| no_frame(error)))?
        {
            let header = Header::decode(frame.serialize, frame.header).map_err(no_frame)?;
            if header.is_response() && header.opaque == OPAQUE {
                return Ok(answer(&header, &frame, asked));
            }
            let len = frame.len;
            bytes.drain(..len);
        }
        if stream.read_buf(&mut bytes).await.map_err(lost)? == 0 {
            return Err(AskError::Lost("closed by the peer".to_owned()));
        }
    }
}

/// What a server says that speaks in text; no frame begins with four printable bytes, for it would
/// be half a gigabyte long.
fn first_words(bytes: &[u8]) -> Option<AskError> {
    let line = bytes.split(|byte| !byte.is_ascii_graphic() && *byte != b' ').next()?;
    let words = String::from_utf8_lossy(line.get(..line.len().min(60)).filter(|w| w.len() >= 4)?);
    Some(AskError::NoFrame(format!("it says {words:?}")))
}

fn answer(header: &Header<'_>, frame: &Frame<'_>, asked: Instant) -> Answer {
    Answer {
        code: header.code,
        version: header.version,
        remark: header.remark.map(|remark| remark.to_cow().into_owned()).unwrap_or_default(),
        body: frame.body.to_vec(),
        elapsed: asked.elapsed(),
    }
}

fn lost(error: io::Error) -> AskError {
    AskError::Lost(plain(&error))
}

/// The error without the operating system's number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "reset by the peer".to_owned(),
        _ => error.to_string(),
    }
}

/// 5.4.0, as the producer announces: a name server then answers in strict JSON.
const VERSION: i32 = 493;
const OPAQUE: i32 = 1;
