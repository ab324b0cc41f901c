//! How is a topic's route found when some name servers are dead, slow or empty?
//!
//! One lookup a topic at a time, whoever waits. The current name server is asked first; another one
//! as soon as it fails, says that there is no such topic, or takes longer than the hedge. The first
//! route wins. "No such topic" is believed when every name server that answers says so, and it
//! never takes away a route that works.

use alloc::string::{String, ToString};

use crate::connection_end::ConnectionEnd;
use crate::error::ErrorKind;
use crate::in_flight::Purpose;
use crate::producer::Producer;
use crate::route::{Topic, TopicId};
use crate::send::Stage;
use crate::slab::Key;
use crate::time::Instant;
use crate::wire::name_server::RouteRequest;
use crate::wire::{Text, code};

/// A lookup under way.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// Tells late answers of an earlier lookup from this one's.
    pub(crate) number: u32,
    /// Whether the route of the default topic is looked up in place of one that does not exist.
    pub(crate) provisional: bool,
    /// Name servers asked, as bits.
    asked: u64,
    /// Answers still expected.
    open: u32,
    /// How many said that there is no such topic.
    absent: u32,
    hedge_at: Instant,
    problem: Option<ErrorKind>,
}

/// Most name servers that are asked; more may be configured.
const SERVERS_MAX: usize = 64;

impl<T> Producer<T> {
    /// Puts a send among those that wait for its topic's route.
    pub(crate) fn wait_for_route(&mut self, key: Key) {
        let Some(send) = self.sends.get_mut(key) else { return };
        send.stage = Stage::Route;
        let (topic, deadline) = (send.topic, send.deadline);
        self.set_due(key, if planted!(LookupOutsideBudget) { Instant::FAR } else { deadline });
        self.routes.topic_mut(topic).waiters.push(key, &self.sends);
        let soon = self.suspects.iter().any(|&(suspect, _)| suspect == topic);
        if soon {
            reached!(LookupShared);
        } else {
            self.look_up(topic);
        }
    }

    /// Begins a lookup unless one is under way.
    pub(crate) fn look_up(&mut self, id: TopicId) {
        if self.routes.topic(id).lookup.is_none() {
            self.begin_lookup(id, false);
        }
    }

    /// Something says that the route is out of date. Asks at once if the last lookup is long ago,
    /// else as soon as the rate allows.
    pub(crate) fn suspect_route(&mut self, id: TopicId) {
        if !self.asks_on_evidence() {
            return;
        }
        let not_before = self
            .routes
            .topic(id)
            .asked
            .map_or(Instant::ZERO, |asked| asked + self.config.route_refresh_min);
        if self.routes.topic(id).lookup.is_some() {
            return;
        }
        if self.now >= not_before {
            reached!(SuspectNow);
            self.begin_lookup(id, false);
        } else if !self.suspects.iter().any(|&(suspect, _)| suspect == id) {
            reached!(SuspectLater);
            self.suspects.push((id, not_before));
            self.wake_by(not_before);
        }
    }

    /// Whether a route is ever asked for before the poll.
    pub(crate) fn asks_on_evidence(&self) -> bool {
        self.config.route_refresh_min < self.config.route_poll
    }

    fn begin_lookup(&mut self, id: TopicId, provisional: bool) {
        if self.name_servers.is_empty() {
            if !self.waits_for_name_server(id) {
                self.lookup_ended(id, Err(ErrorKind::NoNameServer));
            }
            return;
        }
        reached!(LookupBegins);
        self.lookup_number = self.lookup_number.wrapping_add(1);
        let now = self.now;
        let topic = self.routes.topic_mut(id);
        topic.asked = Some(now);
        topic.lookup = Some(Lookup {
            number: self.lookup_number,
            provisional,
            asked: 0,
            open: 0,
            absent: 0,
            hedge_at: Instant::FAR,
            problem: None,
        });
        if !self.lookups.contains(&id) {
            self.lookups.push(id);
        }
        self.ask_next(id);
    }

    /// Asks the next name server that was not asked; ends the lookup when there is none and no
    /// answer is expected.
    fn ask_next(&mut self, id: TopicId) {
        let most = if planted!(OneServerAsked) { 1 } else { SERVERS_MAX };
        let count = self.name_servers.len().min(most);
        let current = self.current_server;
        let Some(lookup) = self.routes.topic(id).lookup.as_ref() else { return };
        let next =
            (0..count).map(|n| (current + n) % count).find(|&n| lookup.asked & (1 << n) == 0);
        match next {
            Some(server) => self.ask_server(id, server),
            None if lookup.open == 0 => {
                reached!(LookupNobodyLeft);
                self.conclude(id);
            }
            None => reached!(LookupOthersOpen),
        }
    }

