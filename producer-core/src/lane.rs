//! How do messages of one key keep their order? One at a time.

use crate::error::{ErrorKind, Phase};
use crate::pick::View;
use crate::producer::Producer;
use crate::route::TopicId;
use crate::send::{Order, QueueChoice, Stage};
use crate::slab::Key;
use crate::waiters::Waiters;

/// Messages of one ordering key that are in hand: the one under way and those behind it.
#[derive(Debug)]
pub(crate) struct Lane {
    busy: Key,
    waiting: Waiters,
}

impl Lane {
    /// The first that waits.
    pub(crate) fn front(&self) -> Option<Key> {
        self.waiting.front()
    }

    /// It waits no longer.
    pub(crate) fn pop(&mut self) -> Option<Key> {
        self.waiting.pop()
    }

    /// This one is under way from now on.
    pub(crate) fn set_busy(&mut self, key: Key) {
        self.busy = key;
    }
}

impl<T> Producer<T> {
    /// Goes on if nothing of the lane is under way, else waits.
    pub(crate) fn enter_lane(&mut self, key: Key, lane: (TopicId, u64)) {
        if !self.broken.is_empty() && !planted!(RoomOvertakes) && self.would_overtake(key, lane) {
            reached!(LaneOvertakes);
            return self.fail_before_attempt(key, Phase::Lane, ErrorKind::OrderBroken);
        }
        if let Some(lane) = self.lanes.get_mut(&lane).filter(|_| !planted!(LaneInParallel)) {
            reached!(LaneWaits);
            lane.waiting.push(key, &self.sends);
            if let Some(send) = self.sends.get_mut(key) {
                send.stage = Stage::Lane;
            }
            return;
        }
        reached!(LaneFree);
        self.lanes.insert(lane, Lane { busy: key, waiting: Waiters::default() });
        if let Some(send) = self.sends.get_mut(key) {
            send.stage = Stage::Lane;
        }
        self.ready.push_back(key);
    }

    /// A send of the lane has ended; the next one goes on, or, if the order is `broken`, all fail
    /// that may not overtake it.
    pub(crate) fn leave_lane(&mut self, key: Key, id: (TopicId, u64), broken: bool) {
        match self.lanes.get(&id) {
            Some(lane) if lane.busy == key => {}
            _ => return,
        }
        if broken && !planted!(LaneForgives) {
            reached!(LaneBroken);
            self.note_broken(id);
            if let Some(mut lane) = self.lanes.remove(&id) {
                while let Some(waiting) = lane.waiting.pop() {
                    self.fail_before_attempt(waiting, Phase::Lane, ErrorKind::OrderBroken);
                }
            }
            return;
        }
        if let Some(limits) = self.shares() {
            return self.lane_goes_on(id, &limits);
        }
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        while let Some(next) = lane.waiting.pop() {
            if self.sends.get(next).is_some() {
                reached!(LaneNext);
                lane.busy = next;
                self.ready.push_back(next);
                return;
            }
        }
        reached!(LaneOver);
        self.lanes.remove(&id);
    }

    /// Those of the lane that wait for room are behind the broken one too.
    fn note_broken(&mut self, id: (TopicId, u64)) {
        if self.room.is_deserted(&self.sends) {
            return self.broken.clear();
        }
        let first = self.room.front().and_then(|key| self.sends.get(key));
        let oldest = first.map_or(self.now, |send| send.accepted);
        if self.broken.len() >= self.waiting_for_room {
            self.broken.retain(|_, at| *at >= oldest);
        }
        self.broken.insert(id, self.now);
    }

    /// Whether a strict send was accepted before the order of its lane broke.
    fn would_overtake(&self, key: Key, id: (TopicId, u64)) -> bool {
        let strict = self.sends.get(key).filter(|send| send.is_strict());
        let broken = self.broken.get(&id);
        strict.zip(broken).is_some_and(|(send, &at)| send.accepted <= at)
    }

    /// An attempt of an `Available` lane is about to begin. Its epoch must differ from that of every
    /// one that had another choice, also when nothing was reported: brokers fall silent, and are
    /// forgiven, by time alone. True if the attempt shares its epoch with no other, because it
    /// chooses by what it has tried, and others have not.
    pub(crate) fn renew_epoch(&mut self, key: Key) -> bool {
        let Some(send) = self.sends.get(key) else { return false };
        if planted!(EpochKept)
            || !matches!(send.queue, QueueChoice::Key { order: Order::Available, .. })
        {
            return false;
        }
        let view = View {
            brokers: &self.routes.brokers,
            conns: &self.conns,
            health: &self.config.health,
            now: self.now,
            tried: 0,
            last: None,
        };
        let topic = &self.routes.topics[send.topic as usize];
        let mark = topic.route.as_ref().map_or(0, |known| view.usable_mark(known));
        let alone = send.tried != 0 || send.last_broker.is_some();
        let topic = &mut self.routes.topics[send.topic as usize];
        let changed = core::mem::replace(&mut topic.usable_mark, mark) != mark;
        reached!(if alone => EpochAlone);
        reached!(if changed => EpochRenewed);
        self.epoch += u64::from(changed || alone);
        alone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};
    use crate::message::Message;
    use crate::names::Address;
    use crate::send::{SendId, SendOptions};
    use crate::time::Instant;

    /// One send has all the room there is.
    fn crowded() -> Producer<u32> {
        let name_servers = Address::list("ns:1").expect("valid");
        let config = Config { sends_max: 1, name_servers, ..Config::default() };
        let mut producer = Producer::new(config, Environment::new(7, 0));
        send(&mut producer, 0);
        producer
    }

    fn send(producer: &mut Producer<u32>, ms: u64) -> SendId {
        let message = Message::new("t", "x").expect("valid");
        producer.send(Instant::from_millis(ms), 0, message, SendOptions::default())
    }

    #[test]
    fn broken_lanes_are_remembered_for_those_who_waited_before() {
        let mut producer = crowded();
        send(&mut producer, 0);

        for lane in 1..=3 {
            producer.now = Instant::from_millis(lane);
            producer.note_broken((0, lane));
        }

        assert_eq!(producer.broken.len(), 3);
    }

    #[test]
    fn broken_lanes_are_forgotten_when_all_who_wait_came_later() {
        let mut producer = crowded();
        let mut waits = send(&mut producer, 0);

        for lane in 1..100 {
            let later = send(&mut producer, lane);
            producer.cancel(producer.now, waits);
            waits = later;
            producer.note_broken((0, lane));
        }

        assert!(producer.broken.len() <= 2, "{:?}", producer.broken.len());
    }
}
