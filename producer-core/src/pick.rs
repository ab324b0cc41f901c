//! Which queue is next?

use crate::config::{Health, Rotation};
use crate::connection::Connection;
use crate::error::ErrorKind;
use crate::has;
use crate::random::Random;
use crate::reason::Reason;
use crate::route::{Broker, BrokerId, Empty, Known, QueueRef, Topic};
use crate::send::{Order, QueueChoice, Send, broker_bit};
use crate::slab::Slab;
use crate::time::Instant;
use crate::wire::java_hash;

/// What a choice depends on besides the topic.
pub(crate) struct View<'a> {
    pub(crate) brokers: &'a [Broker],
    pub(crate) conns: &'a Slab<Connection>,
    pub(crate) health: &'a Health,
    pub(crate) now: Instant,
    /// Brokers that this send has tried, as bits.
    pub(crate) tried: u64,
    pub(crate) last: Option<BrokerId>,
}

impl View<'_> {
    /// Whether the send has not tried the broker, and nothing speaks against it.
    pub(crate) fn is_well(&self, id: BrokerId) -> bool {
        self.untried(id) && self.usable(id)
    }

    /// A number for the brokers of a route that nothing speaks against: another one whenever they
    /// are others.
    pub(crate) fn usable_mark(&self, known: &Known) -> u64 {
        let usable = known.stretches.iter().filter(|stretch| self.usable(stretch.broker));
        // Numbers from one on: one that cancels the start would make 0, which forgets the others.
        usable.fold(1, |mark: u64, stretch| {
            mark.wrapping_mul(0x0100_0000_01B3) ^ (u64::from(stretch.broker) + 1)
        })
    }

    #[inline]
    fn usable(&self, id: BrokerId) -> bool {
        let broker = &self.brokers[id as usize];
        broker.health.usable(self.health, self.now) && !self.silent(broker)
    }

    /// Whether the broker's connection owes an answer for too long.
    #[inline]
    fn silent(&self, broker: &Broker) -> bool {
        let Health::Adaptive(adaptive) = self.health else { return false };
        if planted!(SilentTrusted) {
            return false;
        }
        let since = self.conns.get(broker.conn).and_then(|conn| conn.silent_since);
        since.is_some_and(|since| since < self.now - adaptive.silence)
    }

    /// Why a send does not go to a broker whose turn it is.
    fn why_passed(&self, id: BrokerId) -> Reason {
        let broker = &self.brokers[id as usize];
        match () {
            () if !self.untried(id) => Reason::Elsewhere,
            () if broker.health.usable(self.health, self.now) => Reason::OtherSilent,
            () => Reason::OtherAvoided,
        }
    }

    #[inline]
    fn untried(&self, id: BrokerId) -> bool {
        (self.tried & broker_bit(id) == 0) != (planted!(FailedPreferred) && self.tried != 0)
    }
}

/// A queue, and why it is this one.
#[derive(Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) queue: QueueRef,
    pub(crate) reason: Reason,
}

fn choice(queue: Option<QueueRef>, reason: Reason) -> Option<Choice> {
    queue.map(|queue| Choice { queue, reason })
}

/// The queue for the next attempt of a send to a topic whose route is known.
#[inline]
pub(crate) fn choose<T>(
    send: &Send<T>,
    topic: &mut Topic,
    rotation: Rotation,
    random: &mut Random,
    view: &View<'_>,
) -> Result<Choice, ErrorKind> {
    // By far the most sends rotate, and a queue is found: the rest is out of their way.
    match &send.queue {
        QueueChoice::Rotate => match rotate(topic, rotation, view) {
            Some(choice) => Ok(choice),
            None => Err(none_at_all(topic)),
        },
        _ => choose_specially(send, topic, random, view),
    }
}

