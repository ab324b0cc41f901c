//! How does a half message become a message, or vanish? END_TRANSACTION (37) and
//! CHECK_TRANSACTION_STATE (39) (`EndTransactionProcessor.java`,
//! `TransactionalMessageServiceImpl.java`).
//!
//! All that is known of a transaction is in the log, so it lives and dies with that: see
//! [`super::transaction_log`]. As in Java, ending a half message twice is not noticed.

use std::collections::BTreeSet;
use std::time::Duration;

use producer_core::wire::code::{request as ask, response};
use producer_core::wire::property_names::{
    CHECK_IMMUNITY_TIME_IN_SECONDS, PRODUCER_GROUP, REAL_QUEUE_ID, REAL_TOPIC, TAGS,
    TRANSACTION_CHECK_TIMES, TRANSACTION_ID, TRANSACTION_PREPARED, WAIT_STORE_MSG_OK,
};
use producer_core::wire::stored::StoredMessage;
use producer_core::wire::transaction::{CheckTransaction, EndTransaction};
use producer_core::wire::{Head, WireError, crc32, properties, sys_flag};

use super::super::answer::{Answer, Request, owned};
use super::super::{Instant, Release};
use super::delay::real_queue;
use super::store::{Place, closed, replaced};
use super::topics::{GIVEN_UP_TOPIC, HALF_TOPIC, OP_TOPIC};
use super::{Broker, Cut, Message, Why};

/// The half messages that have not ended, and when they are looked at.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// By physical offset.
    open: BTreeSet<i64>,
    /// When the broker started; it looks at all half messages each interval from then on.
    since: Instant,
    look_at: Option<Instant>,
    /// Checks so far: each goes to another client of the group.
    asked: usize,
    /// Each so many-th end is lost; 0 for none.
    loses: u64,
    /// Ends that came.
    ends: u64,
}

impl Transactions {
    /// The broker starts.
    pub(super) const fn restart(&mut self, now: Instant) {
        (self.since, self.look_at) = (now, None);
    }

    /// When something has to be done.
    pub(super) const fn next_at(&self) -> Option<Instant> {
        self.look_at
    }
}

/// Whether a property string makes a half message; the system flag is not looked at.
pub(super) fn is_half(text: &str) -> bool {
    properties::get(text, TRANSACTION_PREPARED).is_some_and(|is| is.eq_ignore_ascii_case("true"))
}

impl Broker {
    /// From now on each `nth` END_TRANSACTION is lost on its way; 0 for none. They are not answered,
    /// so that nobody notices.
    pub const fn lose_ends(&mut self, nth: u64) {
        (self.transactions.loses, self.transactions.ends) = (nth, 0);
    }

    /// Stores a message as a half message.
    pub(super) fn store_half(
        &mut self,
        now: Instant,
        mut message: StoredMessage<'_>,
        uniq_key: &str,
    ) -> Result<Place, WireError> {
        let queue_id = message.queue_id.to_string();
        let id = (TRANSACTION_ID, uniq_key);
        let id = (self.config.release == Release::V5_4_0).then_some(id);
        let ours = [(REAL_TOPIC, &*message.topic), (REAL_QUEUE_ID, &queue_id)];
        let ours = properties::encode(id.into_iter().chain(ours));
        message.properties = format!("{}{ours}", closed(&message.properties)).into();
        message.sys_flag = sys_flag::with_transaction(message.sys_flag, 0);
        message.topic = HALF_TOPIC.into();
        message.queue_id = 0;
        let place = self.append_internal(now, message)?;
        self.transactions.open.insert(place.at);
        self.plan_checks(now);
        Ok(place)
    }

    /// Reads from the log which half messages have not ended.
    pub(super) fn find_open_halves(&mut self) {
        let open = self.transaction_log().open();
        self.transactions.open = open;
    }

    /// Plans the next look at the half messages, if there are any.
    pub(super) fn plan_checks(&mut self, now: Instant) {
        let all = &mut self.transactions;
        if all.open.is_empty() || all.look_at.is_some() || self.config.id != 0 {
            return;
        }
        let interval = self.config.transaction_check_interval.max(Duration::from_millis(1));
        let past = now.since(all.since).as_nanos() / interval.as_nanos();
        let passes = u64::try_from((past + 1) * interval.as_nanos()).unwrap_or(u64::MAX);
        all.look_at = Some(all.since + Duration::from_nanos(passes));
    }

