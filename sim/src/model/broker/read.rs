//! How are messages read back? PULL_MESSAGE (11), VIEW_MESSAGE_BY_ID (33), QUERY_MESSAGE (12).

use producer_core::wire::code::response;
use producer_core::wire::properties;
use producer_core::wire::property_names::{KEYS, UNIQ_CLIENT_MESSAGE_ID_KEYIDX as UNIQ_KEY};
use producer_core::wire::query::{PullResponse, QueryMessage, QueryResponse, ViewMessage};
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{Ext, WireError};

use super::super::Release;
use super::super::answer::{Answer, Request, owned};
use super::Broker;
use super::log::QueueIndex;

impl Broker {
    /// Answers at once: a pull that could be held until something is there gets 19.
    pub(super) fn pull(&self, request: &Request<'_>) -> Result<Answer, WireError> {
        let asked = Pull::from_ext(&request.header.ext)?;
        let Some(topic) = self.topics.get(&asked.topic) else {
            let topic = asked.topic;
            let help = self.config.release.help();
            let remark = format!("topic[{topic}] not exist, apply first please!{help}");
            return Ok(Answer::error(response::TOPIC_NOT_EXIST, remark));
        };
        if asked.queue_id < 0 || asked.queue_id >= topic.config.read_queues {
            let remark = format!("queueId[{}] is illegal, topic:[{}]", asked.queue_id, asked.topic);
            return Ok(Answer::error(self.invalid_parameter(), remark));
        }
        let empty = QueueIndex::default();
        let queue = self.queue(&asked.topic, asked.queue_id).unwrap_or(&empty);
        let (code, remark, next) = place(queue, asked.offset, asked.max);
        let mut body = Vec::new();
        let mut last = None;
        for offset in asked.offset..next {
            let at = queue.position(offset).filter(|_| code == response::SUCCESS);
            // The places of an inner batch lead to one record.
            if let Some(record) = at.filter(|_| last != at).and_then(|at| self.log.indexed(at)) {
                body.extend_from_slice(record);
            }
            last = at;
        }
        let flag = match self.config.release {
            Release::V4_9_7 => None,
            Release::V5_4_0 => Some(0),
        };
        let found = PullResponse {
            suggest_which_broker_id: Some(self.config.id),
            next_begin_offset: next,
            min_offset: queue.min,
            max_offset: queue.max(),
            topic_sys_flag: flag,
            group_sys_flag: flag,
        };
        let fields = owned(&found.to_ext());
        let own_form = code == response::SUCCESS;
        Ok(Answer { code, remark: Some(remark.to_owned()), fields, body, own_form })
    }

    pub(super) fn view(&self, request: &Request<'_>) -> Result<Answer, WireError> {
        let asked = ViewMessage::from_ext(&request.header.ext)?;
        let Some(record) = self.log.record(asked.offset) else {
            let remark = format!("can not find message by the offset, {}", asked.offset);
            return Ok(Answer::error(response::SYSTEM_ERROR, remark));
        };
        Ok(Answer { body: record.to_vec(), own_form: true, ..Answer::ok() })
    }

    /// Looks through the whole log; there is no index.
    pub(super) fn query(&self, request: &Request<'_>) -> Result<Answer, WireError> {
        let asked = QueryMessage::from_ext(&request.header.ext)?;
        let unique = asked.unique_key == Some(true);
        let max = if unique { QUERY_MAX } else { usize::try_from(asked.max_num).unwrap_or(0) };
        let window = asked.begin_timestamp..=asked.end_timestamp;
        let wanted = |message: &StoredMessage<'_>| {
            *message.topic == *asked.topic
                && window.contains(&message.store_timestamp)
                && has_key(message, &asked.key)
        };
        // The youngest are taken, and told in the order of the log (`DefaultMessageStore.queryMessage`
        // sorts the offsets that its index gave).
        let mut found: Vec<_> = self.log.messages().rev().filter(wanted).take(max).collect();
        found.reverse();
        let mut body = Vec::new();
        for record in found.iter().filter_map(|message| self.log.indexed(message.physical_offset)) {
            body.extend_from_slice(record);
        }
        let last = self.log.messages().next_back().filter(|_| !body.is_empty());
        let index = last.map_or_else(QueryResponse::default, |last| QueryResponse {
            index_last_update_timestamp: last.store_timestamp,
            index_last_update_phyoffset: last.physical_offset,
        });
        let fields = owned(&index.to_ext());
        if body.is_empty() {
            let remark = "can not find message, maybe time range not correct";
            return Ok(Answer { fields, ..Answer::error(response::QUERY_NOT_FOUND, remark) });
        }
        Ok(Answer { fields, body, own_form: true, ..Answer::ok() })
    }
}

/// The fields of a pull that matter here; real brokers need no others.
struct Pull {
    topic: String,
    queue_id: i32,
    offset: i64,
    max: i64,
}

impl Pull {
    fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.need_text("topic")?,
            queue_id: ext.need_i32("queueId")?,
            offset: ext.need_i64("queueOffset")?,
            max: i64::from(ext.need_i32("maxMsgNums")?).clamp(0, PULL_MAX),
        })
    }
}

/// Code, remark and next offset of a pull at `offset`.
fn place(queue: &QueueIndex, offset: i64, max: i64) -> (i32, &'static str, i64) {
    let (first, end) = (queue.min, queue.max());
    if end == 0 {
        if offset == 0 {
            (response::PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE", 0)
        } else {
            (response::PULL_OFFSET_MOVED, "NO_MESSAGE_IN_QUEUE", 0)
        }
    } else if offset < first {
        (response::PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL", first)
    } else if offset == end {
        (response::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE", end)
    } else if offset > end {
        (response::PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY", end)
    } else {
        (response::SUCCESS, "FOUND", end.min(offset + max))
    }
}

/// Whether the index leads from `key` to a message. Unique keys and others are in one index
/// (`IndexService.buildIndex`), and it is for clients to look again.
fn has_key(message: &StoredMessage<'_>, key: &str) -> bool {
    let keys = properties::get(&message.properties, KEYS);
    properties::get(&message.properties, UNIQ_KEY) == Some(key)
        || keys.is_some_and(|keys| keys.split(' ').any(|one| one == key))
}

/// Most messages of one pull (`maxTransferCountOnMessageInMemory`).
const PULL_MAX: i64 = 32;
/// Most messages of a query by unique key (`defaultQueryMaxNum`).
const QUERY_MAX: usize = 32;
