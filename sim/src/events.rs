//! What happened in a run, event by event, in a form that programs can read?
//!
//! A run that keeps its lines keeps these, too. Timelines and pages are made of them.

use producer_core::wire::code::{request, response};
use producer_core::{Instant, Reason};

/// Something that happened at a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// Where: a position in [`hosts`]; `None` for all of them.
    pub host: Option<u16>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The application asked for a send, whose ticket this is.
    Asked(u64),
    /// It was told how that ended: the ticket, and which of its ends.
    Ended(u64, usize),
    /// The host dials another.
    Dial {
        /// The connection.
        link: usize,
        /// To whom.
        to: u16,
        /// How and when it was answered or given up; "connected" if it was made.
        ended: Option<(Instant, String)>,
    },
    /// A frame leaves for another host.
    Frame(Box<Frame>),
    /// Bytes leave that are no frame.
    Garbage {
        /// The connection.
        link: usize,
        /// To whom.
        to: u16,
    },
    /// The host closes a connection, or learns that it has ended.
    Closed {
        /// The connection.
        link: usize,
        /// With whom.
        peer: u16,
        /// Why.
        why: String,
    },
    /// A fault of the plan begins.
    FaultBegins(usize),
    /// It ends.
    FaultEnds(usize),
    /// A core of the cluster is well from now on.
    Healed,
}

/// A frame on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The connection.
    pub link: usize,
    /// To whom.
    pub to: u16,
    /// When its last byte was there; `None` if it never was.
    pub arrived: Option<Instant>,
    /// Code of the request that it answers, if it is an answer.
    pub answers: Option<i32>,
    /// Its code.
    pub code: i32,
    /// Number of the request.
    pub opaque: i32,
    /// Its size.
    pub bytes: usize,
    /// Topic, if it names one.
    pub topic: Option<String>,
    /// Queue, if it names one.
    pub queue: Option<i32>,
    /// Position in the queue, if it names one.
    pub offset: Option<i64>,
    /// What it says in words.
    pub remark: Option<String>,
    /// The send that it is about.
    pub ticket: Option<u64>,
    /// Which attempt of it this is, and why it goes there.
    pub attempt: Option<(u32, Reason)>,
}

impl Frame {
    /// Its code by name.
    pub fn name(&self) -> &'static str {
        let name = if self.answers.is_some() { response::name } else { request::name };
        name(self.code).unwrap_or("?")
    }
}

/// The hosts of a plan: producers, then its nodes.
pub fn hosts(plan: &crate::plan::Plan) -> Vec<String> {
    let producers = (0..plan.producers()).map(|n| format!("producer-{n}"));
    producers.chain(plan.nodes()).collect()
}
