//! Where can a topic be sent to? Topics, queues and brokers by number.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use core::hash::BuildHasher;
use core::time::Duration;

use crate::groups::GroupId;
use crate::health::Record;
use crate::lookup::Lookup;
use crate::names::{Address, TopicName};
use crate::peers::Rest;
use crate::send_frame::Templates;
use crate::slab::Key;
use crate::time::Instant;
use crate::waiters::Waiters;
use crate::wire::WireError;
use crate::wire::perm;
use crate::wire::route::{PublishInfo, TopicRouteData};

/// Hashing with a seed of the producer's own: deterministic, and not guessable from outside.
#[cfg(feature = "fast-hash")]
pub(crate) type Hasher = foldhash::fast::FixedState;
#[cfg(not(feature = "fast-hash"))]
pub(crate) type Hasher = crate::small_hash::Seed;
/// Values by key.
#[cfg(feature = "fast-hash")]
pub(crate) type Map<K, V> = hashbrown::HashMap<K, V, Hasher>;
#[cfg(not(feature = "fast-hash"))]
pub(crate) type Map<K, V> = crate::small_map::Map<K, V>;

pub(crate) type TopicId = u32;
pub(crate) type BrokerId = u32;

/// A queue of a route, as an application sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Queue {
    /// Name of its broker.
    pub broker: Arc<str>,
    /// Its number at that broker.
    pub id: u32,
}

impl Queue {
    /// The queue with this number at this broker.
    pub fn new(broker: &str, id: u32) -> Self {
        Self { broker: Arc::from(broker), id }
    }
}

/// A topic's route, as an application sees it: every queue that can be written, in Java's order
/// (by broker name, then by number).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The topic.
    pub topic: TopicName,
    /// Queues that can be written.
    pub queues: Vec<Queue>,
    /// Whether the queues come from the topic's order configuration (`orderTopicConf`).
    pub ordered: bool,
    /// Brokers with the address that the route names and the one that is dialled.
    pub brokers: Vec<RouteBroker>,
}

/// A broker of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteBroker {
    /// Its name.
    pub name: Arc<str>,
    /// The master's address as the route names it.
    pub advertised: Option<Address>,
    /// The address that is dialled for it.
    pub dialled: Option<Address>,
}

/// A broker name and what we know of its master.
pub(crate) struct Broker {
    pub(crate) name: Arc<str>,
    pub(crate) advertised: Option<Address>,
    pub(crate) dialled: Option<Address>,
    pub(crate) conn: Key,
    pub(crate) rest: Rest,
    pub(crate) health: Record,
    /// The part of every frame that is the same for this broker.
    pub(crate) frame_part: Vec<u8>,
}

/// A queue by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueRef {
    pub(crate) broker: BrokerId,
    pub(crate) id: u32,
}

/// The queues of one broker within a topic: a stretch of [`Known::queues`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) broker: BrokerId,
    pub(crate) first: u32,
    /// How many take turns: all, less those from the first on that the broker said it does not have.
    pub(crate) len: u32,
    all: u32,
    /// Which of them is next.
    pub(crate) turn: u32,
}

/// A route as installed.
pub(crate) struct Known {
    pub(crate) queues: Vec<QueueRef>,
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) views: Arc<[Queue]>,
    pub(crate) ordered: bool,
    /// Why there is no queue, if there is none.
    pub(crate) empty: Empty,
    /// What it was made from, to see whether the next one differs.
    data: TopicRouteData,
    /// Of the bytes that this was read from; 0 if it is not what they say.
    hash: u64,
    pub(crate) provisional: bool,
}

/// Why a route has no queue to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Empty {
    NotWritable,
    NoMaster,
}

