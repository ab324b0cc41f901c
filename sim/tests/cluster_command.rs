//! The `cluster` command as a process: what it prints, and what its standard input does.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::Client;

struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sim"))
            .arg("cluster")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary was built");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("another line").expect("a readable line")
    }

    fn order(&mut self, order: &str) {
        let mut input = self.child.stdin.as_ref().expect("piped");
        writeln!(input, "{order}").expect("the process reads");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn orders_are_obeyed_line_by_line() {
    let mut sim = Running::start(&["--port", "0", "--brokers", "1", "--slaves", "--topic", "T:3"]);
    let name_server = sim.line();
    let broker = sim.line();
    let address = broker.strip_prefix("broker broker-a ").unwrap().parse().unwrap();
    assert!(sim.line().starts_with("broker broker-a/1 127.0.0.1:"));
    let names = name_server.strip_prefix("name server ns-0 ").unwrap();
    assert_eq!(sim.line(), format!("export NAMESRV_ADDR='{names}'"));

    let mut client = Client::connect(address).await.unwrap();
    assert_eq!(client.send("T", 2, "x").await.unwrap().code, 0);
    sim.order("busy broker-a");
    assert_eq!(sim.line(), "ok");
    assert_eq!(client.send("T", 2, "x").await.unwrap().code, 2);
    sim.order("nonsense");
    sim.order("ok broker-a");
    assert_eq!(sim.line(), "ok");
    assert_eq!(client.send("T", 2, "x").await.unwrap().code, 0);
    sim.order("topics");
    while sim.line() != "T broker-a queues=3 messages=2" {}
    sim.order("kill broker-a");
    while sim.line() != "ok" {}
    assert!(client.send("T", 2, "x").await.is_err());
}

#[tokio::test]
async fn it_serves_on_without_standard_input() {
    let mut sim = Running::start(&["--port", "0", "--brokers", "1"]);
    drop(sim.child.stdin.take());
    let address = sim.line().strip_prefix("name server ns-0 ").unwrap().parse().unwrap();
    let _broker = sim.line();
    let _export = sim.line();

    let mut client = Client::connect(address).await.unwrap();

    assert!(client.route("TBW102").await.unwrap().is_some());
}

#[test]
fn bad_arguments_are_named() {
    for (bad, word) in [("x:0", "queues"), ("a b:1", "name"), ("x:y", "'y'")] {
        let out = Command::new(env!("CARGO_BIN_EXE_sim"))
            .args(["cluster", "--topic", bad])
            .output()
            .expect("the binary was built");
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && text.contains(word), "{text}");
    }
}
