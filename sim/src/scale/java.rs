//! A producer by Java's rules (5.4.0, default settings): what of them loads servers.
//!
//! Spec §4.5 to §4.8, §8.3, §8.5. One scheduler thread polls the routes of all topics one after the
//! other, every 30 s from the start on, and sends heartbeats to all known brokers, connected or not,
//! one after the other, every 30 s from the first second on; sends run beside it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::Size;
use super::world::{Ask, Client, Kind, Nanos, QUEUES, Route, SECOND, Seen, Want, mixed};

const EVERY: Nanos = 30 * SECOND;
const FIRST_POLL: Nanos = SECOND / 100;
const FIRST_BEAT: Nanos = SECOND;
/// `mqClientApiTimeout`, `sendMsgTimeout`.
const TIMEOUT: Nanos = 3 * SECOND;
const ATTEMPTS: u32 = 3;

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Poll {
        topic: usize,
    },
    Beat,
    /// A broker was connected (5.2 and later).
    Greeting,
    Find(Send),
    /// The route of TBW102, for a topic that is not there.
    FindDefault,
    Send(Send),
}

/// A message under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Send {
    topic: usize,
    attempts: u32,
    last: Option<usize>,
}

/// What the scheduler thread has yet to do.
enum Job {
    Poll(VecDeque<usize>),
    Beat(VecDeque<usize>),
}

struct Link {
    node: usize,
    open: bool,
    waiters: Vec<(Kind, Purpose)>,
    pending: BTreeMap<i32, Purpose>,
}

/// One client instance with one producer.
pub(super) struct Java {
    size: Size,
    number: usize,
    routes: Vec<Option<Rc<Route>>>,
    /// Topics that were sent to, in order.
    used: BTreeSet<usize>,
    brokers: BTreeSet<usize>,
    links: BTreeMap<u64, Link>,
    by_node: BTreeMap<usize, u64>,
    next_link: u64,
    opaque: i32,
    /// The name server in use; turns of the choice.
    server: Option<usize>,
    turn: usize,
    poll_at: Nanos,
    beat_at: Nanos,
    jobs: VecDeque<Job>,
    sends: usize,
    queue: usize,
    /// Deadlines in their order, for all are as long.
    deadlines: VecDeque<(Nanos, u64, i32)>,
}

impl Java {
    pub(super) fn new(size: Size, number: usize) -> Self {
        Self {
            size,
            number,
            routes: vec![None; size.topics],
            used: BTreeSet::new(),
            brokers: BTreeSet::new(),
            links: BTreeMap::new(),
            by_node: BTreeMap::new(),
            next_link: 0,
            opaque: 0,
            server: None,
            turn: mixed(number as u64) as usize % 999,
            poll_at: 0,
            beat_at: 0,
            jobs: VecDeque::new(),
            sends: 0,
            queue: mixed(number as u64 + 3) as usize % 1_000,
            deadlines: VecDeque::new(),
        }
    }

    /// Asks a node, dialling it if need be.
    fn call(&mut self, now: Nanos, node: usize, what: (Kind, Purpose), wants: &mut Vec<Want>) {
        let link = match self.by_node.get(&node) {
            Some(&link) => link,
            None => {
                let link = self.next_link;
                self.next_link += 1;
                self.by_node.insert(node, link);
                let new = Link { node, open: false, waiters: Vec::new(), pending: BTreeMap::new() };
                self.links.insert(link, new);
                wants.push(Want::Dial { link, node });
                link
            }
        };
        self.ask(now, link, what, wants);
    }

    fn ask(&mut self, now: Nanos, link: u64, what: (Kind, Purpose), wants: &mut Vec<Want>) {
        let Some(found) = self.links.get_mut(&link) else { return };
        if !found.open {
            return found.waiters.push(what);
        }
        let (kind, purpose) = what;
        self.opaque += 1;
        found.pending.insert(self.opaque, purpose);
        self.deadlines.push_back((now + TIMEOUT, link, self.opaque));
        wants.push(Want::Ask { link, ask: Ask { kind, opaque: self.opaque } });
    }

    /// Asks the name server that is in use; if its connection is gone, the next one.
    fn call_server(&mut self, now: Nanos, purpose: Purpose, wants: &mut Vec<Want>) {
        let in_use = self.server.filter(|node| self.by_node.contains_key(node));
        let node = in_use.unwrap_or_else(|| {
            self.turn += 1;
            // Each client has shuffled the list.
            (self.turn + self.number) % self.size.name_servers
        });
        self.server = Some(node);
        self.call(now, node, (Kind::Route, purpose), wants);
    }

    /// What the scheduler thread does next, if it waits for nothing.
    fn go_on(&mut self, now: Nanos, wants: &mut Vec<Want>) {
        loop {
            let next = match self.jobs.front_mut() {
                None => return,
                Some(Job::Poll(topics)) => topics.pop_front().map(|topic| (true, topic)),
                Some(Job::Beat(brokers)) => brokers.pop_front().map(|broker| (false, broker)),
            };
            match next {
                None => drop(self.jobs.pop_front()),
                Some((true, topic)) => {
                    return self.call_server(now, Purpose::Poll { topic }, wants);
                }
                Some((false, broker)) => {
                    let node = self.size.name_servers + broker;
                    return self.call(now, node, (Kind::Heartbeat, Purpose::Beat), wants);
                }
            }
        }
    }

    fn begin(&mut self, now: Nanos, job: Job, wants: &mut Vec<Want>) {
        self.jobs.push_back(job);
        if self.jobs.len() == 1 {
            self.go_on(now, wants);
        }
    }

