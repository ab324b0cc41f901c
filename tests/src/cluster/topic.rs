//! Topics of a real broker: created with chosen settings, read back message by message.

use std::time::Duration;

use super::interop_wait::wait_for;
use super::raw::Client;
use super::{Error, Result, Stored};

/// A topic as the administrator wants it: readable and writable unless told otherwise.
#[derive(Clone, Debug)]
pub struct Topic {
    name: String,
    read_queues: u32,
    write_queues: u32,
    perm: u32,
    is_ordered: bool,
    attributes: Option<String>,
    masters: Option<Vec<String>>,
}

impl Topic {
    /// With that many queues on every master.
    pub fn new(name: &str, queues: u32) -> Self {
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
    pub fn write_queues(mut self, queues: u32) -> Self {
        self.write_queues = queues;
        self
    }

    /// 4 to read, 2 to write, their sum for both.
    pub fn perm(mut self, perm: u32) -> Self {
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
        let (reads, writes) = (self.read_queues.to_string(), self.write_queues.to_string());
        let (perm, is_ordered) = (self.perm.to_string(), self.is_ordered.to_string());
        let mut ext = vec![
            ("topic", self.name.as_str()),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", &reads),
            ("writeQueueNums", &writes),
            ("perm", &perm),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "0"),
            ("order", &is_ordered),
        ];
        ext.extend(self.attributes.as_deref().map(|attributes| ("attributes", attributes)));
        master.call(UPDATE_AND_CREATE_TOPIC, &ext, &[])?.ok().map(drop)
    }

    /// Until the route has the topic on that broker.
    pub(super) fn wait_visible(&self, name_server: &mut Client, broker: &str) -> Result<()> {
        let seen = wait_for(Duration::from_secs(5), || {
            let answer = name_server.call(GET_ROUTE, &[("topic", &self.name)], &[])?;
            let route = if answer.code == 0 { answer.json()? } else { return Ok(None) };
            let queues = route["queueDatas"].as_array().into_iter().flatten();
            Ok(queues.into_iter().find(|queue| queue["brokerName"] == broker).map(drop))
        })?;
        seen.ok_or_else(|| Error::new(format!("no route shows topic {} on {broker}", self.name)))
    }
}

/// All messages of a topic on one broker, by queue and offset.
pub(super) fn read(master: &mut Client, broker: &str, topic: &str) -> Result<Vec<Stored>> {
    let mut messages = Vec::new();
    for queue in 0..QUEUES_MAX {
        let Some(mut more) = read_queue(master, broker, topic, queue)? else { break };
        messages.append(&mut more);
    }
    Ok(messages)
}

/// `None` if the broker has no such queue or topic.
fn read_queue(
    master: &mut Client,
    broker: &str,
    topic: &str,
    queue: u32,
) -> Result<Option<Vec<Stored>>> {
    let queue_id = queue.to_string();
    let place = [("topic", topic), ("queueId", queue_id.as_str())];
    let end = master.call(GET_MAX_OFFSET, &place, &[])?.ok()?.number("offset")?;
    let mut next = master.call(GET_MIN_OFFSET, &place, &[])?.ok()?.number("offset")?;
    let mut messages = Vec::new();
    let mut empty_answers = 0;
    // An empty queue is asked once too: only a pull tells whether it exists.
    loop {
        let offset = next.to_string();
        let pull = [
            ("consumerGroup", "harness"),
            ("topic", topic),
            ("queueId", &queue_id),
            ("queueOffset", &offset),
            ("maxMsgNums", "32"),
            // No subscription is kept for this group, and none is asked for.
            ("sysFlag", "4"),
            ("subscription", "*"),
            ("subVersion", "0"),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", "0"),
            ("expressionType", "TAG"),
        ];
        let answer = master.call(PULL_MESSAGE, &pull, &[])?;
        match answer.code {
            0 => {
                next = answer.number("nextBeginOffset")?;
                let mut rest = &answer.body[..];
                while !rest.is_empty() {
                    messages.push(Stored::take(&mut rest, broker)?);
                }
            }
            TOPIC_NOT_EXIST | INVALID_PARAMETER => return Ok(None),
            // 4.9.7 gives this code to every mistake.
            1 if answer.remark.as_deref().is_some_and(|text| text.contains("queueId")) => {
                return Ok(None);
            }
            PULL_NOT_FOUND | PULL_RETRY | PULL_OFFSET_MOVED if next >= end => {}
            PULL_NOT_FOUND | PULL_RETRY | PULL_OFFSET_MOVED if empty_answers < 100 => {
                empty_answers += 1;
                next = next.max(answer.number("nextBeginOffset")?);
            }
            _ => {
                let place = format!("pulling {topic} from queue {queue} of {broker} at {next}");
                return answer.ok().map_err(Error::doing(place)).map(|_| None);
            }
        }
        if next >= end {
            return Ok(Some(messages));
        }
    }
}

const PULL_MESSAGE: i32 = 11;
const UPDATE_AND_CREATE_TOPIC: i32 = 17;
const GET_MAX_OFFSET: i32 = 30;
const GET_MIN_OFFSET: i32 = 31;
const GET_ROUTE: i32 = 105;
const TOPIC_NOT_EXIST: i32 = 17;
const PULL_NOT_FOUND: i32 = 19;
const PULL_RETRY: i32 = 20;
const PULL_OFFSET_MOVED: i32 = 21;
const INVALID_PARAMETER: i32 = 29;
const QUEUES_MAX: u32 = 1024;
