//! How does a message become visible only if something else succeeds (spec §7.11)?
//!
//! A half message is stored where no consumer sees it. Its producer then does its own work and says
//! how it ended; if that word is lost, the broker asks.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::error::{ErrorKind, Outcome, SendError};
use crate::groups::GroupId;
use crate::message::Message;
use crate::names::{Address, GroupName, TopicName};
use crate::output::Output;
use crate::producer::{ClosingStage, Producer};
use crate::receipt::{Receipt, SendStatus};
use crate::send::{Reply, SendId, SendOptions};
use crate::slab::Key;
use crate::special::{Form, Special, Told};
use crate::stamp::Line;
use crate::time::Instant;
use crate::trace_notes::TraceLabels;
use crate::wire::frame::Frame;
use crate::wire::message_id::OffsetMessageId;
use crate::wire::stored::StoredMessage;
use crate::wire::transaction::{CheckTransaction, EndTransaction};
use crate::wire::{Head, Header, code, namespace, properties, property_names as names, sys_flag};

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Consumers get the message.
    Commit,
    /// Nobody gets it.
    Rollback,
    /// Not known yet: the broker asks again (by default after 6 s, then every 30 s, 15 times, after
    /// which it gives the message up).
    Unknown,
}

impl Decision {
    /// The transaction bits that END_TRANSACTION carries.
    const fn bits(self) -> i32 {
        match self {
            Self::Commit => sys_flag::TRANSACTION_COMMIT,
            Self::Rollback => sys_flag::TRANSACTION_ROLLBACK,
            Self::Unknown => 0,
        }
    }
}

/// An open transaction: what a broker needs to know to end it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction {
    /// Its id: the message's `UNIQ_KEY`.
    pub id: String,
    /// Broker that holds the half message; empty if a check through a proxy does not say.
    pub broker: Arc<str>,
    /// Topic of the message.
    pub topic: String,
    pub(crate) group: GroupId,
    tran_state_table_offset: i64,
    commit_log_offset: i64,
    transaction_id: Option<String>,
    origin: Origin,
    /// For traces, if there are any.
    pub(crate) labels: Option<Box<TraceLabels>>,
}

impl Transaction {
    /// The id that the broker gave it.
    pub(crate) fn transaction_id(&self) -> Option<&str> {
        self.transaction_id.as_deref()
    }
}

/// Where a transaction is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Send,
    /// A check: its answer goes back where it came from, with what it said.
    Check {
        conn: Key,
        address: Address,
        topic: Option<String>,
        broker_name: Option<String>,
    },
}

/// A half message that a broker has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HalfMessage {
    /// The receipt. Queue and offset are those that the broker names: of the half message, not of
    /// the message that a commit makes of it.
    pub receipt: Receipt,
    /// The transaction.
    pub transaction: Transaction,
}

/// A broker's question how a transaction has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionCheck {
    /// The transaction.
    pub transaction: Transaction,
    /// On behalf of which group the message was sent.
    pub group: GroupId,
    /// Its name, without namespace.
    pub group_name: GroupName,
    /// The body as it was sent: compressed if `sys_flag` says so.
    pub body: Vec<u8>,
    /// Bits that say how the body is compressed ([`wire::sys_flag`](crate::wire::sys_flag)).
    pub sys_flag: i32,
    /// The application's flag.
    pub flag: i32,
    /// When it was made, in milliseconds since 1970.
    pub born_ms: i64,
    /// How often the broker has asked, this time included.
    pub times: u32,
    properties: String,
}

impl TransactionCheck {
    /// The value of a property of the message.
    pub fn property(&self, name: &str) -> Option<&str> {
        properties::get(&self.properties, name)
    }

    /// All its properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        properties::decode(&self.properties)
    }
}

