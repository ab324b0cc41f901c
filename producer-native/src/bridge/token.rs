//! Who is it, and what may they do: signed tokens (JWT, RFC 7519).
//!
//! | claim | |
//! |---|---|
//! | `aud` | must name this bridge, so that a token for something else is none |
//! | `exp` | when it ends; it must be there |
//! | `nbf` | when it begins, if it is there |
//! | `iss` | must be the configured one, if one is configured |
//! | `sub` | who it is: for logs, and for counting connections; it must be there |
//! | `topics`, `groups` | lists of names, or of starts of names like `web-*`; `["*"]` is all |
//! | `maxBody` | largest body of a message in bytes, if it is there |
//!
//! Both lists must be there, so that a claim whose name is mistyped grants nothing; see
//! [`TokenSettings::names_required`]. `null` is no value of any of them.
//!
//! A token that names topics must name groups too: a producer of a group is shown the half messages
//! of that group and may end its transactions, whatever their topic.
//!
//! The key says by which algorithm a token is checked, the token does not: one that claims another
//! (`none`, or HS256 with a public key for its secret) is refused before any key is used.

mod keys;
mod ring;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde::{Deserialize, Deserializer};

use super::{Grants, InvalidPattern, Names};
pub use keys::{InvalidKeys, KEYS_BYTES_MAX, KEYS_MAX, KeyFile, Keys};

/// What a token must say to be one for this bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// What its `aud` must be, or have.
    pub audience: String,
    /// What its `iss` must be; `None` asks for none.
    pub issuer: Option<String>,
    /// By how much the clocks of issuer and bridge may differ. Default 30 s.
    pub leeway: Duration,
    /// Whether both `topics` and `groups` must be there. Default true. If not, a list that is missing
    /// is all, and one whose name is mistyped, too.
    pub names_required: bool,
}

impl TokenSettings {
    /// Tokens for this audience, from anybody whose key is known.
    pub fn new(audience: impl Into<String>) -> Self {
        let leeway = Duration::from_secs(30);
        Self { audience: audience.into(), issuer: None, leeway, names_required: true }
    }
}

/// Why a token does not count. Nothing of it is repeated, so this may be told to whoever sent it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It is longer than [`TOKEN_BYTES_MAX`].
    TooLong,
    /// It is not three parts of base64url with JSON inside, or a claim has a wrong type.
    Malformed,
    /// No key has its `kid`; or it has none, and which key it is cannot be told.
    UnknownKey,
    /// It claims an algorithm that is not its key's.
    Algorithm,
    /// Its signature is not that of the key.
    Signature,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYet,
    /// It is for something else.
    Audience,
    /// It is from somebody else.
    Issuer,
    /// A name in it is no name of a topic or group.
    Name(InvalidPattern),
    /// It names topics but no groups.
    NoGroups,
    /// It lacks `topics` or `groups`, and they are required.
    NoNames,
    /// It does not say who it is.
    NoSubject,
}

impl TokenError {
    /// One word for it: for the page's `diagnose`, logs and figures.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown-key",
            Self::Algorithm => "wrong-algorithm",
            Self::Signature => "bad-signature",
            Self::Expired => "expired",
            Self::NotYet => "not-yet",
            Self::Audience => "wrong-audience",
            Self::Issuer => "wrong-issuer",
            Self::Name(_) => "bad-name",
            Self::NoGroups => "no-groups",
            Self::NoNames => "no-names",
            Self::NoSubject => "no-subject",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token is malformed",
            Self::UnknownKey => "the token is signed by a key that is not known here",
            Self::Algorithm => "the token's algorithm is not that of its key",
            Self::Signature => "the token's signature is wrong",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::Audience => "the token is for another audience",
            Self::Issuer => "the token is from another issuer",
            Self::Name(problem) => return write!(f, "in the token, {problem}"),
            Self::NoGroups => "the token names topics; it must name groups too",
            Self::NoNames => "the token lacks topics or groups; [\"*\"] is all of them",
            Self::NoSubject => "the token has no sub",
        })
    }
}

