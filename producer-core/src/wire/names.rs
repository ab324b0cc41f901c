//! Which names and sizes the servers accept (spec §7.4, `Validators.java`,
//! `TopicValidator.java`).

use core::fmt;

/// Longest topic in UTF-16 units, namespace and `%RETRY%` included.
pub const TOPIC_UNITS_MAX: usize = 127;
/// Longest group in UTF-16 units, as of 5.4.0; 4.9 allows 255.
pub const GROUP_UNITS_MAX: usize = 120;
/// Longest group in UTF-16 units that any release accepts.
pub const GROUP_UNITS_MAX_4_9: usize = 255;

/// What is wrong with a name.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// Nothing but white space.
    Blank,
    /// Longer than the limit.
    TooLong {
        /// The limit in UTF-16 units.
        max: usize,
    },
    /// A character other than letters, digits, `%`, `|`, `_` and `-`.
    IllegalCharacter,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("name is blank"),
            Self::TooLong { max } => write!(f, "name is longer than {max} characters"),
            Self::IllegalCharacter => f.write_str("name has characters outside [%|a-zA-Z0-9_-]"),
        }
    }
}

impl core::error::Error for NameError {}

/// Checks a topic as `Validators.checkTopic` does.
pub fn check_topic(topic: &str) -> Result<(), NameError> {
    check(topic, TOPIC_UNITS_MAX)
}

/// Checks a group as `Validators.checkGroup` does. `max` is [`GROUP_UNITS_MAX`] or
/// [`GROUP_UNITS_MAX_4_9`].
pub fn check_group(group: &str, max: usize) -> Result<(), NameError> {
    check(group, max)
}

fn check(name: &str, max: usize) -> Result<(), NameError> {
    if name.chars().all(is_java_whitespace) {
        return Err(NameError::Blank);
    }
    if name.encode_utf16().count() > max {
        return Err(NameError::TooLong { max });
    }
    if !name.bytes().all(is_name_byte) {
        return Err(NameError::IllegalCharacter);
    }
    Ok(())
}

/// Whether the servers keep the topic for themselves: it cannot be created and takes no namespace.
/// The list is that of 5.4.0.
pub fn is_system_topic(topic: &str) -> bool {
    SYSTEM_TOPICS.contains(&topic) || topic.starts_with("rmq_sys_")
}

/// Whether a client may not send to the topic.
pub fn is_forbidden_topic(topic: &str) -> bool {
    SYSTEM_TOPICS[..FORBIDDEN].contains(&topic)
}

/// Whether a client sends a body of this many bytes: not empty, and not above `max`, before
/// compression.
pub const fn is_body_size(bytes: usize, max: usize) -> bool {
    bytes > 0 && bytes <= max
}

/// Whether a group belongs to the servers.
pub fn is_system_group(group: &str) -> bool {
    group.starts_with("CID_RMQ_SYS_")
}

/// Whether text is empty or white space in the sense of `Character.isWhitespace`.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_java_whitespace)
}

/// Java counts the four separators U+001C–U+001F as white space, and the no-break spaces not.
const fn is_java_whitespace(character: char) -> bool {
    match character {
        '\u{1c}'..='\u{1f}' => true,
        '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        _ => character.is_whitespace(),
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'|' | b'_' | b'-')
}

/// The first [`FORBIDDEN`] ones may not be sent to either.
const SYSTEM_TOPICS: [&str; 10] = [
    "SCHEDULE_TOPIC_XXXX",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "TBW102",
    "BenchmarkTest",
    "RMQ_SYS_TRACE_TOPIC",
    "CHECKPOINT_TOPIC",
];

const FORBIDDEN: usize = 6;
