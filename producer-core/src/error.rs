//! What failed, in which phase, at which broker, whose fault is it, and may the message be stored?

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::connection_end::ConnectionEnd;
use crate::names::{Address, InvalidName};
use crate::reason::Reason;
use crate::receipt::SendStatus;
use crate::say::says;
use crate::time::millis;
use crate::unique_id::MessageId;
use crate::wire::code::response;

/// Whether a message that was not acknowledged may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// No byte of it reached a broker. Sending it again cannot make a duplicate.
    NotSent,
    /// Every broker that got it said that it did not store it. Sending it again cannot make a
    /// duplicate, and will not help before its cause is removed.
    Rejected,
    /// A broker may have stored it. Sending it again may make a duplicate, which consumers can
    /// recognise if the same [`MessageId`] is used ([`SendOptions::message_id`]).
    ///
    /// [`SendOptions::message_id`]: crate::SendOptions::message_id
    Unknown,
}

impl Outcome {
    /// `not_sent`, `rejected` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an attempt was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for room among the sends in hand.
    Room,
    /// Looking up the topic's route.
    Route,
    /// Choosing a queue.
    Queue,
    /// Waiting for its turn in an ordering lane.
    Lane,
    /// Connecting to the broker.
    Dial,
    /// Waiting for the connection to take its bytes.
    Write,
    /// Waiting for the broker's answer.
    Answer,
    /// Waiting to try again.
    Backoff,
}

