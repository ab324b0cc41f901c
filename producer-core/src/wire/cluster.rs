//! All brokers of a name server: the body of GET_BROKER_CLUSTER_INFO (106) (spec §2.3).

use alloc::string::String;
use alloc::vec::Vec;

use super::WireError;
use super::route::BrokerData;
use super::route::RouteJson;
use super::route::json as route_json;

/// Brokers and clusters. Maps are lists in wire order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterInfo {
    /// Brokers by name.
    pub brokers: Vec<(String, BrokerData)>,
    /// Broker names by cluster.
    pub clusters: Vec<(String, Vec<String>)>,
}

impl ClusterInfo {
    /// Reads the body, strict or loose; real name servers always write it loose.
    pub fn decode(json: &[u8]) -> Result<Self, WireError> {
        let mut reader = route_json::bounded(json)?;
        let mut info = Self::default();
        let from = &mut reader;
        from.open_object()?;
        while let Some(name) = from.next_member()? {
            match &*name.to_cow() {
                "brokerAddrTable" => {
                    info.brokers =
                        route_json::table(from, route_json::key_text, route_json::broker_data)?;
                }
                "clusterAddrTable" => {
                    info.clusters = route_json::table(from, route_json::key_text, |from| {
                        route_json::list(from, route_json::some_text)
                    })?;
                }
                _ => {
                    from.value()?;
                }
            }
        }
        reader.end()?;
        Ok(info)
    }

    /// Writes the body, loose.
    pub fn encode(&self) -> Vec<u8> {
        let form = RouteJson::Loose;
        let mut out = Vec::new();
        out.extend_from_slice(b"{\"brokerAddrTable\":{");
        route_json::separated(&mut out, &self.brokers, |out, (name, broker)| {
            route_json::quote(out, form, name);
            out.push(b':');
            route_json::put_broker_data(out, form, broker);
        });
        out.extend_from_slice(b"},\"clusterAddrTable\":{");
        route_json::separated(&mut out, &self.clusters, |out, (name, brokers)| {
            route_json::quote(out, form, name);
            out.push(b':');
            route_json::put_list(out, brokers, |out, broker| {
                route_json::quote(out, form, broker);
            });
        });
        out.extend_from_slice(b"}}");
        out
    }
}