#[inline(never)]
fn choose_specially<T>(
    send: &Send<T>,
    topic: &Topic,
    random: &mut Random,
    view: &View<'_>,
) -> Result<Choice, ErrorKind> {
    let Some(known) = &topic.route else { return Err(ErrorKind::TopicNotFound) };
    if known.queues.is_empty() && !matches!(send.queue, QueueChoice::Key { .. }) {
        return Err(none_at_all(topic));
    }
    let chosen = match &send.queue {
        QueueChoice::Rotate => None,
        QueueChoice::Queue(queue) => {
            let index = known.views.iter().position(|view| view == queue);
            let queue = index.map(|at| known.queues[at]);
            return choice(queue, Reason::Named).ok_or(ErrorKind::QueueNotFound);
        }
        QueueChoice::Hash(hash) => {
            reached!(PickHash);
            choice(by_hash(known, *hash), Reason::Hash)
        }
        QueueChoice::Random => choice(at_random(known, random), Reason::Random),
        QueueChoice::Select(select) => {
            let index = select(&known.views, &send.message);
            let queue = index.and_then(|at| known.queues.get(at)).copied();
            return choice(queue, Reason::Selected).ok_or(ErrorKind::SelectorFailed);
        }
        // The template's queues are not those that the topic will have.
        QueueChoice::Key { order: Order::Strict, .. } if known.provisional => {
            return Err(ErrorKind::TopicNotFound);
        }
        QueueChoice::Key { hash, order: Order::Strict, .. } => {
            let home = home(topic, *hash).or_else(|| by_hash(known, *hash));
            let there = home.filter(|home| known.queues.contains(home));
            reached!(if there.is_some() => PickStrictHome else PickStrictGone);
            let there = there.or_else(|| by_hash(known, *hash).filter(|_| planted!(StrictMoves)));
            choice(there, Reason::Home)
        }
        QueueChoice::Key { hash, order: Order::Available, .. } => home_or_other(topic, *hash, view),
    };
    chosen.ok_or(ErrorKind::NoMaster)
}

/// Why a topic has no queue at all.
#[cold]
fn none_at_all(topic: &Topic) -> ErrorKind {
    match topic.route.as_ref().map(|known| known.empty) {
        Some(Empty::NotWritable) => {
            reached!(PickNotWritable);
            ErrorKind::TopicNotWritable
        }
        Some(Empty::NoMaster) => {
            reached!(PickNoMaster);
            ErrorKind::NoMaster
        }
        None => ErrorKind::TopicNotFound,
    }
}

/// Chooses by rotation; `None` when the topic has no queue.
#[inline]
fn rotate(topic: &mut Topic, rotation: Rotation, view: &View<'_>) -> Option<Choice> {
    match (rotation, view.health) {
        _ if !has::JAVA_WAYS => broker_first(topic, view),
        (Rotation::BrokerFirst, _) => broker_first(topic, view),
        (Rotation::Java, Health::Java(_)) => java_with_faults(topic, view),
        (Rotation::Java, _) => java(topic, view),
    }
}

/// Brokers in turn, then the queues of the chosen one in turn. The first that is usable and
/// untried; else one that is untried, for it may be well again; else one that is usable; else any,
/// the one that has just failed last of all.
#[inline]
fn broker_first(topic: &mut Topic, view: &View<'_>) -> Option<Choice> {
    let known = topic.route.as_mut()?;
    let count = known.stretches.len();
    let turn = topic.broker_turn as usize;
    let first = if turn < count { turn } else { turn.checked_rem(count)? };
    let id = known.stretches[first].broker;
    let mut choice = (first, Reason::Turn);
    if !view.untried(id) || !view.usable(id) {
        choice = second_choice(known, first, view);
    }
    let (chosen, reason) = choice;
    topic.broker_turn = chosen as u32 + u32::from(!planted!(RotationStands));
    let stretch = &mut known.stretches[chosen];
    let len = stretch.len - u32::from(planted!(LastQueueLeftOut));
    let turn = if stretch.turn < len { stretch.turn } else { 0 };
    stretch.turn = turn + 1;
    Some(Choice { queue: known.queues[(stretch.first + turn) as usize], reason })
}

#[cold]
fn second_choice(known: &Known, first: usize, view: &View<'_>) -> (usize, Reason) {
    let count = known.stretches.len();
    let find = |reason: Reason, accept: &dyn Fn(BrokerId) -> bool| {
        let mut places = (first..count).chain(0..first);
        Some((places.find(|&index| accept(known.stretches[index].broker))?, reason))
    };
    let passed = view.why_passed(known.stretches[first].broker);
    reached!(PickAnother);
    find(passed, &|id| view.untried(id) && view.usable(id))
        .or_else(|| {
            reached!(PickUntried);
            find(Reason::Untried, &|id| view.untried(id))
        })
        .or_else(|| {
            reached!(PickTriedAndWell);
            find(Reason::Again, &|id| view.last != Some(id) && view.usable(id))
        })
        .or_else(|| find(Reason::Again, &|id| view.usable(id)))
        .or_else(|| {
            reached!(PickIll);
            find(Reason::LastResort, &|id| view.last != Some(id))
        })
        .unwrap_or((first, Reason::LastResort))
}

