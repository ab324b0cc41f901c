//! Which files a bridge opens: its certificate, the keys of tokens, the key that signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use producer_core::{Credentials, InvalidCredentials};

use super::super::signing::{SUBJECT_PART, Signer, SigningRules};
use super::super::tls::ServerTls;
use super::super::token::{InvalidKeys, KeyFile, Keys, TokenSettings, Verifier};
use super::values::{Field, Fields, file, print_file};
use super::{OpenError, wrong};
use crate::access::{KeyFileError, key_file};
use crate::secret::Secret;
use crate::settings::reader::Wanted;
use crate::settings::source::Node;
use crate::settings::{SettingsError, read_file};

/// Whoever uses what was read, and the file that may be replaced, if it may.
type Opened<U, F> = (Arc<U>, Option<F>);

/// The certificate of the listener.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsFiles {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl TlsFiles {
    pub(super) fn each(&mut self, keys: &mut dyn Fields) -> Result<(), SettingsError> {
        keys.field("certificate_file", &mut self.certificate)?;
        keys.field("key_file", &mut self.key)
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        match self.certificate.is_some() == self.key.is_some() {
            true => Ok(()),
            false => wrong("tls", "certificate_file and key_file go together"),
        }
    }

    pub(super) fn open(&self) -> Result<Option<ServerTls>, OpenError> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Ok(None);
        };
        ServerTls::open(certificate, key).map(Some).map_err(OpenError::Tls)
    }
}

/// How tokens are read.
#[derive(Clone, Debug)]
pub(super) struct TokenFiles {
    /// Without one nobody needs a token.
    audience: Option<String>,
    issuer: Option<String>,
    leeway: std::time::Duration,
    names_required: bool,
    keys: Option<TokenKeys>,
}

/// Where the keys are that tokens are signed with.
#[derive(Clone, Debug)]
enum TokenKeys {
    /// Public ones, in a file that may be replaced.
    Jwks(PathBuf),
    /// One that is shared with whoever makes tokens.
    Secret(PathBuf),
}

impl Default for TokenFiles {
    fn default() -> Self {
        let TokenSettings { issuer, leeway, names_required, .. } = TokenSettings::new("");
        Self { audience: None, issuer, leeway, names_required, keys: None }
    }
}

impl TokenFiles {
    pub(super) fn each(&mut self, keys: &mut dyn Fields) -> Result<(), SettingsError> {
        keys.field("audience", &mut self.audience)?;
        keys.field("issuer", &mut self.issuer)?;
        keys.field("leeway", &mut self.leeway)?;
        keys.field("names_required", &mut self.names_required)?;
        keys.field("jwks_file", &mut JwksFile(&mut self.keys))?;
        keys.field("secret_file", &mut SecretFile(&mut self.keys))
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        match (&self.audience, &self.keys) {
            (Some(_), None) => wrong("tokens", "one of jwks_file and secret_file is needed"),
            (None, Some(_)) => {
                wrong("tokens.audience", "it is needed: else tokens for others count here")
            }
            (None, None) if self.issuer.is_some() => {
                wrong("tokens", "audience and one of jwks_file and secret_file are needed")
            }
            _ => Ok(()),
        }
    }

    /// Reads tokens, if they are needed, and the file to look after.
    pub(super) fn open(&self) -> Result<Option<Opened<Verifier, KeyFile>>, OpenError> {
        let (Some(audience), Some(keys)) = (&self.audience, &self.keys) else { return Ok(None) };
        let (file, keys) = match keys {
            TokenKeys::Jwks(path) => {
                let (file, keys) = KeyFile::open(path).map_err(OpenError::Keys)?;
                (Some(file), keys)
            }
            TokenKeys::Secret(path) => {
                let unreadable = |problem| InvalidKeys::Unreadable { path: path.clone(), problem };
                let secret = secret_of(path).map_err(unreadable).map_err(OpenError::Keys)?;
                (None, Keys::from_secret(&secret).map_err(OpenError::Keys)?)
            }
        };
        let Self { issuer, leeway, names_required, .. } = self.clone();
        let audience = audience.clone();
        let settings = TokenSettings { audience, issuer, leeway, names_required };
        Ok(Some((Arc::new(Verifier::new(settings, keys)), file)))
    }
}

struct JwksFile<'s>(&'s mut Option<TokenKeys>);
struct SecretFile<'s>(&'s mut Option<TokenKeys>);

impl Field for JwksFile<'_> {
    fn read(&mut self, node: &Node) -> Result<(), Wanted> {
        *self.0 = file(node)?.map(TokenKeys::Jwks);
        Ok(())
    }

    fn print(&self) -> Option<String> {
        match &*self.0 {
            Some(TokenKeys::Jwks(path)) => Some(print_file(path)),
            _ => None,
        }
    }
}

