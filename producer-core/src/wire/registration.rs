//! Brokers at name servers: REGISTER_BROKER (103), UNREGISTER_BROKER (104).
//!
//! Not of a producer's concern; name server and broker models need it.

use alloc::string::String;
use alloc::vec::Vec;

use super::json::Reader;
use super::route::RouteJson;
use super::route::json as shared;
use super::{Ext, Fields, WireError, digits};

/// REGISTER_BROKER (103) from a broker to each name server (`RegisterBrokerRequestHeader.java`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegisterBroker {
    /// Broker.
    pub broker_name: String,
    /// Address that clients get, `ip:port`.
    pub broker_addr: String,
    /// Cluster.
    pub cluster_name: String,
    /// Address that slaves copy from, `ip:port`.
    pub ha_server_addr: String,
    /// 0 for a master.
    pub broker_id: i64,
    /// After how long without a sign the broker is gone, in ms; 5.x.
    pub heartbeat_timeout_millis: Option<i64>,
    /// Whether a slave may act as master; 5.x.
    pub enable_acting_master: Option<bool>,
    /// Whether the body is compressed.
    pub compressed: bool,
    /// CRC-32 of the body, 0 if not used.
    pub body_crc32: Option<i32>,
}

impl RegisterBroker {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            broker_name: ext.need_text("brokerName")?,
            broker_addr: ext.need_text("brokerAddr")?,
            cluster_name: ext.need_text("clusterName")?,
            ha_server_addr: ext.need_text("haServerAddr")?,
            broker_id: ext.need_i64("brokerId")?,
            heartbeat_timeout_millis: ext.long("heartbeatTimeoutMillis")?,
            enable_acting_master: ext.bool("enableActingMaster"),
            compressed: ext.bool("compressed").unwrap_or(false),
            body_crc32: ext.int("bodyCrc32")?,
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("brokerName", &*self.broker_name)
            .text("brokerAddr", &*self.broker_addr)
            .text("clusterName", &*self.cluster_name)
            .text("haServerAddr", &*self.ha_server_addr)
            .show("brokerId", self.broker_id)
            .show_opt("heartbeatTimeoutMillis", self.heartbeat_timeout_millis)
            .show_opt("enableActingMaster", self.enable_acting_master)
            .show("compressed", self.compressed)
            .show_opt("bodyCrc32", self.body_crc32)
    }
}

/// Response to REGISTER_BROKER: what a slave has to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegisterResponse {
    /// Address that slaves copy from.
    pub ha_server_addr: Option<String>,
    /// Address of the master.
    pub master_addr: Option<String>,
}

impl RegisterResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self { ha_server_addr: ext.text("haServerAddr"), master_addr: ext.text("masterAddr") })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text_opt("haServerAddr", self.ha_server_addr.as_deref())
            .text_opt("masterAddr", self.master_addr.as_deref())
    }
}

/// UNREGISTER_BROKER (104) from a broker that stops (`UnRegisterBrokerRequestHeader.java`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnregisterBroker {
    /// Broker.
    pub broker_name: String,
    /// Address.
    pub broker_addr: String,
    /// Cluster.
    pub cluster_name: String,
    /// 0 for a master.
    pub broker_id: i64,
}

impl UnregisterBroker {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            broker_name: ext.need_text("brokerName")?,
            broker_addr: ext.need_text("brokerAddr")?,
            cluster_name: ext.need_text("clusterName")?,
            broker_id: ext.need_i64("brokerId")?,
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("brokerName", &*self.broker_name)
            .text("brokerAddr", &*self.broker_addr)
            .text("clusterName", &*self.cluster_name)
            .show("brokerId", self.broker_id)
    }
}

/// The body of REGISTER_BROKER: the broker's topics (`RegisterBrokerBody.java`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegisterBody {
    /// The topics, in wire order.
    pub topics: Vec<TopicConfig>,
    /// Filter servers of the broker.
    pub filter_servers: Vec<String>,
}

/// The settings of one topic on one broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicConfig {
    /// Topic.
    pub topic: String,
    /// Queues to read.
    pub read_queue_nums: i32,
    /// Queues to write.
    pub write_queue_nums: i32,
    /// Bits of [`super::perm`].
    pub perm: i32,
    /// Unit flags.
    pub topic_sys_flag: i32,
    /// Whether the topic is ordered.
    pub order: bool,
}

