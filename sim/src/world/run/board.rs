//! What do all streams, applications and nodes of one run share?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use producer_core::Instant;
use tokio::time::sleep;
use turmoil::net::TcpStream;

use super::super::host::elapsed;
use super::bridge::{Known, worse};
use crate::check::{Invariant, Violation};
use crate::history::{Dial, History, LinkLost, Request, RouteSeen};
use crate::pair::tap::{Tap, Told};
use crate::pair::trace::{Trace, fnv};
use crate::pair::weather::{Passage, Weather};
use crate::plan::{BRIDGE, Plan};

/// One board a run, for producers too, whose streams must be able to change threads.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Board>>);

pub(super) struct Board {
    pub(super) history: History,
    /// Hosts write to it as well.
    pub(super) trace: Arc<Mutex<Trace>>,
    /// What is wrong with the ways to each node.
    pub(super) weather: Vec<Weather>,
    /// Which nodes have no power.
    pub(super) off: Vec<bool>,
    pub(super) names: Vec<String>,
    /// Which node is, or was, at an address.
    pub(super) by_address: BTreeMap<String, usize>,
    pub(super) lines: Vec<Line>,
    /// Until when each producer stands still.
    pub(super) stalled_until: Vec<Instant>,
    pub(super) bridge: Known,
    /// Connections that went silent: nobody may hear that they were closed.
    pub(super) silent: Vec<TcpStream>,
}

/// Who dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Producer(usize),
    /// A producer whose connections go to the bridge.
    #[cfg_attr(not(feature = "bridge"), expect(dead_code, reason = "there is no bridge"))]
    Page(usize),
    /// The bridge, on behalf of a producer or of itself.
    Bridge,
    Node(usize),
}

impl Caller {
    pub(super) const fn node(self) -> Option<usize> {
        match self {
            Self::Producer(_) | Self::Page(_) | Self::Bridge => None,
            Self::Node(node) => Some(node),
        }
    }
}

/// A connection, from its dial on.
pub(super) struct Line {
    pub(super) from: Caller,
    /// The node that was dialled.
    pub(super) to: usize,
    address: String,
    dialled_at: Instant,
    /// When the producer last heard anything; at first, when it was connected.
    heard_at: Instant,
    /// The producer was told that it ended.
    lost: bool,
    /// Bytes of requests have left on it.
    used: bool,
    /// Position of its dial in the history, for those of producers.
    pub(super) dial: Option<usize>,
    tap: Tap,
    garbled_at: Option<Instant>,
    /// Taken from the writer, and held back.
    pub(super) held: Vec<u8>,
    /// What is written is lost.
    pub(super) cut: bool,
    /// What comes is not heard.
    pub(super) deaf: bool,
    /// It lies within another: nothing happens to it but to that.
    pub(super) inside: bool,
    pub(super) reset: bool,
    pub(super) open: bool,
    waker: Option<Waker>,
}

