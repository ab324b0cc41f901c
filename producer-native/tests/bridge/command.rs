//! The binary `rocketmq-bridge`: what it reads, prints and serves.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use producer_native::{Message, Producer, WebSocket};
use sim::serve::EmbeddedCluster;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rocketmq-bridge"));
    command.args(arguments).env_clear();
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_check_prints_what_would_be_in_force() {
    let all =
        ["--check", "--name-servers", "10.0.0.1:9876;10.0.0.2:9876", "--listen", "127.0.0.1:1"];
    let output = command(&all)
        .env("ROCKETMQ_BRIDGE_LIMITS__CONNECTIONS_MAX", "7")
        .env("ROCKETMQ_BRIDGE_SIGNING__ACCESS_KEY", "pages")
        .env("ROCKETMQ_BRIDGE_SIGNING__SECRET_KEY", "hush-hush")
        .output()
        .unwrap();

    let said = said(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for line in [
        "listen = \"127.0.0.1:1\"",
        "name_servers = [\"10.0.0.1:9876\", \"10.0.0.2:9876\"]",
        "without_origin = \"refused\"",
        "connections_max = 7",
        "ports = [10911, 10909]",
        "access_key = \"pages\"",
        "names_required = true",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    assert!(!text.contains("hush") && !said.contains("hush"), "{text}{said}");
}

#[test]
fn what_is_not_safe_or_not_known_is_refused_before_anything_listens() {
    let file = std::env::temp_dir().join(format!("bridge-{}.toml", std::process::id()));
    std::fs::write(&file, "name_servers = '10.0.0.1:9876'\nlimit = 3\n").unwrap();
    let unknown = run(&["--config", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert!(said(&unknown).contains("line 2: limit: there is no such key"), "{unknown:?}");

    std::fs::write(&file, "name_servers = '10.0.0.1:9876'\nbehind_proxy = true\n").unwrap();
    let proxied = run(&["--check", "--config", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert!(said(&proxied).contains("or behind a proxy, needs tokens"), "{proxied:?}");

    let public = run(&["--name-servers", "10.0.0.1:9876", "--listen", "0.0.0.0:0"]);
    assert!(said(&public).contains("a plain listener that is not on loopback"), "{public:?}");
    let nobody = run(&[]);
    assert!(said(&nobody).contains("name_servers: they are needed"), "{nobody:?}");
    let far = run(&["--dev", "--listen", "0.0.0.0:0"]);
    assert!(said(&far).contains("--dev listens on loopback only"), "{far:?}");
    for output in [unknown, proxied, public, nobody, far] {
        assert_eq!(output.status.code(), Some(1));
    }
}

/// Ends the process with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[tokio::test]
async fn for_development_it_stands_next_to_a_cluster() {
    let builder = EmbeddedCluster::builder().broker("broker-a", |broker| broker).topic("orders", 4);
    let cluster = builder.start().await.unwrap();
    cluster.wait_until_registered().await.unwrap();
    let name_servers = cluster.name_servers();
    let mut command =
        command(&["--dev", "--listen", "127.0.0.1:0", "--name-servers", &name_servers]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running(child);
    let mut line = String::new();
    BufReader::new(running.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let at = line.split_once("http://").unwrap().1.split_once('/').unwrap().0.to_owned();

    let bridge = WebSocket::new(&format!("ws://{at}/")).unwrap();
    let producer = Producer::builder("pages").bridge(bridge).build().unwrap();
    let receipt = producer.send(Message::new("orders", "paid").unwrap()).await.unwrap();

    assert_eq!(&*receipt.broker, "broker-a");
    assert_eq!(cluster.broker("broker-a").messages("orders").len(), 1);
    producer.close(Duration::from_secs(5)).await;
}
