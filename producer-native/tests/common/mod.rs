//! A name server and brokers that do as a test tells them, on loopback TCP or in memory.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use producer_core::wire::code::{request, response};
use producer_core::wire::frame::{self, Frame};
use producer_core::wire::route::{BrokerData, QueueData, RouteJson, TopicRouteData};
use producer_core::wire::send::SendResponse;
use producer_core::wire::{Head, Header, Text, encode_frame};
use producer_native::{
    Address, Builder, Connecting, ConnectionEnd, Message, Producer, Stream, Transport,
};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// What a broker does with a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    Store,
    /// Stores, and answers when the test says so.
    Hold,
    /// Stores and never answers.
    Silence,
    /// Does not store and closes the connection.
    Close,
    /// Does not store and resets the connection.
    Reset,
}

/// An answer, and where it is to be written.
type Held = (mpsc::UnboundedSender<Vec<u8>>, Vec<u8>);
type React = dyn FnMut(&[u8]) -> Reaction + Send;

/// A name server or a broker: each answers everything.
pub struct Peer {
    route: Arc<OnceLock<TopicRouteData>>,
    react: Mutex<Box<React>>,
    pub stored: Mutex<Vec<Vec<u8>>>,
    held: Mutex<Vec<Held>>,
    kick: watch::Sender<u64>,
    pub sends: AtomicUsize,
    pub routes_asked: AtomicUsize,
    pub good_byes: AtomicUsize,
    pub open: AtomicUsize,
    pub accepted: AtomicUsize,
}

impl Peer {
    fn new(route: &Arc<OnceLock<TopicRouteData>>) -> Arc<Self> {
        Arc::new(Self {
            route: route.clone(),
            react: Mutex::new(Box::new(|_| Reaction::Store)),
            stored: Mutex::default(),
            held: Mutex::default(),
            kick: watch::channel(0).0,
            sends: AtomicUsize::new(0),
            routes_asked: AtomicUsize::new(0),
            good_byes: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
        })
    }

    /// From now on sends are treated so, by their body.
    pub fn react(&self, react: impl FnMut(&[u8]) -> Reaction + Send + 'static) {
        *self.react.lock().unwrap() = Box::new(react);
    }

    /// Answers what was held.
    pub fn release(&self) {
        for (late, frame) in self.held.lock().unwrap().drain(..) {
            let _gone = late.send(frame);
        }
    }

    pub fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    /// Ends all connections.
    pub fn kick(&self) {
        self.kick.send_modify(|count| *count += 1);
    }

    pub fn stored(&self) -> usize {
        self.stored.lock().unwrap().len()
    }

    /// Serves one connection; true if it is to be reset.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self: &Arc<Self>, stream: &mut S) -> bool {
        self.accepted.fetch_add(1, SeqCst);
        self.open.fetch_add(1, SeqCst);
        let reset = self.talk(stream).await.unwrap_or(false);
        self.open.fetch_sub(1, SeqCst);
        reset
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> io::Result<bool> {
        let (late, mut held) = mpsc::unbounded_channel::<Vec<u8>>();
        let mut kick = self.kick.subscribe();
        let mut inbox = Vec::with_capacity(1 << 16);
        let mut outbox = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = kick.changed() => return Ok(false),
                Some(frame) = held.recv() => outbox.extend_from_slice(&frame),
                read = stream.read_buf(&mut inbox) => {
                    if read? == 0 {
                        return Ok(false);
                    }
                    let mut used = 0;
                    while let Some(frame) = frame::split(&inbox[used..], 1 << 24).expect("frame") {
                        used += frame.len;
                        match self.answer(&frame, &mut outbox, &late) {
                            Reaction::Close => return Ok(false),
                            Reaction::Reset => return Ok(true),
                            _ => {}
                        }
                    }
                    inbox.drain(..used);
                }
            }
            stream.write_all(&outbox).await?;
            outbox.clear();
        }
    }

    fn answer(
        &self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
        late: &mpsc::UnboundedSender<Vec<u8>>,
    ) -> Reaction {
        let header = Header::decode(frame.serialize, frame.header).expect("a header");
        let head = Head { opaque: header.opaque, flag: Head::RESPONSE, ..Head::default() };
        let none: [(&str, &str); 0] = [];
        let mut plain = |head: &Head<'_>, body: &[u8]| {
            encode_frame(out, frame.serialize, head, none, body).expect("small");
        };
        match header.code {
            request::GET_ROUTEINFO_BY_TOPIC => {
                self.routes_asked.fetch_add(1, SeqCst);
                let topic = header.ext.need_text("topic").expect("a topic");
                if topic.starts_with("absent") {
                    let head = Head { code: response::TOPIC_NOT_EXIST, ..head };
                    plain(&head, &[]);
                } else {
                    let route = self.route.get().expect("set up").encode(RouteJson::Strict);
                    plain(&head, &route);
                }
            }
            request::SEND_MESSAGE | request::SEND_MESSAGE_V2 => {
                return self.take(frame, &header, &head, out, late);
            }
            request::UNREGISTER_CLIENT => {
                self.good_byes.fetch_add(1, SeqCst);
                plain(&head, &[]);
            }
            _ => plain(&head, &[]),
        }
        Reaction::Store
    }

    fn take(
        &self,
        frame: &Frame<'_>,
        header: &Header<'_>,
        head: &Head<'_>,
        out: &mut Vec<u8>,
        late: &mpsc::UnboundedSender<Vec<u8>>,
    ) -> Reaction {
        self.sends.fetch_add(1, SeqCst);
        let reaction = (self.react.lock().unwrap())(frame.body);
        if matches!(reaction, Reaction::Close | Reaction::Reset) {
            return reaction;
        }
        let offset = {
            let mut stored = self.stored.lock().unwrap();
            stored.push(frame.body.to_vec());
            stored.len() as i64 - 1
        };
        if reaction == Reaction::Silence || header.flag == Head::ONE_WAY {
            return reaction;
        }
        let answer = SendResponse {
            msg_id: Some(Text::from("7F00000100002A9F0000000000000000")),
            queue_id: Some(header.ext.need_i32("e").expect("a queue")),
            queue_offset: Some(offset),
            region: Some(Text::from("DefaultRegion")),
            ..SendResponse::default()
        };
        let mut held = Vec::new();
        let to = if reaction == Reaction::Hold { &mut held } else { out };
        encode_frame(to, frame.serialize, head, answer.to_ext().iter(), &[]).expect("small");
        if reaction == Reaction::Hold {
            self.held.lock().unwrap().push((late.clone(), held));
        }
        reaction
    }
}

