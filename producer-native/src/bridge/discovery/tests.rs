use producer_core::wire::code::response;
use producer_core::wire::route::BrokerData;
use producer_core::wire::{Head, SerializeType, encode_frame};
use producer_core::{Address, ConnectionEnd};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::transport::{Connecting, Transport};

/// Brokers at these addresses, each a master.
fn brokers(addresses: &[&str]) -> ClusterInfo {
    let broker = |(n, address): (usize, &&str)| {
        let name = format!("broker-{n}");
        let data = BrokerData {
            broker_name: name.clone(),
            addresses: vec![(0, (*address).to_owned()), (1, "10.0.0.99:10911".to_owned())],
            ..BrokerData::default()
        };
        (name, data)
    };
    let brokers = addresses.iter().enumerate().map(broker).collect();
    ClusterInfo { brokers, clusters: Vec::new() }
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn dialled(discovery: &Discovery, now: Instant, text: &str) -> Option<SocketAddr> {
    let target = Target::parse(text, &discovery.policy().names).ok()?;
    discovery.dialled(now, &target).ok()
}

#[test]
fn masters_that_routes_have_and_the_policy_permits_may_be_dialled() {
    let now = Instant::now();
    let mut discovery = Discovery::new(Policy {
        always: vec![at("192.168.1.1:7")],
        map: vec![(at("172.17.0.2:10911"), at("10.9.0.1:31911"))],
        ..Policy::default()
    });
    assert_eq!(dialled(&discovery, now, "10.0.0.1:10911"), None);

    let learned = discovery.learn(now, &brokers(&["10.0.0.1:10911", "172.17.0.2:10911"]));

    assert_eq!((learned.permitted, learned.rejected.len()), (2, 0));
    assert_eq!(dialled(&discovery, now, "10.0.0.1:10911"), Some(at("10.0.0.1:10911")));
    assert_eq!(dialled(&discovery, now, "10.0.0.1:10909"), Some(at("10.0.0.1:10909")));
    assert_eq!(dialled(&discovery, now, "172.17.0.2:10911"), Some(at("10.9.0.1:31911")));
    assert_eq!(dialled(&discovery, now, "192.168.1.1:7"), Some(at("192.168.1.1:7")));
    for text in ["10.0.0.2:10911", "10.0.0.1:10910", "10.9.0.1:31911", "10.0.0.99:10911", "ns"] {
        assert_eq!(dialled(&discovery, now, text), None, "{text}");
    }
    assert_eq!(discovery.age(now), Some(Duration::ZERO));
}

#[test]
fn a_slave_that_acts_as_master_may_be_dialled() {
    let now = Instant::now();
    let mut discovery = Discovery::new(Policy::default());
    let mut info = brokers(&["10.0.0.1:10911"]);
    info.brokers[0].1.enable_acting_master = Some(true);

    discovery.learn(now, &info);

    assert!(dialled(&discovery, now, "10.0.0.99:10911").is_some());
}

/// T4: anybody can register a broker.
#[test]
fn t04_a_forged_registration_opens_nothing() {
    let now = Instant::now();
    let mut discovery = Discovery::new(Policy {
        networks: vec!["10.0.0.0/8".parse().expect("valid"), "0.0.0.0/0".parse().expect("valid")],
        listeners: vec![at("10.0.0.7:10911")],
        ..Policy::default()
    });
    let forged = [
        "169.254.169.254:80",
        "169.254.169.254:10911",
        "127.0.0.1:10911",
        "10.0.0.5:22",
        "10.0.0.7:10911",
        "0.0.0.0:10911",
        "[::ffff:169.254.169.254]:10911",
        "metadata.google.internal:80",
        "localhost:10911",
        "2852039166:10911",
        "10.0.0.5:10911@evil.example",
        "10.0.0.5:10911;10.0.0.6:10911",
        "",
        "ns",
    ];

    let learned = discovery.learn(now, &brokers(&forged));

    assert_eq!((learned.permitted, learned.rejected.len()), (0, forged.len()));
    assert_eq!((discovery.entries(now), discovery.rejections()), (0, forged.len() as u64));
    for text in forged {
        assert_eq!(dialled(&discovery, now, text), None, "{text}");
    }
    let again = discovery.learn(now, &brokers(&forged));
    assert_eq!(again.rejected, [], "each is shown once");
    assert_eq!(discovery.rejections(), 2 * forged.len() as u64, "and counted each time");
}

/// T4: what a registration says goes to a log.
#[test]
fn t04_rejected_texts_are_short_and_plain() {
    let mut discovery = Discovery::new(Policy::default());
    let long = format!("a\nb\u{1b}[31m\u{202e}{}", "x".repeat(1_000));

    let learned = discovery.learn(Instant::now(), &brokers(&[&long]));

    let shown = &learned.rejected[0].0;
    assert!(shown.len() == 80 && shown.starts_with("a?b?[31m?x"), "{shown}");
}

#[test]
fn brokers_that_are_gone_stay_for_a_while() {
    let start = Instant::now();
    let mut discovery = Discovery::new(Policy::default());
    discovery.learn(start, &brokers(&["10.0.0.1:10911", "10.0.0.2:10911"]));
    let later = |seconds| start + Duration::from_secs(seconds);

    discovery.learn(later(30), &brokers(&["10.0.0.1:10911"]));
    discovery.learn(later(60), &brokers(&[]));

    assert!(dialled(&discovery, later(89), "10.0.0.2:10911").is_some());
    assert!(dialled(&discovery, later(90), "10.0.0.2:10911").is_none());
    assert!(dialled(&discovery, later(119), "10.0.0.1:10911").is_some());
    assert_eq!((discovery.entries(later(119)), discovery.entries(later(120))), (2, 0));
    assert_eq!(discovery.age(later(100)), Some(Duration::from_secs(40)));
}

#[test]
fn answers_of_several_name_servers_add_up() {
    let now = Instant::now();
    let mut discovery = Discovery::new(Policy::default());
    discovery.learn(now, &brokers(&["10.0.0.1:10911"]));
    discovery.learn(now, &brokers(&["10.0.0.2:10911"]));

    assert!(dialled(&discovery, now, "10.0.0.1:10911").is_some());
    assert!(dialled(&discovery, now, "10.0.0.2:10911").is_some());
}

/// T3: the answer of a name's look-up is no authority either.
#[test]
fn t03_names_are_looked_up_here_and_one_address_is_kept() {
    let now = Instant::now();
    let name = || ("broker-a.internal".to_owned(), 10_911);
    let mut discovery = Discovery::new(Policy { names: vec![name()], ..Policy::default() });
    let learned = discovery.learn(now, &brokers(&["broker-a.internal:10911", "other:10911"]));
    assert_eq!(learned.names, [name()]);
    assert_eq!(learned.rejected, [("other:10911".to_owned(), Rejected::Text)]);
    let ips = |texts: &[&str]| -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    };
    let mut found = |list: &[&str]| discovery.found(now, "broker-a.internal", 10_911, &ips(list));

    let special = Err(Rejected::Policy(Denied::Special("loopback")));
    assert_eq!(found(&["127.0.0.1"]), special);
    assert_eq!(found(&["127.0.0.1", "10.0.0.8", "10.0.0.9"]), Ok(at("10.0.0.8:10911")));
    assert_eq!(found(&["10.0.0.9", "10.0.0.8"]), Ok(at("10.0.0.8:10911")), "kept");
    assert_eq!(found(&["10.0.0.9"]), Ok(at("10.0.0.9:10911")));
    assert!(found(&["169.254.169.254"]).is_err(), "rebound to the metadata service");

    assert_eq!(dialled(&discovery, now, "broker-a.internal:10911"), Some(at("10.0.0.9:10911")));
    assert_eq!(dialled(&discovery, now, "10.0.0.9:10911"), None, "by its name only");
}

