//! How does a connection get through a bridge, as WebSocket (protocol `rmq-tcp.v1`)?

mod end;
mod tunnel;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use producer_core::{Address, ConnectionEnd};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};

use super::{Connecting, Stream, Transport};
#[cfg(feature = "tls")]
use super::{Tls, TlsError, tls::TlsClient};
use crate::secret::Secret;
pub(crate) use end::end_of as end_of_bridge;
use tunnel::Tunnel;

/// The way through a bridge: WebSocket connections to one URL, on which the bridge reaches name
/// servers and brokers. For services that get out by HTTP only, and for tests of what a page does.
///
/// ```no_run
/// use producer_native::{Producer, WebSocket};
///
/// # fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let bridge = WebSocket::new("wss://bridge.example.com/")?
///     // Asked before each connection, and again when the bridge says that a token ends soon.
///     .token_from(|| async { Ok::<_, std::io::Error>(String::from("eyJ...")) });
/// // No name servers are needed: the bridge has its own.
/// let producer = Producer::builder("orders").bridge(bridge).build()?;
/// # Ok(())
/// # }
/// ```
///
/// The bridge must see request codes, so headers are binary, and there is no TLS within the
/// WebSocket: `wss` protects the way to the bridge, which has its own way to the brokers. The token
/// is never in `Debug`, logs or errors. A connection counts as made when the bridge says that it has
/// dialled the broker.
#[derive(Clone)]
pub struct WebSocket {
    host: Address,
    secure: bool,
    /// What stands before `/v1/connect`, without a slash at its end.
    path: String,
    token: Option<TokenSource>,
    origin: Option<HeaderValue>,
    #[cfg(feature = "tls")]
    tls: Tls,
}

type TokenError = Box<dyn Error + Send + Sync>;
type Fetching = Pin<Box<dyn Future<Output = Result<Secret, TokenError>> + Send>>;
type TokenSource = Arc<dyn Fn() -> Fetching + Send + Sync>;

/// The only protocol there is; the bridge answers with it.
const PROTOCOL: &str = "rmq-tcp.v1";
/// The host that stands for the bridge's own name servers.
const NAME_SERVERS: &str = "ns";

/// Why a text is no URL of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidBridge(&'static str);

impl fmt::Display for InvalidBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid URL of a bridge: {} (wanted: wss://host:port/path)", self.0)
    }
}

impl Error for InvalidBridge {}

impl WebSocket {
    /// Reads `wss://host[:port][/path]` or `ws://`; what the bridge serves is below the path. A port
    /// that is not named is 443 or 80.
    ///
    /// # Errors
    /// [`InvalidBridge`] says what is wrong. A query is refused: tokens do not belong into URLs.
    pub fn new(url: &str) -> Result<Self, InvalidBridge> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(InvalidBridge("no scheme"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "wss" => true,
            "ws" => false,
            "http" | "https" => return Err(InvalidBridge("the scheme is ws or wss")),
            _ => return Err(InvalidBridge("the scheme is unknown")),
        };
        if secure && !cfg!(feature = "tls") {
            return Err(InvalidBridge("this build has no TLS (feature `tls`)"));
        }
        if rest.contains(['?', '#']) {
            return Err(InvalidBridge("it has a query; tokens are given by `token`"));
        }
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if host.contains('@') {
            return Err(InvalidBridge("it has a user; tokens are given by `token`"));
        }
        let sound = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if !path.bytes().all(sound) {
            return Err(InvalidBridge("the path has characters that a URL has not"));
        }
        let path = path.trim_end_matches('/').to_owned();
        let port = if secure { 443 } else { 80 };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let host =
            if has_port { Address::new(host) } else { Address::new(&format!("{host}:{port}")) };
        let host = host.map_err(|_| InvalidBridge("after the scheme stands no host"))?;
        Ok(Self {
            host,
            secure,
            path,
            token: None,
            origin: None,
            #[cfg(feature = "tls")]
            tls: Tls::new(),
        })
    }

    /// Shows this token with every connection.
    pub fn token(self, token: impl Into<Secret>) -> Self {
        let token = token.into();
        self.token_from(move || {
            let token = token.clone();
            async { Ok::<_, TokenError>(token) }
        })
    }