/// What we know about a topic.
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    /// Its name inside the namespace.
    pub(crate) wire: TopicName,
    pub(crate) route: Option<Known>,
    /// No name server knew it: until then, nobody is asked again.
    pub(crate) absent_until: Option<Instant>,
    pub(crate) waiters: Waiters,
    pub(crate) lookup: Option<Lookup>,
    /// When the last lookup began.
    pub(crate) asked: Option<Instant>,
    pub(crate) failed_lookups: u32,
    /// The route has lost brokers, which may come back: it is asked for after this pause, which
    /// doubles until it is that of the poll.
    pub(crate) recheck: Option<Duration>,
    /// Why the last lookup failed.
    pub(crate) problem: Option<crate::error::ErrorKind>,
    /// A broker said that it has no such topic: the name servers may now say so too.
    pub(crate) refused_as_absent: bool,
    /// Queues among which ordering keys are spread; they stay as first seen.
    pub(crate) pinned: Vec<QueueRef>,
    /// The brokers that the last send of an `Available` lane could choose from.
    pub(crate) usable_mark: u64,
    /// Rotation over brokers, and over all queues.
    pub(crate) broker_turn: u32,
    pub(crate) queue_turn: u32,
    /// The part of every frame that is the same for this topic.
    pub(crate) frame_head: Vec<u8>,
    /// The same for further groups, by their number less one; empty until one is used.
    pub(crate) more_heads: Vec<Vec<u8>>,
}

/// Topics and brokers by name and by number. A number, once given, is kept.
pub(crate) struct Routes {
    hasher: Hasher,
    topic_ids: Map<TopicName, TopicId>,
    /// The topic that was asked for last: mostly the next one too, which then needs no hashing.
    last_topic: TopicId,
    broker_ids: Map<Arc<str>, BrokerId>,
    pub(crate) topics: Vec<Topic>,
    pub(crate) brokers: Vec<Broker>,
    /// Whether one of them may be out of the ordinary.
    pub(crate) suspects: bool,
}

/// What the installation of a route changed.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    /// The queues are not the ones they were.
    pub(crate) queues_changed: bool,
    /// Some had been withdrawn, and take their turn again.
    pub(crate) restored: bool,
    /// Brokers whose address is another than before.
    pub(crate) moved: Vec<BrokerId>,
}

impl Topic {
    /// What all frames of this topic share that are sent on behalf of a group.
    #[inline]
    pub(crate) fn head(&self, group: GroupId) -> &[u8] {
        match group.0 {
            0 => &self.frame_head,
            further => &self.more_heads[usize::from(further) - 1],
        }
    }
}