impl Shared {
    pub(super) fn new(plan: &Plan, tick: Duration, trace: Arc<Mutex<Trace>>) -> Self {
        let bridge = Known::new(plan);
        let mut nodes = plan.nodes();
        nodes.extend(plan.bridge.map(|_| BRIDGE.to_owned()));
        Self(Arc::new(Mutex::new(Board {
            history: History::new(plan.clone(), tick),
            trace,
            weather: nodes.iter().map(|_| Weather::default()).collect(),
            off: vec![false; nodes.len()],
            names: nodes,
            by_address: bridge.addresses().into_iter().collect(),
            bridge,
            lines: Vec::new(),
            stalled_until: vec![Instant::ZERO; usize::from(plan.producers())],
            silent: Vec::new(),
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the producer stands still.
    pub(super) async fn awake(&self, producer: usize) {
        loop {
            let left = self.lock().stalled_until[producer].since(elapsed());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}

impl Board {
    /// A dial begins; `None` where nobody ever was.
    pub(super) fn begin_dial(&mut self, from: Caller, address: &str) -> Option<usize> {
        let to = *self.by_address.get(address)?;
        let at = elapsed();
        let number = self.lines.len();
        let dial = match from {
            Caller::Node(_) | Caller::Page(_) | Caller::Bridge => None,
            Caller::Producer(producer) => {
                note(self, format_args!("p{producer} dials {address} #{number}"));
                self.history.dials.push(Dial {
                    at,
                    producer: producer as u16,
                    address: address.to_owned(),
                    ended_at: None,
                    connected: false,
                });
                Some(self.history.dials.len() - 1)
            }
        };
        self.lines.push(Line {
            from,
            to,
            address: address.to_owned(),
            dialled_at: at,
            heard_at: at,
            lost: false,
            used: false,
            dial,
            tap: Tap::default(),
            garbled_at: None,
            held: Vec::new(),
            cut: false,
            deaf: false,
            inside: self.bridge.node.is_some() && matches!(from, Caller::Producer(_)),
            reset: false,
            open: false,
            waker: None,
        });
        Some(number)
    }

    /// What becomes of what travels on a line towards the dialled node (0) or from it (1).
    pub(super) fn passage(&self, line: usize, way: usize) -> Passage {
        let Line { from, to, .. } = self.lines[line];
        match from {
            Caller::Producer(_) | Caller::Bridge => self.between_producers_and(to)[way],
            Caller::Page(_) => self.between_producers_and_bridge(to)[way],
            Caller::Node(node) => self.between_nodes(node, to)[way],
        }
    }

    /// What becomes of bytes from one node to another, and back.
    pub(super) fn between_nodes(&self, one: usize, other: usize) -> [Passage; 2] {
        [0, 1].map(|way| {
            if self.off[one] || self.off[other] {
                return Passage::Dropped;
            }
            let there = self.weather[other].passage(false, way);
            // Towards its peer a node's own weather is the other way round.
            let here = self.weather[one].passage(false, 1 - way);
            worse(there, here)
        })
    }

    /// Whether the stream must hold back what the network, which can only hold both ways, does not.
    pub(super) fn holds(&self, line: usize, way: usize) -> bool {
        self.passage(line, way) == Passage::Held && self.passage(line, 1 - way) != Passage::Held
    }

    pub(super) fn is_stalled(&self, line: usize) -> bool {
        match self.lines[line].from {
            Caller::Producer(producer) | Caller::Page(producer) => {
                self.stalled_until[producer] > elapsed()
            }
            Caller::Bridge | Caller::Node(_) => false,
        }
    }

    /// Whether what is written goes no further than the buffers on the way: nothing passes, the
    /// node does not read, or the producer stands still, and had written before.
    pub(super) fn keeps_back(&self, line: usize) -> bool {
        self.holds(line, 0) || self.is_stalled(line) || self.window(line).is_some()
    }

    /// How many bytes of a producer the buffers take while the node does not read.
    pub(super) fn window(&self, line: usize) -> Option<usize> {
        let Line { from, to, .. } = self.lines[line];
        let window = self.weather[to].window().map(|bytes| bytes.max(1));
        window.filter(|_| from.node().is_none())
    }

    pub(super) fn piece(&self, line: usize) -> usize {
        self.weather[self.lines[line].to].piece().unwrap_or(usize::MAX)
    }

    /// What is armed happens to producers only.
    pub(super) fn armed(&mut self, line: usize) -> Option<&mut Weather> {
        let Line { from, to, .. } = self.lines[line];
        from.node().is_none().then(|| &mut self.weather[to])
    }

    /// Who polls is to be woken when anything changes.
    pub(super) fn remember(&mut self, line: usize, cx: &Context<'_>) {
        let known = &mut self.lines[line].waker;
        if !known.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *known = Some(cx.waker().clone());
        }
    }

    /// Something has changed for all.
    pub(super) fn wake_all(&self) {
        for line in self.lines.iter().filter(|line| line.open) {
            if let Some(waker) = &line.waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Resets the open lines of which this is true.
    pub(super) fn reset(&mut self, which: impl Fn(&Line) -> bool) {
        for (number, line) in self.lines.iter_mut().enumerate() {
            if line.open && !line.inside && which(line) {
                line.reset = true;
                if let Some(waker) = &line.waker {
                    waker.wake_by_ref();
                }
                let at = elapsed();
                lock(&self.trace).write(at, format_args!("reset #{number}"));
            }
        }
    }

    /// The driver has handed over bytes.
    pub(super) fn sent(&mut self, line: usize, bytes: &[u8]) {
        let Caller::Producer(producer) = self.lines[line].from else { return };
        let hash = fnv(0, bytes) as u32;
        note(self, format_args!("p{producer} -> #{line} {} bytes {hash:08x}", bytes.len()));
        let this = &mut self.lines[line];
        let waited = !std::mem::replace(&mut this.used, true);
        for asked in this.tap.sent(bytes) {
            self.history.requests.push(Request {
                at: elapsed(),
                producer: producer as u16,
                address: this.address.clone(),
                link: line,
                dialled_at: this.dialled_at,
                waited,
                opaque: asked.opaque,
                topic: asked.topic,
                queue_id: asked.queue_id,
                message_id: asked.message_id,
                heard_at: this.heard_at,
                answer: None,
            });
        }
    }

    /// The driver gets bytes.
    pub(super) fn received(&mut self, line: usize, bytes: &[u8]) {
        let Caller::Producer(producer) = self.lines[line].from else { return };
        let at = elapsed();
        let hash = fnv(0, bytes) as u32;
        note(self, format_args!("p{producer} <- #{line} {} bytes {hash:08x}", bytes.len()));
        let this = &mut self.lines[line];
        this.heard_at = at;
        for told in this.tap.received(bytes) {
            match told {
                Told::Answer { opaque, code } => {
                    let asked = |r: &&mut Request| r.link == line && r.opaque == opaque;
                    let requests = self.history.requests.iter_mut().rev();
                    // Several if they went together, one behind the other.
                    for request in requests.skip_while(|r| !asked(r)).take_while(asked) {
                        request.answer.get_or_insert((at, code));
                    }
                }
                Told::Route { asked, topic, writable } => {
                    let (server, producer) = (self.names[this.to].clone(), producer as u16);
                    let seen = RouteSeen { at, producer, asked, server, topic, writable };
                    self.history.routes.push(seen);
                }
            }
        }
        if this.tap.garbled {
            this.garbled_at.get_or_insert(at);
        }
    }

    /// The dial was answered.
    pub(super) fn opened(&mut self, line: usize) {
        let this = &mut self.lines[line];
        (this.open, this.heard_at) = (true, elapsed());
    }

    /// The driver is told that the connection has ended.
    pub(super) fn ended(&mut self, line: usize) {
        let Caller::Producer(producer) = self.lines[line].from else { return };
        if !std::mem::replace(&mut self.lines[line].lost, true) {
            note(self, format_args!("p{producer} loses #{line}"));
            let lost = LinkLost { at: elapsed(), producer: producer as u16, link: line };
            self.history.lost.push(lost);
        }
    }

    /// I16, when all is over.
    pub(super) fn see_garbled_left_open(&mut self) {
        for line in 0..self.lines.len() {
            if self.lines[line].garbled_at.is_some() && self.lines[line].open {
                self.report_garbled(line);
            }
        }
    }

    /// I16: who got what is not a frame must not go on reading.
    pub(super) fn expect_closed_if_garbled(&mut self, line: usize, grace: Duration) {
        let this = &mut self.lines[line];
        let late = this.garbled_at.is_some_and(|at| elapsed() > at + grace);
        if late && this.open {
            this.garbled_at = None;
            self.report_garbled(line);
        }
    }

    fn report_garbled(&mut self, line: usize) {
        let address = &self.lines[line].address;
        let what = format!("#{line} to {address} stays open after a malformed frame");
        self.history.seen.push(Violation { invariant: Invariant::Framing, what });
    }
}

/// Writes a line of the trace.
pub(super) fn note(board: &Board, what: std::fmt::Arguments<'_>) {
    lock(&board.trace).write(elapsed(), what);
}

fn lock(trace: &Mutex<Trace>) -> MutexGuard<'_, Trace> {
    trace.lock().unwrap_or_else(PoisonError::into_inner)
}
