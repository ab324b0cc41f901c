//! How does a message get into the log, and what does its answer say?

use producer_core::wire::message_id::{OffsetMessageId, UniqKey, month_start_ms};
use producer_core::wire::property_names::{
    CLUSTER, MSG_REGION, TRACE_SWITCH, UNIQ_CLIENT_MESSAGE_ID_KEYIDX as UNIQ_KEY, WAIT_STORE_MSG_OK,
};
use producer_core::wire::send::SendRequest;
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{Fields, WireError, batch, properties};

use super::super::answer::{Answer, Request};
use super::super::{Instant, Release};
use super::Broker;
use super::delay::Delay;
use super::send::{is_batch, is_reply};
use super::topics::RETRY_PREFIX;
use super::transaction::is_half;

/// Where a message, or the first of a batch, went.
pub(super) struct Place {
    pub(super) ids: String,
    /// Physical offset.
    pub(super) at: i64,
    pub(super) queue_offset: i64,
}

impl Broker {
    /// Stores a checked send and answers it.
    pub(super) fn store(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        send: &SendRequest<'_>,
        queue_id: usize,
        delay: Option<Delay>,
    ) -> Answer {
        let text = send.properties.as_deref().unwrap_or("");
        let reply = is_reply(request.header.code);
        let batch = is_batch(request, send);
        let uniq_key = match properties::get(text, UNIQ_KEY) {
            Some(key) => Some(key.to_owned()),
            None if batch || reply => None,
            None => Some(self.next_uniq_key(now)),
        };
        if reply {
            return self.store_reply(now, request, send, queue_id);
        }
        let inner = batch && self.has_inner_batches(&send.topic);
        let placed = if inner {
            let key = uniq_key.as_deref().unwrap_or_default();
            let properties = self.stored_properties(text, key);
            let message =
                self.message(now, request, send, queue_id, request.body, properties.into());
            self.store_inner_batch(queue_id, message)
        } else if batch {
            self.store_batch(now, request, send, queue_id)
        } else {
            let key = uniq_key.as_deref().unwrap_or_default();
            let properties = self.stored_properties(text, key);
            let message =
                self.message(now, request, send, queue_id, request.body, properties.into());
            match delay {
                _ if is_half(text) => self.store_half(now, message, key),
                Some(delay) => self.store_delayed(now, message, delay),
                None => self.append(queue_id, message),
            }
        };
        let place = match placed {
            Ok(place) => place,
            Err(error) => return Answer::bad_request(error),
        };
        let mut handle = None;
        if let (Some(Delay::Timer(out)), Some(key)) = (delay, &uniq_key)
            && !send.topic.starts_with(RETRY_PREFIX)
        {
            handle = Some(self.recall_handle(&send.topic, out, key));
        }
        let key = uniq_key.filter(|_| self.config.release == Release::V5_4_0);
        let batch_key = key.clone().filter(|_| inner);
        let mut answer = self.placed(queue_id, key, place);
        if let Some(key) = batch_key {
            answer.fields.push("batchUniqId", key);
        }
        if let Some(handle) = handle {
            answer.fields.push("recallHandle", handle);
        }
        answer
    }

    /// What a send is answered that was stored.
    fn placed(&self, queue_id: usize, uniq_key: Option<String>, place: Place) -> Answer {
        let mut fields = Fields::new().show("queueId", queue_id);
        if let Some(key) = uniq_key {
            fields.push("transactionId", key);
        }
        fields.push("msgId", place.ids);
        let mut answer = self.in_region(Answer::fields(fields));
        answer.fields.push("queueOffset", place.queue_offset.to_string());
        answer
    }

    /// Stores a reply, if that is what the broker does, and pushes it to the client.
    fn store_reply(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        send: &SendRequest<'_>,
        queue_id: usize,
    ) -> Answer {
        let text = send.properties.as_deref().unwrap_or("");
        let trace_on = self.trace_on();
        let properties = match self.config.release {
            Release::V4_9_7 => text.to_owned(),
            Release::V5_4_0 => {
                let ours = [(MSG_REGION, &*self.config.region), (TRACE_SWITCH, trace_on)];
                format!("{}{}", closed(text), properties::encode(ours))
            }
        };
        let place = if self.config.store_replies {
            let message =
                self.message(now, request, send, queue_id, request.body, (&*properties).into());
            self.append(queue_id, message)
        } else {
            Ok(Place { ids: "0".to_owned(), at: 0, queue_offset: 0 })
        };
        let mut answer = match place {
            Ok(place) => self.placed(queue_id, None, place),
            Err(error) => return Answer::bad_request(error),
        };
        self.push_reply(now, request, send, &properties, &mut answer);
        answer
    }

    fn store_batch(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        send: &SendRequest<'_>,
        queue_id: usize,
    ) -> Result<Place, WireError> {
        // All members are read before the first is stored: a batch is stored whole or not at all.
        let members = batch::members(request.body).collect::<Result<Vec<_>, _>>()?;
        let mut first = None;
        let mut ids = Vec::new();
        for member in &members {
            let properties = match self.config.release {
                Release::V4_9_7 => {
                    let cluster = properties::encode([(CLUSTER, &*self.config.cluster)]);
                    format!("{}{cluster}", closed(&member.properties)).into()
                }
                Release::V5_4_0 => member.properties.clone(),
            };
            let mut message = self.message(now, request, send, queue_id, member.body, properties);
            message.flag = member.flag;
            let (id, queue_offset) = self.put(queue_id, message, 1)?;
            if first.is_some() {
                ids.push(b',');
            }
            id.push(&mut ids);
            first.get_or_insert((id.offset, queue_offset));
        }
        let (at, queue_offset) = first.ok_or(WireError::Truncated)?;
        let ids = String::from_utf8_lossy(&ids).into_owned();
        Ok(Place { ids, at, queue_offset })
    }

