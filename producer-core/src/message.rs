//! What is a message, before anything is done with it?

use alloc::boxed::Box;
use alloc::string::String;
use bytes::Bytes;
use core::fmt;

use crate::names::{InvalidName, TopicName};
use crate::say::Quoted;
use crate::wire::names::is_blank;
use crate::wire::property_names;
use crate::wire::sys_flag::{self, Compression};

/// Most bytes that a message's properties may take as they are stored, the ones we add included.
///
/// The broker refuses more than 32,767 (`DefaultMessageStore.java`), and adds some of its own.
pub const PROPERTY_BYTES_MAX: usize = 32_767 - PROPERTY_BYTES_RESERVED;

/// Kept free for what the client and the broker add (`UNIQ_KEY`, `WAIT`, `CLUSTER`, ...).
const PROPERTY_BYTES_RESERVED: usize = 767;

/// Why a message was refused before anything was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// The topic is not one a client may send to.
    Topic(InvalidName),
    /// The body is empty (`Validators.java`; a 5.x broker refuses it, a 4.9 one stores it).
    EmptyBody,
    /// A property name or value is blank.
    BlankProperty {
        /// The name.
        name: String,
    },
    /// A property name or value holds U+0001 or U+0002, which would corrupt all the others.
    PropertySeparator {
        /// The name.
        name: String,
        /// Position of the character in the name or value, counted in bytes from 0.
        position: usize,
    },
    /// The property has a name that only the client or the broker may set.
    ReservedProperty {
        /// The name.
        name: String,
    },
    /// There is no such delay level.
    UnknownDelayLevel {
        /// What was given.
        level: u32,
    },
    /// The message is to be delivered later in two ways, of which brokers would take one.
    DelayedTwice {
        /// Property of the way that was set first.
        first: &'static str,
        /// Property of the other.
        second: &'static str,
    },
    /// The delay, or the time of delivery, is more milliseconds than a broker can count.
    DelayTooLong,
    /// A light queue cannot have this name; an empty one says that none was given.
    InvalidDispatch {
        /// The name.
        name: String,
    },
    /// What is to be answered lacks a property that requests have.
    NotARequest {
        /// The property.
        name: &'static str,
    },
    /// All properties together are longer than [`PROPERTY_BYTES_MAX`].
    PropertiesTooLong {
        /// Bytes they take as stored.
        bytes: usize,
    },
}

impl fmt::Display for InvalidMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "invalid topic: {name}"),
            Self::EmptyBody => write!(f, "the body is empty"),
            Self::BlankProperty { name } => {
                write!(f, "property {} has a blank name or value", Quoted('"', name))
            }
            Self::PropertySeparator { name, position } => write!(
                f,
                "property {} holds a separator (U+0001 or U+0002) at byte {position}",
                Quoted('"', name)
            ),
            Self::ReservedProperty { name } => {
                write!(f, "property {} is reserved", Quoted('"', name))
            }
            Self::UnknownDelayLevel { level } => {
                let highest = Message::DELAY_LEVEL_MAX;
                write!(f, "there is no delay level {level}, only 1 to {highest}")
            }
            Self::DelayedTwice { first, second } => {
                write!(f, "the delivery is delayed by {first} already, {second} cannot be set too")
            }
            Self::DelayTooLong => f.write_str("the delay is longer than brokers can count"),
            Self::InvalidDispatch { name } => {
                write!(f, "{} cannot be the name of a light queue", Quoted('"', name))
            }
            Self::NotARequest { name } => {
                write!(f, "the message is no request that can be answered: it has no {name}")
            }
            Self::PropertiesTooLong { bytes } => {
                write!(f, "properties take {bytes} bytes, {PROPERTY_BYTES_MAX} are allowed")
            }
        }
    }
}

impl core::error::Error for InvalidMessage {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Topic(name) => Some(name),
            _ => None,
        }
    }
}

impl From<InvalidName> for InvalidMessage {
    fn from(name: InvalidName) -> Self {
        Self::Topic(name)
    }
}

