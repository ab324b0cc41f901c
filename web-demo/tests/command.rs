//! The command: one line with the URL, and an end in order.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(unix)]

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

fn command(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_web-demo"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn it_prints_its_url_serves_and_ends_at_each_signal() {
    for signal in ["TERM", "INT"] {
        let mut child = command(&["--port", "0", "--page", "nowhere"]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = timeout(SOON, lines.next_line()).await.unwrap().unwrap().unwrap();
        let at = url.strip_prefix("http://").unwrap().strip_suffix('/').unwrap().to_owned();
        let mut socket = TcpStream::connect(&at).await.unwrap();
        let request = format!("GET /demo/v1/state HTTP/1.1\r\nhost: {at}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

        let pid = child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().await.unwrap();
        assert!(sent.success());

        assert!(timeout(SOON, child.wait()).await.unwrap().unwrap().success(), "{signal}");
        assert_eq!(lines.next_line().await.unwrap(), None, "one line and no more");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port().to_string();

    let child = command(&["--port", &port]);
    let ended = timeout(SOON, child.wait_with_output()).await.unwrap().unwrap();

    assert_eq!(ended.status.code(), Some(1));
    let text = String::from_utf8(ended.stderr).unwrap();
    assert!(text.contains(&port) && text.contains("--port 0"), "{text}");
}
