//! One HTTP exchange, within its time, and what comes of it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use producer_core::Address;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection::Connection;
use super::ending::CloseCode;
use super::grants::Grants;
use super::handshake::{
    self, Connect, Decision, Diagnose, Refused, SUBPROTOCOL, Surroundings, Why,
};
use super::limits::Over;
use super::pages::{self, Whole};
use super::phase::Phase;
use super::policy::Target;
use super::proxies;
use super::shared::{Admitted, Knocking, Shared};

/// A socket as it was accepted.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) from: SocketAddr,
    pub(super) listener: SocketAddr,
    pub(super) secure: bool,
}

/// A connection that may be, and its socket with what was read of it already.
pub(super) type Upgraded<S> = (Connection, S, Vec<u8>);

/// Answers the requests of a socket. If one of them may connect, the socket comes back.
pub(super) async fn exchange<S>(
    shared: &Arc<Shared>,
    arrival: Arrival,
    stream: S,
    knocking: Knocking,
) -> Option<Upgraded<S>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let slot = Arc::new(Mutex::new(None));
    let knocking = Arc::new(Mutex::new(Some(knocking)));
    let answered = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, slot, answered) = (shared.clone(), slot.clone(), answered.clone());
        let knocking = knocking.clone();
        Box::pin(async move {
            answered.store(true, Relaxed);
            let (response, connection) = answer(&shared, arrival, request, &knocking).await;
            *lock(&slot) = connection;
            Ok::<_, Infallible>(response)
        })
    });
    let limits = &shared.config.rules;
    let mut http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.handshake)
        .max_buf_size(limits.head_bytes_max.max(HEAD_BYTES_MIN))
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let served = poll_fn(|cx| http.poll_without_shutdown(cx)).await;
    let connection = take(&slot);
    match (&served, connection) {
        (Ok(()), Some(connection)) => {
            let parts = http.into_parts();
            Some((connection, parts.io.into_inner(), parts.read_buf.to_vec()))
        }
        (Err(error), _) if !answered.load(Relaxed) => {
            shared.metrics.handshake(if error.is_timeout() { "timeout" } else { "http" });
            None
        }
        _ => None,
    }
}

/// hyper takes no less.
const HEAD_BYTES_MIN: usize = 8 * 1024;
const HEADERS_MAX: usize = 64;

fn lock<T>(slot: &Mutex<Option<T>>) -> MutexGuard<'_, Option<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    lock(slot).take()
}

type Answer = (Response<Whole>, Option<Connection>);

async fn answer(
    shared: &Arc<Shared>,
    arrival: Arrival,
    request: Request<Incoming>,
    knocking: &Mutex<Option<Knocking>>,
) -> Answer {
    // Nobody has a body to send, and none is read.
    let (head, _body) = request.into_parts();
    let ip = proxies::client(arrival.from.ip(), &head.headers, &shared.config.trusted_proxies);
    // The port is not known of one whom a proxy speaks for.
    let same = ip == arrival.from.ip().to_canonical();
    let client = SocketAddr::new(ip, if same { arrival.from.port() } else { 0 });
    let counts = head.uri.path().starts_with("/v1/");
    let counted = counts.then(|| shared.lock_limits().request(Instant::now(), ip));
    let over = counted.and_then(Result::err);
    let surroundings = Surroundings {
        config: &shared.config,
        listener: arrival.listener,
        secure: arrival.secure || shared.config.behind_proxy,
        tokens: &shared.tokens,
        over,
        unix: (shared.unix)(),
        pages: shared.pages.is_some(),
    };
    match handshake::decide(&head, &surroundings) {
        Decision::Connect(connect) => accept(shared, (client, arrival), *connect, knocking),
        Decision::Later { key, over } => {
            drop(take(knocking));
            let place = Err(over);
            let connect = Connect {
                target: Target::NameServer,
                grants: Grants::everything(),
                origin: None,
                key,
            };
            switch(shared, (client, arrival), connect, Vec::new(), place)
        }
        Decision::Health => (plain(StatusCode::OK, "alive\n"), None),
        Decision::Ready => (ready(shared), None),
        Decision::Diagnose(asked) => (diagnose(shared, *asked, over).await, None),
        Decision::Preflight { origin } => {
            let mut response = plain(StatusCode::NO_CONTENT, "");
            allow(&mut response, origin.as_deref());
            (response, None)
        }
        Decision::Page => (page(shared, Request::from_parts(head, ())).await, None),
        Decision::Refuse(refused) => (refuse(shared, &refused), None),
    }
}

