//! Requests of the page: its files, orders for the cluster, and what the logs hold.

use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::ledger;
use crate::nodes::{Failure, Nodes};
use crate::orders::Order;
use crate::site::Site;

/// All that is answered.
#[derive(Debug)]
pub(crate) struct Api {
    nodes: Nodes,
    site: Site,
}

/// What begins each path that is no file's.
const PREFIX: &str = "/demo/v1/";

impl Api {
    pub(crate) const fn new(nodes: Nodes, site: Site) -> Self {
        Self { nodes, site }
    }

    /// Answers a request whose `Host` is ours.
    pub(crate) async fn answer(&self, request: Request<()>) -> Response<Bytes> {
        let host = header(&request, header::HOST).unwrap_or_default().to_owned();
        let mut response = match request.uri().path().strip_prefix(PREFIX) {
            Some(what) => self.call(&request, &host, what).await,
            None => self.file(&request),
        };
        guard(&mut response, &host);
        response
    }

    fn file(&self, request: &Request<()>) -> Response<Bytes> {
        // The same file on a host of files alone says that there is no cluster.
        if request.method() == Method::GET && request.uri().path() == "/backend.json" {
            return ok(&json!({ "live": true }));
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return error(StatusCode::METHOD_NOT_ALLOWED, "files are read");
        }
        let gzip = header(request, header::ACCEPT_ENCODING).is_some_and(|all| all.contains("gzip"));
        let found = self.site.get(request.uri().path(), gzip);
        found.unwrap_or_else(|| error(StatusCode::NOT_FOUND, "there is no such file"))
    }

    async fn call(&self, request: &Request<()>, host: &str, what: &str) -> Response<Bytes> {
        let query = request.uri().query();
        if !is_ours(request, host) {
            return error(StatusCode::FORBIDDEN, "only the page of this server may ask");
        }
        let method = request.method();
        let post = match *method {
            Method::GET => false,
            Method::POST => true,
            _ => return error(StatusCode::METHOD_NOT_ALLOWED, "GET or POST"),
        };
        match (post, what.split('/').collect::<Vec<_>>().as_slice()) {
            (false, ["state"]) => ok(&self.nodes.state().await),
            (false, ["ledger" | "ledger.txt"]) => self.ledger(query, what == "ledger.txt"),
            (false, ["messages"]) => match query.and_then(|query| query.strip_prefix("id=")) {
                Some(id) if !id.is_empty() && id.len() <= ID_BYTES_MAX => {
                    ok(&ledger::copies(&self.masters(), id))
                }
                _ => error(StatusCode::BAD_REQUEST, "messages wants id=RUN.N, or a message id"),
            },
            (true, ["heal"]) => self.obeyed(self.nodes.heal().await).await,
            (true, ["nodes", node, order]) => match Order::read(order, query) {
                Ok(order) => self.obeyed(self.nodes.obey(node, order).await).await,
                Err(unknown) => error(StatusCode::BAD_REQUEST, &unknown.to_string()),
            },
            (_, ["state" | "ledger" | "ledger.txt" | "messages" | "heal"] | ["nodes", _, _]) => {
                error(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "GET what is read, POST what changes something",
                )
            }
            _ => error(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    fn masters(&self) -> Vec<&sim::serve::BrokerHandle> {
        self.nodes.masters().collect()
    }

    fn ledger(&self, query: Option<&str>, words: bool) -> Response<Bytes> {
        let brokers = self.masters();
        let Some(cursors) = ledger::cursors(query, brokers.len()) else {
            return error(StatusCode::BAD_REQUEST, "ledger wants after=A,B,C: a cursor a broker");
        };
        if words {
            typed(ledger::lines(&brokers, &cursors).into(), "text/plain; charset=utf-8")
        } else {
            typed(ledger::packed(&brokers, &cursors).into(), "application/octet-stream")
        }
    }

    async fn obeyed(&self, obeyed: Result<(), Failure>) -> Response<Bytes> {
        match obeyed {
            Ok(()) => ok(&self.nodes.state().await),
            Err(Failure::NoNode) => error(StatusCode::NOT_FOUND, "there is no such node"),
            Err(Failure::Unable) => error(StatusCode::CONFLICT, "such a node cannot do that"),
            Err(Failure::Io(why)) => error(StatusCode::CONFLICT, &why.to_string()),
        }
    }
}

const ID_BYTES_MAX: usize = 64;

fn header(request: &Request<()>, name: HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Whether a page of this server asks: browsers tell the origin of all that is not a plain read.
fn is_ours(request: &Request<()>, host: &str) -> bool {
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => request.method() == Method::GET,
        (Some(origin), None) => origin.as_bytes() == format!("http://{host}").as_bytes(),
        (Some(_), Some(_)) => false,
    }
}

fn typed(bytes: Bytes, mime: &'static str) -> Response<Bytes> {
    let mut response = Response::new(bytes);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn ok(value: &Value) -> Response<Bytes> {
    typed(value.to_string().into(), "application/json")
}

fn error(status: StatusCode, text: &str) -> Response<Bytes> {
    let mut response = ok(&json!({ "error": text }));
    *response.status_mut() = status;
    response
}

/// What a page of this server may do: run its own files, and speak with this server.
fn guard(response: &mut Response<Bytes>, host: &str) {
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
         connect-src 'self' ws://{host}; img-src 'self' data:; worker-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    // A host that was found to be ours is fit for a header.
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
