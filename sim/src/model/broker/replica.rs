//! How does a slave come by its master's log, and when does a master's answer wait for that?
//!
//! A slave asks its master for what follows the end of its own log; that is also how the master
//! learns how far the slave is. A question that has no answer yet is kept until something is
//! stored. Java has a protocol of its own for this (`DefaultHAConnection.java`); what it does to
//! answers and logs is the same here.

use std::collections::VecDeque;
use std::time::Duration;

use producer_core::wire::code::response;
use producer_core::wire::property_names::WAIT_STORE_MSG_OK;
use producer_core::wire::send::{SendForm, SendRequest};
use producer_core::wire::{Fields, Head, Language, WireError, encode_frame, properties};

use super::super::answer::{Answer, Request, Ticket};
use super::super::{ConnId, Instant, Release};
use super::config::Replication;
use super::copy::{Copy, Epochs};
use super::fault::Delivery;
use super::{Broker, Refusal};

/// What a broker knows of its master, or of its slave.
#[derive(Debug, Default)]
pub(super) struct Replica {
    /// Where the master is, for a slave.
    master: Option<String>,
    conn: Option<ConnId>,
    up: bool,
    /// The end of the log that the master was asked with.
    asked: i64,
    /// When to look after the master again.
    due: Option<Instant>,
    /// The slave that asked last, and the end of its log.
    slave: Option<(ConnId, i64)>,
    /// Its question, if that has no answer yet.
    question: Option<Question>,
    /// Answers to sends that wait for the slave, in log order.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Question {
    ticket: Ticket,
    end: i64,
    epochs: Epochs,
    answer_at: Instant,
}

#[derive(Debug)]
struct Waiting {
    /// End of the log when the message was in it.
    end: i64,
    give_up: Instant,
    ticket: Ticket,
    answer: Answer,
    delivery: Delivery,
}

impl Replica {
    /// Forgets all connections.
    pub(super) fn reset(&mut self, now: Instant) {
        let master = self.master.take();
        *self = Self { due: master.is_some().then_some(now), master, ..Self::default() };
    }

    /// When something has to be done.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let question = self.question.as_ref().map(|question| question.answer_at);
        let waiting = self.waiting.front().map(|waiting| waiting.give_up);
        [self.due, question, waiting].into_iter().flatten().min()
    }

    /// The answer that waits longest, if it is `ready`.
    fn take_waiting(&mut self, ready: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        self.waiting.front().is_some_and(ready).then(|| self.waiting.pop_front()).flatten()
    }
}

impl Broker {
    /// The broker becomes master of its name: an epoch begins, under a number that no other has.
    /// Name servers prefer who registers with a higher `state`.
    pub fn become_master(&mut self, now: Instant, epoch: i64, state: i64) {
        self.config.id = 0;
        self.state = state;
        self.epochs.begin(epoch, self.log.end());
        self.part_from_master();
        self.serve_as_master(now);
        self.register(now);
    }

    /// The broker becomes a slave, and makes its log that of the master at `master`.
    pub fn become_slave(&mut self, now: Instant, master: &str) {
        self.config.id = 1;
        self.part_from_master();
        self.replica.master = Some(master.to_owned());
        self.replica.due = Some(now);
        self.register(now);
    }

    /// How late a master the broker is, for name servers.
    pub const fn state(&self) -> i64 {
        self.state
    }

    /// Takes over what a slave leaves to its master.
    pub(super) fn serve_as_master(&mut self, now: Instant) {
        self.find_open_halves();
        self.find_delayed();
        self.plan_checks(now);
    }

    fn part_from_master(&mut self) {
        if let Some(conn) = self.replica.conn.take() {
            self.links.close(conn);
        }
        (self.replica.up, self.replica.due, self.replica.master) = (false, None, None);
    }

    /// Answers a send, after the slave has what was stored from `before` on if that is to be
    /// waited for.
    pub(super) fn deliver_when_copied(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        before: i64,
        mut answer: Answer,
        delivery: Delivery,
    ) {
        let ticket = request.ticket();
        let stored = self.log.end() > before;
        if stored {
            self.offer_copy(now);
        }
        let waits = stored
            && self.config.replication == Replication::Sync
            && answer.code == response::SUCCESS
            && wants_to_wait(request);
        if !waits {
            return self.deliver(now, ticket, &answer, delivery);
        }
        if self.replica.slave.is_none() && self.config.release == Release::V4_9_7 {
            answer.code = response::SLAVE_NOT_AVAILABLE;
            return self.deliver(now, ticket, &answer, delivery);
        }
        let (end, give_up) = (self.log.end(), now + self.config.slave_timeout);
        self.replica.waiting.push_back(Waiting { end, give_up, ticket, answer, delivery });
        self.replica_timeout(now);
    }

    /// There is something to be copied: the slave's question will not wait for long.
    pub(super) fn offer_copy(&mut self, now: Instant) {
        let delay = match self.config.replication {
            Replication::Async => self.config.copy_delay,
            Replication::Sync => Duration::ZERO,
        };
        if let Some(question) = &mut self.replica.question {
            question.answer_at = question.answer_at.min(now + delay);
        }
    }

