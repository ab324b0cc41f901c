//! How is a node on a host of the simulated network started, stopped and moved?
//!
//! All tasks are local ones: tokio keeps those of a runtime in shards chosen by a number that
//! counts the tasks of the whole process, so the order in which a host's tasks end, and with it
//! the order of their FINs, would depend on what else the process does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use producer_native::Stream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use turmoil::net::{TcpListener, TcpStream};

use super::trace::{Frames, Trace};
use crate::model::{Instant, Node};
use crate::serve::driver::{self, Ground, Shared, Way};

/// A connection of a node.
pub(super) type Conversation = Box<dyn Stream>;
type Dialling = Pin<Box<dyn Future<Output = io::Result<Conversation>> + Send>>;
/// Connects on behalf of a node, by address.
pub(super) type Dial = Arc<dyn Fn(String) -> Dialling + Send + Sync>;

/// One node, up or down, at one address at a time.
pub(super) struct Host<N> {
    pub(super) name: String,
    shared: Arc<Shared<N, Simulated>>,
    wish: std::cell::RefCell<Wish>,
    /// The node shall be up, down or elsewhere.
    changed: Notify,
    /// It is.
    settled: Notify,
}

/// What a node shall be, and is.
struct Wish {
    up: bool,
    /// How often it was stopped.
    stops: u64,
    /// It is up, and was stopped so often before.
    is_up: Option<u64>,
}

/// A host of the simulated network.
pub(super) struct Simulated {
    name: String,
    trace: Trace,
    dial: Dial,
}

impl<N: Node + Send + 'static> Host<N> {
    /// A node that is to be up.
    pub(super) fn new(name: String, address: SocketAddr, node: N, trace: Trace) -> Self {
        Self::with_dial(name, address, node, trace, Arc::new(|address| Box::pin(connect(address))))
    }

    /// [`Self::new`], with another way to connect.
    pub(super) fn with_dial(
        name: String,
        address: SocketAddr,
        node: N,
        trace: Trace,
        dial: Dial,
    ) -> Self {
        let ground = Simulated { name: name.clone(), trace, dial };
        Self {
            name,
            shared: Arc::new(Shared::new(node, address, ground)),
            wish: std::cell::RefCell::new(Wish { up: true, stops: 0, is_up: None }),
            changed: Notify::new(),
            settled: Notify::new(),
        }
    }

    /// Stops or goes on reading, as the process of the node does.
    pub(super) fn freeze(&self, frozen: bool) {
        self.note(if frozen { "freezes" } else { "thaws" });
        self.shared.gate.set_open(!frozen);
    }

    /// Starts or stops the node, and waits until it has.
    pub(super) async fn set_up(&self, up: bool) {
        self.want(up);
        self.settled().await;
    }

    /// The node is to start or stop, soon.
    pub(super) fn want(&self, up: bool) {
        self.note(if up { "starts" } else { "is killed" });
        let mut wish = self.wish.borrow_mut();
        wish.up = up;
        wish.stops += u64::from(!up);
        drop(wish);
        if !up {
            // It does nothing more, whenever its tasks end.
            self.shared.gate.set_open(false);
        }
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

    pub(super) fn address(&self) -> SocketAddr {
        self.shared.address()
    }

    /// The node is down, and will start at another address.
    pub(super) fn move_to(&self, address: SocketAddr) {
        self.shared.move_to(address);
    }

    pub(super) fn note(&self, what: &str) {
        self.shared.ground.note(format_args!("{what}"));
    }

    pub(super) fn look<R>(&self, look: impl FnOnce(&N) -> R) -> R {
        self.shared.look(look)
    }

    pub(super) fn enter<R>(&self, change: impl FnOnce(&mut N, Instant) -> R) -> R {
        self.shared.enter(change)
    }

    fn is_settled(&self) -> bool {
        let wish = self.wish.borrow();
        wish.is_up == wish.up.then_some(wish.stops)
    }

    /// How often the node was stopped, if it is to be up here.
    fn wanted(&self, at: SocketAddr) -> Option<u64> {
        let wish = self.wish.borrow();
        (wish.up && self.address() == at).then_some(wish.stops)
    }

    /// Runs the node until it shall be down or elsewhere; all its connections end with it.
    async fn serve(&self, at: SocketAddr, stops: u64) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, at.port())).await?;
        self.wish.borrow_mut().is_up = Some(stops);
        self.shared.begin();
        self.settled.notify_waiters();
        let stop = async {
            loop {
                let changed = self.changed.notified();
                if self.wanted(at) != Some(stops) {
                    return;
                }
                changed.await;
            }
        };
        driver::run(self.shared.clone(), listener, stop).await;
        self.shared.end();
        self.wish.borrow_mut().is_up = None;
        self.settled.notify_waiters();
        Ok(())
    }
}

/// The software of one host: runs the node whenever that shall be up here.
pub(super) async fn live<N: Node + Send + 'static>(
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

impl Ground for Simulated {
    type Stream = Conversation;
    type Listener = TcpListener;
    type Seen = Frames;
    const ACCEPTS_WHILE_FROZEN: bool = true;

    fn now(&self) -> Instant {
        elapsed()
    }

    async fn accept(at: &TcpListener) -> io::Result<(Conversation, SocketAddr)> {
        let (stream, peer) = at.accept().await?;
        Ok((Box::new(stream), peer))
    }

    async fn connect(&self, address: &str) -> io::Result<Conversation> {
        (self.dial)(address.to_owned()).await
    }

    fn spawn(tasks: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
        tasks.spawn_local(task);
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.trace.note(&self.name, what);
    }

    fn see(&self, seen: &mut Frames, way: Way, peer: &str, bytes: &[u8]) {
        self.trace.bytes(seen, &self.name, way, peer, bytes);
    }
}

async fn connect(address: String) -> io::Result<Conversation> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    Ok(Box::new(TcpStream::connect(address).await?))
}
