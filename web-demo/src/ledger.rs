//! What the brokers' own logs hold, told piece by piece.
//!
//! A page gives each message a property [`PROPERTY`], `RUN.N`: a number of its own run in hexadecimal,
//! and of the message in decimal. It asks again and again for what was stored since, and compares
//! that with what its producer told it. Half messages, retries and other topics are not shown.
//!
//! # The answer, in bytes
//!
//! All numbers are little-endian.
//!
//! | bytes | |
//! |---|---|
//! | 4 | number of brokers, in the order of the state: `broker-a`, `broker-b`, `broker-c` |
//! | 4 | number of records |
//! | 8 a broker | its cursor for the next time |
//! | 8 a broker | messages between the cursor it was asked with and this answer that are in its log no more |
//! | 4 a record | run; 0 for a message without a number |
//! | 4 | number of the message |
//! | 1, 1, 2 | broker; 0; queue |
//! | 4 | offset in the queue, its lower 32 bits |
//!
//! There are [`RECORDS_MAX`] records of a broker at most: with so many, there is more at once.

use std::fmt::Write as _;

use producer_core::wire::properties;
use producer_core::wire::property_names::UNIQ_CLIENT_MESSAGE_ID_KEYIDX as UNIQ_KEY;
use producer_core::wire::stored::StoredMessage;
use serde_json::{Value, json};
use sim::model::broker::Message;
use sim::serve::BrokerHandle;

use crate::demo::TOPIC;

/// The property that numbers a message.
pub const PROPERTY: &str = "demoSeq";
/// Most records of one broker in an answer: reading them keeps the broker waiting.
pub const RECORDS_MAX: usize = 4096;
/// Bytes of a body that are told of one message.
const BODY_BYTES_MAX: usize = 1024;

/// One stored message, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    run: u32,
    number: u32,
    queue: u16,
    offset: u32,
}

impl Record {
    fn of(message: &StoredMessage<'_>) -> Self {
        let (run, number) =
            properties::get(&message.properties, PROPERTY).and_then(number_of).unwrap_or_default();
        Self {
            run,
            number,
            queue: u16::try_from(message.queue_id).unwrap_or(u16::MAX),
            offset: message.queue_offset as u32,
        }
    }
}

/// Run and number of a message, out of `RUN.N`.
fn number_of(text: &str) -> Option<(u32, u32)> {
    let (run, number) = text.split_once('.')?;
    Some((u32::from_str_radix(run, 16).ok()?, number.parse().ok()?))
}

/// The cursors of a query, 0 for those it does not name.
pub(crate) fn cursors(query: Option<&str>, brokers: usize) -> Option<Vec<u64>> {
    let mut cursors = vec![0; brokers];
    let Some(query) = query else { return Some(cursors) };
    for (at, text) in query.strip_prefix("after=")?.split(',').enumerate() {
        *cursors.get_mut(at)? = text.parse().ok()?;
    }
    Some(cursors)
}

/// What each broker has stored since its cursor, in bytes.
pub(crate) fn packed(brokers: &[&BrokerHandle], cursors: &[u64]) -> Vec<u8> {
    let mut heads = Vec::new();
    let mut missed = Vec::new();
    let mut records = Vec::new();
    for (number, (broker, &cursor)) in brokers.iter().zip(cursors).enumerate() {
        let seen = broker.stored_since(cursor, RECORDS_MAX, |message| {
            if *message.topic != *TOPIC {
                return;
            }
            let record = Record::of(message);
            records.extend_from_slice(&record.run.to_le_bytes());
            records.extend_from_slice(&record.number.to_le_bytes());
            records.extend_from_slice(&[number as u8, 0]);
            records.extend_from_slice(&record.queue.to_le_bytes());
            records.extend_from_slice(&record.offset.to_le_bytes());
        });
        heads.extend_from_slice(&seen.end.to_le_bytes());
        missed.extend_from_slice(&seen.start.saturating_sub(cursor).to_le_bytes());
    }
    let count = (records.len() / RECORD_BYTES) as u32;
    let brokers = brokers.len() as u32;
    [&brokers.to_le_bytes()[..], &count.to_le_bytes(), &heads, &missed, &records].concat()
}

const RECORD_BYTES: usize = 16;

/// The same in words: a line `next A,B,C`, then one a message.
pub(crate) fn lines(brokers: &[&BrokerHandle], cursors: &[u64]) -> String {
    let mut text = String::new();
    let mut next = Vec::new();
    for (broker, &cursor) in brokers.iter().zip(cursors) {
        let name = broker.name();
        let seen = broker.stored_since(cursor, RECORDS_MAX, |message| {
            if *message.topic != *TOPIC {
                return;
            }
            let property = |name| properties::get(&message.properties, name).unwrap_or("-");
            let (id, number) = (property(UNIQ_KEY), property(PROPERTY));
            let (queue, offset, crc) = (message.queue_id, message.queue_offset, message.body_crc);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {queue} {offset} {id} {number} {crc:08x}");
        });
        next.push(seen.end.to_string());
    }
    format!("next {}\n{text}", next.join(","))
}

/// Each copy of a message in the logs, in whole.
pub(crate) fn copies(brokers: &[&BrokerHandle], id: &str) -> Value {
    let wanted = number_of(id);
    let mut copies = Vec::new();
    for broker in brokers {
        // Asked before: the broker is locked while it shows what it has.
        let name = broker.name();
        let mut cursor = 0;
        loop {
            let seen = broker.stored_since(cursor, RECORDS_MAX, |message| {
                let is_it = match wanted {
                    Some(wanted) => {
                        let property = properties::get(&message.properties, PROPERTY);
                        property.and_then(number_of) == Some(wanted)
                    }
                    None => properties::get(&message.properties, UNIQ_KEY) == Some(id),
                };
                if is_it && copies.len() < COPIES_MAX {
                    copies.push(copy(&name, &Message::from(message)));
                }
            });
            cursor = seen.end;
            if seen.end - seen.start < RECORDS_MAX as u64 {
                break;
            }
        }
    }
    json!({ "id": id, "copies": copies })
}

/// Nobody resends that often.
const COPIES_MAX: usize = 32;

fn copy(broker: &str, message: &Message) -> Value {
    let shown = &message.body[..message.body.len().min(BODY_BYTES_MAX)];
    let properties: serde_json::Map<_, _> = message
        .properties
        .iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    json!({
        "broker": broker,
        "queueId": message.queue_id,
        "queueOffset": message.queue_offset,
        "topic": message.topic,
        "msgId": message.uniq_key(),
        "offsetMsgId": message.offset_message_id(),
        "bornMs": message.born_timestamp,
        "storedMs": message.store_timestamp,
        "bodyBytes": message.body.len(),
        "body": String::from_utf8_lossy(shown),
        "properties": properties,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_cursors_are_read_or_refused() {
        assert_eq!(number_of("ff.12"), Some((255, 12)));
        for bad in ["", ".", "ff", "ff.", ".1", "g.1", "1.-1", "1.4294967296", "100000000.1"] {
            assert_eq!(number_of(bad), None, "{bad}");
        }
        assert_eq!(cursors(None, 2), Some(vec![0, 0]));
        assert_eq!(cursors(Some("after=7,8"), 2), Some(vec![7, 8]));
        assert_eq!(cursors(Some("after=7"), 2), Some(vec![7, 0]));
        for bad in ["", "after=", "after=1,2,3", "after=-1", "before=1", "after=1;2"] {
            assert_eq!(cursors(Some(bad), 2), None, "{bad}");
        }
    }
}
