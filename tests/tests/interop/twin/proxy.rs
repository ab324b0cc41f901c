//! What lies between a producer and a real broker, and does to its bytes what a plan says?

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use producer_native::{Address, Connecting, ConnectionEnd, Stream, Tcp, Transport};
use sim::plan::{Direction, FaultKind, Loss};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Passes bytes on between those who dial it and one server.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    target: SocketAddr,
    ways: Arc<Ways>,
}

struct Ways {
    state: watch::Sender<State>,
    once: Mutex<Once>,
}

/// What is wrong now. Index 0 is towards the server, 1 is back.
#[derive(Clone, Copy, Default)]
struct State {
    held: [bool; 2],
    dropped: [bool; 2],
    delay: Duration,
    piece: Option<usize>,
    black_hole: bool,
    refuse: bool,
    /// Grows when all connections are to be reset.
    resets: u64,
}

/// What happens to the next bytes only.
#[derive(Default)]
struct Once {
    half_requests: VecDeque<bool>,
    resets_in_answer: VecDeque<u32>,
}

/// How a direction of a connection ended.
enum Ended {
    Orderly,
    Reset,
}

impl Proxy {
    pub(crate) fn start(runtime: &Runtime, target: SocketAddr) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (state, _) = watch::channel(State::default());
        let ways = Arc::new(Ways { state, once: Mutex::default() });
        let proxy = Self { address, target, ways };
        let serving = proxy.clone();
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(serving.clone().carry(near));
            }
        });
        proxy
    }

    /// Begins or ends a fault of the ways; false if it is none of them.
    pub(crate) fn apply(&self, kind: FaultKind, begins: bool) -> bool {
        let state = &self.ways.state;
        match kind {
            FaultKind::Partition { direction, loss, .. } => state.send_modify(|state| {
                let lanes = match loss {
                    Loss::Held => &mut state.held,
                    Loss::Dropped => &mut state.dropped,
                };
                lanes[0] = begins && direction != Direction::Answers;
                lanes[1] = begins && direction != Direction::Requests;
            }),
            FaultKind::SynBlackHole => state.send_modify(|state| state.black_hole = begins),
            FaultKind::RefuseDials => state.send_modify(|state| state.refuse = begins),
            FaultKind::Reset if begins => state.send_modify(|state| state.resets += 1),
            FaultKind::Reset => {}
            FaultKind::Slow { extra_ms, .. } => state.send_modify(|state| {
                state.delay = Duration::from_millis(if begins { extra_ms.into() } else { 0 });
            }),
            FaultKind::Dribble { bytes } => state.send_modify(|state| {
                state.piece = begins.then_some(bytes.max(1) as usize);
            }),
            FaultKind::HalfRequest { reset } if begins => {
                self.ways.once().half_requests.push_back(reset);
            }
            FaultKind::HalfRequest { .. } => self.ways.once().half_requests.clear(),
            FaultKind::ResetInAnswer { after_bytes } if begins => {
                self.ways.once().resets_in_answer.push_back(after_bytes);
            }
            FaultKind::ResetInAnswer { .. } => self.ways.once().resets_in_answer.clear(),
            _ => return false,
        }
        true
    }

    async fn carry(self, near: TcpStream) {
        let Ok(far) = TcpStream::connect(self.target).await else { return };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        let mut requests = Pump::new(&self.ways, 0, near_in, far_out);
        let mut answers = Pump::new(&self.ways, 1, far_in, near_out);
        let (mut there, mut back) = (Box::pin(requests.run()), Box::pin(answers.run()));
        let mut open = [true; 2];
        while open != [false; 2] {
            let (way, ended) = tokio::select! {
                ended = &mut there, if open[0] => (0, ended),
                ended = &mut back, if open[1] => (1, ended),
            };
            open[way] = false;
            if !matches!(ended, Ok(Ended::Orderly)) {
                break;
            }
        }
        drop((there, back));
        if open != [false; 2] {
            requests.reset_on_drop();
            answers.reset_on_drop();
        }
    }
}

