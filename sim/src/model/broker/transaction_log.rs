//! What does the log say of each transaction?
//!
//! Records are tied together by their prepared transaction offset: a half message that is stored
//! again, a committed message, a rollback and a half message given up name the half message that
//! they follow. Java has that field on committed messages only, and finds the others by offsets
//! that it keeps in files of their own.

use std::collections::{BTreeMap, BTreeSet};

use producer_core::wire::property_names::{
    PRODUCER_GROUP, REAL_QUEUE_ID, REAL_TOPIC, TRANSACTION_CHECK_TIMES,
};
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::{properties, sys_flag};

use super::topics::{GIVEN_UP_TOPIC, HALF_TOPIC, OP_TOPIC};
use super::{Broker, Message};

/// A transaction, as a broker's log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The half message as it was sent first, under the topic and queue that it is for; its
    /// offsets are those of the half message.
    pub message: Message,
    /// The producer's group.
    pub group: String,
    /// How often the broker has asked, or wanted to ask, how it ends.
    pub checks: u32,
    /// How often it was committed. Brokers do not notice a second time: consumers see the message
    /// so often.
    pub commits: u32,
    /// How often it was rolled back. Brokers do not notice that it had been committed before.
    pub rollbacks: u32,
    /// The broker has asked often enough, and asks no more.
    pub given_up: bool,
    /// The broker is going to ask how it ends.
    pub open: bool,
    /// Where the half message is now; a check asks about this offset.
    pub at: i64,
}

/// All transactions of a log.
#[derive(Debug, Default)]
pub(super) struct TransactionLog {
    pub(super) all: Vec<Transaction>,
    /// By each physical offset that a half message has had.
    by_offset: BTreeMap<i64, usize>,
}

impl TransactionLog {
    /// The offsets of the half messages that have not ended.
    pub(super) fn open(&self) -> BTreeSet<i64> {
        self.all.iter().filter(|one| one.open).map(|one| one.at).collect()
    }

    fn read(&mut self, message: &StoredMessage<'_>) {
        let before = message.prepared_transaction_offset;
        let commits = sys_flag::transaction(message.sys_flag) == sys_flag::TRANSACTION_COMMIT;
        match &*message.topic {
            HALF_TOPIC => self.read_half(message, before),
            OP_TOPIC => self.follow(before, |one| one.rollbacks += 1),
            GIVEN_UP_TOPIC => self.follow(before, |one| one.given_up = true),
            _ if commits => self.follow(before, |one| one.commits += 1),
            _ => {}
        }
    }

    fn read_half(&mut self, message: &StoredMessage<'_>, before: i64) {
        let at = message.physical_offset;
        // A first half message names offset 0, too, but has not been checked.
        let property = |name| properties::get(&message.properties, name).unwrap_or_default();
        let follows = self.by_offset.get(&before).copied().filter(|&number| {
            let one = &self.all[number];
            let checked = !property(TRANSACTION_CHECK_TIMES).is_empty();
            checked && one.at == before && one.message.uniq_key() == message.uniq_key()
        });
        if let Some(number) = follows {
            let one = &mut self.all[number];
            (one.at, one.checks) = (at, one.checks + 1);
            self.by_offset.insert(at, number);
            return;
        }
        let half = Message {
            topic: property(REAL_TOPIC).to_owned(),
            queue_id: property(REAL_QUEUE_ID).parse().unwrap_or(0),
            ..Message::from(message)
        };
        let group = property(PRODUCER_GROUP).to_owned();
        self.by_offset.insert(at, self.all.len());
        let (checks, commits, rollbacks, given_up, open) = (0, 0, 0, false, true);
        let one =
            Transaction { message: half, group, checks, commits, rollbacks, given_up, open, at };
        self.all.push(one);
    }

    /// Something has happened to the half message at `before`. Only the end of where it is now is
    /// the end of it: what was stored again since goes on being asked about.
    fn follow(&mut self, before: i64, change: impl FnOnce(&mut Transaction)) {
        let Some(&number) = self.by_offset.get(&before) else { return };
        let one = &mut self.all[number];
        change(one);
        one.open &= one.at != before;
    }
}

impl Broker {
    /// All transactions whose half messages are in the log, in the order they were stored.
    pub fn transactions(&self) -> Vec<Transaction> {
        self.transaction_log().all
    }

    pub(super) fn transaction_log(&self) -> TransactionLog {
        let mut read = TransactionLog::default();
        for message in self.log.messages() {
            read.read(&message);
        }
        read
    }
}
