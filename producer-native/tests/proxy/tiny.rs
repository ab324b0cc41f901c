//! The smallest proxies that can be.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use producer_native::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Socks5,
    Http,
}

/// A proxy, perhaps one that wants a user and a password.
pub(crate) struct Tiny {
    kind: Kind,
    address: String,
    state: Arc<State>,
}

struct State {
    user: Option<(String, String)>,
    targets: Mutex<Vec<String>>,
    names: Mutex<BTreeMap<String, String>>,
    cut: watch::Sender<u32>,
}

impl Tiny {
    pub(crate) async fn start(kind: Kind, user: Option<(&str, &str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State {
            user: user.map(|(user, password)| (user.to_owned(), password.to_owned())),
            targets: Mutex::default(),
            names: Mutex::default(),
            cut: watch::channel(0).0,
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                // A client that hangs up is what some tests want.
                tokio::spawn(async move { serve(kind, stream, &state).await.ok() });
            }
        });
        Self { kind, address, state }
    }

    /// Knows a name that nobody else knows.
    pub(crate) fn knows(self, name: &str, address: &str) -> Self {
        self.state.names.lock().unwrap().insert(name.to_owned(), address.to_owned());
        self
    }

    pub(crate) fn proxy(&self, user: Option<(&str, &str)>) -> Proxy {
        let scheme = if self.kind == Kind::Http { "http" } else { "socks5" };
        let proxy = Proxy::new(&format!("{scheme}://{}", self.address())).unwrap();
        match user {
            None => proxy,
            Some((user, password)) => proxy.credentials(user, password).unwrap(),
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// Whom it was asked for.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.state.targets.lock().unwrap().clone()
    }

    /// Ends all connections through it.
    pub(crate) fn cut(&self) {
        self.state.cut.send_modify(|count| *count += 1);
    }
}

async fn serve(kind: Kind, mut stream: TcpStream, state: &State) -> io::Result<()> {
    let mut cut = state.cut.subscribe();
    let target = match kind {
        Kind::Socks5 => socks(&mut stream, state).await?,
        Kind::Http => http(&mut stream, state).await?,
    };
    let Some(target) = target else { return Ok(()) };
    state.targets.lock().unwrap().push(target.clone());
    let known = state.names.lock().unwrap().get(&target).cloned();
    let (good, bad): (&[u8], &[u8]) = match kind {
        Kind::Socks5 => (b"\x05\0\0\x01\0\0\0\0\0\0", b"\x05\x05\0\x01\0\0\0\0\0\0"),
        Kind::Http => (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
    };
    let Ok(mut far) = TcpStream::connect(known.unwrap_or(target)).await else {
        return stream.write_all(bad).await;
    };
    stream.write_all(good).await?;
    tokio::select! {
        done = copy_bidirectional(&mut stream, &mut far) => done.map(drop),
        _ = cut.changed() => Ok(()),
    }
}

/// Whom a SOCKS5 client wants, if it is let through.
async fn socks(stream: &mut TcpStream, state: &State) -> io::Result<Option<String>> {
    assert_eq!(stream.read_u8().await?, 5);
    let methods = bytes(stream).await?;
    match &state.user {
        None => stream.write_all(&[5, 0]).await?,
        Some(_) if !methods.contains(&2) => {
            stream.write_all(&[5, 0xFF]).await?;
            return Ok(None);
        }
        Some((user, password)) => {
            stream.write_all(&[5, 2]).await?;
            assert_eq!(stream.read_u8().await?, 1);
            let said = (bytes(stream).await?, bytes(stream).await?);
            let good = said.0 == user.as_bytes() && said.1 == password.as_bytes();
            stream.write_all(&[1, u8::from(!good)]).await?;
            if !good {
                return Ok(None);
            }
        }
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    assert_eq!(head[..3], [5, 1, 0]);
    let host = match head[3] {
        1 => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
        3 => String::from_utf8(bytes(stream).await?).unwrap(),
        kind => panic!("kind {kind}"),
    };
    Ok(Some(format!("{host}:{}", stream.read_u16().await?)))
}

/// A length and as many bytes.
async fn bytes(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Whom an HTTP client wants, if it is let through.
async fn http(stream: &mut TcpStream, state: &State) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    // `me:hunter2`
    let right = "Proxy-Authorization: Basic bWU6aHVudGVyMg==\r\n";
    if state.user.is_some() && !head.contains(right) {
        stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await?;
        return Ok(None);
    }
    let line = head.lines().next().unwrap();
    let target = line.strip_prefix("CONNECT ").unwrap().strip_suffix(" HTTP/1.1").unwrap();
    Ok(Some(target.to_owned()))
}
