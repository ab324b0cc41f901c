//! Questions of administrators, and recalls: the core says what is asked and what answers mean,
//! this asks.

use std::time::Duration;

use producer_core::{
    Address, Answer, AskError, Boundary, ErrorKind, FoundMessage, NewTopic, Places, Questions,
    Queue, Recall, Request, TopicName, Wanted, Window, admin, place_of_id,
};
use tokio::time::Instant;

use crate::identity;
use crate::producer::Producer;

/// Questions that a producer can ask about topics, queues and messages (`MQAdmin` of Java). Made by
/// [`Producer::admin`]; it uses the producer's connections, credentials and namespace.
///
/// Each call looks up where the topic is, whatever the producer knows, so that it sees topics of a
/// moment ago and those that cannot be written. It takes 6 s at most
/// ([`timeout`](Self::timeout)).
///
/// **Cancel**: what was asked was asked; its answer is dropped. A topic may be created on some of
/// its brokers.
#[derive(Clone, Copy, Debug)]
pub struct Admin<'p> {
    producer: &'p Producer,
    timeout: Duration,
}

/// Where a topic was created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// Brokers that have it now.
    pub brokers: Vec<String>,
    /// Brokers that have not, and why.
    pub failures: Vec<(String, AskError)>,
}

/// As Java's (`MQAdminImpl.timeoutMillis`).
const TIMEOUT: Duration = Duration::from_secs(6);
/// How often a broker is asked to create a topic, which is the same once or twice.
const CREATIONS_MAX: u32 = 5;

impl Producer {
    /// Questions about topics, queues and messages.
    ///
    /// ```no_run
    /// # use producer_native::{NewTopic, Producer, TopicName};
    /// # async fn run(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let topic = TopicName::new("orders")?;
    /// let created = producer.admin().create_topic(&NewTopic::new(topic.clone(), 8)).await?;
    /// println!("{} brokers have it", created.brokers.len());
    /// for queue in producer.admin().publish_queues(&topic).await? {
    ///     let next = producer.admin().max_offset(&topic, &queue).await?;
    ///     println!("{} {}: {next}", queue.broker, queue.id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn admin(&self) -> Admin<'_> {
        Admin { producer: self, timeout: TIMEOUT }
    }

    /// Takes a timer message back before it is delivered, by the
    /// [`recall_handle`](producer_core::Receipt::recall_handle) of its receipt; gives its id. Takes
    /// as long as a send at most. Brokers since 5.3.2 do it, if `recallMessageEnable` is set.
    ///
    /// A success says that the broker will drop the message if it has it still: recalled twice, it
    /// succeeds twice.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use producer_native::{Message, Producer, TopicName};
    /// # async fn run(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let topic = TopicName::new("orders")?;
    /// let reminder = Message::new(&topic, "pay!")?.delay(Duration::from_secs(3600))?;
    /// let receipt = producer.send(reminder).await?;
    /// if let Some(handle) = &receipt.recall_handle {
    ///     producer.recall(&topic, handle).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// **Cancel**: the message may be recalled.
    ///
    /// # Errors
    /// [`AskError`] says what is wrong with the handle, or why the broker does not do it:
    /// [`NotRecallable`](AskError::NotRecallable) when the message is due or past.
    pub async fn recall(&self, topic: &TopicName, handle: &str) -> Result<String, AskError> {
        let admin = Admin { timeout: self.shared().query_timeout, ..self.admin() };
        let recall = admin.questions(|questions| questions.recall(topic, handle))?;
        let asking = admin.begin();
        let places = asking.places(topic.as_str()).await?;
        let request = admin.questions(|questions| questions.recall_request(&recall, &places))?;
        Recall::read(&asking.ask(request).await?)
    }
}

