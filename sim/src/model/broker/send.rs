//! Is a send allowed, and what is it answered? Codes 10, 310, 320, 324 and 325
//! (`AbstractSendMessageProcessor.java`, `SendMessageProcessor.java`).

use producer_core::wire::code::{request as ask, response};
use producer_core::wire::property_names as names;
use producer_core::wire::send::{SendForm, SendRequest};
use producer_core::wire::{WireError, names as legal, perm, properties, sys_flag};

use super::super::answer::{Answer, Request};
use super::super::{Instant, Release};
use super::delay::Delay;
use super::fault::{Delivery, Fault, Refusal};
use super::topics::{RETRY_PREFIX, describe};
use super::transaction::is_half;
use super::{Broker, TopicConfig};

impl Broker {
    /// Carries out a send, with the faults that are switched on.
    pub(super) fn send(&mut self, now: Instant, request: &Request<'_>) -> (Answer, Delivery) {
        self.counters.sends += 1;
        let understands_go_away = request.header.version > GO_AWAY_ABOVE;
        let applies =
            |fault: &Fault| *fault != Fault::Refuse(Refusal::GoAway) || understands_go_away;
        let go_away = self.leaving && understands_go_away;
        let fault = match go_away {
            true => Some(Fault::Refuse(Refusal::GoAway)),
            false => self.faults.take(applies),
        };
        if let Some(Fault::Refuse(refusal)) = fault {
            reached!(FaultRefuses);
            let topic = topic_of(request);
            return (self.refuse(refusal, &topic), self.in_time(Delivery::Once));
        }
        if fault == Some(Fault::CloseBeforeStoring) {
            reached!(FaultCloses);
            return (Answer::ok(), Delivery::Close);
        }
        let mut answer = self.send_as_java(now, request);
        match fault {
            None => (answer, self.in_time(Delivery::Once)),
            Some(Fault::StoredBut(status)) => {
                if answer.code == response::SUCCESS {
                    reached!(FaultStatus);
                    answer.code = status.code();
                }
                (answer, self.in_time(Delivery::Once))
            }
            Some(fault) => {
                reached!(FaultAnswers);
                (answer, fault.delivery())
            }
        }
    }

    /// The answer that a refusal makes, and the fields that real ones have.
    pub(super) fn refuse(&self, refusal: Refusal, topic: &str) -> Answer {
        let code = refusal.code();
        let remark = match refusal {
            Refusal::SystemError => "store putMessage return null".to_owned(),
            Refusal::FewReplicas => "in-sync replicas not enough".to_owned(),
            Refusal::NoFile => "create mapped file failed, server is busy or broken.".to_owned(),
            Refusal::Busy => {
                "[REJECTREQUEST]system busy, start flow control for a while".to_owned()
            }
            Refusal::Overload => "[OVERLOAD]system busy, start flow control for a while".to_owned(),
            Refusal::PageCacheBusy => {
                "[PCBUSY_CLEAN_QUEUE]broker busy, start flow control for a while, \
                 period in queue: 0ms, size of queue: 0"
                    .to_owned()
            }
            Refusal::WaitedTooLong => format!(
                "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, \
                 period in queue: {}ms, size of queue: 0",
                self.config.send_wait_max.as_millis()
            ),
            Refusal::GoAway => "please go away".to_owned(),
            Refusal::Illegal => self.illegal_remark(),
            Refusal::DiskFull => DISK_FULL.to_owned(),
            Refusal::NoPermission => self.forbidden_remark(),
            Refusal::NoTopic => self.no_topic_remark(topic),
        };
        match refusal {
            Refusal::Busy
            | Refusal::Overload
            | Refusal::PageCacheBusy
            | Refusal::WaitedTooLong
            | Refusal::GoAway => Answer::outside(code, remark),
            Refusal::SystemError
            | Refusal::FewReplicas
            | Refusal::NoFile
            | Refusal::Illegal
            | Refusal::DiskFull
            | Refusal::NoPermission
            | Refusal::NoTopic => self.in_region(Answer::error(code, remark)),
        }
    }

    fn in_time(&self, delivery: Delivery) -> Delivery {
        if self.answer_delay.is_zero() { delivery } else { Delivery::Late(self.answer_delay) }
    }

    fn send_as_java(&mut self, now: Instant, request: &Request<'_>) -> Answer {
        if self.config.id != 0 && self.config.release == Release::V5_4_0 {
            reached!(SlaveRefuses);
            return self.refuse(Refusal::Busy, "");
        }
        let code = request.header.code;
        let Some(form) = SendForm::of_code(code) else { return Answer::not_supported(code) };
        let send = match SendRequest::from_ext(form, &request.header.ext) {
            Ok(send) => send,
            Err(error) => return self.bad_send(error),
        };
        if let Err(refused) = Self::not_modelled(request, &send) {
            return refused;
        }
        match self.check(now, request, &send) {
            Ok((queue_id, delay)) => self.store(now, request, &send, queue_id, delay),
            Err(refused) if refused.own_form => refused,
            Err(refused) => self.in_region(refused),
        }
    }