#[test]
fn what_is_remembered_is_bounded() {
    let now = Instant::now();
    let mut discovery = Discovery::new(Policy::default());
    let many: Vec<String> =
        (0..10_000).map(|n| format!("10.1.{}.{}:10911", n / 250, n % 250)).collect();
    let bad: Vec<String> = many.iter().map(|text| text.replace("10911", "80")).collect();
    let list = |texts: &[String]| brokers(&texts.iter().map(String::as_str).collect::<Vec<_>>());

    let learned = discovery.learn(now, &list(&many));
    assert_eq!(discovery.entries(now), ENTRIES_MAX);
    assert_eq!(learned.rejected.last().map(|last| last.1), Some(Rejected::TooMany));
    discovery.learn(now, &list(&bad));
    assert_eq!(discovery.rejected.len(), ENTRIES_MAX);
}

/// A transport with one connection, whose other end is given here.
struct Once(std::sync::Mutex<Option<DuplexStream>>);

impl Transport for Once {
    fn connect(&self, _: &Address, _: Instant) -> Connecting {
        let stream = self.0.lock().expect("not poisoned").take();
        Box::pin(async move {
            let stream = stream.ok_or(ConnectionEnd::Refused)?;
            Ok(Box::new(stream) as Box<dyn crate::Stream>)
        })
    }
}

