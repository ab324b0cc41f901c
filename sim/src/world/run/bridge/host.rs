//! The bridge itself, on its host: started, stopped, drained, and between two networks.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use producer_native::bridge::{
    Bridge, BridgeConfig, Drain, Grants, Listen, Policy, Tokens, WithoutOrigin,
};
use producer_native::{Address, Connecting, ConnectionEnd, Stream, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};
use turmoil::net::{TcpListener, TcpStream};

use super::super::board::{Caller, Shared};
use super::super::line::dial;
use super::{HERE, PORT, tokens};
use crate::plan::{BRIDGE, BridgePlan, Plan};
use crate::world::trace::Trace;

/// The bridge, up or down.
pub(in super::super) struct Host {
    plan: BridgePlan,
    seed: u64,
    name_servers: Vec<Address>,
    board: Shared,
    trace: Trace,
    tick: Duration,
    wish: RefCell<Wish>,
    changed: Notify,
}

/// What the bridge shall be.
#[derive(Default)]
struct Wish {
    /// How many faults keep it down.
    down: u16,
    /// How many times it was stopped.
    stops: u64,
    /// How many faults drain it.
    drains: u16,
    /// It has drained, and is gone until the last of them ends.
    drained: bool,
}

impl Host {
    /// Gives the bridge of the plan, if it has one, a host.
    pub(in super::super) fn settle(
        sim: &mut turmoil::Sim<'static>,
        plan: &Plan,
        board: &Shared,
        trace: &Trace,
        tick: Duration,
    ) -> Option<Rc<Self>> {
        let servers = 0..plan.cluster.name_servers;
        let address = |n| Address::new(&crate::pair::node::address(0, n, 9876).to_string());
        let host = Rc::new(Self {
            plan: plan.bridge?,
            seed: plan.seed,
            name_servers: servers.map(address).collect::<Result<_, _>>().expect("addresses"),
            board: board.clone(),
            trace: trace.clone(),
            tick,
            wish: RefCell::default(),
            changed: Notify::new(),
        });
        let living = host.clone();
        sim.host(HERE, move || live(living.clone()));
        Some(host)
    }

    /// The process dies, or starts again.
    pub(super) fn outage(&self, begins: bool) {
        let mut wish = self.wish.borrow_mut();
        if begins {
            wish.down += 1;
            wish.stops += 1;
        } else {
            wish.down = wish.down.saturating_sub(1);
        }
        drop(wish);
        self.changed.notify_waiters();
    }

    /// It is told to end, or is started again.
    pub(super) fn drain(&self, begins: bool) {
        let mut wish = self.wish.borrow_mut();
        wish.drains = if begins { wish.drains + 1 } else { wish.drains.saturating_sub(1) };
        wish.drained &= wish.drains > 0;
        drop(wish);
        self.changed.notify_waiters();
    }

    /// How often it was stopped, if it is to be up.
    fn wanted(&self) -> Option<u64> {
        let wish = self.wish.borrow();
        (wish.down == 0 && !wish.drained).then_some(wish.stops)
    }

