//! How is a node on a TCP port started, killed and moved?

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::driver::{self, Ground};
use crate::model::{Instant, Node};

/// What the tasks of a node on TCP share.
pub(super) type Shared<N> = driver::Shared<N, Tcp>;

/// One node and what it needs to run, stop and run again.
#[derive(Debug)]
pub(super) struct Server<N> {
    pub(super) shared: Arc<Shared<N>>,
    /// Who starts and stops the node holds this.
    run: tokio::sync::Mutex<Run>,
    abort: Mutex<Option<AbortHandle>>,
}

/// Whether a node runs.
#[derive(Debug)]
enum Run {
    /// Bound to its port so that nobody else takes it, but not listening: connections are refused.
    Down(TcpSocket),
    Up {
        stop: Arc<Notify>,
        task: JoinHandle<()>,
    },
    /// The port could not be kept.
    Lost(SocketAddr),
}

/// TCP, and tokio's time.
#[derive(Debug)]
pub(super) struct Tcp {
    origin: tokio::time::Instant,
    /// Connections end by a reset.
    reset: Arc<AtomicBool>,
}

impl<N: Node + Send + 'static> Server<N> {
    /// A node that is down, its port reserved by `socket`.
    pub(super) fn new(
        node: N,
        origin: tokio::time::Instant,
        socket: TcpSocket,
    ) -> io::Result<Self> {
        let ground = Tcp { origin, reset: Arc::default() };
        let shared = Shared::new(node, socket.local_addr()?, ground);
        Ok(Self {
            shared: Arc::new(shared),
            run: tokio::sync::Mutex::new(Run::Down(socket)),
            abort: Mutex::new(None),
        })
    }

    /// Starts the node, unless it is up.
    pub(super) async fn start(&self) -> io::Result<()> {
        let mut run = self.run.lock().await;
        let socket = match std::mem::replace(&mut *run, Run::Lost(self.shared.address())) {
            up @ Run::Up { .. } => {
                *run = up;
                return Ok(());
            }
            Run::Down(socket) => socket,
            Run::Lost(address) => bind(address)?,
        };
        let listener = socket.listen(BACKLOG)?;
        let listener = Listener { listener, reset: self.shared.ground.reset.clone() };
        let stop = Arc::new(Notify::new());
        self.shared.ground.reset.store(false, Ordering::Relaxed);
        self.shared.begin();
        let stopped = stop.clone();
        let stopped = async move { stopped.notified().await };
        let task = tokio::spawn(driver::run(self.shared.clone(), listener, stopped));
        *self.abort.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        *run = Run::Up { stop, task };
        Ok(())
    }

    /// Stops the node at once: its connections are reset, and its port refuses new ones.
    pub(super) async fn kill(&self) {
        let mut run = self.run.lock().await;
        let address = self.shared.address();
        match std::mem::replace(&mut *run, Run::Lost(address)) {
            Run::Up { stop, task } => {
                self.shared.ground.reset.store(true, Ordering::Relaxed);
                stop.notify_one();
                // An error means that the task is gone too.
                let _ = task.await;
                self.shared.end();
                *run = bind(address).map_or(Run::Lost(address), Run::Down);
            }
            down @ (Run::Down(_) | Run::Lost(_)) => *run = down,
        }
    }

    /// Takes another port, while the node is down.
    pub(super) async fn move_to(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let mut run = self.run.lock().await;
        let socket = bind(address)?;
        let address = socket.local_addr()?;
        self.shared.move_to(address);
        *run = Run::Down(socket);
        Ok(address)
    }

    /// Whether the node is up.
    pub(super) async fn is_up(&self) -> bool {
        matches!(&*self.run.lock().await, Run::Up { task, .. } if !task.is_finished())
    }

    /// Ends all tasks without waiting for them.
    pub(super) fn abort(&self) {
        let handle = self.abort.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            handle.abort();
        }
    }
}

/// A socket that holds its port but does not listen.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A port that is listened at.
pub(super) struct Listener {
    listener: TcpListener,
    reset: Arc<AtomicBool>,
}

impl Ground for Tcp {
    type Stream = Socket;
    type Listener = Listener;
    type Seen = ();
    // The kernel does.
    const ACCEPTS_WHILE_FROZEN: bool = false;

    fn now(&self) -> Instant {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(nanos)
    }

    async fn accept(at: &Listener) -> io::Result<(Socket, SocketAddr)> {
        let (stream, peer) = at.listener.accept().await?;
        Ok((Socket::new(stream, at.reset.clone()), peer))
    }

    async fn connect(&self, address: &str) -> io::Result<Socket> {
        Ok(Socket::new(TcpStream::connect(address).await?, self.reset.clone()))
    }

    fn spawn(tasks: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
        tasks.spawn(task);
    }
}

/// A connection that is reset when its node is killed, and closed in order otherwise.
pub(super) struct Socket {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Socket {
    fn new(stream: TcpStream, reset: Arc<AtomicBool>) -> Self {
        // Without it a small answer may wait for 40 ms; a socket that refuses is merely slow.
        let _ = stream.set_nodelay(true);
        Self { stream, reset }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // If it fails the peer sees an orderly end.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Connections that wait to be accepted, as Netty's default.
const BACKLOG: u32 = 1024;