impl<'p> Admin<'p> {
    /// The same with another longest time for each call, all it asks included. Default 6 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Creates a topic on the masters that have its key topic, or changes it where it is there.
    ///
    /// # Errors
    /// [`AskError`] when no broker has created it; the first broker's when they differ.
    /// [`AskError::NoTopic`] when nobody has the key topic.
    pub async fn create_topic(&self, new: &NewTopic) -> Result<Created, AskError> {
        let (key, ask) = self.questions(|questions| {
            let (key, ask) = questions.create_topic(new)?;
            Ok::<_, AskError>((key.to_owned(), ask))
        })?;
        let asking = self.begin();
        let places = asking.places(&key).await?;
        let mut created = Created { brokers: Vec::new(), failures: Vec::new() };
        for (broker, address) in places.masters() {
            match asking.insist(|| ask(address)).await {
                Ok(_) => created.brokers.push(broker.to_string()),
                Err(error) => created.failures.push((broker.to_string(), error)),
            }
        }
        match created.failures.first() {
            _ if !created.brokers.is_empty() => Ok(created),
            Some((_, error)) => Err(error.clone()),
            None => Err(AskError::NoBroker),
        }
    }

    /// The queues of a topic that can be written, in the order in which selectors count them: fresh
    /// from a name server (`fetchPublishMessageQueues`).
    ///
    /// # Errors
    /// [`AskError::NoTopic`] when there is none; [`AskError::NoBroker`] when none of its queues can
    /// be written.
    pub async fn publish_queues(&self, topic: &TopicName) -> Result<Vec<Queue>, AskError> {
        let places = self.begin().places(topic.as_str()).await?;
        match places.queues.is_empty() {
            true => Err(AskError::NoBroker),
            false => Ok(places.queues),
        }
    }

    /// Where the topic is, its brokers as they are advertised: fresh from a name server.
    ///
    /// # Errors
    /// [`AskError::NoTopic`] when there is none.
    pub async fn places(&self, topic: &TopicName) -> Result<Places, AskError> {
        self.begin().places(topic.as_str()).await
    }

    /// The offset behind the last message of a queue.
    ///
    /// # Errors
    /// [`AskError`], such as [`NoBroker`](AskError::NoBroker) when the queue's broker has no master.
    pub async fn max_offset(&self, topic: &TopicName, queue: &Queue) -> Result<u64, AskError> {
        let ask = |questions: Questions<'_>, at: &Address| questions.max_offset(at, topic, queue);
        admin::offset(&self.of_queue(topic, queue, ask).await?)
    }

    /// The offset of the first message of a queue that is still kept.
    ///
    /// # Errors
    /// As [`max_offset`](Self::max_offset).
    pub async fn min_offset(&self, topic: &TopicName, queue: &Queue) -> Result<u64, AskError> {
        let ask = |questions: Questions<'_>, at: &Address| questions.min_offset(at, topic, queue);
        admin::offset(&self.of_queue(topic, queue, ask).await?)
    }