/// What is made of an answer. `None` says nothing at all.
async fn asked(answer: Option<Vec<u8>>) -> Result<ClusterInfo, AskError> {
    let (near, mut far) = duplex(100);
    let transport = Once(Some(near).into());
    let server = async move {
        let mut length = [0; 4];
        far.read_exact(&mut length).await.expect("a request");
        let mut rest = vec![0; u32::from_be_bytes(length) as usize];
        far.read_exact(&mut rest).await.expect("a whole one");
        match answer {
            Some(answer) => drop(far.write_all(&answer).await),
            None => std::future::pending().await,
        }
    };
    let name_server = Address::new("10.0.0.9:9876").expect("an address");
    let deadline = Instant::now() + Duration::from_secs(3);
    let asking = ask(&transport, &name_server, deadline);
    let mut asking = std::pin::pin!(asking);
    tokio::select! {
        result = &mut asking => result,
        () = server => asking.await,
    }
}

fn answer(code: i32, opaque: i32, body: &[u8]) -> Vec<u8> {
    let head = Head { code, opaque, flag: Head::RESPONSE, ..Head::default() };
    let mut bytes = Vec::new();
    encode_frame(&mut bytes, SerializeType::Json, &head, [], body).expect("fits");
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_name_server_is_asked_for_its_brokers() {
    let info = brokers(&["10.0.0.1:10911"]);
    let good = answer(response::SUCCESS, 1, &info.encode());

    assert_eq!(asked(Some(good.clone())).await, Ok(info.clone()));
    let after_another = [answer(response::SUCCESS, 9, b"{}"), good].concat();
    assert_eq!(asked(Some(after_another)).await, Ok(info));
    let busy = answer(response::SYSTEM_BUSY, 1, b"");
    assert_eq!(asked(Some(busy)).await, Err(AskError::Refused(response::SYSTEM_BUSY)));
    assert_eq!(asked(None).await, Err(AskError::Silent));
    let ended = Err(AskError::Connection(ConnectionEnd::Closed));
    assert_eq!(asked(Some(vec![0, 0, 0, 100])).await, ended);
    for bytes in [vec![0xff; 8], vec![0x7f; 8], answer(response::SUCCESS, 1, b"[")] {
        assert!(matches!(asked(Some(bytes)).await, Err(AskError::Malformed(_))));
    }
    let nobody = Once(None.into());
    let name_server = Address::new("10.0.0.9:9876").expect("an address");
    let refused = ask(&nobody, &name_server, Instant::now() + Duration::from_secs(1)).await;
    assert_eq!(refused, Err(AskError::Connection(ConnectionEnd::Refused)));
}
