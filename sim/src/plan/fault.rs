//! What can break?

use serde::{Deserialize, Serialize};

use crate::model::broker::{Fault, Refusal, Status};

/// One thing that breaks, and mends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// When it begins.
    pub at_ms: u64,
    /// How long it lasts; what happens at one instant has no use for it.
    #[serde(default)]
    pub for_ms: u64,
    /// A node (`ns-0`, `broker-1`) or `producer-0`.
    pub target: String,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
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
    /// The broker is a slave.
    Demote,
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

/// What a broker does to sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendFault {
    /// [`Fault::Refuse`].
    Refuse(RefusalPlan),
    /// [`Fault::StoredBut`].
    StoredBut(StatusPlan),
    /// [`Fault::NoAnswer`].
    NoAnswer,
    /// [`Fault::AnswerTwice`].
    AnswerTwice,
    /// [`Fault::WrongOpaque`].
    WrongOpaque,
    /// [`Fault::AnswerLate`], by milliseconds.
    AnswerLate(u32),
    /// [`Fault::HalfAnswer`].
    HalfAnswer,
    /// [`Fault::Garbage`].
    Garbage,
    /// [`Fault::CloseBeforeStoring`].
    CloseBeforeStoring,
    /// [`Fault::CloseAfterStoring`].
    CloseAfterStoring,
}

/// [`Refusal`] in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the refusal of the same name")]
pub enum RefusalPlan {
    SystemError,
    Busy,
    Overload,
    PageCacheBusy,
    WaitedTooLong,
    Illegal,
    DiskFull,
    NoPermission,
    NoTopic,
    GoAway,
}

/// [`Status`] in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the status of the same name")]
pub enum StatusPlan {
    FlushDiskTimeout,
    SlaveNotAvailable,
    FlushSlaveTimeout,
}

impl FaultKind {
    /// Whether it happens to a producer rather than a node.
    pub const fn aims_at_producer(self) -> bool {
        matches!(self, Self::WallJump { .. } | Self::Stall | Self::Cancel { .. } | Self::Close)
    }

    /// Whether only a broker can have it.
    pub const fn needs_broker(self) -> bool {
        matches!(
            self,
            Self::Sends { .. }
                | Self::SlowDisk { .. }
                | Self::DiskFull
                | Self::ReadOnly
                | Self::Move
                | Self::Queues { .. }
                | Self::Demote
        )
    }
}

impl From<SendFault> for Fault {
    fn from(plan: SendFault) -> Self {
        match plan {
            SendFault::Refuse(refusal) => Self::Refuse(refusal.into()),
            SendFault::StoredBut(status) => Self::StoredBut(status.into()),
            SendFault::NoAnswer => Self::NoAnswer,
            SendFault::AnswerTwice => Self::AnswerTwice,
            SendFault::WrongOpaque => Self::WrongOpaque,
            SendFault::AnswerLate(ms) => {
                Self::AnswerLate(std::time::Duration::from_millis(ms.into()))
            }
            SendFault::HalfAnswer => Self::HalfAnswer,
            SendFault::Garbage => Self::Garbage,
            SendFault::CloseBeforeStoring => Self::CloseBeforeStoring,
            SendFault::CloseAfterStoring => Self::CloseAfterStoring,
        }
    }
}

impl From<RefusalPlan> for Refusal {
    fn from(plan: RefusalPlan) -> Self {
        match plan {
            RefusalPlan::SystemError => Self::SystemError,
            RefusalPlan::Busy => Self::Busy,
            RefusalPlan::Overload => Self::Overload,
            RefusalPlan::PageCacheBusy => Self::PageCacheBusy,
            RefusalPlan::WaitedTooLong => Self::WaitedTooLong,
            RefusalPlan::Illegal => Self::Illegal,
            RefusalPlan::DiskFull => Self::DiskFull,
            RefusalPlan::NoPermission => Self::NoPermission,
            RefusalPlan::NoTopic => Self::NoTopic,
            RefusalPlan::GoAway => Self::GoAway,
        }
    }
}

impl From<StatusPlan> for Status {
    fn from(plan: StatusPlan) -> Self {
        match plan {
            StatusPlan::FlushDiskTimeout => Self::FlushDiskTimeout,
            StatusPlan::SlaveNotAvailable => Self::SlaveNotAvailable,
            StatusPlan::FlushSlaveTimeout => Self::FlushSlaveTimeout,
        }
    }
}
