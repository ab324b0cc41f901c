//! What can go wrong with a send, on command? Plans name these faults as they are.

use std::time::Duration;

use producer_core::wire::code::response;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Something that happens to sends in the place of, or besides, what should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing is stored, and this is the answer.
    Refuse(Refusal),
    /// Stored, and answered with a status that says that it may be lost.
    StoredBut(Status),
    /// Stored and not answered.
    NoAnswer,
    /// Stored and answered twice.
    AnswerTwice,
    /// Stored and answered under a request id that nobody has asked with.
    WrongOpaque,
    /// Stored and answered so much later; milliseconds in a plan.
    #[serde(serialize_with = "to_millis", deserialize_with = "from_millis")]
    AnswerLate(Duration),
    /// Stored; half of the answer, then the connection ends.
    HalfAnswer,
    /// Stored; bytes that are no frame in the place of the answer.
    Garbage,
    /// Stored; something like a frame in the place of the answer.
    Malformed(Malformed),
    /// Nothing is stored, and the connection ends.
    CloseBeforeStoring,
    /// Stored, and the connection ends without an answer.
    CloseAfterStoring,
}

fn to_millis<S: Serializer>(by: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(by.as_millis()).unwrap_or(u64::MAX))
}

fn from_millis<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

/// An error code of a broker, with the remark that real ones give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// 1: the store failed.
    SystemError,
    /// 1: too few replicas are in sync.
    FewReplicas,
    /// 1: no file to write to could be made.
    NoFile,
    /// 2: the store is busy.
    Busy,
    /// 2: the queue of sends is full.
    Overload,
    /// 2: the page cache was busy, and the queue was cleared.
    PageCacheBusy,
    /// 2: the send waited too long in the queue.
    WaitedTooLong,
    /// 13: message illegal.
    Illegal,
    /// 14: disk full.
    DiskFull,
    /// 16: no permission.
    NoPermission,
    /// 17: topic does not exist.
    NoTopic,
    /// 1500: the broker is going down. Only for clients that announce to understand it; others
    /// are served as if nothing were.
    GoAway,
}

impl Refusal {
    /// Code in the answer.
    pub const fn code(self) -> i32 {
        match self {
            Self::SystemError | Self::FewReplicas | Self::NoFile => response::SYSTEM_ERROR,
            Self::Busy | Self::Overload | Self::PageCacheBusy | Self::WaitedTooLong => {
                response::SYSTEM_BUSY
            }
            Self::Illegal => response::MESSAGE_ILLEGAL,
            Self::DiskFull => response::SERVICE_NOT_AVAILABLE,
            Self::NoPermission => response::NO_PERMISSION,
            Self::NoTopic => response::TOPIC_NOT_EXIST,
            Self::GoAway => response::GO_AWAY,
        }
    }
}

/// A status that a stored message is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// 10: not yet on disk.
    FlushDiskTimeout,
    /// 11: no slave.
    SlaveNotAvailable,
    /// 12: not yet at a slave.
    FlushSlaveTimeout,
}

impl Status {
    /// Code in the answer.
    pub const fn code(self) -> i32 {
        match self {
            Self::FlushDiskTimeout => response::FLUSH_DISK_TIMEOUT,
            Self::SlaveNotAvailable => response::SLAVE_NOT_AVAILABLE,
            Self::FlushSlaveTimeout => response::FLUSH_SLAVE_TIMEOUT,
        }
    }
}

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// It claims to be longer than any may be.
    TooLong,
    /// Its header claims to be longer than the frame.
    LongHeader,
    /// Its header is JSON that breaks off.
    BrokenJson,
    /// Its header is in the binary form and breaks off.
    BrokenBinary,
    /// Its header is in a form that nobody knows.
    UnknownForm,
}

impl Malformed {
    /// The frame.
    pub(super) fn bytes(self) -> Vec<u8> {
        let json = br#"{"code":0,"flag":1,"#;
        let frame = |length: u32, form: u32, header_length: u32, header: &[u8]| {
            let mark = (form << 24) | header_length;
            [&length.to_be_bytes()[..], &mark.to_be_bytes(), header].concat()
        };
        let header = json.len() as u32;
        match self {
            Self::TooLong => frame(0x7FFF_FFFF, 0, header, json),
            Self::LongHeader => frame(4 + header, 0, header + 1, json),
            Self::BrokenJson => frame(4 + header, 0, header, json),
            Self::BrokenBinary => frame(4 + 6, 1, 6, &[0, 0, 12, 1, 0, 0]),
            Self::UnknownForm => frame(4 + header, 7, header, json),
        }
    }
}

/// For how many sends a fault holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The next so many.
    Next(u32),
    /// All, until [`super::Broker::clear_faults`].
    All,
}

/// Faults in the order they were switched on; the first that is not used up counts.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Vec<(Fault, Times)>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, times: Times) {
        if times != Times::Next(0) {
            self.armed.push((fault, times));
        }
    }

    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    /// The fault of the next send that `applies` agrees to.
    pub(super) fn take(&mut self, applies: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let at = self.armed.iter().position(|(fault, _)| applies(fault))?;
        let (fault, times) = &mut self.armed[at];
        let fault = *fault;
        match times {
            Times::Next(left) if *left > 1 => *left -= 1,
            Times::Next(_) => {
                self.armed.remove(at);
            }
            Times::All => {}
        }
        Some(fault)
    }
}

/// How an answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Once,
    Twice,
    Never,
    WrongOpaque,
    Half,
    Garbage,
    Malformed(Malformed),
    Close,
    Late(Duration),
}

impl Fault {
    /// What the fault does to the answer.
    pub(super) const fn delivery(&self) -> Delivery {
        match self {
            Self::Refuse(_) | Self::StoredBut(_) => Delivery::Once,
            Self::NoAnswer => Delivery::Never,
            Self::AnswerTwice => Delivery::Twice,
            Self::WrongOpaque => Delivery::WrongOpaque,
            Self::AnswerLate(by) => Delivery::Late(*by),
            Self::HalfAnswer => Delivery::Half,
            Self::Garbage => Delivery::Garbage,
            Self::Malformed(how) => Delivery::Malformed(*how),
            Self::CloseBeforeStoring | Self::CloseAfterStoring => Delivery::Close,
        }
    }
}