impl Phase {
    /// The phase in one lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Route => "route",
            Self::Queue => "queue",
            Self::Lane => "lane",
            Self::Dial => "dial",
            Self::Write => "write",
            Self::Answer => "answer",
            Self::Backoff => "backoff",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cause of a failure. [`ErrorKind::code`] is stable; no two causes share one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The producer is closed or closing.
    Closed,
    /// The caller dropped the send.
    Cancelled,
    /// Who was asked before the send did not allow it.
    Forbidden {
        /// Why.
        reason: String,
    },
    /// Too many sends or bytes are in hand.
    Full,
    /// The deadline passed; the phase of the last attempt says where.
    Deadline,
    /// No name server is configured.
    NoNameServer,
    /// No name server answered.
    NameServersUnreachable {
        /// What the last one that was asked did.
        last: String,
    },
    /// The name servers answered with an error other than "no such topic".
    NameServerRefused {
        /// Response code.
        code: i32,
        /// Its text.
        remark: String,
    },
    /// The name servers sent a route that cannot be read.
    BadRoute {
        /// What is wrong with it.
        problem: String,
    },
    /// No name server knows the topic.
    TopicNotFound,
    /// The topic exists, but no queue of it can be written.
    TopicNotWritable,
    /// The topic has writable queues, but none of their brokers has a master.
    NoMaster,
    /// The topic's name inside the namespace is none.
    TopicInNamespace {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: InvalidName,
    },
    /// More topics than [`Config::topics_max`](crate::Config::topics_max).
    TooManyTopics,
    /// The queue that was asked for is not in the route.
    QueueNotFound,
    /// The selector chose no queue.
    SelectorFailed,
    /// An earlier message of the ordering key ended unknown, so this one would overtake it.
    OrderBroken,
    /// The body is longer than [`Config::message_bytes_max`](crate::Config::message_bytes_max).
    MessageTooLarge {
        /// Bytes in the body.
        bytes: usize,
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// A message with this property cannot be part of a transaction: brokers would lose the one or
    /// the other.
    NotForTransactions {
        /// The property.
        property: &'static str,
    },
    /// The request was stored, and no reply came in time.
    NoReply,
    /// No route that is known names this broker.
    BrokerNotFound,
    /// The bridge on the way takes no token of ours. It is tried again while there is time, for each
    /// connection asks its source for a token anew.
    TokenRefused {
        /// Who refuses which token, and why.
        detail: String,
    },
    /// The connection to the broker could not be made.
    Connect(ConnectionEnd),
    /// The connection ended before the broker answered.
    ConnectionLost(ConnectionEnd),
    /// The broker did not answer within the attempt's time.
    AttemptTimeout,
    /// The broker is shutting down (`GO_AWAY`).
    GoAway,
    /// The broker is overloaded; wait before sending more.
    Busy {
        /// Its text.
        remark: String,
    },
    /// The broker answered with an error.
    Broker {
        /// Response code.
        code: i32,
        /// Its text.
        remark: String,
    },
    /// The broker does not know who asks: no, unknown or wrong credentials. No broker is tried
    /// again, for they all share the accounts.
    BadCredentials {
        /// Its text.
        remark: String,
    },
    /// The account may not do this. No broker is tried again.
    NotPermitted {
        /// Its text.
        remark: String,
    },
    /// The broker stored the message, but not as well as
    /// [`Config::require`](crate::Config::require) asks.
    BelowRequired {
        /// The status it gave.
        status: SendStatus,
    },
    /// The answer says "stored" but lacks what a receipt needs.
    BadAnswer {
        /// What is wrong with it.
        problem: String,
    },
}

impl ErrorKind {
    /// A stable code for machines, in lower-case words.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
            Self::Forbidden { .. } => "forbidden",
            Self::Full => "full",
            Self::Deadline => "deadline",
            Self::NoNameServer => "no_name_server",
            Self::NameServersUnreachable { .. } => "name_servers_unreachable",
            Self::NameServerRefused { .. } => "name_server_refused",
            Self::BadRoute { .. } => "bad_route",
            Self::TopicNotFound => "topic_not_found",
            Self::TopicNotWritable => "topic_not_writable",
            Self::NoMaster => "no_master",
            Self::TopicInNamespace { .. } => "topic_in_namespace",
            Self::TooManyTopics => "too_many_topics",
            Self::QueueNotFound => "queue_not_found",
            Self::SelectorFailed => "selector_failed",
            Self::OrderBroken => "order_broken",
            Self::MessageTooLarge { .. } => "message_too_large",
            Self::NotForTransactions { .. } => "not_for_transactions",
            Self::NoReply => "no_reply",
            Self::BrokerNotFound => "broker_not_found",
            Self::TokenRefused { .. } => "token_refused",
            Self::Connect(_) => "connect",
            Self::ConnectionLost(_) => "connection_lost",
            Self::AttemptTimeout => "attempt_timeout",
            Self::GoAway => "go_away",
            Self::Busy { .. } => "busy",
            Self::Broker { .. } => "broker",
            Self::BadCredentials { .. } => "bad_credentials",
            Self::NotPermitted { .. } => "not_permitted",
            Self::BelowRequired { .. } => "below_required",
            Self::BadAnswer { .. } => "bad_answer",
        }
    }

    /// A connection that could not be made.
    pub(crate) fn no_connection(end: &ConnectionEnd) -> Self {
        match end {
            ConnectionEnd::Token(detail) => Self::TokenRefused { detail: detail.clone() },
            end => Self::Connect(end.clone()),
        }
    }

    /// A name server that gave no answer.
    pub(crate) fn no_name_server(address: &dyn fmt::Display, end: &ConnectionEnd) -> Self {
        match end {
            ConnectionEnd::Token(detail) => Self::TokenRefused { detail: detail.clone() },
            end => Self::NameServersUnreachable { last: format!("{address}: {end}") },
        }
    }

    /// Whether a broker says that it has no such queue: the route is stale, and nothing is stored
    /// (`AbstractSendMessageProcessor.msgCheck`, SYSTEM_ERROR in 4.9).
    pub(crate) fn lacks_queue(&self) -> bool {
        const CODES: [i32; 2] = [response::INVALID_PARAMETER, response::SYSTEM_ERROR];
        matches!(self, Self::Broker { code, remark }
            if CODES.contains(code) && says(remark, "request queueId["))
    }

    /// What usually helps, when there is something that usually helps.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoNameServer => Some("set the name servers, or NAMESRV_ADDR"),
            Self::NameServersUnreachable { .. } => {
                Some("check the name server addresses, and that port 9876 can be reached from here")
            }
            Self::TopicNotFound => {
                Some("create the topic, or allow auto-creation on the brokers and in this producer")
            }
            Self::TopicNotWritable => {
                Some("the topic or its brokers are read-only; check their permission")
            }
            Self::NoMaster => Some("only slaves of the topic's brokers are registered"),
            Self::Connect(ConnectionEnd::Tls { fault, .. })
            | Self::ConnectionLost(ConnectionEnd::Tls { fault, .. }) => fault.hint(),
            Self::Connect(ConnectionEnd::Proxy(_)) => {
                Some("check the proxy's address and credentials, and which addresses go through it")
            }
            Self::Connect(_) => Some(
                "if the advertised address cannot be reached from here (docker, kubernetes, NAT), \
                 set brokerIP1 on the broker or an address map in this producer",
            ),
            Self::TokenRefused { .. } => Some("check where the tokens for the bridge come from"),
            Self::BadCredentials { .. } => Some("check access key, secret key and security token"),
            Self::NotPermitted { .. } => Some("have the account granted this on the brokers"),
            Self::Full | Self::Busy { .. } => Some("send more slowly"),
            _ => None,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the producer is closed"),
            Self::Cancelled => f.write_str("the send was dropped by its caller"),
            Self::Forbidden { reason } => write!(f, "it is not allowed: {reason}"),
            Self::Full => f.write_str("too many sends or bytes are in hand"),
            Self::Deadline => f.write_str("the deadline passed"),
            Self::NoNameServer => f.write_str("no name server is configured"),
            Self::NameServersUnreachable { last } => {
                write!(f, "no name server answered (last: {last})")
            }
            Self::NameServerRefused { code, remark } => {
                write!(f, "the name server answered with code {code}: {remark}")
            }
            Self::BadRoute { problem } => write!(f, "the route cannot be read: {problem}"),
            Self::TopicNotFound => f.write_str("no name server knows the topic"),
            Self::TopicNotWritable => f.write_str("the topic has no writable queue"),
            Self::NoMaster => f.write_str("no broker of the topic has a master"),
            Self::TopicInNamespace { name, problem } => {
                write!(f, "the topic is {name} in its namespace: {problem}")
            }
            Self::TooManyTopics => f.write_str("too many topics are in use"),
            Self::QueueNotFound => f.write_str("the chosen queue is not in the topic's route"),
            Self::SelectorFailed => f.write_str("the selector chose no queue"),
            Self::OrderBroken => {
                f.write_str("an earlier message of this ordering key ended unknown")
            }
            Self::MessageTooLarge { bytes, bytes_max } => {
                write!(f, "the body has {bytes} bytes, {bytes_max} are allowed")
            }
            Self::NotForTransactions { property } => {
                write!(f, "a message with {property} cannot be part of a transaction")
            }
            Self::NoReply => f.write_str("the request is stored, but no reply came in time"),
            Self::BrokerNotFound => f.write_str("no known route names this broker"),
            Self::TokenRefused { detail } => write!(f, "no way past the bridge: {detail}"),
            Self::Connect(end) => write!(f, "cannot connect: {end}"),
            Self::ConnectionLost(end) => write!(f, "connection lost: {end}"),
            Self::AttemptTimeout => f.write_str("no answer in time"),
            Self::GoAway => f.write_str("the broker is shutting down"),
            Self::Busy { remark } => write!(f, "the broker is busy: {remark}"),
            Self::Broker { code, remark } => {
                write!(f, "the broker answered with code {code}: {remark}")
            }
            Self::BadCredentials { remark } => {
                write!(f, "the broker does not accept the credentials: {remark}")
            }
            Self::NotPermitted { remark } => write!(f, "the account may not do this: {remark}"),
            Self::BelowRequired { status } => write!(f, "stored, but only with status {status}"),
            Self::BadAnswer { problem } => write!(f, "the answer cannot be used: {problem}"),
        }
    }
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Name of the broker, `None` when the attempt ended before one was chosen.
    pub broker: Option<Arc<str>>,
    /// Address that the route names for it.
    pub advertised: Option<Address>,
    /// Address that was dialled.
    pub dialled: Option<Address>,
    /// Queue that was chosen.
    pub queue_id: Option<u32>,
    /// Why that queue.
    pub reason: Option<Reason>,
    /// What the attempt was doing when it failed.
    pub phase: Phase,
    /// From its start to its failure.
    pub elapsed: Duration,
    /// Whether this attempt may have stored the message.
    pub outcome: Outcome,
    /// The cause.
    pub kind: ErrorKind,
}

