//! A broker answered: what does it mean?

use alloc::string::String;
use alloc::sync::Arc;

use crate::access;
use crate::attempt::Failure;
use crate::error::{ErrorKind, Outcome, Phase};
use crate::has;
use crate::health::Verdict;
use crate::output::Output;
use crate::producer::Producer;
use crate::receipt::{OffsetId, Receipt, SendStatus};
use crate::say::says;
use crate::send::{Send, Stage, Under};
use crate::slab::Key;
use crate::special::{Form, Special, Told};
use crate::unique_id::MessageId;
use crate::wire::code::response;
use crate::wire::frame::Frame;
use crate::wire::send::SendResponse;
use crate::wire::{Head, Text, code, encode_frame};

/// Regions that brokers name, shared by all receipts. There are few; past the most that are kept
/// the last one gives way.
pub(crate) struct Regions(alloc::vec::Vec<Arc<str>>);

const REGIONS_MAX: usize = 16;

impl Regions {
    pub(crate) fn new() -> Self {
        Self(alloc::vec![Arc::from("DefaultRegion")])
    }

    /// The region with this name; no name, or an empty one, is `DefaultRegion`
    /// (`MQClientAPIImpl.processSendResponse`).
    #[inline(always)]
    fn intern(&mut self, name: Option<Text<'_>>) -> Arc<str> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return self.0[0].clone() };
        if let Some(known) = self.0.iter().find(|known| name.eq_str(known)) {
            return known.clone();
        }
        let region: Arc<str> = Arc::from(&*name.to_cow());
        if self.0.len() == REGIONS_MAX {
            self.0.pop();
        }
        self.0.push(region.clone());
        region
    }
}

impl<T> Producer<T> {
    /// A broker answered a send.
    #[inline(always)] // Called for every answer, from one place.
    pub(crate) fn answered(&mut self, key: Key, answer: &SendResponse<'_>) {
        let Some(send) = self.sends.get(key) else { return };
        let Stage::Under(under) = send.stage else { return };
        let require = send.require.unwrap_or(self.config.require);
        let retry_not_ok = self.config.retry_not_ok;
        let failure = match SendStatus::from_code(answer.code) {
            // It is rolled back, so that no half message stays behind.
            Some(status) if status != SendStatus::SendOk && send.is_half() => {
                return self.stored(key, &under, status, answer);
            }
            Some(status) if !status.satisfies(require) => {
                reached!(StatusBelow);
                stored_but(ErrorKind::BelowRequired { status })
            }
            Some(status) if status != SendStatus::SendOk && retry_not_ok => {
                return self.not_ok(key, &under, status, answer);
            }
            Some(_) if planted!(FlushTimeoutIsOk) => {
                return self.stored(key, &under, SendStatus::SendOk, answer);
            }
            Some(status) => return self.stored(key, &under, status, answer),
            None if planted!(BusyIsStored) && answer.code == response::SYSTEM_BUSY => {
                let place = SendResponse { queue_id: Some(0), queue_offset: Some(0), ..*answer };
                return self.stored(key, &under, SendStatus::SendOk, &place);
            }
            None => refusal(answer),
        };
        self.refused(key, &under, failure);
    }

    fn refused(&mut self, key: Key, under: &Under, failure: Failure) {
        if failure.kind == ErrorKind::GoAway {
            reached!(GoAway);
            if !planted!(GoneStaysOpen) {
                self.retire(under.conn);
            }
        }
        let absent =
            matches!(failure.kind, ErrorKind::Broker { code: response::TOPIC_NOT_EXIST, .. });
        if absent && let Some(topic) = self.sends.get(key).map(|send| send.topic) {
            reached!(RefusedAsAbsent);
            self.routes.topic_mut(topic).refused_as_absent = true;
        }
        self.attempt_failed(key, failure);
    }

    /// Java's `retryAnotherBrokerWhenNotStoreOK`: try elsewhere, but if no attempt is left, what
    /// was stored was stored.
    fn not_ok(&mut self, key: Key, under: &Under, status: SendStatus, answer: &SendResponse<'_>) {
        let last = self.sends.get(key).is_none_or(|send| {
            !send.may_retry()
                || send.attempts + 1 >= self.config.attempts_max
                || send.attempts_all >= self.config.attempts_all_max
                || self.now >= send.deadline
        });
        if last {
            reached!(StatusNotOkLast);
            return self.stored(key, under, status, answer);
        }
        reached!(StatusNotOk);
        self.attempt_failed(key, stored_but(ErrorKind::BelowRequired { status }));
    }

