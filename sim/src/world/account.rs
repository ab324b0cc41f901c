//! Does what the producer said agree with what the brokers stored?

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use producer_native::{Outcome, Receipt};

use super::handles::World;
use super::load::Sent;
use crate::model::broker::Message;

/// The figures of a load, and what in them cannot be right.
#[derive(Debug, Default)]
pub struct Account {
    /// Sends.
    pub sends: usize,
    /// Those that ended with a receipt.
    pub ok: usize,
    /// Those that surely were not stored.
    pub not_sent: usize,
    /// Those that a broker refused.
    pub rejected: usize,
    /// Those that may be stored.
    pub unknown: usize,
    /// Errors by the code of their kind.
    pub errors: BTreeMap<&'static str, usize>,
    /// Copies stored beyond the first of each message.
    pub duplicates: usize,
    /// Receipts that say there may be one.
    pub announced: usize,
    /// Sends without a receipt that are stored all the same.
    pub stored_unacknowledged: usize,
    /// Attempts of those that ended with a receipt, beyond the first of each.
    pub retries: usize,
    /// Receipts by broker.
    pub by_broker: BTreeMap<String, usize>,
    /// The longest time a send took.
    pub longest: Duration,
    /// What no good producer does, in words.
    pub wrong: Vec<String>,
}

/// Simulated time by which a send may end after its deadline: the core looks at deadlines 8 ms
/// apart, and a host is a tick behind.
const LATE_MAX: Duration = Duration::from_millis(10);

/// Wrong sends that a failure shows.
const SHOWN_MAX: usize = 8;

impl Account {
    /// Joins sends with the logs of all brokers, as they are now. `timeout` is that of the sends.
    pub fn of(world: &World, sent: &[Sent], timeout: Duration) -> Self {
        let mut stored: HashMap<Vec<u8>, Vec<(String, Message)>> = HashMap::new();
        for broker in world.brokers() {
            for message in broker.look(crate::model::broker::Broker::messages) {
                let copies = stored.entry(message.body.clone()).or_default();
                copies.push((broker.name().to_owned(), message));
            }
        }
        let mut account = Self { sends: sent.len(), ..Self::default() };
        for send in sent {
            let copies = stored.get(send.body.as_bytes()).map_or(&[][..], Vec::as_slice);
            account.enter(send, copies, timeout);
        }
        account
    }

    /// Fails with all figures unless nothing is wrong.
    ///
    /// # Panics
    /// When something is.
    pub fn check(&self) {
        let shown = &self.wrong[..self.wrong.len().min(SHOWN_MAX)];
        assert!(shown.is_empty(), "{self}\n{} wrong:\n{}", self.wrong.len(), shown.join("\n"));
    }

    /// Receipts per thousand sends, rounded down.
    pub fn ok_per_mille(&self) -> usize {
        (self.ok * 1000).checked_div(self.sends).unwrap_or(0)
    }

    fn enter(&mut self, send: &Sent, copies: &[(String, Message)], timeout: Duration) {
        self.longest = self.longest.max(send.took);
        self.duplicates += copies.len().saturating_sub(1);
        if send.took > timeout + LATE_MAX {
            self.wrong.push(format!("{}: took {:?} of {timeout:?}", send.body, send.took));
        }
        match &send.result {
            Ok(receipt) => self.enter_receipt(send, receipt, copies),
            Err(error) => {
                *self.errors.entry(error.kind().code()).or_default() += 1;
                self.stored_unacknowledged += usize::from(!copies.is_empty());
                match error.outcome() {
                    Outcome::Unknown => self.unknown += 1,
                    Outcome::Rejected => self.rejected += 1,
                    Outcome::NotSent => self.not_sent += 1,
                }
                if error.outcome() != Outcome::Unknown && !copies.is_empty() {
                    self.wrong.push(format!("{}: stored, but {error}", send.body));
                }
                if copies.len() > error.attempts().len() {
                    self.wrong.push(format!("{}: {} copies, {error}", send.body, copies.len()));
                }
            }
        }
    }

    fn enter_receipt(&mut self, send: &Sent, receipt: &Receipt, copies: &[(String, Message)]) {
        self.ok += 1;
        self.announced += usize::from(receipt.maybe_duplicate);
        self.retries += receipt.attempts.saturating_sub(1) as usize;
        *self.by_broker.entry(receipt.broker.to_string()).or_default() += 1;
        let id = receipt.message_id.to_string();
        let is_named = |(broker, message): &&(String, Message)| {
            *broker == *receipt.broker
                && message.queue_id == receipt.queue_id as i32
                && message.queue_offset == receipt.queue_offset as i64
        };
        if copies.iter().find(is_named).is_none() {
            self.wrong.push(format!("{}: acknowledged, not stored where {receipt:?}", send.body));
        }
        if copies.iter().any(|(_, message)| message.uniq_key() != Some(&id)) {
            self.wrong.push(format!("{}: stored under another id than {id}", send.body));
        }
        if copies.len() > receipt.attempts as usize {
            self.wrong.push(format!("{}: {} copies, {receipt:?}", send.body, copies.len()));
        }
        if copies.len() > 1 && !receipt.maybe_duplicate {
            self.wrong.push(format!("{}: a duplicate not announced, {receipt:?}", send.body));
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sends: {} ok, {} not sent, {} rejected, {} unknown {:?}; {} retries, {} duplicates \
             ({} announced), {} stored without a receipt; longest {} ms; {:?}",
            self.sends,
            self.ok,
            self.not_sent,
            self.rejected,
            self.unknown,
            self.errors,
            self.retries,
            self.duplicates,
            self.announced,
            self.stored_unacknowledged,
            self.longest.as_millis(),
            self.by_broker,
        )
    }
}
