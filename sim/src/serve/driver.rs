//! How does a node without I/O live among connections? On TCP and on a simulated network alike:
//! what differs is a [`Ground`].

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::model::{ConnId, Instant, Node, Output};

/// What a node stands on: a network, a clock, and somebody who may watch.
pub(crate) trait Ground: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// Where connections come in.
    type Listener: Send + Sync + 'static;
    /// What somebody who watches remembers of one direction of a connection.
    type Seen: Default + Send;
    /// Whether connections are made while the node stands still, as a kernel makes them.
    const ACCEPTS_WHILE_FROZEN: bool;

    fn now(&self) -> Instant;
    fn accept(
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
    fn connect(&self, address: &str) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn spawn(tasks: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static);
    /// Something happened to a connection.
    fn note(&self, _what: std::fmt::Arguments<'_>) {}
    /// Bytes came or went.
    fn see(&self, _seen: &mut Self::Seen, _way: Way, _peer: &str, _bytes: &[u8]) {}
}

/// Whether a host received or sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    In,
    Out,
}

/// What the tasks of a node share. They enter by one door: [`Self::enter`].
#[derive(Debug)]
pub(crate) struct Shared<N, G> {
    pub(crate) ground: G,
    state: Mutex<State<N>>,
    /// The time to wake at has changed.
    timer: Notify,
    /// The node wants a connection.
    dialled: Notify,
    /// Whether the node may read, write and keep time.
    pub(crate) gate: Gate,
    /// Whether those who come reach the node; where it goes itself it does at any rate.
    pub(crate) way_in: Gate,
}

/// What is passed only while it is open. Who waits goes on in the order of waiting: a channel of
/// tokio's `watch` wakes by lot, and no run would be the same again.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    closed: AtomicBool,
    changed: Notify,
}

impl Gate {
    pub(crate) fn set_open(&self, open: bool) {
        self.closed.store(!open, Ordering::Release);
        self.changed.notify_waiters();
    }

    fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    /// Waits while it is closed.
    async fn pass(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_open() {
                return;
            }
            changed.await;
        }
    }
}

#[derive(Debug)]
struct State<N> {
    node: N,
    address: SocketAddr,
    up: bool,
    /// The latest time the node was told: on a simulated network hosts are run one after the
    /// other, each a tick ahead of the next, and all may enter.
    now: Instant,
    peers: BTreeMap<ConnId, Arc<Peer>>,
    accepted: u64,
    wake_at: Option<Instant>,
    dials: Vec<(ConnId, String)>,
    /// Who waits for something to become true of the node.
    watchers: Vec<Waker>,
}

/// The writer's side of a connection, as others see it.
#[derive(Debug, Default)]
struct Peer {
    /// There is something to write, or to close.
    wake: Notify,
    closing: AtomicBool,
}

impl<N: Node, G: Ground> Shared<N, G> {
    /// A node that is down.
    pub(crate) fn new(node: N, address: SocketAddr, ground: G) -> Self {
        let state = State {
            node,
            address,
            up: false,
            now: Instant::from_nanos(0),
            peers: BTreeMap::new(),
            accepted: 0,
            wake_at: None,
            dials: Vec::new(),
            watchers: Vec::new(),
        };
        Self {
            ground,
            state: Mutex::new(state),
            timer: Notify::new(),
            dialled: Notify::new(),
            gate: Gate::default(),
            way_in: Gate::default(),
        }
    }