impl RegisterBody {
    /// Reads a body that is not compressed.
    pub fn decode(json: &[u8]) -> Result<Self, WireError> {
        let mut reader = shared::bounded(json)?;
        let mut body = Self::default();
        let from = &mut reader;
        from.open_object()?;
        while let Some(name) = from.next_member()? {
            match &*name.to_cow() {
                "filterServerList" => {
                    body.filter_servers = shared::list(from, shared::some_text)?;
                }
                "topicConfigSerializeWrapper" => body.topics = topics(from)?,
                _ => {
                    from.value()?;
                }
            }
        }
        reader.end()?;
        Ok(body)
    }

    /// Writes the body, with a data version of zeros.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(b"{\"filterServerList\":");
        shared::put_list(&mut out, &self.filter_servers, |out, server| {
            shared::quote(out, RouteJson::Loose, server);
        });
        out.extend_from_slice(
            b",\"topicConfigSerializeWrapper\":{\"dataVersion\":\
              {\"counter\":0,\"stateVersion\":0,\"timestamp\":0},\"topicConfigTable\":{",
        );
        shared::separated(&mut out, &self.topics, |out, topic| {
            shared::quote(out, RouteJson::Loose, &topic.topic);
            out.push(b':');
            put_topic(out, topic);
        });
        out.extend_from_slice(b"}}}");
        out
    }
}

fn topics(from: &mut Reader<'_>) -> Result<Vec<TopicConfig>, WireError> {
    let mut topics = Vec::new();
    from.open_object()?;
    while let Some(name) = from.next_member()? {
        if name.eq_str("topicConfigTable") {
            topics = shared::table(from, shared::key_text, topic)?;
        } else {
            from.value()?;
        }
    }
    Ok(topics.into_iter().map(|(_, topic)| topic).collect())
}

fn topic(from: &mut Reader<'_>) -> Result<TopicConfig, WireError> {
    let mut topic = TopicConfig::default();
    from.open_object()?;
    while let Some(name) = from.next_member()? {
        let slot = match &*name.to_cow() {
            "topicName" => {
                topic.topic = shared::some_text(from)?;
                continue;
            }
            "order" => {
                topic.order = from.value()?.to_bool();
                continue;
            }
            "readQueueNums" => &mut topic.read_queue_nums,
            "writeQueueNums" => &mut topic.write_queue_nums,
            "perm" => &mut topic.perm,
            "topicSysFlag" => &mut topic.topic_sys_flag,
            _ => {
                from.value()?;
                continue;
            }
        };
        let value = from.value()?.to_i32();
        *slot = value.ok_or(WireError::BadField { name: "topicConfigTable" })?;
    }
    Ok(topic)
}

fn put_topic(out: &mut Vec<u8>, topic: &TopicConfig) {
    out.extend_from_slice(if topic.order { b"{\"order\":true" } else { b"{\"order\":false" });
    out.extend_from_slice(b",\"perm\":");
    digits::push_i32(out, topic.perm);
    out.extend_from_slice(b",\"readQueueNums\":");
    digits::push_i32(out, topic.read_queue_nums);
    out.extend_from_slice(b",\"topicFilterType\":\"SINGLE_TAG\",\"topicName\":");
    shared::quote(out, RouteJson::Loose, &topic.topic);
    out.extend_from_slice(b",\"topicSysFlag\":");
    digits::push_i32(out, topic.topic_sys_flag);
    out.extend_from_slice(b",\"writeQueueNums\":");
    digits::push_i32(out, topic.write_queue_nums);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn registrations_are_read_as_written() {
        let topic = TopicConfig {
            topic: "T".into(),
            read_queue_nums: 4,
            write_queue_nums: 3,
            perm: 6,
            topic_sys_flag: 1,
            order: true,
        };
        let body = RegisterBody { topics: vec![topic], filter_servers: vec!["a:1".into()] };

        assert_eq!(RegisterBody::decode(&body.encode()), Ok(body));
    }

    #[test]
    fn what_brokers_add_is_skipped() {
        let json = br#"{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":
            {"counter":{"value":7},"timestamp":1},"topicConfigTable":{"T":{"attributes":{"a":"b"},
            "order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG",
            "topicName":"T","topicSysFlag":0,"writeQueueNums":8}},"topicQueueMappingInfoMap":{}}}"#;

        let body = RegisterBody::decode(json).expect("valid");

        assert_eq!(body.topics.len(), 1);
        assert_eq!((body.topics[0].write_queue_nums, body.topics[0].perm), (8, 6));
    }
}