    async fn serve(&self, stops: u64) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        self.note("starts");
        let bridge = self.make();
        let orders = async {
            let mut drains = false;
            loop {
                let changed = self.changed.notified();
                if self.wanted() != Some(stops) {
                    return;
                }
                let wanted = self.wish.borrow().drains > 0;
                if wanted && !drains {
                    self.note("drains");
                    bridge.drain().await;
                } else if drains && !wanted {
                    self.note("has had its time");
                    bridge.stop();
                }
                drains = wanted;
                changed.await;
            }
        };
        tokio::select! {
            biased;
            () = orders => self.note("is killed"),
            ended = bridge.serve(Door { listener, board: self.board.clone() }) => {
                ended?;
                self.note("has drained");
                let mut wish = self.wish.borrow_mut();
                wish.drained = wish.drains > 0;
            }
        }
        Ok(())
    }

    fn make(&self) -> Bridge {
        let plan = self.plan;
        let mut config = BridgeConfig {
            name_servers: self.name_servers.clone(),
            hosts: vec![HERE.to_string()],
            without_origin: WithoutOrigin::Allowed,
            policy: Policy {
                networks: vec!["10.0.0.0/8".parse().expect("one")],
                ..Policy::default()
            },
            behind_proxy: true,
            without_tokens: true,
            ..BridgeConfig::default()
        };
        if let Some(spread) = plan.drain_ms.map(Duration::from_millis) {
            config.drain = Drain { spread, ..Drain::default() };
        }
        let rules = &mut config.rules;
        let ms = |rule: &mut Duration, ms: Option<u64>| {
            *rule = ms.map_or(*rule, Duration::from_millis);
        };
        ms(&mut rules.ping, plan.ping_ms);
        ms(&mut rules.silence, plan.silence_ms);
        ms(&mut rules.stall, plan.stall_ms);
        ms(&mut rules.token_grace, plan.token_grace_secs.map(|secs| secs * 1_000));
        let tokens = match plan.token_secs {
            Some(_) => tokens::reader(),
            None => Tokens::NotNeeded(Grants::everything()),
        };
        let trace = self.trace.clone();
        Bridge::builder(config)
            .transport(Outward { board: self.board.clone(), tick: self.tick })
            .tokens(tokens)
            .clock(tokens::unix)
            .seed(self.seed)
            .log(move |line| trace.note(BRIDGE, format_args!("{line}")))
            .build()
    }

    fn note(&self, what: &str) {
        self.trace.note(BRIDGE, format_args!("{what}"));
    }
}

/// The software of the host: runs the bridge whenever that shall be up.
async fn live(host: Rc<Host>) -> turmoil::Result<()> {
    loop {
        let changed = host.changed.notified();
        match host.wanted() {
            Some(stops) => host.serve(stops).await?,
            None => changed.await,
        }
    }
}

/// How the bridge dials servers.
struct Outward {
    board: Shared,
    tick: Duration,
}

impl Transport for Outward {
    fn connect(&self, address: &Address, _deadline: Instant) -> Connecting {
        let address = address.to_string();
        let number = self.board.lock().begin_dial(Caller::Bridge, &address);
        let (board, tick) = (self.board.clone(), self.tick);
        Box::pin(async move {
            let nobody = || ConnectionEnd::Unreachable("it is not in the plan".to_owned());
            let wire = dial(&board, number.ok_or_else(nobody)?, &address, tick).await?;
            Ok(Box::new(wire) as Box<dyn Stream>)
        })
    }
}

/// Where producers come in.
struct Door {
    listener: TcpListener,
    board: Shared,
}

impl Listen for Door {
    type Stream = Taken;

    async fn accept(&mut self) -> io::Result<(Taken, SocketAddr)> {
        let (stream, from) = self.listener.accept().await?;
        Ok((Taken { stream, board: self.board.clone(), pause: None }, from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(HERE, PORT))
    }

    fn spawn(&self, tasks: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
        // Others end in an order that depends on what else the process does.
        tasks.spawn_local(task);
    }
}

/// A connection of a producer, at the bridge. What the plan says of pages that read slowly happens
/// here, as if all that lies between were full.
struct Taken {
    stream: TcpStream,
    board: Shared,
    /// No more is taken before.
    pause: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Taken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Taken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let pace = self.board.lock().bridge.pace(cx);
        let most = match pace {
            None => bytes.len(),
            Some(0) => return Poll::Pending,
            Some(per_second) => {
                if let Some(pause) = &mut self.pause {
                    ready!(pause.as_mut().poll(cx));
                }
                // What is taken in 50 ms.
                bytes.len().min((per_second as usize / 20).max(1))
            }
        };
        let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..most]))?;
        self.pause = pace.map(|per_second| {
            let micros = taken as u64 * 1_000_000 / u64::from(per_second);
            Box::pin(sleep(Duration::from_micros(micros)))
        });
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
