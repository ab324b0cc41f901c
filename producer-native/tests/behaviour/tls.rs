//! TLS against an embedded cluster behind acceptors, with certificates made here.

use std::path::PathBuf;
use std::time::Duration;

use crate::front::{Authority, Front, Server, pem_of};
use crate::tiny::{Kind, Tiny};
use producer_native::{
    BuildError, Builder, ConnectionEnd, ErrorKind, Message, Outcome, Producer, Tls, TlsError,
    TlsFault, TlsPart,
};
use sim::serve::EmbeddedCluster;

struct Site {
    cluster: EmbeddedCluster,
    name_server: Front,
    broker: Front,
}

impl Site {
    /// One name server and one broker, each behind a TLS acceptor with this certificate.
    async fn new(server: &Server) -> Self {
        let cluster = EmbeddedCluster::builder()
            .broker("broker-a", |broker| broker)
            .topic("orders", 4)
            .start()
            .await
            .unwrap();
        let name_server = Front::before(&cluster.name_servers(), server).await;
        let broker = Front::before(&cluster.broker("broker-a").address().to_string(), server).await;
        Self { cluster, name_server, broker }
    }

    /// A producer that knows the fronts only.
    fn builder(&self) -> Builder {
        Producer::builder("test").name_servers(&self.name_server.address()).map_address(
            &self.cluster.broker("broker-a").address().to_string(),
            &self.broker.address(),
        )
    }

    /// What becomes of a send through a cluster that cannot be spoken with.
    async fn fault(&self, tls: Tls) -> (TlsFault, String) {
        // The name server is dialled as it is, so that the end at the broker is seen.
        let builder = Producer::builder("test")
            .name_servers(&self.cluster.name_servers())
            .map_address(
                &self.cluster.broker("broker-a").address().to_string(),
                &self.broker.address(),
            )
            .plain_for(&self.cluster.name_servers())
            .tls(tls)
            .send_timeout(Duration::from_secs(60))
            .configure(|config| config.attempts_all_max = 2);
        let error = builder.build().unwrap().send(message("a")).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
        assert_eq!(self.cluster.broker("broker-a").messages("orders").len(), 0);
        let end = error.attempts().iter().rev().find_map(|attempt| match &attempt.kind {
            ErrorKind::Connect(ConnectionEnd::Tls { fault, .. })
            | ErrorKind::ConnectionLost(ConnectionEnd::Tls { fault, .. }) => Some(*fault),
            _ => None,
        });
        (end.unwrap_or_else(|| panic!("no TLS in {error}")), error.to_string())
    }
}

fn message(body: &str) -> Message {
    Message::new("orders", body.to_owned()).unwrap()
}

#[tokio::test]
async fn messages_go_through_tls_to_name_server_and_broker() {
    let authority = Authority::new();
    let site = Site::new(&authority.server(&["127.0.0.1"])).await;
    let producer = site.builder().tls(Tls::new().ca_pem(authority.pem())).build().unwrap();

    producer.send(message("small")).await.unwrap();
    let big = Message::new("orders", vec![b'x'; 3 << 20]).unwrap();
    producer.send(big).await.unwrap();
    let many = (0..500).map(|n| message(&n.to_string()));
    let results = producer.send_all(many).await;

    assert!(results.iter().all(Result::is_ok));
    assert_eq!(site.cluster.broker("broker-a").messages("orders").len(), 502);
    assert_eq!((site.name_server.handshakes(), site.broker.handshakes()), (1, 1));
    let report = producer.close(Duration::from_secs(5)).await;
    assert_eq!(report.unknown, 0);
}

#[tokio::test]
async fn another_authority_is_said_so_even_if_it_has_the_same_name() {
    let authority = Authority::new();
    let site = Site::new(&authority.server(&["127.0.0.1"])).await;

    for other in [Authority::named("other"), Authority::new()] {
        let (fault, text) = site.fault(Tls::new().ca_pem(other.pem())).await;

        assert_eq!(fault, TlsFault::UnknownAuthority);
        assert!(text.contains("unknown authority"), "{text}");
    }
}

#[tokio::test]
async fn by_default_the_system_says_who_is_trusted() {
    let site = Site::new(&Authority::new().server(&["127.0.0.1"])).await;
    let builder = site.builder().tls(Tls::new());

    // A machine that trusts nobody is said so when the producer is built.
    match builder.build() {
        Ok(_) => assert_eq!(site.fault(Tls::new()).await.0, TlsFault::UnknownAuthority),
        Err(error) => assert!(matches!(error, BuildError::Tls(TlsError::NoAuthorities { .. }))),
    }
}

