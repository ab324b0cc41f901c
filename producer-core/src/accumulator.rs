//! Which sends of different callers share a request, and when does it leave (Java's
//! `ProduceAccumulator`)?
//!
//! Messages that may go together wait for one another in a [`Batch`](crate::Batch) of ours. Each
//! stays a send of its own: its ticket, deadline, room, and cancellation. What goes through
//! `attempt` and retries is their carrier, one more send ([`Form::Accumulated`]), which has neither
//! ticket nor room. See `carrier` for what becomes of it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::time::Duration;

use hashbrown::HashMap;

use crate::config::AutoBatch;
use crate::has;
use crate::producer::Producer;
use crate::route::{Hasher, TopicId};
use crate::send::{QueueChoice, Reply, Send, SendOptions, Stage};
use crate::slab::Key;
use crate::special::{Form, Special};
use crate::time::Instant;
use crate::wire::property_names as names;

/// What gathers and what is on its way.
pub(crate) struct Accumulator {
    /// By [`Send::class`]: those of which something is in hand, and some of which something was.
    classes: HashMap<u64, Class, Hasher>,
    /// When each gathering batch leaves at the latest.
    lingering: BTreeSet<(Instant, Key)>,
    /// Classes whose batch leaves once the caller has said all it has to say.
    leaving: Vec<u64>,
    /// Carriers in hand.
    pub(crate) carriers: usize,
}

/// Messages that may share a request.
#[derive(Debug)]
struct Class {
    gathering: Option<Key>,
    /// Batches that have left and not ended, and their messages.
    under_way: usize,
    flying: usize,
    /// Messages in hand at a time, of late. Half of them make a batch, so that one gathers while
    /// another is on its way: whoever has an answer sends again.
    crowd: usize,
    /// From when on nobody is waited for who has had an answer: a round trip after it.
    quiet_from: Instant,
}

impl Class {
    const fn new() -> Self {
        let quiet_from = Instant::ZERO;
        Self { gathering: None, under_way: 0, flying: 0, crowd: 0, quiet_from }
    }

    /// So many have gathered: whether they leave. If nothing is under way and nobody is about to
    /// come, there is nothing to wait for.
    fn leaves(&mut self, gathered: usize, now: Instant) -> bool {
        let in_hand = self.flying + gathered;
        let quiet = self.under_way == 0 && now >= self.quiet_from;
        self.crowd = if quiet { in_hand } else { self.crowd.max(in_hand) };
        gathered * 2 >= self.crowd
    }
}

/// What a carrier carries.
#[derive(Debug)]
pub(crate) struct Carried {
    /// All that ever were in it, in order; those that have ended are not there any more.
    pub(crate) members: Vec<Key>,
    /// Those in the frame that was made last.
    pub(crate) packed: Vec<Key>,
    /// Members that have not ended.
    pub(crate) alive: usize,
    /// Bytes of the body, and of the keys of all.
    bytes: usize,
    key_bytes: usize,
    /// `None` in a lane, where nothing lingers.
    pub(crate) class: Option<u64>,
    pub(crate) gathers: bool,
    /// When it leaves at the latest, then when it has left, and with how many.
    at: Instant,
    left_with: usize,
    /// A member has ended as unknown and must not be overtaken: no other attempt.
    pub(crate) broken: bool,
}

/// Classes that are remembered while nothing of them is in hand.
const CLASSES_KEPT: usize = 1_024;

/// Keys of all members stand in the request once more, for brokers that store a batch as one.
const KEY_BYTES_MAX: usize = 8 << 10;

/// Properties by which brokers treat a message in a way that batches do not have.
const ALONE: [&str; 7] = [
    names::DELAY_TIME_LEVEL,
    names::TIMER_DELAY_SEC,
    names::TIMER_DELAY_MS,
    names::TIMER_DELIVER_MS,
    names::PRIORITY,
    names::INNER_MULTI_DISPATCH,
    names::PRODUCER_GROUP,
];

impl Accumulator {
    pub(crate) fn new(hash_seed: u64) -> Self {
        Self {
            classes: HashMap::with_hasher(Hasher::with_seed(hash_seed)),
            lingering: BTreeSet::new(),
            leaving: Vec::new(),
            carriers: 0,
        }
    }

    /// When a gathering batch leaves at the latest.
    #[inline]
    pub(crate) fn due(&self) -> Instant {
        if !has::AUTO_BATCH {
            return Instant::FAR;
        }
        self.lingering.first().map_or(Instant::FAR, |&(at, _)| at)
    }