    /// A slave asks for what follows the end of its log. `None` if the answer comes later.
    pub(super) fn copy_log(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Option<Answer>, WireError> {
        let end = request.header.ext.need_i64("end")?;
        let epochs = Self::read_epochs(&request.header.ext.need_text("epochs")?)?;
        if self.config.id != 0 {
            return Ok(Some(self.refuse(Refusal::DiskFull, "")));
        }
        let copy = self.copy_for(end, &epochs);
        if copy.cut == end {
            self.replica.slave = Some((request.conn, end));
            self.answer_copied(now, end);
        }
        let answer_at = match copy.cut < end || !copy.records.is_empty() {
            true => now,
            false => now + BEAT,
        };
        let ticket = request.ticket();
        self.replica.question = Some(Question { ticket, end, epochs, answer_at });
        self.replica_timeout(now);
        Ok(None)
    }

    /// Answers the sends that the slave has.
    fn answer_copied(&mut self, now: Instant, end: i64) {
        while let Some(first) = self.replica.take_waiting(|first| first.end <= end) {
            self.deliver(now, first.ticket, &first.answer, first.delivery);
        }
    }

    pub(super) fn replica_timeout(&mut self, now: Instant) {
        while let Some(mut first) = self.replica.take_waiting(|first| first.give_up <= now) {
            first.answer.code = response::FLUSH_SLAVE_TIMEOUT;
            self.deliver(now, first.ticket, &first.answer, first.delivery);
        }
        if let Some(question) = self.replica.question.take_if(|q| q.answer_at <= now) {
            let copy = self.copy_for(question.end, &question.epochs);
            let answer = Answer { body: copy.records.clone(), ..Answer::fields(copy.fields()) };
            self.reply(now, question.ticket, &answer);
        }
        if self.replica.due.is_some_and(|due| due <= now) {
            self.look_for_master(now);
        }
    }

    /// Dials the master; one that has been silent for too long is dialled anew.
    fn look_for_master(&mut self, now: Instant) {
        self.replica.due = Some(now + SILENCE_MAX);
        if let Some(conn) = self.replica.conn.take() {
            self.links.close(conn);
        }
        self.replica.up = false;
        if let Some(master) = &self.replica.master {
            self.replica.conn = Some(self.links.connect(master));
        }
    }

    /// Whether the connection is that to the master.
    pub(super) fn is_master(&self, conn: ConnId) -> bool {
        self.replica.conn == Some(conn)
    }

    pub(super) fn master_connected(&mut self, now: Instant) {
        self.replica.up = true;
        self.ask_master(now);
    }

    pub(super) fn peer_closed(&mut self, now: Instant, conn: ConnId) {
        if self.is_master(conn) {
            (self.replica.conn, self.replica.up) = (None, false);
            self.replica.due = Some(now + REDIAL);
        }
        if self.replica.slave.is_some_and(|(slave, _)| slave == conn) {
            (self.replica.slave, self.replica.question) = (None, None);
        }
    }

    pub(super) fn master_answered(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<(), WireError> {
        if request.header.code == response::SUCCESS {
            let copy = Copy::decode(&request.header.ext, request.body)?;
            if self.replica.asked == self.log.end() {
                self.take_copy(&copy);
            }
            self.ask_master(now);
        } else {
            self.replica.due = Some(now + REDIAL);
        }
        Ok(())
    }

    fn ask_master(&mut self, now: Instant) {
        let Some(conn) = self.replica.conn.filter(|_| self.replica.up) else { return };
        self.replica.due = Some(now + SILENCE_MAX);
        self.replica.asked = self.log.end();
        let head = Head {
            code: COPY_LOG,
            language: Language::JAVA,
            version: self.config.release.version(),
            opaque: 0,
            flag: Head::REQUEST,
            remark: None,
        };
        let fields = Fields::new().show("end", self.log.end()).text("epochs", self.epochs_text());
        let serialize = self.config.serialize;
        self.links.send(conn, |out| {
            let lost = encode_frame(out, serialize, &head, fields.iter(), &[]);
            debug_assert!(lost.is_ok(), "a question fits a frame: {lost:?}");
        });
    }
}

/// Whether a send did not say that it does not want to wait.
fn wants_to_wait(request: &Request<'_>) -> bool {
    let form = SendForm::of_code(request.header.code);
    let send = form.and_then(|form| SendRequest::from_ext(form, &request.header.ext).ok());
    let text = send.and_then(|send| send.properties);
    let wait = text.as_deref().and_then(|text| properties::get(text, WAIT_STORE_MSG_OK));
    wait.is_none_or(|wait| !wait.eq_ignore_ascii_case("false"))
}

/// Asks for a piece of the log; a code of these models' own.
pub(super) const COPY_LOG: i32 = 29_001;
/// A question is answered by then, also when nothing was stored (`haSendHeartbeatInterval`).
const BEAT: Duration = Duration::from_secs(5);
/// A master that has said nothing for so long is dialled anew. Java's slave speaks every 5 s, and so
/// learns of a machine that was restarted; this one only listens.
const SILENCE_MAX: Duration = Duration::from_secs(6);
/// Wait before a master that was lost is dialled again.
const REDIAL: Duration = Duration::from_secs(1);