    fn stored(&mut self, key: Key, under: &Under, status: SendStatus, answer: &SendResponse<'_>) {
        let (Some(queue_id), Some(queue_offset)) = (answer.queue_id, answer.queue_offset) else {
            let problem = String::from("it names no queue or no offset");
            return self.attempt_failed(key, stored_but(ErrorKind::BadAnswer { problem }));
        };
        if self.traces() && self.trace_stored(key, under, status, answer) {
            return;
        }
        let broker = &self.routes.brokers[under.queue.broker as usize];
        let name = broker.name.clone();
        if broker.health.learns_from_answer(&self.config.health) {
            let latency = self.now.since(under.started);
            self.observe(under.queue.broker, Verdict::Answered, latency);
        }
        if under.special {
            let told = (status, (queue_id, queue_offset));
            return self.stored_specially(key, under, answer, told, name);
        }
        let keep =
            |send: &mut Send<T>| (send.ticket.take(), send.id, send.attempts_all, send.outcome);
        let ended = match planted!(EndsTwice) {
            true => self.sends.get_mut(key).map(keep),
            false => self.remove(key, Outcome::NotSent, keep),
        };
        let Some((ticket, message_id, attempts, outcome)) = ended else { return };
        reached!(if outcome == Outcome::Unknown => MaybeDuplicate);
        self.count_stored();
        let Some(ticket) = ticket else { return };
        let sent = (message_id, attempts, outcome == Outcome::Unknown);
        // Made where it is put: it is large, and would be copied each time it changes hands.
        let result = Ok(self.receipt(under, status, answer, (queue_id, queue_offset), sent, name));
        self.outputs.push_back(Output::Completed { ticket, result });
    }

    /// A send is stored that has something special about it.
    #[cold]
    fn stored_specially(
        &mut self,
        key: Key,
        under: &Under,
        answer: &SendResponse<'_>,
        (status, place): (SendStatus, (i32, i64)),
        broker: Arc<str>,
    ) {
        let keep = |send: &mut Send<T>| {
            let sent = (send.id, send.attempts_all, send.outcome == Outcome::Unknown);
            (send.ticket.take(), send.special.take(), send.group, sent)
        };
        let ended = self.remove(key, Outcome::NotSent, keep);
        let Some((ticket, special, group, sent)) = ended else { return };
        let receipt = self.receipt(under, status, answer, place, sent, broker);
        let told = Told::new(answer);
        if has::AUTO_BATCH
            && let Some(Special { form: Form::Accumulated(carried), .. }) = special.as_deref()
        {
            return self.carried_stored(key, carried, receipt, &told);
        }
        self.count_stored();
        self.ended(ticket, special, group, Ok((receipt, told)));
    }

    /// One more is stored.
    #[inline]
    pub(crate) fn count_stored(&mut self) {
        self.stats.stored += 1;
        if let Some(closing) = &mut self.closing {
            closing.report.stored += 1;
        }
    }

    /// What is told to who sent it.
    #[inline(always)]
    fn receipt(
        &mut self,
        under: &Under,
        status: SendStatus,
        answer: &SendResponse<'_>,
        (queue_id, queue_offset): (i32, i64),
        (message_id, attempts, maybe_stored): (MessageId, u32, bool),
        broker: Arc<str>,
    ) -> Receipt {
        let offset_id = match answer.msg_id.map(|id| (id, id.as_bytes())) {
            Some((_, Some(digits))) => OffsetId::from_digits(digits),
            Some((id, None)) => OffsetId::parse(&id.to_cow()),
            None => None,
        };
        Receipt {
            message_id,
            offset_id,
            status,
            broker,
            queue_id: u32::try_from(queue_id).unwrap_or(under.queue.id),
            queue_offset: u64::try_from(queue_offset).unwrap_or(0),
            attempts,
            maybe_duplicate: maybe_stored && !planted!(DuplicateUnsaid),
            epoch: under.epoch,
            region: self.regions.intern(answer.region),
            trace_on: answer.trace_on.unwrap_or(true),
            recall_handle: answer.recall_handle.map(recall_handle),
        }
    }

    /// As the planted bug has it: without an answer.
    pub(crate) fn acknowledge_unseen(&mut self, key: Key, under: &Under) {
        let place = SendResponse { queue_id: Some(0), queue_offset: Some(0), ..Default::default() };
        self.stored(key, under, SendStatus::SendOk, &place);
    }

