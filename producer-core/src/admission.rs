//! Who is let in, who waits for room, and who goes on when a wait is over?

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{ErrorKind, Outcome, SendError};
use crate::groups::GroupId;
use crate::message::Message;
use crate::producer::Producer;
use crate::route::TopicId;
use crate::send::{Send, SendId, SendOptions, Stage};
use crate::slab::Key;
use crate::special::Special;
use crate::time::Instant;

impl<T> Producer<T> {
    /// A message of any kind has come. Inlined where it is hot.
    #[inline(always)]
    pub(crate) fn start(
        &mut self,
        ticket: T,
        message: Message,
        options: SendOptions,
        special: Option<Box<Special>>,
    ) -> SendId {
        self.stats.accepted += 1;
        let body_bytes = message.body().len();
        let bytes_max = self.config.message_bytes_max;
        if self.closing.is_some() && !planted!(ClosedAccepts) {
            reached!(SendClosed);
            return self.refuse(ticket, special, options.group, ErrorKind::Closed);
        }
        if body_bytes > bytes_max {
            reached!(SendTooLarge);
            let kind = ErrorKind::MessageTooLarge { bytes: body_bytes, bytes_max };
            return self.refuse(ticket, special, options.group, kind);
        }
        let topic = match self.topic(message.topic(), options.group) {
            Ok(topic) => topic,
            Err(kind) => return self.refuse(ticket, special, options.group, kind),
        };
        let bytes = message.budget_bytes();
        let has_room = self.fits(bytes) && self.room.is_empty();
        if !has_room && !self.may_wait(bytes) {
            reached!(SendFull);
            return self.refuse(ticket, special, options.group, ErrorKind::Full);
        }
        let key = self.insert(Some(ticket), message, options, topic, bytes, special);
        if has_room {
            self.admit(key);
        } else {
            reached!(SendWaits);
            self.waiting_for_room += 1;
            self.bytes_waiting += bytes;
            self.room.push(key, &self.sends);
        }
        self.run_ready();
        SendId(key)
    }

    /// A message with something special about it has come.
    #[inline(never)]
    pub(crate) fn start_specially(
        &mut self,
        ticket: T,
        message: Message,
        options: SendOptions,
        special: Option<Box<Special>>,
    ) -> SendId {
        self.start(ticket, message, options, special)
    }

    #[cold]
    pub(crate) fn refuse(
        &mut self,
        ticket: T,
        special: Option<Box<Special>>,
        group: GroupId,
        kind: ErrorKind,
    ) -> SendId {
        self.stats.not_sent += 1;
        let error = SendError::new(kind, Outcome::NotSent, None, Duration::ZERO, Vec::new());
        self.ended(Some(ticket), special, group, Err(error));
        SendId(Key::NONE)
    }

    #[inline(always)] // Hot.
    pub(crate) fn insert(
        &mut self,
        ticket: Option<T>,
        message: Message,
        options: SendOptions,
        topic: TopicId,
        bytes: usize,
        special: Option<Box<Special>>,
    ) -> Key {
        let timeout = options.timeout.unwrap_or(self.config.send_timeout);
        let deadline = self.now + timeout;
        let id = match options.message_id {
            Some(id) => id,
            None => self.ids.next_id(self.unix_ms()),
        };
        let plain = special.is_none()
            && options.group == GroupId::default()
            && message.compression().is_none();
        let key = self.sends.insert(Send {
            ticket,
            message,
            queue: options.queue,
            reply: options.reply,
            require: options.require,
            attempt_timeout: options.attempt_timeout,
            topic,
            group: options.group,
            plain,
            special,
            id,
            stage: Stage::Room,
            accepted: self.now,
            deadline,
            attempts: 0,
            attempts_all: 0,
            pauses: 0,
            outcome: Outcome::NotSent,
            trail: Vec::new(),
            tried: 0,
            last_broker: None,
            bytes,
            holds_room: false,
        });
        if self.due.len() < self.sends.slots() {
            self.due.resize(self.sends.slots(), Instant::FAR);
        }
        self.set_due(key, deadline);
        key
    }

    pub(crate) fn fits(&self, bytes: usize) -> bool {
        if planted!(NoBound) {
            return true;
        }
        let admitted = self.sends_admitted - self.accumulator.carriers;
        // One message alone always fits, however large.
        admitted < self.config.sends_max
            && (self.bytes_admitted + bytes <= self.config.bytes_max || admitted == 0)
    }

    /// Whether a send of so many bytes may wait for room.
    pub(crate) fn may_wait(&self, bytes: usize) -> bool {
        if planted!(RefusedTooEarly) {
            return false;
        }
        let fits = self.bytes_waiting + bytes <= self.config.waiting_bytes_max;
        self.waiting_for_room < self.config.waiting_max && (fits || self.waiting_for_room == 0)
    }

    /// The send has its room: it goes to its lane, or on its way.
    #[inline(always)]
    pub(crate) fn admit(&mut self, key: Key) {
        let Some(send) = self.sends.get_mut(key) else { return };
        send.holds_room = true;
        if planted!(RoomOutsideBudget) {
            send.deadline = self.now + self.config.send_timeout;
        }
        self.sends_admitted += 1;
        self.bytes_admitted += send.bytes;
        self.account.deposit();
        let lane = send.lane();
        if self.shares().is_some() && self.accumulate(key) {
            return;
        }
        match lane {
            Some(lane) => self.enter_lane(key, lane),
            None => self.attempt(key),
        }
    }

