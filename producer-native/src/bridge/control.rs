//! What does a page say to the bridge itself?

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::ending::{By, CloseCode, Ending};
use super::filter::Filter;
use super::grants::Grants;
use super::metrics::Metrics;
use super::tokens::Tokens;

/// Handles text messages, which are JSON objects:
///
/// * `{"token":"..."}`: the next token, of the same subject. It is answered by
///   `{"v":1,"token":"ok","expiresInMs":milliseconds}`, or the connection ends with 4001. One a
///   second: each costs a signature check, so with an earlier one the connection ends with 1013.
/// * `{"traceparent":"..."}`: for the log line of this connection.
///
/// Anything else is refused, as a page that says it expects what it does not get.
pub(super) struct Control<'c> {
    pub(super) tokens: Tokens,
    pub(super) subject: String,
    /// Seconds since 1970.
    pub(super) unix: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Where answers go.
    pub(super) answers: mpsc::Sender<Message>,
    /// When the token expires, in seconds since 1970.
    pub(super) expires_at: watch::Sender<Option<u64>>,
    pub(super) traceparent: watch::Sender<Option<String>>,
    pub(super) metrics: &'c Metrics,
    /// When the last token came on this connection.
    pub(super) refreshed: Option<Instant>,
}

impl Control<'_> {
    /// Handles one; says if the connection ends by it.
    pub(super) fn handle(&mut self, text: &str, filter: &mut Filter) -> Option<Ending> {
        let refused = |why: &'static str| Some(Ending::new(By::Bridge, CloseCode::REFUSED, why));
        if text.len() > TEXT_BYTES_MAX {
            return refused("a control message is too long");
        }
        let Ok(serde_json::Value::Object(said)) = serde_json::from_str(text) else {
            return refused("a text message must be a JSON object");
        };
        if let Some(traceparent) = said.get("traceparent").and_then(|value| value.as_str()) {
            if traceparent.len() > TRACEPARENT_BYTES_MAX {
                return refused("traceparent is too long");
            }
            self.traceparent.send_replace(Some(traceparent.to_owned()));
            return None;
        }
        let Some(token) = said.get("token").and_then(|value| value.as_str()) else {
            return refused("a control message has a token or a traceparent");
        };
        let now = Instant::now();
        if self.refreshed.is_some_and(|before| now < before + REFRESH_PAUSE) {
            self.metrics.limited("tokens");
            let retry_after_ms = REFRESH_PAUSE.as_millis() as u64;
            return Some(Ending::limit("too many tokens", retry_after_ms));
        }
        self.refreshed = Some(now);
        match self.tokens.verify(Some(token), (self.unix)()) {
            // Whoever took another's place would have the limits and the log lines of the first.
            Ok(grants) if grants.subject != self.subject => refuse_token("it is another subject's"),
            Ok(grants) => {
                self.refresh(grants, filter);
                None
            }
            Err(fault) => refuse_token(fault.to_string()),
        }
    }

    fn refresh(&self, grants: Grants, filter: &mut Filter) {
        self.expires_at.send_replace(grants.expires_at);
        let expires_in_ms = grants.expires_in_ms((self.unix)());
        let answer = serde_json::json!({"v": 1, "token": "ok", "expiresInMs": expires_in_ms});
        filter.set_grants(Arc::new(grants));
        // A page that takes no answers, and goes on asking, gets none.
        let _full = self.answers.try_send(Message::text(answer.to_string()));
    }
}

fn refuse_token(why: impl Into<Cow<'static, str>>) -> Option<Ending> {
    Some(Ending::new(By::Bridge, CloseCode::TOKEN, why))
}

/// From one token of a connection to the next.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);
/// Longest control message: a token with many claims.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Longest `traceparent`: that of version 0 has 55, later ones may have more.
const TRACEPARENT_BYTES_MAX: usize = 128;
