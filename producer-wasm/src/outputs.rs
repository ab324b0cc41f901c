//! What does the core want done, in numbers and text that cross to JavaScript at once?
//!
//! A call leaves `wake, text bytes, op, op, …`. `wake` is when to call
//! [`timeout`](crate::Core::timeout), in milliseconds, infinity for never. An op is its number and
//! then its fields; a text is a field that says how many UTF-16 units it has, and stands in
//! [`text`](crate::Core::text) after those of all fields before it. Times are milliseconds. The
//! other half of this is `ts/outputs.ts`; a test of the package compares the two.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use producer_core::{
    CloseReport, Event, Instant, Outcome, Output, Receipt, ReplyMessage, Route, SendError,
    SendStatus, Stats, TransactionCheck,
};

use crate::failure;

/// Numbers of ops.
mod op {
    /// conn, deadline, address.
    pub(super) const CONNECT: f64 = 1.0;
    /// conn.
    pub(super) const TRANSMIT: f64 = 2.0;
    /// conn.
    pub(super) const CLOSE: f64 = 3.0;
    /// ticket, receipt.
    pub(super) const STORED: f64 = 4.0;
    /// ticket, outcome, response code, attempts, elapsed, code, message, hint, id, broker, trail.
    pub(super) const FAILED: f64 = 5.0;
    /// ticket, id.
    pub(super) const WRITTEN: f64 = 6.0;
    /// ticket, count, so many receipts.
    pub(super) const BATCH: f64 = 7.0;
    /// ticket, transaction, receipt.
    pub(super) const PREPARED: f64 = 8.0;
    /// transaction, times, born, flag, sys flag, body, id, topic, group, properties.
    pub(super) const CHECK: f64 = 9.0;
    /// ticket, born, flag, sys flag, body, id, born host, properties.
    pub(super) const REPLIED: f64 = 10.0;
    /// ticket, ordered, count of queues, so many (number of a name, queue).
    pub(super) const ROUTE: f64 = 11.0;
    /// stored, written, not sent, rejected, unknown, ids of the unknown with blanks in between.
    pub(super) const CLOSED: f64 = 12.0;
    /// number, name: from now on the number stands for the name.
    pub(super) const NAME: f64 = 13.0;
    /// ticket, problem.
    pub(super) const INVALID: f64 = 14.0;
    /// 0 not sent, 2 unknown, -1 ended before.
    pub(super) const CANCELLED: f64 = 15.0;
    /// 0 or 1.
    pub(super) const FLAG: f64 = 16.0;
    /// elapsed, id, broker, code, message.
    pub(super) const RETRIED: f64 = 17.0;
    /// usable, broker.
    pub(super) const BROKER: f64 = 18.0;
    /// topic, brokers with blanks in between.
    pub(super) const ROUTE_CHANGED: f64 = 19.0;
}

/// Names that repeat cross once and are numbers from then on; past so many the numbers begin anew.
const NAMES_MAX: usize = 1_024;

/// What a call leaves.
#[derive(Default)]
pub(crate) struct Outputs {
    pub(crate) numbers: Vec<f64>,
    pub(crate) text: String,
    pub(crate) bodies: Vec<Vec<u8>>,
    names: Vec<Arc<str>>,
}

