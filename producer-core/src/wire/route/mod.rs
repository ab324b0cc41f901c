//! Where a topic lives: the body of GET_ROUTEINFO_BY_TOPIC (spec §4.1, `TopicRouteData.java`).

mod decode;
mod encode;
mod publish;

use alloc::string::String;
use alloc::vec::Vec;

/// Pieces that the cluster body is made of too.
pub(super) mod json {
    pub(in crate::wire) use super::decode::{
        bounded, broker_data, key_text, list, some_text, table,
    };
    pub(in crate::wire) use super::encode::{
        broker_data as put_broker_data, list as put_list, quote, separated,
    };
}

pub use encode::RouteJson;
pub use publish::{NO_BROKER, PublishInfo, PublishQueue, QUEUES_MAX};

/// Largest route text that is read, in bytes. A route of a thousand brokers has a tenth of this.
pub const ROUTE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The broker id of a master.
pub const MASTER_ID: i64 = 0;

/// The route of one topic. Maps are lists in wire order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicRouteData {
    /// `broker:queues;…` of an ordered topic. `None` and empty differ: only `None` lets a static
    /// mapping count.
    pub order_topic_conf: Option<String>,
    /// How many queues the topic has on each broker.
    pub queues: Vec<QueueData>,
    /// Where the brokers are.
    pub brokers: Vec<BrokerData>,
    /// Filter servers by broker address.
    pub filter_servers: Vec<(String, Vec<String>)>,
    /// Mapping of a static topic by broker name; 5.x.
    pub static_mapping: Option<Vec<(String, QueueMapping)>>,
}

/// The queues of a topic on one broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueData {
    /// Broker.
    pub broker_name: String,
    /// Queues to read.
    pub read_queue_nums: i32,
    /// Queues to write.
    pub write_queue_nums: i32,
    /// Bits of [`super::perm`].
    pub perm: i32,
    /// Unit flags; servers before 4.9 spell it `topicSynFlag`.
    pub topic_sys_flag: i32,
}

/// The addresses of one broker name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrokerData {
    /// Cluster.
    pub cluster: Option<String>,
    /// Broker.
    pub broker_name: String,
    /// Broker id and address; [`MASTER_ID`] is the master.
    pub addresses: Vec<(i64, String)>,
    /// Zone; 5.x.
    pub zone_name: Option<String>,
    /// Whether a slave may act as master; 5.x.
    pub enable_acting_master: Option<bool>,
}

impl BrokerData {
    /// Address of the broker with this id.
    pub fn address(&self, id: i64) -> Option<&str> {
        // The last of duplicates, as in a map.
        self.addresses.iter().rev().find(|address| address.0 == id).map(|address| &*address.1)
    }

    /// Address of the master.
    pub(crate) fn master(&self) -> Option<&str> {
        if planted!(SlaveUsed) {
            return self.addresses.first().map(|address| &*address.1);
        }
        self.address(MASTER_ID)
    }
}

/// What one broker holds of a static topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueMapping {
    /// Broker.
    pub broker_name: Option<String>,
    /// Scope; `__global__` unless clusters are combined. Without one the mapping is ignored.
    pub scope: Option<String>,
    /// Topic.
    pub topic: Option<String>,
    /// Age of the mapping in ms since 1970; the newest wins.
    pub epoch: i64,
    /// Queues of the whole topic.
    pub total_queues: i32,
    /// Global queue id and queue id on this broker.
    pub current: Vec<(i32, i32)>,
    /// Not yet stored by the broker.
    pub dirty: bool,
}
