//! Which clients does a broker know? HEART_BEAT (34) and UNREGISTER_CLIENT (35).

use std::collections::BTreeMap;
use std::time::Duration;

use producer_core::wire::WireError;
use producer_core::wire::client::{HeartbeatResponse, UnregisterClient};
use producer_core::wire::json::{Reader, Value};

use super::super::answer::{Answer, Request, owned};
use super::super::{ConnId, Instant, Release};
use super::Broker;

/// Clients by id.
#[derive(Debug, Default)]
pub(super) struct Clients {
    map: BTreeMap<String, Client>,
}

#[derive(Debug)]
struct Client {
    conn: ConnId,
    seen: Instant,
    groups: Vec<String>,
    /// Replies find it. Not after one of its groups was taken back, until it beats again
    /// (`ProducerManager.unregisterProducer`).
    reachable: bool,
}

impl Clients {
    pub(super) fn ids(&self) -> Vec<String> {
        self.map.keys().cloned().collect()
    }

    /// The connection over which replies reach a client.
    pub(super) fn reachable(&self, id: &str) -> Option<ConnId> {
        self.map.get(id).filter(|client| client.reachable).map(|client| client.conn)
    }

    /// The connections of the clients of a group, in order of their ids.
    pub(super) fn of_group(&self, group: &str) -> Vec<ConnId> {
        let has = |client: &&Client| client.groups.iter().any(|one| one == group);
        self.map.values().filter(has).map(|client| client.conn).collect()
    }

    pub(super) fn disconnect(&mut self, conn: ConnId) {
        self.map.retain(|_, client| client.conn != conn);
    }

    /// Forgets clients that were silent for too long, and says over which connections they came.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ConnId> {
        let silent = |client: &Client| client.seen + SILENCE_MAX <= now;
        let conns = self.map.values().filter(|client| silent(client)).map(|client| client.conn);
        let conns = conns.collect();
        self.map.retain(|_, client| !silent(client));
        conns
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.map.values().map(|client| client.seen + SILENCE_MAX).min()
    }
}

impl Broker {
    pub(super) fn heartbeat(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Answer, WireError> {
        reached!(Heartbeat);
        let beat = Heartbeat::decode(request.body)?;
        let client = Client { conn: request.conn, seen: now, groups: beat.groups, reachable: true };
        self.clients.map.insert(beat.client_id, client);
        let response = match self.config.release {
            Release::V4_9_7 => HeartbeatResponse::default(),
            Release::V5_4_0 => HeartbeatResponse {
                supports_v2: Some(true),
                sub_changed: Some(beat.fingerprint == 0),
            },
        };
        Ok(Answer::fields(owned(&response.to_ext())))
    }

    pub(super) fn unregister_client(&mut self, request: &Request<'_>) -> Result<Answer, WireError> {
        reached!(Unregister);
        let asked = UnregisterClient::from_ext(&request.header.ext)?;
        if let (Some(client), Some(group)) =
            (self.clients.map.get_mut(&asked.client_id), asked.producer_group)
        {
            client.groups.retain(|known| *known != group);
            client.reachable = false;
            if client.groups.is_empty() {
                self.clients.map.remove(&asked.client_id);
            }
        }
        Ok(Answer::ok())
    }
}

/// The parts of a heartbeat that matter here.
#[derive(Debug, Default)]
struct Heartbeat {
    client_id: String,
    groups: Vec<String>,
    fingerprint: i32,
}

impl Heartbeat {
    fn decode(body: &[u8]) -> Result<Self, WireError> {
        let mut beat = Self::default();
        let mut reader = Reader::new(body);
        reader.open_object()?;
        while let Some(name) = reader.next_member()? {
            let value = reader.value()?;
            match (&*name.to_cow(), value) {
                ("clientID", Value::String(id)) => beat.client_id = id.to_cow().into_owned(),
                ("heartbeatFingerprint", number) => {
                    beat.fingerprint = number.to_i32().unwrap_or(0);
                }
                ("producerDataSet" | "consumerDataSet", Value::Nested(list)) => {
                    beat.groups(list)?;
                }
                _ => {}
            }
        }
        Ok(beat)
    }

    fn groups(&mut self, list: &[u8]) -> Result<(), WireError> {
        let mut reader = Reader::new(list);
        reader.open_array()?;
        while reader.next_element()? {
            let Value::Nested(member) = reader.value()? else { continue };
            let mut member = Reader::new(member);
            member.open_object()?;
            while let Some(name) = member.next_member()? {
                let value = member.value()?;
                if let ("groupName", Value::String(group)) = (&*name.to_cow(), value) {
                    self.groups.push(group.to_cow().into_owned());
                }
            }
        }
        Ok(())
    }
}

/// After this long without a heartbeat a client is forgotten and its connection closed
/// (`ProducerManager.java`).
const SILENCE_MAX: Duration = Duration::from_secs(120);
