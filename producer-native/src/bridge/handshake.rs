//! What is answered to a request, before anything is done for it?
//!
//! The order is fixed, and nothing is allocated or dialled for whoever fails: is it HTTP as it
//! shall be, is it meant for us (`Host`), is the page ours (`Origin`), who is it (token), may it go
//! there (target). A refusal says what is wrong in words, never what the token was.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::config::{BridgeConfig, WithoutOrigin};
use super::grants::Grants;
use super::limits::Over;
use super::policy::Target;
use super::tokens::{TokenFault, Tokens};

/// The subprotocol that is spoken.
pub const SUBPROTOCOL: &str = "rmq-tcp.v1";

/// How a subprotocol starts that is a token: the rest is base64url of it.
pub const TOKEN_PREFIX: &str = "bearer.";

/// What a request wants, and may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Switch protocols, and carry bytes.
    Connect(Box<Connect>),
    /// Switch protocols, and close: this address comes too often.
    Later { key: Vec<u8>, over: Over },
    /// The process is alive.
    Health,
    /// It is of use.
    Ready,
    /// A page asks what is wrong.
    Diagnose(Box<Diagnose>),
    /// A browser asks whether it may ask that, with a token.
    Preflight { origin: Option<String> },
    /// Not for the bridge, but for the pages beside it.
    Page,
    /// No.
    Refuse(Refused),
}

/// A connection that may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Connect {
    pub(super) target: Target,
    pub(super) grants: Grants,
    pub(super) origin: Option<String>,
    /// `Sec-WebSocket-Key`, as it was sent.
    pub(super) key: Vec<u8>,
}

/// What can be said before anything is dialled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Diagnose {
    /// To be named in CORS headers, if it is allowed.
    pub(super) origin: Option<String>,
    pub(super) origin_allowed: bool,
    /// `None` if it was not looked at.
    pub(super) token: Option<Result<Grants, TokenFault>>,
    pub(super) target: Option<Target>,
}

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) why: Why,
    pub(super) text: Cow<'static, str>,
}

/// Why, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Http,
    Host,
    Origin,
    Token,
    Target,
}

/// What is known besides the request and the configuration.
pub(super) struct Surroundings<'s> {
    pub(super) config: &'s BridgeConfig,
    pub(super) listener: SocketAddr,
    /// The page's own connection, or the one to the proxy before us, is TLS.
    pub(super) secure: bool,
    pub(super) tokens: &'s Tokens,
    /// The address comes too often.
    pub(super) over: Option<Over>,
    /// Seconds since 1970.
    pub(super) unix: u64,
    /// There are pages beside the bridge.
    pub(super) pages: bool,
}

/// Decides about a request.
pub(super) fn decide(request: &Parts, at: &Surroundings<'_>) -> Decision {
    let url = &request.uri;
    let path = url.path();
    let bytes = path.len() + url.query().map_or(0, |query| query.len() + 1);
    if bytes > at.config.rules.url_bytes_max {
        return refuse(StatusCode::URI_TOO_LONG, Why::Http, "the URL is too long");
    }
    // Probes of an orchestrator come by whatever name, and learn nothing.
    match (path, &request.method) {
        ("/healthz", &Method::GET) => return Decision::Health,
        ("/readyz", &Method::GET) => return Decision::Ready,
        _ => {}
    }
    let host = match host(request, at) {
        Ok(host) => host,
        Err(text) => return refuse(StatusCode::MISDIRECTED_REQUEST, Why::Host, text),
    };
    match path {
        "/v1/diagnose" => diagnose(request, at, host),
        _ => match path.strip_prefix("/v1/connect/") {
            Some(target) => connect(request, at, host, target).unwrap_or_else(Decision::Refuse),
            None if at.pages && !path.starts_with("/v1/") => Decision::Page,
            None => refuse(StatusCode::NOT_FOUND, Why::Http, "there is nothing here"),
        },
    }
}

fn refuse(status: StatusCode, why: Why, text: &'static str) -> Decision {
    Decision::Refuse(Refused { status, why, text: text.into() })
}

