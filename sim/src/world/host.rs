//! How does a node without I/O live on a host of the simulated network?
//!
//! All tasks are local ones: tokio keeps those of a runtime in shards chosen by a number that
//! counts the tasks of the whole process, so the order in which a host's tasks end, and with it
//! the order of their FINs, would depend on what else the process does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use producer_native::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};
use turmoil::net::{TcpListener, TcpStream};

use super::trace::{Frames, Trace, Way};
use crate::model::{ConnId, Instant, Node, Output};

/// Connects on behalf of a node, by address.
pub(super) type Dial =
    Rc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Conversation>>>>>;
pub(super) type Conversation = Box<dyn Stream>;

/// One node, up or down, at one address at a time.
pub(super) struct Host<N> {
    pub(super) name: String,
    dial: Dial,
    state: RefCell<State<N>>,
    trace: Trace,
    /// The node shall be up, down or elsewhere.
    changed: Notify,
    /// It is.
    settled: Notify,
    /// The time to wake at has changed.
    timer: Notify,
    /// The node wants a connection.
    dialled: Notify,
    /// Connections are made and nothing is read, not even that they ended.
    frozen: Cell<bool>,
    thawed: Notify,
}

struct State<N> {
    node: N,
    address: SocketAddr,
    wanted_up: bool,
    /// How often the node was stopped.
    stops: u64,
    /// It is up, and was stopped so often before.
    up: Option<u64>,
    /// The latest time the node was told. Hosts are run one after the other, each a tick ahead of
    /// the next, and all may enter.
    now: Instant,
    accepted: u64,
    peers: BTreeMap<ConnId, Rc<Peer>>,
    wake_at: Option<Instant>,
    dials: Vec<(ConnId, String)>,
}

/// The writer's side of a connection, as others see it.
#[derive(Default)]
struct Peer {
    /// There is something to write, or to close.
    wake: Notify,
    closing: Cell<bool>,
}

