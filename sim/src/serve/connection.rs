//! How do bytes get from a socket to a node and back?

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;

use super::server::Shared;
use crate::model::{ConnId, Node};

/// The writer's side of a connection, as others see it.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// There is something to write, or to close.
    pub(super) wake: Notify,
    pub(super) closing: AtomicBool,
}

/// Connects on behalf of a node, and serves the connection.
pub(super) async fn dial<N: Node + Send + 'static>(
    shared: Arc<Shared<N>>,
    conn: ConnId,
    address: String,
) {
    match TcpStream::connect(&address).await {
        Ok(stream) => {
            let peer = shared.add_peer(conn);
            shared.enter(|node, now| node.handle_connected(now, conn));
            converse(shared, conn, peer, stream).await;
        }
        Err(_) => shared.enter(|node, now| node.handle_closed(now, conn)),
    }
}

/// Serves one connection to its end.
pub(super) async fn converse<N: Node + Send + 'static>(
    shared: Arc<Shared<N>>,
    conn: ConnId,
    peer: Arc<Peer>,
    stream: TcpStream,
) {
    // Without it a small answer may wait for 40 ms; a socket that refuses is merely slow.
    let _ = stream.set_nodelay(true);
    let mut socket = Socket { stream, shared: shared.clone() };
    let (reader, writer) = socket.stream.split();
    // An error and an orderly end are the same to a node.
    let _ = tokio::select! {
        biased;
        ended = read(&shared, conn, reader) => ended,
        ended = write(&shared, conn, &peer, writer) => ended,
    };
    drop(socket);
    shared.remove_peer(conn);
    shared.enter(|node, now| node.handle_closed(now, conn));
}

async fn read<N: Node>(
    shared: &Shared<N>,
    conn: ConnId,
    mut reader: ReadHalf<'_>,
) -> io::Result<()> {
    let mut gate = shared.gate.subscribe();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        // The sender lives in `shared`, so waiting cannot fail.
        let _ = gate.wait_for(|open| *open).await;
        let len = reader.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        shared.enter(|node, now| node.handle_received(now, conn, &buffer[..len]));
    }
}

async fn write<N: Node>(
    shared: &Shared<N>,
    conn: ConnId,
    peer: &Peer,
    mut writer: WriteHalf<'_>,
) -> io::Result<()> {
    let mut gate = shared.gate.subscribe();
    let mut out = Vec::new();
    loop {
        peer.wake.notified().await;
        let _ = gate.wait_for(|open| *open).await;
        // Read before the bytes are taken: what came before the close goes out before it.
        let closing = peer.closing.load(Ordering::Acquire);
        loop {
            out.clear();
            shared.take_bytes(conn, &mut out);
            if out.is_empty() {
                break;
            }
            writer.write_all(&out).await?;
        }
        if closing {
            return writer.shutdown().await;
        }
    }
}

/// A socket that is reset when its node is killed, and closed in order otherwise.
struct Socket<N> {
    stream: TcpStream,
    shared: Arc<Shared<N>>,
}

impl<N> Drop for Socket<N> {
    fn drop(&mut self) {
        if self.shared.reset.load(Ordering::Relaxed) {
            // If it fails the peer sees an orderly end.
            let _ = self.stream.set_zero_linger();
        }
    }
}

/// Bytes read at once.
const READ_BYTES: usize = 32 * 1024;