    /// The one door: locks, changes the node, drains what it wants, unlocks, wakes.
    pub(crate) fn enter<R>(&self, change: impl FnOnce(&mut N, Instant) -> R) -> R {
        let mut wake = Vec::new();
        let mut state = self.lock();
        let now = state.now.max(self.ground.now());
        state.now = now;
        let result = change(&mut state.node, now);
        let wake_at = loop {
            match state.node.poll_output() {
                Output::Connect { conn, .. } if !state.up => state.node.handle_closed(now, conn),
                Output::Connect { conn, address } => {
                    state.dials.push((conn, address));
                    self.dialled.notify_one();
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
        let changed = std::mem::replace(&mut state.wake_at, wake_at) != wake_at;
        let watchers = std::mem::take(&mut state.watchers);
        drop(state);
        if changed {
            self.timer.notify_one();
        }
        for peer in wake {
            peer.wake.notify_one();
        }
        watchers.into_iter().for_each(Waker::wake);
        result
    }

    /// Waits until `look` finds something: it looks at once, and whenever something has happened to
    /// the node.
    pub(crate) async fn until<R>(&self, mut look: impl FnMut(&N) -> Option<R>) -> R {
        poll_fn(|context| {
            let mut state = self.lock();
            let found = look(&state.node);
            if found.is_none() && !state.watchers.iter().any(|it| it.will_wake(context.waker())) {
                state.watchers.push(context.waker().clone());
            }
            found.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Looks at the node.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&N) -> R) -> R {
        look(&self.lock().node)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.lock().address
    }

    /// The node is down, and will start at another address.
    pub(crate) fn move_to(&self, address: SocketAddr) {
        self.lock().address = address;
    }

    /// The node starts: [`run`] is to follow.
    pub(crate) fn begin(&self) {
        self.gate.set_open(true);
        self.lock().up = true;
        self.enter(|node, now| node.handle_start(now));
    }

    /// The node is down, and all its tasks have ended.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.up = false;
        state.wake_at = None;
        state.peers.clear();
        state.dials.clear();
    }

    /// Waits until the node runs, and whoever is at the other end of the connection is reached.
    async fn pass(&self, conn: ConnId) {
        self.gate.pass().await;
        if conn.is_accepted() {
            self.way_in.pass().await;
        }
    }

    fn add_peer(&self, conn: ConnId) -> Arc<Peer> {
        let peer = Arc::new(Peer::default());
        self.lock().peers.insert(conn, peer.clone());
        peer
    }

    fn next_accepted(&self) -> ConnId {
        let mut state = self.lock();
        state.accepted += 1;
        ConnId::accepted(state.accepted)
    }

    /// Waits until the node wants to be woken.
    async fn tick(&self) {
        loop {
            let (wake_at, known) = {
                let state = self.lock();
                (state.wake_at, state.now)
            };
            let Some(wake_at) = wake_at else {
                self.timer.notified().await;
                continue;
            };
            let left = wake_at.since(known.max(self.ground.now()));
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

/// Runs a node that has begun until `stop`; all tasks of its connections end with it.
pub(crate) async fn run<N: Node + Send + 'static, G: Ground>(
    shared: Arc<Shared<N, G>>,
    listener: G::Listener,
    stop: impl Future<Output = ()>,
) {
    let mut tasks = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let dials = std::mem::take(&mut shared.lock().dials);
        for (conn, address) in dials {
            G::spawn(&mut tasks, dial(shared.clone(), conn, address));
        }
        let gate_changed = shared.gate.changed.notified();
        let way_changed = shared.way_in.changed.notified();
        let open = shared.gate.is_open();
        let lets_in = (open || G::ACCEPTS_WHILE_FROZEN) && shared.way_in.is_open();
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = gate_changed => {}
            () = way_changed => {}
            () = shared.dialled.notified() => {}
            accepted = G::accept(&listener), if lets_in => match accepted {
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

fn welcome<N: Node + Send + 'static, G: Ground>(
    shared: &Arc<Shared<N, G>>,
    tasks: &mut JoinSet<()>,
    stream: G::Stream,
    peer: SocketAddr,
) {
    let conn = shared.next_accepted();
    shared.ground.note(format_args!("accepts {peer}"));
    let known = shared.add_peer(conn);
    shared.enter(|node, now| node.handle_accepted(now, conn, peer));
    G::spawn(tasks, converse(shared.clone(), conn, known, peer.to_string(), stream));
}

/// Connects on behalf of a node, and serves the connection.
async fn dial<N: Node + Send + 'static, G: Ground>(
    shared: Arc<Shared<N, G>>,
    conn: ConnId,
    address: String,
) {
    match shared.ground.connect(&address).await {
        Ok(stream) => {
            shared.ground.note(format_args!("connects to {address}"));
            let peer = shared.add_peer(conn);
            shared.enter(|node, now| node.handle_connected(now, conn));
            converse(shared, conn, peer, address, stream).await;
        }
        Err(error) => {
            shared.ground.note(format_args!("cannot connect to {address}: {error}"));
            shared.enter(|node, now| node.handle_closed(now, conn));
        }
    }
}

/// Serves one connection to its end.
async fn converse<N: Node + Send + 'static, G: Ground>(
    shared: Arc<Shared<N, G>>,
    conn: ConnId,
    peer: Arc<Peer>,
    label: String,
    stream: G::Stream,
) {
    let (reader, writer) = split(stream);
    // An error and an orderly end are the same to a node.
    let ended = tokio::select! {
        biased;
        ended = read(&shared, conn, &label, reader) => ended,
        ended = write(&shared, conn, &peer, &label, writer) => ended,
    };
    match ended {
        Ok(()) => shared.ground.note(format_args!("-- {label}: closed")),
        Err(error) => shared.ground.note(format_args!("-- {label}: {error}")),
    }
    shared.lock().peers.remove(&conn);
    shared.enter(|node, now| node.handle_closed(now, conn));
}

async fn read<N: Node + Send, G: Ground>(
    shared: &Shared<N, G>,
    conn: ConnId,
    label: &str,
    mut reader: ReadHalf<G::Stream>,
) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let mut seen = G::Seen::default();
    loop {
        let read = reader.read(&mut buffer).await;
        shared.pass(conn).await;
        let len = read?;
        if len == 0 {
            return Ok(());
        }
        shared.ground.see(&mut seen, Way::In, label, &buffer[..len]);
        shared.enter(|node, now| node.handle_received(now, conn, &buffer[..len]));
    }
}

async fn write<N: Node + Send, G: Ground>(
    shared: &Shared<N, G>,
    conn: ConnId,
    peer: &Peer,
    label: &str,
    mut writer: WriteHalf<G::Stream>,
) -> io::Result<()> {
    let mut out = Vec::new();
    let mut seen = G::Seen::default();
    loop {
        peer.wake.notified().await;
        shared.pass(conn).await;
        // Read before the bytes are taken: what came before the close goes out before it.
        let closing = peer.closing.load(Ordering::Acquire);
        loop {
            out.clear();
            shared.lock().node.take_bytes(conn, &mut out);
            if out.is_empty() {
                break;
            }
            shared.ground.see(&mut seen, Way::Out, label, &out);
            writer.write_all(&out).await?;
        }
        if closing {
            return writer.shutdown().await;
        }
    }
}

/// Bytes read at once.
const READ_BYTES: usize = 32 * 1024;
