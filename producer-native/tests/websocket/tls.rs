//! Pages by TLS, and certificates that change while they are there.

use std::path::PathBuf;
use std::time::Duration;

use producer_native::bridge::ServerTls;
use producer_native::{ConnectionEnd, Tls, WebSocket};
use tokio::io::AsyncWriteExt;
use tokio::time::advance;

use super::tunnel::{connected, dial};
use crate::stage::{BROKER, Stage, config, read, send_frame};

/// A certificate and its key in two files, gone with this.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rmq-bridge-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Replaces both by new ones; returns what clients must trust.
    fn renew(&self) -> String {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(self.0.join("chain.pem"), made.cert.pem()).unwrap();
        std::fs::write(self.0.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        made.cert.pem()
    }

    fn open(&self) -> ServerTls {
        ServerTls::open(self.0.join("chain.pem"), self.0.join("key.pem")).unwrap()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn bridge(trusted: &str) -> WebSocket {
    WebSocket::new("wss://127.0.0.1:7070/").unwrap().tls(Tls::new().ca_pem(trusted))
}

#[tokio::test(start_paused = true)]
async fn certificates_are_replaced_while_connections_stay() {
    let files = Files::new("renewed");
    let old = files.renew();
    let mut stage = Stage::with(config(), |builder| builder.tls(files.open()));
    let by_old = bridge(&old).over(stage.way()).unwrap();
    let (mut stays, mut its_broker) = connected(&mut stage, &by_old).await;
    let frame = send_frame("orders", 100_000);
    let writing = async {
        stays.write_all(&frame).await.unwrap();
        stays.flush().await.unwrap();
    };
    let (got, ()) = tokio::join!(read(&mut its_broker, frame.len()), writing);
    assert!(got == frame, "by TLS");

    // One that is no good changes nothing.
    std::fs::write(files.0.join("key.pem"), "no key").unwrap();
    advance(Duration::from_secs(11)).await;
    connected(&mut stage, &by_old).await;
    let new = files.renew();
    advance(Duration::from_secs(11)).await;
    let by_new = bridge(&new).over(stage.way()).unwrap();

    connected(&mut stage, &by_new).await;
    let Some(ConnectionEnd::Proxy(end)) = dial(&by_old, BROKER).await.err() else {
        panic!("the new one is shown")
    };
    assert!(end.contains("the server's certificate"), "{end}");
    let small = send_frame("orders", 10);
    stays.write_all(&small).await.unwrap();
    stays.flush().await.unwrap();
    assert_eq!(read(&mut its_broker, small.len()).await, small, "who was there stays");
}

#[tokio::test(start_paused = true)]
async fn a_page_without_tls_gets_nothing_where_there_is_tls() {
    let files = Files::new("plain");
    files.renew();
    let mut stage = Stage::with(config(), |builder| builder.tls(files.open()));
    let plain = WebSocket::new("ws://127.0.0.1:7070/").unwrap().over(stage.way()).unwrap();

    assert!(dial(&plain, BROKER).await.is_err());
    assert!(stage.no_dials());
}
