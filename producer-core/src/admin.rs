//! What does an administrator ask, and what do the answers say (`MQAdminImpl.java`)?
//!
//! Pure functions: they build [`Request`]s for [`Producer::ask`](crate::Producer::ask) and read its
//! [`Answer`]s. Who is asked when, and for how long, is the driver's.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::ask::{Answer, AskTarget, Request};
use crate::ask_error::{AskError, InvalidQuestion};
use crate::config::Config;
use crate::names::{Address, TopicName};
use crate::route::Queue;
use crate::wire::code::{request, response};
use crate::wire::name_server::RouteRequest;
use crate::wire::names::is_blank;
use crate::wire::offset::{MaxOffset, MinOffset, SearchOffset};
use crate::wire::route::{MASTER_ID, TopicRouteData};
use crate::wire::topic_config::CreateTopic;
use crate::wire::{names, perm};

/// Builds questions as a producer of this configuration asks them: inside its namespace.
#[derive(Clone, Copy, Debug)]
pub struct Questions<'c> {
    config: &'c Config,
}

/// Where a topic is, its brokers as they are advertised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Places {
    /// Queues that can be written, as sends count them.
    pub queues: Vec<Queue>,
    /// Its brokers by name.
    pub brokers: Vec<Place>,
}

/// Where a broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its name.
    pub broker: Arc<str>,
    /// Its master.
    pub master: Option<Address>,
    /// Its slaves.
    pub slaves: Vec<Address>,
}

/// Which of the messages of one instant a search finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// The first that is not older.
    #[default]
    Lower,
    /// The last that is not younger (brokers since 5.1.4; older ones take it for `Lower`).
    Upper,
}

/// A topic to be created, or changed if it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    topic: TopicName,
    key: String,
    read_queues: u32,
    write_queues: u32,
    perm: i32,
    ordered: bool,
    attributes: Vec<(String, String)>,
}

/// Most queues of a topic.
const QUEUES_MAX: u32 = 65_536;

impl NewTopic {
    /// A topic with so many queues on each broker, to be read and written.
    pub fn new(topic: TopicName, queues: u32) -> Self {
        Self {
            topic,
            key: String::from("TBW102"),
            read_queues: queues,
            write_queues: queues,
            perm: perm::READ | perm::WRITE,
            ordered: false,
            attributes: Vec::new(),
        }
    }

    /// Creates it on the brokers that have this topic. Default `TBW102`, which brokers have unless
    /// `autoCreateTopicEnable` is off.
    #[must_use]
    pub fn like(mut self, key: &TopicName) -> Self {
        self.key = String::from(key.as_str());
        self
    }

    /// So many queues to write. More to read than to write is how a topic is shrunk: consumers
    /// empty the others first.
    #[must_use]
    pub fn write_queues(mut self, queues: u32) -> Self {
        self.write_queues = queues;
        self
    }

    /// Lets it be read only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.perm = perm::READ;
        self
    }

    /// Marks it as ordered (`order`; brokers of 4.9 drop the mark).
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Gives it an attribute (brokers since 5.0), such as `message.type` = `DELAY`,
    /// `TRANSACTION`, `FIFO` or `NORMAL`, `queue.type` = `BatchCQ`, or `cleanup.policy` =
    /// `COMPACTION`. Java's `createTopic` drops them.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((String::from(name), String::from(value)));
        self
    }

    /// The topic.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// The attributes as brokers read them: `+name=value,+name=value`.
    fn attributes_text(&self) -> Result<String, InvalidQuestion> {
        let mut text = String::new();
        for (name, value) in &self.attributes {
            let odd = |part: &str| is_blank(part) || part.contains([',', '=', '+']);
            if odd(name) || odd(value) || name.starts_with('-') {
                return Err(InvalidQuestion::Attribute { name: name.clone() });
            }
            let comma = if text.is_empty() { "" } else { "," };
            text.push_str(&alloc::format!("{comma}+{name}={value}"));
        }
        Ok(text)
    }
}

impl<'c> Questions<'c> {
    /// Questions of a producer of this configuration.
    pub fn new(config: &'c Config) -> Self {
        Self { config }
    }

    /// A topic's name inside the namespace.
    pub(crate) fn wire_topic(&self, topic: &str) -> Result<String, InvalidQuestion> {
        let inside = self.config.in_namespace(topic).into_owned();
        match names::check_topic(&inside) {
            Ok(()) => Ok(inside),
            // It names what is wrong, and where.
            Err(_) => match TopicName::new(&inside) {
                Err(problem) => Err(InvalidQuestion::Topic(problem)),
                Ok(_) => Ok(inside),
            },
        }
    }

