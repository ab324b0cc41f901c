//! Arguments: wrong ones, help, completions; and `inspect-id`.

use crate::run::run;

#[test]
fn arguments_that_cannot_be_right_exit_with_2() {
    let send = ["send", "-n", "127.0.0.1:1", "-t", "orders", "-b", "x"];
    for more in [
        &["--nonsense"][..],
        &["--timeout", "3"],
        &["--concurrency", "0"],
        &["--rate", "-1"],
        &["--queue", "broker-a"],
        &["--queue", "broker-a:+1"],
        &["--queue", "a:0", "--hash-key", "k"],
        &["--order", "available"],
        &["--property", "novalue"],
        &["--property", "UNIQ_KEY=x"],
        &["--property", "a=\u{1}"],
        &["--tag", " "],
        &["--address-map", "a:1"],
        &["--preset", "go"],
        &["--config", "no/such/file.toml"],
        &["--tls-cert", "a.pem"],
        &["--tls-ca", "no/such/file.pem"],
        &["--tls-server-name", "no name"],
        &["--plain", "10.0.0.1/8"],
        &["--direct", ""],
        &["--proxy", "ftp://a:1"],
        &["--namesrv-domain", "a"],
        &["--namesrv-dns", "a:1"],
        &["--header", "xml"],
        &["--group", "no group"],
        &["--file", "x"],
    ] {
        let ended = run(&[&send[..], more].concat());

        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{more:?} {ended:?}");
        assert!(ended.stderr.starts_with("error: "), "{more:?} {ended:?}");
    }
    for all in [
        &["send", "-t", "orders", "-b", "x"][..],
        &["send", "-t", "orders", "-b", "x", "-n", "nohost"],
        &["send", "-t", "or ders", "-b", "x", "-n", "a:1"],
        &["send", "-t", "orders", "-b", "", "-n", "a:1"],
        &["send", "-t", "orders", "-f", "/nonexistent", "-n", "a:1"],
        &["route", "orders"],
        &["route"],
        &["inspect-id"],
        &["completions", "cmd"],
        &[],
    ] {
        assert_eq!(run(all).code, Some(2), "{all:?}");
    }
}

#[test]
fn no_name_server_says_how_to_name_one() {
    let ended = run(&["send", "-t", "orders", "-b", "x"]);

    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("NAMESRV_ADDR"), "{ended:?}");
}

#[test]
fn help_tells_the_exit_codes() {
    for arguments in [&["--help"][..], &["send", "--help"], &["doctor", "--help"]] {
        let ended = run(arguments);

        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("Exit codes:"), "{ended:?}");
    }
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&["completions", shell]);

        assert_eq!(ended.code, Some(0), "{shell}");
        assert!(ended.stdout.contains("inspect-id"), "{shell}");
    }
}

#[test]
fn ids_are_told_apart_and_bad_ones_refused() {
    let offset = "7F000002000078BF000000000000053C";
    let unique = "0A141E283C1B5FFD2B27687B297E000B";

    let both = run(&["inspect-id", "--json", &format!("{offset},{unique}")]);
    let text = run(&["inspect-id", unique]);
    let bad = run(&["inspect-id", "xyz", offset]);

    assert_eq!(both.code, Some(0));
    let lines = both.lines();
    assert_eq!(
        (&lines[0]["kind"], &lines[0]["address"]),
        (&"offset".into(), &"127.0.0.2:30911".into())
    );
    assert_eq!((&lines[1]["kind"], &lines[1]["pid"]), (&"unique".into(), &15_387.into()));
    assert!(text.stdout.contains("10.20.30.40"), "{text:?}");
    assert_eq!(bad.code, Some(1));
    assert!(bad.stderr.contains("\"xyz\" is no message id"), "{bad:?}");
    assert!(bad.stdout.contains("127.0.0.2:30911"), "{bad:?}");
}