    /// Whether batches leave before the producer has nothing more to do.
    #[inline]
    pub(crate) fn leaves(&self) -> bool {
        has::AUTO_BATCH && !self.leaving.is_empty()
    }
}

impl<T> Send<T> {
    /// Whether it may share a request with others like it.
    fn may_share(&self, limits: &AutoBatch) -> bool {
        let chosen = !matches!(self.queue, QueueChoice::Random | QueueChoice::Select(_));
        chosen
            && self.special.is_none()
            && self.reply == Reply::Awaited
            && self.message.compression().is_none()
            && self.message.member_bytes() <= limits.bytes_max
            && !self.message.topic().as_str().starts_with(RETRY_PREFIX)
            && self.message.properties().all(|(name, _)| !ALONE.contains(&name))
    }

    /// Whether it can be in one request with `other`.
    fn goes_with(&self, other: &Self) -> bool {
        let queue = match (&self.queue, &other.queue) {
            (QueueChoice::Rotate, QueueChoice::Rotate) => true,
            (QueueChoice::Queue(a), QueueChoice::Queue(b)) => a == b,
            (QueueChoice::Hash(a), QueueChoice::Hash(b)) => a == b,
            (
                QueueChoice::Key { hash: a, lane: b, order: c },
                QueueChoice::Key { hash: x, lane: y, order: z },
            ) => (a, b, c) == (x, y, z),
            _ => false,
        };
        queue
            && (self.topic, self.group) == (other.topic, other.group)
            && self.message.waits_for_store() == other.message.waits_for_store()
            && (self.require, self.attempt_timeout) == (other.require, other.attempt_timeout)
            && self.message.property(names::TAGS) == other.message.property(names::TAGS)
    }

    /// Sends that go together have the same class; few others do.
    fn class(&self, hasher: &Hasher) -> u64 {
        let queue = match &self.queue {
            QueueChoice::Queue(queue) => (1, queue.broker.as_bytes(), queue.id),
            QueueChoice::Hash(hash) => (2, &[][..], hash.cast_unsigned()),
            _ => (0, &[][..], 0),
        };
        let tag = self.message.property(names::TAGS);
        let wait = self.message.waits_for_store();
        hasher.hash_one((self.topic, self.group, wait, queue, tag))
    }

    fn key_bytes(&self) -> usize {
        self.message.property(names::KEYS).map_or(0, |keys| keys.len() + 1)
    }
}

const RETRY_PREFIX: &str = "%RETRY%";

impl<T> Producer<T> {
    /// Whether sends share requests, and how.
    #[inline]
    pub(crate) fn shares(&self) -> Option<AutoBatch> {
        self.config.auto_batch.filter(|_| has::AUTO_BATCH)
    }

    /// A send that has its room waits for others to share a request with; false if it goes alone.
    #[inline(never)]
    pub(crate) fn accumulate(&mut self, key: Key) -> bool {
        let Some(limits) = self.shares() else { return false };
        let Some(send) = self.sends.get(key) else { return true };
        let patient = self.now + limits.linger < send.deadline;
        if send.lane().is_some() || !patient || !send.may_share(&limits) {
            return false;
        }
        let id = send.class(self.accumulator.classes.hasher());
        let (bytes, keys) = (send.message.member_bytes(), send.key_bytes());
        let mut gathering = self.accumulator.classes.get(&id).and_then(|class| class.gathering);
        if let Some(carrier) = gathering {
            let first = self.carried(carrier).and_then(|c| self.first_alive(c));
            if first.is_some_and(|first| !first.goes_with(send)) {
                return false; // another class has the same number
            }
            if !self.fits_in(carrier, bytes, keys, &limits) {
                self.let_go(carrier);
                gathering = None;
            }
        }
        let carrier = gathering.unwrap_or_else(|| self.gather(key, id, &limits));
        self.join(key, carrier);
        self.leave_or_wait(carrier, id, &limits);
        true
    }

    fn leave_or_wait(&mut self, carrier: Key, id: u64, limits: &AutoBatch) {
        let Some(carried) = self.sends.get(carrier).and_then(Send::carried) else { return };
        let (alive, bytes) = (carried.alive, carried.bytes);
        let Some(class) = self.accumulator.classes.get_mut(&id) else { return };
        if alive >= limits.messages_max || bytes >= limits.bytes_max {
            self.let_go(carrier);
        } else if class.leaves(alive, self.now) || self.closing.is_some() {
            self.accumulator.leaving.push(id);
        } else if class.under_way == 0 {
            let latest = class.quiet_from;
            self.linger_until(carrier, latest);
        }
    }

