//! Topics of a real broker: created with chosen settings, read back message by message.

use std::net::SocketAddr;
use std::time::Duration;

use producer_core::wire::code::{request, response};
use producer_core::wire::offset::{MaxOffset, MinOffset};
use producer_core::wire::query::PullMessage;
use producer_core::wire::topic_config::CreateTopic;

use super::interop_wait::wait_for;
use super::raw::Client;
use super::{Error, Result, Stored};

/// A topic as the administrator wants it: readable and writable unless told otherwise.
#[derive(Clone, Debug)]
pub struct Topic {
    name: String,
    read_queues: i32,
    write_queues: i32,
    perm: i32,
    is_ordered: bool,
    attributes: Option<String>,
    masters: Option<Vec<String>>,
}

impl Topic {
    /// With that many queues on every master.
    pub fn new(name: &str, queues: i32) -> Self {
        Self {
            name: name.to_owned(),
            read_queues: queues,
            write_queues: queues,
            perm: 6,
            is_ordered: false,
            attributes: None,
            masters: None,
        }
    }

    /// Another number of queues for writing than for reading.
    pub fn write_queues(mut self, queues: i32) -> Self {
        self.write_queues = queues;
        self
    }

    /// 4 to read, 2 to write, their sum for both.
    pub fn perm(mut self, perm: i32) -> Self {
        self.perm = perm;
        self
    }

    /// An order topic.
    pub fn ordered(mut self) -> Self {
        self.is_ordered = true;
        self
    }

    /// For example `+message.type=DELAY`; 5.x only.
    pub fn attributes(mut self, attributes: &str) -> Self {
        self.attributes = Some(attributes.to_owned());
        self
    }

    /// Only on these masters.
    pub fn on(mut self, masters: &[&str]) -> Self {
        self.masters = Some(masters.iter().map(|&name| name.to_owned()).collect());
        self
    }

    pub(super) fn is_on(&self, broker: &str) -> bool {
        self.masters.as_ref().is_none_or(|masters| masters.iter().any(|name| name == broker))
    }

    /// UPDATE_AND_CREATE_TOPIC straight to one master.
    pub(super) fn create_on(&self, master: &mut Client) -> Result<()> {
        let create = CreateTopic {
            topic: self.name.clone(),
            default_topic: "TBW102".to_owned(),
            read_queue_nums: self.read_queues,
            write_queue_nums: self.write_queues,
            perm: self.perm,
            topic_filter_type: "SINGLE_TAG".to_owned(),
            topic_sys_flag: Some(0),
            order: self.is_ordered.to_string(),
            attributes: self.attributes.clone(),
            force: None,
        };
        let answer = master.call(request::UPDATE_AND_CREATE_TOPIC, &create.to_ext(), &[])?;
        answer.ok().map(drop).map_err(Error::doing(format!("creating topic {}", self.name)))
    }

    /// Until the route has the topic on that broker.
    pub(super) fn wait_visible(&self, name_server: &mut Client, broker: &str) -> Result<()> {
        let seen = wait_for(Duration::from_secs(5), || {
            let route = name_server.route(&self.name)?.unwrap_or_default();
            Ok(route.queues.iter().find(|queue| queue.broker_name == broker).map(drop))
        })?;
        seen.ok_or_else(|| Error::new(format!("no route shows topic {} on {broker}", self.name)))
    }
}

/// Creates or changes a topic on any broker that takes the request, real or not.
pub fn create_at(address: SocketAddr, topic: &Topic) -> Result<()> {
    topic.create_on(&mut Client::connect(address)?)
}

/// All messages of a topic on any broker that can be pulled from, real or not, by queue and offset.
pub fn read_from(address: SocketAddr, broker: &str, topic: &str) -> Result<Vec<Stored>> {
    read(&mut Client::connect(address)?, broker, topic)
}

/// All messages of a topic on one broker, by queue and offset.
pub(super) fn read(master: &mut Client, broker: &str, topic: &str) -> Result<Vec<Stored>> {
    let mut messages = Vec::new();
    for queue in 0..QUEUES_MAX {
        let place = Place { broker, topic, queue };
        let Some(mut more) = place.read(master)? else { break };
        messages.append(&mut more);
    }
    Ok(messages)
}