impl Ways {
    fn once(&self) -> MutexGuard<'_, Once> {
        self.once.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One direction of one connection.
struct Pump {
    ways: Arc<Ways>,
    state: watch::Receiver<State>,
    way: usize,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    /// Something was lost: nothing that follows arrives.
    cut: bool,
    resets: u64,
}

impl Pump {
    fn new(ways: &Arc<Ways>, way: usize, from: OwnedReadHalf, to: OwnedWriteHalf) -> Self {
        let state = ways.state.subscribe();
        let resets = state.borrow().resets;
        Self { ways: ways.clone(), state, way, from, to, cut: false, resets }
    }

    async fn run(&mut self) -> io::Result<Ended> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = tokio::select! {
                _ = self.state.wait_for(|state| state.resets > self.resets) => {
                    return Ok(Ended::Reset);
                }
                count = self.from.read(&mut buffer) => count?,
            };
            if count == 0 {
                self.to.shutdown().await?;
                return Ok(Ended::Orderly);
            }
            if let Some(ended) = self.pass(&buffer[..count]).await? {
                return Ok(ended);
            }
        }
    }

    async fn pass(&mut self, bytes: &[u8]) -> io::Result<Option<Ended>> {
        if self.way == 0 {
            let half = self.ways.once().half_requests.pop_front();
            if let Some(reset) = half {
                self.to.write_all(&bytes[..bytes.len() / 2]).await?;
                self.cut = true;
                return Ok(reset.then_some(Ended::Reset));
            }
        } else {
            let after = self.ways.once().resets_in_answer.pop_front();
            if let Some(after) = after {
                self.to.write_all(&bytes[..bytes.len().min(after as usize)]).await?;
                // What is left of the answer must not overtake the bytes before it.
                sleep(Duration::from_millis(5)).await;
                return Ok(Some(Ended::Reset));
            }
        }
        let (way, resets) = (self.way, self.resets);
        let free = |state: &State| !state.held[way] || state.resets > resets;
        let state = match self.state.wait_for(free).await {
            Ok(state) => *state,
            Err(_) => return Ok(Some(Ended::Reset)),
        };
        if state.resets > resets {
            return Ok(Some(Ended::Reset));
        }
        self.cut |= state.dropped[way];
        if self.cut {
            return Ok(None);
        }
        sleep(state.delay).await;
        for piece in bytes.chunks(state.piece.unwrap_or(usize::MAX)) {
            self.to.write_all(piece).await?;
            if state.piece.is_some() {
                tokio::task::yield_now().await;
            }
        }
        Ok(None)
    }

    /// The socket is reset, not closed, when its last half goes.
    fn reset_on_drop(&self) {
        let _ = self.to.as_ref().set_zero_linger();
    }
}

/// Dials proxies where the routes name brokers.
pub(crate) struct Through(pub(crate) Vec<Proxy>);

impl Transport for Through {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let proxies = &self.0;
        let found = proxies.iter().find(|proxy| proxy.target.to_string() == address.to_string());
        let Some(proxy) = found else { return Tcp.connect(address, deadline) };
        let state = *proxy.ways.state.borrow();
        if state.refuse {
            return Box::pin(async { Err(ConnectionEnd::Refused) });
        }
        if state.black_hole {
            return Box::pin(pending());
        }
        let target = proxy.target;
        let near = Address::new(&proxy.address.to_string()).expect("an address");
        let dialling = Tcp.connect(&near, deadline);
        Box::pin(async move {
            // The proxy accepts at once: whether the broker would is asked here.
            if TcpStream::connect(target).await.is_err() {
                return Err(ConnectionEnd::Refused);
            }
            let stream: Box<dyn Stream> = dialling.await?;
            Ok(stream)
        })
    }
}