/// A message to be sent: topic, body, properties and a flag. The producer never changes it.
///
/// ```
/// # use producer_core::{InvalidMessage, Message};
/// let message = Message::new("orders", "paid")?.tag("eu")?.keys(["order-1001"])?;
/// assert_eq!(message.property("KEYS"), Some("order-1001"));
/// # Ok::<(), InvalidMessage>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    topic: TopicName,
    body: Bytes,
    /// As the wire has them: `name 0x01 value 0x02`, in the order they were set.
    properties: String,
    flag: i32,
    wait_store_ok: bool,
    /// The body as it is sent, if it is compressed.
    packed: Option<Box<Packed>>,
}

/// A compressed body.
#[derive(Clone, PartialEq, Eq)]
struct Packed {
    body: Bytes,
    compression: Compression,
}

impl Message {
    /// A message with a body and no properties but `WAIT`.
    ///
    /// # Errors
    /// [`InvalidMessage`] when the topic is not valid or the body is empty. How long a body may be
    /// is checked when it is sent ([`Config::message_bytes_max`](crate::Config)).
    pub fn new<T>(topic: T, body: impl Into<Bytes>) -> Result<Self, InvalidMessage>
    where
        T: TryInto<TopicName>,
        InvalidName: From<T::Error>,
    {
        let topic = topic.try_into().map_err(InvalidName::from)?;
        let body = body.into();
        if body.is_empty() {
            return Err(InvalidMessage::EmptyBody);
        }
        Ok(Self {
            topic,
            body,
            properties: String::new(),
            flag: 0,
            wait_store_ok: true,
            packed: None,
        })
    }

    /// Sets the tag, by which consumers filter (`TAGS`).
    ///
    /// # Errors
    /// When it is blank or holds a separator.
    pub fn tag(self, tag: &str) -> Result<Self, InvalidMessage> {
        self.set(property_names::TAGS, tag)
    }

    /// Sets the keys under which the broker indexes the message (`KEYS`, joined by one blank).
    ///
    /// # Errors
    /// When a key is blank or holds a separator.
    pub fn keys<'k>(self, keys: impl IntoIterator<Item = &'k str>) -> Result<Self, InvalidMessage> {
        let mut joined = String::new();
        for key in keys {
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(key);
        }
        self.set(property_names::KEYS, &joined)
    }

    /// Sets a property of the application's own.
    ///
    /// # Errors
    /// When name or value is blank or holds a separator, or the name is reserved.
    pub fn with_property(self, name: &str, value: &str) -> Result<Self, InvalidMessage> {
        if property_names::is_reserved(name) {
            return Err(InvalidMessage::ReservedProperty { name: String::from(name) });
        }
        self.set(name, value)
    }

    /// Sets the application's flag, stored with the message and never looked at. Default 0.
    #[must_use]
    pub fn flag(mut self, flag: i32) -> Self {
        self.flag = flag;
        self
    }

    /// Whether the broker answers only after flush and replication as it is configured (`WAIT`).
    /// Default true.
    #[must_use]
    pub fn wait_store_ok(mut self, wait: bool) -> Self {
        self.wait_store_ok = wait;
        self
    }

    /// Sends `body`, this message's body compressed in this way, in its place; the broker keeps it
    /// so and consumers unpack it. Drivers do this, before the message reaches the producer and
    /// once, however often it is tried.
    #[must_use]
    pub fn with_compressed(mut self, compression: Compression, body: impl Into<Bytes>) -> Self {
        self.packed = Some(Box::new(Packed { body: body.into(), compression }));
        self
    }

    /// How the body is compressed on the wire, if it is.
    pub fn compression(&self) -> Option<Compression> {
        self.packed.as_ref().map(|packed| packed.compression)
    }

    /// The topic.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The value of the property `name`.
    pub fn property(&self, name: &str) -> Option<&str> {
        if self.properties.is_empty() {
            return None;
        }
        self.properties().find(|&(n, _)| n == name).map(|(_, value)| value)
    }

    /// All properties that the application set, in the order they were set.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.split_terminator('\u{2}').filter_map(|entry| entry.split_once('\u{1}'))
    }

    /// The application's flag.
    pub fn flag_value(&self) -> i32 {
        self.flag
    }

    /// Whether the broker is asked to wait for flush and replication.
    pub fn waits_for_store(&self) -> bool {
        self.wait_store_ok
    }

    /// Properties as the wire has them.
    pub(crate) fn property_text(&self) -> &str {
        &self.properties
    }

    /// The body as the wire has it.
    #[inline]
    pub(crate) fn wire_body(&self) -> &Bytes {
        self.packed.as_ref().map_or(&self.body, |packed| &packed.body)
    }

    /// The bits that say how the body is compressed.
    #[inline]
    pub(crate) fn sys_flag(&self) -> i32 {
        let flag = |packed: &Packed| sys_flag::COMPRESSED | packed.compression.flag();
        self.packed.as_deref().map_or(0, flag)
    }

    /// Bytes that count against the producer's budget: the message is held once as it is and once
    /// as a frame, and once more as it is compressed.
    pub(crate) fn budget_bytes(&self) -> usize {
        let packed = self.packed.as_ref().map_or(0, |packed| packed.body.len());
        2 * (self.body.len() + self.properties.len() + MESSAGE_OVERHEAD_BYTES) + packed
    }

    /// A message that carries `body`, already encoded, for this one and others like it.
    pub(crate) fn envelope(&self, body: impl Into<Bytes>) -> Self {
        Self {
            topic: self.topic.clone(),
            body: body.into(),
            properties: String::new(),
            flag: 0,
            wait_store_ok: self.wait_store_ok,
            packed: None,
        }
    }

    /// Sets a property that may be one of RocketMQ's own.
    pub(crate) fn put(self, name: &str, value: &str) -> Result<Self, InvalidMessage> {
        self.set(name, value)
    }

    fn set(mut self, name: &str, value: &str) -> Result<Self, InvalidMessage> {
        if is_blank(name) || is_blank(value) {
            return Err(InvalidMessage::BlankProperty { name: String::from(name) });
        }
        let separator = |text: &str| text.find(['\u{1}', '\u{2}']);
        if let Some(position) = separator(name).or_else(|| separator(value)) {
            return Err(InvalidMessage::PropertySeparator { name: String::from(name), position });
        }
        self.remove(name);
        let bytes = self.properties.len() + name.len() + value.len() + 2;
        if bytes > PROPERTY_BYTES_MAX {
            return Err(InvalidMessage::PropertiesTooLong { bytes });
        }
        self.properties.push_str(name);
        self.properties.push('\u{1}');
        self.properties.push_str(value);
        self.properties.push('\u{2}');
        Ok(self)
    }

    fn remove(&mut self, name: &str) {
        if self.property(name).is_none() {
            return;
        }
        let mut kept = String::with_capacity(self.properties.len());
        for entry in self.properties.split_inclusive('\u{2}') {
            if entry.split_once('\u{1}').is_none_or(|(n, _)| n != name) {
                kept.push_str(entry);
            }
        }
        self.properties = kept;
    }
}

