//! Certificates, and servers that take TLS off and pass the rest on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a server shows, and whom it lets in.
pub(crate) struct Server {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<RootCertStore>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn server(&self, names: &[&str]) -> Server {
        self.signed(params(names))
    }

    pub(crate) fn expired_server(&self, names: &[&str]) -> Server {
        let mut params = params(names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.signed(params)
    }

    pub(crate) fn future_server(&self, names: &[&str]) -> Server {
        let mut params = params(names);
        params.not_before = date_time_ymd(2901, 1, 1);
        params.not_after = date_time_ymd(2902, 1, 1);
        self.signed(params)
    }

    /// Certificate and key of a client, in PEM.
    pub(crate) fn client(&self) -> (String, String) {
        let mut params = params(&["client"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn signed(&self, params: CertificateParams) -> Server {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Server::new(&certificate.pem(), &key)
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

/// A server's certificate that nobody but itself signed, and the same in PEM.
pub(crate) fn self_signed(name: &str) -> (Server, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = params(&[name]).self_signed(&key).unwrap();
    (Server::new(&certificate.pem(), &key), certificate.pem())
}

/// A section of PEM.
pub(crate) fn pem_of(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

impl Server {
    fn new(pem: &str, key: &KeyPair) -> Self {
        Self {
            chain: vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()],
            key: PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            clients: None,
        }
    }

    pub(crate) fn wants_client_of(mut self, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        self.clients = Some(roots);
        self
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let roots = Arc::new(roots.clone());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = builder.with_single_cert(self.chain.clone(), self.key.clone_key()).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A port that speaks TLS, with a server behind it that does not.
pub(crate) struct Front {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    handshakes: AtomicUsize,
    narrow: AtomicBool,
}

impl Front {
    pub(crate) async fn before(behind: &str, server: &Server) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (acceptor, behind) = (server.acceptor(), behind.to_owned());
        let state = Arc::new(State::default());
        let counted = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                let state = counted.clone();
                // An end by the peer is what some tests want.
                tokio::spawn(async move { pass(stream, acceptor, &behind, &state).await.ok() });
            }
        });
        Self { address, state }
    }

    /// The address of a server that accepts and says nothing.
    pub(crate) async fn stalled() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.push(stream);
            }
        });
        address
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    pub(crate) fn handshakes(&self) -> usize {
        self.state.handshakes.load(SeqCst)
    }

    /// From now on, new connections are read in small bites.
    pub(crate) fn narrow(&self) {
        self.state.narrow.store(true, SeqCst);
    }
}

async fn pass(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    behind: &str,
    state: &State,
) -> io::Result<()> {
    let mut inner = TcpStream::connect(behind).await?;
    let mut outer = acceptor.accept(stream).await?;
    state.handshakes.fetch_add(1, SeqCst);
    if !state.narrow.load(SeqCst) {
        copy_bidirectional(&mut outer, &mut inner).await?;
        return Ok(());
    }
    let (mut from, mut to) = tokio::io::split(outer);
    let (mut answers, mut requests) = inner.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to).await });
    bites(&mut from, &mut requests).await?;
    back.await.map_err(io::Error::other)?.map(drop)
}

async fn bites<R: AsyncRead + Unpin>(
    from: &mut R,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
) -> io::Result<()> {
    let mut bite = [0; 1500];
    loop {
        let read = from.read(&mut bite).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bite[..read]).await?;
        tokio::task::yield_now().await;
    }
}
