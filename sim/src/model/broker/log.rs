//! What has been stored, and where?

use std::collections::VecDeque;
use std::net::SocketAddr;

use producer_core::wire::WireError;
use producer_core::wire::message_id::OffsetMessageId;
use producer_core::wire::properties;
use producer_core::wire::property_names::UNIQ_CLIENT_MESSAGE_ID_KEYIDX as UNIQ_KEY;
use producer_core::wire::stored::StoredMessage;

/// A stored message, read back from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic.
    pub topic: String,
    /// Queue.
    pub queue_id: i32,
    /// Logical offset in the queue.
    pub queue_offset: i64,
    /// Physical offset in the log, in bytes.
    pub physical_offset: i64,
    /// The message's own flag.
    pub flag: i32,
    /// Bits of [`producer_core::wire::sys_flag`].
    pub sys_flag: i32,
    /// When the client made it, in ms since 1970.
    pub born_timestamp: i64,
    /// Address of the client.
    pub born_host: SocketAddr,
    /// When it was stored, in ms since 1970.
    pub store_timestamp: i64,
    /// Address of the broker.
    pub store_host: SocketAddr,
    /// How often a consumer has given it back.
    pub reconsume_times: i32,
    /// Properties.
    pub properties: Properties,
    /// The body as stored: compressed if the flag says so.
    pub body: Vec<u8>,
}

impl Message {
    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)
    }

    /// The id by which its client knows the message.
    pub fn uniq_key(&self) -> Option<&str> {
        self.property(UNIQ_KEY)
    }

    /// The id by which the broker knows the message.
    pub fn offset_message_id(&self) -> String {
        OffsetMessageId { host: self.store_host, offset: self.physical_offset }.encode()
    }
}

impl From<&StoredMessage<'_>> for Message {
    fn from(stored: &StoredMessage<'_>) -> Self {
        Self {
            topic: stored.topic.to_string(),
            queue_id: stored.queue_id,
            queue_offset: stored.queue_offset,
            physical_offset: stored.physical_offset,
            flag: stored.flag,
            sys_flag: stored.sys_flag,
            born_timestamp: stored.born_timestamp,
            born_host: stored.born_host,
            store_timestamp: stored.store_timestamp,
            store_host: stored.store_host,
            reconsume_times: stored.reconsume_times,
            properties: Properties(stored.properties.to_string()),
            body: stored.body.to_vec(),
        }
    }
}

/// Properties of a stored message, in stored order.
#[derive(Clone, PartialEq, Eq)]
pub struct Properties(String);

impl Properties {
    /// The value of a property; of duplicates the last one counts.
    pub fn get(&self, name: &str) -> Option<&str> {
        properties::get(&self.0, name)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        properties::decode(&self.0)
    }
}

impl std::fmt::Debug for Properties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A message that was in a log and is there no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The message.
    pub message: Message,
    /// Why it is gone.
    pub why: Why,
}

/// Why a message is gone from a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its master had not passed it on to the one that was promoted.
    NotCopied,
    /// It was not on disk when power was lost.
    NotFlushed,
    /// Its topic was deleted.
    TopicDeleted,
}

/// Records end to end; a record's physical offset is its position.
#[derive(Debug)]
pub(super) struct Log {
    segments: VecDeque<Segment>,
    bytes: usize,
    bytes_max: usize,
    end: i64,
    /// What a dropped segment has left, for the next: fresh memory is slow.
    spare: Vec<u8>,
}

/// A piece of the log; records do not cross its end.
#[derive(Debug)]
struct Segment {
    start: i64,
    count: u64,
    bytes: Vec<u8>,
}

impl Segment {
    const fn end(&self) -> i64 {
        self.start + self.bytes.len() as i64
    }
}

