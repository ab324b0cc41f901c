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
    assert!(settings.to_string().contains("\nnames_required = true\n"));
    assert!(settings.to_string().contains("key_file = \"/etc/rocketmq-bridge/key\""));
}

#[test]
fn what_cannot_be_right_is_named() {
    let good = "name_servers = '10.0.0.1:9876'\n";
    for (text, wanted) in [
        ("", "name_servers: they are needed"),
        ("[tls]\nkey_file = 'k'", "tls: certificate_file and key_file go together"),
        ("[tokens]\naudience = 'a'", "tokens: one of jwks_file and secret_file is needed"),
        ("[tokens]\njwks_file = 'a'", "tokens.audience: it is needed"),
        (
            "[tokens]\naudience = 'a'\njwks_file = 'a'\nsecret_file = 'b'",
            "line 5: tokens.secret_file: wanted nothing here, for there is a jwks_file",
        ),
        ("[signing]\naccess_key = 'a'", "signing: it wants a key_file, or an access_key with"),
        ("[signing]\nkey_file = 'a'\nsecret_key = 's'", "signing: it wants a key_file, or"),
        ("[signing]\nheld_bytes_max = '32 MiB'", "signing.held_bytes_max: it must be eight times"),
        ("[connection]\nping = '50s'", "connection.ping: it must be shorter"),
        ("[connection]\nping = '0s'", "connection.ping: it must be 100ms at least"),
        ("[connection]\nstall = '99ms'", "connection.stall: it must be 100ms at least"),
        ("[connection]\nidle = '0s'", "connection.idle: it must be 100ms at least"),
        ("[connection]\nhandshake = '0s'", "connection.handshake: it must be 100ms at least"),
        ("[connection]\nfinish = '0s'", "connection.finish: it must be 100ms at least"),
        ("[connection]\nhead_bytes_max = 100", "connection.head_bytes_max: it must be 8 KiB"),
        ("[brokers]\nnetwork = ['10.0.0.0/8']", "line 3: brokers.network: there is no such key"),
        ("[brokers]\nnetworks = ['10.0.0.1/8']", "line 3: brokers.networks: wanted networks"),
        ("[brokers]\nnames = ['10.0.0.1:10911']", "brokers.names: 10.0.0.1 is an address"),
        ("[brokers]\nnames = ['a:+1']", "line 3: brokers.names: wanted names and ports"),
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

/// A file in a folder of its own, gone with this.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bridge-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

#[test]
fn the_key_that_signs_is_read_again_and_never_shown() {
    let file = File::new("account", "AccessKey=ak\nSecretKey=hush-1\n");
    let path = file.0.display();
    let secret = File::new("secret", "hush-1\n");
    let named = secret.0.display();
    for way in [
        format!("key_file = '{path}'"),
        "access_key = 'ak'\nsecret_key = 'hush-1'".to_owned(),
        format!("access_key = 'ak'\nsecret_key_file = '{named}'"),
    ] {
        let text = format!("name_servers = '10.0.0.1:9876'\n[signing]\n{way}");
        let settings = BridgeSettings::from_toml(&text).unwrap();
        let (bridge, watch) = settings.open(|builder| builder).unwrap();
        let shown = format!("{settings} {settings:?} {bridge:?} {watch:?}");
        assert!(shown.contains("held_bytes_max") && !shown.contains("hush"), "{shown}");
    }

    let text = format!("name_servers = '10.0.0.1:9876'\n[signing]\nkey_file = '{path}'");
    let settings = BridgeSettings::from_toml(&text).unwrap();
    let (_, mut watch) = settings.open(|builder| builder).unwrap();
    let (_, signer) = watch.account.as_ref().unwrap();
    let (signer, before) = (signer.clone(), signer.account());
    watch.look();
    assert_eq!(signer.account(), before);
    std::fs::write(&file.0, "AccessKey=ak\nSecretKey=\n").unwrap();
    watch.look();
    assert_eq!(signer.account(), before, "what is no good changes nothing");
    std::fs::write(&file.0, "AccessKey=ak\nSecretKey=hush-number-2\n").unwrap();
    watch.look();
    assert_ne!(signer.account(), before);

    std::fs::write(&file.0, "SecretKey=hush-3\n").unwrap();
    let error = settings.open(|builder| builder).map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("signing: key file ") && error.contains("no AccessKey"), "{error}");
    assert!(!error.contains("hush"), "{error}");
}
