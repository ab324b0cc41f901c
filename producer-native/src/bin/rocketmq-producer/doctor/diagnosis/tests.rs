//! Facts made up, and what is found in them.

use std::time::Duration;

use producer_core::wire::route::QueueData;
use producer_native::{Address, ConnectionEnd, ErrorKind, TlsFault, TopicName};

use super::super::ask::Answer;
use super::*;

fn address(text: &str) -> Address {
    Address::new(text).expect("an address")
}

fn broker_data(name: &str, addresses: &[(i64, &str)]) -> BrokerData {
    let addresses = addresses.iter().map(|&(id, text)| (id, text.to_owned())).collect();
    BrokerData { broker_name: name.to_owned(), addresses, ..BrokerData::default() }
}

fn route(perm: i32, brokers: Vec<BrokerData>) -> TopicAnswer {
    let queues = brokers.iter().map(|broker| QueueData {
        broker_name: broker.broker_name.clone(),
        read_queue_nums: 4,
        write_queue_nums: 4,
        perm,
        topic_sys_flag: 0,
    });
    TopicAnswer::Known(TopicRouteData {
        queues: queues.collect(),
        brokers,
        ..TopicRouteData::default()
    })
}

fn server(at: &str, brokers: &[&BrokerData], topic: Option<TopicAnswer>) -> NameServerFacts {
    let brokers = brokers.iter().map(|&broker| (broker.broker_name.clone(), broker.clone()));
    let info = ClusterInfo { brokers: brokers.collect(), clusters: Vec::new() };
    let elapsed = Duration::from_millis(1);
    let answer = NameServerAnswer { elapsed, version: 493, brokers: Ok(info), topic };
    NameServerFacts { address: address(at), answer: Ok(answer) }
}

fn broker_at(advertised: &str, dialled: &str, answer: Result<i32, AskError>) -> BrokerFacts {
    let unmapped = (advertised != dialled).then_some(Ok(()));
    let elapsed = Duration::from_millis(1);
    let answer = answer.map(|code| Answer {
        code,
        version: 493,
        remark: "why".to_owned(),
        body: Vec::new(),
        elapsed,
    });
    BrokerFacts {
        name: "a".to_owned(),
        id: 0,
        advertised: address(advertised),
        dialled: address(dialled),
        unmapped,
        answer,
    }
}

fn codes(
    topic: Option<&str>,
    servers: Vec<NameServerFacts>,
    broker: BrokerFacts,
) -> Vec<&'static str> {
    let topic = topic.map(|topic| TopicName::new(topic).expect("a topic"));
    let facts =
        Facts { topic, name_servers: servers, brokers: vec![broker], bad_addresses: Vec::new() };
    findings(&facts).iter().map(|finding| finding.code).collect()
}

fn good() -> BrokerFacts {
    broker_at("10.0.0.1:10911", "10.0.0.1:10911", Ok(0))
}

#[test]
fn a_sound_cluster_has_no_findings() {
    let a = broker_data("a", &[(0, "10.0.0.1:10911"), (1, "10.0.0.2:10911")]);
    let known = || Some(route(6, vec![a.clone()]));

    let servers = || vec![server("n1:9876", &[&a], known()), server("n2:9876", &[&a], known())];

    assert_eq!(codes(Some("t"), servers(), good()), [""; 0]);
    assert_eq!(codes(None, servers(), good()), [""; 0]);
}

#[test]
fn name_servers_that_differ_are_named() {
    let a = broker_data("a", &[(0, "10.0.0.1:10911")]);
    let b = broker_data("b", &[(0, "10.0.0.2:10911")]);
    let known = Some(route(6, vec![a.clone()]));
    let servers = vec![
        server("n1:9876", &[&a, &b], known),
        server("n2:9876", &[&a], Some(TopicAnswer::Absent)),
    ];

    let found = codes(Some("t"), servers, good());

    assert_eq!(found, ["name_servers_disagree"; 2]);
}

#[test]
fn topics_are_absent_read_only_or_without_a_master() {
    let a = broker_data("a", &[(0, "10.0.0.1:10911")]);
    let slave = broker_data("a", &[(1, "10.0.0.1:10911")]);
    let of = |topic| codes(Some("t"), vec![server("n1:9876", &[&a], Some(topic))], good());

    assert_eq!(of(TopicAnswer::Absent), ["topic_not_found"]);
    assert_eq!(of(route(4, vec![a.clone()])), ["topic_not_writable"]);
    assert_eq!(of(route(6, vec![slave.clone()])), ["no_master"]);
    assert_eq!(of(TopicAnswer::Refused("no".to_owned())), ["route_refused"]);
    assert_eq!(codes(None, vec![server("n1:9876", &[&slave], None)], good()), ["no_master"]);
}

