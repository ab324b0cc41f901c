use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::transport::Connecting;

/// Leads to one end of a pipe, once.
struct Pipe(std::sync::Mutex<Option<DuplexStream>>);

impl Transport for Pipe {
    fn connect(&self, address: &Address, _: Instant) -> Connecting {
        assert_eq!(address.as_str(), "proxy:1", "the proxy is dialled, and nobody else");
        let stream = self.0.lock().ok().and_then(|mut stream| stream.take());
        Box::pin(async move {
            let stream = stream.ok_or(ConnectionEnd::Refused)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// What comes of a dial through a proxy that says `says`, byte by byte, and then `after`.
async fn dial(
    url: &str,
    target: &str,
    says: &[u8],
    hangs_up: bool,
) -> (Result<Vec<u8>, String>, Vec<u8>) {
    let (ours, theirs) = duplex(1 << 16);
    let pipe = Pipe(std::sync::Mutex::new(Some(ours)));
    let says = says.to_vec();
    let proxy = tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(theirs);
        for byte in says {
            if to.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        if hangs_up {
            to.shutdown().await.ok();
        }
        let mut heard = Vec::new();
        from.read_to_end(&mut heard).await.ok();
        heard
    });
    let proxy_to = Proxy::new(url).expect(url);
    let address = Address::new(target).expect(target);
    let deadline = Instant::now() + Duration::from_secs(3);
    let end = match proxy_to.connect(&pipe, &address, deadline).await {
        Err(ConnectionEnd::Proxy(text)) => Err(text),
        Err(other) => panic!("{other}"),
        Ok(mut stream) => {
            stream.write_all(b"after").await.expect("open");
            stream.shutdown().await.expect("open");
            let mut rest = Vec::new();
            let read =
                tokio::time::timeout(Duration::from_millis(1), stream.read_to_end(&mut rest));
            read.await.ok();
            Ok(rest)
        }
    };
    (end, proxy.await.expect("no panic"))
}

const SOCKS: &str = "socks5://proxy:1";
const SOCKS_USER: &str = "socks5://me:hunter2@proxy:1";
const HTTP: &str = "http://proxy:1";
const HTTP_USER: &str = "http://me:hunter2@proxy:1";

#[tokio::test(start_paused = true)]
async fn socks_is_asked_as_the_rfc_says() {
    let (end, heard) =
        dial(SOCKS, "broker.example:258", b"\x05\0\x05\0\0\x01\x7F\0\0\x01\0\x50later", false)
            .await;
    assert_eq!(end, Ok(b"later".to_vec()), "what follows the answer belongs to the connection");
    assert_eq!(heard, b"\x05\x01\0\x05\x01\0\x03\x0Ebroker.example\x01\x02after");

    let (end, heard) =
        dial(SOCKS_USER, "1.2.3.4:258", b"\x05\x02\x01\0\x05\0\0\x03\x02hi\0\x50", false).await;
    assert_eq!(end, Ok(Vec::new()));
    assert_eq!(
        heard,
        b"\x05\x02\0\x02\x01\x02me\x07hunter2\x05\x01\0\x01\x01\x02\x03\x04\x01\x02after"
    );

    let mut says = b"\x05\0\x05\0\0\x04".to_vec();
    says.extend_from_slice(&[0; 18]);
    let (end, heard) = dial(SOCKS_USER, "[::1]:258", &says, false).await;
    assert_eq!(end, Ok(Vec::new()));
    assert_eq!(heard[4..8], *b"\x05\x01\0\x04", "no password was asked for, none was said");
}

#[tokio::test(start_paused = true)]
async fn http_is_asked_as_the_rfc_says() {
    let (end, heard) =
        dial(HTTP, "broker:1", b"HTTP/1.1 200 Fine\r\nX: y\r\n\r\nlater", false).await;
    assert_eq!(end, Ok(b"later".to_vec()));
    assert_eq!(heard, b"CONNECT broker:1 HTTP/1.1\r\nHost: broker:1\r\n\r\nafter");

    let (end, heard) = dial(HTTP_USER, "[::1]:1", b"HTTP/1.0 204\r\n\r\n", false).await;
    assert_eq!(end, Ok(Vec::new()));
    let asked = b"CONNECT [::1]:1 HTTP/1.1\r\nHost: [::1]:1\r\n\
        Proxy-Authorization: Basic bWU6aHVudGVyMg==\r\n\r\nafter";
    assert_eq!(heard, asked);
}

#[tokio::test(start_paused = true)]
async fn each_refusal_has_words_of_its_own_and_none_is_the_password() {
    let http = |status: &str| format!("HTTP/1.1 {status}\r\n\r\n").into_bytes();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (SOCKS, b"\x05\xFF".to_vec(), "wants a user"),
        (SOCKS_USER, b"\x05\xFF".to_vec(), "takes no user"),
        (SOCKS_USER, b"\x05\x02\x01\x01".to_vec(), "refuses user or password"),
        (SOCKS_USER, b"\x05\x02\x07\x00".to_vec(), "no answer to them"),
        (SOCKS, b"\x05\x02".to_vec(), "not offered"),
        (SOCKS, b"\x04\x00".to_vec(), "not SOCKS5"),
        (SOCKS, b"HTTP/1.1 400 Bad\r\n\r\n".to_vec(), "not SOCKS5"),
        (SOCKS, b"\x05\0\x05\x02\0\x01".to_vec(), "rules do not allow"),
        (SOCKS, b"\x05\0\x05\x05\0\x01".to_vec(), "refused at this address"),
        (SOCKS, b"\x05\0\x05\x63\0\x01".to_vec(), "does not say why"),
        (SOCKS, b"\x05\0\x05\0\0\x09".to_vec(), "unknown"),
        (SOCKS, b"\x05\0\x04\0\0\x01".to_vec(), "not SOCKS5"),
        (HTTP, http("407 Proxy Authentication Required"), "wants a user"),
        (HTTP_USER, http("407 hunter2"), "refuses user or password"),
        (HTTP_USER, http("403 hunter2"), "status 403"),
        (HTTP, http("502 Bad Gateway"), "status 502"),
        (HTTP, b"\x05\0\0\0\0".to_vec(), "not HTTP"),
        (HTTP, http("2xx"), "not HTTP"),
        (HTTP, [http("200 OK")[..15].to_vec(), vec![b'a'; 20_000]].concat(), "does not end"),
    ];
    for (url, says, words) in cases {
        let (end, _) = dial(url, "broker:1", &says, false).await;

        let text = end.expect_err(words);
        assert!(text.contains(words), "{words}: {text}");
        assert!(text.contains("//proxy:1"), "it says which: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_cut_or_does_not_come_ends_the_dial() {
    let whole: [(&str, &[u8]); 3] = [
        (SOCKS_USER, b"\x05\x02\x01\0\x05\0\0\x01\x7F\0\0\x01\0\x50"),
        (SOCKS, b"\x05\0\x05\0\0\x03\x02hi\0\x50"),
        (HTTP, b"HTTP/1.1 200 OK\r\n\r\n"),
    ];
    for (url, says) in whole {
        for cut in 0..says.len() {
            let (end, _) = dial(url, "broker:1", &says[..cut], true).await;
            assert!(end.expect_err("cut").contains("closed the connection"), "{url} {cut}");

            let (end, _) = dial(url, "broker:1", &says[..cut], false).await;
            assert!(end.expect_err("silent").contains("no answer in time"), "{url} {cut}");
        }
    }
}

#[test]
fn urls_are_read() {
    let proxy = Proxy::new("SOCKS5h://a%40b:p%3A%25w%C3%A4@[::1]:1080/").expect("good");
    let credentials = proxy.credentials.clone().expect("some");
    assert_eq!((credentials.user.as_str(), credentials.password.reveal()), ("a@b", "p:%wä"));
    assert_eq!(proxy.place(), "socks5://[::1]:1080");
    assert_eq!(
        format!("{proxy:?}"),
        r#"Proxy { at: "socks5://[::1]:1080", user: Some("a@b"), .. }"#
    );

    let long = format!("socks5://u:hunter2{}@h:1", "x".repeat(250));
    let bad = [
        "",
        "h:1",
        "socks5://",
        "socks5://h",
        "socks5://h:0",
        "https://u:hunter2@h:1",
        "socks4://h:1",
        "ftp://u:hunter2@h:1",
        "socks5://hunter2@h:1",
        "socks5://:hunter2@h:1",
        "http://u:hunter2%4@h:1",
        "http://u:hunter2%zz@h:1",
        "http://u:hunter2%FF@h:1",
        "http://u:hunter2%0d%0aX@h:1",
        "http://a%3Ab:hunter2@h:1",
        "http://u:hunter2@h:1/path",
        &long,
    ];
    for url in bad {
        let error = Proxy::new(url).expect_err(url);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