impl<N: Node + 'static> Host<N> {
    /// A node that is to be up.
    pub(super) fn new(name: String, address: SocketAddr, node: N, trace: Trace) -> Self {
        Self::with_dial(name, address, node, trace, Rc::new(|address| Box::pin(connect(address))))
    }

    /// [`Self::new`], with another way to connect.
    pub(super) fn with_dial(
        name: String,
        address: SocketAddr,
        node: N,
        trace: Trace,
        dial: Dial,
    ) -> Self {
        let state = State {
            node,
            address,
            wanted_up: true,
            stops: 0,
            up: None,
            now: Instant::from_nanos(0),
            accepted: 0,
            peers: BTreeMap::new(),
            wake_at: None,
            dials: Vec::new(),
        };
        Self {
            name,
            dial,
            state: RefCell::new(state),
            trace,
            changed: Notify::new(),
            settled: Notify::new(),
            timer: Notify::new(),
            dialled: Notify::new(),
            frozen: Cell::new(false),
            thawed: Notify::new(),
        }
    }

    /// Stops or goes on reading, as the process of the node does.
    pub(super) fn freeze(&self, frozen: bool) {
        self.note(if frozen { "freezes" } else { "thaws" });
        self.frozen.set(frozen);
        if !frozen {
            self.thawed.notify_waiters();
        }
    }

    /// Starts or stops the node, and waits until it has.
    pub(super) async fn set_up(&self, up: bool) {
        self.want(up);
        self.settled().await;
    }

    /// The node is to start or stop, soon.
    pub(super) fn want(&self, up: bool) {
        self.trace.note(&self.name, if up { "starts" } else { "is killed" });
        let mut state = self.state.borrow_mut();
        state.wanted_up = up;
        state.stops += u64::from(!up);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits until the node is as it was wanted last.
    pub(super) async fn settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.is_settled() {
                return;
            }
            settled.await;
        }
    }

    fn is_settled(&self) -> bool {
        let state = self.state.borrow();
        state.up == state.wanted_up.then_some(state.stops)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.state.borrow().address
    }

    /// The node is down, and will start at another address.
    pub(super) fn move_to(&self, address: SocketAddr) {
        self.state.borrow_mut().address = address;
    }

    pub(super) fn note(&self, what: &str) {
        self.trace.note(&self.name, what);
    }

    pub(super) fn look<R>(&self, look: impl FnOnce(&N) -> R) -> R {
        look(&self.state.borrow().node)
    }

    /// The one door: change the node, drain what it wants, and only then wake.
    pub(super) fn enter<R>(&self, change: impl FnOnce(&mut N, Instant) -> R) -> R {
        let mut wake = Vec::new();
        let mut state = self.state.borrow_mut();
        let now = state.now.max(elapsed());
        state.now = now;
        let result = change(&mut state.node, now);
        let wake_at = loop {
            match state.node.poll_output() {
                Output::Connect { conn, .. } if state.up.is_none() => {
                    state.node.handle_closed(now, conn)
                }
                Output::Connect { conn, address } => {
                    state.dials.push((conn, address));
                    self.dialled.notify_one();
                }
                Output::Transmit { conn } => wake.extend(state.peers.get(&conn).cloned()),
                Output::Close { conn } => {
                    if let Some(peer) = state.peers.get(&conn) {
                        peer.closing.set(true);
                        wake.push(peer.clone());
                    }
                }
                Output::Idle { wake_at } => break wake_at,
            }
        };
        let changed = std::mem::replace(&mut state.wake_at, wake_at) != wake_at;
        drop(state);
        if changed {
            self.timer.notify_one();
        }
        for peer in wake {
            peer.wake.notify_one();
        }
        result
    }

    /// How often the node was stopped, if it is to be up here.
    fn wanted(&self, at: SocketAddr) -> Option<u64> {
        let state = self.state.borrow();
        (state.wanted_up && state.address == at).then_some(state.stops)
    }

    fn add_peer(&self, conn: ConnId) -> Rc<Peer> {
        let peer = Rc::new(Peer::default());
        self.state.borrow_mut().peers.insert(conn, peer.clone());
        peer
    }

    /// Waits while the node is frozen.
    async fn awake(&self) {
        while self.frozen.get() {
            self.thawed.notified().await;
        }
    }

    /// Waits until the node wants to be woken.
    async fn tick(&self) {
        loop {
            let (wake_at, known) = {
                let state = self.state.borrow();
                (state.wake_at, state.now)
            };
            let Some(wake_at) = wake_at else {
                self.timer.notified().await;
                continue;
            };
            let left = wake_at.since(known.max(elapsed()));
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

    /// Runs the node until it shall be down or elsewhere; all its connections end with it.
    async fn serve(self: &Rc<Self>, at: SocketAddr, stops: u64) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, at.port())).await?;
        self.state.borrow_mut().up = Some(stops);
        self.frozen.set(false);
        self.enter(|node, now| node.handle_start(now));
        self.settled.notify_waiters();

        let mut tasks: BTreeMap<ConnId, JoinHandle<()>> = BTreeMap::new();
        loop {
            let changed = self.changed.notified();
            if self.wanted(at) != Some(stops) {
                break;
            }
            let dials = std::mem::take(&mut self.state.borrow_mut().dials);
            for (conn, address) in dials {
                tasks.insert(conn, spawn_local(dial(self.clone(), conn, address)));
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.dialled.notified() => {}
                accepted = listener.accept() => {
                    let (stream, peer) = accepted?;
                    let (conn, task) = self.welcome(stream, peer);
                    tasks.insert(conn, task);
                }
                () = self.tick() => self.enter(|node, now| node.handle_timeout(now)),
            }
            tasks.retain(|_, task| !task.is_finished());
        }
        drop(listener);
        for task in tasks.values() {
            task.abort();
        }
        for task in tasks.into_values() {
            // An error means that it was aborted, which is what was asked for.
            let _aborted = task.await;
        }
        let mut state = self.state.borrow_mut();
        state.up = None;
        state.wake_at = None;
        state.peers.clear();
        state.dials.clear();
        drop(state);
        self.settled.notify_waiters();
        Ok(())
    }

    fn welcome(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) -> (ConnId, JoinHandle<()>) {
        let conn = {
            let mut state = self.state.borrow_mut();
            state.accepted += 1;
            ConnId::accepted(state.accepted)
        };
        self.trace.note(&self.name, &format!("accepts {peer}"));
        let known = self.add_peer(conn);
        self.enter(|node, now| node.handle_accepted(now, conn, peer));
        let stream = Box::new(stream);
        (conn, spawn_local(converse(self.clone(), conn, known, peer.to_string(), stream)))
    }
}