impl Attempt {
    /// One that ended before it was on any connection.
    pub(crate) fn off_connection(phase: Phase, elapsed: Duration, kind: ErrorKind) -> Self {
        Self {
            broker: None,
            advertised: None,
            dialled: None,
            queue_id: None,
            reason: None,
            phase,
            elapsed,
            outcome: Outcome::NotSent,
            kind,
        }
    }
}

/// A send that did not succeed: the cause of its last attempt, whether the message may be stored,
/// and every attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    kind: ErrorKind,
    outcome: Outcome,
    message_id: Option<MessageId>,
    elapsed: Duration,
    attempts: Vec<Attempt>,
}

impl SendError {
    pub(crate) fn new(
        kind: ErrorKind,
        outcome: Outcome,
        message_id: Option<MessageId>,
        elapsed: Duration,
        attempts: Vec<Attempt>,
    ) -> Self {
        Self(Box::new(Details { kind, outcome, message_id, elapsed, attempts }))
    }

    /// The end of a send that a driver refuses before the core gets it.
    pub fn not_sent(kind: ErrorKind) -> Self {
        Self::new(kind, Outcome::NotSent, None, Duration::ZERO, Vec::new())
    }

    /// The cause.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether the message may be stored, over all attempts: unknown once is unknown for good.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The id that the message had on every attempt, `None` if it failed before it got one.
    pub fn message_id(&self) -> Option<MessageId> {
        self.0.message_id
    }

    /// From the call to the failure.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Every attempt, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { kind, outcome, elapsed, attempts, .. } = &*self.0;
        write!(f, "{kind} ({outcome}, after {} ms", millis(*elapsed))?;
        for (number, attempt) in attempts.iter().enumerate() {
            write!(f, "; attempt {}", number + 1)?;
            if let Some(broker) = &attempt.broker {
                write!(f, " at {broker}")?;
            }
            match (&attempt.advertised, &attempt.dialled) {
                (Some(advertised), Some(dialled)) if advertised != dialled => {
                    write!(f, " [{advertised} -> {dialled}]")?;
                }
                (Some(advertised), _) => write!(f, " [{advertised}]")?,
                _ => {}
            }
            write!(f, ", {}, {} ms: {}", attempt.phase, millis(attempt.elapsed), attempt.kind)?;
        }
        f.write_str(")")
    }
}

impl core::error::Error for SendError {}
