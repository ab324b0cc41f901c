//! The bridge of a plan: a host of its own between producers and servers.
//!
//! ```text
//! producer - through::Tapped - WebSocket - Wire - network - Door - the bridge - Wire - network - server
//!            sees frames,                  does as the plan says            does as the plan says
//!            writes the history            of the bridge                    of the server
//! ```
//!
//! What a plan does to the ways between producers and a server happens between the bridge and that
//! server; what it does to the ways of the bridge happens on both of its sides, or on one. The bytes
//! of WebSockets are not in the trace: their masks and keys are drawn anew each time. All frames
//! are, as producers and servers see them.

#[cfg(not(feature = "bridge"))]
mod absent;
#[cfg(feature = "bridge")]
mod host;
#[cfg(feature = "bridge")]
mod through;
#[cfg(feature = "bridge")]
mod tokens;

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::task::{Context, Waker};

use super::board::{Board, Caller};
use super::{CLIENT, Stage};
use crate::pair::weather::Passage;
use crate::plan::{FaultKind, Plan, Side};

#[cfg(not(feature = "bridge"))]
pub(super) use absent::{Host, through};
#[cfg(feature = "bridge")]
pub(super) use host::Host;
#[cfg(feature = "bridge")]
pub(super) use through::through;

/// Where the bridge is.
pub(super) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 4, 1));
const PORT: u16 = 8080;
/// How producers call the name servers behind it.
const NAME_SERVERS: &str = "ns:9876";

/// What all know of the bridge, if there is one.
pub(super) struct Known {
    /// It stands behind the nodes of the plan.
    pub(super) node: Option<usize>,
    /// How many faults keep tokens from each producer.
    no_tokens: Vec<u16>,
    slow_pages: Vec<u32>,
    /// Connections that wait for producers to take something.
    waiting: Vec<Waker>,
}

impl Known {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            node: plan.bridge.map(|_| plan.nodes().len()),
            no_tokens: vec![0; usize::from(plan.producers())],
            slow_pages: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Where it is, and where producers find name servers, with the number of the node there.
    pub(super) fn addresses(&self) -> Vec<(String, usize)> {
        let Some(node) = self.node else { return Vec::new() };
        vec![(format!("{HERE}:{PORT}"), node), (NAME_SERVERS.to_owned(), 0)]
    }

    /// A fault that keeps tokens from a producer ends, or begins.
    pub(super) fn let_tokens_be(&mut self, producer: usize, may_be: bool) {
        let faults = &mut self.no_tokens[producer];
        *faults = if may_be { faults.saturating_sub(1) } else { *faults + 1 };
    }

    #[cfg(feature = "bridge")]
    fn has_token(&self, producer: usize) -> bool {
        self.no_tokens[producer] == 0
    }

    fn slow_pages(&mut self, bytes_per_second: u32, begins: bool) {
        if begins {
            self.slow_pages.push(bytes_per_second);
        } else if let Some(at) = self.slow_pages.iter().position(|slow| *slow == bytes_per_second) {
            self.slow_pages.remove(at);
        }
        for waker in std::mem::take(&mut self.waiting) {
            waker.wake();
        }
    }

    /// How much a producer takes in a second, if that is little. Who asks is woken when it changes.
    #[cfg_attr(not(feature = "bridge"), expect(dead_code, reason = "there is no bridge"))]
    fn pace(&mut self, cx: &Context<'_>) -> Option<u32> {
        let slowest = self.slow_pages.iter().min().copied();
        if slowest.is_some() && !self.waiting.iter().any(|known| known.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        slowest
    }
}

impl Board {
    /// What becomes of what producers, or the bridge for them, send to a node, and back.
    pub(super) fn between_producers_and(&self, node: usize) -> [Passage; 2] {
        let bridge = self.bridge.node;
        [0, 1].map(|way| {
            if self.off[node] || bridge.is_some_and(|bridge| self.off[bridge]) {
                return Passage::Dropped;
            }
            let there = self.weather[node].passage(true, way);
            // Towards its peer the bridge's own weather is the other way round.
            let here = bridge.map(|bridge| self.weather[bridge].passage(false, 1 - way));
            worse(there, here.unwrap_or(Passage::Open))
        })
    }

    /// What becomes of what producers send to the bridge, and back.
    pub(super) fn between_producers_and_bridge(&self, bridge: usize) -> [Passage; 2] {
        [0, 1].map(|way| match self.off[bridge] {
            true => Passage::Dropped,
            false => self.weather[bridge].passage(true, way),
        })
    }

    /// Makes the open connections of a side of the bridge silent.
    fn fall_silent(&mut self, side: Side) {
        for line in &mut self.lines {
            let of_side = match line.from {
                Caller::Page(_) => side == Side::Page,
                Caller::Bridge => side == Side::Broker,
                Caller::Producer(_) | Caller::Node(_) => false,
            };
            if line.open && of_side {
                (line.cut, line.deaf) = (true, true);
            }
        }
        self.wake_all();
    }
}

/// The worse of two.
pub(super) const fn worse(one: Passage, other: Passage) -> Passage {
    match (one, other) {
        (Passage::Dropped, _) | (_, Passage::Dropped) => Passage::Dropped,
        (Passage::Held, _) | (_, Passage::Held) => Passage::Held,
        (Passage::Open, Passage::Open) => Passage::Open,
    }
}

impl Stage {
    /// Where producers' connections to servers begin.
    pub(super) fn hub(&self) -> IpAddr {
        if self.bridge.is_some() { HERE } else { CLIENT }
    }

    pub(super) fn apply_to_bridge(self: &Rc<Self>, kind: FaultKind, begins: bool) {
        let (Some(bridge), Some(node)) = (&self.bridge, self.board.lock().bridge.node) else {
            return;
        };
        if self.board.lock().weather[node].change(kind, begins) {
            self.mend_ways();
            if matches!(kind, FaultKind::Slow { .. }) {
                self.pace_ways();
            }
            return;
        }
        match kind {
            FaultKind::Reset if begins => {
                let of_bridge = |from, to| to == node || from == Caller::Bridge;
                self.board.lock().reset(|line| of_bridge(line.from, line.to));
            }
            FaultKind::Crash => bridge.outage(begins),
            FaultKind::PowerLoss => {
                // First, so that nobody hears how its connections end.
                self.board.lock().off[node] = begins;
                self.mend_ways();
                bridge.outage(begins);
            }
            FaultKind::Drain => bridge.drain(begins),
            FaultKind::HalfOpen { side } if begins => self.board.lock().fall_silent(side),
            FaultKind::SlowPage { bytes_per_second } => {
                self.board.lock().bridge.slow_pages(bytes_per_second, begins);
            }
            FaultKind::Flap { loss, .. } if begins => self.cut_ways(node, loss, true),
            _ => {}
        }
    }

    /// Of the faults that may happen to a bridge one has steps.
    pub(super) fn bridge_takes_step(&self, at: usize) {
        let steps = self.progress.borrow()[at].steps;
        let node = self.board.lock().bridge.node;
        if let (FaultKind::Flap { loss, .. }, Some(node)) = (self.plan.faults[at].kind, node) {
            self.cut_ways(node, loss, steps.is_multiple_of(2));
        }
    }

    /// A flap that ends while the ways are cut mends them.
    pub(super) fn bridge_ends_steps(&self, at: usize) {
        let steps = self.progress.borrow()[at].steps;
        let node = self.board.lock().bridge.node;
        if let (FaultKind::Flap { loss, .. }, Some(node)) = (self.plan.faults[at].kind, node)
            && steps.is_multiple_of(2)
        {
            self.cut_ways(node, loss, false);
        }
    }
}