    /// Asks for a token before each connection is made, within the time of the dial, and when the
    /// bridge says that the one it has ends soon. An error is the end of that dial; a token that
    /// cannot be renewed ends the connection when the bridge's patience does, and the next dial
    /// asks again.
    pub fn token_from<F, S, E>(mut self, fetch: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<Secret>,
        E: Into<TokenError>,
    {
        self.token = Some(Arc::new(move || {
            let fetching = fetch();
            Box::pin(async move { fetching.await.map(Into::into).map_err(Into::into) })
        }));
        self
    }

    /// Says to be a page of this origin, such as `https://shop.example.com`, to bridges that want
    /// one even of services.
    ///
    /// # Errors
    /// [`InvalidBridge`] when it cannot stand in a header.
    pub fn origin(mut self, origin: &str) -> Result<Self, InvalidBridge> {
        let value = HeaderValue::from_str(origin);
        self.origin = Some(value.map_err(|_| InvalidBridge("the origin cannot be said"))?);
        Ok(self)
    }

    /// How `wss` trusts the bridge; by default as [`Tls::new`] has it.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// The address that leads to the bridge's own name servers.
    pub(crate) fn name_servers() -> Option<Address> {
        Address::new(producer_core::wire::bridge::NAME_SERVERS).ok()
    }

    /// A transport that dials the bridge by `base`. Files are read now.
    ///
    /// # Errors
    /// [`TlsError`] when what TLS needs cannot be read, or does not fit together.
    #[cfg(feature = "tls")]
    pub fn over(self, base: impl Transport) -> Result<impl Transport, TlsError> {
        let tls = self.secure.then(|| self.tls.client()).transpose()?;
        Ok(Ways(Arc::new(Way { bridge: self, base: Box::new(base), tls })))
    }

    /// A transport that dials the bridge by `base`.
    #[cfg(not(feature = "tls"))]
    pub fn over(self, base: impl Transport) -> impl Transport {
        Ways(Arc::new(Way { bridge: self, base: Box::new(base) }))
    }

    fn request(&self, target: &Address, token: Option<&Secret>) -> Result<Request, String> {
        let scheme = if self.secure { "wss" } else { "ws" };
        let target = match target.host() {
            NAME_SERVERS => NAME_SERVERS,
            _ => target.as_str(),
        };
        let uri = format!("{scheme}://{}{}/v1/connect/{target}", self.host, self.path);
        let mut request = uri.into_client_request().map_err(|error| error.to_string())?;
        let protocols = match token {
            None => PROTOCOL.to_owned(),
            Some(token) => format!("{PROTOCOL}, bearer.{}", base64url(token.reveal().as_bytes())),
        };
        let mut protocols = HeaderValue::try_from(protocols).map_err(|error| error.to_string())?;
        protocols.set_sensitive(true);
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocols);
        if let Some(origin) = &self.origin {
            request.headers_mut().insert(ORIGIN, origin.clone());
        }
        Ok(request)
    }

    async fn fetch_token(&self) -> Result<Option<Secret>, ConnectionEnd> {
        let Some(token) = &self.token else { return Ok(None) };
        let fetched = token().await;
        fetched.map(Some).map_err(|error| self.no_token(&format_args!("no token: {error}")))
    }

    fn end(&self, problem: &dyn fmt::Display) -> ConnectionEnd {
        ConnectionEnd::Proxy(self.says(problem))
    }

    fn no_token(&self, problem: &dyn fmt::Display) -> ConnectionEnd {
        ConnectionEnd::Token(self.says(problem))
    }

    fn says(&self, problem: &dyn fmt::Display) -> String {
        format!("bridge {}: {problem}", self.place())
    }

    fn place(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.host, self.path)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("at", &self.place())
            .field("with_token", &self.token.is_some())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl FromStr for WebSocket {
    type Err = InvalidBridge;
    fn from_str(url: &str) -> Result<Self, InvalidBridge> {
        Self::new(url)
    }
}

struct Ways(Arc<Way>);

/// A bridge, and how it is reached.
struct Way {
    bridge: WebSocket,
    base: Box<dyn Transport>,
    #[cfg(feature = "tls")]
    tls: Option<TlsClient>,
}

impl Transport for Ways {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let (way, address) = (self.0.clone(), address.clone());
        Box::pin(async move {
            let bridge = &way.bridge;
            match timeout_at(deadline, way.connect(&address, deadline)).await {
                Ok(connected) => connected,
                Err(_elapsed) => Err(bridge.end(&"no answer in time")),
            }
        })
    }
}

impl Way {
    async fn connect(
        &self,
        address: &Address,
        deadline: Instant,
    ) -> Result<Box<dyn Stream>, ConnectionEnd> {
        let bridge = &self.bridge;
        let token = bridge.fetch_token().await?;
        let request = bridge.request(address, token.as_ref());
        let request = request.map_err(|problem| bridge.end(&problem))?;
        let stream = self.dial(deadline).await.map_err(|end| bridge.end(&end))?;
        let opened = client_async_with_config(request, stream, Some(tunnel::config())).await;
        let (socket, answer) = opened.map_err(|error| match end::refuses_token(&error) {
            true => bridge.no_token(&end::refusal(&error)),
            false => bridge.end(&end::refusal(&error)),
        })?;
        let protocol = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
        if protocol.is_none_or(|protocol| protocol != PROTOCOL) {
            return Err(bridge.end(&"it does not speak rmq-tcp.v1"));
        }
        let mut tunnel = Tunnel::new(socket, bridge.token.clone());
        match tunnel.hello().await {
            Ok(()) => Ok(Box::new(tunnel)),
            Err(error) => Err(match super::end_of(&error) {
                ConnectionEnd::Proxy(problem) => bridge.end(&problem),
                ConnectionEnd::Token(problem) => bridge.no_token(&problem),
                end => end,
            }),
        }
    }

    async fn dial(&self, deadline: Instant) -> Result<Box<dyn Stream>, ConnectionEnd> {
        let stream = self.base.connect(&self.bridge.host, deadline).await?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.handshake(stream, &self.bridge.host, deadline).await;
        }
        Ok(stream)
    }
}

/// Base64 for URLs, without padding (RFC 4648, section 5), as a token of a header may have it.
fn base64url(bytes: &[u8]) -> String {
    let coded = super::http::base64(bytes);
    let coded = coded.trim_end_matches('=').chars();
    coded
        .map(|digit| {
            if digit == '+' {
                '-'
            } else if digit == '/' {
                '_'
            } else {
                digit
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