    fn ask_server(&mut self, id: TopicId, server: usize) {
        let conn = self.server_connection(server);
        let hedge_at = self.config.name_server_hedge.map_or(Instant::FAR, |hedge| self.now + hedge);
        let topic = self.routes.topic_mut(id);
        let Some(lookup) = topic.lookup.as_mut() else { return };
        lookup.asked |= 1 << server;
        let Some(conn) = conn else {
            reached!(ServerRests);
            let resting = &self.name_servers[server];
            let unknown = || ConnectionEnd::Other("cannot be reached".into());
            let end = resting.failed.clone().unwrap_or_else(unknown);
            lookup.problem.get_or_insert_with(|| ErrorKind::no_name_server(&resting.address, &end));
            return self.ask_next(id);
        };
        let topic = self.routes.topic_mut(id);
        let Some(lookup) = topic.lookup.as_mut() else { return };
        lookup.open += 1;
        lookup.hedge_at = hedge_at;
        let name = match lookup.provisional {
            true => self.default_topic.clone(),
            false => topic.wire.as_str().to_string(),
        };
        let purpose = Purpose::Route { topic: id, lookup: lookup.number, server: server as u32 };
        let request = RouteRequest { topic: name, accept_standard_json_only: Some(true) };
        self.stats.route_requests += 1;
        self.wake_by(hedge_at);
        let fields = request.to_ext();
        self.put_request(conn, code::request::GET_ROUTEINFO_BY_TOPIC, fields, &[], purpose);
    }

    /// The lookup that a report belongs to, if it is still under way.
    fn open_lookup(&mut self, id: TopicId, number: u32) -> Option<&mut Lookup> {
        let lookup = self.routes.topics.get_mut(id as usize)?.lookup.as_mut()?;
        if lookup.number == number {
            return Some(lookup);
        }
        reached!(LookupStale);
        None
    }

    /// A name server answered.
    pub(crate) fn route_answered(
        &mut self,
        (id, number, server): (TopicId, u32, u32),
        code: i32,
        remark: Option<Text<'_>>,
        body: &[u8],
    ) {
        let Some(lookup) = self.open_lookup(id, number) else { return };
        lookup.open -= 1;
        let provisional = lookup.provisional;
        match code {
            code::response::SUCCESS => match self.install(id, provisional, body) {
                Ok(()) => {
                    reached!(LookupFound);
                    self.current_server = server as usize;
                    self.lookup_ended(id, Ok(()));
                    return;
                }
                Err(problem) => self.note(id, ErrorKind::BadRoute { problem }),
            },
            code::response::TOPIC_NOT_EXIST => {
                reached!(LookupAbsent);
                if let Some(lookup) = self.open_lookup(id, number) {
                    lookup.asked |= if planted!(OneServerBelieved) { u64::MAX } else { 0 };
                    lookup.absent += 1;
                }
            }
            code => {
                let remark = remark.map_or_else(String::new, |text| text.to_cow().into_owned());
                self.note(id, ErrorKind::NameServerRefused { code, remark });
            }
        }
        self.ask_next(id);
    }

    /// A name server cannot be reached, or did not answer in time.
    pub(crate) fn route_failed(
        &mut self,
        id: TopicId,
        number: u32,
        server: u32,
        end: &ConnectionEnd,
    ) {
        let Some(lookup) = self.open_lookup(id, number) else { return };
        lookup.open -= 1;
        reached!(ServerFailed);
        if let Some(server) = self.name_servers.get_mut(server as usize) {
            server.failed = Some(end.clone());
            let problem = ErrorKind::no_name_server(&server.address, end);
            self.note(id, problem);
        }
        if self.current_server == server as usize {
            reached!(ServerChanged);
            self.current_server = (self.current_server + 1) % self.name_servers.len().max(1);
        }
        self.ask_next(id);
    }

    fn note(&mut self, id: TopicId, problem: ErrorKind) {
        if let Some(lookup) = self.routes.topic_mut(id).lookup.as_mut() {
            lookup.problem = Some(problem);
        }
    }

