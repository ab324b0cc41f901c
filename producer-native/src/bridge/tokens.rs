//! Does somebody need a token, and what is granted without?

use std::fmt;
use std::sync::Arc;

use super::grants::Grants;
use super::token::{TokenError, Verifier};

/// Whether tokens are needed.
#[derive(Clone, Debug)]
pub enum Tokens {
    /// Nobody needs one: everybody has these grants.
    NotNeeded(Grants),
    /// Everybody needs one, and this reads it.
    Needed(Arc<Verifier>),
}

impl Tokens {
    /// What is granted to whoever brings this token, or none, at a time in seconds since 1970.
    pub(super) fn verify(&self, token: Option<&str>, unix: u64) -> Result<Grants, TokenFault> {
        match (self, token) {
            (Self::NotNeeded(grants), _) => Ok(grants.clone()),
            (Self::Needed(_), None) => Err(TokenFault::Missing),
            (Self::Needed(verifier), Some(token)) => {
                verifier.verify(token, unix).map_err(TokenFault::Bad)
            }
        }
    }
}

/// Why nothing is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenFault {
    /// There is no token.
    Missing,
    /// There is one.
    Bad(TokenError),
}

impl TokenFault {
    /// One word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Bad(error) => error.word(),
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => {
                f.write_str("a token is needed: bearer.<base64url> in Sec-WebSocket-Protocol")
            }
            Self::Bad(error) => error.fmt(f),
        }
    }
}