impl<T> Producer<T> {
    /// Takes over the message of a transaction. Its ticket comes back exactly once, with
    /// [`Output::Prepared`](crate::Output::Prepared) or from [`cancel`](Self::cancel). It is always
    /// answered, whatever [`SendOptions::reply`] says.
    ///
    /// A half message that is stored with a status other than `SEND_OK` is rolled back at once and
    /// ends with [`ErrorKind::BelowRequired`], as in Java
    /// (`DefaultMQProducerImpl.sendMessageInTransaction`). One with a delay level or a timer ends
    /// with [`ErrorKind::NotForTransactions`]: brokers drop the one or the other without a word.
    pub fn send_half(
        &mut self,
        now: Instant,
        ticket: T,
        message: Message,
        mut options: SendOptions,
    ) -> SendId {
        self.advance(now);
        self.stay_connected();
        options.reply = Reply::Awaited;
        let group = self.wire_group(options.group);
        let (half, of) = (names::TRANSACTION_PREPARED, names::PRODUCER_GROUP);
        let properties = alloc::format!("{half}\u{1}true\u{2}{of}\u{1}{group}\u{2}");
        let labels = self.traces().then(|| TraceLabels::new(|name| message.property(name)));
        let special = Some(Box::new(Special {
            form: Form::Half(message.topic().clone(), labels),
            properties,
        }));
        let timed = TIMED.into_iter().find(|name| message.property(name).is_some());
        match timed.filter(|_| !planted!(DelayedHalfSent)) {
            Some(property) => {
                let kind = ErrorKind::NotForTransactions { property };
                self.stats.accepted += 1;
                self.refuse(ticket, special, options.group, kind)
            }
            None => self.start_specially(ticket, message, options, special),
        }
    }

    /// A half message has ended.
    pub(crate) fn half_sent(
        &mut self,
        ticket: Option<T>,
        (topic, labels, group): (&TopicName, Option<Box<TraceLabels>>, GroupId),
        result: Result<(Receipt, Told), SendError>,
    ) {
        let result = match result {
            Ok((receipt, told)) => {
                let half = Self::prepared((topic, labels), group, receipt, told);
                let status = half.receipt.status;
                let badly = status != SendStatus::SendOk && !planted!(HalfStatusIgnored);
                if badly || ticket.is_none() {
                    self.put_end(&half.transaction, Decision::Rollback, None);
                }
                match badly {
                    true => Err(SendError::new(
                        ErrorKind::BelowRequired { status },
                        Outcome::Unknown,
                        Some(half.receipt.message_id),
                        core::time::Duration::ZERO,
                        Vec::new(),
                    )),
                    false => Ok(Box::new(half)),
                }
            }
            Err(error) => Err(error),
        };
        if let Some(ticket) = ticket {
            self.outputs.push_back(Output::Prepared { ticket, result });
        }
    }

    /// What a stored half message leaves open.
    fn prepared(
        (topic, labels): (&TopicName, Option<Box<TraceLabels>>),
        group: GroupId,
        receipt: Receipt,
        told: Told,
    ) -> HalfMessage {
        let id = String::from(receipt.message_id.as_str());
        let place = OffsetMessageId::decode(&told.offset_ids);
        let transaction = Transaction {
            broker: receipt.broker.clone(),
            topic: String::from(topic.as_str()),
            group,
            tran_state_table_offset: i64::try_from(receipt.queue_offset).unwrap_or(0),
            commit_log_offset: place.map_or(0, |place| place.offset),
            transaction_id: told.transaction_id,
            origin: Origin::Send,
            labels,
            id,
        };
        HalfMessage { receipt, transaction }
    }

    /// Tells the broker how a transaction has ended (END_TRANSACTION). It is not answered: a broker
    /// that does not get it asks. Of `remark`, for those who read the broker's log, the first 512
    /// bytes go along. False if the broker cannot be reached now: not dialled again so soon after a
    /// failure, 64 MiB waiting to be written to it, or the producer is closed.
    pub fn end_transaction(
        &mut self,
        now: Instant,
        transaction: &Transaction,
        decision: Decision,
        remark: Option<&str>,
    ) -> bool {
        self.advance(now);
        let put = self.put_end(transaction, decision, remark);
        self.run_ready();
        put
    }

