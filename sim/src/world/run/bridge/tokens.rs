//! Who gives tokens for the bridge?

use std::sync::Arc;

use producer_native::bridge::{Keys, TokenSettings, Tokens, Verifier};
use ring::hmac;

use super::super::super::host::elapsed;
use crate::pair::UNIX_MS;

const SECRET: &str = "a secret of a simulated bridge, long enough";
const AUDIENCE: &str = "bridge";

/// Wall clock of the bridge and of who gives tokens, in seconds since 1970.
pub(super) fn unix() -> u64 {
    (UNIX_MS + elapsed().as_millis()) / 1_000
}

/// What the bridge reads tokens by.
pub(super) fn reader() -> Tokens {
    let keys = Keys::from_secret(&SECRET.into()).expect("it is long enough");
    Tokens::Needed(Arc::new(Verifier::new(TokenSettings::new(AUDIENCE), keys)))
}

/// A token (JWT with HS256) for a producer, good for so many seconds from now on.
pub(super) fn token(producer: usize, good_secs: u64) -> String {
    let claims = serde_json::json!({
        "aud": AUDIENCE,
        "exp": unix() + good_secs,
        "sub": format!("producer-{producer}"),
        "topics": ["*"],
        "groups": ["*"],
    });
    let claims = base64url(claims.to_string().as_bytes());
    let message = format!("{}.{claims}", base64url(br#"{"alg":"HS256"}"#));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64url(signature.as_ref()))
}

/// Base64 for URLs, without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut coded = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            coded.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    coded
}