impl Routes {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = Hasher::with_seed(seed);
        Self {
            topic_ids: Map::with_hasher(hasher.clone()),
            last_topic: 0,
            broker_ids: Map::with_hasher(hasher.clone()),
            hasher,
            topics: Vec::new(),
            brokers: Vec::new(),
            suspects: false,
        }
    }

    #[inline]
    pub(crate) fn topic_id(&mut self, name: &TopicName) -> Option<TopicId> {
        if self.topics.get(self.last_topic as usize).is_none_or(|last| last.name != *name) {
            self.last_topic = *self.topic_ids.get(name)?;
        }
        Some(self.last_topic)
    }

    pub(crate) fn broker_id(&self, name: &str) -> Option<BrokerId> {
        self.broker_ids.get(name).copied()
    }

    pub(crate) fn add_topic(&mut self, topic: Topic) -> TopicId {
        let id = self.topics.len() as TopicId;
        self.topic_ids.insert(topic.name.clone(), id);
        self.topics.push(topic);
        id
    }

    pub(crate) fn topic(&self, id: TopicId) -> &Topic {
        &self.topics[id as usize]
    }

    pub(crate) fn topic_mut(&mut self, id: TopicId) -> &mut Topic {
        &mut self.topics[id as usize]
    }

    pub(crate) fn broker(&self, id: BrokerId) -> &Broker {
        &self.brokers[id as usize]
    }

    pub(crate) fn broker_mut(&mut self, id: BrokerId) -> &mut Broker {
        &mut self.brokers[id as usize]
    }

    fn intern_broker(&mut self, name: &str, templates: &Templates) -> BrokerId {
        if let Some(id) = self.broker_id(name) {
            return id;
        }
        let id = self.brokers.len() as BrokerId;
        let name: Arc<str> = Arc::from(name);
        let frame_part = templates.broker_part(&name);
        self.broker_ids.insert(name.clone(), id);
        self.brokers.push(Broker {
            name,
            advertised: None,
            dialled: None,
            conn: Key::NONE,
            rest: Rest::default(),
            health: Record::new(),
            frame_part,
        });
        id
    }

    /// A route by its bytes. Name servers mostly say again what they have said, and copying that
    /// costs a fifth of reading it.
    pub(crate) fn read(&self, id: TopicId, body: &[u8]) -> Result<TopicRouteData, WireError> {
        let hash = self.hasher.hash_one(body);
        match &self.topic(id).route {
            Some(known) if known.hash == hash && !known.provisional => Ok(known.data.clone()),
            _ => TopicRouteData::decode(body),
        }
    }

    /// Notes that a topic's route was read from these bytes.
    pub(crate) fn was_read(&mut self, id: TopicId, body: &[u8]) {
        let hash = self.hasher.hash_one(body);
        if let Some(known) = self.topic_mut(id).route.as_mut() {
            known.hash = hash;
        }
    }

    /// Installs a route. `dial` maps an advertised address to the one to dial; `provisional` marks
    /// the route of another topic that stands in for one that does not exist yet.
    pub(crate) fn install(
        &mut self,
        id: TopicId,
        data: TopicRouteData,
        provisional: bool,
        templates: &Templates,
        dial: impl Fn(&Address) -> Address,
    ) -> Result<Installed, String> {
        let same = |known: &Known| {
            (known.data == data || planted!(QueueCountKept) && known.data.brokers == data.brokers)
                && known.provisional == provisional
        };
        if self.topic(id).route.as_ref().is_some_and(same) {
            let topic = self.topic_mut(id);
            topic.refused_as_absent = false;
            let restored = topic.route.as_mut().is_some_and(Known::offer_all);
            // Another topic's route may have named other addresses since.
            let moved = self.move_brokers(&data, templates, dial);
            return Ok(Installed { queues_changed: false, restored, moved });
        }
        let publish = data.publish_queues().map_err(|error| error.to_string())?;
        let mut known = self.known(&publish, templates);
        let writable = data.queues.iter().any(|queue| perm::is_writable(queue.perm));
        known.empty = if writable { Empty::NoMaster } else { Empty::NotWritable };
        known.provisional = provisional;
        let moved = self.move_brokers(&data, templates, dial);
        known.data = data;
        let topic = self.topic_mut(id);
        let before = topic.route.as_mut();
        let queues_changed = before.as_ref().is_none_or(|before| before.queues != known.queues);
        let restored = before.is_some_and(Known::offer_all);
        if topic.pinned.is_empty() && !provisional {
            topic.pinned.clone_from(&known.queues);
        }
        topic.route = Some(known);
        topic.absent_until = None;
        topic.refused_as_absent = false;
        Ok(Installed { queues_changed, restored, moved })
    }

    /// Notes where the route says that brokers are; returns those that were elsewhere.
    pub(crate) fn move_brokers(
        &mut self,
        data: &TopicRouteData,
        templates: &Templates,
        dial: impl Fn(&Address) -> Address,
    ) -> Vec<BrokerId> {
        let mut moved = Vec::new();
        for broker in &data.brokers {
            // An address that is none is as good as no master, and no reason to refuse the others.
            let master = broker.master().and_then(|master| Address::new(master).ok());
            let broker_id = self.intern_broker(&broker.broker_name, templates);
            let broker = self.broker_mut(broker_id);
            if broker.advertised != master
                && !(planted!(OldAddressKept) && broker.advertised.is_some())
            {
                broker.dialled = master.as_ref().map(&dial);
                broker.advertised = master;
                moved.push(broker_id);
            }
        }
        moved
    }

    fn known(&mut self, publish: &PublishInfo<'_>, templates: &Templates) -> Known {
        let mut queues = Vec::with_capacity(publish.queues.len());
        let mut views = Vec::with_capacity(publish.queues.len());
        let mut stretches: Vec<Stretch> = Vec::new();
        for queue in &publish.queues {
            let Ok(id) = u32::try_from(queue.queue_id) else { continue };
            // A static topic's queue has a made-up broker; `host` is the one that keeps it now.
            let broker = self.intern_broker(queue.host.unwrap_or(&queue.broker_name), templates);
            views.push(Queue { broker: self.broker(broker).name.clone(), id });
            match stretches.last_mut() {
                Some(last) if last.broker == broker => {
                    last.len += 1;
                    last.all += 1;
                }
                _ => {
                    let first = queues.len() as u32;
                    stretches.push(Stretch { broker, first, len: 1, all: 1, turn: 0 });
                }
            }
            queues.push(QueueRef { broker, id });
        }
        Known {
            queues,
            stretches,
            views: views.into(),
            ordered: publish.order_topic,
            empty: Empty::NotWritable,
            data: TopicRouteData::default(),
            hash: 0,
            provisional: false,
        }
    }
}

