//! How does another client answer a message (spec §7.10)?
//!
//! A request is an ordinary message that names its sender. Whoever consumes it sends the reply to a
//! broker, which pushes it down the connection on which that sender last said who it is.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::error::{ErrorKind, Outcome, SendError};
use crate::message::{InvalidMessage, Message};
use crate::output::Output;
use crate::producer::Producer;
use crate::receipt::Receipt;
use crate::route::{Hasher, Map};
use crate::send::{Reply, SendId, SendOptions};
use crate::slab::Key;
use crate::special::{Form, Special};
use crate::time::{Instant, millis};
use crate::unique_id::MessageId;
use crate::wire::code::response;
use crate::wire::frame::Frame;
use crate::wire::reply::PushReply;
use crate::wire::send::SendResponse;
use crate::wire::{Header, properties, property_names as names};

/// Names a request until its reply has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u128);

impl fmt::Display for RequestId {
    /// As a UUID, which Java's correlation ids are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        f.write_str(&parts.join("-"))
    }
}

impl RequestId {
    fn parse(text: &str) -> Option<Self> {
        let groups = text.len() == 36 && text.bytes().filter(|&byte| byte == b'-').count() == 4;
        let digits = text.replace('-', "");
        let number = u128::from_str_radix(&digits, 16).ok().filter(|_| groups);
        number.map(Self).filter(|id| id.to_string() == text)
    }
}

/// What another client answered to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplyMessage {
    /// The id that the request had.
    pub request_id: MessageId,
    /// The body as it was sent: compressed if `sys_flag` says so.
    pub body: Vec<u8>,
    /// Bits that say how the body is compressed ([`wire::sys_flag`](crate::wire::sys_flag)).
    pub sys_flag: i32,
    /// The answering application's flag.
    pub flag: i32,
    /// When the reply was made, in milliseconds since 1970.
    pub born_ms: i64,
    /// Who made it, `ip:port`.
    pub born_host: String,
    properties: String,
}

impl ReplyMessage {
    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        properties::get(&self.properties, name)
    }

    /// All properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        properties::decode(&self.properties)
    }
}

/// A request whose reply has not come.
struct Waiting<T> {
    /// Its send, until that has ended; the ticket is there then.
    send: Option<SendId>,
    /// Here once it is sent.
    ticket: Option<T>,
    message_id: Option<MessageId>,
    begun: Instant,
    deadline: Instant,
}

/// Requests by correlation id.
pub(crate) struct Requests<T> {
    waiting: Map<RequestId, Waiting<T>>,
    /// Sorted by deadline, so that nothing depends on the order of a map. Most come in at the end
    /// and go near the start.
    due: VecDeque<(Instant, RequestId)>,
}

/// Most requests that wait for their replies. A sixteenth of a million replies are not awaited by
/// accident.
const REQUESTS_MAX: usize = 1 << 16;

impl<T> Requests<T> {
    pub(crate) fn new() -> Self {
        Self { waiting: Map::with_hasher(Hasher::with_seed(0)), due: VecDeque::new() }
    }

    /// Whether no reply is awaited.
    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    fn insert(&mut self, id: RequestId, waiting: Waiting<T>) {
        self.note_due(waiting.deadline, id);
        self.waiting.insert(id, waiting);
    }

    fn note_due(&mut self, deadline: Instant, id: RequestId) {
        if let Err(at) = self.due.binary_search(&(deadline, id)) {
            self.due.insert(at, (deadline, id));
        }
    }

    fn remove(&mut self, id: RequestId) -> Option<Waiting<T>> {
        let removed = self.waiting.remove(&id)?;
        if let Ok(at) = self.due.binary_search(&(removed.deadline, id)) {
            self.due.remove(at);
        }
        Some(removed)
    }
}

