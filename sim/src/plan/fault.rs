//! What can break?
//!
//! Every kind happens on both levels: in virtual time ([`crate::pair`]) and on the simulated network
//! (`crate::world`); but only the latter has bridges. What a level had to leave out of a run is in
//! [`crate::pair::Run::skipped`].
//!
//! | aim | kinds | what is touched |
//! |---|---|---|
//! | any node | ways, dials, bytes, processes | the links and the machine, never the model |
//! | a name server | `StaleRoutes`, `Forget`, `SilentServer`, `SlowServer` | its model |
//! | a broker, also a slave | sends, disk, permission, queues, role, upgrade, joining | its model and name servers |
//! | a master that has a slave | `Promote`, `Swap`, `ActingMaster`, `SplitBrain` | both models and their logs |
//! | `cluster` | `DeleteTopic` | all servers |
//! | a producer | clock, schedule, cancel, close, tokens | its driver |
//! | `bridge`, if the plan has one | ways, dials, bytes, processes; draining, connections half open, pages that read slowly | the links, the machine, and what the bridge is told |
//!
//! A burst is a workload's `burst`; queues that differ from broker to broker are the topic's.

use serde::{Deserialize, Serialize};

pub use crate::model::broker::{Fault as SendFault, Refusal as RefusalPlan, Status as StatusPlan};

/// One thing that breaks, and mends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// When it begins.
    pub at_ms: u64,
    /// How long it lasts; what happens at one instant has no use for it.
    #[serde(default)]
    pub for_ms: u64,
    /// A node (`ns-0`, `broker-1`, `broker-1-slave`), `producer-0`, or `cluster`. What concerns the
    /// roles of a master and its slave is said of the master.
    pub target: String,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl FaultPlan {
    /// Whether it is nothing without a bridge.
    pub fn is_of_bridge(&self) -> bool {
        self.target == super::BRIDGE || self.kind == FaultKind::NoTokens
    }
}

/// What happens to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Bytes do not pass.
    Partition {
        /// Between the node and whom.
        scope: Scope,
        /// Which way.
        direction: Direction,
        /// What becomes of the bytes.
        loss: Loss,
    },
    /// The ways to everybody are cut and mended by turns.
    Flap {
        /// How long each time, in ms.
        period_ms: u32,
        /// What becomes of the bytes.
        loss: Loss,
    },
    /// The node does not read from producers, whose writes back up.
    SlowReader {
        /// Bytes that a connection takes before its writer has to wait.
        window_bytes: u32,
    },
    /// Dials are not answered.
    SynBlackHole,
    /// Dials are refused.
    RefuseDials,
    /// All connections are reset, now.
    Reset,
    /// The connection of the next answer is reset after so many of its bytes.
    ResetInAnswer {
        /// Bytes that still arrive.
        after_bytes: u32,
    },
    /// Half of the next bytes to the node arrive; the connection is then silent for ever, or reset.
    HalfRequest {
        /// Whether it is reset.
        reset: bool,
    },
    /// Bytes arrive in pieces.
    Dribble {
        /// Bytes in a piece.
        bytes: u32,
    },
    /// The way is longer.
    Slow {
        /// Each way, in ms.
        extra_ms: u32,
        /// And up to so much more.
        jitter_ms: u32,
    },
    /// The process dies and comes back: peers see a reset.
    Crash,
    /// The machine loses power and comes back: peers see nothing.
    PowerLoss,
    /// The process stands still and then executes all that came.
    Freeze,
    /// A broker does this to sends.
    Sends {
        /// What.
        fault: SendFault,
    },
    /// Each send takes so long at the disk of the broker.
    SlowDisk {
        /// Milliseconds.
        ms: u32,
    },
    /// The disk of the broker is full.
    DiskFull,
    /// The broker may not be written.
    ReadOnly,
    /// The broker moves to another address, for good.
    Move,
    /// The topics have another number of queues on the broker.
    Queues {
        /// How many.
        count: u16,
    },
    /// Sends go to another number of queues; those beyond can still be read, and are not refused.
    WriteQueues {
        /// How many.
        count: u16,
    },
    /// The order configuration, where a topic has one, gives the broker another number of queues.
    OrderConf {
        /// How many; 0 takes the broker out.
        queues: u16,
    },
    /// The broker is a slave.
    Demote,
    /// The master is lost. After a while its slave is master, under its own address and the same
    /// name; the old one comes back as slave.
    Promote {
        /// Between the loss and the promotion, in ms.
        after_ms: u32,
        /// Whether the slave has all that was stored.
        tail: Tail,
        /// Whether peers of the old master see nothing, rather than a reset.
        silent: bool,
    },
    /// Master and slave change places, and change back. Nothing that was stored is lost.
    Swap,
    /// The master's process is gone, and name servers name the slave in its place, to be read only.
    ActingMaster,
    /// The slave takes itself for the master, too; in the end it gives in, and loses what it has
    /// stored.
    SplitBrain {
        /// Which name servers hear of it.
        heard: Heard,
    },
    /// The machine loses power and comes back without what was not on disk yet.
    LostTail {
        /// How much time of the log was not, in ms.
        ms: u32,
    },
    /// The broker is not there before.
    Join,
    /// Upgrade in the usual order: no write permission, GO_AWAY and unregistered, down, back.
    Upgrade {
        /// Between the first and the second, in ms.
        drain_ms: u32,
        /// Between the second and the third, in ms.
        leave_ms: u32,
    },
    /// Name servers know the broker by turns.
    RouteFlap {
        /// How long each time, in ms.
        period_ms: u32,
    },
    /// The topic is deleted everywhere, and made again.
    DeleteTopic {
        /// Its position in the plan.
        topic: u16,
    },
    /// The name server learns nothing new.
    StaleRoutes,
    /// The name server forgets everything, at once.
    Forget,
    /// The name server does not answer.
    SilentServer,
    /// The name server answers late.
    SlowServer {
        /// Milliseconds.
        ms: u32,
    },
    /// The wall clock of the producer jumps, for good.
    WallJump {
        /// Milliseconds, also back.
        ms: i64,
    },
    /// The producer's process is not scheduled.
    Stall,
    /// The application gives up every `nth` of the sends in hand.
    Cancel {
        /// 1 for all.
        nth: u32,
    },
    /// The application closes the producer, which has `for_ms` for it.
    Close,
    /// The producer gets no tokens for the bridge.
    NoTokens,
    /// The bridge ends its connections one after the other, and is gone. When the fault ends, a bridge
    /// that is not done yet ends them at once, and it starts again.
    Drain,
    /// Connections of the bridge that are open now are silent for ever, and nobody hears of it.
    HalfOpen {
        /// Those of which side.
        side: Side,
    },
    /// Producers take so little of what the bridge sends them.
    SlowPage {
        /// Bytes a second, on each connection; 0 for none.
        bytes_per_second: u32,
    },
}