    /// The answer to a send that lacks fields. 4.9.7 goes on with a topic that is null.
    fn bad_send(&self, error: WireError) -> Answer {
        let no_topic = matches!(error, WireError::MissingField { name: "b" | "topic" });
        if no_topic && self.config.release == Release::V4_9_7 {
            let remark = self.name_remark("", legal::NameError::Blank);
            return self.in_region(Answer::error(self.invalid_parameter(), remark));
        }
        Answer::bad_request(error)
    }

    /// What has no model is refused and never taken for a plain message.
    fn not_modelled(request: &Request<'_>, send: &SendRequest<'_>) -> Result<(), Answer> {
        let text = send.properties.as_deref().unwrap_or("");
        if is_reply(request.header.code) || is_batch(request, send) {
            return Ok(());
        }
        let prepared = sys_flag::transaction(send.sys_flag) == sys_flag::TRANSACTION_PREPARED;
        let what = match (is_half(text), prepared) {
            (true, _) if is_delayed(text) => "delayed half messages",
            (false, true) => "half messages without TRAN_MSG",
            _ => return Ok(()),
        };
        let remark = format!("the broker model does not know {what}");
        Err(Answer::outside(response::REQUEST_CODE_NOT_SUPPORTED, remark))
    }

    /// All checks, in Java's order; the queue to be written, and how the message is delayed.
    fn check(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        send: &SendRequest<'_>,
    ) -> Result<(usize, Option<Delay>), Answer> {
        let topic = &*send.topic;
        let ordered = self.topics.get(topic).is_some_and(|topic| topic.config.order);
        if ordered && !perm::is_writable(self.config.permission) {
            return Err(Answer::error(response::NO_PERMISSION, self.forbidden_remark()));
        }
        if let Err(error) = legal::check_topic(topic) {
            return Err(Answer::error(self.invalid_parameter(), self.name_remark(topic, error)));
        }
        if legal::is_forbidden_topic(topic) {
            let remark = format!("Sending message to topic[{topic}] is forbidden.");
            return Err(Answer::error(response::NO_PERMISSION, remark));
        }
        let config = self.topic_for(now, send)?;
        if send.queue_id >= config.read_queues.max(config.write_queues) {
            reached!(QueueMissing);
            let topic = describe(self.config.release, topic, &config);
            let peer = request.peer.map(|peer| peer.to_string()).unwrap_or_default();
            let queue_id = send.queue_id;
            let remark =
                format!("request queueId[{queue_id}] is illegal, {topic} Producer: {peer}");
            return Err(Answer::error(self.invalid_parameter(), remark));
        }
        self.check_message(request, send)?;
        let text = send.properties.as_deref().unwrap_or("");
        let delay = match is_reply(request.header.code) || is_batch(request, send) {
            true => None,
            false => self.delay_of(now, text)?,
        };
        let random = self.next_random();
        let asked = usize::try_from(send.queue_id)
            .unwrap_or_else(|_| (random % config.write_queues.max(1) as u64) as usize);
        Ok((self.queue_by_priority(request, send, &config).unwrap_or(asked), delay))
    }

    /// The queue that a message's priority chooses (5.4.0).
    fn queue_by_priority(
        &self,
        request: &Request<'_>,
        send: &SendRequest<'_>,
        config: &TopicConfig,
    ) -> Option<usize> {
        let text = send.properties.as_deref().unwrap_or("");
        let priority = properties::get(text, names::PRIORITY)?.parse::<i32>().ok()?;
        let is_special = is_reply(request.header.code)
            || is_batch(request, send)
            || is_half(text)
            || is_delayed(text)
            || properties::get(text, names::SHARDING_KEY).is_some();
        if self.config.release == Release::V4_9_7 || is_special {
            return None;
        }
        usize::try_from(priority.min(config.write_queues - 1)).ok()
    }

    /// The topic of a send, created if that is what sends do.
    fn topic_for(&mut self, now: Instant, send: &SendRequest<'_>) -> Result<TopicConfig, Answer> {
        if let Some(topic) = self.topics.get(&send.topic) {
            return Ok(topic.config);
        }
        let queues = send.default_topic_queue_nums;
        let made = self.topics.made_by_send(&self.config, &send.topic, &send.default_topic, queues);
        let Some(made) = made else {
            reached!(TopicMissing);
            let remark = self.no_topic_remark(&send.topic);
            return Err(Answer::error(response::TOPIC_NOT_EXIST, remark));
        };
        self.set_topic(now, &send.topic, made);
        Ok(made)
    }

