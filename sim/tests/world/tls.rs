//! Scenario 47: brokers speak TLS, stall in the handshake, and change their certificates.
//!
//! TLS ends at the near end of the simulated network, in front of models that know nothing of it.
//! What is encrypted differs from run to run, for rustls has entropy of its own; its timing does not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use producer_native::{
    Address, Builder, Connecting, ConnectionEnd, Dialer, ErrorKind, Outcome, Producer, Stream, Tls,
    TlsFault, Transport,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sim::world::World;
use tokio::io::copy_bidirectional;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{TOPIC, TWO, account, cluster, load, message, ms, secs};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

/// What a server shows that this authority has signed.
fn acceptor(authority: &Authority, ip: &str) -> TlsAcceptor {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([ip.to_owned()]).expect("a name");
    let signed = params.signed_by(&key, authority).expect("a certificate");
    let chain = vec![CertificateDer::from(signed.der().to_vec())];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    TlsAcceptor::from(Arc::new(config.expect("they belong together")))
}

/// The servers' half of TLS, by address; others speak plain.
#[derive(Clone)]
struct Fronts {
    network: Dialer,
    acceptors: Arc<Mutex<BTreeMap<String, TlsAcceptor>>>,
    /// Nobody answers a handshake while this is true.
    stalled: watch::Sender<bool>,
}

impl Fronts {
    fn new(builder: &Builder) -> Self {
        let network = builder.dialer().expect("nothing is asked of it");
        Self { network, acceptors: Arc::default(), stalled: watch::channel(false).0 }
    }

    /// From its next connection on, the server at this address shows this.
    fn show(&self, address: &str, authority: &Authority) {
        let ip = address.rsplit_once(':').expect("an address").0;
        let mut acceptors = self.acceptors.lock().expect("sound");
        acceptors.insert(address.to_owned(), acceptor(authority, ip));
    }
}

impl Transport for Fronts {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let dialled = self.network.connect(address, deadline);
        let acceptor = self.acceptors.lock().expect("sound").get(address.as_str()).cloned();
        let mut stalled = self.stalled.subscribe();
        Box::pin(async move {
            let mut far = dialled.await?;
            let Some(acceptor) = acceptor else { return Ok(far) };
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::spawn(async move {
                stalled.wait_for(|stalled| !stalled).await.expect("the sender is alive");
                let mut near = acceptor.accept(theirs).await?;
                copy_bidirectional(&mut near, &mut far).await
            });
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

/// Brokers of the world behind TLS, and a producer that trusts `authority`.
fn secured(world: &World, authority: &Authority) -> (Producer, Fronts) {
    let builder = world.producer("shop");
    let fronts = Fronts::new(&builder);
    let mut secured = builder.transport(fronts.clone());
    for name in TWO {
        let address = world.broker(name).address().to_string();
        fronts.show(&address, authority);
        secured = secured.tls_for(&address, Tls::new().ca_pem(authority.pem()));
    }
    (secured.build().expect("a valid configuration"), fronts)
}

#[test]
fn a_handshake_that_stalls_costs_no_send() {
    cluster(47, &TWO).run(|world| async move {
        let (producer, fronts) = secured(&world, &authority("ours"));
        let sends = load(12).start(&producer);
        world.pass(secs(2)).await;
        fronts.stalled.send_replace(true);
        world.broker("broker-a").kill().await;
        world.broker("broker-a").start().await;
        world.pass(secs(5)).await;
        fronts.stalled.send_replace(false);

        let sent = sends.await.expect("a load does not panic");
        world.pass(secs(5)).await;
        let account = account(&world, &sent);
        assert_eq!(account.ok, 1_200, "{account}");
        assert!(account.longest <= ms(1_100), "one attempt's time: {account}");
        assert!(account.retries > 0, "it was felt: {account}");
        assert!(account.by_broker["broker-a"] > 200, "it is used again: {account}");
    });
}

#[test]
fn a_certificate_that_goes_bad_costs_its_broker_and_no_send() {
    cluster(48, &TWO).run(|world| async move {
        let (good, bad) = (authority("ours"), authority("theirs"));
        let (producer, fronts) = secured(&world, &good);
        let address = world.broker("broker-a").address().to_string();
        let sends = load(20).start(&producer);
        world.pass(secs(2)).await;
        fronts.show(&address, &bad);
        world.broker("broker-a").kill().await;
        world.broker("broker-a").start().await;
        world.pass(secs(5)).await;
        let before = world.broker("broker-a").messages(TOPIC).len();
        world.pass(secs(3)).await;
        assert_eq!(world.broker("broker-a").messages(TOPIC).len(), before, "nothing gets there");
        fronts.show(&address, &good);

        let sent = sends.await.expect("a load does not panic");
        world.pass(secs(5)).await;
        assert!(world.broker("broker-a").messages(TOPIC).len() > before + 200, "it is used again");
        let account = account(&world, &sent);
        assert_eq!(account.ok, 2_000, "{account}");
        assert!(account.longest <= ms(1_100), "{account}");
    });
}

#[test]
fn bad_certificates_everywhere_are_not_sent_and_say_why() {
    cluster(49, &TWO).run(|world| async move {
        let (producer, fronts) = secured(&world, &authority("ours"));
        for name in TWO {
            let address = world.broker(name).address().to_string();
            fronts.show(&address, &authority("theirs"));
        }

        let error = producer.send(message("a")).await.expect_err("nobody can be trusted");

        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
        let unknown = error.attempts().iter().any(|attempt| {
            matches!(&attempt.kind, ErrorKind::Connect(ConnectionEnd::Tls { fault, .. })
                if *fault == TlsFault::UnknownAuthority)
        });
        assert!(unknown, "{error}");
    });
}