/// A side of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// That of the producers.
    Page,
    /// That of name servers and brokers.
    Broker,
}

/// Between a node and whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Producers.
    Producers,
    /// Other nodes.
    Nodes,
    /// Everybody.
    All,
}

/// Which way bytes do not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the node.
    Requests,
    /// From the node.
    Answers,
    /// Neither.
    Both,
}

/// What becomes of bytes that do not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// They arrive later, as TCP sees to it when an outage is short.
    Held,
    /// They are lost, and with them the connection: it is silent for ever.
    Dropped,
}

/// What a promoted slave has of its master's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// All of it, as when only replicas in sync are elected.
    Kept,
    /// What it has copied; the rest is lost.
    Lost,
}

/// Which name servers hear of a second master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// All.
    All,
    /// Every other one, so that they disagree.
    Half,
}

/// To whom a fault can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// A producer.
    Producer,
    /// Any server.
    Node,
    /// A name server.
    NameServer,
    /// A broker, also a slave.
    Broker,
    /// A master that has a slave.
    Pair,
    /// All servers at once.
    Cluster,
    /// The bridge.
    Bridge,
}

impl FaultKind {
    /// To whom it can happen.
    pub const fn aim(self) -> Aim {
        match self {
            Self::WallJump { .. }
            | Self::Stall
            | Self::Cancel { .. }
            | Self::Close
            | Self::NoTokens => Aim::Producer,
            Self::Drain | Self::HalfOpen { .. } | Self::SlowPage { .. } => Aim::Bridge,
            Self::Partition { .. }
            | Self::Flap { .. }
            | Self::SlowReader { .. }
            | Self::SynBlackHole
            | Self::RefuseDials
            | Self::Reset
            | Self::ResetInAnswer { .. }
            | Self::HalfRequest { .. }
            | Self::Dribble { .. }
            | Self::Slow { .. }
            | Self::Crash
            | Self::PowerLoss
            | Self::Freeze => Aim::Node,
            Self::StaleRoutes | Self::Forget | Self::SilentServer | Self::SlowServer { .. } => {
                Aim::NameServer
            }
            Self::Sends { .. }
            | Self::SlowDisk { .. }
            | Self::DiskFull
            | Self::ReadOnly
            | Self::Move
            | Self::Queues { .. }
            | Self::WriteQueues { .. }
            | Self::OrderConf { .. }
            | Self::Demote
            | Self::LostTail { .. }
            | Self::Join
            | Self::Upgrade { .. }
            | Self::RouteFlap { .. } => Aim::Broker,
            Self::Promote { .. } | Self::Swap | Self::ActingMaster | Self::SplitBrain { .. } => {
                Aim::Pair
            }
            Self::DeleteTopic { .. } => Aim::Cluster,
        }
    }

    /// Whether it happens to a producer rather than a node.
    pub const fn aims_at_producer(self) -> bool {
        matches!(self.aim(), Aim::Producer)
    }

    /// Whether only a broker can have it.
    pub const fn needs_broker(self) -> bool {
        matches!(self.aim(), Aim::Broker | Aim::Pair)
    }
}
