//! What each operation does to a producer.

use std::time::Duration;

use producer_core::wire::Fields;
use producer_core::{
    Address, AskTarget, Batch, ConnectionEnd, Decision, GroupName, Message, Reply, Request,
    SendOptions, TlsFault, TopicName,
};

use super::books::Kind;
use super::peers::{self, answer};
use super::script::{self, Operation, Sending};
use super::stage::{Stage, State};

const TOPICS: [&str; 3] = ["t0", "t1", "t2"];
/// Stands for the topic of replies.
const REPLY_TOPIC: u8 = 3;

impl Stage {
    pub(crate) fn act(&mut self, operation: &Operation) {
        use Operation::*;
        match operation {
            Send(sending) => self.send(sending),
            Batch(sending, members) => self.batch(sending, *members),
            Half(sending) => self.half(sending),
            Request(sending) => self.request(sending),
            Reply(sending) => self.reply(sending),
            Cancel(which) => self.cancel(*which),
            EndTransaction(which, decision) => self.end_transaction(*which, *decision),
            Ask { target, code, timeout } => self.ask(*target, *code, *timeout),
            Query { topic, timeout, connect } => self.query(*topic, *timeout, *connect),
            Connected(which) => self.at(*which, &[State::Dialling], Self::connected),
            Ended(which, how) => {
                let any = [State::Dialling, State::Open, State::Gone];
                self.at(*which, &any, |stage, at| stage.ended(at, end(*how)));
            }
            Leaving(which) => self.at(*which, &[State::Open, State::Gone], |stage, at| {
                stage.producer.handle_leaving(stage.now, stage.conns[at].id);
                stage.drain();
            }),
            Take(which) => self.at(*which, &[State::Open, State::Gone], Self::take),
            Answer { which, how, what } => self.answer(*which, *how, *what),
            Rest(which) => self.at(*which, &[State::Open], |stage, at| {
                let rest = std::mem::take(&mut stage.conns[at].rest);
                stage.deliver(at, &rest);
            }),
            Bytes(which, bytes) => {
                self.at(*which, &[State::Open, State::Gone], |stage, at| stage.deliver(at, bytes));
            }
            Push { conn, what, about } => self.at(*conn, &[State::Open], |stage, at| {
                let known = usize::from(*about).checked_rem(stage.known.len());
                let about = known.map(|at| &*stage.known[at]);
                stage.deliver(at, &peers::push(*what, about));
            }),
            Serve { rounds, what } => (0..*rounds).for_each(|_| self.serve(*what)),
            Wait(span) => self.wait(*span),
            Jump(span) => {
                self.now = self.now + *span;
                self.timeout();
            }
            other => self.set(other),
        }
    }

    /// Does something to a connection that is in one of these states, if there is one.
    fn at(&mut self, which: u8, states: &[State], what: impl FnOnce(&mut Self, usize)) {
        if let Some(at) = self.conn(which, states) {
            what(self, at);
        }
    }

    fn set(&mut self, operation: &Operation) {
        use Operation::*;
        match *operation {
            Wall(byte) => {
                let unix_ms = [0, 1, 1_793_491_200_000, 1 << 45, u64::MAX];
                let unix_ms = unix_ms[usize::from(byte) % unix_ms.len()];
                self.producer.set_wall_clock(self.now, unix_ms);
            }
            NameServers(255) => self.producer.set_name_servers(self.now, Vec::new()),
            NameServers(mask) => {
                self.producer.set_name_servers(self.now, script::name_servers(mask));
            }
            AwaitNameServers => self.producer.await_name_servers(String::from("they come")),
            Credentials(some) => {
                self.producer.set_credentials(some.then(script::credentials));
            }
            Group { which, what } => self.group(which, what),
            Flush => self.producer.flush(self.now),
            Online => self.producer.handle_online(self.now),
            Close(within) => {
                self.closing = true;
                self.producer.close(self.now, self.now + within);
            }
            _ => {}
        }
        self.drain();
    }

