//! How are messages found again, by id or key (spec §2.3, §12; `MQAdminImpl.queryMessage`)?

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::admin::{Places, Questions};
use crate::ask::{Answer, AskTarget, Request};
use crate::ask_error::{AskError, check_key};
use crate::names::{Address, TopicName};
use crate::wire::code::{request, response};
use crate::wire::message_id::OffsetMessageId;
use crate::wire::query::{QueryMessage, ViewMessage};
use crate::wire::stored::{self, StoredMessage};
use crate::wire::sys_flag::{self, Compression};
use crate::wire::{namespace, properties, property_names};

/// A message as a broker keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundMessage {
    /// Topic, without the namespace.
    pub topic: String,
    /// Queue.
    pub queue_id: u32,
    /// Position in the queue.
    pub queue_offset: u64,
    /// The client's id, or the broker's if it has none.
    pub message_id: String,
    /// The broker's id.
    pub offset_id: String,
    /// When the client made it, in milliseconds since 1970.
    pub born_ms: i64,
    /// Address of the client, as the broker saw it.
    pub born_host: SocketAddr,
    /// When the broker stored it, in milliseconds since 1970.
    pub stored_ms: i64,
    /// Address of the broker, as it sees itself.
    pub store_host: SocketAddr,
    /// How often a consumer has given it back.
    pub reconsume_times: u32,
    /// The application's flag.
    pub flag: i32,
    /// Bits of [`wire::sys_flag`](crate::wire::sys_flag).
    pub sys_flag: i32,
    /// The body as it is stored: compressed if [`compression`](Self::compression) says so.
    pub body: Vec<u8>,
    properties: String,
}

/// What finds a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'w> {
    /// The client's id (`UNIQ_KEY`). At most 32 copies are found.
    Id(&'w str),
    /// One of the keys of [`Message::keys`](crate::Message::keys).
    Key(&'w str),
}

/// How many, and of which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Most messages of one broker.
    pub max: u32,
    /// Earliest store time, in milliseconds since 1970.
    pub from_ms: u64,
    /// Latest store time, in milliseconds since 1970.
    pub to_ms: u64,
}

impl Window {
    /// Most messages that a broker gives for an id (`defaultQueryMaxNum`).
    pub const ID_MAX: u32 = 32;

    /// Where Java looks for an id: the last three days before `now_ms`, and the future.
    pub fn of_id(now_ms: u64) -> Self {
        const THREE_DAYS_MS: u64 = 3 * 86_400_000;
        Self {
            max: Self::ID_MAX,
            from_ms: now_ms.saturating_sub(THREE_DAYS_MS),
            to_ms: i64::MAX as u64,
        }
    }
}

impl FoundMessage {
    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        properties::get(&self.properties, name)
    }

    /// All properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        properties::decode(&self.properties)
    }

    /// How the body is compressed, if it is.
    pub fn compression(&self) -> Option<Compression> {
        let compressed = self.sys_flag & sys_flag::COMPRESSED != 0;
        Compression::of_flag(self.sys_flag).filter(|_| compressed)
    }

    fn new(stored: &StoredMessage<'_>, namespace: &str) -> Self {
        let offset_id = stored.offset_message_id().encode();
        Self {
            topic: namespace::unwrap(namespace, &stored.topic).into_owned(),
            queue_id: u32::try_from(stored.queue_id).unwrap_or(0),
            queue_offset: u64::try_from(stored.queue_offset).unwrap_or(0),
            message_id: stored.uniq_key().map_or_else(|| offset_id.clone(), ToOwned::to_owned),
            offset_id,
            born_ms: stored.born_timestamp,
            born_host: stored.born_host,
            stored_ms: stored.store_timestamp,
            store_host: stored.store_host,
            reconsume_times: u32::try_from(stored.reconsume_times).unwrap_or(0),
            flag: stored.flag,
            sys_flag: stored.sys_flag & !(sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6),
            body: stored.body.to_vec(),
            properties: stored.properties.to_string(),
        }
    }

    /// Whether it is what was asked for: an index goes by hashes, so that brokers give others too.
    fn is(&self, wanted: Wanted<'_>) -> bool {
        let keys = || self.property(property_names::KEYS).unwrap_or_default();
        match wanted {
            _ if planted!(IndexBelieved) => true,
            Wanted::Id(id) => self.message_id == id,
            Wanted::Key(key) => keys().split(' ').any(|one| one == key),
        }
    }
}