    /// A batch leaves no later than that.
    fn linger_until(&mut self, carrier: Key, latest: Instant) {
        let Some(carried) = self.sends.get_mut(carrier).and_then(Send::carried_mut) else { return };
        let (before, at) = (carried.at, carried.at.min(latest));
        carried.at = at;
        self.accumulator.lingering.remove(&(before, carrier));
        self.accumulator.lingering.insert((at, carrier));
    }

    fn first_alive(&self, carried: &Carried) -> Option<&Send<T>> {
        carried.members.iter().find_map(|&member| self.sends.get(member))
    }

    fn fits_in(&self, carrier: Key, bytes: usize, keys: usize, limits: &AutoBatch) -> bool {
        let bytes_max = if planted!(BatchUnbounded) { usize::MAX } else { limits.bytes_max };
        self.carried(carrier).is_some_and(|carried| {
            carried.bytes + bytes <= bytes_max && carried.key_bytes + keys <= KEY_BYTES_MAX
        })
    }

    /// Begins a batch for sends like this one.
    fn gather(&mut self, like: Key, id: u64, limits: &AutoBatch) -> Key {
        let carrier = self.carrier_like(like, Some(id));
        let classes = &mut self.accumulator.classes;
        if classes.len() >= CLASSES_KEPT && !classes.contains_key(&id) {
            classes.retain(|_, class| class.under_way > 0 || class.gathering.is_some());
        }
        classes.entry(id).or_insert(const { Class::new() }).gathering = Some(carrier);
        let latest = self.now + limits.linger;
        self.linger_until(carrier, latest);
        carrier
    }

    /// A send that carries others like this one.
    fn carrier_like(&mut self, like: Key, class: Option<u64>) -> Key {
        let Some(first) = self.sends.get(like) else { return Key::NONE };
        let carried = Carried {
            members: Vec::new(),
            packed: Vec::new(),
            alive: 0,
            bytes: 0,
            key_bytes: 0,
            class,
            gathers: class.is_some(),
            at: Instant::FAR,
            left_with: 0,
            broken: false,
        };
        let form = Form::Accumulated(Box::new(carried));
        let special = Box::new(Special { form, properties: String::new() });
        let options = SendOptions {
            queue: first.queue.clone(),
            group: first.group,
            attempt_timeout: first.attempt_timeout,
            require: first.require,
            ..SendOptions::default()
        };
        let (envelope, topic) = (first.message.envelope(Vec::new()), first.topic);
        let key = self.insert(None, envelope, options, topic, 0, Some(special));
        if let Some(carrier) = self.sends.get_mut(key) {
            carrier.stage = Stage::Gathering;
            carrier.holds_room = true;
            carrier.deadline = self.now;
        }
        // It takes no room of its own: `fits` leaves carriers out.
        self.sends_admitted += 1;
        self.accumulator.carriers += 1;
        key
    }

    /// The send goes with this carrier from now on.
    fn join(&mut self, key: Key, carrier: Key) {
        let Some(send) = self.sends.get_mut(key) else { return };
        send.stage = Stage::Carried(carrier);
        let (bytes, keys, deadline) =
            (send.message.member_bytes(), send.key_bytes(), send.deadline);
        let Some(send) = self.sends.get_mut(carrier) else { return };
        send.deadline = send.deadline.max(deadline);
        let latest = send.deadline;
        if let Some(carried) = send.carried_mut() {
            carried.members.push(key);
            carried.alive += 1;
            carried.bytes += bytes;
            carried.key_bytes += keys;
        }
        self.set_due(carrier, latest);
    }

    /// The batch leaves.
    fn let_go(&mut self, carrier: Key) {
        let now = self.now;
        let Some(send) = self.sends.get_mut(carrier) else { return };
        send.stage = Stage::Backoff;
        let Some(carried) = send.carried_mut() else { return };
        carried.gathers = false;
        self.accumulator.lingering.remove(&(carried.at, carrier));
        (carried.at, carried.left_with) = (now, carried.alive);
        if let Some(class) = carried.class.and_then(|id| self.accumulator.classes.get_mut(&id)) {
            class.gathering = None;
            class.under_way += 1;
            class.flying += carried.left_with;
            class.crowd = class.flying.max(class.crowd / 4 * 3);
        }
        self.ready.push_back(carrier);
    }

