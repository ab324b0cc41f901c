//! Why has a question no good answer?

use alloc::string::String;
use core::fmt;

use crate::access::denial;
use crate::ask::Answer;
use crate::error::{ErrorKind, SendError};
use crate::names::InvalidName;
use crate::wire::code::response;
use crate::wire::{WireError, names};

/// Why an administrative question, or a recall, was not answered as asked.
/// [`AskError::code`] is stable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// What was asked cannot be right; nobody was asked.
    Invalid(InvalidQuestion),
    /// No name server, or not the broker that was asked, knows the topic.
    NoTopic,
    /// The topic is on no broker of this name, or it has no master now.
    NoBroker,
    /// There is no such message.
    NoMessage,
    /// The broker will not take the message back: it is due, or nearly so, or never was there
    /// (`ILLEGAL_OPERATION`).
    NotRecallable {
        /// Its text.
        remark: String,
    },
    /// The broker takes no message back (`recallMessageEnable`, off by default).
    RecallDisabled,
    /// A broker or name server refuses. The kind tells wrong credentials from missing permission
    /// from anything else.
    Refused(ErrorKind),
    /// There is no answer.
    Unanswered(SendError),
    /// The answer lacks what was asked for.
    BadAnswer {
        /// What is wrong with it.
        problem: String,
    },
}

/// What is wrong with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidQuestion {
    /// The topic's name is none inside the namespace.
    Topic(InvalidName),
    /// The topic belongs to the brokers: nobody else creates it.
    SystemTopic,
    /// A topic has from 1 to 65,536 queues.
    QueueCount {
        /// How many were asked for.
        count: u32,
    },
    /// An attribute's name or value is blank or holds one of `+`, `-` in front, `=` or a comma.
    Attribute {
        /// The name.
        name: String,
    },
    /// A key is not blank.
    Key,
    /// This is no handle of a message that can be recalled.
    Handle,
    /// The handle is that of a message to another topic.
    OtherTopic {
        /// The topic.
        topic: String,
    },
    /// Messages that consumers gave back or gave up cannot be recalled.
    RetryTopic,
}

impl AskError {
    /// A stable code for machines, in lower-case words.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_question",
            Self::NoTopic => "topic_not_found",
            Self::NoBroker => "broker_not_found",
            Self::NoMessage => "message_not_found",
            Self::NotRecallable { .. } => "not_recallable",
            Self::RecallDisabled => "recall_disabled",
            Self::Refused(kind) => kind.code(),
            Self::Unanswered(error) => error.kind().code(),
            Self::BadAnswer { .. } => "bad_answer",
        }
    }

    /// What usually helps, when there is something that usually helps.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTopic => Some("create the topic, or check its name and the namespace"),
            Self::RecallDisabled => Some("set recallMessageEnable=true on the brokers"),
            Self::Refused(kind) => kind.hint(),
            Self::Unanswered(error) => error.kind().hint(),
            _ => None,
        }
    }

    /// Whether access control refuses.
    pub(crate) fn is_denial(&self) -> bool {
        use ErrorKind::{BadCredentials, NotPermitted};
        matches!(self, Self::Refused(BadCredentials { .. } | NotPermitted { .. }))
    }

    pub(crate) fn lacks(error: &WireError) -> Self {
        Self::BadAnswer { problem: alloc::format!("{error}") }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(problem) => write!(f, "{problem}"),
            Self::NoTopic => f.write_str("nobody knows the topic"),
            Self::NoBroker => f.write_str("the topic has no such broker, or it has no master"),
            Self::NoMessage => f.write_str("there is no such message"),
            Self::NotRecallable { remark } => {
                write!(f, "the message cannot be recalled (any more): {remark}")
            }
            Self::RecallDisabled => f.write_str("the broker lets no message be recalled"),
            Self::Refused(kind) => write!(f, "{kind}"),
            Self::Unanswered(error) => write!(f, "no answer: {error}"),
            Self::BadAnswer { problem } => write!(f, "the answer cannot be used: {problem}"),
        }
    }
}

impl fmt::Display for InvalidQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(problem) => write!(f, "invalid topic: {problem}"),
            Self::SystemTopic => f.write_str("the topic belongs to the brokers"),
            Self::QueueCount { count } => write!(f, "a topic cannot have {count} queues"),
            Self::Attribute { name } => write!(f, "invalid attribute {name:?}"),
            Self::Key => f.write_str("the key is blank"),
            Self::Handle => f.write_str("this is no recall handle"),
            Self::OtherTopic { topic } => write!(f, "the handle is of a message to {topic}"),
            Self::RetryTopic => {
                f.write_str("messages of retry and dead letter topics cannot be recalled")
            }
        }
    }
}

impl core::error::Error for InvalidQuestion {}

impl core::error::Error for AskError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unanswered(error) => Some(error),
            _ => None,
        }
    }
}

impl From<InvalidQuestion> for AskError {
    fn from(problem: InvalidQuestion) -> Self {
        Self::Invalid(problem)
    }
}

impl From<SendError> for AskError {
    fn from(error: SendError) -> Self {
        Self::Unanswered(error)
    }
}

impl Answer {
    /// The answer, if it is a success.
    ///
    /// # Errors
    /// [`AskError`] says what its code and text mean.
    pub fn success(&self) -> Result<&Self, AskError> {
        let remark = self.remark.as_deref().unwrap_or_default();
        if self.code == response::SUCCESS {
            return Ok(self);
        }
        if let Some(kind) = denial(self.code, remark) {
            return Err(AskError::Refused(kind));
        }
        let remark = String::from(remark);
        Err(match self.code {
            response::TOPIC_NOT_EXIST => AskError::NoTopic,
            response::QUERY_NOT_FOUND => AskError::NoMessage,
            response::SYSTEM_BUSY => AskError::Refused(ErrorKind::Busy { remark }),
            response::GO_AWAY => AskError::Refused(ErrorKind::GoAway),
            code => AskError::Refused(ErrorKind::Broker { code, remark }),
        })
    }

    /// A number that has to be there.
    pub(crate) fn number<N: core::str::FromStr>(&self, name: &'static str) -> Result<N, AskError> {
        let value = self.field(name).ok_or(WireError::MissingField { name });
        let number =
            value.and_then(|value| value.parse().map_err(|_| WireError::BadField { name }));
        number.map_err(|error| AskError::lacks(&error))
    }
}

/// Whether text is a key that brokers could have indexed.
pub(crate) fn check_key(key: &str) -> Result<(), InvalidQuestion> {
    match names::is_blank(key) {
        true => Err(InvalidQuestion::Key),
        false => Ok(()),
    }
}