/// A name server and some brokers.
pub struct Cluster {
    pub name_server: Arc<Peer>,
    pub brokers: Vec<Arc<Peer>>,
    addresses: Vec<String>,
    in_memory: bool,
}

impl Cluster {
    /// On loopback TCP, served by the current runtime.
    pub async fn tcp(brokers: usize) -> Self {
        let route = Arc::default();
        let mut peers = Vec::new();
        let mut addresses = Vec::new();
        for _ in 0..=brokers {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap().to_string());
            let peer = Peer::new(&route);
            peers.push(peer.clone());
            tokio::spawn(accept(listener, peer));
        }
        Self::new(peers, addresses, &route, false)
    }

    /// In memory, for tests in paused time; use [`transport`](Self::transport).
    pub fn memory(brokers: usize) -> Self {
        let route = Arc::default();
        let peers = (0..=brokers).map(|_| Peer::new(&route)).collect();
        let addresses = (0..=brokers).map(|number| format!("peer-{number}:1")).collect();
        Self::new(peers, addresses, &route, true)
    }

    fn new(
        mut peers: Vec<Arc<Peer>>,
        addresses: Vec<String>,
        route: &Arc<OnceLock<TopicRouteData>>,
        in_memory: bool,
    ) -> Self {
        let brokers = addresses[1..].iter().enumerate();
        let name = |number: usize| format!("broker-{number}");
        let data = TopicRouteData {
            queues: (0..addresses.len() - 1)
                .map(|number| QueueData {
                    broker_name: name(number),
                    read_queue_nums: 4,
                    write_queue_nums: 4,
                    perm: 6,
                    topic_sys_flag: 0,
                })
                .collect(),
            brokers: brokers
                .map(|(number, address)| BrokerData {
                    broker_name: name(number),
                    addresses: vec![(0, address.clone())],
                    ..BrokerData::default()
                })
                .collect(),
            ..TopicRouteData::default()
        };
        route.set(data).expect("set once");
        let name_server = peers.remove(0);
        Self { name_server, brokers: peers, addresses, in_memory }
    }

    pub fn builder(&self) -> Builder {
        let builder = Producer::builder("test").name_servers(&self.addresses[0]).seed(7);
        if self.in_memory {
            return builder.transport(self.transport());
        }
        // Time is real here and the machine may be busy: what is late must not look lost.
        builder.send_timeout(PATIENCE).attempt_timeout(None)
    }

    pub fn producer(&self) -> Producer {
        self.builder().build().unwrap()
    }

    pub fn transport(&self) -> Memory {
        let peers = std::iter::once(&self.name_server).chain(&self.brokers).cloned();
        Memory { peers: self.addresses.iter().cloned().zip(peers).collect() }
    }

    pub fn stored(&self) -> usize {
        self.brokers.iter().map(|broker| broker.stored()).sum()
    }

    pub fn open(&self) -> usize {
        self.brokers.iter().chain([&self.name_server]).map(|peer| peer.open.load(SeqCst)).sum()
    }
}

async fn accept(listener: TcpListener, peer: Arc<Peer>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let peer = peer.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true).unwrap();
            if peer.serve(&mut stream).await {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
    }
}

/// Connects to the peers of a cluster without a network.
pub struct Memory {
    peers: Vec<(String, Arc<Peer>)>,
}

impl Transport for Memory {
    fn connect(&self, address: &Address, _: tokio::time::Instant) -> Connecting {
        let found = self.peers.iter().find(|(name, _)| name == address.as_str());
        let peer = found.map(|(_, peer)| peer.clone());
        Box::pin(async move {
            let peer = peer.ok_or(ConnectionEnd::Refused)?;
            let (ours, mut theirs) = tokio::io::duplex(1 << 20);
            tokio::spawn(async move { peer.serve(&mut theirs).await });
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

/// For what takes a moment, unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn message(body: impl Into<Vec<u8>>) -> Message {
    Message::new("topic", body.into()).unwrap()
}

/// Waits until a condition holds, letting other tasks run; fails after a minute.
pub async fn until(condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it never came to pass");
        tokio::task::yield_now().await;
    }
}

/// The result of a future that must be ready within a minute.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}