/// The software of one host: runs the node whenever that shall be up here.
pub(super) async fn live<N: Node + 'static>(
    host: Rc<Host<N>>,
    at: SocketAddr,
) -> turmoil::Result<()> {
    loop {
        let changed = host.changed.notified();
        match host.wanted(at) {
            Some(stops) => host.serve(at, stops).await?,
            None => changed.await,
        }
    }
}

/// Simulated time.
pub(super) fn elapsed() -> Instant {
    let elapsed = turmoil::sim_elapsed().unwrap_or(Duration::ZERO);
    Instant::from_nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}

async fn connect(address: String) -> io::Result<Conversation> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    Ok(Box::new(TcpStream::connect(address).await?))
}

/// Connects on behalf of a node, and serves the connection.
async fn dial<N: Node + 'static>(host: Rc<Host<N>>, conn: ConnId, address: String) {
    match (host.dial)(address.clone()).await {
        Ok(stream) => {
            host.trace.note(&host.name, &format!("connects to {address}"));
            let peer = host.add_peer(conn);
            host.enter(|node, now| node.handle_connected(now, conn));
            converse(host, conn, peer, address, stream).await;
        }
        Err(error) => {
            host.trace.note(&host.name, &format!("cannot connect to {address}: {error}"));
            host.enter(|node, now| node.handle_closed(now, conn));
        }
    }
}

/// Serves one connection to its end.
async fn converse<N: Node + 'static>(
    host: Rc<Host<N>>,
    conn: ConnId,
    peer: Rc<Peer>,
    label: String,
    stream: Conversation,
) {
    let (reader, writer) = split(stream);
    // An error and an orderly end are the same to a node.
    let ended = tokio::select! {
        biased;
        ended = read(&host, conn, &label, reader) => ended,
        ended = write(&host, conn, &peer, &label, writer) => ended,
    };
    let how = ended.err().map_or_else(|| "closed".to_owned(), |error| error.to_string());
    host.trace.note(&host.name, &format!("-- {label}: {how}"));
    host.state.borrow_mut().peers.remove(&conn);
    host.enter(|node, now| node.handle_closed(now, conn));
}

async fn read<N: Node + 'static>(
    host: &Host<N>,
    conn: ConnId,
    label: &str,
    mut reader: ReadHalf<Conversation>,
) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let mut frames = Frames::default();
    loop {
        let read = reader.read(&mut buffer).await;
        host.awake().await;
        let len = read?;
        if len == 0 {
            return Ok(());
        }
        host.trace.bytes(&mut frames, &host.name, Way::In, label, &buffer[..len]);
        host.enter(|node, now| node.handle_received(now, conn, &buffer[..len]));
    }
}

async fn write<N: Node + 'static>(
    host: &Host<N>,
    conn: ConnId,
    peer: &Peer,
    label: &str,
    mut writer: WriteHalf<Conversation>,
) -> io::Result<()> {
    let mut out = Vec::new();
    let mut frames = Frames::default();
    loop {
        peer.wake.notified().await;
        // Read before the bytes are taken: what came before the close goes out before it.
        let closing = peer.closing.get();
        loop {
            out.clear();
            host.state.borrow_mut().node.take_bytes(conn, &mut out);
            if out.is_empty() {
                break;
            }
            host.trace.bytes(&mut frames, &host.name, Way::Out, label, &out);
            writer.write_all(&out).await?;
        }
        if closing {
            return writer.shutdown().await;
        }
    }
}

/// Bytes read at once.
const READ_BYTES: usize = 32 * 1024;
