//! What was stored since somebody last looked? For whoever compares a log with what a producer
//! believes, while messages come.

use std::ops::Range;

use producer_core::wire::stored::StoredMessage;

use super::Broker;

impl Broker {
    /// Shows the records from the `number`th that this broker ever stored on, in the order of the
    /// log and `most` of them; an inner batch is one record. Returns the numbers of those that were
    /// shown: if the first is not `number`, the records between have fallen out of the log
    /// ([`super::BrokerConfig::log_bytes_max`]), and if the range is empty there is nothing new.
    pub fn stored_since(
        &self,
        number: u64,
        most: usize,
        mut show: impl FnMut(&StoredMessage<'_>),
    ) -> Range<u64> {
        let first = number.max(self.counters.dropped);
        let mut next = first;
        for message in self.log.messages_from(first - self.counters.dropped).take(most) {
            show(&message);
            next += 1;
        }
        first..next
    }
}