/// The one host that is asked for, if it is a name of ours. A page of somebody else whose name
/// leads to our address (DNS rebinding) says its own name.
fn host<'r>(request: &'r Parts, at: &Surroundings<'_>) -> Result<&'r str, &'static str> {
    let host = one(&request.headers, header::HOST).ok().flatten().ok_or("one Host is needed")?;
    let (name, port) = split_port(host).ok_or("Host is malformed")?;
    let config = at.config;
    let listed = |entry: &String| match split_port(entry) {
        Some((known, Some(known_port))) => {
            known.eq_ignore_ascii_case(name) && port == Some(known_port)
        }
        Some((known, None)) => known.eq_ignore_ascii_case(name),
        None => false,
    };
    let own = at.listener.ip();
    let ours = match config.hosts.is_empty() {
        false => config.hosts.iter().any(listed),
        true => {
            let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            literal.is_ok_and(|ip| ip == own && !ip.is_unspecified())
                || (own.is_loopback() && name.eq_ignore_ascii_case("localhost"))
        }
    };
    if ours { Ok(host) } else { Err("Host is not one of this bridge's names") }
}

/// A host and its port, if it is there. An IPv6 address keeps its brackets.
fn split_port(host: &str) -> Option<(&str, Option<u16>)> {
    let colon = match host.rfind(']') {
        Some(bracket) if host.starts_with('[') => host[bracket..].find(':').map(|at| at + bracket),
        Some(_) => return None,
        None => host.find(':'),
    };
    let Some(colon) = colon else { return (!host.is_empty()).then_some((host, None)) };
    let (name, port) = (&host[..colon], &host[colon + 1..]);
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| digits && !name.is_empty())?;
    Some((name, Some(port)))
}

/// Whether an origin is the bridge's own host, or one that is listed. Origins are compared whole,
/// as browsers write them; `null` is nobody.
fn origin_allowed(origin: &str, host: &str, at: &Surroundings<'_>) -> bool {
    if at.config.origins.iter().any(|listed| listed == origin) {
        return true;
    }
    let (scheme, port) = if at.secure { ("https://", 443) } else { ("http://", 80) };
    let Some(from) = origin.strip_prefix(scheme) else { return false };
    let (Some(from), Some(host)) = (split_port(from), split_port(host)) else { return false };
    from.0.eq_ignore_ascii_case(host.0) && from.1.unwrap_or(port) == host.1.unwrap_or(port)
}

fn connect(
    request: &Parts,
    at: &Surroundings<'_>,
    host: &str,
    target: &str,
) -> Result<Decision, Refused> {
    let bad = |text: &'static str| Refused {
        status: StatusCode::BAD_REQUEST,
        why: Why::Http,
        text: Cow::Borrowed(text),
    };
    if request.method != Method::GET {
        return Err(Refused { status: StatusCode::METHOD_NOT_ALLOWED, ..bad("only GET") });
    }
    if request.uri.query().is_some() {
        return Err(bad("no query is taken; a token belongs into Sec-WebSocket-Protocol"));
    }
    let key = upgrade_key(&request.headers).map_err(bad)?;
    let origin = check_origin(request, at, host)?;
    if let Some(over) = at.over {
        return Ok(Decision::Later { key, over });
    }
    let (speaks, token) = protocols(&request.headers).map_err(bad)?;
    let grants = at.tokens.verify(token.as_deref(), at.unix);
    let grants = grants.map_err(|fault| Refused {
        status: StatusCode::UNAUTHORIZED,
        why: Why::Token,
        text: fault.to_string().into(),
    })?;
    if !speaks {
        return Err(bad("the subprotocol rmq-tcp.v1 must be offered"));
    }
    let target = Target::parse(target, &at.config.policy.names);
    let target = target.map_err(|_| Refused::target())?;
    Ok(Decision::Connect(Box::new(Connect { target, grants, origin, key })))
}

impl Refused {
    /// The same words whatever is wrong with a target, so that nobody can ask for what is there.
    pub(super) fn target() -> Self {
        let text = "this target is in no route, or not permitted".into();
        Self { status: StatusCode::FORBIDDEN, why: Why::Target, text }
    }
}

/// The origin, if it may come.
fn check_origin(
    request: &Parts,
    at: &Surroundings<'_>,
    host: &str,
) -> Result<Option<String>, Refused> {
    let refused = |text: &'static str| Refused {
        status: StatusCode::FORBIDDEN,
        why: Why::Origin,
        text: Cow::Borrowed(text),
    };
    let origin = one(&request.headers, header::ORIGIN)
        .map_err(|()| refused("one Origin at most, in ASCII"))?;
    match origin {
        None if without_origin_allowed(at) => Ok(None),
        None => Err(refused("an Origin is needed")),
        Some(origin) if origin_allowed(origin, host, at) => Ok(Some(origin.to_owned())),
        Some(_) => Err(refused("this Origin is not allowed")),
    }
}