    /// A peer asked us something (spec §2.4). What a producer does not understand it says so.
    #[cold]
    pub(crate) fn asked_by_peer(
        &mut self,
        conn: Key,
        request: &SendResponse<'_>,
        frame: Frame<'_>,
    ) -> Result<(), String> {
        let quiet = matches!(
            request.code,
            code::request::NOTIFY_CONSUMER_IDS_CHANGED
                | code::request::RESET_CONSUMER_CLIENT_OFFSET
        );
        match request.code {
            // A proxy forgets to say that this one is not answered (spec §2.3).
            code::request::CHECK_TRANSACTION_STATE => return self.check_asked(conn, frame),
            code::request::PUSH_REPLY_MESSAGE_TO_CLIENT => {
                return self.reply_pushed(conn, request, frame);
            }
            _ if quiet || request.flag & Head::ONE_WAY != 0 => return Ok(()),
            _ => {}
        }
        let (code, remark, body): (i32, Option<&str>, &[u8]) = match request.code {
            code::request::GET_CONSUMER_STATUS_FROM_CLIENT => {
                (response::SUCCESS, None, br#"{"consumerTable":{},"messageQueueTable":{}}"#)
            }
            code::request::GET_CONSUMER_RUNNING_INFO | code::request::CONSUME_MESSAGE_DIRECTLY => {
                let remark = "The Consumer Group is not in this client";
                (response::SYSTEM_ERROR, Some(remark), &[])
            }
            _ => {
                let remark = "this client does not serve this request code";
                (response::REQUEST_CODE_NOT_SUPPORTED, Some(remark), &[])
            }
        };
        self.answer_peer(conn, request.opaque, code, remark, body);
        Ok(())
    }

    /// Answers a question of a peer.
    pub(crate) fn answer_peer(
        &mut self,
        conn: Key,
        opaque: i32,
        code: i32,
        remark: Option<&str>,
        body: &[u8],
    ) {
        let head = Head {
            code,
            language: crate::wire::Language::from_code(self.config.language),
            version: self.config.version,
            opaque,
            flag: Head::RESPONSE,
            remark,
        };
        let Some(connection) = self.conns.get_mut(conn) else { return };
        if connection.out_bytes() > ANSWERS_BYTES_MAX {
            return; // a peer that asks and does not read gets no more answers
        }
        let encoded = encode_frame(connection.out(), self.config.header, &head, [], body);
        debug_assert!(encoded.is_ok(), "a small frame always fits");
        self.announce(conn);
    }
}

/// Answers to a peer's questions stop while so much waits to be written to it.
const ANSWERS_BYTES_MAX: usize = 64 << 20;

#[cold]
fn recall_handle(text: Text<'_>) -> Arc<str> {
    Arc::from(&*text.to_cow())
}

/// The message is stored, but the answer is not what was asked for.
fn stored_but(kind: ErrorKind) -> Failure {
    Failure {
        phase: Phase::Answer,
        outcome: if planted!(BelowIsRejected) { Outcome::Rejected } else { Outcome::Unknown },
        kind,
        verdict: Verdict::RequestRefused,
        suspect_route: false,
    }
}

/// What an error code says about message, broker and route (spec §3.1).
fn refusal(answer: &SendResponse<'_>) -> Failure {
    let remark = answer.remark.map_or_else(String::new, |text| text.to_cow().into_owned());
    if let Some(kind) = access::denial(answer.code, &remark) {
        let (phase, outcome) = (Phase::Answer, Outcome::Rejected);
        let verdict = Verdict::RequestRefused;
        return Failure { phase, outcome, kind, verdict, suspect_route: false };
    }
    let (verdict, suspect_route) = match answer.code {
        response::SYSTEM_BUSY => {
            reached!(RefusedBusy);
            (Verdict::Unwell, false)
        }
        // The requester is not connected there, or has not taken it.
        response::SYSTEM_ERROR
            if remark.starts_with("push reply message") && !planted!(NotConnectedIsUnwell) =>
        {
            (Verdict::RequestRefused, false)
        }
        response::SYSTEM_ERROR => {
            reached!(RefusedError);
            (Verdict::Unwell, true)
        }
        response::SERVICE_NOT_AVAILABLE | response::GO_AWAY => {
            reached!(RefusedGone);
            (Verdict::Gone, true)
        }
        response::NO_PERMISSION
        | response::TOPIC_NOT_EXIST
        | response::NOT_LEADER_FOR_QUEUE
        | response::INVALID_PARAMETER => {
            reached!(RefusedRequest);
            (Verdict::RequestRefused, true)
        }
        _ => {
            reached!(RefusedOther);
            (Verdict::RequestRefused, false)
        }
    };
    let stored = answer.code == response::SYSTEM_ERROR && !surely_not_stored(&remark);
    let kind = match answer.code {
        response::SYSTEM_BUSY => ErrorKind::Busy { remark },
        response::GO_AWAY => ErrorKind::GoAway,
        code => ErrorKind::Broker { code, remark },
    };
    // A broker that lacks a queue is well.
    let verdict = if kind.lacks_queue() { Verdict::RequestRefused } else { verdict };
    let outcome = if stored { Outcome::Unknown } else { Outcome::Rejected };
    Failure { phase: Phase::Answer, outcome, kind, verdict, suspect_route }
}

/// SYSTEM_ERROR stands for many things. These are said before anything is written
/// (`SendMessageProcessor.java`, `ReplyMessageProcessor.java`, `AclException`, `CommitLog.java`); after any other the message may
/// be in the log.
fn surely_not_stored(remark: &str) -> bool {
    const BEFORE_WRITING: [&str; 10] = [
        "in-sync replicas not enough",
        "create mapped file failed",
        "broker unable to service",
        "AclException",
        "message body size exceeded",
        "accurate timer message is not enabled",
        "The specified topic",
        "request queueId",
        "the specified topic",
        "push reply message fail, channel of",
    ];
    BEFORE_WRITING.iter().any(|said| says(remark, said))
}