    /// Batches that have lingered leave.
    pub(crate) fn end_lingering(&mut self) {
        if !has::AUTO_BATCH {
            return;
        }
        while let Some(&(at, carrier)) = self.accumulator.lingering.first() {
            if at > self.now {
                return;
            }
            self.accumulator.lingering.pop_first();
            if !planted!(LingersForEver) {
                self.let_go(carrier);
            }
        }
    }

    /// Batches leave that have nothing to wait for: the caller has begun all that it wanted to.
    #[cold]
    pub(crate) fn leave(&mut self) {
        if !has::AUTO_BATCH {
            return;
        }
        for id in core::mem::take(&mut self.accumulator.leaving) {
            let class = self.accumulator.classes.get(&id);
            if let Some(carrier) = class.and_then(|class| class.gathering) {
                self.let_go(carrier);
            }
        }
        self.run_ready();
    }

    /// Messages that wait to share a request with others ([`Config::auto_batch`]) wait no longer.
    ///
    /// [`Config::auto_batch`]: crate::Config::auto_batch
    pub fn flush(&mut self, now: Instant) {
        self.advance(now);
        self.all_leave();
        self.leave();
    }

    pub(crate) fn all_leave(&mut self) {
        if !has::AUTO_BATCH {
            return;
        }
        let classes = self.accumulator.classes.iter();
        let gathering = classes.filter(|(_, class)| class.gathering.is_some());
        let mut gathering: Vec<u64> = gathering.map(|(&id, _)| id).collect();
        gathering.sort_unstable();
        self.accumulator.leaving.append(&mut gathering);
    }

    /// A carrier has ended: what gathers behind it may leave.
    pub(crate) fn carrier_gone(&mut self, key: Key, carried: &Carried) {
        if !has::AUTO_BATCH {
            return;
        }
        self.accumulator.carriers -= 1;
        let limits = self.config.auto_batch.unwrap_or_default();
        let Some(id) = carried.class else { return };
        let Some(class) = self.accumulator.classes.get_mut(&id) else { return };
        if carried.gathers {
            class.gathering = None;
            self.accumulator.lingering.remove(&(carried.at, key));
            return;
        }
        class.under_way -= 1;
        class.flying -= carried.left_with;
        class.quiet_from = self.now + self.now.since(carried.at).min(limits.linger);
        if class.under_way == 0
            && let Some(carrier) = class.gathering
        {
            self.leave_or_wait(carrier, id, &limits);
        }
    }

    /// A lane goes on: with the first that waits and all behind it that can be in its request.
    #[cold]
    pub(crate) fn lane_goes_on(&mut self, id: (TopicId, u64), limits: &AutoBatch) {
        let Some(mut lane) = self.lanes.remove(&id) else { return };
        let mut members: Vec<Key> = Vec::new();
        let (mut bytes, mut keys) = (0, 0);
        while let Some(next) = lane.front() {
            let Some(send) = self.sends.get(next) else {
                lane.pop();
                continue;
            };
            let shares = members.len() < limits.messages_max && send.may_share(limits);
            if let Some(&first) = members.first() {
                let first = self.sends.get(first);
                bytes += send.message.member_bytes();
                keys += send.key_bytes();
                let small = bytes <= limits.bytes_max && keys <= KEY_BYTES_MAX;
                if !shares || !small || first.is_none_or(|first| !first.goes_with(send)) {
                    break;
                }
            } else {
                (bytes, keys) = (send.message.member_bytes(), send.key_bytes());
            }
            lane.pop();
            members.push(next);
            if !shares {
                break;
            }
        }
        if planted!(LaneBatchTurned) {
            members.reverse();
        }
        let next = match members[..] {
            [] => return,
            [one] => one,
            [first, ..] => {
                let carrier = self.carrier_like(first, None);
                for member in members {
                    self.join(member, carrier);
                }
                if let Some(send) = self.sends.get_mut(carrier) {
                    send.stage = Stage::Lane;
                }
                carrier
            }
        };
        lane.set_busy(next);
        self.lanes.insert(id, lane);
        self.ready.push_back(next);
    }
}

impl AutoBatch {
    /// The same with values that make sense together.
    pub(crate) fn bounded(self, message_bytes_max: usize) -> Self {
        Self {
            bytes_max: self.bytes_max.min(message_bytes_max),
            messages_max: self.messages_max.max(1),
            linger: self.linger.min(LINGER_MAX),
        }
    }
}

/// As Java's `batchMaxDelayMs`.
const LINGER_MAX: Duration = Duration::from_secs(30);
