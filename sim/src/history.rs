//! What happened in a run: what the application asked and was told, what was on the wire, and what
//! the brokers' logs hold.

use std::fmt::Write as _;
use std::time::Duration;

use producer_core::{CloseReport, Instant, Receipt, SendError, Stats};
use serde_json::json;

use crate::model::broker::{Message, Why};
use crate::plan::{Mode, Plan};

/// All that a run leaves behind; what checks judge.
#[derive(Debug, Clone)]
pub struct History {
    /// What was to happen.
    pub plan: Plan,
    /// Sends, in the order they were asked.
    pub sends: Vec<SendRecord>,
    /// Requests to store that left a producer, in the order they did.
    pub requests: Vec<Request>,
    /// The brokers' logs, name by name in log order; of a master and its slaves the master's.
    pub stored: Vec<Stored>,
    /// What was in a log and is there no more, by a fault that may take it.
    pub cuts: Vec<CutFromLog>,
    /// Routes that reached a producer, in the order they did.
    pub routes: Vec<RouteSeen>,
    /// Dials of producers, in the order they began.
    pub dials: Vec<Dial>,
    /// Connections that ended for a producer, in the order they did.
    pub lost: Vec<LinkLost>,
    /// Brokers with which nothing was wrong from the healing on.
    pub well: Vec<WellBroker>,
    /// What was wrong the moment it happened.
    pub seen: Vec<crate::check::Violation>,
    /// How each producer ended.
    pub ends: Vec<ProducerEnd>,
    /// When the core of the cluster healed.
    pub healed_at: Instant,
    /// From when on sends must succeed.
    pub judged_from: Instant,
    /// From when on every broker that is well must have its share of them.
    pub shared_from: Instant,
    /// When producers stood still: producer, from, to.
    pub stalls: Vec<(u16, Instant, Instant)>,
    /// How coarse time is: things within it of each other may have happened in any order.
    pub tick: Duration,
}

/// One send of the application.
#[derive(Debug, Clone)]
pub struct SendRecord {
    /// Its ticket, the position in [`History::sends`].
    pub ticket: u64,
    /// Who sent.
    pub producer: u16,
    /// Whether it was sent after healing, to see whether sends succeed.
    pub probe: bool,
    /// How its queue is chosen.
    pub mode: Mode,
    /// Topic.
    pub topic: String,
    /// Ordering key.
    pub key: Option<String>,
    /// Body; no two are equal.
    pub body: String,
    /// When it was asked.
    pub at: Instant,
    /// How long it may take.
    pub timeout: Duration,
    /// The id it goes under, if it was accepted.
    pub message_id: Option<String>,
    /// How it ended. One entry if all is well.
    pub ends: Vec<(Instant, End)>,
}

/// How a send ended.
#[derive(Debug, Clone)]
pub enum End {
    /// Acknowledged.
    Stored(Receipt),
    /// Failed.
    Failed(SendError),
    /// Written, for sends that nobody answers.
    Written,
    /// Given up by the application.
    Cancelled,
}

/// A request to store a message, as it left.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its last byte was taken by the driver.
    pub at: Instant,
    /// Who sent it.
    pub producer: u16,
    /// Address it went to.
    pub address: String,
    /// Connection.
    pub link: usize,
    /// When that was dialled: the request may have been made any time since.
    pub dialled_at: Instant,
    /// Whether it may have waited: it is among the first bytes of the connection, or among the first
    /// after a time in which the peer did not read.
    pub waited: bool,
    /// Request id.
    pub opaque: i32,
    /// Topic.
    pub topic: String,
    /// Queue.
    pub queue_id: i32,
    /// The message's id.
    pub message_id: String,
    /// When anything was last heard on the connection before it left; at first, when it was made.
    pub heard_at: Instant,
    /// When it was answered and with which code, if an answer reached the producer.
    pub answer: Option<(Instant, i32)>,
}

/// A connection that ended: the other side closed it, or it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkLost {
    /// When the producer was told.
    pub at: Instant,
    /// Whose it was.
    pub producer: u16,
    /// Connection.
    pub link: usize,
}

/// A broker with which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WellBroker {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: String,
}

/// A message in a broker's log.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Name of the broker.
    pub broker: String,
    /// The message.
    pub message: Message,
}

/// A message that a broker had stored and does not have any more.
#[derive(Debug, Clone)]
pub struct CutFromLog {
    /// Name of the broker.
    pub broker: String,
    /// The message.
    pub message: Message,
    /// Why it is gone.
    pub why: Why,
}

