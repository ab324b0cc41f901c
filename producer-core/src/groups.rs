//! On whose behalf are messages sent? Several producer groups may share one client.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::Config;
use crate::connection::State;
use crate::in_flight::Purpose;
use crate::names::GroupName;
use crate::producer::Producer;
use crate::slab::Key;
use crate::wire::client::UnregisterClient;
use crate::wire::code;

/// Names a producer group of one client. The default is that of
/// [`Config::group`](crate::Config::group).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupId(pub(crate) u16);

/// A group that this client announces to brokers.
pub(crate) struct Group {
    pub(crate) name: GroupName,
    /// The name inside the namespace.
    pub(crate) wire: String,
    /// Whether heartbeats name it.
    pub(crate) announced: bool,
    /// Whether it may send.
    pub(crate) sends: bool,
}

impl Group {
    pub(crate) fn new(config: &Config, name: GroupName) -> Self {
        let wire = config.in_namespace(name.as_str()).into_owned();
        Self { name, wire, announced: true, sends: true }
    }
}

/// Most groups of one client.
const GROUPS_MAX: usize = 1024;

impl<T> Producer<T> {
    /// Sends may be made on behalf of this group too ([`SendOptions::group`]); brokers hear of it at
    /// once. A group that is there already is given again. `None` past 1,024 groups.
    ///
    /// [`SendOptions::group`]: crate::SendOptions::group
    pub fn add_group(&mut self, now: crate::Instant, name: &GroupName) -> Option<GroupId> {
        self.advance(now);
        let known = self.groups.iter().position(|group| group.name == *name);
        let at = match known {
            Some(at) => at,
            None if self.groups.len() >= GROUPS_MAX => return None,
            None => {
                self.groups.push(Group::new(&self.config, name.clone()));
                self.groups.len() - 1
            }
        };
        (self.groups[at].announced, self.groups[at].sends) = (true, true);
        for conn in self.broker_connections() {
            if let Some(conn) = self.conns.get_mut(conn) {
                conn.heartbeat_due = self.now;
            }
            self.beat(conn);
        }
        self.run_ready();
        u16::try_from(at).ok().map(GroupId)
    }

    /// From now on sends of this group are refused ([`ErrorKind::Closed`](crate::ErrorKind::Closed));
    /// those in hand go on. Brokers still know the group: [`remove_group`](Self::remove_group).
    pub fn stop_group(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(usize::from(id.0)) {
            group.sends = false;
        }
    }

    /// The name of a group, without namespace; that of the configuration if there is no such group.
    pub fn group_name(&self, id: GroupId) -> &GroupName {
        let group = self.groups.get(usize::from(id.0)).unwrap_or(&self.groups[0]);
        &group.name
    }

    /// Brokers are told that this group has left, and it sends no more. Sends of it that are in hand
    /// go on.
    pub fn remove_group(&mut self, now: crate::Instant, id: GroupId) {
        self.advance(now);
        let Some(group) = self.groups.get_mut(usize::from(id.0)) else { return };
        (group.announced, group.sends) = (planted!(GroupStays), false);
        for conn in self.broker_connections() {
            self.unregister(conn, id, self.now + self.config.request_timeout);
        }
        self.run_ready();
    }

    /// The group's name inside the namespace.
    pub(crate) fn wire_group(&self, id: GroupId) -> &str {
        let group = self.groups.get(usize::from(id.0)).unwrap_or(&self.groups[0]);
        &group.wire
    }

    /// The names that heartbeats carry.
    pub(crate) fn announced_groups(&self) -> Vec<String> {
        let announced = self.groups.iter().filter(|group| group.announced);
        let all = if planted!(FirstGroupOnly) { 1 } else { usize::MAX };
        announced.take(all).map(|group| group.wire.clone()).collect()
    }

    /// Says good-bye for a group (UNREGISTER_CLIENT).
    pub(crate) fn unregister(&mut self, conn: Key, group: GroupId, until: crate::Instant) {
        let request = UnregisterClient {
            client_id: self.client_id.clone(),
            producer_group: Some(self.wire_group(group).into()),
            consumer_group: None,
        };
        let code = code::request::UNREGISTER_CLIENT;
        self.request_until(conn, code, request.to_ext(), &[], Purpose::Unregister, until);
    }

    /// Open connections to brokers that take requests.
    fn broker_connections(&self) -> Vec<Key> {
        let fit = |conn: &&crate::connection::Connection| {
            conn.to_broker && conn.state == State::Open && !conn.retiring
        };
        self.conns.iter().filter(|(_, conn)| fit(conn)).map(|(key, _)| key).collect()
    }
}