    /// The producer group inside the namespace.
    pub(crate) fn group(&self) -> String {
        self.config.in_namespace(self.config.group.as_str()).into_owned()
    }

    /// The namespace of old; empty if there is none.
    pub(crate) fn namespace(&self) -> &str {
        self.config.namespace.as_deref().unwrap_or_default()
    }

    /// Whether requests are signed.
    pub(crate) fn are_signed(&self) -> bool {
        self.config.credentials.is_some()
    }

    /// Asks the name server where a topic is; see [`Places::read`].
    ///
    /// # Errors
    /// When the topic has no valid name inside the namespace.
    pub fn places(&self, topic: &str) -> Result<Request, AskError> {
        let topic = self.wire_topic(topic)?;
        let fields = RouteRequest { topic, ..RouteRequest::default() };
        let code = request::GET_ROUTEINFO_BY_TOPIC;
        Ok(Request::new(AskTarget::NameServer, code, &fields.to_ext()))
    }

    /// Asks for the first offset behind all messages of a queue; see [`offset`].
    ///
    /// # Errors
    /// When the topic has no valid name inside the namespace.
    pub fn max_offset(
        &self,
        at: &Address,
        topic: &TopicName,
        queue: &Queue,
    ) -> Result<Request, AskError> {
        let (topic, queue_id, broker_name) = self.queue(topic, queue)?;
        let fields = MaxOffset { topic, queue_id, committed: Some(true), broker_name };
        Ok(to(at, request::GET_MAX_OFFSET, &fields.to_ext()))
    }

    /// Asks for the first offset of a queue that is still kept; see [`offset`].
    ///
    /// # Errors
    /// When the topic has no valid name inside the namespace.
    pub fn min_offset(
        &self,
        at: &Address,
        topic: &TopicName,
        queue: &Queue,
    ) -> Result<Request, AskError> {
        let (topic, queue_id, broker_name) = self.queue(topic, queue)?;
        let fields = MinOffset { topic, queue_id, broker_name };
        Ok(to(at, request::GET_MIN_OFFSET, &fields.to_ext()))
    }

    /// Asks when the first message of a queue that is still kept was stored; see [`store_time`].
    ///
    /// # Errors
    /// When the topic has no valid name inside the namespace.
    pub fn earliest_store_time(
        &self,
        at: &Address,
        topic: &TopicName,
        queue: &Queue,
    ) -> Result<Request, AskError> {
        let (topic, queue_id, broker_name) = self.queue(topic, queue)?;
        let fields = MinOffset { topic, queue_id, broker_name };
        Ok(to(at, request::GET_EARLIEST_MSG_STORETIME, &fields.to_ext()))
    }

    /// Asks for the offset of the message that was stored at a time, in milliseconds since 1970;
    /// see [`offset`].
    ///
    /// # Errors
    /// When the topic has no valid name inside the namespace.
    pub fn search_offset(
        &self,
        at: &Address,
        topic: &TopicName,
        queue: &Queue,
        (unix_ms, boundary): (u64, Boundary),
    ) -> Result<Request, AskError> {
        let (topic, queue_id, broker_name) = self.queue(topic, queue)?;
        let boundary = match boundary {
            Boundary::Lower => "LOWER",
            Boundary::Upper => "UPPER",
        };
        let fields = SearchOffset {
            topic,
            queue_id,
            timestamp: i64::try_from(unix_ms).unwrap_or(i64::MAX),
            boundary_type: Some(String::from(boundary)),
            broker_name,
        };
        Ok(to(at, request::SEARCH_OFFSET_BY_TIMESTAMP, &fields.to_ext()))
    }

    fn queue(
        &self,
        topic: &TopicName,
        queue: &Queue,
    ) -> Result<(String, i32, Option<String>), AskError> {
        let id = i32::try_from(queue.id).unwrap_or(i32::MAX);
        Ok((self.wire_topic(topic.as_str())?, id, Some(String::from(&*queue.broker))))
    }