#[test]
fn each_way_a_broker_fails_has_its_code() {
    let advertised = "172.17.0.2:10911";
    let a = broker_data("a", &[(0, advertised)]);
    let of = |dialled, answer| {
        codes(None, vec![server("n1:9876", &[&a], None)], broker_at(advertised, dialled, answer))
    };
    let refused = || Err(AskError::Dial("refused".to_owned()));

    assert_eq!(of(advertised, refused()), ["advertised_unreachable"]);
    assert_eq!(of("127.0.0.1:1", refused()), ["mapped_unreachable"]);
    assert_eq!(of("127.0.0.1:1", Ok(0)), [""; 0]);
    assert_eq!(of(advertised, Ok(16)), ["broker_refused"]);
    assert_eq!(of(advertised, Err(AskError::Silent(Duration::ZERO))), ["broker_silent"]);
    assert_eq!(of(advertised, Err(AskError::Lost(String::new()))), ["not_a_broker"]);
}

#[test]
fn an_unreachable_address_is_explained() {
    let facts =
        broker_at("172.17.0.2:10911", "172.17.0.2:10911", Err(AskError::Dial("no".to_owned())));

    let found = broker(&facts).expect("a finding");

    assert!(found.advice.contains("docker") && found.advice.contains("brokerIP1"), "{found:?}");
    assert!(found.advice.contains("--address-map 172.17.0.2:10911=HOST:PORT"), "{found:?}");
}

/// Codes in the first column of a section's first table.
fn codes_of_section<'t>(guide: &'t str, heading: &str) -> BTreeSet<&'t str> {
    let (_, section) = guide.split_once(heading).expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next()).collect()
}

/// Text literals that are lower-case words.
fn words(source: &str) -> impl Iterator<Item = &str> {
    let is_word = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
    };
    source.split('"').filter(is_word)
}

/// The body of `fn code`.
fn code_function(source: &str) -> &str {
    let (_, rest) = source.split_once("pub fn code(&self)").expect("the function");
    rest.split("\n    }\n").next().unwrap_or_default()
}

/// A file of the repository.
fn read(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("a file of the repository")
}

#[test]
fn the_guide_has_every_code_and_no_other() {
    let guide = read("docs/troubleshooting.md");
    let diagnosis = read("src/bin/rocketmq-producer/doctor/diagnosis.rs");
    let errors = read("../producer-core/src/error.rs");
    let questions = read("../producer-core/src/ask_error.rs");

    let findings: BTreeSet<_> = words(&diagnosis).filter(|word| word.contains('_')).collect();
    assert_eq!(codes_of_section(&guide, "\n## Findings of the doctor"), findings);
    let kinds: BTreeSet<_> = words(code_function(&errors)).collect();
    assert_eq!(codes_of_section(&guide, "\n## Codes of errors"), kinds);
    let asked: BTreeSet<_> = words(code_function(&questions)).collect();
    assert_eq!(codes_of_section(&guide, "\n## Codes of questions"), asked);
    assert!(findings.len() >= 18 && kinds.len() >= 32 && asked.len() >= 7);
}

/// What is quoted in the first column of a section's first table.
fn quoted_in_section<'t>(guide: &'t str, heading: &str) -> Vec<&'t str> {
    let (_, section) = guide.split_once(heading).expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let cells = rows.take_while(|line| line.starts_with('|'));
    let cells = cells.filter_map(|row| row.split('|').nth(1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn the_guide_has_phases_and_ends_of_connections_as_they_are_printed() {
    let guide = read("docs/troubleshooting.md");
    let errors = read("../producer-core/src/error.rs");
    let (_, phases) = errors.split_once("impl Phase {").expect("the phases");
    let phases: BTreeSet<_> = words(phases.split("\n}\n").next().unwrap_or_default()).collect();
    assert_eq!(codes_of_section(&guide, "\n### `deadline`, by phase"), phases);
    assert!(phases.len() >= 8);

    let tls = |fault| ConnectionEnd::Tls { fault, detail: String::new() };
    let ends = [
        ConnectionEnd::Refused,
        ConnectionEnd::DialTimeout,
        ConnectionEnd::Unreachable("no route to host".to_owned()),
        tls(TlsFault::Expired),
        tls(TlsFault::NotTls),
        ConnectionEnd::Proxy("proxy a:1: it closed the connection".to_owned()),
        ConnectionEnd::Overloaded {
            after: Duration::from_secs(1),
            detail: "bridge a:1: too much to do".to_owned(),
        },
    ];
    let ends = ends.map(|end| ErrorKind::Connect(end).to_string());
    let quoted = quoted_in_section(&guide, "\n### `connect`, by its text");
    assert!(quoted.len() >= 7, "{quoted:?}");
    for text in &quoted {
        assert!(ends.iter().any(|end| end.contains(text)), "no error says {text:?}");
    }
    for end in &ends {
        assert!(quoted.iter().any(|text| end.contains(text)), "the guide lacks {end:?}");
    }
}
