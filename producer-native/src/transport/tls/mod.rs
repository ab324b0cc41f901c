//! How is TLS spoken with a server, and who is trusted?

mod fault;
mod material;

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use producer_core::{Address, ConnectionEnd, TlsFault};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
#[cfg(feature = "bridge")]
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Stream;
use super::end_of;
use material::{Material, Source};

pub(crate) use fault::end_of as end_of_tls;
pub use material::{TlsError, TlsPart};

/// How TLS is spoken: whom to trust, who we are. Versions 1.2 and 1.3, by rustls with *ring*.
///
/// By default the server must show a certificate for the host that is dialled, signed by an authority
/// that the operating system trusts. That, and not a list of authorities in this crate, because the
/// certificates of brokers usually come from a company's own authority, which its machines know, and
/// because a list in a binary grows old with it. Java's client trusts everybody unless told
/// otherwise (`tls.test.mode.enable`), and continues without TLS if its files cannot be read
/// (`NettyRemotingClient.java`); this one does neither.
///
/// ```no_run
/// use producer_native::{Producer, Tls};
///
/// # fn f() -> Result<(), producer_native::BuildError> {
/// let producer = Producer::builder("orders")
///     .name_servers("ns.example.com:9876")
///     // A mixed cluster: the first rule that covers an address decides.
///     .plain_for("10.7.0.0/16")
///     .tls(Tls::new().ca_file("/etc/rocketmq/ca.pem"))
///     .build()?;
/// # Ok(())
/// # }
/// ```
///
/// Files are read once, when the producer is built; a certificate that is renewed needs a new
/// producer.
#[derive(Clone, Default)]
pub struct Tls {
    trusted: Vec<Source>,
    own: Option<(Source, Source)>,
    server_name: Option<String>,
    trusts_anyone: bool,
}

impl Tls {
    /// Trusts whom the operating system trusts, and shows no certificate of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authorities of this PEM text **instead of** those of the operating system. May be
    /// called many times. A server's self-signed certificate can stand here, too.
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.trusted.push(Source::text(pem.as_ref()));
        self
    }

    /// [`ca_pem`](Self::ca_pem) with the content of a file.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.trusted.push(Source::file(path.as_ref()));
        self
    }

    /// Shows this certificate to servers that ask for one (mutual TLS): a PEM chain, the own
    /// certificate first, and its private key in PEM, not encrypted.
    pub fn client_certificate_pem(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Self {
        self.own = Some((Source::text(chain.as_ref()), Source::text(key.as_ref())));
        self
    }

    /// [`client_certificate_pem`](Self::client_certificate_pem) with the content of two files.
    pub fn client_certificate_files(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Self {
        self.own = Some((Source::file(chain.as_ref()), Source::file(key.as_ref())));
        self
    }

    /// The name that servers' certificates must be for, and that is announced to them (SNI), in
    /// place of the host that is dialled: when brokers are known by IP addresses, and their
    /// certificates by a name.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Accepts any certificate of anybody: whoever is on the way can read and change everything.
    /// For tests. `ca_*` is ignored.
    pub fn dangerously_trust_anyone(mut self) -> Self {
        self.trusts_anyone = true;
        self
    }

    /// Reads what is to be read, and checks that it fits together.
    pub(crate) fn client(&self) -> Result<TlsClient, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let other = |error: &dyn fmt::Display| TlsError::Setup { problem: error.to_string() };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| other(&error))?;
        let builder = if self.trusts_anyone {
            let anyone = Arc::new(material::Anyone(provider.clone()));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        } else {
            let verifier = WebPkiServerVerifier::builder_with_provider(
                Arc::new(self.roots()?),
                provider.clone(),
            );
            builder.with_webpki_verifier(verifier.build().map_err(|error| other(&error))?)
        };
        let config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = Material::chain(chain, TlsPart::ClientCertificate)?;
                let key = Material::key(key, TlsPart::ClientKey)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    let problem = error.to_string();
                    TlsError::Bad { part: TlsPart::ClientKey, from: None, problem }
                })?
            }
        };
        let server_name = match &self.server_name {
            None => None,
            Some(name) => match ServerName::try_from(name.clone()) {
                Ok(name) => Some(name),
                Err(_) => return Err(TlsError::ServerName { given: name.clone() }),
            },
        };
        Ok(TlsClient { connector: TlsConnector::from(Arc::new(config)), server_name })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for source in &self.trusted {
            for certificate in Material::authorities(source)? {
                roots.add(certificate).map_err(|error| TlsError::Bad {
                    part: TlsPart::Authorities,
                    from: source.path(),
                    problem: error.to_string(),
                })?;
            }
        }
        if self.trusted.is_empty() {
            // One that this library cannot read is one that nobody here meant.
            let found = rustls_native_certs::load_native_certs();
            let (_added, _ignored) = roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let problem = found.errors.first().map(ToString::to_string);
                return Err(TlsError::NoAuthorities { problem });
            }
        }
        Ok(roots)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("trusted", &self.trusted)
            .field("client_certificate", &self.own.as_ref().map(|(chain, _)| chain))
            .field("server_name", &self.server_name)
            .field("trusts_anyone", &self.trusts_anyone)
            .finish_non_exhaustive()
    }
}

/// What a listener shows: a PEM chain, the own certificate first, and its private key.
#[cfg(feature = "bridge")]
pub(crate) fn server(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = (Source::file(chain), Source::file(key));
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup { problem: error.to_string() })?;
    let certificates = Material::chain(&chain, TlsPart::ServerCertificate)?;
    let private = Material::key(&key, TlsPart::ServerKey)?;
    let config = builder.with_no_client_auth().with_single_cert(certificates, private);
    config.map(Arc::new).map_err(|error| TlsError::Bad {
        part: TlsPart::ServerKey,
        from: key.path(),
        problem: error.to_string(),
    })
}

/// [`Tls`] that was read and found good.
#[derive(Clone)]
pub(crate) struct TlsClient {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
}

impl TlsClient {
    /// Agrees on TLS with the server at the other end of `stream`.
    pub(crate) async fn handshake(
        &self,
        stream: Box<dyn Stream>,
        address: &Address,
        deadline: Instant,
    ) -> Result<Box<dyn Stream>, ConnectionEnd> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => name_of(address)?,
        };
        match timeout_at(deadline, self.connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                let detail = String::from("it closed the connection during the handshake");
                Err(ConnectionEnd::Tls { fault: TlsFault::NotTls, detail })
            }
            Ok(Err(error)) => Err(end_of(&error)),
            Err(_elapsed) => {
                let fault = TlsFault::HandshakeTimeout;
                Err(ConnectionEnd::Tls { fault, detail: String::new() })
            }
        }
    }
}

fn name_of(address: &Address) -> Result<ServerName<'static>, ConnectionEnd> {
    // A zone is ours, and in no certificate.
    let host = address.host().split('%').next().unwrap_or_default();
    ServerName::try_from(host.to_owned()).map_err(|_| {
        let detail = format!("{host:?} cannot be in a certificate; set a server name");
        ConnectionEnd::Tls { fault: TlsFault::WrongName, detail }
    })
}

/// The algorithms that signatures are checked with.
fn algorithms(
    provider: &CryptoProvider,
) -> &tokio_rustls::rustls::crypto::WebPkiSupportedAlgorithms {
    &provider.signature_verification_algorithms
}