    fn check_message(&self, request: &Request<'_>, send: &SendRequest<'_>) -> Result<(), Answer> {
        let batch = is_batch(request, send);
        if let Some(group) = send.topic.strip_prefix(RETRY_PREFIX) {
            if batch && self.config.release == Release::V5_4_0 {
                let topic = &send.topic;
                let remark = format!("batch request does not support retry group {topic}");
                return Err(Answer::error(response::MESSAGE_ILLEGAL, remark));
            }
            if !self.config.auto_create_groups {
                let help = self.config.release.help();
                let remark = format!("subscription group not exist, {group} {help}");
                return Err(Answer::error(response::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
            }
        }
        let prepared = sys_flag::transaction(send.sys_flag) == sys_flag::TRANSACTION_PREPARED;
        let half = is_half(send.properties.as_deref().unwrap_or(""));
        if half && !batch && !is_reply(request.header.code) && self.config.reject_transactions {
            let ip = self.config.address.ip();
            let remark = format!("the broker[{ip}] sending transaction message is forbidden");
            return Err(Answer::error(response::NO_PERMISSION, remark));
        }
        if self.disk.full || self.config.id != 0 {
            reached!(DiskRefuses);
            return Err(Answer::error(response::SERVICE_NOT_AVAILABLE, DISK_FULL));
        }
        let properties = send.properties.as_deref().unwrap_or("").len();
        let too_long = request.body.len() > self.config.body_bytes_max;
        if too_long && batch && self.config.release == Release::V5_4_0 {
            // Thrown, not answered, by the encoder of batches.
            let remark = "java.lang.RuntimeException: message body size exceeded";
            return Err(Answer::outside(response::SYSTEM_ERROR, remark));
        }
        if (prepared && batch) || too_long || properties > properties::PROPERTIES_BYTES_MAX {
            return Err(Answer::error(response::MESSAGE_ILLEGAL, self.illegal_remark()));
        }
        Ok(())
    }

    /// Adds what the send processor puts into each of its answers.
    pub(super) fn in_region(&self, mut answer: Answer) -> Answer {
        answer.fields.push(names::TRACE_SWITCH, self.trace_on());
        answer.fields.push(names::MSG_REGION, self.config.region.clone());
        answer
    }

    pub(super) const fn trace_on(&self) -> &'static str {
        if self.config.trace_on { "true" } else { "false" }
    }

    fn illegal_remark(&self) -> String {
        format!(
            "the message is illegal, maybe msg body or properties length not matched. \
             msg body length limit {}B, msg properties length limit 32KB.",
            self.config.body_bytes_max
        )
    }

    fn forbidden_remark(&self) -> String {
        format!("the broker[{}] sending message is forbidden", self.config.address.ip())
    }

    fn no_topic_remark(&self, topic: &str) -> String {
        format!("topic[{topic}] not exist, apply first please!{}", self.config.release.help())
    }
}

/// Whether a code sends a reply.
pub(super) const fn is_reply(code: i32) -> bool {
    matches!(code, ask::SEND_REPLY_MESSAGE | ask::SEND_REPLY_MESSAGE_V2)
}

/// Whether a body is a batch. The request's code does not say so, as in Java.
pub(super) fn is_batch(request: &Request<'_>, send: &SendRequest<'_>) -> bool {
    send.batch == Some(true) && !is_reply(request.header.code)
}

/// Whether properties ask for a later delivery.
fn is_delayed(text: &str) -> bool {
    let delays = [
        names::DELAY_TIME_LEVEL,
        names::TIMER_DELIVER_MS,
        names::TIMER_DELAY_SEC,
        names::TIMER_DELAY_MS,
    ];
    properties::decode(text).any(|(name, _)| delays.contains(&name))
}

fn topic_of(request: &Request<'_>) -> String {
    let name = match SendForm::of_code(request.header.code) {
        Some(SendForm::V1) => "topic",
        Some(SendForm::V2) | None => "b",
    };
    request.header.ext.text(name).unwrap_or_default()
}

const DISK_FULL: &str = "service not available now. It may be caused by one of the following \
    reasons: the broker's disk is full [CL:  0.92 CQ:  0.92 INDEX: -1.00], messages are put to the \
    slave, message store has been shut down, etc.";

/// Clients that announce a later version than 5.3.1 understand GO_AWAY (spec §1.7).
const GO_AWAY_ABOVE: i32 = producer_core::wire::version::ordinal(5, 3, 1);