    fn put_end(
        &mut self,
        transaction: &Transaction,
        decision: Decision,
        remark: Option<&str>,
    ) -> bool {
        let Some(conn) = self.transaction_connection(transaction) else { return false };
        let decision = match planted!(UnknownCommits) && decision == Decision::Unknown {
            true => Decision::Commit,
            false => decision,
        };
        let (topic, broker_name, checked) = match &transaction.origin {
            Origin::Send => {
                (Some(transaction.topic.clone()), Some((*transaction.broker).into()), false)
            }
            Origin::Check { topic, broker_name, .. } => {
                (topic.clone(), broker_name.clone(), !planted!(CheckUnsaid))
            }
        };
        let request = EndTransaction {
            topic,
            producer_group: self.wire_group(transaction.group).into(),
            tran_state_table_offset: transaction.tran_state_table_offset,
            commit_log_offset: transaction.commit_log_offset,
            commit_or_rollback: decision.bits(),
            from_transaction_check: Some(checked),
            msg_id: transaction.id.clone(),
            transaction_id: transaction.transaction_id.clone(),
            broker_name,
        };
        let remark = remark.map(shortened);
        let code = code::request::END_TRANSACTION;
        let line = Line { code, opaque: self.in_flight.number(), flag: Head::ONE_WAY, remark };
        let Some(connection) = self.conns.get_mut(conn) else { return false };
        if connection.out_bytes() > ENDS_BYTES_MAX {
            return false;
        }
        self.stamp.append(connection.out(), &line, request.to_ext(), &[]);
        connection.last_used = self.now;
        self.stats.transactions_ended += 1;
        self.announce(conn);
        if self.traces() {
            self.trace_end(transaction, decision, checked, conn);
        }
        true
    }

    /// The connection on which a transaction is to be ended: that to the master which holds the half
    /// message; after a check the one that asked, or, if that is gone, another to the same address.
    /// A producer that says good-bye dials nobody.
    fn transaction_connection(&mut self, transaction: &Transaction) -> Option<Key> {
        match &transaction.origin {
            Origin::Send => {
                let broker = self.routes.broker_id(&transaction.broker)?;
                match self.closing.as_ref().map(|closing| closing.stage) {
                    None | Some(ClosingStage::Draining) => self.main_connection(broker).ok(),
                    Some(ClosingStage::Leaving { .. } | ClosingStage::Closed) => {
                        self.main_connected(broker)
                    }
                }
            }
            Origin::Check { conn, address, .. } => {
                if self.conns.get(*conn).is_some() {
                    return Some(*conn);
                }
                if planted!(CheckAnswerLost) {
                    return None;
                }
                let same = |conn: &crate::connection::Connection| {
                    conn.dialled == *address && !conn.retiring
                };
                self.conns.iter().find(|(_, conn)| same(conn)).map(|(key, _)| key)
            }
        }
    }

    /// The broker that a connection leads to, for those that do not say who they are (4.9); `None`
    /// for a proxy, which stands for many.
    fn broker_behind(&self, conn: Key) -> Option<Arc<str>> {
        let mut behind = self.routes.brokers.iter().filter(|broker| broker.conn == conn);
        let first = behind.next()?;
        behind.next().is_none().then(|| first.name.clone())
    }