async fn page(shared: &Shared, request: Request<()>) -> Response<Whole> {
    match &shared.pages {
        Some(pages) => pages::last(pages(request).await),
        None => plain(StatusCode::NOT_FOUND, ""),
    }
}

/// Answers 101, whether there is room or not: a page learns nothing from any other status, and
/// everything from a close code.
fn accept(
    shared: &Shared,
    who: (SocketAddr, Arrival),
    connect: Connect,
    knocking: &Mutex<Option<Knocking>>,
) -> Answer {
    let Some(addresses) = shared.reach(&connect.target) else {
        return (refuse(shared, &Refused::target()), None);
    };
    let Some(knocking) = take(knocking) else {
        // There was a request on this socket already, and it was admitted.
        return (plain(StatusCode::BAD_REQUEST, "one connection a socket\n"), None);
    };
    let place = knocking.admit(who.0.ip(), &connect.grants.subject);
    switch(shared, who, connect, addresses, place)
}

fn switch(
    shared: &Shared,
    (client, arrival): (SocketAddr, Arrival),
    connect: Connect,
    addresses: Vec<Address>,
    place: Result<Admitted, Over>,
) -> Answer {
    let Connect { target, grants, origin, key } = connect;
    shared.metrics.handshake(if place.is_ok() { "ok" } else { "limit" });
    let place = match place {
        Ok(admitted) => Ok(admitted),
        Err(over) => match shared.telling.clone().try_acquire_owned() {
            Ok(telling) => Err((over, telling)),
            // Too many are being told already: this one learns no more than a status.
            Err(_) => return (later(over), None),
        },
    };
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let accepted = HeaderValue::try_from(derive_accept_key(&key));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted.expect("base64 is fit for a header"));
    let listener = arrival.listener;
    (response, Some(Connection { target, addresses, grants, origin, client, listener, place }))
}

fn later(over: Over) -> Response<Whole> {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "later\n");
    let seconds = over.retry_after().as_secs().max(1);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn refuse(shared: &Shared, refused: &Refused) -> Response<Whole> {
    shared.metrics.handshake(match refused.why {
        Why::Http => "http",
        Why::Host => "host",
        Why::Origin => "origin",
        Why::Token => "token",
        Why::Target => "target",
    });
    plain(refused.status, &format!("{}\n", refused.text))
}

/// Ready if it goes on, and a name server answered within the last minute, if there are any.
fn ready(shared: &Shared) -> Response<Whole> {
    let stops = shared.unready.load(Relaxed) || shared.phase.now() != Phase::Serving;
    let age = shared.lock_discovery().age(Instant::now());
    let fresh = age.is_some_and(|age| age < NAME_SERVER_FRESH);
    match (stops, fresh || shared.config.name_servers.is_empty()) {
        (true, _) => plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        (false, false) => plain(StatusCode::SERVICE_UNAVAILABLE, "no name server\n"),
        (false, true) => plain(StatusCode::OK, "ready\n"),
    }
}

const NAME_SERVER_FRESH: Duration = Duration::from_secs(60);