    /// `None` if Java gives no answer, also to who waits for one.
    pub(super) fn end_transaction(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Option<Answer>, WireError> {
        let asked = EndTransaction::from_ext(&request.header.ext)?;
        self.transactions.ends += 1;
        if self.transactions.ends.checked_rem(self.transactions.loses) == Some(0) {
            return Ok(None);
        }
        if self.config.id != 0 {
            return Ok(Some(Answer { code: response::SLAVE_NOT_AVAILABLE, ..Answer::ok() }));
        }
        let commits = match asked.commit_or_rollback {
            sys_flag::TRANSACTION_COMMIT => true,
            sys_flag::TRANSACTION_ROLLBACK => false,
            _ => return Ok(None),
        };
        let at = asked.commit_log_offset;
        let Some(record) = self.log.record(at).map(<[u8]>::to_vec) else {
            return Ok(Some(wrong("Find prepared transaction message failed")));
        };
        let half = StoredMessage::decode(&record)?.0;
        if let Err(refused) = self.check_end(now, &asked, &half) {
            return Ok(Some(refused));
        }
        if commits && self.disk.full {
            let remark = "Service not available now.";
            return Ok(Some(Answer::error(response::SERVICE_NOT_AVAILABLE, remark)));
        }
        if commits {
            self.commit(now, half)?;
        } else {
            self.roll_back(now, &half)?;
        }
        self.transactions.open.remove(&at);
        self.offer_copy(now);
        Ok(Some(Answer::ok()))
    }

    fn check_end(
        &self,
        now: Instant,
        asked: &EndTransaction,
        half: &StoredMessage<'_>,
    ) -> Result<(), Answer> {
        if half.topic != HALF_TOPIC {
            return Err(wrong("Find prepared transaction message failed"));
        }
        if self.config.release == Release::V5_4_0
            && asked.from_transaction_check != Some(true)
            && properties::get(&half.properties, CHECK_IMMUNITY_TIME_IN_SECONDS).is_some()
            && self.wall_ms(now) - half.born_timestamp > self.immunity_ms(&half.properties)
        {
            return Err(Answer { code: response::ILLEGAL_OPERATION, ..Answer::ok() });
        }
        if properties::get(&half.properties, PRODUCER_GROUP) != Some(&asked.producer_group) {
            return Err(wrong("The producer group wrong"));
        }
        if half.queue_offset != asked.tran_state_table_offset {
            return Err(wrong("The transaction state table offset wrong"));
        }
        Ok(())
    }

    /// Stores the message under its own topic. If that has been deleted nobody can read it.
    fn commit(&mut self, now: Instant, half: StoredMessage<'_>) -> Result<(), WireError> {
        let text = half.properties.clone();
        let at = half.physical_offset;
        let mut message = half;
        message.topic = properties::get(&text, REAL_TOPIC).unwrap_or("").into();
        message.queue_id = real_queue(&text);
        message.sys_flag =
            sys_flag::with_transaction(message.sys_flag, sys_flag::TRANSACTION_COMMIT);
        message.prepared_transaction_offset = at;
        self.stamp(now, &mut message);
        if self.topics.get(&message.topic).is_some() {
            self.append(usize::try_from(message.queue_id).unwrap_or(0), message)?;
            return Ok(());
        }
        self.cuts.push(Cut { message: Message::from(&message), why: Why::TopicDeleted });
        message.topic = HALF_TOPIC.into();
        message.physical_offset = at;
        self.roll_back(now, &message)
    }

    /// Writes down that a half message is never to be seen.
    fn roll_back(&mut self, now: Instant, half: &StoredMessage<'_>) -> Result<(), WireError> {
        let body = half.queue_offset.to_string();
        let mut op = half.clone();
        op.topic = OP_TOPIC.into();
        op.queue_id = 0;
        op.flag = 0;
        op.sys_flag = 0;
        op.born_timestamp = self.wall_ms(now);
        op.prepared_transaction_offset = half.physical_offset;
        op.properties = properties::encode([(TAGS, "d")]).into();
        op.body_crc = crc32::crc32_stored(body.as_bytes());
        op.body = body.into_bytes().into();
        self.append_internal(now, op).map(|_| ())
    }

    /// Looks at all half messages, if it is time.
    pub(super) fn check_transactions(&mut self, now: Instant) {
        if self.transactions.look_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        if self.config.id == 0 {
            let open: Vec<i64> = self.transactions.open.iter().copied().collect();
            for at in open {
                let looked = self.look_at_half(now, at);
                debug_assert!(looked.is_ok(), "what was stored can be stored again: {looked:?}");
            }
            self.offer_copy(now);
        }
        self.plan_checks(now);
    }

    /// Asks about a half message, or gives it up. It is stored again before, so that its offsets
    /// change, also if nobody is there to be asked.
    fn look_at_half(&mut self, now: Instant, at: i64) -> Result<(), WireError> {
        let Some(record) = self.log.indexed(at).map(<[u8]>::to_vec) else {
            self.transactions.open.remove(&at);
            return Ok(());
        };
        let half = StoredMessage::decode(&record)?.0;
        let asked = properties::get(&half.properties, TRANSACTION_CHECK_TIMES);
        let asked = asked.and_then(|times| times.parse::<u32>().ok()).unwrap_or(0);
        let age = self.wall_ms(now) - half.born_timestamp;
        let too_young = (0..=self.immunity_ms(&half.properties)).contains(&age);
        let given_up = asked >= self.config.transaction_check_max;
        if self.disk.full || (too_young && !given_up) {
            return Ok(());
        }
        self.transactions.open.remove(&at);
        let mut again = half.clone();
        again.prepared_transaction_offset = at;
        if given_up {
            again.topic = GIVEN_UP_TOPIC.into();
            return self.append_internal(now, again).map(|_| ());
        }
        let times = (asked + 1).to_string();
        let ours = [(WAIT_STORE_MSG_OK, "false"), (TRANSACTION_CHECK_TIMES, &*times)];
        again.properties = replaced(&half.properties, &ours).into();
        let place = self.append_internal(now, again.clone())?;
        self.transactions.open.insert(place.at);
        let offset_msg_id = place.ids;
        let moved = StoredMessage {
            physical_offset: place.at,
            queue_offset: place.queue_offset,
            properties: again.properties,
            ..half
        };
        self.ask_about(moved, offset_msg_id)
    }

    /// Asks one client of the group, if one is known.
    fn ask_about(
        &mut self,
        mut half: StoredMessage<'_>,
        offset_msg_id: String,
    ) -> Result<(), WireError> {
        let group = properties::get(&half.properties, PRODUCER_GROUP).unwrap_or("");
        let conns = self.clients.of_group(group);
        self.transactions.asked = self.transactions.asked.wrapping_add(1);
        let at = self.transactions.asked.checked_rem(conns.len());
        let Some(&conn) = at.and_then(|at| conns.get(at)) else { return Ok(()) };
        let key = half.uniq_key().map(str::to_owned);
        let newer = self.config.release == Release::V5_4_0;
        let check = CheckTransaction {
            topic: newer.then(|| HALF_TOPIC.to_owned()),
            tran_state_table_offset: half.queue_offset,
            commit_log_offset: half.physical_offset,
            msg_id: key.clone(),
            transaction_id: key,
            offset_msg_id: Some(offset_msg_id),
            broker_name: newer.then(|| self.config.name.clone()),
        };
        half.queue_id = real_queue(&half.properties);
        half.topic = properties::get(&half.properties, REAL_TOPIC).unwrap_or("").to_owned().into();
        half.prepared_transaction_offset = 0;
        let mut body = Vec::new();
        half.encode(&mut body)?;
        let fields = owned(&check.to_ext());
        self.ask_client(conn, ask::CHECK_TRANSACTION_STATE, Head::ONE_WAY, &fields, &body);
        Ok(())
    }

    /// How old a half message is at least when its end is asked for.
    fn immunity_ms(&self, text: &str) -> i64 {
        let timeout = i64::try_from(self.config.transaction_timeout.as_millis());
        let timeout = timeout.unwrap_or(i64::MAX);
        let own = properties::get(text, CHECK_IMMUNITY_TIME_IN_SECONDS);
        let own = own.and_then(|text| text.parse::<i64>().ok()).filter(|seconds| *seconds != -1);
        let own = own.map(|seconds| seconds.saturating_mul(1_000));
        match self.config.release {
            Release::V4_9_7 => own.unwrap_or(timeout),
            Release::V5_4_0 => own.map_or(timeout, |own| own.max(timeout)),
        }
    }
}

fn wrong(remark: &str) -> Answer {
    Answer::error(response::SYSTEM_ERROR, remark)
}