/// Where an id of a broker says that its message is; `None` for the id of a client, which looks the
/// same but for a port that there is not.
pub fn place_of_id(id: &str) -> Option<(Address, i64)> {
    let of_digits = matches!(id.len(), 32 | 56) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let place = OffsetMessageId::decode(id).ok().filter(|_| of_digits)?;
    Some((Address::new(&place.host.to_string()).ok()?, place.offset))
}

impl Questions<'_> {
    /// Asks a broker for the message at a physical offset; see [`read_view`](Self::read_view).
    ///
    /// # Errors
    /// When the topic has no valid name inside the namespace.
    pub fn view(&self, at: &Address, topic: &TopicName, offset: i64) -> Result<Request, AskError> {
        let topic = Some(self.wire_topic(topic.as_str())?);
        let fields = ViewMessage { offset, topic };
        Ok(Request::new(
            AskTarget::Address(at.clone()),
            request::VIEW_MESSAGE_BY_ID,
            &fields.to_ext(),
        ))
    }

    /// Reads the answer to [`view`](Self::view).
    ///
    /// # Errors
    /// [`AskError::NoMessage`] when no message begins there: brokers say so with code 1 and any
    /// text. Others when the answer cannot be read.
    pub fn read_view(&self, answer: &Answer) -> Result<FoundMessage, AskError> {
        if answer.code == response::SYSTEM_ERROR
            && !matches!(answer.success(), Err(error) if error.is_denial())
        {
            return Err(AskError::NoMessage);
        }
        let mut all = self.records(answer.success()?)?;
        all.pop().ok_or(AskError::NoMessage)
    }

    /// Asks each broker of a topic for messages; see [`read_found`](Self::read_found).
    ///
    /// What is signed leaves out the flag `_UNIQUE_KEY_QUERY`: brokers up to 5.0 do not count it
    /// among what is signed, later ones do (spec §10.1), and all it does is to raise `max` to
    /// [`Window::ID_MAX`].
    ///
    /// # Errors
    /// When the topic has no valid name inside the namespace, or the key is blank.
    pub fn find(
        &self,
        places: &Places,
        topic: &TopicName,
        wanted: Wanted<'_>,
        window: Window,
    ) -> Result<Vec<Request>, AskError> {
        let (key, unique) = match wanted {
            Wanted::Id(id) => (id, true),
            Wanted::Key(key) => (key, false),
        };
        check_key(key)?;
        let bounded = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let signed = self.are_signed() && !planted!(FlagSigned);
        let fields = QueryMessage {
            topic: self.wire_topic(topic.as_str())?,
            key: String::from(key),
            max_num: i32::try_from(window.max).unwrap_or(i32::MAX),
            begin_timestamp: bounded(window.from_ms),
            end_timestamp: bounded(window.to_ms),
            unique_key: (!signed).then_some(unique),
            index_type: Some(String::from(match unique {
                true => property_names::INDEX_UNIQUE_TYPE,
                false => property_names::INDEX_KEY_TYPE,
            })),
        };
        let ask = |at: &Address| {
            Request::new(AskTarget::Address(at.clone()), request::QUERY_MESSAGE, &fields.to_ext())
        };
        Ok(places.readers().map(ask).collect())
    }

    /// Reads what one broker has found: only what was wanted. No message is no error here.
    ///
    /// # Errors
    /// [`AskError`] when it did not look.
    pub fn read_found(
        &self,
        answer: &Answer,
        topic: &TopicName,
        wanted: Wanted<'_>,
    ) -> Result<Vec<FoundMessage>, AskError> {
        if answer.code == response::QUERY_NOT_FOUND {
            return Ok(Vec::new());
        }
        let mut found = self.records(answer.success()?)?;
        let name = namespace::unwrap(self.namespace(), topic.as_str());
        found.retain(|message| message.topic == name && message.is(wanted));
        Ok(found)
    }

    fn records(&self, answer: &Answer) -> Result<Vec<FoundMessage>, AskError> {
        let read = |record: Result<StoredMessage<'_>, _>| {
            record.map(|stored| FoundMessage::new(&stored, self.namespace()))
        };
        let all: Result<Vec<_>, _> = stored::records(&answer.body).map(read).collect();
        all.map_err(|error| AskError::lacks(&error))
    }
}