#[tokio::test]
async fn an_expired_certificate_is_said_so() {
    let authority = Authority::new();
    let site = Site::new(&authority.expired_server(&["127.0.0.1"])).await;

    let (fault, text) = site.fault(Tls::new().ca_pem(authority.pem())).await;

    assert_eq!(fault, TlsFault::Expired);
    assert!(text.contains("has expired"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_the_future_is_said_so() {
    let authority = Authority::new();
    let site = Site::new(&authority.future_server(&["127.0.0.1"])).await;

    let (fault, text) = site.fault(Tls::new().ca_pem(authority.pem())).await;

    assert_eq!(fault, TlsFault::NotYetValid);
    assert!(text.contains("not valid yet"), "{text}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_said_so() {
    let authority = Authority::new();
    let site = Site::new(&authority.server(&["brokers.example.com"])).await;

    let (fault, text) = site.fault(Tls::new().ca_pem(authority.pem())).await;

    assert_eq!(fault, TlsFault::WrongName);
    assert!(text.contains("brokers.example.com"), "it says for which: {text}");
}

#[tokio::test]
async fn the_server_name_takes_the_place_of_the_host() {
    let authority = Authority::new();
    let site = Site::new(&authority.server(&["brokers.example.com"])).await;
    let tls = Tls::new().ca_pem(authority.pem());

    let good = tls.clone().server_name("brokers.example.com");
    site.builder().tls(good).build().unwrap().send(message("a")).await.unwrap();

    let (fault, _) = {
        let other = Site::new(&authority.server(&["127.0.0.1"])).await;
        other.fault(tls.server_name("brokers.example.com")).await
    };
    assert_eq!(fault, TlsFault::WrongName);
}

#[tokio::test]
async fn trusting_anyone_must_be_asked_for() {
    let authority = Authority::new();
    let site = Site::new(&authority.expired_server(&["elsewhere"])).await;

    let tls = Tls::new().dangerously_trust_anyone();
    site.builder().tls(tls).build().unwrap().send(message("a")).await.unwrap();

    assert_eq!(site.cluster.broker("broker-a").messages("orders").len(), 1);
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_trusted_itself() {
    let (server, pem) = crate::front::self_signed("127.0.0.1");
    let site = Site::new(&server).await;

    let tls = Tls::new().ca_pem(pem);
    site.builder().tls(tls).build().unwrap().send(message("a")).await.unwrap();
}

#[tokio::test]
async fn servers_that_want_a_certificate_get_ours() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = authority.server(&["127.0.0.1"]).wants_client_of(&clients);
    let site = Site::new(&server).await;
    let trusting = Tls::new().ca_pem(authority.pem());

    let (fault, text) = site.fault(trusting.clone()).await;
    assert_eq!(fault, TlsFault::ClientCertificate, "{text}");

    for stranger in [Authority::new(), Authority::named("stranger")] {
        let (chain, key) = stranger.client();
        let (fault, text) = site.fault(trusting.clone().client_certificate_pem(chain, key)).await;
        assert_eq!(fault, TlsFault::ClientCertificate, "it does not know who signed it: {text}");
    }

    let (chain, key) = clients.client();
    let tls = trusting.client_certificate_pem(chain, key);
    site.builder().tls(tls).build().unwrap().send(message("a")).await.unwrap();
}

#[tokio::test]
async fn rules_decide_who_is_spoken_with_in_tls() {
    let authority = Authority::new();
    let server = authority.server(&["127.0.0.1"]);
    let cluster = EmbeddedCluster::builder()
        .broker("plain", |broker| broker)
        .broker("secret", |broker| broker)
        .topic("orders", 1)
        .start()
        .await
        .unwrap();
    let front = Front::before(&cluster.broker("secret").address().to_string(), &server).await;
    let producer = Producer::builder("test")
        .name_servers(&cluster.name_servers())
        .map_address(&cluster.broker("secret").address().to_string(), &front.address())
        .tls_for(&front.address(), Tls::new().ca_pem(authority.pem()))
        .build()
        .unwrap();

    let results = producer.send_all((0..20).map(|n| message(&n.to_string()))).await;

    assert!(results.iter().all(Result::is_ok));
    for broker in ["plain", "secret"] {
        assert_eq!(cluster.broker(broker).messages("orders").len(), 10, "{broker}");
    }
    assert_eq!(front.handshakes(), 1);
}

#[tokio::test]
async fn a_server_without_tls_is_said_so() {
    let authority = Authority::new();
    let site = Site::new(&authority.server(&["127.0.0.1"])).await;
    let broker = site.cluster.broker("broker-a").address().to_string();
    let producer = Producer::builder("test")
        .name_servers(&site.cluster.name_servers())
        .tls_for(&broker, Tls::new().ca_pem(authority.pem()))
        .send_timeout(Duration::from_secs(60))
        .configure(|config| config.attempts_all_max = 2)
        .build()
        .unwrap();

    let error = producer.send(message("a")).await.unwrap_err();

    let not_tls = |kind: &ErrorKind| {
        let fault = TlsFault::NotTls;
        matches!(kind, ErrorKind::Connect(ConnectionEnd::Tls { fault: f, .. }) if *f == fault)
    };
    assert!(error.attempts().iter().any(|attempt| not_tls(&attempt.kind)), "{error}");
}

#[tokio::test]
async fn a_server_that_stalls_in_the_handshake_costs_one_dial() {
    let authority = Authority::new();
    let stalled = Front::stalled().await;
    let cluster = EmbeddedCluster::builder()
        .broker("broker-a", |broker| broker)
        .broker("broker-b", |broker| broker)
        .topic("orders", 1)
        .start()
        .await
        .unwrap();
    let producer = Producer::builder("test")
        .name_servers(&cluster.name_servers())
        .map_address(&cluster.broker("broker-a").address().to_string(), &stalled)
        .tls_for(&stalled, Tls::new().ca_pem(authority.pem()))
        .configure(|config| config.connect_timeout = Duration::from_millis(200))
        .build()
        .unwrap();

    let results = producer.send_all((0..20).map(|n| message(&n.to_string()))).await;

    assert!(results.iter().all(Result::is_ok), "the other broker took them");
    assert_eq!(cluster.broker("broker-b").messages("orders").len(), 20);
}

#[tokio::test]
async fn a_peer_that_reads_slowly_gets_everything() {
    let authority = Authority::new();
    let site = Site::new(&authority.server(&["127.0.0.1"])).await;
    site.broker.narrow();
    let tls = Tls::new().ca_pem(authority.pem());
    let producer = site.builder().tls(tls).attempt_timeout(None).build().unwrap();
    let big = |n: u8| Message::new("orders", vec![n; 1 << 20]).unwrap();

    let results = producer.send_all((0..8).map(big)).await;

    assert!(results.iter().all(Result::is_ok));
}

fn refused(tls: Tls) -> TlsError {
    let builder = Producer::builder("test").name_servers("a:1").tls(tls);
    match builder.build().unwrap_err() {
        BuildError::Tls(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn material_that_cannot_be_used_is_refused_and_named() {
    let authority = Authority::new();
    let (chain, key) = authority.client();
    let (_, other_key) = authority.client();
    let half = &authority.pem()[..authority.pem().len() / 2];
    let rubbish = pem_of("CERTIFICATE", "c2VjcmV0IHN0dWZm");
    let encrypted = pem_of("ENCRYPTED PRIVATE KEY", "c2VjcmV0IHN0dWZm");
    let cases = [
        (Tls::new().ca_pem(""), TlsPart::Authorities, "holds no certificate"),
        (Tls::new().ca_pem("nonsense"), TlsPart::Authorities, "holds no certificate"),
        (Tls::new().ca_pem(&key), TlsPart::Authorities, "holds no certificate"),
        (Tls::new().ca_pem(half), TlsPart::Authorities, "does not end"),
        (Tls::new().ca_pem(pem_of("CERTIFICATE", "%%%")), TlsPart::Authorities, "base64"),
        (Tls::new().ca_pem(rubbish), TlsPart::Authorities, "invalid peer certificate"),
        (
            Tls::new().client_certificate_pem("", &key),
            TlsPart::ClientCertificate,
            "holds no certificate",
        ),
        (Tls::new().client_certificate_pem(&chain, ""), TlsPart::ClientKey, "no private key"),
        (Tls::new().client_certificate_pem(&chain, &encrypted), TlsPart::ClientKey, "encrypted"),
        (Tls::new().client_certificate_pem(&chain, &other_key), TlsPart::ClientKey, ""),
    ];

    for (tls, wanted, words) in cases {
        let error = refused(tls);
        let text = error.to_string();
        let TlsError::Bad { part, from: None, .. } = error else { panic!("{text}") };
        assert_eq!(part, wanted, "{text}");
        assert!(text.contains(words), "{text}");
        assert!(!text.contains("c2VjcmV0"), "nothing of the material is repeated");
    }
}

#[tokio::test]
async fn other_settings_that_cannot_be_right_are_refused() {
    let missing = PathBuf::from("no/such/file.pem");
    let error = refused(Tls::new().ca_file(&missing));
    assert!(matches!(&error, TlsError::File { path, .. } if *path == missing), "{error}");

    let error = refused(Tls::new().server_name("not a name"));
    assert_eq!(error, TlsError::ServerName { given: "not a name".into() });

    let builder = Producer::builder("test").name_servers("a:1").tls_for("10.0.0.1/8", Tls::new());
    assert!(matches!(builder.build().unwrap_err(), BuildError::Rule(_)));
}

#[test]
fn a_key_is_never_shown() {
    let (chain, key) = Authority::new().client();
    let body = key.lines().nth(1).unwrap();
    let builder = Producer::builder("test").tls(Tls::new().client_certificate_pem(&chain, &key));

    for shown in [format!("{builder:?}"), format!("{builder:#?}")] {
        assert!(!shown.contains(body) && !shown.contains("PRIVATE"), "{shown}");
    }
}

#[tokio::test]
async fn tls_goes_through_a_proxy_and_is_verified_behind_it() {
    let authority = Authority::new();
    let site = Site::new(&authority.server(&["127.0.0.1"])).await;
    let tiny = Tiny::start(Kind::Http, None).await;
    let through = |tls| site.builder().proxy(tiny.proxy(None)).tls(tls);

    let producer = through(Tls::new().ca_pem(authority.pem())).build().unwrap();
    producer.send(message("a")).await.unwrap();

    assert_eq!(tiny.targets(), [site.name_server.address(), site.broker.address()]);
    assert_eq!(site.broker.handshakes(), 1);
}
