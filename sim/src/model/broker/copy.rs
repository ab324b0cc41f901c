//! What does a slave lack of its master's log, and where do two logs part?
//!
//! Each time that somebody becomes master of a name an epoch begins, as in Java's controller mode
//! (`EpochFileCache.java`). Logs are the same up to the end of the last epoch that both have.

use producer_core::wire::Fields;
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{Ext, WireError};

use super::inner_batch::places;
use super::log::split;
use super::{Broker, TopicConfig, Why};

/// The epochs of a log: number and offset at which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Epochs(Vec<(i64, i64)>);

/// What a master gives a slave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    /// Where the slave has to cut its log off first.
    pub(super) cut: i64,
    epochs: Epochs,
    topics: Vec<(String, TopicConfig)>,
    /// Records from `cut` on.
    pub(super) records: Vec<u8>,
}

impl Epochs {
    pub(super) fn new() -> Self {
        Self(vec![(0, 0)])
    }

    pub(super) fn begin(&mut self, epoch: i64, at: i64) {
        self.0.push((epoch, at));
    }

    /// Forgets what begins behind `end`.
    pub(super) fn truncate(&mut self, end: i64) {
        self.0.retain(|&(_, start)| start <= end);
    }

    /// Up to where the log is the same as one with `other` epochs that ends at `other_end`.
    fn common(&self, end: i64, other: &Self, other_end: i64) -> i64 {
        let ends_at = |epochs: &Self, at: usize, end: i64| {
            epochs.0.get(at + 1).map_or(end, |&(_, start)| start)
        };
        for (at, epoch) in self.0.iter().enumerate().rev() {
            if let Some(there) = other.0.iter().position(|known| known == epoch) {
                return ends_at(self, at, end).min(ends_at(other, there, other_end));
            }
        }
        0
    }

    fn encode(&self) -> String {
        let parts: Vec<String> =
            self.0.iter().map(|(epoch, start)| format!("{epoch}:{start}")).collect();
        parts.join(",")
    }

    fn decode(text: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<i64>().ok();
        let epoch = |part: &str| {
            let (epoch, start) = part.split_once(':')?;
            Some((number(epoch)?, number(start)?))
        };
        text.split(',').map(epoch).collect::<Option<Vec<_>>>().map(Self)
    }
}

impl Copy {
    pub(super) fn fields(&self) -> Fields<'static> {
        let topics = self.topics.iter().map(|(name, topic)| {
            format!("{name}:{}:{}:{}", topic.read_queues, topic.write_queues, topic.perm)
        });
        Fields::new()
            .show("cut", self.cut)
            .text("epochs", self.epochs.encode())
            .text("topics", topics.collect::<Vec<_>>().join(","))
    }

    pub(super) fn decode(ext: &Ext<'_>, records: &[u8]) -> Result<Self, WireError> {
        let epochs = Epochs::decode(&ext.need_text("epochs")?);
        let topics = ext.need_text("topics")?;
        let topics = topics.split(',').filter(|part| !part.is_empty()).map(|part| {
            let mut parts = part.split(':');
            let name = parts.next()?.to_owned();
            let mut number = || parts.next()?.parse::<i32>().ok();
            let (read_queues, write_queues, perm) = (number()?, number()?, number()?);
            Some((name, TopicConfig { write_queues, perm, ..TopicConfig::queues(read_queues) }))
        });
        let topics: Option<Vec<_>> = topics.collect();
        Ok(Self {
            cut: ext.need_i64("cut")?,
            epochs: epochs.ok_or(WireError::BadField { name: "epochs" })?,
            topics: topics.ok_or(WireError::BadField { name: "topics" })?,
            records: records.to_vec(),
        })
    }
}

impl Broker {
    /// Copies all that this broker lacks from its master at once, as when it had been in sync.
    pub fn catch_up_with(&mut self, master: &Self) {
        loop {
            let copy = master.copy_for(self.log.end(), &self.epochs);
            self.take_copy(&copy);
            if copy.records.is_empty() {
                return;
            }
        }
    }

    /// What a slave lacks whose log ends at `end`.
    pub(super) fn copy_for(&self, end: i64, epochs: &Epochs) -> Copy {
        let cut = self.epochs.common(self.log.end(), epochs, end).min(end);
        let records = self.log.from(cut, COPY_BYTES_MAX);
        let mut topics: Vec<(String, TopicConfig)> = Vec::new();
        for (message, _) in split(&records).filter_map(|r| StoredMessage::decode(r).ok()) {
            if let Some(topic) = self.topics.get(&message.topic)
                && topics.iter().all(|(name, _)| **name != *message.topic)
            {
                topics.push((message.topic.to_string(), topic.config));
            }
        }
        Copy { cut, epochs: self.epochs.clone(), topics, records }
    }

    /// Makes the log what the master's is, as far as that has been sent.
    pub(super) fn take_copy(&mut self, copy: &Copy) {
        if copy.cut < self.log.end() {
            self.truncate(copy.cut, Why::NotCopied);
        }
        for (name, config) in &copy.topics {
            if self.topics.get(name).is_none() {
                self.topics.set(name, *config);
            }
        }
        for record in split(&copy.records) {
            let Ok((message, _)) = StoredMessage::decode(record) else { return };
            if message.physical_offset != self.log.end() {
                return;
            }
            self.log.push(record);
            let id = usize::try_from(message.queue_id).unwrap_or(0);
            if let Some(topic) = self.topics.get_mut(&message.topic) {
                for place in (message.queue_offset..).take(places(&message)) {
                    topic.queue(id).put(place, message.physical_offset);
                }
            }
        }
        self.epochs = copy.epochs.clone();
        self.epochs.truncate(self.log.end());
    }

    pub(super) fn epochs_text(&self) -> String {
        self.epochs.encode()
    }

    pub(super) fn read_epochs(text: &str) -> Result<Epochs, WireError> {
        Epochs::decode(text).ok_or(WireError::BadField { name: "epochs" })
    }
}

/// Most bytes of records in one answer, if there is more than one record.
const COPY_BYTES_MAX: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(list: &[(i64, i64)]) -> Epochs {
        Epochs(list.to_vec())
    }

    #[test]
    fn logs_part_where_the_last_common_epoch_ends() {
        let old = epochs(&[(0, 0), (1, 100)]);
        let promoted = epochs(&[(0, 0), (1, 100), (2, 150)]);
        let usurper = epochs(&[(0, 0), (3, 80)]);

        assert_eq!(promoted.common(200, &old, 180), 150);
        assert_eq!(promoted.common(200, &old, 120), 120);
        assert_eq!(promoted.common(200, &usurper, 90), 80);
        assert_eq!(promoted.common(200, &promoted, 170), 170);
    }

    #[test]
    fn epochs_survive_their_text() {
        let epochs = epochs(&[(0, 0), (12, 345)]);

        assert_eq!(Epochs::decode(&epochs.encode()), Some(epochs));
        assert_eq!(Epochs::decode("1:x"), None);
    }
}
