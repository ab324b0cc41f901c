//! TLS with real servers: who is believed, and what is said when somebody is not; and with our models
//! behind an end of TLS.

#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests of the native producer")]
#[path = "../../../../producer-native/tests/tls/front.rs"]
mod front;
mod models;

use std::fs;
use std::path::Path;

use producer_native::{Builder, ConnectionEnd, ErrorKind, Outcome, SendError, Tls, TlsFault};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tests::cluster::{Cluster, Release, Result, ServerTls, Topic};
use tests::compat::{Column, Feature, record};
use tests::interop::client::{Java, Reach};
use tests::interop::{Steps, failed, message, patient, producer, runtime, stored};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

/// A certificate and its key in PEM.
fn certificate(
    authority: &Authority,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
) -> (String, String) {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().expect("a key");
    let signed = params.signed_by(&key, authority).expect("a certificate");
    (signed.pem(), key.serialize_pem())
}

#[test]
fn interop_tls_5_4_0() -> Result<()> {
    mutual(Release::V5_4_0)
}

#[test]
fn interop_tls_4_9_7() -> Result<()> {
    mutual(Release::V4_9_7)
}

/// The servers want a certificate of us, too; without TLS they take anybody (`permissive`).
fn mutual(release: Release) -> Result<()> {
    let (servers, clients) = (authority("servers"), authority("clients"));
    let (server, key) = certificate(&servers, "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let tls = ServerTls { certificate: server, key, clients: Some(clients.pem()) };
    let cluster = Cluster::builder(release).tls(tls).master("a").start()?;
    cluster.create_topic(&Topic::new("orders", 4).on(&["a"]))?;
    let (runtime, steps) = (runtime(), Steps::begin(release));
    let ours = certificate(&clients, "us", ExtendedKeyUsagePurpose::ClientAuth);
    let good = || Tls::new().ca_pem(servers.pem()).client_certificate_pem(&ours.0, &ours.1);
    let builder = || patient(producer(&runtime, &cluster));
    let send = |builder: Builder, body: &str| {
        let _inside = runtime.enter();
        let producer = builder.configure(|config| config.attempts_all_max = 2);
        let producer = producer.build().expect("complete");
        runtime.block_on(producer.send(message("orders", body)))
    };

    let trusted = builder().tls(good()).build().expect("complete");
    let many = (0..200).map(|n| message("orders", &n.to_string()));
    for result in runtime.block_on(trusted.send_all(many)) {
        stored(result);
    }
    let big = message("orders", &"x".repeat(3 << 20));
    stored(runtime.block_on(trusted.send(big)));
    steps.done("201 messages through TLS");

    // The name server goes plain, so that the end at the broker is seen.
    let mixed = || builder().plain_for(&cluster.name_server_list());
    stored(send(mixed().tls(good()), "mixed"));
    let wrong = Tls::new().ca_pem(authority("others").pem());
    says(&failed(send(mixed().tls(wrong), "no")), TlsFault::UnknownAuthority);
    let wrong = good().server_name("brokers.example.com");
    says(&failed(send(mixed().tls(wrong), "no")), TlsFault::WrongName);
    let wrong = Tls::new().ca_pem(servers.pem());
    says(&failed(send(mixed().tls(wrong), "no")), TlsFault::ClientCertificate);
    steps.done("each fault has its name, and nothing was sent");

    stored(send(builder(), "plain"));
    let bodies = cluster.read_back_when("orders", 203)?;
    assert_eq!(bodies.len(), 203, "and nothing of what was not sent");

    let java = java_that_shows(release, &ours, &servers)?;
    let reach = Reach::new(&cluster.name_server_list(), "java-tls").tls();
    let read = java.consume(&reach, "orders", 203)?;
    assert_eq!(read.len(), 203);
    assert_eq!(read.iter().map(|read| read.body().len()).max(), Some(3 << 20));
    steps.done("Java reads them through TLS");
    record(Feature::Tls, Column::Broker(release))?;
    record(Feature::Tls, Column::JavaReads)
}

/// A Java client with that certificate, which trusts servers of that authority and no others.
fn java_that_shows(
    release: Release,
    certificate: &(String, String),
    trusted: &Authority,
) -> Result<Java> {
    let file = |name: &str, content: &str| {
        let name = format!("{release}-{name}");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, content).expect("the target folder can be written to");
        path.display().to_string()
    };
    let flags = [
        "-Dtls.test.mode.enable=false".to_owned(),
        "-Dtls.client.authServer=true".to_owned(),
        format!("-Dtls.client.trustCertPath={}", file("java-tls-ca.pem", &trusted.pem())),
        format!("-Dtls.client.certPath={}", file("java-tls.pem", &certificate.0)),
        format!("-Dtls.client.keyPath={}", file("java-tls.key", &certificate.1)),
    ];
    Java::start_with(&flags.each_ref().map(String::as_str))
}

#[track_caller]
fn says(error: &SendError, wanted: TlsFault) {
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    let found = error.attempts().iter().any(|attempt| {
        matches!(&attempt.kind, ErrorKind::Connect(ConnectionEnd::Tls { fault, .. }) if *fault == wanted)
    });
    assert!(found, "{wanted:?}: {error}");
}