/// Java without fault tolerance: the next queue whose broker is not the one that has just failed,
/// else the next (`TopicPublishInfo.selectOneMessageQueue`).
fn java(topic: &mut Topic, view: &View<'_>) -> Option<Choice> {
    reached!(PickJava);
    scan(topic, Reason::Elsewhere, |id| view.last != Some(id))
        .or_else(|| scan(topic, Reason::LastResort, |_| true))
}

/// Java with fault tolerance, 5.1.4 and later: available and not the last, else reachable and not
/// the last, else the next (`MQFaultStrategy.selectOneMessageQueue`).
fn java_with_faults(topic: &mut Topic, view: &View<'_>) -> Option<Choice> {
    reached!(PickJavaFaults);
    let other = |id: BrokerId| view.last != Some(id);
    let broker = |id: BrokerId| &view.brokers[id as usize];
    let passed = match view.last {
        Some(_) => Reason::Elsewhere,
        None => Reason::OtherAvoided,
    };
    let usable = |id| other(id) && broker(id).health.usable(view.health, view.now);
    let last_resort = |choice: Choice| Choice { reason: Reason::LastResort, ..choice };
    scan(topic, passed, usable).or_else(|| {
        reached!(PickJavaReachable);
        let reachable = |id| other(id) && broker(id).health.reachable();
        let second = scan(topic, Reason::LastResort, reachable);
        let any = second.or_else(|| {
            reached!(PickJavaAny);
            scan(topic, Reason::LastResort, |_| true)
        });
        any.map(last_resort)
    })
}

/// Takes queues in turn, at most once round, until one is accepted; `passed` says why if it is not
/// the first.
fn scan(topic: &mut Topic, passed: Reason, accept: impl Fn(BrokerId) -> bool) -> Option<Choice> {
    let known = topic.route.as_ref()?;
    for round in 0..known.queues.len() {
        topic.queue_turn = topic.queue_turn.wrapping_add(1) & 0x7FFF_FFFF;
        let queue = known.queues[topic.queue_turn as usize % known.queues.len()];
        if accept(queue.broker) {
            return choice(Some(queue), if round == 0 { Reason::Turn } else { passed });
        }
    }
    None
}

/// The queue of `SelectMessageQueueByHash` over the queues as they are now.
fn by_hash(known: &Known, hash: i32) -> Option<QueueRef> {
    known.queues.get(java_hash::queue_index(hash, known.queues.len())?).copied()
}

/// Any queue.
fn at_random(known: &Known, random: &mut Random) -> Option<QueueRef> {
    let count = u32::try_from(known.queues.len()).ok().filter(|&count| count > 0)?;
    Some(known.queues[random.below(count) as usize])
}

/// The home queue of an ordering key: the same whatever the route is now.
fn home(topic: &Topic, hash: i32) -> Option<QueueRef> {
    if planted!(KeyRehashed) {
        return None;
    }
    topic.pinned.get(java_hash::queue_index(hash, topic.pinned.len())?).copied()
}

/// The home queue while it can be used, else one of the same key's own choice among those that can.
fn home_or_other(topic: &Topic, hash: i32, view: &View<'_>) -> Option<Choice> {
    let known = topic.route.as_ref()?;
    let home = home(topic, hash).or_else(|| by_hash(known, hash))?;
    // A broker that has just refused a queue surely has the first one.
    let refused = view.last.filter(|&id| view.is_well(id));
    if let Some(queue) = refused.and_then(|id| known.first_of_few(id)) {
        return choice(Some(queue), Reason::Moved);
    }
    let good = |queue: &QueueRef| {
        view.untried(queue.broker) && view.usable(queue.broker) && known.offers(*queue)
    };
    if good(&home) {
        reached!(PickHome);
        return choice(Some(home), Reason::Home);
    }
    reached!(PickAway);
    choice(by_hash_among(known, hash, good), Reason::Moved).or_else(|| {
        reached!(PickNoneGood);
        match known.offers(home) {
            true => choice(Some(home), Reason::NoBetter),
            false => {
                choice(by_hash_among(known, hash, |queue| known.offers(*queue)), Reason::Moved)
            }
        }
    })
}

/// The queue of a hash among those that are accepted.
fn by_hash_among(known: &Known, hash: i32, accept: impl Fn(&QueueRef) -> bool) -> Option<QueueRef> {
    let count = known.queues.iter().filter(|queue| accept(queue)).count();
    let index = java_hash::queue_index(hash, count)?;
    known.queues.iter().filter(|queue| accept(queue)).nth(index).copied()
}
