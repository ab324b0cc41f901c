use super::*;

const EXAMPLE: &str = include_str!("example.toml");

#[test]
fn what_is_printed_reads_the_same() {
    let dev = BridgeSettings::read(
        Settings::of(PREFIX).toml("name_servers = '127.0.0.1:9876'").unwrap().into_root(),
        BridgeConfig::dev(),
    );
    for settings in [BridgeSettings::from_toml(EXAMPLE).unwrap(), dev.unwrap()] {
        let printed = settings.to_string();
        let again = BridgeSettings::from_toml(&printed).unwrap();
        assert_eq!(again.to_string(), printed);
        assert_eq!(format!("{again:?}"), format!("{settings:?}"));
    }
}

#[test]
fn an_example_says_what_it_seems_to_say() {
    let settings = BridgeSettings::from_toml(EXAMPLE).unwrap();

    assert_eq!(settings.listen.port(), 7070);
    assert_eq!(settings.config.hosts, ["bridge.example.com"]);
    assert_eq!(settings.config.policy.networks, ["10.0.0.0/16".parse().unwrap()]);
    assert_eq!(settings.config.policy.listeners.len(), 2, "it does not connect to itself");
    assert_eq!(settings.config.limits.connections_per_subject_max, 8);
    assert_eq!(settings.config.drain.delay, Duration::from_secs(5));
    assert!(settings.config.behind_proxy);
}

#[test]
fn what_cannot_be_right_is_named() {
    let good = "name_servers = '10.0.0.1:9876'\n";
    for (text, wanted) in [
        ("", "name_servers: they are needed"),
        ("[tls]\nkey_file = 'k'", "tls: certificate_file and key_file go together"),
        ("[tokens]\naudience = 'a'", "tokens: one of jwks_file and secret_file is needed"),
        ("[tokens]\njwks_file = 'a'", "tokens.audience: it is needed"),
        ("[connection]\nping = '50s'", "connection.ping: it must be shorter"),
        ("[connection]\nhead_bytes_max = 100", "connection.head_bytes_max: it must be 8 KiB"),
        ("[brokers]\nnetwork = ['10.0.0.0/8']", "line 3: brokers.network: there is no such key"),
        ("[brokers]\nnetworks = ['10.0.0.1/8']", "line 3: brokers.networks: wanted networks"),
        ("[brokers]\nnames = ['10.0.0.1:10911']", "brokers.names: 10.0.0.1 is an address"),
        ("listen = '7070'", "line 2: listen: wanted an address and a port"),
        ("without_origin = 'yes'", "line 2: without_origin: wanted \"refused\""),
    ] {
        let before = if text.is_empty() { "" } else { good };
        let error = BridgeSettings::from_toml(&format!("{before}{text}")).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    let with = |more: &str| {
        let settings =
            BridgeSettings::from_toml(&format!("name_servers = '10.0.0.1:9876'\n{more}"));
        settings.unwrap().open(|builder| builder).map(|_| ()).unwrap_err().to_string()
    };
    let keys = with("[tokens]\naudience = 'a'\nsecret_file = '/nowhere/secret'");
    assert!(keys.starts_with("tokens: ") && keys.contains("/nowhere/secret"), "{keys}");
    let tls = with("[tls]\ncertificate_file = '/nowhere/c.pem'\nkey_file = '/nowhere/k.pem'");
    assert!(tls.starts_with("tls: ") && tls.contains("/nowhere/c.pem"), "{tls}");
    let listen = with("listen = '0.0.0.0:7070'");
    assert!(listen.starts_with("listen: a plain listener"), "{listen}");
}