impl Known {
    /// Whether a queue is in the route and its broker has not said otherwise since.
    pub(crate) fn offers(&self, queue: QueueRef) -> bool {
        self.stretches.iter().filter(|stretch| stretch.broker == queue.broker).any(|stretch| {
            let (first, len) = (stretch.first as usize, stretch.len as usize);
            self.queues[first..first + len].contains(&queue)
        })
    }

    /// The first queue of a broker that has withdrawn some.
    pub(crate) fn first_of_few(&self, broker: BrokerId) -> Option<QueueRef> {
        let mut short = self.stretches.iter().filter(|stretch| stretch.len < stretch.all);
        let stretch = short.find(|stretch| stretch.broker == broker)?;
        self.queues.get(stretch.first as usize).copied()
    }

    /// The broker says that it has no such queue: neither this one nor those after it take turns
    /// until the next route. Returns its stretch, or `None` if no other queue is left there.
    fn withdraw(&mut self, queue: QueueRef) -> Option<usize> {
        let at = self.stretches.iter().position(|stretch| stretch.broker == queue.broker)?;
        let stretch = &mut self.stretches[at];
        let first = stretch.first as usize;
        let place = self.queues[first..].iter().position(|other| *other == queue)? as u32;
        if (1..stretch.len).contains(&place) {
            stretch.len = place;
            stretch.turn = 0;
        }
        (place > 0).then_some(at)
    }

    /// Every queue takes its turn again; whether some did not.
    fn offer_all(&mut self) -> bool {
        let short = self.stretches.iter_mut().filter(|stretch| stretch.len < stretch.all);
        short.map(|stretch| stretch.len = stretch.all).count() > 0
    }
}

impl Topic {
    /// A broker says that it has no such queue. If it has others, its turn is next; whether it has.
    pub(crate) fn withdraw(&mut self, queue: QueueRef) -> bool {
        let at = self.route.as_mut().and_then(|known| known.withdraw(queue));
        self.broker_turn = at.map_or(self.broker_turn, |at| at as u32);
        at.is_some()
    }

    pub(crate) fn new(
        name: TopicName,
        wire: TopicName,
        frame_head: Vec<u8>,
        broker_turn: u32,
    ) -> Self {
        Self {
            name,
            wire,
            route: None,
            absent_until: None,
            waiters: Waiters::default(),
            lookup: None,
            asked: None,
            failed_lookups: 0,
            recheck: None,
            problem: None,
            refused_as_absent: false,
            pinned: Vec::new(),
            usable_mark: 0,
            broker_turn,
            queue_turn: broker_turn,
            frame_head,
            more_heads: Vec::new(),
        }
    }
}