impl std::error::Error for TokenError {}

/// Longest token in bytes. Browsers send it in a header, of which there are 16 KiB in all.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Longest `sub` in bytes.
pub const SUBJECT_BYTES_MAX: usize = 256;

/// Checks tokens. It may be shared; its keys may change while others use it.
pub struct Verifier {
    settings: TokenSettings,
    keys: RwLock<Arc<Keys>>,
}

impl Verifier {
    /// Checks tokens that these keys sign.
    pub fn new(settings: TokenSettings, keys: Keys) -> Self {
        ring::install();
        Self { settings, keys: RwLock::new(Arc::new(keys)) }
    }

    /// From now on tokens are checked by these keys. What was granted stays granted.
    pub fn set_keys(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// What a token grants at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// [`TokenError`]: whatever is wrong with it.
    pub fn verify(&self, token: &str, now: u64) -> Result<Grants, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        // None is understood here, and what is marked as critical must be (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let key = keys.find(header.kid.as_deref(), header.alg)?;
        let mut validation = Validation::new(key.algorithm);
        // Times and audience are compared below: the clock of the crate is the machine's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let decoded = decode::<Claims>(token, &key.key, &validation);
        let claims = decoded.map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => TokenError::Signature,
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => TokenError::Algorithm,
            _ => TokenError::Malformed,
        })?;
        self.grants(claims.claims, now)
    }

    /// What the claims of a token with a good signature grant.
    fn grants(&self, claims: Claims, now: u64) -> Result<Grants, TokenError> {
        let TokenSettings { audience, issuer, leeway, names_required } = &self.settings;
        // What JSON has is a number, and finite.
        let (now, leeway) = (now as f64, leeway.as_secs_f64());
        if claims.exp + leeway <= now {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|begins| begins - leeway > now) {
            return Err(TokenError::NotYet);
        }
        let meant = match &claims.aud {
            Some(Audience::One(one)) => one == audience,
            Some(Audience::Several(several)) => several.contains(audience),
            None => false,
        };
        if !meant {
            return Err(TokenError::Audience);
        }
        if issuer.is_some() && claims.iss != *issuer {
            return Err(TokenError::Issuer);
        }
        let subject = claims.sub.unwrap_or_default();
        // Connections are counted by it.
        if subject.is_empty() {
            return Err(TokenError::NoSubject);
        }
        if subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
            return Err(TokenError::Malformed);
        }
        if *names_required && (claims.topics.is_none() || claims.groups.is_none()) {
            return Err(TokenError::NoNames);
        }
        let (topics, groups) = (names(claims.topics)?, names(claims.groups)?);
        if topics != Names::Any && groups == Names::Any {
            return Err(TokenError::NoGroups);
        }
        let expires_at = Some(claims.exp as u64);
        Ok(Grants { topics, groups, body_bytes_max: claims.max_body, subject, expires_at })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn names(list: Option<Vec<String>>) -> Result<Names, TokenError> {
    let Some(list) = list else { return Ok(Names::Any) };
    Names::new(list.iter().map(String::as_str)).map_err(TokenError::Name)
}

/// What is read of a token; other claims are other people's.
#[derive(Deserialize)]
struct Claims {
    aud: Option<Audience>,
    exp: f64,
    #[serde(default, deserialize_with = "no_null")]
    nbf: Option<f64>,
    iss: Option<String>,
    sub: Option<String>,
    #[serde(default, deserialize_with = "no_null")]
    topics: Option<Vec<String>>,
    #[serde(default, deserialize_with = "no_null")]
    groups: Option<Vec<String>>,
    #[serde(default, rename = "maxBody", deserialize_with = "no_null")]
    max_body: Option<usize>,
}

/// A limit that is there: an issuer that writes `null` has not said that there is none.
fn no_null<'de, D, T>(claim: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(claim).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}