    /// Stores what the broker itself has to say in an internal topic.
    pub(super) fn append_internal(
        &mut self,
        now: Instant,
        mut message: StoredMessage<'_>,
    ) -> Result<Place, WireError> {
        self.topics.ensure_internal(&message.topic);
        self.stamp(now, &mut message);
        self.append(usize::try_from(message.queue_id).unwrap_or(0), message)
    }

    /// The message is stored here and now.
    pub(super) fn stamp(&self, now: Instant, message: &mut StoredMessage<'_>) {
        message.store_timestamp = self.wall_ms(now);
        message.store_host = self.config.address;
    }

    pub(super) fn append(
        &mut self,
        queue_id: usize,
        message: StoredMessage<'_>,
    ) -> Result<Place, WireError> {
        self.append_many(queue_id, message, 1)
    }

    /// Stores a record that takes so many places in its queue.
    pub(super) fn append_many(
        &mut self,
        queue_id: usize,
        message: StoredMessage<'_>,
        places: usize,
    ) -> Result<Place, WireError> {
        let (id, queue_offset) = self.put(queue_id, message, places)?;
        Ok(Place { ids: id.encode(), at: id.offset, queue_offset })
    }

    /// Stores a record; its id, and its place in its queue.
    fn put(
        &mut self,
        queue_id: usize,
        mut message: StoredMessage<'_>,
        places: usize,
    ) -> Result<(OffsetMessageId, i64), WireError> {
        let id = OffsetMessageId { host: self.config.address, offset: self.log.end() };
        message.physical_offset = id.offset;
        let Some(topic) = self.topics.get_mut(&message.topic) else {
            return Err(WireError::MissingField { name: "topic" });
        };
        let queue = topic.queue(queue_id);
        message.queue_offset = queue.max();
        self.log.append(&message)?;
        queue.at.extend(std::iter::repeat_n(id.offset, places));
        reached!(Stored);
        self.counters.stored += places as u64;
        let queue_offset = message.queue_offset;
        let dropped = self.log.trim();
        if dropped > 0 {
            self.counters.dropped += dropped;
            self.topics.trim(self.log.start());
        }
        Ok((id, queue_offset))
    }

    /// The record of a body that came with a request.
    fn message<'m>(
        &self,
        now: Instant,
        request: &Request<'m>,
        send: &'m SendRequest<'_>,
        queue_id: usize,
        body: &'m [u8],
        properties: std::borrow::Cow<'m, str>,
    ) -> StoredMessage<'m> {
        StoredMessage {
            body_crc: (crc32fast::hash(body) & 0x7FFF_FFFF).cast_signed(),
            queue_id: queue_id as i32,
            flag: send.flag,
            queue_offset: 0,
            physical_offset: 0,
            sys_flag: send.sys_flag,
            born_timestamp: send.born_timestamp,
            born_host: request.peer.unwrap_or(self.config.address),
            store_timestamp: self.wall_ms(now),
            store_host: self.config.address,
            reconsume_times: send.reconsume_times.unwrap_or(0),
            prepared_transaction_offset: 0,
            body: body.into(),
            topic: (&*send.topic).into(),
            properties,
        }
    }

    /// A single message's properties with those that the broker adds (5.4.0: `oriProps.put`;
    /// 4.9.7 adds the cluster and takes WAIT away).
    fn stored_properties(&self, text: &str, uniq_key: &str) -> String {
        let cluster = (CLUSTER, &*self.config.cluster);
        match self.config.release {
            Release::V4_9_7 => {
                let kept = properties::decode(text).filter(|entry| entry.0 != WAIT_STORE_MSG_OK);
                properties::encode(kept.chain([cluster]))
            }
            Release::V5_4_0 => {
                let region = (MSG_REGION, &*self.config.region);
                let ours = [region, cluster, (TRACE_SWITCH, self.trace_on())];
                let has_key = properties::get(text, UNIQ_KEY).is_some();
                let key = (!has_key).then_some((UNIQ_KEY, uniq_key));
                format!("{}{}", closed(text), properties::encode(ours.into_iter().chain(key)))
            }
        }
    }

    fn next_uniq_key(&mut self, now: Instant) -> String {
        let wall = self.wall_ms(now);
        let random = self.next_random();
        let key = UniqKey {
            ip: self.config.address.ip(),
            pid: self.config.address.port(),
            hash: random as u32,
            month_ms: (wall - month_start_ms(wall)) as u32,
            counter: (random >> 32) as u16,
        };
        key.encode()
    }
}

/// A property string with other values for some names.
pub(super) fn replaced(text: &str, with: &[(&str, &str)]) -> String {
    let kept = properties::decode(text).filter(|old| with.iter().all(|new| new.0 != old.0));
    properties::encode(kept.chain(with.iter().copied()))
}

/// A property string less some names.
pub(super) fn without(text: &str, names: &[&str]) -> String {
    properties::encode(properties::decode(text).filter(|one| !names.contains(&one.0)))
}

/// A property string to which more can be appended.
pub(super) fn closed(text: &str) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with(char::from(properties::PROPERTY_SEPARATOR)) {
        text.push(char::from(properties::PROPERTY_SEPARATOR));
    }
    text
}