impl<T> Producer<T> {
    /// Takes over a request. Its ticket comes back exactly once, with [`Output::Replied`] or from
    /// [`cancel_request`](Self::cancel_request). The timeout of `options` covers sending and the
    /// wait for the reply. One more than 65,536 that wait ends with [`ErrorKind::Full`]. The message
    /// is always answered, whatever [`SendOptions::reply`] says.
    ///
    /// The reply comes by the broker to which its sender gave it, so connections to all brokers of
    /// known routes are kept from the first request on.
    pub fn request(
        &mut self,
        now: Instant,
        ticket: T,
        message: Message,
        mut options: SendOptions,
    ) -> RequestId {
        self.advance(now);
        self.stay_connected();
        options.reply = Reply::Awaited;
        let id = self.next_request_id();
        let timeout = options.timeout.unwrap_or(self.config.send_timeout);
        let ttl = millis(timeout);
        let properties = format!(
            "{}\u{1}{id}\u{2}{}\u{1}{}\u{2}{}\u{1}{ttl}\u{2}",
            names::CORRELATION_ID,
            names::MESSAGE_REPLY_TO_CLIENT,
            self.client_id,
            names::MESSAGE_TTL,
        );
        let special = Some(Box::new(Special { form: Form::Request(id), properties }));
        if self.requests.len() >= REQUESTS_MAX {
            self.stats.accepted += 1;
            self.refuse(ticket, special, options.group, ErrorKind::Full);
            return id;
        }
        let (begun, deadline) = (self.now, self.now + timeout);
        let waiting = Waiting { send: None, ticket: None, message_id: None, begun, deadline };
        self.requests.insert(id, waiting);
        self.wake_by(deadline);
        let send = self.start_specially(ticket, message, options, special);
        let message_id = self.message_id(send);
        if let Some(waiting) = self.requests.waiting.get_mut(&id) {
            waiting.send = message_id.map(|_| send);
            waiting.message_id = waiting.message_id.or(message_id);
        }
        id
    }

    /// The caller of a request has lost interest. Its ticket comes back, `None` if the request has
    /// ended already. Whether the message is sent is as with [`cancel`](Self::cancel).
    pub fn cancel_request(&mut self, now: Instant, id: RequestId) -> Option<T> {
        self.advance(now);
        let waiting = self.requests.remove(id)?;
        match waiting.send {
            Some(send) => self.cancel(now, send).or(waiting.ticket),
            None => waiting.ticket,
        }
    }

    /// The send of a request has ended.
    pub(crate) fn request_sent(
        &mut self,
        id: RequestId,
        ticket: T,
        result: Result<Receipt, SendError>,
    ) {
        match result {
            Ok(receipt) => {
                let Some(waiting) = self.requests.waiting.get_mut(&id) else { return };
                waiting.send = None;
                waiting.ticket = Some(ticket);
                waiting.message_id = Some(receipt.message_id);
                // It may be that only the send was waited for any more.
                let deadline = waiting.deadline;
                self.requests.note_due(deadline, id);
                self.wake_by(deadline);
            }
            Err(error) => {
                self.requests.remove(id);
                self.outputs.push_back(Output::Replied { ticket, result: Err(error) });
            }
        }
    }

    /// A broker brings a reply (PUSH_REPLY_MESSAGE_TO_CLIENT); it waits for our answer.
    pub(crate) fn reply_pushed(
        &mut self,
        conn: Key,
        request: &SendResponse<'_>,
        frame: Frame<'_>,
    ) -> Result<(), String> {
        let header =
            Header::decode(frame.serialize, frame.header).map_err(|error| error.to_string())?;
        let pushed = match PushReply::from_ext(&header.ext) {
            Ok(pushed) => pushed,
            Err(error) => {
                let remark = error.to_string();
                let code = response::SYSTEM_ERROR;
                self.answer_peer(conn, request.opaque, code, Some(&remark), &[]);
                return Ok(());
            }
        };
        self.take_reply(pushed, frame.body);
        // Also for one that nobody waits for: the broker did its part.
        if !planted!(PushUnanswered) {
            self.answer_peer(conn, request.opaque, response::SUCCESS, None, &[]);
        }
        Ok(())
    }

    fn take_reply(&mut self, pushed: PushReply, body: &[u8]) {
        let text = pushed.properties.unwrap_or_default();
        let id = properties::get(&text, names::CORRELATION_ID).and_then(RequestId::parse);
        let id = match planted!(AnyReplyTaken) {
            true => self.requests.due.front().map(|&(_, id)| id),
            false => id,
        };
        let Some(waiting) = id.and_then(|id| self.requests.remove(id)) else {
            self.stats.late_replies += 1;
            return;
        };
        // The reply may be quicker than the broker's answer to the request itself.
        let message_id = waiting.send.and_then(|send| self.message_id(send));
        let early = waiting.send.and_then(|send| self.replied_early(send.key()));
        let (Some(ticket), Some(request_id)) =
            (waiting.ticket.or(early), waiting.message_id.or(message_id))
        else {
            return;
        };
        let reply = ReplyMessage {
            request_id,
            body: Vec::from(body),
            sys_flag: pushed.sys_flag,
            flag: pushed.flag,
            born_ms: pushed.born_timestamp,
            born_host: pushed.born_host,
            properties: text,
        };
        self.outputs.push_back(Output::Replied { ticket, result: Ok(reply) });
    }

