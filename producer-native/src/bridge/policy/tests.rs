use super::*;

fn target(text: &str) -> Option<SocketAddr> {
    match Target::parse(text, &[("broker-a.internal".to_owned(), 10_911)]) {
        Ok(Target::Address(address)) => Some(address),
        _ => None,
    }
}

fn denied(policy: &Policy, text: &str) -> Option<Denied> {
    policy.allows(text.parse().expect("an address")).err()
}

/// T3: an address has one way to be written.
#[test]
fn t03_only_addresses_as_routes_have_them_are_targets() {
    for text in ["10.0.0.5:10911", "[fd00::5]:10911", "[::1]:1", "255.255.255.255:65535"] {
        assert_eq!(target(text).map(|address| address.to_string()).as_deref(), Some(text));
    }
    for text in [
        "",
        "10.0.0.5",
        "10.0.0.5:",
        "10.0.0.5:0",
        "10.0.0.5:010911",
        "10.0.0.5:+10911",
        "10.0.0.5:65536",
        "10.0.0.5:10911.",
        "10.0.0.5.:10911",
        "10.0.0.5:10911 ",
        " 10.0.0.5:10911",
        "10.0.0.5:10911/",
        "10.0.0.5:10911\0",
        "10.0.0.5%3A10911",
        "10.0.0.05:10911",
        "012.0.0.5:10911",
        "0x0a.0.0.5:10911",
        "167772165:10911",
        "10.5:10911",
        "user@10.0.0.5:10911",
        "10.0.0.5:10911@evil.example:80",
        "evil.example#10.0.0.5:10911",
        "http://10.0.0.5:10911",
        "\u{ff11}0.0.0.5:10911",
        "::1:10911",
        "[::1]",
        "[::ffff:10.0.0.5]:10911",
        "[::ffff:a00:5]:10911",
        "[0:0:0:0:0:0:0:1]:10911",
        "[fd00::0005]:10911",
        "[FD00::5]:10911",
        "[fe80::1%1]:10911",
        "localhost:10911",
        "metadata.google.internal:80",
        "NS",
        "ns:9876",
        "ns/",
        &"1".repeat(100_000),
    ] {
        assert_eq!(target(text), None, "{text}");
        let known = [("broker-a.internal".to_owned(), 10_911)];
        assert_eq!(Target::parse(text, &known), Err(InvalidTarget), "{text}");
    }
}

/// T3: names are those of the operator, to the letter.
#[test]
fn t03_names_are_targets_only_if_they_are_listed() {
    let names = [("broker-a.internal".to_owned(), 10_911)];
    let listed = Target::Name("broker-a.internal".to_owned(), 10_911);

    assert_eq!(Target::parse("broker-a.internal:10911", &names), Ok(listed));
    assert_eq!(Target::parse("ns", &names), Ok(Target::NameServer));
    for text in [
        "broker-a.internal:10909",
        "broker-a.internal:010911",
        "broker-a.internal.:10911",
        "Broker-a.internal:10911",
        "x.broker-a.internal:10911",
        "broker-a.internal",
    ] {
        assert_eq!(Target::parse(text, &names), Err(InvalidTarget), "{text}");
    }
}

/// T3: where nothing of a cluster is, whatever a route says.
#[test]
fn t03_special_addresses_are_denied() {
    let policy = Policy::default();
    assert_eq!(denied(&policy, "10.0.0.5:10911"), None);
    assert_eq!(denied(&policy, "203.0.113.9:10909"), None);
    assert_eq!(denied(&policy, "[fd00::5]:10911"), None);
    for text in [
        "0.0.0.0:10911",
        "0.1.2.3:10911",
        "127.0.0.1:10911",
        "127.255.0.1:10911",
        "169.254.169.254:10911",
        "100.100.100.200:10911",
        "192.0.0.192:10911",
        "224.0.0.1:10911",
        "255.255.255.255:10911",
        "[::]:10911",
        "[::1]:10911",
        "[::ffff:10.0.0.5]:10911",
        "[::10.0.0.5]:10911",
        "[fe80::1]:10911",
        "[fec0::1]:10911",
        "[ff02::1]:10911",
        "[fd00:ec2::254]:10911",
        "[64:ff9b::a9fe:a9fe]:10911",
        "[64:ff9b:1::a9fe:a9fe]:10911",
        "[2002:a9fe:a9fe::]:10911",
        "[2001:0:a9fe::1]:10911",
    ] {
        let everything = Policy {
            networks: vec!["0.0.0.0/0".parse().expect("valid"), "::/0".parse().expect("valid")],
            ..Policy::default()
        };
        assert!(matches!(denied(&policy, text), Some(Denied::Special(_))), "{text}");
        let special = denied(&everything, text);
        assert!(matches!(special, Some(Denied::Special(_))), "all networks open nothing: {text}");
    }
    for port in [0, 22, 80, 443, 9876, 10_910, 10_912] {
        assert_eq!(policy.allows(([10, 0, 0, 5], port).into()), Err(Denied::Port), "{port}");
    }
}

