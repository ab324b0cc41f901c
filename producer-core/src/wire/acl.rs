//! Signing requests (spec §10.1, `AclUtils.java`, `AclSigner.java`).

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::names::is_blank;
use super::{Fields, WireError, java_hash};

/// Who signs. Its `Debug` shows the access key and nothing else; nothing gives the secret out.
#[derive(Clone)]
pub struct Credentials {
    access_key: String,
    secret_key: String,
    security_token: Option<String>,
}

/// Why credentials were refused before they were used. It names what is wrong and no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidCredentials {
    /// The access key is blank.
    AccessKey,
    /// The secret key is blank.
    SecretKey,
    /// The security token is blank; one that is not needed is left out.
    SecurityToken,
}

impl Credentials {
    /// An account with its secret, which is never sent.
    ///
    /// # Errors
    /// [`InvalidCredentials`] when either is blank.
    pub fn new(
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Result<Self, InvalidCredentials> {
        let (access_key, secret_key) = (access_key.into(), secret_key.into());
        if is_blank(&access_key) {
            return Err(InvalidCredentials::AccessKey);
        }
        if is_blank(&secret_key) {
            return Err(InvalidCredentials::SecretKey);
        }
        Ok(Self { access_key, secret_key, security_token: None })
    }

    /// With the token of a temporary account, which is sent along.
    ///
    /// # Errors
    /// [`InvalidCredentials::SecurityToken`] when it is blank.
    pub fn with_token(mut self, token: impl Into<String>) -> Result<Self, InvalidCredentials> {
        let token = token.into();
        if is_blank(&token) {
            return Err(InvalidCredentials::SecurityToken);
        }
        self.security_token = Some(token);
        Ok(self)
    }

    /// Name of the account, sent along.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Whether there is a security token.
    pub fn has_token(&self) -> bool {
        self.security_token.is_some()
    }
}

impl PartialEq for Credentials {
    /// Takes a time that does not depend on where secrets differ.
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &str, other: &str| {
            let pairs = one.bytes().zip(other.bytes());
            one.len() == other.len() && pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
        };
        let token = |of: &Self| of.security_token.clone().unwrap_or_default();
        (self.access_key == other.access_key)
            & same(&self.secret_key, &other.secret_key)
            & (self.has_token() == other.has_token())
            & same(&token(self), &token(other))
    }
}

impl Eq for Credentials {}

impl fmt::Display for InvalidCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessKey => "the access key is blank",
            Self::SecretKey => "the secret key is blank",
            Self::SecurityToken => "the security token is blank",
        })
    }
}

impl core::error::Error for InvalidCredentials {}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Base64 of the HMAC-SHA1 of `content`. An empty secret is refused, as in Java.
pub fn signature(secret_key: &str, content: &[u8]) -> Result<String, WireError> {
    signature_of(secret_key, [content])
}

/// Adds `AccessKey`, `SecurityToken` and `Signature` to all the fields of a request.
///
/// Has to come last: what is added behind the signature breaks it. Fields of these names from an
/// earlier attempt are replaced.
pub fn sign<'a>(
    fields: Fields<'a>,
    credentials: &'a Credentials,
    body: &[u8],
) -> Result<Fields<'a>, WireError> {
    let mut signed = fields.without(&["AccessKey", "Signature"]);
    signed.push("AccessKey", Cow::Borrowed(&*credentials.access_key));
    if let Some(token) = &credentials.security_token {
        signed = signed.without(&["SecurityToken"]);
        signed.push("SecurityToken", Cow::Borrowed(&**token));
    }
    let signature = signature_of_request(signed.iter(), &credentials.secret_key, body)?;
    signed.push("Signature", signature);
    Ok(signed)
}

/// The signature that belongs to a request with these ext fields (a `Signature` among them is left
/// out, of duplicates the last one counts) and this body.
pub fn signature_of_request<'f>(
    fields: impl IntoIterator<Item = (&'f str, &'f str)>,
    secret_key: &str,
    body: &[u8],
) -> Result<String, WireError> {
    let mut sorted: Vec<(&str, &str)> =
        fields.into_iter().filter(|field| field.0 != "Signature").collect();
    // The sort is stable, so the last of several equal names is the one that was put last.
    sorted.sort_by(|a, b| java_hash::compare(a.0, b.0));
    let values = sorted.iter().enumerate().filter_map(|(at, field)| {
        let shadowed = sorted.get(at + 1).is_some_and(|next| next.0 == field.0);
        (!shadowed).then_some(field.1.as_bytes())
    });
    signature_of(secret_key, values.chain([body]))
}

fn signature_of<'c>(
    secret_key: &str,
    content: impl IntoIterator<Item = &'c [u8]>,
) -> Result<String, WireError> {
    let bad_key = WireError::BadField { name: "secretKey" };
    if secret_key.is_empty() {
        return Err(bad_key);
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(secret_key.as_bytes()).map_err(|_| bad_key)?;
    for part in content {
        mac.update(part);
    }
    // 20 bytes always make 28 characters.
    let mut text = [0; 28];
    let encoded = Base64::encode(&mac.finalize().into_bytes(), &mut text);
    encoded.map(ToString::to_string).map_err(|_| bad_key)
}
