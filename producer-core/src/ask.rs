//! What may an application ask of brokers and name servers besides sending?
//!
//! Questions that change nothing when they are asked twice, and a few that do. They are asked once:
//! what could not be dialled is dialled again while there is time, but nothing that has left is sent
//! again.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::State;
use crate::connection_end::ConnectionEnd;
use crate::error::{ErrorKind, Outcome, SendError};
use crate::has;
use crate::in_flight::Purpose;
use crate::names::Address;
use crate::output::Output;
use crate::peers::Unconnected;
use crate::producer::Producer;
use crate::slab::Key;
use crate::time::Instant;
use crate::vip;
use crate::wire::frame::Frame;
use crate::wire::{Fields, Header, code};

/// A request of any code, for [`Producer::ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who is asked.
    pub target: AskTarget,
    /// Request code ([`wire::code::request`](crate::wire::code::request)).
    pub code: i32,
    /// Its fields.
    pub fields: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request with these fields and no body.
    pub fn new(target: AskTarget, code: i32, fields: &Fields<'_>) -> Self {
        let fields = fields.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Self { target, code, fields: fields.collect(), body: Vec::new() }
    }
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskTarget {
    /// The master of a broker that a known route names
    /// ([`query_route`](Producer::query_route) makes one known).
    Broker(Arc<str>),
    /// Whoever listens there, as it is advertised.
    Address(Address),
    /// The name server in use.
    NameServer,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Response code; 0 is success.
    pub code: i32,
    /// Error text.
    pub remark: Option<String>,
    /// Its fields.
    pub fields: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer, for tests of what reads one.
    pub fn new<'f>(
        code: i32,
        remark: Option<&str>,
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
        body: Vec<u8>,
    ) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Self { code, remark: remark.map(ToString::to_string), fields: fields.collect(), body }
    }

    /// The value of a field; of several with one name, the last.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().rev().find(|field| field.0 == name).map(|field| &*field.1)
    }
}

/// A question under way.
pub(crate) struct Ask<T> {
    ticket: T,
    request: Request,
    begun: Instant,
    deadline: Instant,
    /// When to try to dial again, while it is on no connection.
    again_at: Option<Instant>,
}

/// Most questions at a time.
const ASKS_MAX: usize = 4096;

impl<T> Producer<T> {
    /// Asks a broker or name server. The ticket comes back exactly once, with [`Output::Answered`],
    /// within `timeout`. At most 4,096 at a time; one more fails with [`ErrorKind::Full`].
    pub fn ask(&mut self, now: Instant, ticket: T, request: Request, timeout: Duration) {
        self.advance(now);
        let (begun, deadline) = (self.now, self.now + timeout);
        let ask = Ask { ticket, request, begun, deadline, again_at: None };
        let refusal = match self.closing {
            Some(_) => Some(ErrorKind::Closed),
            None => (self.asks.len() >= ASKS_MAX).then_some(ErrorKind::Full),
        };
        match refusal {
            Some(kind) => self.fail_ask(ask, kind, Outcome::NotSent),
            None => {
                let key = self.asks.insert(ask);
                self.put_ask(key);
            }
        }
        self.run_ready();
    }

    /// Puts a question on a connection, or sees to it that this is tried again.
    fn put_ask(&mut self, key: Key) {
        let Some(ask) = self.asks.get(key) else { return };
        let (target, code) = (ask.request.target.clone(), ask.request.code);
        let conn = match self.ask_connection(&target, code) {
            Ok(conn) => conn,
            Err(Ok(at)) => {
                let Some(ask) = self.asks.get_mut(key) else { return };
                let at = at.min(ask.deadline);
                ask.again_at = Some(at);
                return self.wake_by(at);
            }
            Err(Err(kind)) => {
                if let Some(ask) = self.asks.remove(key) {
                    self.fail_ask(ask, kind, Outcome::NotSent);
                }
                return;
            }
        };
        let Some(ask) = self.asks.get_mut(key) else { return };
        ask.again_at = None;
        let mut fields = Fields::new();
        for (name, value) in &ask.request.fields {
            fields.push(name.clone(), value.clone());
        }
        let (code, deadline) = (ask.request.code, ask.deadline);
        let body = ask.request.body.clone();
        self.request_until(conn, code, fields, &body, Purpose::Ask(key), deadline);
    }