/// Whether somebody may come without an origin, if his token is good.
fn without_origin_allowed(at: &Surroundings<'_>) -> bool {
    match at.config.without_origin {
        WithoutOrigin::Refused => false,
        WithoutOrigin::WithToken => matches!(at.tokens, Tokens::Needed(_)),
        WithoutOrigin::Allowed => true,
    }
}

/// What is needed to switch protocols (RFC 6455, section 4.2.1).
fn upgrade_key(headers: &HeaderMap) -> Result<Vec<u8>, &'static str> {
    let has = |name, wanted: &str| {
        let mut tokens = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        tokens.any(|value| value.split(',').any(|token| token.trim().eq_ignore_ascii_case(wanted)))
    };
    if !has(header::UPGRADE, "websocket") || !has(header::CONNECTION, "upgrade") {
        return Err("this is a WebSocket: Upgrade and Connection are needed");
    }
    if one(headers, header::SEC_WEBSOCKET_VERSION) != Ok(Some("13")) {
        return Err("Sec-WebSocket-Version must be 13");
    }
    let key = one(headers, header::SEC_WEBSOCKET_KEY).ok().flatten().unwrap_or_default();
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.as_bytes() {
        [digits @ .., b'=', b'='] if digits.len() == 22 && digits.iter().copied().all(digit) => {
            Ok(key.as_bytes().to_vec())
        }
        _ => Err("Sec-WebSocket-Key must be 16 bytes in base64"),
    }
}

/// Whether ours is offered, and the token, if one is.
fn protocols(headers: &HeaderMap) -> Result<(bool, Option<String>), &'static str> {
    let mut speaks = false;
    let mut token = None;
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let value = value.to_str().map_err(|_| "Sec-WebSocket-Protocol is not ASCII")?;
        for offered in value.split(',').map(str::trim) {
            speaks |= offered == SUBPROTOCOL;
            let Some(coded) = offered.strip_prefix(TOKEN_PREFIX) else { continue };
            let decoded = base64url(coded).and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or("bearer. must be followed by base64url")?;
            if token.replace(decoded).is_some() {
                return Err("there are two tokens");
            }
        }
    }
    Ok((speaks, token))
}

fn diagnose(request: &Parts, at: &Surroundings<'_>, host: &str) -> Decision {
    let origin = one(&request.headers, header::ORIGIN).ok().flatten();
    let origin_allowed = match origin {
        Some(origin) => origin_allowed(origin, host, at),
        None => without_origin_allowed(at),
    };
    let origin = origin.filter(|_| origin_allowed).map(str::to_owned);
    match request.method {
        Method::OPTIONS => return Decision::Preflight { origin },
        Method::GET => {}
        _ => return refuse(StatusCode::METHOD_NOT_ALLOWED, Why::Http, "only GET"),
    }
    let token = one(&request.headers, header::AUTHORIZATION).ok().flatten();
    let token = token.and_then(|value| value.strip_prefix("Bearer "));
    let query = request.uri.query().unwrap_or_default();
    let target = query.split('&').find_map(|pair| pair.strip_prefix("target="));
    // Browsers write the colon as they like, and nothing else of an address needs to be escaped.
    let target =
        target.map(|text| text.replace("%3A", ":").replace("%5B", "[").replace("%5D", "]"));
    // A signature is looked at for whom it may be told only, and not more often than for those who
    // connect.
    let looks = origin_allowed && at.over.is_none();
    Decision::Diagnose(Box::new(Diagnose {
        origin,
        origin_allowed,
        token: looks.then(|| at.tokens.verify(token, at.unix)),
        target: target.and_then(|text| Target::parse(&text, &at.config.policy.names).ok()),
    }))
}

/// The value of a header that may be there once.
fn one(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(()),
    }
}

/// Reads base64url without padding (RFC 4648, section 5).
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // What is left over must be no digit of its own, and nothing.
    (count < 6 && bits == 0).then_some(bytes)
}

#[cfg(test)]
#[path = "handshake/tests.rs"]
mod tests;