    fn group(&mut self, which: u8, what: u8) {
        let group = self.groups[usize::from(which) % self.groups.len()];
        match what % 4 {
            0 => self.producer.stop_group(group),
            1 => self.producer.remove_group(self.now, group),
            _ => {
                let name = GroupName::new(&format!("g{}", which % 3)).expect("valid");
                self.groups.extend(self.producer.add_group(self.now, &name));
            }
        }
    }

    fn options(&self, sending: &Sending) -> SendOptions {
        let mut options = sending.options.clone();
        options.group = self.groups[usize::from(sending.group) % self.groups.len()];
        if sending.special == 2 {
            options.message_id = self.ids.last().copied();
        }
        options
    }

    fn open(&mut self, kind: Kind, sending: &Sending) -> u64 {
        let usual = self.producer.config().send_timeout;
        let timeout = sending.options.timeout.unwrap_or(usual);
        let strict = sending.strict.map(|key| (sending.topic, key));
        self.books.open(kind, self.now + timeout, strict)
    }

    fn message(ticket: u64, sending: &Sending) -> Message {
        let topic = TOPICS[usize::from(sending.topic)];
        let message = Message::new(topic, peers::body(ticket, sending.padding)).expect("valid");
        match sending.special {
            1 => message.delay_seconds(3).expect("valid"),
            _ => message,
        }
    }

    fn send(&mut self, sending: &Sending) {
        let kind = match sending.options.reply {
            Reply::Awaited => Kind::Send,
            Reply::OneWay => Kind::OneWay,
        };
        let (ticket, options) = (self.open(kind, sending), self.options(sending));
        let message = Self::message(ticket, sending);
        let id = self.producer.send(self.now, ticket, message, options);
        self.cancels.push((ticket, Ok(id)));
        self.drain();
    }

    fn batch(&mut self, sending: &Sending, members: usize) {
        let kind = match sending.options.reply {
            Reply::Awaited => Kind::Batch(members),
            Reply::OneWay => Kind::OneWay,
        };
        let (ticket, options) = (self.open(kind, sending), self.options(sending));
        let sending = Sending { special: 0, ..sending.clone() };
        let messages = (0..members).map(|_| Self::message(ticket, &sending));
        let batch = Batch::new(messages).expect("valid");
        let id = self.producer.send_batch(self.now, ticket, batch, options);
        self.cancels.push((ticket, Ok(id)));
        self.drain();
    }

    fn half(&mut self, sending: &Sending) {
        let (ticket, options) = (self.open(Kind::Half, sending), self.options(sending));
        let message = Self::message(ticket, sending);
        let id = self.producer.send_half(self.now, ticket, message, options);
        self.cancels.push((ticket, Ok(id)));
        self.drain();
    }

    fn request(&mut self, sending: &Sending) {
        let (ticket, options) = (self.open(Kind::Request, sending), self.options(sending));
        let message = Self::message(ticket, sending);
        let id = self.producer.request(self.now, ticket, message, options);
        self.cancels.push((ticket, Err(id)));
        self.drain();
    }

    fn reply(&mut self, sending: &Sending) {
        let sending = Sending { topic: REPLY_TOPIC, ..sending.clone() };
        let (ticket, options) = (self.open(Kind::Send, &sending), self.options(&sending));
        let property = |name: &str| Some(if name == "CLUSTER" { "c" } else { "1" });
        let message = Message::reply_to(property, peers::body(ticket, 0)).expect("valid");
        let id = self.producer.reply(self.now, ticket, message, options);
        self.cancels.push((ticket, Ok(id)));
        self.drain();
    }

    fn cancel(&mut self, which: u8) {
        let Some(at) = usize::from(which).checked_rem(self.cancels.len()) else { return };
        // Those of late are under way more often.
        let (ticket, id) = self.cancels[self.cancels.len() - 1 - at];
        let back = match id {
            Ok(id) => self.producer.cancel(self.now, id),
            Err(id) => self.producer.cancel_request(self.now, id),
        };
        if let Some(back) = back {
            assert_eq!(back, ticket, "somebody else's ticket");
            self.books.close(ticket);
        }
        self.drain();
    }