impl Outputs {
    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.numbers.extend([f64::INFINITY, 0.0]);
        self.text.clear();
        self.bodies.clear();
    }

    pub(crate) fn body(&self, number: usize) -> &[u8] {
        self.bodies.get(number).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn wake_at(&mut self, at: Option<Instant>) {
        self.numbers[0] = at.map_or(f64::INFINITY, ms);
        self.numbers[1] = self.text.len() as f64;
    }

    pub(crate) fn connect(&mut self, conn: usize, address: &str, deadline: Instant) {
        self.numbers.extend([op::CONNECT, conn as f64, ms(deadline)]);
        self.say(address);
    }

    pub(crate) fn transmit(&mut self, conn: usize) {
        self.numbers.extend([op::TRANSMIT, conn as f64]);
    }

    pub(crate) fn close(&mut self, conn: usize) {
        self.numbers.extend([op::CLOSE, conn as f64]);
    }

    pub(crate) fn invalid(&mut self, ticket: u32, problem: &str) {
        self.numbers.extend([op::INVALID, f64::from(ticket)]);
        self.say(problem);
    }

    pub(crate) fn cancelled(&mut self, outcome: Option<Outcome>) {
        let outcome = outcome.map_or(-1.0, |outcome| match outcome {
            Outcome::Unknown => 2.0,
            Outcome::NotSent | Outcome::Rejected => 0.0,
        });
        self.numbers.extend([op::CANCELLED, outcome]);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.numbers.extend([op::FLAG, f64::from(flag)]);
    }

    pub(crate) fn prepared(&mut self, ticket: u32, transaction: usize, receipt: &Receipt) {
        let names = self.names_of(receipt);
        self.numbers.extend([op::PREPARED, f64::from(ticket), transaction as f64]);
        self.receipt(receipt, names);
    }

    pub(crate) fn check(&mut self, transaction: usize, check: TransactionCheck) {
        let numbers = [
            op::CHECK,
            transaction as f64,
            f64::from(check.times),
            check.born_ms as f64,
            f64::from(check.flag),
            f64::from(check.sys_flag),
            self.bodies.len() as f64,
        ];
        self.numbers.extend(numbers);
        self.say(&check.transaction.id);
        self.say(&check.transaction.topic);
        self.say(check.group_name.as_str());
        self.say(&pairs(check.properties()));
        self.bodies.push(check.body);
    }

    /// The rest: what needs nothing but itself.
    pub(crate) fn put(&mut self, output: Output<u32>) {
        match output {
            Output::Completed { ticket, result: Ok(receipt) } => {
                let names = self.names_of(&receipt);
                self.numbers.extend([op::STORED, f64::from(ticket)]);
                self.receipt(&receipt, names);
            }
            Output::BatchCompleted { ticket, result: Ok(receipts) } => {
                let names = receipts.first().map_or([0.0; 2], |receipt| self.names_of(receipt));
                self.numbers.extend([op::BATCH, f64::from(ticket), receipts.len() as f64]);
                for receipt in &receipts {
                    self.receipt(receipt, names);
                }
            }
            Output::Completed { ticket, result: Err(error) }
            | Output::BatchCompleted { ticket, result: Err(error) }
            | Output::Prepared { ticket, result: Err(error) }
            | Output::Replied { ticket, result: Err(error) }
            | Output::Route { ticket, result: Err(error) }
            | Output::Answered { ticket, result: Err(error) } => self.failed(ticket, &error),
            Output::Written { ticket, message_id } => {
                self.numbers.extend([op::WRITTEN, f64::from(ticket)]);
                self.say(message_id.as_str());
            }
            Output::Replied { ticket, result: Ok(reply) } => self.replied(ticket, reply),
            Output::Route { ticket, result: Ok(route) } => self.route(ticket, &route),
            Output::Event(event) => self.event(&event),
            Output::Closed(report) => self.closed(&report),
            _ => {}
        }
    }

    pub(crate) fn failed(&mut self, ticket: u32, error: &SendError) {
        let last = error.attempts().iter().rev().find_map(|attempt| attempt.broker.as_deref());
        let outcome = match error.outcome() {
            Outcome::NotSent => 0.0,
            Outcome::Rejected => 1.0,
            Outcome::Unknown => 2.0,
        };
        let numbers = [
            op::FAILED,
            f64::from(ticket),
            outcome,
            f64::from(failure::response_code(error.kind())),
            error.attempts().iter().filter(|attempt| attempt.broker.is_some()).count() as f64,
            error.elapsed().as_secs_f64() * 1e3,
        ];
        self.numbers.extend(numbers);
        self.say(error.kind().code());
        self.say(&error.to_string());
        self.say(failure::hint(error.kind()));
        self.say(error.message_id().as_ref().map_or("", |id| id.as_str()));
        self.say(last.unwrap_or_default());
        self.say(&failure::trail(error.attempts()));
    }

    fn receipt(&mut self, receipt: &Receipt, [broker, region]: [f64; 2]) {
        let status = match receipt.status {
            SendStatus::SendOk => 0.0,
            SendStatus::FlushDiskTimeout => 1.0,
            SendStatus::FlushSlaveTimeout => 2.0,
            SendStatus::SlaveNotAvailable => 3.0,
        };
        let numbers = [
            status,
            f64::from(receipt.queue_id),
            receipt.queue_offset as f64,
            f64::from(receipt.attempts),
            f64::from(receipt.maybe_duplicate),
            receipt.epoch as f64,
            broker,
            region,
        ];
        self.numbers.extend(numbers);
        self.say(receipt.message_id.as_str());
        self.say(receipt.offset_id.as_ref().map_or("", |id| id.as_str()));
        self.say(receipt.recall_handle.as_deref().unwrap_or_default());
    }

    fn replied(&mut self, ticket: u32, reply: ReplyMessage) {
        let numbers = [
            op::REPLIED,
            f64::from(ticket),
            reply.born_ms as f64,
            f64::from(reply.flag),
            f64::from(reply.sys_flag),
            self.bodies.len() as f64,
        ];
        self.numbers.extend(numbers);
        self.say(reply.request_id.as_str());
        self.say(&reply.born_host);
        self.say(&pairs(reply.properties()));
        self.bodies.push(reply.body);
    }

    fn route(&mut self, ticket: u32, route: &Route) {
        let queues: Vec<(f64, u32)> =
            route.queues.iter().map(|queue| (self.number_of(&queue.broker), queue.id)).collect();
        let ordered = f64::from(route.ordered);
        self.numbers.extend([op::ROUTE, f64::from(ticket), ordered, queues.len() as f64]);
        for (broker, id) in queues {
            self.numbers.extend([broker, f64::from(id)]);
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Retried { message_id, attempt } => {
                self.numbers.extend([op::RETRIED, attempt.elapsed.as_secs_f64() * 1e3]);
                self.say(message_id.as_str());
                self.say(attempt.broker.as_deref().unwrap_or_default());
                self.say(attempt.kind.code());
                self.say(&attempt.kind.to_string());
            }
            Event::Broker { name, usable } => {
                self.numbers.extend([op::BROKER, f64::from(*usable)]);
                self.say(name);
            }
            Event::Route { topic, brokers } => {
                self.numbers.push(op::ROUTE_CHANGED);
                self.say(topic);
                self.say(&brokers.join(" "));
            }
            _ => {}
        }
    }

    fn closed(&mut self, report: &CloseReport) {
        let counts =
            [report.stored, report.written, report.not_sent, report.rejected, report.unknown];
        self.numbers.push(op::CLOSED);
        self.numbers.extend(counts.map(|count| count as f64));
        let ids: Vec<&str> = report.unknown_ids.iter().map(|id| id.as_str()).collect();
        self.say(&ids.join(" "));
    }

    /// Numbers for broker and region, which repeat.
    fn names_of(&mut self, receipt: &Receipt) -> [f64; 2] {
        [self.number_of(&receipt.broker), self.number_of(&receipt.region)]
    }

    fn number_of(&mut self, name: &Arc<str>) -> f64 {
        if let Some(number) = self.names.iter().position(|known| known == name) {
            return number as f64;
        }
        if self.names.len() == NAMES_MAX {
            self.names.clear();
        }
        let number = self.names.len() as f64;
        self.names.push(name.clone());
        self.numbers.extend([op::NAME, number]);
        self.say(name);
        number
    }

    fn say(&mut self, text: &str) {
        let units = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
        self.numbers.push(units as f64);
        self.text.push_str(text);
    }
}

