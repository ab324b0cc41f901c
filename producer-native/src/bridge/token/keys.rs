//! The keys that sign tokens: a JWK set (RFC 7517), and the file it is in.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::TokenError;
use crate::Secret;

/// Keys by their ids. It shows no key.
#[derive(Clone, Default)]
pub struct Keys(Vec<Key>);

/// One key, with the one algorithm that it is for.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Why there are no keys. Nothing of them is shown.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidKeys {
    /// The file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        problem: String,
    },
    /// It is longer than [`KEYS_BYTES_MAX`], or has more than [`KEYS_MAX`] keys.
    TooMany,
    /// It is no JWK set: a line and a column of its JSON.
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A key is not as long as its algorithm has it: secrets have 32 bytes at least.
    BadKey {
        /// Its place in the list, from 0.
        at: usize,
    },
    /// Two keys for one algorithm have the same `kid`, or both none.
    Twice {
        /// Place of the second one, from 0.
        at: usize,
    },
    /// None of the keys is for EdDSA, ES256 or HS256.
    NoneUsable,
}

impl fmt::Display for InvalidKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, problem } => {
                write!(f, "key set {} cannot be read: {problem}", path.display())
            }
            Self::TooMany => {
                write!(f, "a key set has {KEYS_MAX} keys and {} KiB at most", KEYS_BYTES_MAX / 1024)
            }
            Self::Malformed { line, column } => {
                write!(f, "the key set is no JWK set: line {line}, column {column}")
            }
            Self::BadKey { at } => write!(f, "key {at} of the key set is no key of its kind"),
            Self::Twice { at } => write!(f, "key {at} of the key set cannot be told from another"),
            Self::NoneUsable => {
                f.write_str("the key set has no key for EdDSA (Ed25519), ES256 or HS256")
            }
        }
    }
}

impl std::error::Error for InvalidKeys {}

/// Longest key set in bytes.
pub const KEYS_BYTES_MAX: usize = 256 * 1024;

/// Most keys of a set.
pub const KEYS_MAX: usize = 64;

/// Shortest secret of HS256 in bytes (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;

impl Keys {
    /// Reads a JWK set: Ed25519 keys are for EdDSA, P-256 keys for ES256, `oct` keys for HS256. Keys
    /// of other kinds, for other algorithms or for encryption are passed over.
    ///
    /// # Errors
    /// [`InvalidKeys`] says what is wrong with it.
    pub fn from_jwks(json: &[u8]) -> Result<Self, InvalidKeys> {
        if json.len() > KEYS_BYTES_MAX {
            return Err(InvalidKeys::TooMany);
        }
        let malformed = |error: serde_json::Error| InvalidKeys::Malformed {
            line: error.line(),
            column: error.column(),
        };
        let set: JwkSet = serde_json::from_slice(json).map_err(malformed)?;
        if set.keys.len() > KEYS_MAX {
            return Err(InvalidKeys::TooMany);
        }
        let mut keys = Self::default();
        for (at, jwk) in set.keys.iter().enumerate() {
            if let Some(key) = Key::of(jwk).map_err(|_| InvalidKeys::BadKey { at })? {
                keys.add(key, at)?;
            }
        }
        if keys.0.is_empty() { Err(InvalidKeys::NoneUsable) } else { Ok(keys) }
    }

    /// A single secret for HS256, without an id.
    ///
    /// # Errors
    /// [`InvalidKeys::BadKey`] if it has fewer than 32 bytes.
    pub fn from_secret(secret: &Secret) -> Result<Self, InvalidKeys> {
        let key = DecodingKey::from_secret(secret.reveal().as_bytes());
        let key = Key { id: None, algorithm: Algorithm::HS256, key };
        key.check().map_err(|_| InvalidKeys::BadKey { at: 0 })?;
        Ok(Self(vec![key]))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, so that no token counts.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, key: Key, at: usize) -> Result<(), InvalidKeys> {
        let same = |other: &Key| other.id == key.id && other.algorithm == key.algorithm;
        if self.0.iter().any(same) {
            return Err(InvalidKeys::Twice { at });
        }
        self.0.push(key);
        Ok(())
    }

    /// The key of a token that claims this id and algorithm. Without an id it is the only one for
    /// the algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, TokenError> {
        let named = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let mut fit = self.0.iter().filter(|key| key.algorithm == algorithm && named(key));
        match (fit.next(), fit.next()) {
            (Some(key), None) => Ok(key),
            (None, _) if self.0.iter().any(|key| named(&key)) => Err(TokenError::Algorithm),
            _ => Err(TokenError::UnknownKey),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|key| (key.id.as_deref().unwrap_or(""), key.algorithm));
        f.debug_map().entries(shown).finish()
    }
}

struct BadKey;

impl Key {
    /// The key of a JWK, if it is one of ours.
    fn of(jwk: &Jwk) -> Result<Option<Self>, BadKey> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::OctetKey(_) => Algorithm::HS256,
            _ => return Ok(None),
        };
        let name = format!("{algorithm:?}");
        let other = jwk.common.key_algorithm.is_some_and(|said| said.to_string() != name);
        let purpose = jwk.common.public_key_use.as_ref();
        if other || purpose.is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return Ok(None);
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|_| BadKey)?;
        let key = Self { id: jwk.common.key_id.clone(), algorithm, key };
        key.check()?;
        Ok(Some(key))
    }

    fn check(&self) -> Result<(), BadKey> {
        let bytes = self.key.try_get_as_bytes().map_err(|_| BadKey)?.len();
        let fits = match self.algorithm {
            Algorithm::EdDSA => bytes == 32,
            // A point: its mark and two numbers.
            Algorithm::ES256 => bytes == 65,
            _ => bytes >= SECRET_BYTES_MIN,
        };
        if fits { Ok(()) } else { Err(BadKey) }
    }
}

/// A file with a JWK set, which may be replaced while the bridge runs.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
    /// When the file that was read last was written, and its length.
    seen: Option<(SystemTime, u64)>,
}

impl KeyFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`InvalidKeys`] says what is wrong with it.
    pub fn open(path: impl Into<PathBuf>) -> Result<(Self, Keys), InvalidKeys> {
        let mut file = Self { path: path.into(), seen: None };
        let keys = file.look()?;
        Ok((file, keys.unwrap_or_default()))
    }

    /// Looks whether the file was replaced, and if so reads it: at most [`KEYS_BYTES_MAX`], on this
    /// thread. To be called every few seconds. After an error the keys in use should stay in use;
    /// the file is read again when it changes again.
    ///
    /// # Errors
    /// [`InvalidKeys`] says what is wrong with the file.
    pub fn look(&mut self) -> Result<Option<Keys>, InvalidKeys> {
        let unreadable = |error: std::io::Error| InvalidKeys::Unreadable {
            path: self.path.clone(),
            problem: error.to_string(),
        };
        let file = File::open(&self.path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        let written = about.modified().map_err(unreadable)?;
        if self.seen == Some((written, about.len())) {
            return Ok(None);
        }
        let mut json = Vec::new();
        file.take(KEYS_BYTES_MAX as u64 + 1).read_to_end(&mut json).map_err(unreadable)?;
        self.seen = Some((written, about.len()));
        Keys::from_jwks(&json).map(Some)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
