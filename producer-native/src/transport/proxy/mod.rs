//! How does a connection get through a proxy?

mod http;
mod socks;

use std::fmt;
use std::io;
use std::str::FromStr;

use producer_core::{Address, ConnectionEnd};
use tokio::time::{Instant, timeout_at};

use super::{Stream, Transport};
use crate::secret::Secret;

/// A proxy that connections go through: SOCKS5 (RFC 1928, with user and password after RFC 1929)
/// or HTTP `CONNECT` (RFC 9110, with Basic authentication). Names of hosts are resolved by the
/// proxy. The password is never in `Debug`, logs or errors; on the way to the proxy it is not
/// encrypted.
///
/// ```
/// use producer_native::{Producer, Proxy};
///
/// # fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = Proxy::new("socks5://10.0.0.1:1080")?.credentials("orders", "a password")?;
/// let builder = Producer::builder("orders")
///     .name_servers("10.1.0.1:9876")
///     // The first rule that covers an address decides.
///     .direct_for("10.2.0.0/16")
///     .proxy_for("10.0.0.0/8", proxy.clone())
///     .proxy_for(".brokers.example.com", "http://proxy.example.com:3128".parse()?);
/// assert!(!format!("{proxy:?} {builder:?}").contains("a password"));
/// # Ok(())
/// # }
/// # f().unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    address: Address,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socks5,
    Http,
}

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: String,
    password: Secret,
}

/// Why a text is no [`Proxy`]. The text itself is not in it, for it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidProxy(&'static str);

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid proxy: {} (wanted: socks5://user:password@host:port, or http://)",
            self.0
        )
    }
}

impl std::error::Error for InvalidProxy {}

impl Proxy {
    /// Reads `socks5://[user:password@]host:port` or `http://[user:password@]host:port`. In user
    /// and password `%` and two hex digits stand for a byte, so `%40` for `@`.
    ///
    /// # Errors
    /// [`InvalidProxy`] says what is wrong, without the text.
    pub fn new(url: &str) -> Result<Self, InvalidProxy> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(InvalidProxy("no scheme"))?;
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "socks5" | "socks5h" => Kind::Socks5,
            "http" => Kind::Http,
            "https" => return Err(InvalidProxy("TLS with the proxy itself is not supported")),
            "socks4" | "socks4a" => return Err(InvalidProxy("SOCKS4 is not supported")),
            _ => return Err(InvalidProxy("the scheme is unknown")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials), address),
            None => (None, rest),
        };
        let address = Address::new(address)
            .map_err(|_| InvalidProxy("after the scheme and credentials stands no host:port"))?;
        let proxy = Self { kind, address, credentials: None };
        match credentials {
            None => Ok(proxy),
            Some(text) => {
                let (user, password) =
                    text.split_once(':').ok_or(InvalidProxy("a user without a password"))?;
                proxy.credentials(unescaped(user)?, unescaped(password)?)
            }
        }
    }

    /// Says user and password to the proxy.
    ///
    /// # Errors
    /// [`InvalidProxy`] when one of them cannot be said in the protocol: longer than 255 bytes, an
    /// empty user, for HTTP a colon in the user, control characters.
    pub fn credentials(
        mut self,
        user: impl Into<String>,
        password: impl Into<Secret>,
    ) -> Result<Self, InvalidProxy> {
        let (user, password) = (user.into(), password.into());
        if user.is_empty() {
            return Err(InvalidProxy("the user is empty"));
        }
        if user.len() > 255 || password.reveal().len() > 255 {
            return Err(InvalidProxy("user or password is longer than 255 bytes"));
        }
        if self.kind == Kind::Http && user.contains(':') {
            return Err(InvalidProxy("a user of an HTTP proxy has no colon"));
        }
        if user.chars().chain(password.reveal().chars()).any(char::is_control) {
            return Err(InvalidProxy("user or password has control characters"));
        }
        self.credentials = Some(Credentials { user, password });
        Ok(self)
    }

    /// A byte stream to `address` through this proxy.
    pub(super) async fn connect(
        &self,
        base: &dyn Transport,
        address: &Address,
        deadline: Instant,
    ) -> Result<Box<dyn Stream>, ConnectionEnd> {
        let dialled = base.connect(&self.address, deadline).await;
        let mut stream = dialled.map_err(|end| self.end(&end))?;
        let credentials = self.credentials.as_ref();
        let asked = async {
            match self.kind {
                Kind::Socks5 => socks::ask(&mut stream, address, credentials).await,
                Kind::Http => http::ask(&mut stream, address, credentials).await,
            }
        };
        match timeout_at(deadline, asked).await {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(problem)) => Err(self.end(&problem)),
            Err(_elapsed) => Err(self.end(&"no answer in time")),
        }
    }

    fn end(&self, problem: &dyn fmt::Display) -> ConnectionEnd {
        ConnectionEnd::Proxy(format!("proxy {}: {problem}", self.place()))
    }

    fn place(&self) -> String {
        let scheme = match self.kind {
            Kind::Socks5 => "socks5",
            Kind::Http => "http",
        };
        format!("{scheme}://{}", self.address)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("at", &self.place())
            .field("user", &self.credentials.as_ref().map(|credentials| &credentials.user))
            .finish_non_exhaustive()
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;
    fn from_str(url: &str) -> Result<Self, InvalidProxy> {
        Self::new(url)
    }
}

/// Why a proxy does not let us through.
enum Problem {
    Io(io::Error),
    /// It does not follow its protocol.
    Strange(&'static str),
    /// It says no.
    Refused(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("it closed the connection")
            }
            Self::Io(error) => write!(f, "{error}"),
            Self::Strange(what) => write!(f, "it does not speak the protocol: {what}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

const WANTS_CREDENTIALS: &str = "it wants a user and a password";
const BAD_CREDENTIALS: &str = "it refuses user or password";

fn unescaped(text: &str) -> Result<String, InvalidProxy> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|&digit| char::from(digit).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(InvalidProxy("after % stand no two hex digits")),
        }
    }
    String::from_utf8(bytes).map_err(|_| InvalidProxy("user or password is not UTF-8"))
}

#[cfg(test)]
mod tests;