/// Says what would become of a connection. Only to whom might have one: what is not in the routes
/// is not dialled, so nobody learns what else there is.
async fn diagnose(shared: &Arc<Shared>, asked: Diagnose, over: Option<Over>) -> Response<Whole> {
    let token = match &asked.token {
        None => "not-told",
        Some(Ok(_)) => "ok",
        Some(Err(fault)) => fault.word(),
    };
    let may = asked.origin_allowed && matches!(asked.token, Some(Ok(_))) && over.is_none();
    let target = asked.target.as_ref().filter(|_| may);
    let reach = target.and_then(|target| shared.reach(target));
    let dial = match (target, &reach) {
        (Some(target), Some(addresses)) => match shared.dial(target, addresses).await {
            Ok(_stream) => "ok",
            Err(ending) => match ending.code {
                CloseCode::DIAL_TIMEOUT => "timeout",
                CloseCode::LIMIT => "limit",
                _ => "refused",
            },
        },
        _ => "not-tried",
    };
    let body = json!({
        "origin": asked.origin_allowed,
        "token": token,
        "target": if !may { "not-told" } else if reach.is_some() { "allowed" } else { "not-in-route" },
        "dial": dial,
        "retryAfterMs": over.map(|over| over.retry_after().as_millis() as u64),
    });
    let mut response = plain(StatusCode::OK, &body.to_string());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    allow(&mut response, asked.origin.as_deref());
    response
}

/// Lets a page of this origin read the answer.
fn allow(response: &mut Response<Whole>, origin: Option<&str>) {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let authorization = HeaderValue::from_static("authorization");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, authorization);
}

fn plain(status: StatusCode, text: &str) -> Response<Whole> {
    let mut response = Response::new(Whole::from(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers `GET /metrics`, on a listener of its own.
pub(super) async fn exchange_metrics<S>(shared: &Arc<Shared>, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let response = match request.uri().path() {
            "/metrics" => plain(StatusCode::OK, &shared.metrics.to_string()),
            "/healthz" => plain(StatusCode::OK, "alive\n"),
            "/readyz" => ready(shared),
            _ => plain(StatusCode::NOT_FOUND, "there is nothing here\n"),
        };
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.config.rules.handshake)
        .serve_connection(TokioIo::new(stream), service);
    let _gone = http.await;
}

/// One socket of a page, from its first byte to its last.
pub(super) async fn socket<S>(shared: Arc<Shared>, arrival: Arrival, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let from = arrival.from.ip();
    let counted = (!proxies::is_trusted(from, &shared.config.trusted_proxies)).then_some(from);
    let knocking = match Knocking::new(&shared, counted) {
        Ok(knocking) => knocking,
        Err(over) => {
            shared.metrics.limited(over.word());
            shared.metrics.handshake("limit");
            return;
        }
    };
    let given_up = knocking.given_up();
    let Some(tls) = &shared.tls else {
        let exchange = exchange(&shared, arrival, stream, knocking);
        let exchanged = in_time(&shared, given_up, exchange).await;
        return go_on(shared, exchanged).await;
    };
    let acceptor = tls.acceptor();
    let exchange = async {
        let stream = acceptor.accept(stream).await.ok()?;
        exchange(&shared, arrival, stream, knocking).await
    };
    let exchanged = in_time(&shared, given_up, exchange).await;
    go_on(shared, exchanged).await;
}

/// Waits for an exchange, unless it takes too long, or has to make room for others.
async fn in_time<T>(
    shared: &Shared,
    given_up: impl Future<Output = ()>,
    exchange: impl Future<Output = Option<T>>,
) -> Option<T> {
    tokio::select! {
        biased;
        exchanged = timeout(shared.config.rules.handshake, exchange) => {
            if exchanged.is_err() {
                shared.metrics.handshake("timeout");
            }
            exchanged.ok().flatten()
        }
        () = given_up => {
            shared.metrics.limited(Over::Knocks.word());
            shared.metrics.handshake("limit");
            None
        }
    }
}

async fn go_on<S>(shared: Arc<Shared>, exchanged: Option<Upgraded<S>>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    if let Some((connection, stream, read)) = exchanged {
        connection.serve(shared, stream, read).await;
    }
}
