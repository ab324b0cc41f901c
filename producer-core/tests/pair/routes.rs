//! Routes as name servers write them.

use super::{World, ms};

/// `{"brokerDatas":..}` of brokers with `queues` each, all writable.
pub(crate) fn route_json(brokers: &[(&str, &str)], queues: u32) -> String {
    let brokers: Vec<(&str, &str, u32, u32)> =
        brokers.iter().map(|&(name, address)| (name, address, queues, 6)).collect();
    route_json_of(&brokers)
}

/// The same with queue count and permission a broker. An address of `""` means no master.
pub(crate) fn route_json_of(brokers: &[(&str, &str, u32, u32)]) -> String {
    let datas: Vec<String> = brokers
        .iter()
        .map(|(name, address, ..)| {
            let (id, address) = if address.is_empty() { (1, "slave:1") } else { (0, *address) };
            format!(
                r#"{{"brokerAddrs":{{"{id}":"{address}"}},"brokerName":"{name}","cluster":"c"}}"#
            )
        })
        .collect();
    let queues: Vec<String> = brokers
        .iter()
        .map(|(name, _, queues, perm)| {
            format!(
                r#"{{"brokerName":"{name}","perm":{perm},"readQueueNums":{queues},"topicSysFlag":0,"writeQueueNums":{queues}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"brokerDatas":[{}],"filterServerTable":{{}},"queueDatas":[{}]}}"#,
        datas.join(","),
        queues.join(",")
    )
}

impl World {
    pub(crate) fn query(&mut self, topic: &str) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let topic = producer_core::TopicName::new(topic).expect("valid");
        self.producer.query_route(self.now, ticket, &topic, ms(3_000), false);
        self.drain();
        ticket
    }
}

/// What happens to a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dial {
    Accept,
    Refuse,
    /// Refused by a bridge on the way, which says when to come back.
    ComeBack(core::time::Duration),
    /// Refused by a bridge on the way, for want of a token that it takes.
    NoToken,
    /// No answer at all.
    BlackHole,
}