    fn end_transaction(&mut self, which: u8, decision: u8) {
        let Some(at) = usize::from(which).checked_rem(self.transactions.len()) else { return };
        let decisions = [Decision::Commit, Decision::Rollback, Decision::Unknown];
        let decision = decisions[usize::from(decision) % 3];
        let transaction = &self.transactions[at];
        self.producer.end_transaction(self.now, transaction, decision, Some("why"));
        self.drain();
    }

    fn ask(&mut self, target: u8, code: u8, timeout: Duration) {
        let target = match target % 4 {
            0 => AskTarget::NameServer,
            1 => AskTarget::Address(Address::new("a:10911").expect("valid")),
            2 => AskTarget::Broker("a".into()),
            _ => AskTarget::Broker("nobody".into()),
        };
        let code = [30, 105, 106, 351, 370, 12][usize::from(code) % 6];
        let request = Request::new(target, code, &Fields::new().text("topic", "t0"));
        let ticket = self.books.open(Kind::Ask, self.now + timeout, None);
        self.producer.ask(self.now, ticket, request, timeout);
        self.drain();
    }

    fn query(&mut self, topic: u8, timeout: Duration, connect: bool) {
        let topic = TopicName::new(TOPICS[usize::from(topic) % 3]).expect("valid");
        let ticket = self.books.open(Kind::Query, self.now + timeout, None);
        self.producer.query_route(self.now, ticket, &topic, timeout, connect);
        self.drain();
    }

    fn answer(&mut self, which: u8, how: u8, what: u8) {
        let Some(at) = usize::from(which).checked_rem(self.asked.len()) else { return };
        let asked = self.asked[at].clone();
        let good = answer(&asked, asked.opaque, what);
        let conn = asked.conn;
        match how % 12 {
            0 => self.deliver(conn, &[&good[..], &good[..]].concat()),
            1 => self.deliver(conn, &answer(&asked, asked.opaque ^ 0x4000_0000, what)),
            2 => self.at(what, &[State::Open], |stage, other| stage.deliver(other, &good)),
            3 => {
                // What is left of an earlier one comes first.
                let mut all = std::mem::take(&mut self.conns[conn].rest);
                all.extend_from_slice(&good);
                let half = all.len() - good.len() / 2;
                self.conns[conn].rest = all.split_off(half);
                self.deliver(conn, &all);
            }
            4 => {
                for byte in good {
                    self.deliver(conn, &[byte]);
                }
            }
            _ => self.deliver(conn, &good),
        }
    }

    /// Every dial succeeds, everything is written and read, and answered as `what` says.
    pub(super) fn serve(&mut self, what: u8) {
        for at in 0..self.conns.len() {
            if self.conns[at].state == State::Dialling {
                self.connected(at);
            }
            if self.conns[at].told {
                self.take(at);
            }
        }
        for asked in self.asked.clone() {
            let rest = std::mem::take(&mut self.conns[asked.conn].rest);
            let bytes = answer(&asked, asked.opaque, what);
            self.deliver(asked.conn, &[rest, bytes].concat());
        }
    }
}

/// Why a connection ended.
fn end(how: u8) -> ConnectionEnd {
    let text = String::from("as told");
    match how % 10 {
        0 => ConnectionEnd::Refused,
        1 => ConnectionEnd::DialTimeout,
        2 => ConnectionEnd::Unreachable(text),
        3 => ConnectionEnd::Closed,
        4 => ConnectionEnd::Reset,
        5 => ConnectionEnd::Tls { fault: TlsFault::ClientCertificate, detail: text },
        6 => ConnectionEnd::Proxy(text),
        7 => ConnectionEnd::Token(text),
        8 => {
            let after = Duration::from_millis(u64::from(how) * 100);
            ConnectionEnd::Overloaded { after, detail: text }
        }
        _ => ConnectionEnd::Retired,
    }
}
