//! How is a timer message taken back? RECALL_MESSAGE (370) (`RecallMessageProcessor.java`).

use producer_core::wire::code::response;
use producer_core::wire::property_names::{
    MSG_REGION, PRODUCER_GROUP, REAL_QUEUE_ID, REAL_TOPIC, TAGS, TIMER_DEL_UNIQKEY,
    TIMER_DELIVER_MS, TIMER_OUT_MS, UNIQ_CLIENT_MESSAGE_ID_KEYIDX as UNIQ_KEY,
};
use producer_core::wire::recall::{RecallHandle, RecallRequest};
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{WireError, crc32, perm, properties};

use super::super::answer::{Answer, Request};
use super::super::{Instant, Release};
use super::Broker;
use super::topics::TIMER_TOPIC;

impl Broker {
    /// The handle by which a timer message can be recalled, if it can be.
    pub(super) fn recall_handle(&self, topic: &str, out: i64, uniq_key: &str) -> String {
        let handle = RecallHandle {
            topic: topic.to_owned(),
            broker_name: self.config.name.clone(),
            // One more than the slot's start, so that it is in the same slot.
            timestamp: (out + 1).to_string(),
            message_id: uniq_key.to_owned(),
        };
        handle.encode()
    }

    pub(super) fn recall(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Answer, WireError> {
        if self.config.release == Release::V4_9_7 {
            return Ok(Answer::not_supported(request.header.code));
        }
        let asked = RecallRequest::from_ext(&request.header.ext)?;
        let mut answer = match self.check_recall(now, &asked) {
            Ok(handle) => self.store_recall(now, request, &asked, &handle)?,
            Err((code, remark)) => Answer::error(code, remark),
        };
        answer.fields.push(MSG_REGION, self.config.region.clone());
        Ok(answer)
    }

    /// All checks, in Java's order.
    fn check_recall(
        &self,
        now: Instant,
        asked: &RecallRequest,
    ) -> Result<RecallHandle, (i32, String)> {
        const NOT_HERE: &str = "recall failed, broker service not available";
        let illegal = |remark: &str| (response::ILLEGAL_OPERATION, remark.to_owned());
        if !self.config.recall {
            let remark = "recall failed, operation is forbidden";
            return Err((response::NO_PERMISSION, remark.to_owned()));
        }
        if self.config.id != 0 {
            return Err((response::SLAVE_NOT_AVAILABLE, NOT_HERE.to_owned()));
        }
        if !perm::is_writable(self.config.permission) {
            return Err((response::SERVICE_NOT_AVAILABLE, NOT_HERE.to_owned()));
        }
        let topic = &asked.topic;
        if self.topics.get(topic).is_none() {
            let remark = format!("recall failed, the topic[{topic}] not exist");
            return Err((response::TOPIC_NOT_EXIST, remark));
        }
        let handle = RecallHandle::decode(&asked.recall_handle)
            .map_err(|_| illegal("recall handle is invalid"))?;
        if handle.topic != *topic {
            return Err(illegal("recall failed, topic not match"));
        }
        if handle.broker_name != self.config.name {
            return Err(illegal(NOT_HERE));
        }
        let left = handle.timestamp.parse::<i64>().unwrap_or(-1) - self.wall_ms(now);
        let max = i64::try_from(self.config.timer_max.as_millis()).unwrap_or(i64::MAX);
        if left <= 0 || left >= max {
            return Err(illegal("recall failed, timestamp invalid"));
        }
        Ok(handle)
    }

    /// A recall is a message of its own to the timer, also if there is nothing to be recalled.
    fn store_recall(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        asked: &RecallRequest,
        handle: &RecallHandle,
    ) -> Result<Answer, WireError> {
        if !self.config.timers || self.disk.full {
            let remark = "recall failed, execute error";
            return Ok(Answer::error(response::SYSTEM_ERROR, remark));
        }
        let deliver = handle.timestamp.parse().unwrap_or(0);
        let out = self.timer_slot(deliver);
        let text = properties::encode([
            (TAGS, "_RECALL_TAG_"),
            (TIMER_DEL_UNIQKEY, &*handle.message_id),
            (UNIQ_KEY, &*handle.message_id),
            (TIMER_DELIVER_MS, &*handle.timestamp),
            (PRODUCER_GROUP, asked.producer_group.as_deref().unwrap_or("")),
            (TIMER_OUT_MS, &*out.to_string()),
            (REAL_TOPIC, &*handle.topic),
            (REAL_QUEUE_ID, "0"),
        ]);
        let body = b"0".as_slice();
        let message = StoredMessage {
            body_crc: crc32::crc32_stored(body),
            queue_id: 0,
            flag: 0,
            queue_offset: 0,
            physical_offset: 0,
            sys_flag: 0,
            born_timestamp: self.wall_ms(now),
            born_host: request.peer.unwrap_or(self.config.address),
            store_timestamp: 0,
            store_host: self.config.address,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: body.into(),
            topic: TIMER_TOPIC.into(),
            properties: text.into(),
        };
        self.append_internal(now, message)?;
        self.forget_delayed(out, &handle.topic, &handle.message_id);
        self.offer_copy(now);
        // Success with a remark, as seen.
        let mut answer = Answer::error(response::SUCCESS, "not set any response code");
        answer.fields.push("msgId", handle.message_id.clone());
        Ok(answer)
    }
}