impl Log {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { segments: VecDeque::new(), bytes: 0, bytes_max, end: 0, spare: Vec::new() }
    }

    /// The offset that the next record will have.
    pub(super) const fn end(&self) -> i64 {
        self.end
    }

    /// The offset of the oldest record.
    pub(super) fn start(&self) -> i64 {
        self.segments.front().map_or(self.end, |segment| segment.start)
    }

    /// Appends a record; nothing is appended when it cannot be encoded.
    pub(super) fn append(&mut self, message: &StoredMessage<'_>) -> Result<(), WireError> {
        let last = self.open_segment();
        let before = last.bytes.len();
        message.encode(&mut last.bytes)?;
        let len = last.bytes.len() - before;
        last.count += 1;
        self.bytes += len;
        self.end += len as i64;
        Ok(())
    }

    /// Appends a record that is encoded already.
    pub(super) fn push(&mut self, record: &[u8]) {
        let last = self.open_segment();
        last.bytes.extend_from_slice(record);
        last.count += 1;
        self.bytes += record.len();
        self.end += record.len() as i64;
    }

    /// The records from `offset` on, where one begins: so many bytes, and one record at least.
    pub(super) fn from(&self, offset: i64, bytes_max: usize) -> Vec<u8> {
        let mut records = Vec::new();
        let first = self.segments.partition_point(|segment| segment.end() <= offset);
        for segment in self.segments.range(first..) {
            let skipped = usize::try_from(offset - segment.start).unwrap_or(0);
            for record in split(&segment.bytes[skipped..]) {
                if !records.is_empty() && records.len() + record.len() > bytes_max {
                    return records;
                }
                records.extend_from_slice(record);
            }
        }
        records
    }

    fn open_segment(&mut self) -> &mut Segment {
        if self.segments.back().is_none_or(|last| last.bytes.len() >= SEGMENT_BYTES) {
            let bytes = std::mem::take(&mut self.spare);
            self.segments.push_back(Segment { start: self.end, count: 0, bytes });
        }
        self.segments.back_mut().expect("a segment was there or has been pushed")
    }

    /// Drops the oldest segments while there is too much, and says how many messages went.
    pub(super) fn trim(&mut self) -> u64 {
        let mut dropped = 0;
        while self.bytes > self.bytes_max && self.segments.len() > 1 {
            if let Some(mut first) = self.segments.pop_front() {
                self.bytes -= first.bytes.len();
                dropped += first.count;
                first.bytes.clear();
                self.spare = first.bytes;
            }
        }
        dropped
    }

    /// Drops all records from `offset` on, where one must begin.
    pub(super) fn truncate(&mut self, offset: i64) {
        while let Some(last) = self.segments.back_mut().filter(|last| last.end() > offset) {
            let kept = usize::try_from(offset - last.start).unwrap_or(0);
            self.bytes -= last.bytes.len() - kept;
            last.count = split(&last.bytes[..kept]).count() as u64;
            last.bytes.truncate(kept);
            if kept == 0 {
                self.segments.pop_back();
            }
        }
        self.end = self.end.min(offset);
    }

    /// The record that starts at `offset`.
    pub(super) fn record(&self, offset: i64) -> Option<&[u8]> {
        let at = self.segments.partition_point(|segment| segment.start <= offset);
        let segment = &self.segments[at.checked_sub(1)?];
        let mut start = segment.start;
        for record in split(&segment.bytes) {
            if start == offset {
                return Some(record);
            }
            start += record.len() as i64;
        }
        None
    }

    /// The record that starts at `offset`, which the index says is one.
    pub(super) fn indexed(&self, offset: i64) -> Option<&[u8]> {
        let at = self.segments.partition_point(|segment| segment.start <= offset);
        let segment = &self.segments[at.checked_sub(1)?];
        split(segment.bytes.get(usize::try_from(offset - segment.start).ok()?..)?).next()
    }

    /// All messages, oldest first.
    pub(super) fn messages(&self) -> impl DoubleEndedIterator<Item = StoredMessage<'_>> {
        self.segments.iter().flat_map(|segment| {
            let messages = split(&segment.bytes).filter_map(|record| {
                StoredMessage::decode(record).ok().map(|(message, _)| message)
            });
            messages.collect::<Vec<_>>()
        })
    }

    /// The messages but the oldest `skipped`, oldest first.
    pub(super) fn messages_from(&self, skipped: u64) -> impl Iterator<Item = StoredMessage<'_>> {
        let mut before = 0;
        self.segments.iter().flat_map(move |segment| {
            let here = skipped.saturating_sub(before).min(segment.count);
            before += segment.count;
            let bytes = if here == segment.count { &[][..] } else { &segment.bytes };
            let records = split(bytes).skip(usize::try_from(here).unwrap_or(usize::MAX));
            records.filter_map(|record| StoredMessage::decode(record).ok().map(|(one, _)| one))
        })
    }
}

/// The records of a segment.
pub(super) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let len = rest.first_chunk::<4>().map(|len| u32::from_be_bytes(*len))?;
        let (record, tail) = rest.split_at_checked(len as usize)?;
        rest = tail;
        Some(record)
    })
}

/// Positions of the messages of one queue.
#[derive(Debug, Default)]
pub(super) struct QueueIndex {
    /// Logical offset of the first position.
    pub(super) min: i64,
    /// Physical offsets.
    pub(super) at: VecDeque<i64>,
}

impl QueueIndex {
    pub(super) fn max(&self) -> i64 {
        self.min + self.at.len() as i64
    }

    /// Forgets positions below the start of the log.
    pub(super) fn trim(&mut self, start: i64) {
        while self.at.front().is_some_and(|&at| at < start) {
            self.at.pop_front();
            self.min += 1;
        }
    }

    /// Adds a position under its logical offset. If that is not the next one the queue has begun
    /// anew.
    pub(super) fn put(&mut self, offset: i64, at: i64) {
        if offset != self.max() {
            self.at.clear();
            self.min = offset;
        }
        self.at.push_back(at);
    }

    /// Forgets positions from `offset` on.
    pub(super) fn truncate(&mut self, offset: i64) {
        while self.at.back().is_some_and(|&at| at >= offset) {
            self.at.pop_back();
        }
    }

    /// Physical offset of a logical one.
    pub(super) fn position(&self, offset: i64) -> Option<i64> {
        let at = usize::try_from(offset.checked_sub(self.min)?).ok()?;
        self.at.get(at).copied()
    }
}

/// Bytes after which a new segment begins.
const SEGMENT_BYTES: usize = 1 << 20;