    /// The offset of the message that was stored at a time, in milliseconds since 1970, or next to
    /// it.
    ///
    /// # Errors
    /// As [`max_offset`](Self::max_offset).
    pub async fn search_offset(
        &self,
        topic: &TopicName,
        queue: &Queue,
        unix_ms: u64,
        boundary: Boundary,
    ) -> Result<u64, AskError> {
        let ask = |questions: Questions<'_>, at: &Address| {
            questions.search_offset(at, topic, queue, (unix_ms, boundary))
        };
        admin::offset(&self.of_queue(topic, queue, ask).await?)
    }

    /// When the first message of a queue that is still kept was stored, in milliseconds since 1970;
    /// `None` when it holds none.
    ///
    /// # Errors
    /// As [`max_offset`](Self::max_offset).
    pub async fn earliest_store_time(
        &self,
        topic: &TopicName,
        queue: &Queue,
    ) -> Result<Option<u64>, AskError> {
        let ask = |questions: Questions<'_>, at: &Address| {
            questions.earliest_store_time(at, topic, queue)
        };
        admin::store_time(&self.of_queue(topic, queue, ask).await?)
    }

    /// The message with this id: a broker's, or a client's, by which only messages of the last three
    /// days are found. A broker's id is believed if a broker of the topic has its address; only if
    /// nothing else helps is an address dialled that no route names.
    ///
    /// # Errors
    /// [`AskError::NoMessage`] when there is none.
    pub async fn view_message(
        &self,
        topic: &TopicName,
        id: &str,
    ) -> Result<FoundMessage, AskError> {
        let asking = self.begin();
        let places = asking.places(topic.as_str()).await?;
        let place = place_of_id(id);
        let known = place.as_ref().filter(|(address, _)| places.names(address));
        if let Some((address, offset)) = known
            && let Ok(found) = asking.view(address, topic, *offset).await
        {
            return Ok(found);
        }
        let wanted = Wanted::Id(id);
        let found = asking.find(&places, topic, wanted, Window::of_id(identity::unix_ms())).await;
        match (found, place) {
            (Ok(mut found), _) if !found.is_empty() => Ok(found.swap_remove(0)),
            (Ok(_), Some((address, offset))) if !places.names(&address) => {
                asking.view(&address, topic, offset).await
            }
            (Ok(_), _) => Err(AskError::NoMessage),
            (Err(error), _) => Err(error),
        }
    }

    /// Messages with this key, the youngest first. Keys are those of
    /// [`Message::keys`](producer_core::Message::keys); ids of clients are no keys.
    ///
    /// # Errors
    /// [`AskError`] when a broker did not look and none has found any. None found is no error.
    pub async fn find_by_key(
        &self,
        topic: &TopicName,
        key: &str,
        window: Window,
    ) -> Result<Vec<FoundMessage>, AskError> {
        let asking = self.begin();
        let places = asking.places(topic.as_str()).await?;
        asking.find(&places, topic, Wanted::Key(key), window).await
    }

    async fn of_queue(
        &self,
        topic: &TopicName,
        queue: &Queue,
        request: impl FnOnce(Questions<'_>, &Address) -> Result<Request, AskError>,
    ) -> Result<Answer, AskError> {
        let asking = self.begin();
        let places = asking.places(topic.as_str()).await?;
        let master = places.master(&queue.broker)?;
        let request = self.questions(|questions| request(questions, &master))?;
        asking.ask(request).await
    }

    fn questions<R>(&self, ask: impl FnOnce(Questions<'_>) -> R) -> R {
        ask(Questions::new(self.producer.shared().peek().core.config()))
    }

    fn begin(&self) -> Asking<'_, 'p> {
        Asking { admin: self, deadline: Instant::now() + self.timeout }
    }
}

/// A call under way: everything it asks shares one deadline.
struct Asking<'a, 'p> {
    admin: &'a Admin<'p>,
    deadline: Instant,
}

impl Asking<'_, '_> {
    async fn ask(&self, request: Request) -> Result<Answer, AskError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Ok(self.admin.producer.ask(request, left).await?)
    }

    /// Asks until somebody has answered, at most five times.
    async fn insist(&self, request: impl Fn() -> Request) -> Result<Answer, AskError> {
        let mut asked = 0;
        loop {
            asked += 1;
            let answer = self.ask(request()).await;
            let ended = match &answer {
                Ok(_) => true,
                Err(AskError::Unanswered(error)) => {
                    let lost = matches!(error.kind(), ErrorKind::ConnectionLost(_));
                    !lost || asked == CREATIONS_MAX || Instant::now() >= self.deadline
                }
                Err(_) => true,
            };
            if ended {
                return answer.and_then(|answer| answer.success().cloned());
            }
        }
    }

    async fn places(&self, topic: &str) -> Result<Places, AskError> {
        let request = self.admin.questions(|questions| questions.places(topic))?;
        Places::read(&self.ask(request).await?)
    }

    async fn view(
        &self,
        at: &Address,
        topic: &TopicName,
        offset: i64,
    ) -> Result<FoundMessage, AskError> {
        let request = self.admin.questions(|questions| questions.view(at, topic, offset))?;
        let answer = self.ask(request).await?;
        self.admin.questions(|questions| questions.read_view(&answer))
    }

    async fn find(
        &self,
        places: &Places,
        topic: &TopicName,
        wanted: Wanted<'_>,
        window: Window,
    ) -> Result<Vec<FoundMessage>, AskError> {
        let ask = |questions: Questions<'_>| questions.find(places, topic, wanted, window);
        let mut found = Vec::new();
        let mut failure = None;
        for request in self.admin.questions(ask)? {
            let read = self.ask(request).await.and_then(|answer| {
                self.admin.questions(|questions| questions.read_found(&answer, topic, wanted))
            });
            match read {
                Ok(messages) => found.extend(messages),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        // Brokers tell them in the order of their logs; ids of one broker are in that order, too.
        found.sort_by(|one, other| {
            (other.stored_ms, &other.offset_id).cmp(&(one.stored_ms, &one.offset_id))
        });
        match failure {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }
}
