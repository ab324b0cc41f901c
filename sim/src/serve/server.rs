//! How does a node without I/O live on a TCP port?

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::connection::{Peer, converse, dial};
use crate::model::{ConnId, Instant, Node, Output};

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

/// What the tasks of a node share. They enter by one door: [`Self::enter`].
#[derive(Debug)]
pub(super) struct Shared<N> {
    state: Mutex<State<N>>,
    origin: tokio::time::Instant,
    /// The time to wake at has changed.
    timer: Notify,
    /// Whether the node may read, accept and keep time.
    pub(super) gate: watch::Sender<bool>,
    /// Connections end by a reset.
    pub(super) reset: AtomicBool,
}

#[derive(Debug)]
struct State<N> {
    node: N,
    peers: BTreeMap<ConnId, Arc<Peer>>,
    accepted: u64,
    wake_at: Option<Instant>,
    address: SocketAddr,
    dials: Option<mpsc::UnboundedSender<(ConnId, String)>>,
}

impl<N: Node + Send + 'static> Server<N> {
    /// A node that is down, its port reserved by `socket`.
    pub(super) fn new(
        node: N,
        origin: tokio::time::Instant,
        socket: TcpSocket,
    ) -> io::Result<Self> {
        let state = State {
            node,
            peers: BTreeMap::new(),
            accepted: 0,
            wake_at: None,
            address: socket.local_addr()?,
            dials: None,
        };
        let shared = Shared {
            state: Mutex::new(state),
            origin,
            timer: Notify::new(),
            gate: watch::Sender::new(true),
            reset: AtomicBool::new(false),
        };
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
        let (dials, dialled) = mpsc::unbounded_channel();
        let stop = Arc::new(Notify::new());
        self.shared.reset.store(false, Ordering::Relaxed);
        self.shared.gate.send_replace(true);
        self.shared.lock().dials = Some(dials);
        self.shared.enter(|node, now| node.handle_start(now));
        let task = tokio::spawn(supervise(self.shared.clone(), listener, dialled, stop.clone()));
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
                self.shared.reset.store(true, Ordering::Relaxed);
                stop.notify_one();
                // An error means that the task is gone too.
                let _ = task.await;
                let mut state = self.shared.lock();
                state.peers.clear();
                state.dials = None;
                drop(state);
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
        self.shared.lock().address = address;
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

impl<N: Node> Shared<N> {
    /// The one door: locks, changes the node, drains what it wants, unlocks, wakes.
    pub(super) fn enter<R>(&self, change: impl FnOnce(&mut N, Instant) -> R) -> R {
        let mut wake = Vec::new();
        let mut state = self.lock();
        let now = self.now();
        let result = change(&mut state.node, now);
        let wake_at = loop {
            match state.node.poll_output() {
                Output::Connect { conn, address } => {
                    let dialled = state.dials.as_ref().map(|dials| dials.send((conn, address)));
                    if !matches!(dialled, Some(Ok(()))) {
                        state.node.handle_closed(now, conn);
                    }
                }
                Output::Transmit { conn } => wake.extend(state.peers.get(&conn).cloned()),
                Output::Close { conn } => {
                    if let Some(peer) = state.peers.get(&conn) {
                        peer.closing.store(true, Ordering::Release);
                        wake.push(peer.clone());
                    }
                }
                Output::Idle { wake_at } => break wake_at,
            }
        };
        let sooner = std::mem::replace(&mut state.wake_at, wake_at) != wake_at;
        drop(state);
        if sooner {
            self.timer.notify_one();
        }
        for peer in wake {
            peer.wake.notify_one();
        }
        result
    }

    /// Looks at the node.
    pub(super) fn look<R>(&self, look: impl FnOnce(&N) -> R) -> R {
        look(&self.lock().node)
    }

    pub(super) fn take_bytes(&self, conn: ConnId, out: &mut Vec<u8>) {
        self.lock().node.take_bytes(conn, out);
    }

    pub(super) fn add_peer(&self, conn: ConnId) -> Arc<Peer> {
        let peer = Arc::new(Peer::default());
        self.lock().peers.insert(conn, peer.clone());
        peer
    }

    pub(super) fn remove_peer(&self, conn: ConnId) {
        self.lock().peers.remove(&conn);
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.lock().address
    }

    fn accept(&self) -> ConnId {
        let mut state = self.lock();
        state.accepted += 1;
        ConnId::accepted(state.accepted)
    }

    fn now(&self) -> Instant {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(nanos)
    }

    /// Waits until the node wants to be woken.
    async fn tick(&self) {
        loop {
            let wake_at = self.lock().wake_at;
            let Some(wake_at) = wake_at else {
                self.timer.notified().await;
                continue;
            };
            let left = wake_at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = self.timer.notified() => {}
                () = tokio::time::sleep(left) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a node until it is stopped; all tasks of its connections end with it.
async fn supervise<N: Node + Send + 'static>(
    shared: Arc<Shared<N>>,
    listener: TcpListener,
    mut dialled: mpsc::UnboundedReceiver<(ConnId, String)>,
    stop: Arc<Notify>,
) {
    let mut tasks = JoinSet::new();
    let mut gate = shared.gate.subscribe();
    loop {
        let open = *gate.borrow_and_update();
        tokio::select! {
            biased;
            () = stop.notified() => break,
            _ = gate.changed() => {}
            Some((conn, address)) = dialled.recv() => {
                tasks.spawn(dial(shared.clone(), conn, address));
            }
            accepted = listener.accept(), if open => match accepted {
                Ok((stream, peer)) => welcome(&shared, &mut tasks, stream, peer),
                // Too many open files, most likely: wait for some to be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            () = shared.tick(), if open => shared.enter(|node, now| node.handle_timeout(now)),
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
    drop(listener);
    tasks.shutdown().await;
}

fn welcome<N: Node + Send + 'static>(
    shared: &Arc<Shared<N>>,
    tasks: &mut JoinSet<()>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let conn = shared.accept();
    let known = shared.add_peer(conn);
    shared.enter(|node, now| node.handle_accepted(now, conn, peer));
    tasks.spawn(converse(shared.clone(), conn, known, stream));
}

/// Connections that wait to be accepted, as Netty's default.
const BACKLOG: u32 = 1024;