    fn tick(&mut self, now: Nanos, wants: &mut Vec<Want>) {
        while let Some(&(at, link, opaque)) = self.deadlines.front() {
            if at > now {
                break;
            }
            self.deadlines.pop_front();
            let overdue = self.links.get(&link).is_some_and(|l| l.pending.contains_key(&opaque));
            if overdue {
                // `closeSocketIfTimeout`: with it ends all that is under way there.
                wants.push(Want::Close { link });
                self.ended(now, link, wants);
            }
        }
        if now >= self.poll_at {
            self.poll_at += EVERY;
            let job = Job::Poll(self.used.iter().copied().collect());
            self.begin(now, job, wants);
        }
        if now >= self.beat_at {
            self.beat_at += EVERY;
            let routes = self.routes.iter().flatten();
            let known: BTreeSet<usize> = routes.flat_map(|r| r.brokers.clone()).collect();
            self.brokers.retain(|broker| known.contains(broker));
            let job = Job::Beat(self.brokers.iter().copied().collect());
            self.begin(now, job, wants);
        }
        let deadline = self.deadlines.front().map_or(Nanos::MAX, |(at, ..)| *at);
        wants.push(Want::Wake { at: self.poll_at.min(self.beat_at).min(deadline) });
    }

    /// Another attempt, on a broker that is not the one that has just failed.
    fn attempt(&mut self, now: Nanos, send: Send, wants: &mut Vec<Want>) {
        let Some(route) = self.routes[send.topic].clone() else {
            return self.call_server(now, Purpose::Find(send), wants);
        };
        if send.attempts == ATTEMPTS {
            return wants.push(Want::Sent { stored: false });
        }
        let queues = route.brokers.len() * QUEUES;
        let mut broker = 0;
        for _ in 0..queues {
            self.queue += 1;
            broker = route.brokers[self.queue % queues / QUEUES];
            if Some(broker) != send.last {
                break;
            }
        }
        let queue = (self.queue % QUEUES) as i32;
        let send = Send { attempts: send.attempts + 1, last: Some(broker), ..send };
        let what = (Kind::Send { queue }, Purpose::Send(send));
        self.call(now, self.size.name_servers + broker, what, wants);
    }

    fn install(&mut self, topic: usize, route: Option<Rc<Route>>) {
        // A topic that is gone keeps its route.
        if let Some(route) = route {
            self.brokers.extend(&route.brokers);
            self.routes[topic] = Some(route);
        }
    }

    fn answered(
        &mut self,
        now: Nanos,
        purpose: Purpose,
        route: Option<Rc<Route>>,
        wants: &mut Vec<Want>,
    ) {
        match purpose {
            Purpose::Poll { topic } => {
                self.install(topic, route);
                self.go_on(now, wants);
            }
            Purpose::Beat => self.go_on(now, wants),
            Purpose::Greeting => {}
            Purpose::Find(send) => {
                self.install(send.topic, route);
                match self.routes[send.topic].is_some() {
                    true => self.attempt(now, send, wants),
                    false => self.call_server(now, Purpose::FindDefault, wants),
                }
            }
            Purpose::FindDefault => wants.push(Want::Sent { stored: false }),
            Purpose::Send(_) => wants.push(Want::Sent { stored: true }),
        }
    }

    fn failed(&mut self, now: Nanos, purpose: Purpose, wants: &mut Vec<Want>) {
        match purpose {
            // The rest of the round is left out.
            Purpose::Poll { .. } => {
                self.jobs.pop_front();
                self.go_on(now, wants);
            }
            Purpose::Beat => self.go_on(now, wants),
            Purpose::Greeting => {}
            Purpose::Find(_) | Purpose::FindDefault => wants.push(Want::Sent { stored: false }),
            Purpose::Send(send) => self.attempt(now, send, wants),
        }
    }

    fn ended(&mut self, now: Nanos, link: u64, wants: &mut Vec<Want>) {
        let Some(gone) = self.links.remove(&link) else { return };
        self.by_node.remove(&gone.node);
        let waiters = gone.waiters.into_iter().map(|(_, purpose)| purpose);
        for purpose in gone.pending.into_values().chain(waiters) {
            self.failed(now, purpose, wants);
        }
    }

    fn connected(&mut self, now: Nanos, link: u64, wants: &mut Vec<Want>) {
        let Some(found) = self.links.get_mut(&link) else { return };
        found.open = true;
        let node = found.node;
        let waiters = std::mem::take(&mut found.waiters);
        if node >= self.size.name_servers {
            self.ask(now, link, (Kind::Heartbeat, Purpose::Greeting), wants);
        }
        for what in waiters {
            self.ask(now, link, what, wants);
        }
    }
}

impl Client for Java {
    fn restart(&mut self, now: Nanos) {
        let (poll_at, beat_at) = (now + FIRST_POLL, now + FIRST_BEAT);
        *self = Self { poll_at, beat_at, ..Self::new(self.size, self.number) };
    }

    fn handle(&mut self, now: Nanos, seen: Seen, wants: &mut Vec<Want>) {
        match seen {
            Seen::Wake => {}
            Seen::Send => {
                let topic = self.sends % self.size.topics;
                self.sends += 1;
                self.used.insert(topic);
                self.attempt(now, Send { topic, attempts: 0, last: None }, wants);
            }
            Seen::Connected { link } => self.connected(now, link, wants),
            Seen::Ended { link, .. } => self.ended(now, link, wants),
            Seen::Answer { link, ask, route } => {
                let found = self.links.get_mut(&link);
                if let Some(purpose) = found.and_then(|link| link.pending.remove(&ask.opaque)) {
                    self.answered(now, purpose, route, wants);
                }
            }
        }
        self.tick(now, wants);
    }
}