/// What a small message costs beside its body: frame header, slots and queue entries.
const MESSAGE_OVERHEAD_BYTES: usize = 512;

impl fmt::Debug for Message {
    /// Shows no bytes of the body: messages end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("body_bytes", &self.body.len())
            .field("property_bytes", &self.properties.len())
            .field("flag", &self.flag)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message::new("t", "b").expect("valid")
    }

    #[test]
    fn a_property_set_twice_keeps_the_last_value() {
        let message =
            message().with_property("a", "1").and_then(|m| m.with_property("ab", "2")).expect("ok");
        let message = message.with_property("a", "3").expect("ok");

        assert_eq!(message.properties().collect::<alloc::vec::Vec<_>>(), [("ab", "2"), ("a", "3")]);
    }

    #[test]
    fn separators_and_reserved_names_are_refused() {
        assert!(matches!(
            message().with_property("a", "x\u{1}y"),
            Err(InvalidMessage::PropertySeparator { position: 1, .. })
        ));
        assert!(matches!(
            message().with_property("UNIQ_KEY", "x"),
            Err(InvalidMessage::ReservedProperty { .. })
        ));
        assert!(matches!(message().tag(" "), Err(InvalidMessage::BlankProperty { .. })));
        assert_eq!(Message::new("t", ""), Err(InvalidMessage::EmptyBody));
    }

    #[test]
    fn properties_have_a_limit() {
        let long = "x".repeat(PROPERTY_BYTES_MAX);

        assert!(matches!(
            message().with_property("a", &long),
            Err(InvalidMessage::PropertiesTooLong { .. })
        ));
    }

    #[test]
    fn debug_shows_no_body() {
        let message = Message::new("t", "secret").expect("valid");

        assert!(!alloc::format!("{message:?}").contains("secret"));
    }
}