    /// The topic that a new one is created like, and what each of its masters is to be asked, each
    /// on its own.
    ///
    /// # Errors
    /// [`InvalidQuestion`] when the topic cannot be created.
    pub fn create_topic<'t>(
        &self,
        new: &'t NewTopic,
    ) -> Result<(&'t str, impl Fn(&Address) -> Request + use<>), AskError> {
        if names::is_system_topic(new.topic.as_str()) && !planted!(SystemTopicCreated) {
            return Err(InvalidQuestion::SystemTopic.into());
        }
        for count in [new.read_queues, new.write_queues] {
            if !(1..=QUEUES_MAX).contains(&count) {
                return Err(InvalidQuestion::QueueCount { count }.into());
            }
        }
        let attributes = new.attributes_text()?;
        let fields = CreateTopic {
            topic: self.wire_topic(new.topic.as_str())?,
            default_topic: new.key.clone(),
            read_queue_nums: new.read_queues as i32,
            write_queue_nums: new.write_queues as i32,
            perm: new.perm,
            topic_filter_type: String::from("SINGLE_TAG"),
            topic_sys_flag: Some(0),
            order: String::from(if new.ordered { "true" } else { "false" }),
            attributes: Some(attributes),
            force: Some(false),
        };
        let ask = move |at: &Address| to(at, request::UPDATE_AND_CREATE_TOPIC, &fields.to_ext());
        Ok((&new.key, ask))
    }
}

fn to(at: &Address, code: i32, fields: &crate::wire::Fields<'_>) -> Request {
    Request::new(AskTarget::Address(at.clone()), code, fields)
}

/// Reads the answer to [`Questions::max_offset`], [`Questions::min_offset`] or
/// [`Questions::search_offset`].
///
/// # Errors
/// [`AskError`] says why there is none.
pub fn offset(answer: &Answer) -> Result<u64, AskError> {
    let offset: i64 = answer.success()?.number("offset")?;
    Ok(u64::try_from(offset).unwrap_or(0))
}

/// Reads the answer to [`Questions::earliest_store_time`], in milliseconds since 1970; `None` when
/// the queue holds no message.
///
/// # Errors
/// [`AskError`] says why there is none.
pub fn store_time(answer: &Answer) -> Result<Option<u64>, AskError> {
    let time: i64 = answer.success()?.number("timestamp")?;
    Ok(u64::try_from(time).ok())
}

impl Places {
    /// Reads the answer to [`Questions::places`].
    ///
    /// # Errors
    /// [`AskError::NoTopic`] when the name server knows it not; others when there is no route that
    /// can be read.
    pub fn read(answer: &Answer) -> Result<Self, AskError> {
        if answer.code == response::SUCCESS && answer.body.is_empty() {
            return Err(AskError::NoTopic);
        }
        let body = &answer.success()?.body;
        let data = TopicRouteData::decode(body).map_err(|error| AskError::lacks(&error))?;
        let published = data.publish_queues().map_err(|error| AskError::lacks(&error))?;
        let queues = published.queues.iter().filter_map(|queue| {
            let id = u32::try_from(queue.queue_id).ok()?;
            Some(Queue::new(&queue.broker_name, id))
        });
        let place = |broker: &crate::wire::route::BrokerData| {
            let address = |&(id, ref text): &(i64, String)| Some((id, Address::new(text).ok()?));
            let all: Vec<_> = broker.addresses.iter().filter_map(address).collect();
            let (masters, slaves): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|(id, _)| *id == MASTER_ID);
            Place {
                broker: Arc::from(&*broker.broker_name),
                master: masters.into_iter().next_back().map(|(_, address)| address),
                slaves: slaves.into_iter().map(|(_, address)| address).collect(),
            }
        };
        let mut brokers: Vec<Place> = data.brokers.iter().map(place).collect();
        brokers.sort_by(|a, b| a.broker.cmp(&b.broker));
        Ok(Self { queues: queues.collect(), brokers })
    }

    /// The master of a broker.
    ///
    /// # Errors
    /// [`AskError::NoBroker`] when there is none.
    pub fn master(&self, broker: &str) -> Result<Address, AskError> {
        let place = self.brokers.iter().find(|place| *place.broker == *broker);
        place.and_then(|place| place.master.clone()).ok_or(AskError::NoBroker)
    }

    /// All masters, by broker name.
    pub fn masters(&self) -> impl Iterator<Item = (&Arc<str>, &Address)> {
        let masters = self.brokers.iter();
        masters.filter_map(|place| place.master.as_ref().map(|address| (&place.broker, address)))
    }

    /// One address of each broker to read from: the master's or else a slave's.
    pub fn readers(&self) -> impl Iterator<Item = &Address> {
        self.brokers
            .iter()
            .filter_map(|place| place.master.as_ref().or_else(|| place.slaves.first()))
    }

    /// Whether a broker of the topic listens there.
    pub fn names(&self, address: &Address) -> bool {
        let place = |place: &Place| {
            place.master.as_ref() == Some(address) || place.slaves.contains(address)
        };
        self.brokers.iter().any(place)
    }
}
