//! Settings from TOML and variables: what they set, and what is said of mistakes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use producer_core::wire::acl::Credentials;
use producer_native::settings::{Settings, SettingsError};
use producer_native::{Address, Builder, Compression, Config, Health, OnUnknown};

const EXAMPLE: &str = include_str!("../../src/settings/example.toml");

fn config_of(builder: Builder) -> Config {
    let mut seen = None;
    let _builder = builder.configure(|config| seen = Some(config.clone()));
    seen.unwrap()
}

fn config(text: &str) -> Config {
    config_of(Builder::from_toml(text).unwrap())
}

fn error(text: &str) -> String {
    Builder::from_toml(text).map(|_| ()).expect_err(text).to_string()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let prefixed = pairs.iter().map(|(key, value)| (format!("ROCKETMQ_PRODUCER_{key}"), value));
    prefixed.map(|(key, value)| (key, (*value).to_owned())).collect()
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let example = config(EXAMPLE);

    let address = |text| Address::new(text).unwrap();
    let expected = Config {
        group: "orders".try_into().unwrap(),
        name_servers: Address::list("10.0.0.1:9876;10.0.0.2:9876").unwrap(),
        instance_name: Some("one".into()),
        address_map: vec![(address("172.17.0.2:10911"), address("127.0.0.1:20911"))],
        credentials: Some(Credentials::new("orders", "a secret").unwrap()),
        ..Config::default()
    };
    assert_eq!(format!("{example:#?}"), format!("{expected:#?}"));
    assert_eq!(example.credentials, expected.credentials);
}

#[test]
fn every_field_of_the_configuration_has_a_key() {
    let shown = format!("{:#?}", Config::default());
    let fields = shown.lines().filter_map(|line| line.strip_prefix("    "));
    let fields = fields.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let fields: BTreeSet<&str> = fields.filter_map(|line| line.split(':').next()).collect();
    let keys = |line: &'static str| {
        let name = line.split([' ', '=']).next()?;
        Some(name.trim_matches(['[', ']']))
    };
    let keys: BTreeSet<&str> = EXAMPLE.lines().filter_map(keys).collect();

    assert!(fields.len() > 40, "{fields:?}");
    // Events are for whoever drives the core; this driver passes none on.
    let missing: Vec<_> = fields.difference(&keys).filter(|name| **name != "events").collect();
    assert!(missing.is_empty(), "give {missing:?} a key in settings/keys.rs and example.toml");
}

#[test]
fn values_reach_the_configuration() {
    let java = config("preset = 'java'\nhealth = { kind = 'java', steps = [['1s', '2s']] }");
    assert!(java.auto_create_topics && java.retry_budget.is_none());
    let Health::Java(table) = java.health else { panic!() };
    assert_eq!(table.steps, [(Duration::from_secs(1), Duration::from_secs(2))]);

    let sharing = config("auto_batch = { linger = '5ms' }\n[trace]\nbatch = 3\nchannel = 'cloud'");
    assert_eq!(sharing.auto_batch.unwrap().linger, Duration::from_millis(5));
    assert_eq!(sharing.trace.unwrap().batch, 3);
    let packing = config("compression = { kind = 'lz4', threshold = '1 KiB' }");
    let compress = packing.compression.unwrap();
    assert_eq!((compress.kind, compress.threshold), (Compression::Lz4, 1024));

    let set = config(
        "attempt_timeout = 'none'\nretry_budget = 'none'\nname_server_hedge = '1.5s'\n\
         on_unknown = 'stop'\nhealth = 'off'\nbytes_max = '1 GiB'\nretry_codes = []\n\
         name_servers = ['a:1', 'b:2']\nheartbeat = '0.5m'",
    );
    assert_eq!((set.attempt_timeout, set.retry_budget), (None, None));
    assert_eq!(set.name_server_hedge, Some(Duration::from_millis(1_500)));
    assert_eq!((set.on_unknown, set.health), (OnUnknown::Stop, Health::Off));
    assert_eq!((set.bytes_max, set.retry_codes.len(), set.name_servers.len()), (1 << 30, 0, 2));
    assert_eq!(set.heartbeat, Duration::from_secs(30));
}