impl Field for SecretFile<'_> {
    fn read(&mut self, node: &Node) -> Result<(), Wanted> {
        let Some(path) = file(node)? else { return Ok(()) };
        if self.0.is_some() {
            return Err("nothing here, for there is a jwks_file");
        }
        *self.0 = Some(TokenKeys::Secret(path));
        Ok(())
    }

    fn print(&self) -> Option<String> {
        match &*self.0 {
            Some(TokenKeys::Secret(path)) => Some(print_file(path)),
            _ => None,
        }
    }
}

/// By which account requests are signed; by none if nothing is there.
#[derive(Clone, Debug, Default)]
pub(super) struct SigningFiles {
    rules: SigningRules,
    key_file: Option<PathBuf>,
    access_key: Option<String>,
    secret_key: Option<Secret>,
    secret_key_file: Option<PathBuf>,
}

/// Where the account is.
enum Account<'s> {
    /// In a file as Java clients have it, that may be replaced.
    KeyFile(&'s Path),
    Named(&'s str, &'s Secret),
    NamedInFile(&'s str, &'s Path),
}

impl SigningFiles {
    pub(super) fn each(&mut self, keys: &mut dyn Fields) -> Result<(), SettingsError> {
        keys.field("key_file", &mut self.key_file)?;
        keys.field("access_key", &mut self.access_key)?;
        keys.field("secret_key", &mut self.secret_key)?;
        keys.field("secret_key_file", &mut self.secret_key_file)?;
        keys.field("held_bytes_max", &mut self.rules.held_bytes_max)?;
        keys.field("frame_time", &mut self.rules.frame_time)
    }

    pub(super) fn check(&self, frame_bytes_max: usize) -> Result<(), SettingsError> {
        if self.account().is_err() {
            let ways = "it wants a key_file, or an access_key with secret_key or secret_key_file";
            return wrong("signing", ways);
        }
        // So that what one subject may have of it holds any frame.
        if self.rules.held_bytes_max / (SUBJECT_PART as usize) < frame_bytes_max {
            let problem = "it must be eight times frames.frame_bytes_max at least";
            return wrong("signing.held_bytes_max", problem);
        }
        Ok(())
    }

    fn account(&self) -> Result<Option<Account<'_>>, ()> {
        let Self { key_file, access_key, secret_key, secret_key_file, .. } = self;
        Ok(match (key_file, access_key, secret_key, secret_key_file) {
            (None, None, None, None) => None,
            (Some(path), None, None, None) => Some(Account::KeyFile(path)),
            (None, Some(name), Some(secret), None) => Some(Account::Named(name, secret)),
            (None, Some(name), None, Some(path)) => Some(Account::NamedInFile(name, path)),
            _ => return Err(()),
        })
    }

    /// Who signs, if somebody does, and the file to look after.
    pub(super) fn open(&self) -> Result<Option<Opened<Signer, AccountFile>>, OpenError> {
        let read = match self.account() {
            Ok(Some(Account::KeyFile(path))) => AccountFile::open(path),
            Ok(Some(Account::Named(name, secret))) => {
                named(name, secret, Path::new("")).map(|account| (None, account))
            }
            Ok(Some(Account::NamedInFile(name, path))) => {
                let unreadable = |problem| KeyFileError::Unreadable { path: path.into(), problem };
                let secret = secret_of(path).map_err(unreadable);
                secret.and_then(|secret| named(name, &secret, path)).map(|account| (None, account))
            }
            Ok(None) | Err(()) => return Ok(None),
        };
        let (file, account) = read.map_err(OpenError::Account)?;
        Ok(Some((Arc::new(Signer::new(account, self.rules)), file)))
    }
}

fn named(name: &str, secret: &Secret, path: &Path) -> Result<Credentials, KeyFileError> {
    Credentials::new(name, secret.reveal()).map_err(|problem| KeyFileError::Missing {
        path: path.into(),
        property: match problem {
            InvalidCredentials::AccessKey => "AccessKey",
            _ => "SecretKey",
        },
    })
}

fn secret_of(path: &Path) -> Result<Secret, String> {
    let text = read_file(path)?;
    Ok(Secret::from(text.trim_end_matches(['\r', '\n'])))
}

/// A file with an account, which may be replaced while the bridge runs.
#[derive(Debug)]
pub(super) struct AccountFile {
    path: PathBuf,
    /// When the file that was read last was written, and its length.
    seen: Option<(SystemTime, u64)>,
}

impl AccountFile {
    fn open(path: &Path) -> Result<(Option<Self>, Credentials), KeyFileError> {
        let mut file = Self { path: path.to_owned(), seen: None };
        file.seen = file.stamp();
        let account = key_file(Some(path))?;
        Ok((Some(file), account))
    }

    /// The account of a file that was replaced since the last look. One that is no good is read
    /// again when it changes again.
    pub(super) fn look(&mut self) -> Result<Option<Credentials>, KeyFileError> {
        let stamp = self.stamp();
        if stamp == self.seen {
            return Ok(None);
        }
        self.seen = stamp;
        key_file(Some(&self.path)).map(Some)
    }

    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let about = std::fs::metadata(&self.path).ok()?;
        Some((about.modified().ok()?, about.len()))
    }
}