/// One queue of one broker.
struct Place<'a> {
    broker: &'a str,
    topic: &'a str,
    queue: i32,
}

/// What one pull brought.
enum Pulled {
    Messages { body: Vec<u8>, next: i64 },
    Nothing { next: i64 },
    NoSuchQueue,
}

impl Place<'_> {
    /// `None` if the broker has no such queue or topic.
    fn read(&self, master: &mut Client) -> Result<Option<Vec<Stored>>> {
        let (mut next, end) = self.bounds(master)?;
        let mut messages = Vec::new();
        let mut empty_answers = 0;
        // An empty queue is asked once too: only a pull tells whether it exists.
        loop {
            match self.pull(master, next)? {
                Pulled::NoSuchQueue => return Ok(None),
                Pulled::Messages { body, next: beyond } => {
                    let mut rest = &body[..];
                    while !rest.is_empty() {
                        messages.push(Stored::take(&mut rest, self.broker)?);
                    }
                    next = beyond;
                }
                Pulled::Nothing { next: beyond } => {
                    empty_answers += 1;
                    next = next.max(beyond);
                }
            }
            if next >= end {
                return Ok(Some(messages));
            }
            if empty_answers > EMPTY_ANSWERS_MAX {
                let Self { broker, topic, queue } = self;
                let place = format!("{topic}, queue {queue} of {broker}");
                return Err(Error::new(format!("{place}: no message {next} before {end}")));
            }
        }
    }

    /// The offsets of the first message and of the next one to come.
    fn bounds(&self, master: &mut Client) -> Result<(i64, i64)> {
        let (topic, queue_id, broker_name) = (self.topic.to_owned(), self.queue, None);
        let max = MaxOffset { topic: topic.clone(), queue_id, committed: None, broker_name };
        let min = MinOffset { topic, queue_id, broker_name: None };
        let mut offset = |code, ext| master.call(code, &ext, &[])?.ok()?.number("offset");
        Ok((
            offset(request::GET_MIN_OFFSET, min.to_ext())?,
            offset(request::GET_MAX_OFFSET, max.to_ext())?,
        ))
    }

    fn pull(&self, master: &mut Client, at: i64) -> Result<Pulled> {
        let pull = PullMessage {
            consumer_group: "harness".to_owned(),
            topic: self.topic.to_owned(),
            queue_id: self.queue,
            queue_offset: at,
            max_msg_nums: 32,
            // The subscription is in the request: brokers keep none for this group.
            sys_flag: 4,
            subscription: Some("*".to_owned()),
            expression_type: Some("TAG".to_owned()),
            ..PullMessage::default()
        };
        let answer = master.call(request::PULL_MESSAGE, &pull.to_ext(), &[])?;
        match answer.code {
            response::SUCCESS => {
                let next = answer.number("nextBeginOffset")?;
                Ok(Pulled::Messages { body: answer.body, next })
            }
            response::PULL_NOT_FOUND
            | response::PULL_RETRY_IMMEDIATELY
            | response::PULL_OFFSET_MOVED => {
                Ok(Pulled::Nothing { next: answer.number("nextBeginOffset")? })
            }
            response::TOPIC_NOT_EXIST | response::INVALID_PARAMETER => Ok(Pulled::NoSuchQueue),
            // 4.9.7 gives this code to every mistake.
            response::SYSTEM_ERROR
                if answer.remark.as_deref().is_some_and(|text| text.contains("queueId")) =>
            {
                Ok(Pulled::NoSuchQueue)
            }
            _ => {
                let Self { broker, topic, queue } = self;
                let place = format!("pulling {topic} from queue {queue} of {broker} at {at}");
                answer.ok().map(|_| Pulled::NoSuchQueue).map_err(Error::doing(place))
            }
        }
    }
}

const QUEUES_MAX: i32 = 1024;
/// The broker says there are messages and gives none: in between they are being indexed.
const EMPTY_ANSWERS_MAX: u32 = 100;
