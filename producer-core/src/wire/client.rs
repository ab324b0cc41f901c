//! What a client says about itself: HEART_BEAT (34), UNREGISTER_CLIENT (35), and what it answers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::route::json as shared;
use super::{Ext, Fields, WireError, java_hash, json};

/// UNREGISTER_CLIENT (35) (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnregisterClient {
    /// Client id.
    pub client_id: String,
    /// Producer group to forget.
    pub producer_group: Option<String>,
    /// Consumer group to forget.
    pub consumer_group: Option<String>,
}

impl UnregisterClient {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            client_id: ext.need_text("clientID")?,
            producer_group: ext.text("producerGroup"),
            consumer_group: ext.text("consumerGroup"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("clientID", &*self.client_id)
            .text_opt("producerGroup", self.producer_group.as_deref())
            .text_opt("consumerGroup", self.consumer_group.as_deref())
    }
}

/// Response to HEART_BEAT; 4.9 brokers send no fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeartbeatResponse {
    /// Whether heartbeats without subscriptions are understood.
    pub supports_v2: Option<bool>,
    /// Whether subscriptions changed, so that the full data is wanted.
    pub sub_changed: Option<bool>,
}

impl HeartbeatResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            supports_v2: ext.bool("IS_SUPPORT_HEART_BEAT_V2"),
            sub_changed: ext.bool("IS_SUB_CHANGE"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .show_opt("IS_SUPPORT_HEART_BEAT_V2", self.supports_v2)
            .show_opt("IS_SUB_CHANGE", self.sub_changed)
    }
}

/// The body of HEART_BEAT (34) (spec §8.3, `HeartbeatData.java`). Consumers are none of ours: they
/// are skipped when reading and none are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heartbeat {
    /// Client id.
    pub client_id: String,
    /// Producer groups of the client, without order.
    pub producer_groups: Vec<String>,
    /// Hash of what the client subscribes to, 0 if not used; 5.1.3+.
    pub fingerprint: Option<i32>,
    /// Whether subscriptions are left out because the broker knows them; 5.1.3+.
    pub without_sub: Option<bool>,
}

impl Heartbeat {
    /// Reads the body.
    pub fn decode(body: &[u8]) -> Result<Self, WireError> {
        let mut reader = shared::bounded(body)?;
        let mut heartbeat = Self::default();
        let from = &mut reader;
        from.open_object()?;
        while let Some(name) = from.next_member()? {
            match &*name.to_cow() {
                "clientID" => heartbeat.client_id = shared::some_text(from)?,
                "producerDataSet" => heartbeat.producer_groups = shared::list(from, group)?,
                "heartbeatFingerprint" => {
                    let value = from.value()?.to_i32();
                    let bad = WireError::BadField { name: "heartbeatFingerprint" };
                    heartbeat.fingerprint = Some(value.ok_or(bad)?);
                }
                "withoutSub" => heartbeat.without_sub = Some(from.value()?.to_bool()),
                _ => {
                    from.value()?;
                }
            }
        }
        reader.end()?;
        Ok(heartbeat)
    }

    /// Writes the body; without fingerprint and switch it is that of 4.9.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(b"{\"clientID\":");
        json::quote_into(&mut out, &self.client_id);
        out.extend_from_slice(b",\"consumerDataSet\":[]");
        if let Some(fingerprint) = self.fingerprint {
            out.extend_from_slice(b",\"heartbeatFingerprint\":");
            super::digits::push_i32(&mut out, fingerprint);
        }
        out.extend_from_slice(b",\"producerDataSet\":");
        shared::put_list(&mut out, &self.producer_groups, |out, group| {
            out.extend_from_slice(b"{\"groupName\":");
            json::quote_into(out, group);
            out.push(b'}');
        });
        if let Some(without_sub) = self.without_sub {
            out.extend_from_slice(b",\"withoutSub\":");
            out.extend_from_slice(if without_sub { b"true" } else { b"false" });
        }
        out.push(b'}');
        out
    }

    /// The fingerprint of a heartbeat that starts with this one's groups: Java's hash of the body
    /// with neutral values for what may change.
    pub fn compute_fingerprint(&self) -> i32 {
        let neutral = Self {
            client_id: String::new(),
            producer_groups: self.producer_groups.clone(),
            fingerprint: Some(0),
            without_sub: Some(false),
        };
        java_hash::hash_code(&String::from_utf8_lossy(&neutral.encode()))
    }
}

fn group(from: &mut json::Reader<'_>) -> Result<String, WireError> {
    let mut group = String::new();
    from.open_object()?;
    while let Some(name) = from.next_member()? {
        if name.eq_str("groupName") {
            group = shared::some_text(from)?;
        } else {
            from.value()?;
        }
    }
    Ok(group)
}

/// The body that a client without consumers answers to GET_CONSUMER_STATUS_FROM_CLIENT (221)
/// (spec §2.4).
pub const CONSUMER_STATUS_BODY: &[u8] = br#"{"consumerTable":{},"messageQueueTable":{}}"#;

/// The client id (spec §8.1, `ClientConfig.buildMQClientId`): address, instance name, unit name if
/// it is not blank, `STREAM` if the client says what it asks for.
pub fn client_id(ip: &str, instance: &str, unit: Option<&str>, stream: bool) -> String {
    let mut id = format!("{ip}@{instance}");
    if let Some(unit) = unit.filter(|unit| !super::names::is_blank(unit)) {
        id.push('@');
        id.push_str(unit);
    }
    if stream {
        id.push_str("@STREAM");
    }
    id
}