#[test]
fn unknown_keys_are_refused_and_the_nearest_is_named() {
    for (text, wanted) in [
        ("gruop = 'a'", "line 1: gruop: there is no such key; did you mean group?"),
        (
            "group = 'a'\n\n sendTimeout = '3s'",
            "line 3: sendTimeout: there is no such key; did you mean send_timeout?",
        ),
        (
            "[backoff]\nfrist = '1s'",
            "line 2: backoff.frist: there is no such key; did you mean first?",
        ),
        (
            "[health]\nkind = 'java'\nsilence = '1s'",
            "line 3: health.silence: there is no such key; there are kind, steps",
        ),
        (
            "[[proxy]]\nurl = 'http://h:1'\npasword = 'x'",
            "line 3: proxy.pasword: there is no such key; did you mean password?",
        ),
        (
            "[discovery]\ndns = 'a:1'\nevry = '1s'",
            "line 3: discovery.evry: there is no such key; did you mean every?",
        ),
        (
            "[credentials]\naccess_key = 'a'\nsecret_key = 'b'\ntoken = 'c'",
            "line 4: credentials.token: there is no such key",
        ),
    ] {
        let error = error(text);
        assert!(error.starts_with(wanted), "{error}");
    }
}

/// The same wrong value for every key there is: it is refused or taken, and never repeated.
#[test]
fn wrong_values_are_refused_and_never_repeated() {
    let mut table = String::new();
    let (mut refused, mut tried) = (0, 0);
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = format!("[{}\n", name.split('#').next().unwrap().trim());
            continue;
        }
        let Some((key, _)) = line.split_once(" = ") else { continue };
        let wrong = [
            "'hunter2 \u{1F600}'",
            "['hunter2']",
            "{ other = 'hunter2' }",
            "-4242424242",
            "99999999999999999999999999",
            "4242.5",
            "2026-11-21",
            "true",
            "''",
        ];
        for value in wrong {
            // What else the table needs is left out, which must not hide the value either.
            let text = format!("{table}{key} = {value}\n");
            tried += 1;
            let Err(error) = Builder::from_toml(&text) else { continue };
            refused += 1;
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("4242"), "{text}: {shown}");
            assert!(shown.contains("line "), "{shown}");
        }
    }
    assert!(tried > 500 && refused > tried * 2 / 3, "{refused} of {tried}");
}

#[test]
fn limits_that_stop_everything_are_refused() {
    for key in ["attempts_max", "attempts_all_max", "sends_max", "message_bytes_max", "topics_max"]
    {
        let error = error(&format!("{key} = 0"));
        assert!(error.contains(key), "{error}");
    }
    for bad in ["'3'", "3", "'s'", "'-1s'", "'3 parsecs'", "'1e9s'", "'NaNs'", "'25h'", "''"] {
        let error = error(&format!("send_timeout = {bad}"));
        assert!(error.contains("wanted a time of at most a day with its unit"), "{error}");
    }
    for bad in ["'4 MB'", "'x'", "'99999999999 GiB'", "-1", "1.5"] {
        assert!(error(&format!("bytes_max = {bad}")).contains("wanted a number of bytes"), "{bad}");
    }
}

#[test]
fn what_is_not_toml_is_said_with_its_place_and_nothing_else() {
    let secret = "[credentials]\naccess_key = 'a'\nsecret_key = 'hunter2";
    for tail in ["", "'x", "' = 3", "\n'\nb=1", "'\n[credentials]", "'\nsecret_key = 'hunter2'"] {
        let error = error(&format!("{secret}{tail}"));
        assert!(error.contains("line ") && !error.contains("hunter2"), "{error}");
    }
    assert_eq!(error("a = 1\nb = = 2"), "line 2: it is not TOML, at column 5");
    assert_eq!(error("group = 'a'\ngroup = 'b'"), "line 2: a key is there twice, at column 1");
    assert!(error(&"#".repeat(2 << 20)).contains("longer than 1 MiB"));
}

