//! How does a broker say that it is there? REGISTER_BROKER (103) and UNREGISTER_BROKER (104)
//! (`RegisterBrokerRequestHeader.java`, `RegisterBrokerBody.java`, 5.4.0 and 4.9.7).

use std::time::Duration;

use producer_core::wire::json::{Reader, Value, quote_into};
use producer_core::wire::{Ext, Fields, WireError};

/// What a broker says about itself, to each name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Cluster.
    pub cluster: String,
    /// Broker name.
    pub broker: String,
    /// 0 for the master.
    pub id: i64,
    /// `host:port` that clients are told.
    pub address: String,
    /// How long the broker may be silent; 5.x.
    pub silence_max: Option<Duration>,
    /// Whether a slave may be named in the place of a master that is gone; 5.x.
    pub acting_master: bool,
    /// Grows with each change of topics: a registration with a known version changes no topic.
    pub version: DataVersion,
    /// Topics by name.
    pub topics: Vec<TopicRegistration>,
}

/// Version of a broker's topics: counter, timestamp and state version.
pub type DataVersion = (i64, i64, i64);

/// One topic of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRegistration {
    /// Topic.
    pub topic: String,
    /// Queues to read.
    pub read_queues: i32,
    /// Queues to write.
    pub write_queues: i32,
    /// Bits of [`producer_core::wire::perm`], the broker's own permission applied.
    pub perm: i32,
    /// Unit flags.
    pub sys_flag: i32,
    /// Whether the topic is ordered.
    pub order: bool,
}

impl Registration {
    /// Reads a request. Compressed bodies (`compressedRegister`, off by default) are refused.
    pub(super) fn decode(ext: &Ext<'_>, body: &[u8]) -> Result<Self, WireError> {
        if ext.bool("compressed") == Some(true) {
            return Err(WireError::BadField { name: "compressed" });
        }
        let millis = ext.long("heartbeatTimeoutMillis")?;
        let silence_max = millis.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        let mut registration = Self {
            cluster: ext.need_text("clusterName")?,
            broker: ext.need_text("brokerName")?,
            id: ext.need_i64("brokerId")?,
            address: ext.need_text("brokerAddr")?,
            silence_max,
            acting_master: ext.bool("enableActingMaster") == Some(true),
            version: (0, 0, 0),
            topics: Vec::new(),
        };
        if !body.is_empty() {
            let mut reader = Reader::new(body);
            members(&mut reader, &mut |name, value| match (name, value) {
                ("topicConfigSerializeWrapper", Value::Nested(text)) => registration.wrapper(text),
                _ => Ok(()),
            })?;
        }
        Ok(registration)
    }

    fn wrapper(&mut self, text: &[u8]) -> Result<(), WireError> {
        members(&mut Reader::new(text), &mut |name, value| match (name, value) {
            ("dataVersion", Value::Nested(text)) => {
                members(&mut Reader::new(text), &mut |name, value| {
                    let number = value.to_i64().unwrap_or(0);
                    match name {
                        "counter" => self.version.0 = number,
                        "timestamp" => self.version.1 = number,
                        "stateVersion" => self.version.2 = number,
                        _ => {}
                    }
                    Ok(())
                })
            }
            ("topicConfigTable", Value::Nested(text)) => {
                members(&mut Reader::new(text), &mut |name, value| {
                    if let Value::Nested(text) = value {
                        self.topics.push(topic(name, text)?);
                    }
                    Ok(())
                })
            }
            _ => Ok(()),
        })
    }
}

fn topic(name: &str, text: &[u8]) -> Result<TopicRegistration, WireError> {
    let mut topic = TopicRegistration {
        topic: name.to_owned(),
        read_queues: 16,
        write_queues: 16,
        perm: 6,
        sys_flag: 0,
        order: false,
    };
    members(&mut Reader::new(text), &mut |name, value| {
        let number = value.to_i32();
        match name {
            "readQueueNums" => topic.read_queues = number.unwrap_or(topic.read_queues),
            "writeQueueNums" => topic.write_queues = number.unwrap_or(topic.write_queues),
            "perm" => topic.perm = number.unwrap_or(topic.perm),
            "topicSysFlag" => topic.sys_flag = number.unwrap_or(topic.sys_flag),
            "order" => topic.order = value.to_bool(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(topic)
}

/// Shows each member of the object at `reader`.
fn members(
    reader: &mut Reader<'_>,
    see: &mut dyn FnMut(&str, Value<'_>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    reader.open_object()?;
    while let Some(name) = reader.next_member()? {
        let value = reader.value()?;
        see(&name.to_cow(), value)?;
    }
    Ok(())
}

/// Ext fields and body of a registration.
pub(crate) fn encode_registration(of: &Registration) -> (Fields<'_>, Vec<u8>) {
    let fields = unregistration(of)
        .text("haServerAddr", &*of.address)
        .show("compressed", false)
        // Java skips the check when it is 0.
        .show("bodyCrc32", 0)
        .show_opt("heartbeatTimeoutMillis", of.silence_max.map(|max| max.as_millis()))
        .show_opt("enableActingMaster", of.acting_master.then_some(true));
    let (counter, timestamp, state) = of.version;
    let mut body = format!(
        "{{\"filterServerList\":[],\"topicConfigSerializeWrapper\":{{\"dataVersion\":\
         {{\"counter\":{counter},\"stateVersion\":{state},\"timestamp\":{timestamp}}},\
         \"topicConfigTable\":{{"
    )
    .into_bytes();
    for (at, topic) in of.topics.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        let TopicRegistration { topic, read_queues, write_queues, perm, sys_flag, order } = topic;
        quote_into(&mut body, topic);
        let config = format!(
            ":{{\"order\":{order},\"perm\":{perm},\"readQueueNums\":{read_queues},\
             \"topicFilterType\":\"SINGLE_TAG\",\"topicName\":"
        );
        body.extend_from_slice(config.as_bytes());
        quote_into(&mut body, topic);
        let config = format!(",\"topicSysFlag\":{sys_flag},\"writeQueueNums\":{write_queues}}}");
        body.extend_from_slice(config.as_bytes());
    }
    body.extend_from_slice(b"}}}");
    (fields, body)
}

/// Ext fields of an unregistration, which has no body.
pub(crate) fn encode_unregistration(of: &Registration) -> Fields<'_> {
    unregistration(of)
}

fn unregistration(of: &Registration) -> Fields<'_> {
    Fields::new()
        .text("brokerName", &*of.broker)
        .text("brokerAddr", &*of.address)
        .text("clusterName", &*of.cluster)
        .show("brokerId", of.id)
}