    fn install(&mut self, id: TopicId, provisional: bool, body: &[u8]) -> Result<(), String> {
        let mut data = self.routes.read(id, body).map_err(|error| error.to_string())?;
        if provisional {
            let most = self.config.default_topic_queues as i32;
            for queue in &mut data.queues {
                let count = queue.read_queue_nums.min(most);
                queue.read_queue_nums = count;
                queue.write_queue_nums = count;
            }
        }
        let before = self.brokers_of(id);
        let own = !provisional || !self.works(id) || self.has_nothing_better(id);
        let config = &self.config;
        let dial = |advertised: &_| config.dialled_for_sends(advertised);
        if !own {
            // The topic's queues are known, but nobody names their brokers' addresses any more.
            for broker in self.routes.move_brokers(&data, &self.templates, dial) {
                self.broker_moved(broker);
            }
            return Ok(());
        }
        let installed = self.routes.install(id, data, provisional, &self.templates, dial)?;
        self.routes.was_read(id, body);
        if installed.queues_changed {
            reached!(RouteChanged);
            self.stats.route_changes += 1;
            self.tell_of_route(id);
        }
        self.epoch += u64::from(installed.queues_changed || installed.restored);
        for broker in installed.moved {
            self.broker_moved(broker);
        }
        if self.stays_connected {
            self.wake_by(self.now);
        }
        let after = self.brokers_of(id);
        if after > before || self.config.backoff.first.is_zero() {
            self.routes.topic_mut(id).recheck = None;
        } else if after < before {
            reached!(RouteLostBrokers);
            self.routes.topic_mut(id).recheck = Some(self.config.route_refresh_min);
        }
        Ok(())
    }

    fn brokers_of(&self, id: TopicId) -> usize {
        self.routes.topic(id).route.as_ref().map_or(0, |known| known.stretches.len())
    }

    /// A broker that has left the route is often restarted: asks again sooner than the poll would.
    fn recheck(&mut self, id: TopicId) {
        if self.suspects.iter().any(|&(suspect, _)| suspect == id) {
            return; // the pause is still to come
        }
        let Some(pause) = self.routes.topic(id).recheck else { return };
        let longer = pause.saturating_mul(2);
        let poll = self.config.route_poll;
        self.routes.topic_mut(id).recheck = Some(longer).filter(|&longer| longer < poll);
        let at = self.now + self.random.jitter(pause);
        self.suspects.push((id, at));
        self.wake_by(at);
    }

    /// Every name server that could be asked was asked, and none gave a route.
    fn conclude(&mut self, id: TopicId) {
        let Some(lookup) = self.routes.topic(id).lookup.as_ref() else { return };
        let absent = lookup.absent > 0;
        let provisional = lookup.provisional;
        let problem = lookup.problem.clone();
        if absent && !provisional && self.config.auto_create_topics {
            reached!(RouteProvisional);
            self.begin_lookup(id, true);
            return;
        }
        let unreachable =
            || ErrorKind::NameServersUnreachable { last: String::from("no answer in time") };
        let kind = match absent {
            true => ErrorKind::TopicNotFound,
            false => problem.unwrap_or_else(unreachable),
        };
        self.lookup_ended(id, Err(kind));
    }

    /// Whether the topic's route is that of the template, which changes as any other does, or leads
    /// nowhere.
    fn has_nothing_better(&self, id: TopicId) -> bool {
        let route = self.routes.topic(id).route.as_ref();
        route.is_some_and(|known| known.provisional || known.queues.is_empty())
    }

    /// Whether the topic has a route that no broker has disowned.
    pub(crate) fn works(&self, id: TopicId) -> bool {
        let topic = self.routes.topic(id);
        topic.route.is_some() && !topic.refused_as_absent
    }

    /// Lets everyone go on who waited for the route.
    fn lookup_ended(&mut self, id: TopicId, result: Result<(), ErrorKind>) {
        self.lookups.retain(|&lookup| lookup != id);
        let works = self.works(id) && !planted!(RouteDropped);
        let now = self.now;
        let absent_for = self.random.jitter(self.config.absent_for);
        let topic = self.routes.topic_mut(id);
        topic.lookup = None;
        let kind = match result {
            Ok(()) => {
                topic.failed_lookups = 0;
                None
            }
            Err(_) if works => {
                reached!(RouteKept);
                None
            }
            Err(ErrorKind::TopicNotFound) => {
                reached!(TopicGone);
                topic.route = None;
                topic.absent_until = Some(now + absent_for);
                Some(ErrorKind::TopicNotFound)
            }
            Err(kind) => {
                if planted!(RouteDropped) {
                    topic.route = None;
                }
                Some(kind)
            }
        };
        self.answer_queries(id, kind.as_ref());
        self.recheck(id);
        match kind {
            None => self.release_waiters(id),
            Some(kind) if Self::may_pass(&kind) && !self.config.backoff.first.is_zero() => {
                reached!(LookupLater);
                self.look_up_later(id, kind);
            }
            Some(kind) => {
                reached!(LookupFailed);
                self.fail_waiters(id, &kind);
            }
        }
    }