#[test]
fn a_file_that_is_cut_off_never_panics_and_never_tells() {
    for cut in (0..EXAMPLE.len()).filter(|&cut| EXAMPLE.is_char_boundary(cut)) {
        if let Err(error) = Builder::from_toml(&EXAMPLE[..cut]) {
            assert!(!error.to_string().contains("a secret"), "{error}");
        }
    }
}

#[test]
fn variables_win_over_the_file_key_by_key() {
    let settings = Settings::new().toml(EXAMPLE).unwrap();
    let settings = settings.variables(variables(&[
        ("SEND_TIMEOUT", "7s"),
        ("SENDS_MAX", "42"),
        ("RETRY_NOT_OK", "true"),
        ("NAME_SERVERS", "c:1;d:2"),
        ("BACKOFF__FIRST", "20ms"),
        ("CREDENTIALS__SECRET_KEY", "hunter2"),
    ]));

    let config = config_of(settings.unwrap().builder().unwrap());

    assert_eq!((config.send_timeout, config.sends_max), (Duration::from_secs(7), 42));
    assert_eq!((config.retry_not_ok, config.name_servers.len()), (true, 2));
    assert_eq!(config.backoff.first, Duration::from_millis(20));
    assert_eq!(config.backoff.longest, Duration::from_millis(200), "the file's");
    assert_eq!(config.credentials, Credentials::new("orders", "hunter2").ok());
}