    /// Lets sends go on whose wait is over. Nothing else runs sends from within sends, so the depth
    /// of calls does not depend on how many wait.
    #[inline]
    pub(crate) fn run_ready(&mut self) {
        if !self.ready.is_empty() || !self.room.is_empty() || self.closing.is_some() {
            self.run_waiting();
        }
    }

    #[inline(never)]
    fn run_waiting(&mut self) {
        loop {
            while let Some(key) = self.ready.pop_front() {
                match self.sends.get(key).map(|send| send.stage) {
                    None | Some(Stage::Under(_) | Stage::Gathering | Stage::Carried(_)) => {}
                    Some(Stage::Room) => self.admit(key),
                    Some(Stage::Lane | Stage::Route | Stage::Backoff) => self.attempt(key),
                }
            }
            if self.admit_next() {
                continue;
            }
            if self.closing.is_some() {
                self.go_on_closing();
            }
            if self.ready.is_empty() {
                break;
            }
        }
    }

    /// Gives room to the first that waits for it, if it fits.
    fn admit_next(&mut self) -> bool {
        while let Some(key) = self.room.front() {
            let Some(bytes) = self.sends.get(key).map(|send| send.bytes) else {
                reached!(RoomForgone);
                if planted!(DeadWaiterBlocks) {
                    return false;
                }
                self.room.pop();
                continue;
            };
            if !self.fits(bytes) {
                reached!(RoomTooSmall);
                return false;
            }
            reached!(RoomGiven);
            self.room.pop();
            self.waiting_for_room -= 1;
            self.bytes_waiting -= bytes;
            self.ready.push_back(key);
            return true;
        }
        false
    }

    /// Takes a send out of everything it is in; it is over. Those it kept waiting go on. `keep`
    /// takes what is still wanted from it.
    pub(crate) fn remove<R>(
        &mut self,
        key: Key,
        outcome: Outcome,
        keep: impl FnOnce(&mut Send<T>) -> R,
    ) -> Option<R> {
        let (kept, bytes, holds_room, lane, strict) = self.sends.remove_with(key, |send| {
            (keep(send), send.bytes, send.holds_room, send.lane(), send.is_strict())
        })?;
        self.due[key.slot as usize] = Instant::FAR;
        if holds_room {
            self.sends_admitted -= 1;
            let leaks = planted!(RoomLeaks) && outcome == Outcome::Unknown;
            self.bytes_admitted -= if leaks { 0 } else { bytes };
        } else {
            self.waiting_for_room -= 1;
            self.bytes_waiting -= bytes;
        }
        if let Some(lane) = lane {
            self.leave_lane(key, lane, strict && outcome == Outcome::Unknown);
        }
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};
    use crate::names::Address;

    fn message(bytes: usize) -> Message {
        Message::new("t", alloc::vec![b'x'; bytes]).expect("valid")
    }

    /// Of six messages of a hundred bytes: how many have room, wait for it, and are refused?
    fn crowd(config: Config) -> (usize, usize, u64) {
        let name_servers = Address::list("ns:1").expect("valid");
        let config = Config { name_servers, ..config };
        let mut producer = Producer::new(config, Environment::new(7, 0));
        for ticket in 0..6 {
            producer.send(Instant::ZERO, ticket, message(100), SendOptions::default());
        }
        (producer.sends_admitted, producer.waiting_for_room, producer.stats.not_sent)
    }

    #[test]
    fn room_is_for_so_many_sends_and_bytes_and_for_one_that_is_larger() {
        let two = 2 * message(100).budget_bytes();
        let three_wait = || Config { waiting_max: 3, ..Config::default() };

        assert_eq!(crowd(Config { sends_max: 2, ..three_wait() }), (2, 3, 1));
        assert_eq!(crowd(Config { bytes_max: two, ..three_wait() }), (2, 3, 1));
        assert_eq!(crowd(Config { bytes_max: two - 1, ..three_wait() }), (1, 3, 2));
        assert_eq!(crowd(Config { bytes_max: 1, ..three_wait() }), (1, 3, 2));
    }

    #[test]
    fn so_many_sends_and_bytes_may_wait_and_one_that_is_larger() {
        let two = 2 * message(100).budget_bytes();
        let two_in_hand = || Config { sends_max: 2, ..Config::default() };

        assert_eq!(crowd(Config { waiting_max: 0, ..two_in_hand() }), (2, 0, 4));
        assert_eq!(crowd(Config { waiting_bytes_max: two, ..two_in_hand() }), (2, 2, 2));
        assert_eq!(crowd(Config { waiting_bytes_max: two - 1, ..two_in_hand() }), (2, 1, 3));
        assert_eq!(crowd(Config { waiting_bytes_max: 1, ..two_in_hand() }), (2, 1, 3));
    }

    #[test]
    fn a_message_may_be_as_large_as_is_said() {
        let of = |message_bytes_max| crowd(Config { message_bytes_max, ..Config::default() });

        assert_eq!(of(100), (6, 0, 0));
        assert_eq!(of(99), (0, 0, 6));
    }
}
