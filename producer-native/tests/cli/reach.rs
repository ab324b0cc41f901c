//! TLS, proxies, settings and searches from the command line.

use std::path::PathBuf;

use crate::front::{Authority, Front};
use crate::run::{Served, binary, run, serve};
use crate::tiny::{Kind, Tiny};

fn scratch(name: &str, content: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("reach");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

/// A cluster behind TLS: its name server and its broker in front of which there is TLS.
fn fronts(served: &Served, authority: &Authority) -> (Front, Front) {
    let server = authority.server(&["127.0.0.1"]);
    served.runtime.block_on(async {
        let name_server = Front::before(&served.cluster.name_servers(), &server).await;
        let broker = served.cluster.brokers()[0].address().to_string();
        (name_server, Front::before(&broker, &server).await)
    })
}

#[test]
fn send_and_doctor_speak_tls() {
    let served = serve(|builder| builder.broker("broker-a", |broker| broker));
    let authority = Authority::new();
    let (name_server, broker) = fronts(&served, &authority);
    let ca = scratch("ca.pem", &authority.pem());
    let (name_server, map) = (
        name_server.address(),
        format!("{}={}", served.cluster.brokers()[0].address(), broker.address()),
    );
    let reach = ["-n", &name_server, "--address-map", &map];
    let trusting = ["--tls-ca", &ca];

    let sent = run(&[&["send", "-t", "orders", "-b", "x"][..], &reach, &trusting].concat());
    let doctor = run(&[&["doctor", "-t", "orders"][..], &reach, &trusting].concat());
    let stranger = run(&[&["doctor"][..], &reach, &["--tls"]].concat());

    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    // A machine without any authority says that, which is no doubt about the server's.
    assert!(matches!(stranger.code, Some(1 | 2)), "{stranger:?}");
    assert!(format!("{stranger:?}").contains("authority"), "{stranger:?}");
}

#[test]
fn a_file_says_what_options_may_overrule() {
    let served = serve(|builder| builder.broker("broker-a", |broker| broker));
    let servers = served.cluster.name_servers();
    let good = scratch("good.toml", &format!("name_servers = '{servers}'\ngroup = 'filed'\n"));
    let tls = scratch("tls.toml", &format!("name_servers = '{servers}'\n[tls]\n"));
    let bad = scratch("bad.toml", "name_server = 'a:1'\n");
    let lost = scratch("lost.toml", "[discovery]\ndns = 'no-such-name.invalid:1'\n");
    let send = ["send", "-t", "orders", "-b", "x"];

    let by_file = run(&[&send[..], &["--config", &good]].concat());
    let plain = run(&[&send[..], &["--config", &tls, "--plain", "*"]].concat());
    let told = run(&[&send[..], &["--config", &lost, "-n", &servers]].concat());
    let refused = run(&[&send[..], &["--config", &bad]].concat());
    let by_variable = {
        let mut command = binary();
        command.args(send).args(["--config", &good]);
        command.env("ROCKETMQ_PRODUCER_SEND_TIMOUT", "1s").output().unwrap()
    };

    assert_eq!(by_file.code, Some(0), "{by_file:?}");
    assert_eq!(plain.code, Some(0), "an option's rule comes before the file's: {plain:?}");
    assert_eq!(told.code, Some(0), "an option ends the file's search: {told:?}");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("line 1: name_server: there is no such key"), "{refused:?}");
    let text = String::from_utf8(by_variable.stderr).unwrap();
    assert!(text.contains("did you mean send_timeout?"), "{text}");
}

#[test]
fn proxies_are_used_and_their_passwords_never_shown() {
    let served = serve(|builder| builder.broker("broker-a", |broker| broker));
    let user = Some(("me", "hunter2"));
    let tiny = served.runtime.block_on(Tiny::start(Kind::Socks5, user));
    let servers = served.cluster.name_servers();
    let url = format!("socks5://me:hunter2@{}", tiny.address());
    let rule = format!("127.0.0.0/8={url}");
    let send = ["send", "-t", "orders", "-b", "x", "-n", &servers];

    let through = run(&[&send[..], &["--proxy", &rule]].concat());
    assert_eq!((through.code, tiny.targets().len()), (Some(0), 2), "{through:?}");

    let direct = run(&[&send[..], &["--proxy", &url, "--direct", "127.0.0.1"]].concat());
    assert_eq!((direct.code, tiny.targets().len()), (Some(0), 2), "{direct:?}");

    let doctor = binary().args(["doctor", "-n", &servers]).env("ROCKETMQ_PROXY", &url).output();
    assert!(doctor.unwrap().status.success() && tiny.targets().len() > 2);

    let (wrong, bad) = (url.replace("hunter2", "hunter3"), url.replace("socks5", "socks9"));
    let refused = run(&[&send[..], &["--proxy", &wrong, "--timeout", "1s"]].concat());
    let unread = run(&[&send[..], &["--proxy", &bad]].concat());
    let in_variable = binary().args(send).env("ROCKETMQ_PROXY", &bad).output().unwrap();
    let help = binary().args(["send", "--help"]).env("ROCKETMQ_PROXY", &url).output().unwrap();
    let shown = format!("{refused:?} {unread:?} {in_variable:?} {help:?}");
    assert!(refused.stderr.contains("refuses user or password"), "{refused:?}");
    assert_eq!(unread.code, Some(2));
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn an_address_server_is_asked() {
    let served = serve(|builder| builder.broker("broker-a", |broker| broker));
    let servers = served.cluster.name_servers();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let domain = listener.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        for body in [servers.as_str(), &servers, ""] {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).unwrap() > 0);
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                .unwrap();
        }
    });

    let sent = run(&["send", "-t", "orders", "-b", "x", "--namesrv-domain", &domain]);
    let doctor = run(&["doctor", "--namesrv-domain", &domain]);
    let lost = run(&["doctor", "--namesrv-domain", &domain]);

    assert_eq!((sent.code, doctor.code), (Some(0), Some(0)), "{sent:?} {doctor:?}");
    assert_eq!(lost.code, Some(1), "{lost:?}");
    assert!(lost.stderr.contains("no name servers found: http://127.0.0.1"), "{lost:?}");
    answering.join().unwrap();
}
