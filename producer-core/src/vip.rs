//! Which requests go to a broker's second port, two below the one it advertises (spec §8.9)?
//!
//! Brokers serve it with threads of its own. Only what is asked of a broker goes there; what a broker
//! knows a client by, and by what it asks clients, stays at the advertised port.

use crate::config::Config;
use crate::has;
use crate::names::Address;
use crate::peers::Unconnected;
use crate::producer::Producer;
use crate::route::BrokerId;
use crate::slab::Key;
use crate::wire::{address, code::request};

/// Questions to an address that Java asks at the second port.
const VIP: [i32; 7] = [
    request::QUERY_MESSAGE,
    request::UPDATE_AND_CREATE_TOPIC,
    request::SEARCH_OFFSET_BY_TIMESTAMP,
    request::GET_MAX_OFFSET,
    request::GET_MIN_OFFSET,
    request::GET_EARLIEST_MSG_STORETIME,
    request::VIEW_MESSAGE_BY_ID,
];

/// Requests that never go to the second port.
const NEVER: [i32; 4] = [
    request::HEART_BEAT,
    request::UNREGISTER_CLIENT,
    request::END_TRANSACTION,
    request::RECALL_MESSAGE,
];

/// Whether a question to a broker may go to its second port.
pub(crate) fn may_ask(code: i32) -> bool {
    !NEVER.contains(&code)
}

impl Config {
    /// Whether the second port is used.
    pub(crate) fn uses_vip(&self) -> bool {
        has::JAVA_WAYS && self.vip_channel
    }

    /// The address to dial for sends to a broker that a route names.
    pub(crate) fn dialled_for_sends(&self, advertised: &Address) -> Address {
        let vip = || Address::new(&address::vip(advertised.as_str())?).ok();
        match self.uses_vip().then(vip).flatten() {
            Some(vip) => self.dialled(&vip).clone(),
            None => self.dialled(advertised).clone(),
        }
    }

    /// The address to dial for a question of this code to whoever advertises that address.
    pub(crate) fn dialled_for(&self, advertised: &Address, code: i32) -> Address {
        match VIP.contains(&code) {
            true => self.dialled_for_sends(advertised),
            false => self.dialled(advertised).clone(),
        }
    }
}

impl<T> Producer<T> {
    /// The connection to the port that a broker advertises, dialled if there is none.
    pub(crate) fn main_connection(&mut self, id: BrokerId) -> Result<Key, Unconnected> {
        if !self.config.uses_vip() || planted!(VipForAll) {
            return self.broker_connection(id);
        }
        let advertised = self.routes.broker(id).advertised.as_ref();
        let address = advertised.map(|advertised| self.config.dialled(advertised).clone());
        Ok(self.connection_to(address.ok_or(Unconnected::NoMaster)?, true))
    }

    /// The same, if there is one.
    pub(crate) fn main_connected(&self, id: BrokerId) -> Option<Key> {
        let broker = self.routes.broker(id);
        if !self.config.uses_vip() {
            return self.conns.get(broker.conn).map(|_| broker.conn);
        }
        let address = self.config.dialled(broker.advertised.as_ref()?);
        let there = |conn: &crate::connection::Connection| conn.dialled == *address;
        self.conns.iter().find(|(_, conn)| there(conn)).map(|(key, _)| key)
    }

    /// Whether a connection leads to a broker that some route names.
    pub(crate) fn leads_to_a_broker(&self, key: Key) -> bool {
        if !self.config.uses_vip() {
            return self.routes.brokers.iter().any(|broker| broker.conn == key);
        }
        let Some(conn) = self.conns.get(key) else { return false };
        let advertised = self.routes.brokers.iter().filter_map(|broker| broker.advertised.as_ref());
        advertised.into_iter().any(|address| *self.config.dialled(address) == conn.dialled)
    }
}