fn ms(at: Instant) -> f64 {
    at.as_nanos() as f64 / 1e6
}

/// Names and values in turn, each ended by U+0001, which properties cannot hold.
fn pairs<'p>(properties: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let mut text = String::new();
    for (name, value) in properties {
        for part in [name, value] {
            text.push_str(part);
            text.push('\u{1}');
        }
    }
    text
}

/// Names of what `Core::stats` gives, in JavaScript's way of writing.
pub const STATS: [&str; 21] = [
    "accepted",
    "stored",
    "written",
    "notSent",
    "rejected",
    "unknown",
    "cancelled",
    "attempts",
    "retries",
    "retriesRefused",
    "lateResponses",
    "connects",
    "connectionFailures",
    "routeRequests",
    "routeChanges",
    "ejections",
    "heartbeats",
    "inHand",
    "bytesInHand",
    "requestsInFlight",
    "outBytes",
];

impl Outputs {
    pub(crate) fn stats(&mut self, stats: &Stats) {
        let counters: [f64; STATS.len()] = [
            stats.accepted as f64,
            stats.stored as f64,
            stats.written as f64,
            stats.not_sent as f64,
            stats.rejected as f64,
            stats.unknown as f64,
            stats.cancelled as f64,
            stats.attempts as f64,
            stats.retries as f64,
            stats.retries_refused as f64,
            stats.late_responses as f64,
            stats.connects as f64,
            stats.connection_failures as f64,
            stats.route_requests as f64,
            stats.route_changes as f64,
            stats.ejections as f64,
            stats.heartbeats as f64,
            stats.in_hand as f64,
            stats.bytes_in_hand as f64,
            stats.requests_in_flight as f64,
            stats.out_bytes as f64,
        ];
        self.clear();
        self.numbers.clear();
        self.numbers.extend(counters);
        for name in STATS {
            self.text.push_str(name);
            self.text.push(' ');
        }
    }
}
