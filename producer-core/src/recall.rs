//! How is a message taken back before it is delivered (spec §7.9, RECALL_MESSAGE, 5.3.2+)?

use alloc::string::String;

use crate::admin::{Places, Questions};
use crate::ask::{Answer, AskTarget, Request};
use crate::ask_error::{AskError, InvalidQuestion};
use crate::names::TopicName;
use crate::say::says;
use crate::wire::code::{request, response};
use crate::wire::namespace::{is_dlq_topic, is_retry_topic};
use crate::wire::recall::{RecallHandle, RecallRequest};

/// A timer message to be taken back, named by the handle of its receipt
/// ([`Receipt::recall_handle`](crate::Receipt::recall_handle)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    topic: TopicName,
    wire_topic: String,
    handle: String,
    /// Broker that holds the message.
    broker: String,
    due_ms: Option<u64>,
    message_id: String,
}

impl Recall {
    /// The topic.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// The broker that holds the message.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// When the message is due, in milliseconds since 1970.
    pub fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }

    /// The message's id.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// The id of the message that was taken back.
    ///
    /// # Errors
    /// [`AskError`] when the broker did not do it.
    pub fn read(answer: &Answer) -> Result<String, AskError> {
        let remark = || answer.remark.clone().unwrap_or_default();
        match answer.code {
            response::ILLEGAL_OPERATION if !planted!(RecallAlwaysDone) => {
                return Err(AskError::NotRecallable { remark: remark() });
            }
            response::NO_PERMISSION if says(&remark(), "operation is forbidden") => {
                return Err(AskError::RecallDisabled);
            }
            response::ILLEGAL_OPERATION => return Ok(remark()),
            _ => {}
        }
        let id = answer.success()?.field("msgId");
        let lacks = || AskError::BadAnswer { problem: String::from("it names no message") };
        id.map(String::from).ok_or_else(lacks)
    }
}

impl Questions<'_> {
    /// Reads a handle of a message to this topic.
    ///
    /// # Errors
    /// [`InvalidQuestion`] when it is none, or the topic is another one.
    pub fn recall(&self, topic: &TopicName, handle: &str) -> Result<Recall, InvalidQuestion> {
        if is_retry_topic(topic.as_str()) || is_dlq_topic(topic.as_str()) {
            return Err(InvalidQuestion::RetryTopic);
        }
        let wire_topic = self.wire_topic(topic.as_str())?;
        let read = RecallHandle::decode(handle).map_err(|_| InvalidQuestion::Handle)?;
        if read.topic != wire_topic {
            return Err(InvalidQuestion::OtherTopic { topic: read.topic });
        }
        Ok(Recall {
            topic: topic.clone(),
            wire_topic,
            handle: String::from(handle),
            broker: read.broker_name,
            due_ms: read.timestamp.parse().ok(),
            message_id: read.message_id,
        })
    }

    /// The request to take it back: to the master of the broker that holds it or, if the route does
    /// not name that one, to another of the topic, which says so (`recallMessage`).
    ///
    /// # Errors
    /// [`AskError::NoBroker`] when no broker of the topic has a master.
    pub fn recall_request(&self, recall: &Recall, places: &Places) -> Result<Request, AskError> {
        let master = places.master(&recall.broker);
        let anyone = || places.masters().next().map(|(_, address)| address.clone());
        let address = master.ok().or_else(anyone).ok_or(AskError::NoBroker)?;
        let fields = RecallRequest {
            topic: recall.wire_topic.clone(),
            recall_handle: recall.handle.clone(),
            producer_group: Some(self.group()),
            broker_name: Some(recall.broker.clone()),
        };
        Ok(Request::new(AskTarget::Address(address), request::RECALL_MESSAGE, &fields.to_ext()))
    }
}