    /// The connection for a question; else when to try again, or why there will be none.
    fn ask_connection(
        &mut self,
        target: &AskTarget,
        code: i32,
    ) -> Result<Key, Result<Instant, ErrorKind>> {
        match target {
            AskTarget::Broker(name) => {
                let broker = self.routes.broker_id(name).ok_or(Err(ErrorKind::BrokerNotFound))?;
                let conn = match vip::may_ask(code) {
                    true => self.broker_connection(broker),
                    false => self.main_connection(broker),
                };
                conn.map_err(|error| match error {
                    Unconnected::NoMaster => Err(ErrorKind::NoMaster),
                    Unconnected::Until(at) => Ok(at),
                })
            }
            AskTarget::Address(advertised) => {
                let address = self.config.dialled_for(advertised, code);
                Ok(self.connection_to(address, false))
            }
            AskTarget::NameServer if self.name_servers.is_empty() => {
                Err(Err(ErrorKind::NoNameServer))
            }
            AskTarget::NameServer => {
                let count = self.name_servers.len();
                let first = self.current_server;
                let mut servers = (first..first + count).map(|at| at % count);
                let conn = servers.find_map(|server| self.server_connection(server));
                conn.ok_or_else(|| Ok(self.now + ASK_AGAIN))
            }
        }
    }

    /// Tries again what could not be dialled. Returns when the next one is due.
    pub(crate) fn tend_asks(&mut self) -> Instant {
        let mut next = Instant::FAR;
        if !has::QUESTIONS {
            return next;
        }
        for slot in 0..self.asks.slots() {
            let Some(key) = self.asks.key_at(slot) else { continue };
            let Some(ask) = self.asks.get(key) else { continue };
            let Some(at) = ask.again_at else { continue };
            if self.now >= ask.deadline {
                if let Some(ask) = self.asks.remove(key) {
                    self.fail_ask(ask, ErrorKind::Deadline, Outcome::NotSent);
                }
            } else if self.now >= at {
                self.put_ask(key);
            }
            let again_at = self.asks.get(key).and_then(|ask| ask.again_at);
            next = next.min(again_at.unwrap_or(Instant::FAR));
        }
        next
    }

    /// A question was answered.
    #[cold]
    pub(crate) fn ask_answered(&mut self, key: Key, frame: Frame<'_>) -> Result<(), String> {
        if !has::QUESTIONS {
            return Ok(());
        }
        let header =
            Header::decode(frame.serialize, frame.header).map_err(|error| error.to_string())?;
        let Some(ask) = self.asks.remove(key) else { return Ok(()) };
        let text = |text: crate::wire::Text<'_>| text.to_cow().into_owned();
        let answer = Answer {
            code: header.code,
            remark: header.remark.map(text),
            fields: header.ext.iter().map(|(name, value)| (text(name), text(value))).collect(),
            body: Vec::from(frame.body),
        };
        if self.traces() && ask.request.code == code::request::RECALL_MESSAGE {
            self.trace_recall(&ask.request, &answer);
        }
        self.outputs.push_back(Output::Answered { ticket: ask.ticket, result: Ok(answer) });
        Ok(())
    }

    /// The connection of a question has ended.
    pub(crate) fn ask_cut(&mut self, key: Key, state: State, end: &ConnectionEnd) {
        let Some(ask) = self.asks.get_mut(key).filter(|_| has::QUESTIONS) else { return };
        if state == State::Dialling && self.closing.is_none() {
            let at = (self.now + ASK_AGAIN).min(ask.deadline);
            ask.again_at = Some(at);
            return self.wake_by(at);
        }
        if let Some(ask) = self.asks.remove(key) {
            let kind = match self.closing {
                Some(_) => ErrorKind::Closed,
                None => ErrorKind::ConnectionLost(end.clone()),
            };
            self.fail_ask(ask, kind, Outcome::Unknown);
        }
    }

    /// A question was not answered in time.
    pub(crate) fn ask_timed_out(&mut self, key: Key) {
        if has::QUESTIONS
            && let Some(ask) = self.asks.remove(key)
        {
            self.fail_ask(ask, ErrorKind::AttemptTimeout, Outcome::Unknown);
        }
    }

    /// The producer is closed: questions that are on no connection have no answer.
    pub(crate) fn fail_asks(&mut self) {
        if !has::QUESTIONS {
            return;
        }
        for slot in 0..self.asks.slots() {
            let Some(key) = self.asks.key_at(slot) else { continue };
            if let Some(ask) = self.asks.remove(key) {
                self.fail_ask(ask, ErrorKind::Closed, Outcome::Unknown);
            }
        }
    }

    fn fail_ask(&mut self, ask: Ask<T>, kind: ErrorKind, outcome: Outcome) {
        let elapsed = self.now.since(ask.begun);
        let error = SendError::new(kind, outcome, None, elapsed, Vec::new());
        self.outputs.push_back(Output::Answered { ticket: ask.ticket, result: Err(error) });
    }
}

/// Pause before an address is dialled again for a question.
const ASK_AGAIN: Duration = Duration::from_millis(100);
