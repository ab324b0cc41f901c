//! How is a byte stream to an address made?

mod dialer;
pub(crate) mod http;
mod proxy;
mod rule;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "websocket")]
mod websocket;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use producer_core::{Address, ConnectionEnd};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

pub use dialer::Dialer;
pub use proxy::{InvalidProxy, Proxy};
pub use rule::{AddressRule, InvalidRule};
pub use tcp::Tcp;
#[cfg(feature = "bridge")]
pub(crate) use tls::server as tls_server;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsPart};
#[cfg(feature = "websocket")]
pub use websocket::{InvalidBridge, WebSocket};

/// A byte stream in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What a [`Stream`] says when it learns that its other end closes soon, as the error of one read:
/// the connection gets no new requests, and is closed when all answers are there. It can be read
/// and written as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving;

impl Leaving {
    /// Whether an error of a read is this, and thus no end.
    pub fn is(error: &io::Error) -> bool {
        let inner = error.get_ref().filter(|_| error.kind() == io::ErrorKind::Interrupted);
        inner.is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other end closes soon")
    }
}

impl Error for Leaving {}

impl From<Leaving> for io::Error {
    fn from(leaving: Leaving) -> Self {
        Self::new(io::ErrorKind::Interrupted, leaving)
    }
}

/// A dial under way. It may be dropped at any time.
pub type Connecting =
    Pin<Box<dyn Future<Output = Result<Box<dyn Stream>, ConnectionEnd>> + Send + 'static>>;

/// Makes connections. The default is [`Tcp`]; simulators and tests bring their own
/// ([`Builder::transport`](crate::Builder::transport)).
pub trait Transport: Send + Sync + 'static {
    /// Dials `address`. After `deadline` the future is dropped, so it need not watch the time;
    /// one that tries several ways may divide what is left among them.
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting;
}

impl Transport for Arc<dyn Transport> {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        (**self).connect(address, deadline)
    }
}

/// What an error of the operating system means for a connection.
pub(crate) fn end_of(error: &io::Error) -> ConnectionEnd {
    use io::ErrorKind as Kind;
    #[cfg(feature = "tls")]
    if let Some(end) = tls::end_of_tls(error) {
        return end;
    }
    #[cfg(feature = "websocket")]
    if let Some(end) = websocket::end_of_bridge(error) {
        return end;
    }
    match error.kind() {
        Kind::ConnectionRefused => ConnectionEnd::Refused,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => ConnectionEnd::Reset,
        Kind::UnexpectedEof => ConnectionEnd::Closed,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable => {
            ConnectionEnd::Unreachable(error.to_string())
        }
        _ => ConnectionEnd::Other(error.to_string()),
    }
}