    /// A broker asks how a transaction has ended (CHECK_TRANSACTION_STATE).
    pub(crate) fn check_asked(&mut self, conn: Key, frame: Frame<'_>) -> Result<(), String> {
        use alloc::string::ToString;
        let header =
            Header::decode(frame.serialize, frame.header).map_err(|error| error.to_string())?;
        let asked = CheckTransaction::from_ext(&header.ext);
        let stored = StoredMessage::decode(frame.body);
        let (Ok(asked), Ok((stored, _))) = (asked, stored) else {
            // One question that cannot be read costs no connection: the broker asks again.
            self.stats.checks_ignored += 1;
            return Ok(());
        };
        let wire = properties::get(&stored.properties, names::PRODUCER_GROUP).unwrap_or("");
        let group = self.groups.iter().position(|group| group.wire == wire);
        let (Some(group), Some(connection)) = (group, self.conns.get(conn)) else {
            self.stats.checks_ignored += 1;
            return Ok(());
        };
        let group = GroupId(u16::try_from(group).unwrap_or(0));
        let id = stored.uniq_key().map(String::from).or_else(|| asked.msg_id.clone());
        let namespace = self.config.namespace.as_deref().unwrap_or("");
        let property = |name: &str| properties::get(&stored.properties, name);
        let labels = self.traces().then(|| TraceLabels::new(property));
        let times = properties::get(&stored.properties, names::TRANSACTION_CHECK_TIMES);
        let transaction = Transaction {
            id: id.unwrap_or_else(|| stored.offset_message_id().encode()),
            broker: match &asked.broker_name {
                Some(name) => name.as_str().into(),
                None => self.broker_behind(conn).unwrap_or_default(),
            },
            topic: namespace::unwrap(namespace, &stored.topic).into_owned(),
            group,
            tran_state_table_offset: match planted!(CheckPlaceFromBody) {
                true => stored.queue_offset - 1,
                false => asked.tran_state_table_offset,
            },
            commit_log_offset: asked.commit_log_offset,
            transaction_id: asked.transaction_id,
            origin: Origin::Check {
                conn,
                address: connection.dialled.clone(),
                topic: asked.topic,
                broker_name: asked.broker_name,
            },
            labels,
        };
        self.stats.checks += 1;
        let check = TransactionCheck {
            transaction,
            group,
            group_name: self.group_name(group).clone(),
            sys_flag: stored.sys_flag,
            flag: stored.flag,
            born_ms: stored.born_timestamp,
            times: times.and_then(|times| times.parse().ok()).unwrap_or(1),
            body: stored.body.into_owned(),
            properties: stored.properties.into_owned(),
        };
        self.outputs.push_back(Output::CheckTransaction(Box::new(check)));
        Ok(())
    }
}

/// Ends of transactions stop while so much waits to be written to a broker.
const ENDS_BYTES_MAX: usize = 64 << 20;
/// The beginning of a text that may be of any length.
fn shortened(text: &str) -> &str {
    let end = (0..=REMARK_BYTES_MAX.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

/// Bytes of a remark that go along.
const REMARK_BYTES_MAX: usize = 512;
/// Properties of messages that are delivered later.
const TIMED: [&str; 4] = [
    names::DELAY_TIME_LEVEL,
    names::TIMER_DELAY_MS,
    names::TIMER_DELAY_SEC,
    names::TIMER_DELIVER_MS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    #[test]
    fn a_half_message_with_a_delay_is_refused() {
        for property in TIMED {
            let mut producer: Producer<u32> =
                Producer::new(Config::default(), Environment::new(1, 0));
            let message = Message::new("t", "b").and_then(|m| m.put(property, "3")).expect("valid");

            producer.send_half(Instant::ZERO, 7, message, SendOptions::default());

            let Output::Prepared { ticket: 7, result: Err(error) } = producer.poll_output() else {
                panic!("{property}: not refused");
            };
            assert_eq!(*error.kind(), ErrorKind::NotForTransactions { property });
            assert_eq!(error.outcome(), Outcome::NotSent);
            let stats = producer.stats();
            assert_eq!((stats.accepted, stats.not_sent, stats.in_hand), (1, 1, 0));
        }
    }

    #[cfg(feature = "planted-bugs")]
    #[test]
    fn a_delay_that_is_let_through_is_noticed() {
        use crate::planted::{Bug, plant};

        plant(Some(Bug::DelayedHalfSent));
        let noticed = std::panic::catch_unwind(a_half_message_with_a_delay_is_refused).is_err();
        plant(None);
        assert!(noticed);
    }

    #[test]
    fn a_remark_is_shortened_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = alloc::format!("{}éé", "x".repeat(REMARK_BYTES_MAX - 1));
        assert_eq!(shortened(&long).len(), REMARK_BYTES_MAX - 1);
    }
}