#[test]
fn a_network_within_a_special_range_opens_it() {
    let policy = |network: &str| Policy {
        networks: vec![network.parse().expect("valid")],
        ..Policy::default()
    };
    let link_local = Denied::Special("link-local");

    assert_eq!(denied(&policy("127.0.0.0/8"), "127.0.0.1:10911"), None);
    assert_eq!(denied(&policy("127.0.0.1"), "127.0.0.1:10911"), None);
    let loopback = Some(Denied::Special("loopback"));
    assert_eq!(denied(&policy("127.0.0.1"), "127.0.0.2:10911"), loopback);
    assert_eq!(denied(&policy("126.0.0.0/7"), "127.0.0.1:10911"), loopback);
    assert_eq!(denied(&policy("169.254.7.0/24"), "169.254.7.1:10911"), None);
    assert_eq!(denied(&policy("169.254.7.0/24"), "169.254.169.254:10911"), Some(link_local));
    assert_eq!(denied(&policy("127.0.0.1"), "10.0.0.5:10911"), Some(Denied::Network));
    // These are open to nobody.
    for (network, text) in [
        ("0.0.0.0/8", "0.0.0.0:10911"),
        ("224.0.0.0/4", "224.0.0.1:10911"),
        ("::ffff:0:0/96", "[::ffff:127.0.0.1]:10911"),
    ] {
        assert!(matches!(denied(&policy(network), text), Some(Denied::Special(_))), "{text}");
    }
}

#[test]
fn networks_and_ports_are_those_of_the_operator() {
    let policy = Policy {
        networks: vec!["10.1.0.0/16".parse().expect("valid"), "fd01::/16".parse().expect("valid")],
        ports: vec![30_911],
        always: vec!["192.168.0.9:1".parse().expect("valid")],
        ..Policy::default()
    };
    assert_eq!(denied(&policy, "10.1.255.5:30911"), None);
    assert_eq!(denied(&policy, "[fd01::5]:30911"), None);
    assert_eq!(denied(&policy, "10.2.0.5:30911"), Some(Denied::Network));
    assert_eq!(denied(&policy, "[fd02::5]:30911"), Some(Denied::Network));
    assert_eq!(denied(&policy, "10.1.255.5:10911"), Some(Denied::Port));
    assert_eq!(denied(&policy, "192.168.0.9:1"), None, "listed by itself");
    assert_eq!(denied(&policy, "192.168.0.9:2"), Some(Denied::Network));
}

/// T3: through the bridge to the bridge.
#[test]
fn t03_the_bridge_does_not_connect_to_itself() {
    let here = "10.0.0.1:10911".parse().expect("an address");
    let everywhere = "[::]:10909".parse().expect("an address");
    let policy = Policy {
        listeners: vec![here, everywhere],
        always: vec![here, "10.0.0.7:10909".parse().expect("an address")],
        map: vec![("10.9.9.9:10911".parse().expect("an address"), here)],
        loopback: true,
        ..Policy::default()
    };

    for text in ["10.0.0.1:10911", "127.0.0.1:10909", "[::1]:10909", "10.0.0.2:10909"] {
        assert_eq!(denied(&policy, text), Some(Denied::Listener), "{text}");
    }
    let mapped = "10.9.9.9:10911".parse().expect("an address");
    assert_eq!(policy.dialled(mapped), Err(Denied::Listener));
    assert_eq!(denied(&policy, "10.0.0.2:10911"), None);
    assert_eq!(denied(&policy, "10.0.0.7:10909"), None, "another machine, listed by itself");
}

#[test]
fn development_adds_this_machine_at_any_port() {
    let policy = Policy { loopback: true, ..Policy::default() };
    assert_eq!(denied(&policy, "127.0.0.1:41234"), None);
    assert_eq!(denied(&policy, "[::1]:41234"), None);
    assert!(denied(&policy, "169.254.169.254:80").is_some());
    assert!(denied(&policy, "0.0.0.0:41234").is_some());
    assert_eq!(denied(&policy, "10.0.0.5:41234"), Some(Denied::Port));
}

#[test]
fn advertised_addresses_are_dialled_where_the_operator_says() {
    let at = |text: &str| text.parse().expect("an address");
    let policy =
        Policy { map: vec![(at("172.17.0.2:10911"), at("127.0.0.1:31911"))], ..Policy::default() };
    assert_eq!(policy.dialled(at("172.17.0.2:10911")), Ok(at("127.0.0.1:31911")));
    assert_eq!(policy.dialled(at("172.17.0.3:10911")), Ok(at("172.17.0.3:10911")));
    assert_eq!(policy.dialled(at("127.0.0.1:31911")), Err(Denied::Special("loopback")));
}

#[test]
fn networks_are_written_in_one_way() {
    for text in ["10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "fd00::/8", "::/0", "::1/128"] {
        assert_eq!(text.parse::<Network>().map(|network| network.to_string()), Ok(text.to_owned()));
    }
    assert_eq!("10.1.2.3".parse::<Network>(), "10.1.2.3/32".parse());
    for text in
        ["", "10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10/8", "a/8"]
    {
        assert_eq!(text.parse::<Network>(), Err(InvalidNetwork), "{text}");
    }
}

#[test]
fn names_that_some_readers_take_for_addresses_are_known() {
    for name in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.01", "a.1", "a:b", "x@y"] {
        assert!(target::looks_like_address(name), "{name}");
    }
    for name in ["broker-a", "broker-1.internal", "1.broker", "0xbroker"] {
        assert!(!target::looks_like_address(name), "{name}");
    }
}
