//! Frames that brokers see besides sends, and those that they send of their own accord.

use std::collections::BTreeMap;

use producer_core::wire::stored::StoredMessage;
use producer_core::wire::transaction::CheckTransaction;
use producer_core::wire::{Fields, Head, Header, SerializeType};
use producer_core::{ConnId, HalfMessage, Message, Output, ReplyMessage, SendError, SendOptions};

use super::super::operations::said::{self, head};
use super::{Event, LATENCY, UNIX_MS, World};

/// A frame that a broker has read.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) address: String,
    pub(crate) conn: ConnId,
    pub(crate) code: i32,
    pub(crate) flag: i32,
    pub(crate) opaque: i32,
    pub(crate) remark: Option<String>,
    pub(crate) ext: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn new(address: &str, conn: ConnId, header: &Header<'_>, body: &[u8]) -> Self {
        let fields = header.ext.iter();
        Self {
            address: address.into(),
            conn,
            code: header.code,
            flag: header.flag,
            opaque: header.opaque,
            remark: header.remark.map(|text| text.to_cow().into_owned()),
            ext: fields.map(|(n, v)| (n.to_cow().into(), v.to_cow().into())).collect(),
            body: body.to_vec(),
        }
    }
}

/// What a broker says when it is told to refuse.
pub(crate) fn remark_of(code: i32) -> &'static str {
    match code {
        325 => "push reply message fail, channel of <c@1> not found.",
        _ => "as told",
    }
}

impl World {
    /// Frames of this code that brokers have read, answers as code 0 with flag 1.
    pub(crate) fn seen(&self, code: i32) -> Vec<Seen> {
        self.seen.iter().filter(|seen| seen.code == code).cloned().collect()
    }

    pub(crate) fn send_half(&mut self, message: Message, options: SendOptions) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.producer.send_half(self.now, ticket, message, options);
        self.drain();
        ticket
    }

    /// Sends a half message and waits for its end.
    pub(crate) fn half(&mut self, message: Message) -> Result<HalfMessage, SendError> {
        let ticket = self.send_half(message, SendOptions::default());
        self.prepared(ticket).expect("a half message ends")
    }

    /// How a half message has ended, once it has.
    pub(crate) fn prepared(&mut self, of: u64) -> Option<Result<HalfMessage, SendError>> {
        self.until(|output| match output {
            Output::Prepared { ticket, result } if *ticket == of => {
                Some(result.clone().map(|half| *half))
            }
            _ => None,
        })
    }

    /// How a request has ended, once it has.
    pub(crate) fn replied(&mut self, of: u64) -> Option<Result<ReplyMessage, SendError>> {
        self.until(|output| match output {
            Output::Replied { ticket, result } if *ticket == of => Some(result.clone()),
            _ => None,
        })
    }

    /// Runs until an output comes that is looked for, and takes it; `None` after five minutes.
    pub(crate) fn until<R>(&mut self, found: impl Fn(&Output<u64>) -> Option<R>) -> Option<R> {
        let limit = self.now + super::ms(300_000);
        loop {
            let at = self.others.iter().position(|output| found(output).is_some());
            if let Some(at) = at {
                return found(&self.others.remove(at));
            }
            if !self.step(limit) {
                return None;
            }
        }
    }

    /// Does something to the producer and drains it.
    pub(crate) fn with<R>(
        &mut self,
        what: impl FnOnce(&mut producer_core::Producer<u64>, producer_core::Instant) -> R,
    ) -> R {
        let result = what(&mut self.producer, self.now);
        self.drain();
        result
    }

    /// The connection to an address that was opened last.
    pub(crate) fn conn_to(&self, address: &str) -> Option<ConnId> {
        let to = self.conns.iter().filter(|(_, (known, _))| known == address);
        to.map(|(conn, _)| *conn).max_by_key(|conn| self.opened.get(conn).copied())
    }

    /// A broker sends a request of its own on a connection.
    pub(crate) fn push(&mut self, conn: ConnId, head: &Head<'_>, fields: &Fields<'_>, body: &[u8]) {
        let frame = said::encode(SerializeType::Json, head, fields, body);
        self.later(LATENCY, Event::ToProducer(conn, frame));
    }

    /// A broker asks how the transaction of a stored half message has ended.
    pub(crate) fn check(
        &mut self,
        conn: ConnId,
        asked: &CheckTransaction,
        half: &StoredMessage<'_>,
    ) {
        let mut body = Vec::new();
        half.encode(&mut body).expect("it fits");
        let head = Head { code: 39, opaque: 4_711, flag: Head::ONE_WAY, ..head() };
        self.push(conn, &head, &asked.to_ext(), &body);
    }

    /// A broker brings a reply with these properties.
    pub(crate) fn bring_reply(&mut self, conn: ConnId, properties: &str, body: &[u8]) {
        let push = said::reply(properties, UNIX_MS as i64);
        let head = Head { code: 326, opaque: 4_712, flag: Head::REQUEST, ..head() };
        self.push(conn, &head, &push.to_ext(), body);
    }
}

/// What a broker holds of a half message.
pub(crate) fn half_stored<'a>(properties: &'a str, body: &'a [u8]) -> StoredMessage<'a> {
    said::half_stored("t", properties, body, UNIX_MS as i64)
}

/// Each test passes, and fails when its mistake is made.
#[cfg(feature = "planted-bugs")]
pub(crate) fn hunt(table: &[(producer_core::planted::Bug, fn())]) {
    use producer_core::planted::plant;

    for (bug, test) in table {
        plant(None);
        test();
        plant(Some(*bug));
        let noticed = std::panic::catch_unwind(test).is_err();
        plant(None);
        assert!(noticed, "nothing notices {}", bug.name());
    }
}