/// A route that a name server gave to a producer.
#[derive(Debug, Clone)]
pub struct RouteSeen {
    /// When it arrived.
    pub at: Instant,
    /// Who got it.
    pub producer: u16,
    /// Number of the request that it answers. The producer counts them up.
    pub asked: i32,
    /// Name server it came from.
    pub server: String,
    /// Topic.
    pub topic: String,
    /// What may be written: address of the master, and how many queues.
    pub writable: Vec<(String, i32)>,
}

/// A dial.
#[derive(Debug, Clone)]
pub struct Dial {
    /// When it began.
    pub at: Instant,
    /// Who dialled.
    pub producer: u16,
    /// Where to.
    pub address: String,
    /// When it was answered or given up.
    pub ended_at: Option<Instant>,
    /// Whether it made a connection.
    pub connected: bool,
}

/// How a producer ended.
#[derive(Debug, Clone)]
pub struct ProducerEnd {
    /// Counters and levels when everything was over, the producer closed.
    pub stats: Stats,
    /// What it reported when it was closed.
    pub report: Option<CloseReport>,
    /// Most sends in hand at any time.
    pub in_hand_max: usize,
    /// Most connections at any time.
    pub connections_max: usize,
}

impl SendRecord {
    /// The receipt, if it was acknowledged.
    pub fn receipt(&self) -> Option<&Receipt> {
        self.ends.iter().find_map(|(_, end)| match end {
            End::Stored(receipt) => Some(receipt),
            _ => None,
        })
    }

    /// The workload and the key of a send that others of its key wait for.
    pub(crate) fn serial_lane(&self, plan: &Plan) -> Option<(usize, String)> {
        let (number, _) = self.body.strip_prefix('w')?.split_once('-')?;
        let number = number.parse::<usize>().ok()?;
        let serial = plan.workloads[number].serial;
        serial.then(|| (number, self.key.clone().unwrap_or_default()))
    }

    /// The error, if it failed.
    pub fn error(&self) -> Option<&SendError> {
        self.ends.iter().find_map(|(_, end)| match end {
            End::Failed(error) => Some(error),
            _ => None,
        })
    }

    /// Whether its end was `how`.
    pub fn ended(&self, how: impl Fn(&End) -> bool) -> bool {
        self.ends.iter().any(|(_, end)| how(end))
    }
}

impl Request {
    /// Whether nobody can tell from the answer whether it was carried out.
    pub fn is_indeterminate(&self) -> bool {
        // SYSTEM_ERROR stands for failures before and after writing.
        self.answer.is_none_or(|(_, code)| matches!(code, 1 | 10 | 11 | 12))
    }
}

impl History {
    /// Nothing has happened yet.
    pub(crate) const fn new(plan: Plan, tick: Duration) -> Self {
        Self {
            plan,
            sends: Vec::new(),
            requests: Vec::new(),
            stored: Vec::new(),
            cuts: Vec::new(),
            routes: Vec::new(),
            dials: Vec::new(),
            lost: Vec::new(),
            well: Vec::new(),
            seen: Vec::new(),
            ends: Vec::new(),
            healed_at: Instant::ZERO,
            judged_from: Instant::ZERO,
            shared_from: Instant::ZERO,
            stalls: Vec::new(),
            tick,
        }
    }

    /// The sends as JSON lines in the shape of Jepsen's histories: an `invoke` for each, and `ok`,
    /// `fail` (surely not stored) or `info` (nobody knows) when it ended.
    pub fn to_json_lines(&self) -> String {
        let mut lines: Vec<(Instant, u64, serde_json::Value)> = Vec::new();
        for send in &self.sends {
            let line = |kind: &str, at: Instant, more: serde_json::Value| {
                json!({
                    "type": kind, "f": "send", "process": send.ticket, "time": at.as_nanos(),
                    "key": send.key, "value": send.body, "result": more,
                })
            };
            lines.push((send.at, send.ticket, line("invoke", send.at, json!(null))));
            for (at, end) in &send.ends {
                let line = match end {
                    End::Stored(receipt) => {
                        let place = json!({
                            "broker": &*receipt.broker, "queue": receipt.queue_id,
                            "offset": receipt.queue_offset, "status": receipt.status.as_str(),
                        });
                        line("ok", *at, place)
                    }
                    End::Failed(error) => {
                        let surely = error.outcome() != producer_core::Outcome::Unknown;
                        let kind = if surely { "fail" } else { "info" };
                        line(kind, *at, json!({ "error": error.kind().code() }))
                    }
                    End::Written => line("info", *at, json!({ "written": true })),
                    End::Cancelled => line("info", *at, json!({ "cancelled": true })),
                };
                lines.push((*at, send.ticket, line));
            }
        }
        lines.sort_by_key(|(at, ticket, _)| (*at, *ticket));
        let mut text = String::new();
        for (_, _, line) in lines {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}
