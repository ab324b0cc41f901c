//! Where do certificates and keys come from, and what can be wrong with them?

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::algorithms;

/// What a piece of PEM is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsPart {
    /// The authorities that are trusted.
    Authorities,
    /// The own certificate and those above it.
    ClientCertificate,
    /// The key of the own certificate.
    ClientKey,
    /// The certificate of a listener and those above it.
    ServerCertificate,
    /// The key of that.
    ServerKey,
}

impl fmt::Display for TlsPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authorities => "trusted authorities (CA)",
            Self::ClientCertificate => "client certificate",
            Self::ClientKey => "client key",
            Self::ServerCertificate => "server certificate",
            Self::ServerKey => "server key",
        })
    }
}

/// Why TLS cannot be set up as it was asked for. No text of a key is ever in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    File {
        /// What it is for.
        part: TlsPart,
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        problem: String,
    },
    /// What was given is not PEM, holds nothing of that kind, or does not fit the rest.
    Bad {
        /// What it is for.
        part: TlsPart,
        /// The file, `None` for text.
        from: Option<PathBuf>,
        /// What is wrong.
        problem: String,
    },
    /// The operating system trusts nobody.
    NoAuthorities {
        /// What it says.
        problem: Option<String>,
    },
    /// The server name is none.
    ServerName {
        /// What was given.
        given: String,
    },
    /// Anything else that rustls says.
    Setup {
        /// What it says.
        problem: String,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { part, path, problem } => {
                write!(f, "cannot read the {part} from {}: {problem}", path.display())
            }
            Self::Bad { part, from: Some(path), problem } => {
                write!(f, "the {part} in {} cannot be used: {problem}", path.display())
            }
            Self::Bad { part, from: None, problem } => {
                write!(f, "the {part} cannot be used: {problem}")
            }
            Self::NoAuthorities { problem } => {
                let why = problem.as_deref().unwrap_or("its store is empty");
                write!(f, "the operating system trusts no authority ({why}); give a CA file")
            }
            Self::ServerName { given } => {
                write!(f, "{given:?} is no server name: neither a DNS name nor an IP address")
            }
            Self::Setup { problem } => write!(f, "TLS cannot be set up: {problem}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// PEM, or where it is.
#[derive(Clone)]
pub(super) enum Source {
    Text(Arc<[u8]>),
    File(PathBuf),
}

impl Source {
    pub(super) fn text(pem: &[u8]) -> Self {
        Self::Text(Arc::from(pem))
    }

    pub(super) fn file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Text(_) => None,
            Self::File(path) => Some(path.clone()),
        }
    }

    fn read(&self, part: TlsPart) -> Result<Arc<[u8]>, TlsError> {
        match self {
            Self::Text(pem) => Ok(pem.clone()),
            Self::File(path) => std::fs::read(path).map(Arc::from).map_err(|error| {
                TlsError::File { part, path: path.clone(), problem: error.to_string() }
            }),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(pem) => write!(f, "{} bytes of PEM", pem.len()),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What PEM holds.
pub(super) struct Material;

impl Material {
    pub(super) fn authorities(source: &Source) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(source, TlsPart::Authorities)
    }

    pub(super) fn chain(
        source: &Source,
        part: TlsPart,
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(source, part)
    }

    pub(super) fn key(source: &Source, part: TlsPart) -> Result<PrivateKeyDer<'static>, TlsError> {
        let text = source.read(part)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            let encrypted = text.windows(9).any(|word| word == b"ENCRYPTED");
            let problem = match error {
                pem::Error::NoItemsFound if encrypted => "the key is encrypted".to_owned(),
                error => plain(&error, "no private key"),
            };
            TlsError::Bad { part, from: source.path(), problem }
        })
    }
}

fn certificates(source: &Source, part: TlsPart) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = source.read(part)?;
    let bad = |problem| TlsError::Bad { part, from: source.path(), problem };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| bad(plain(&error, "no certificate")))?;
    match found.is_empty() {
        true => Err(bad("it holds no certificate in PEM".to_owned())),
        false => Ok(found),
    }
}

/// What is wrong with PEM, without any of its text: it may be a key.
fn plain(error: &pem::Error, nothing: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("it holds {nothing} in PEM"),
        pem::Error::MissingSectionEnd { .. } => "a section does not end (-----END)".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section begins wrongly".to_owned(),
        pem::Error::Base64Decode(_) => "it is not base64".to_owned(),
        _ => "it is not PEM".to_owned(),
    }
}

/// Believes everybody. What is signed must still be signed by the key of the certificate shown.
#[derive(Debug)]
pub(super) struct Anyone(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, algorithms(&self.0))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, algorithms(&self.0))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms(&self.0).supported_schemes()
    }
}
