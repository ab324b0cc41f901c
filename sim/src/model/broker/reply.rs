//! How does a reply reach the client that asked? PUSH_REPLY_MESSAGE_TO_CLIENT (326)
//! (`ReplyMessageProcessor.java`).
//!
//! Who replies is answered when the requester has answered, or after [`PUSH_TIMEOUT`]. Replies are
//! also stored, in Java after the push, here before it.

use std::time::Duration;

use producer_core::wire::code::{request as ask, response};
use producer_core::wire::property_names::{MESSAGE_REPLY_TO_CLIENT, PUSH_REPLY_TIME};
use producer_core::wire::reply::PushReply;
use producer_core::wire::send::SendRequest;
use producer_core::wire::{Head, properties};

use super::super::answer::{Answer, Request, Ticket, owned};
use super::super::{ConnId, Instant};
use super::Broker;
use super::fault::Delivery;
use super::store::closed;

/// Replies on their way to clients.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    /// A push whose reply has no answer to wait with yet.
    begun: Option<Push>,
    /// In the order they were begun.
    waiting: Vec<(Push, Waiting)>,
}

/// One question to a client.
#[derive(Debug)]
struct Push {
    conn: ConnId,
    opaque: i32,
    client: String,
    give_up: Instant,
}

/// The answer to who replies.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    answer: Answer,
    delivery: Delivery,
}

impl Pushes {
    /// When something has to be done.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.waiting.iter().map(|(push, _)| push.give_up).min()
    }

    fn take(&mut self, which: impl Fn(&Push) -> bool) -> Option<(Push, Waiting)> {
        let at = self.waiting.iter().position(|(push, _)| which(push))?;
        Some(self.waiting.remove(at))
    }
}

impl Broker {
    /// Pushes a reply to the client that it names. `properties` are those it is stored with.
    pub(super) fn push_reply(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        send: &SendRequest<'_>,
        properties: &str,
        answer: &mut Answer,
    ) {
        let Some(client) = properties::get(properties, MESSAGE_REPLY_TO_CLIENT) else {
            return fail(answer, "reply message properties[REPLY_TO_CLIENT] is null".to_owned());
        };
        let Some(conn) = self.clients.reachable(client) else {
            let remark = format!("push reply message fail, channel of <{client}> not found.");
            return fail(answer, remark);
        };
        let store_timestamp = self.wall_ms(now);
        let pushed = properties::encode([(PUSH_REPLY_TIME, &*store_timestamp.to_string())]);
        let push = PushReply {
            producer_group: send.producer_group.to_string(),
            topic: send.topic.to_string(),
            default_topic: send.default_topic.to_string(),
            default_topic_queue_nums: send.default_topic_queue_nums,
            queue_id: send.queue_id,
            sys_flag: send.sys_flag,
            born_timestamp: send.born_timestamp,
            flag: send.flag,
            properties: Some(format!("{}{pushed}", closed(properties))),
            reconsume_times: Some(0),
            unit_mode: send.unit_mode.unwrap_or(false),
            born_host: request.peer.unwrap_or(self.config.address).to_string(),
            store_host: self.config.address.to_string(),
            store_timestamp,
        };
        let fields = owned(&push.to_ext());
        let code = ask::PUSH_REPLY_MESSAGE_TO_CLIENT;
        let opaque = self.ask_client(conn, code, Head::REQUEST, &fields, request.body);
        let give_up = now + PUSH_TIMEOUT;
        self.pushes.begun = Some(Push { conn, opaque, client: client.to_owned(), give_up });
    }

    /// Lets the answer to a reply wait for what the client says; `false` if there is no push.
    pub(super) fn wait_for_client(
        &mut self,
        ticket: Ticket,
        answer: &Answer,
        delivery: Delivery,
    ) -> bool {
        let Some(push) = self.pushes.begun.take() else { return false };
        self.pushes.waiting.push((push, Waiting { ticket, answer: answer.clone(), delivery }));
        true
    }

    /// A client has answered a push. `false` if none of this number waits on this connection.
    pub(super) fn client_answered(
        &mut self,
        now: Instant,
        conn: ConnId,
        opaque: i32,
        code: i32,
    ) -> bool {
        let ours = |push: &Push| push.conn == conn && push.opaque == opaque;
        let Some(ended) = self.pushes.take(ours) else { return false };
        self.end_push(now, ended, code == response::SUCCESS);
        true
    }

    /// Gives up pushes over a connection that has ended.
    pub(super) fn client_lost(&mut self, now: Instant, conn: ConnId) {
        while let Some(ended) = self.pushes.take(|push| push.conn == conn) {
            self.end_push(now, ended, false);
        }
    }

    /// Gives up pushes that were not answered in time.
    pub(super) fn pushes_timeout(&mut self, now: Instant) {
        while let Some(ended) = self.pushes.take(|push| push.give_up <= now) {
            self.end_push(now, ended, false);
        }
    }

    fn end_push(&mut self, now: Instant, (push, waiting): (Push, Waiting), reached: bool) {
        let Waiting { ticket, mut answer, delivery } = waiting;
        if !reached {
            fail(&mut answer, format!("push reply message to {}fail.", push.client));
        }
        self.deliver(now, ticket, &answer, delivery);
    }
}

fn fail(answer: &mut Answer, remark: String) {
    answer.code = response::SYSTEM_ERROR;
    answer.remark = Some(remark);
}

/// How long a client may take to answer (`Broker2Client.callClient`).
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