    /// Whether the trouble may be over before the deadline of those who wait.
    fn may_pass(kind: &ErrorKind) -> bool {
        matches!(
            kind,
            ErrorKind::NameServersUnreachable { .. }
                | ErrorKind::NameServerRefused { .. }
                | ErrorKind::TokenRefused { .. }
        )
    }

    fn look_up_later(&mut self, id: TopicId, kind: ErrorKind) {
        let backoff = self.config.backoff;
        let topic = self.routes.topic_mut(id);
        topic.failed_lookups += 1;
        topic.problem = Some(kind);
        if topic.waiters.is_deserted(&self.sends) {
            return;
        }
        let doubled = backoff.first.saturating_mul(1 << topic.failed_lookups.min(20));
        let pause = self.random.jitter(doubled.min(backoff.longest));
        let at = self.now + pause;
        if !self.suspects.iter().any(|&(suspect, _)| suspect == id) {
            self.suspects.push((id, at));
            self.wake_by(at);
        }
    }

    fn release_waiters(&mut self, id: TopicId) {
        self.routes.topic_mut(id).problem = None;
        while let Some(key) = self.routes.topic_mut(id).waiters.pop() {
            self.ready.push_back(key);
        }
    }

    fn fail_waiters(&mut self, id: TopicId, kind: &ErrorKind) {
        while let Some(key) = self.routes.topic_mut(id).waiters.pop() {
            if self.sends.get(key).is_some_and(|send| send.stage == Stage::Route) {
                self.fail_before_attempt(key, crate::error::Phase::Route, kind.clone());
            }
        }
    }

    /// Timers of lookups: hedges, and suspicions whose time has come. Returns the next one.
    pub(crate) fn run_lookups(&mut self) -> Instant {
        let now = self.now;
        let mut index = 0;
        while index < self.suspects.len() {
            let (id, at) = self.suspects[index];
            if at <= now {
                self.suspects.swap_remove(index);
                self.look_up(id);
            } else {
                index += 1;
            }
        }
        for position in (0..self.lookups.len()).rev() {
            let Some(&id) = self.lookups.get(position) else { continue };
            let hedge = self.routes.topic(id).lookup.as_ref().map(|lookup| lookup.hedge_at);
            if hedge.is_some_and(|at| at <= now) {
                reached!(LookupHedged);
                if let Some(lookup) = self.routes.topic_mut(id).lookup.as_mut() {
                    lookup.hedge_at = Instant::FAR;
                }
                self.ask_next(id);
            }
        }
        let hedges = self.lookups.iter().filter_map(|&id| self.routes.topic(id).lookup.as_ref());
        let next_hedge = hedges.map(|lookup| lookup.hedge_at).min();
        let next_suspect = self.suspects.iter().map(|&(_, at)| at).min();
        next_hedge.into_iter().chain(next_suspect).min().unwrap_or(Instant::FAR)
    }

    /// A broker has another address than before: nothing new goes to the old one.
    fn broker_moved(&mut self, id: u32) {
        reached!(BrokerMoved);
        let broker = self.routes.broker_mut(id);
        let old = core::mem::replace(&mut broker.conn, Key::NONE);
        broker.health = crate::health::Record::new();
        broker.rest = crate::peers::Rest::default();
        self.epoch += 1;
        if self.routes.brokers.iter().all(|other| other.conn != old) {
            self.retire(old);
        }
    }

    /// What to say of a send whose deadline passed while it waited for this topic's route.
    pub(crate) fn route_problem(&self, id: TopicId) -> ErrorKind {
        if let Some(problem) = self.name_server_problem() {
            return problem;
        }
        let topic: &Topic = self.routes.topic(id);
        let lookup = topic.lookup.as_ref().and_then(|lookup| lookup.problem.clone());
        lookup.or_else(|| topic.problem.clone()).unwrap_or_else(|| {
            ErrorKind::NameServersUnreachable { last: ConnectionEnd::DialTimeout.to_string() }
        })
    }
}
