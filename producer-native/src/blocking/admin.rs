//! Questions about topics, queues and messages, and recalls, for programs without async code.

use std::time::Duration;

use producer_core::{AskError, Boundary, FoundMessage, NewTopic, Places, Queue, TopicName, Window};

use super::Producer;
use crate::admin::Created;

/// What a producer can ask a cluster: [`Admin`](crate::Admin), each call waited for.
///
/// # Panics
/// Within async code, as all of [`Producer`].
#[derive(Clone, Copy, Debug)]
pub struct Admin<'p> {
    producer: &'p Producer,
    inner: crate::Admin<'p>,
}

impl Producer {
    /// Questions about topics, queues and messages: [`Producer::admin`](crate::Producer::admin).
    ///
    /// ```no_run
    /// # use producer_native::{NewTopic, TopicName, blocking::Producer};
    /// # fn run(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let topic = TopicName::new("orders")?;
    /// producer.admin().create_topic(&NewTopic::new(topic.clone(), 8))?;
    /// for queue in producer.admin().publish_queues(&topic)? {
    ///     println!("{} {}: {}", queue.broker, queue.id, producer.admin().max_offset(&topic, &queue)?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn admin(&self) -> Admin<'_> {
        Admin { producer: self, inner: self.inner.admin() }
    }

    /// Takes a timer message back before it is delivered; gives its id:
    /// [`Producer::recall`](crate::Producer::recall).
    ///
    /// # Errors
    /// As [`Producer::recall`](crate::Producer::recall).
    pub fn recall(&self, topic: &TopicName, handle: &str) -> Result<String, AskError> {
        self.wait(self.inner.recall(topic, handle))
    }
}

impl Admin<'_> {
    /// The same with another longest time for each call, all it asks included. Default 6 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.inner = self.inner.timeout(timeout);
        self
    }

    /// Creates or changes a topic: [`Admin::create_topic`](crate::Admin::create_topic).
    ///
    /// # Errors
    /// As there.
    pub fn create_topic(&self, new: &NewTopic) -> Result<Created, AskError> {
        self.producer.wait(self.inner.create_topic(new))
    }

    /// The queues of a topic that can be written:
    /// [`Admin::publish_queues`](crate::Admin::publish_queues).
    ///
    /// # Errors
    /// As there.
    pub fn publish_queues(&self, topic: &TopicName) -> Result<Vec<Queue>, AskError> {
        self.producer.wait(self.inner.publish_queues(topic))
    }

    /// Where the topic is: [`Admin::places`](crate::Admin::places).
    ///
    /// # Errors
    /// As there.
    pub fn places(&self, topic: &TopicName) -> Result<Places, AskError> {
        self.producer.wait(self.inner.places(topic))
    }

    /// The offset behind the last message of a queue:
    /// [`Admin::max_offset`](crate::Admin::max_offset).
    ///
    /// # Errors
    /// As there.
    pub fn max_offset(&self, topic: &TopicName, queue: &Queue) -> Result<u64, AskError> {
        self.producer.wait(self.inner.max_offset(topic, queue))
    }

    /// The offset of the first message of a queue that is still kept:
    /// [`Admin::min_offset`](crate::Admin::min_offset).
    ///
    /// # Errors
    /// As there.
    pub fn min_offset(&self, topic: &TopicName, queue: &Queue) -> Result<u64, AskError> {
        self.producer.wait(self.inner.min_offset(topic, queue))
    }

    /// The offset of the message that was stored at a time, in milliseconds since 1970, or next to
    /// it: [`Admin::search_offset`](crate::Admin::search_offset).
    ///
    /// # Errors
    /// As there.
    pub fn search_offset(
        &self,
        topic: &TopicName,
        queue: &Queue,
        unix_ms: u64,
        boundary: Boundary,
    ) -> Result<u64, AskError> {
        self.producer.wait(self.inner.search_offset(topic, queue, unix_ms, boundary))
    }

    /// When the first message of a queue that is still kept was stored, in milliseconds since 1970:
    /// [`Admin::earliest_store_time`](crate::Admin::earliest_store_time).
    ///
    /// # Errors
    /// As there.
    pub fn earliest_store_time(
        &self,
        topic: &TopicName,
        queue: &Queue,
    ) -> Result<Option<u64>, AskError> {
        self.producer.wait(self.inner.earliest_store_time(topic, queue))
    }

    /// The message with this id: [`Admin::view_message`](crate::Admin::view_message).
    ///
    /// # Errors
    /// As there.
    pub fn view_message(&self, topic: &TopicName, id: &str) -> Result<FoundMessage, AskError> {
        self.producer.wait(self.inner.view_message(topic, id))
    }

    /// Messages with this key, the youngest first:
    /// [`Admin::find_by_key`](crate::Admin::find_by_key).
    ///
    /// # Errors
    /// As there.
    pub fn find_by_key(
        &self,
        topic: &TopicName,
        key: &str,
        window: Window,
    ) -> Result<Vec<FoundMessage>, AskError> {
        self.producer.wait(self.inner.find_by_key(topic, key, window))
    }
}
