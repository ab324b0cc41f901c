use std::sync::{Arc, Mutex};

use producer_core::ConnectionEnd;
use tokio::io::duplex;

use super::*;
use crate::transport::Connecting;

/// Answers with `says` and, if asked to, hangs up; keeps what it was asked.
#[derive(Clone)]
struct Server {
    says: Vec<u8>,
    hangs_up: bool,
    asked: Arc<Mutex<String>>,
}

impl Transport for Server {
    fn connect(&self, address: &Address, _: Instant) -> Connecting {
        let Self { says, hangs_up, asked } = self.clone();
        let address = address.to_string();
        Box::pin(async move {
            if address.starts_with("nobody") {
                return Err(ConnectionEnd::Refused);
            }
            let (ours, mut theirs) = duplex(1 << 20);
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(theirs.read_u8().await.expect("a request"));
                }
                *asked.lock().expect("sound") =
                    format!("{address} {}", String::from_utf8_lossy(&request));
                for piece in says.chunks(7) {
                    theirs.write_all(piece).await.expect("open");
                    tokio::task::yield_now().await;
                }
                if !hangs_up {
                    std::future::pending::<()>().await;
                }
            });
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

async fn asked(
    server: AddressServer,
    says: &[u8],
    hangs_up: bool,
) -> (Result<Vec<String>, String>, String) {
    let transport = Server { says: says.to_vec(), hangs_up, asked: Arc::default() };
    let found = server.find(&transport).await;
    let asked = transport.asked.lock().expect("sound").clone();
    (found.map(|list| list.iter().map(ToString::to_string).collect()), asked)
}

fn server() -> AddressServer {
    AddressServer::new("addresses").expect("good")
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_as_java_asks() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n \n 10.0.0.1:9876;b:9876 \r\nmore";
    let plain = server();
    let unit = AddressServer::new("addresses:80")
        .and_then(|s| s.subgroup("grp"))
        .and_then(|s| s.unit("u1"));

    let (found, request) = asked(plain, answer, false).await;
    assert_eq!(found, Ok(vec!["10.0.0.1:9876".to_owned(), "b:9876".to_owned()]));
    assert!(request.starts_with("addresses:8080 GET /rocketmq/nsaddr HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nHost: addresses:8080\r\n"), "{request}");

    let (found, request) = asked(unit.expect("good"), answer, true).await;
    assert!(found.is_ok());
    assert!(
        request.starts_with("addresses:80 GET /rocketmq/grp-u1?nofix=1 HTTP/1.1\r\n"),
        "{request}"
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_else_it_says_is_no_list() {
    let long = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), b"a:1;".repeat(20_000)].concat();
    let headers = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n".repeat(20_000)].concat();
    let cases: [(&[u8], bool, &str); 10] = [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\na:1", false, "status 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: x\r\nContent-Length: 0\r\n\r\n", false, "status 302"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", true, "status 204"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "blank"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>no</html>", true, "<html>no</html>"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na:1", true, "cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na:1", false, "no answer in time"),
        (b"\0\0\0\x10\0\0\0\x08garbage garbage", false, "not HTTP"),
        (&long, false, "too long"),
        (&headers, false, "too long"),
    ];
    for (says, hangs_up, words) in cases {
        let (found, _) = asked(server(), says, hangs_up).await;

        let error = found.expect_err(words);
        assert!(error.contains(words), "{words}: {error}");
        assert!(error.len() < 200, "it does not repeat all of it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_is_said_so() {
    let nobody = AddressServer::new("nobody").expect("good");

    let (found, _) = asked(nobody.clone(), b"", false).await;

    assert_eq!(found, Err("connection refused".to_owned()));
    assert_eq!(nobody.describe(), "http://nobody:8080/rocketmq/nsaddr");
}

#[test]
fn what_cannot_be_asked_is_refused() {
    for domain in ["", " ", "a b", "http://x", "x:0", "x:y", "x/y", "x\r\nX: y"] {
        assert!(AddressServer::new(domain).is_err(), "{domain:?}");
    }
    for part in ["", "a b", "a/b", "a?b", "a\r\n", "ä"] {
        let bad = server().subgroup(part).is_err();
        assert!(bad || part == "a\r\n", "{part:?}");
    }
    assert!(server().unit("a/b").is_err());
    assert_eq!(server().unit("  ").expect("none"), server());
}