#[test]
fn variables_that_cannot_be_right_are_named_and_not_repeated() {
    for (key, value, wanted) in [
        (
            "SEND_TIMOUT",
            "hunter2",
            "variable ROCKETMQ_PRODUCER_SEND_TIMOUT: send_timout: there is no such key; did you mean send_timeout?",
        ),
        (
            "SEND_TIMEOUT",
            "hunter2",
            "variable ROCKETMQ_PRODUCER_SEND_TIMEOUT: send_timeout: wanted a time",
        ),
        ("SEND_TIMEOUT", "+3s", "send_timeout: wanted a time"),
        ("SEND_TIMEOUT", "1e3ms", "send_timeout: wanted a time"),
        ("SENDS_MAX", "hunter2", "sends_max: wanted a number of bytes"),
        ("SENDS_MAX", "+42", "sends_max: wanted a number of bytes"),
        ("RETRY_NOT_OK", "yes", "retry_not_ok: wanted true or false"),
        ("PROXY__URL", "socks5://a:hunter2@h", "proxy: several of these are set already"),
        ("BACKOFF", "hunter2", "backoff: wanted a table"),
        ("__", "hunter2", "its name leads to no key"),
        ("A__B__C", "hunter2", "its name leads to no key"),
    ] {
        let settings = Settings::new().toml(EXAMPLE).unwrap();
        let ended = settings.variables(variables(&[(key, value)])).and_then(Settings::builder);
        let error: SettingsError = ended.map(|_| ()).expect_err(key);
        assert!(error.to_string().contains(wanted), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let other = [("ROCKETMQ_HOME".to_owned(), "x".to_owned())];
    assert!(Settings::new().variables(other).unwrap().builder().is_ok(), "not ours");
}

#[test]
fn a_key_file_of_java_can_be_named() {
    let file = scratch("key-file", "AccessKey=me\nSecretKey=hunter2\nSecurityToken=t\n");
    let text = format!("[credentials]\nkey_file = '{}'", file.display());

    let account = Credentials::new("me", "hunter2").and_then(|account| account.with_token("t"));
    assert_eq!(config(&text).credentials, account.ok());

    let alone = error(&format!("{text}\naccess_key = 'me'"));
    assert!(alone.contains("line 3: credentials.access_key"), "{alone}");
    let missing = error("[credentials]\nkey_file = 'no/such/file'");
    assert!(
        missing.contains("credentials.key_file") && missing.contains("no/such/file"),
        "{missing}"
    );
}

#[test]
fn secrets_can_stand_in_files_and_are_never_shown() {
    let file = scratch("secret", "hunter2\r\n");
    let path = file.display();
    let text = format!(
        "[credentials]\naccess_key = 'me'\nsecret_key_file = '{path}'\nsecurity_token = 'hunter2'\n\
         [[proxy]]\nurl = 'http://h:1'\nuser = 'me'\npassword_file = '{path}'"
    );

    let settings = Settings::new().toml(&text).unwrap();
    let shown = format!("{settings:?} {settings:#?}");
    let builder = settings.builder().unwrap();
    let shown = format!("{shown} {builder:?} {builder:#?}");

    assert!(!shown.contains("hunter2"), "{shown}");
    let account =
        Credentials::new("me", "hunter2").and_then(|account| account.with_token("hunter2"));
    assert_eq!(config_of(builder).credentials, account.ok());

    let both = text.replace("access_key = 'me'", "access_key = 'me'\nsecret_key = 'x'");
    assert!(error(&both).contains("it is there twice"));
    let none = text.replace(&path.to_string(), "no/such/file");
    assert!(error(&none).contains("no/such/file cannot be read"));
    let empty = text.replace(&path.to_string(), &scratch("empty", "\n").display().to_string());
    assert!(error(&empty).contains("secret_key: it is needed"));
}

#[test]
fn files_are_read_and_named_in_errors() {
    let good = scratch("good.toml", "group = 'filed'");
    let bad = scratch("bad.toml", "group = 'a'\nsend_timeout = 3");

    let builder = Settings::new().file(&good).unwrap().builder().unwrap();
    assert_eq!(config_of(builder).group.as_str(), "filed");
    let error = Settings::new().file(&bad).unwrap().builder().map(|_| ()).unwrap_err();
    assert_eq!(error.key(), "send_timeout");
    assert!(error.to_string().contains("bad.toml, line 2: send_timeout"), "{error}");
    let missing = Settings::new().file("no/such.toml").map(|_| ()).unwrap_err();
    assert!(missing.to_string().starts_with("no/such.toml"), "{missing}");
}

#[test]
fn ways_that_contradict_themselves_are_refused() {
    for (text, words) in [
        ("[[proxy]]", "wanted either direct = true, or a url"),
        ("[[proxy]]\ndirect = true\nurl = 'http://h:1'", "wanted either"),
        ("[[proxy]]\nurl = 'ftp://h:1'", "proxy.url: wanted socks5://"),
        ("[[proxy]]\nurl = 'http://h:1'\npassword = 'x'", "without a url and a user"),
        ("[[proxy]]\nurl = 'http://h:1'\nfor = '10.0.0.1/8'", "proxy.for: wanted rules"),
        ("[[proxy]]\nurl = 'http://h:1'\nfor = []", "proxy.for: wanted rules"),
        ("[discovery]", "either dns, or address_server"),
        ("[discovery]\ndns = 'a:1'\nunit = 'u'", "either dns, or address_server"),
        ("[discovery]\naddress_server = 'a'\nsubgroup = 'a/b'", "discovery.subgroup"),
        ("[discovery]\naddress_server = 'http://a'", "wanted host or host:port"),
        ("proxy = 3", "proxy: wanted a table"),
        ("credentials = 'x'", "credentials: wanted a table"),
    ] {
        let error = error(text);
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_set_and_its_mistakes_are_said() {
    const TLS: &str = include_str!("../../src/settings/tls.toml");

    let builder = Builder::from_toml(TLS).unwrap();

    let shown = format!("{builder:?}");
    for part in ["10.0.0.1:9876", "ca.pem", "orders.pem", "brokers.example.com"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for (text, words) in [
        ("[tls]\nca_fil = 'a'", "tls.ca_fil: there is no such key; did you mean ca_file?"),
        ("[tls]\nclient_key_file = 'a'", "belong together"),
        ("[tls]\nplain = true\nca_file = 'a'", "no other key but for"),
        ("[tls]\nca_file = 3", "tls.ca_file: wanted a text"),
    ] {
        let error = error(text);
        assert!(error.contains(words), "{words}: {error}");
    }
}

fn scratch(name: &str, content: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("settings");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}