    /// A request was replied to before the broker said that it is stored: it is, so it is not sent
    /// again.
    fn replied_early(&mut self, key: Key) -> Option<T> {
        if planted!(RepliedSentAgain) {
            return self.sends.get_mut(key)?.ticket.take();
        }
        self.abandon_attempt(key);
        let ticket = self.remove(key, Outcome::NotSent, |send| send.ticket.take())?;
        self.stats.stored += 1;
        if let Some(closing) = &mut self.closing {
            closing.report.stored += 1;
        }
        ticket
    }

    /// Requests whose time is up. Returns when the next one's is.
    pub(crate) fn expire_requests(&mut self) -> Instant {
        while let Some(&(deadline, id)) = self.requests.due.front() {
            if deadline > self.now {
                return deadline;
            }
            self.requests.due.pop_front();
            // What is still being sent ends as a send does.
            let sent = |waiting: &Waiting<T>| waiting.ticket.is_some();
            if self.requests.waiting.get(&id).is_some_and(sent)
                && let Some(waiting) = self.requests.waiting.remove(&id)
            {
                self.fail_request(waiting, ErrorKind::NoReply);
            }
        }
        Instant::FAR
    }

    /// The producer is closed: replies that have not come will not.
    pub(crate) fn fail_requests(&mut self) {
        while let Some((_, id)) = self.requests.due.pop_front() {
            if let Some(waiting) = self.requests.waiting.remove(&id) {
                self.fail_request(waiting, ErrorKind::Closed);
            }
        }
    }

    /// The request itself is stored: it may yet be answered, but nobody will hear of it.
    fn fail_request(&mut self, waiting: Waiting<T>, kind: ErrorKind) {
        let Some(ticket) = waiting.ticket else { return };
        let elapsed = self.now.since(waiting.begun);
        let outcome = Outcome::Unknown;
        let error = SendError::new(kind, outcome, waiting.message_id, elapsed, Vec::new());
        self.outputs.push_back(Output::Replied { ticket, result: Err(error) });
    }

    fn next_request_id(&mut self) -> RequestId {
        let random = u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64());
        // Version 4, variant 1, as `UUID.randomUUID` has them.
        let version = random & !(0xF << 76) | 0x4 << 76;
        RequestId(version & !(0x3 << 62) | 0x2 << 62)
    }

    /// Sends the answer to a request that this process has consumed ([`Message::reply_to`]). Its
    /// ticket comes back with [`Output::Completed`]. The broker answers that it has handed the reply
    /// on; code 1 means that the requester is not connected to it, and another broker is tried. It
    /// says nothing of the broker's health.
    pub fn reply(
        &mut self,
        now: Instant,
        ticket: T,
        message: Message,
        mut options: SendOptions,
    ) -> SendId {
        self.advance(now);
        options.reply = Reply::Awaited;
        let special = Special { form: Form::Reply, properties: String::new() };
        self.start_specially(ticket, message, options, Some(Box::new(special)))
    }
}

impl Message {
    /// The answer to a request, to be sent by [`Producer::reply`]. `property` gives the properties
    /// of the request as it was consumed: CLUSTER, CORRELATION_ID, REPLY_TO_CLIENT and TTL
    /// (`MessageUtil.createReplyMessage`).
    ///
    /// # Errors
    /// [`InvalidMessage::NotARequest`] when one of them is missing; and as [`Message::new`].
    pub fn reply_to<'p>(
        property: impl Fn(&str) -> Option<&'p str>,
        body: impl Into<bytes::Bytes>,
    ) -> Result<Self, InvalidMessage> {
        let need = |name: &'static str| property(name).ok_or(InvalidMessage::NotARequest { name });
        let topic = format!("{}_REPLY_TOPIC", need(names::CLUSTER)?);
        let mut message = Self::new(topic, body)?.put(names::MESSAGE_TYPE, "reply")?;
        for name in [names::CORRELATION_ID, names::MESSAGE_REPLY_TO_CLIENT, names::MESSAGE_TTL] {
            message = message.put(name, need(name)?)?;
        }
        Ok(message)
    }
}
