//! From what was found out: what is wrong, and what is to be done?

use std::collections::BTreeSet;

use producer_core::wire::cluster::ClusterInfo;
use producer_core::wire::perm;
use producer_core::wire::route::{BrokerData, MASTER_ID, QueueData, TopicRouteData};

use producer_native::Address;

use super::ask::AskError;
use super::survey::{BrokerFacts, Facts, NameServerAnswer, NameServerFacts, TopicAnswer};

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Stable, for machines.
    pub(super) code: &'static str,
    pub(super) what: String,
    pub(super) advice: String,
}

/// All that is wrong, the causes before their consequences.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for server in &facts.name_servers {
        found.extend(name_server(server));
    }
    disagreement(facts, &mut found);
    topic(facts, &mut found);
    let answers = answers(facts);
    if facts.brokers.is_empty() && !answers.is_empty() {
        found.push(no_brokers(&answers));
    }
    if facts.topic.is_none() {
        for answer in &answers {
            let info = answer.1.brokers.as_ref().ok();
            let brokers = info.into_iter().flat_map(|info| &info.brokers);
            for (_, broker) in brokers {
                no_master(broker, &mut found);
            }
        }
    }
    for (name, text) in &facts.bad_addresses {
        found.push(Finding {
            code: "bad_address",
            what: format!("broker {name} is registered with the address {text:?}"),
            advice: "set brokerIP1 and listenPort in the broker's configuration".to_owned(),
        });
    }
    found.extend(facts.brokers.iter().filter_map(broker));
    found
}

/// Name servers that answered, each with its answer.
fn answers(facts: &Facts) -> Vec<(&NameServerFacts, &NameServerAnswer)> {
    let servers = facts.name_servers.iter();
    servers.filter_map(|server| Some((server, server.answer.as_ref().ok()?))).collect()
}

fn name_server(server: &NameServerFacts) -> Option<Finding> {
    let error = server.answer.as_ref().err()?;
    let address = &server.address;
    let (code, advice) = match error {
        AskError::Dial(_) => (
            "name_server_unreachable",
            format!(
                "check that a name server runs there (usually port 9876), and that no firewall \
                 stands between; try: nc -vz {} {}",
                address.host(),
                address.port()
            ),
        ),
        AskError::Silent(_) => {
            ("name_server_silent", "it hangs, or is overloaded: look at its log".to_owned())
        }
        AskError::Lost(_) | AskError::NoFrame(_) => (
            "not_a_name_server",
            "check the address: the port may belong to something else, or ask for TLS".to_owned(),
        ),
    };
    Some(Finding { code, what: format!("name server {address}: {error}"), advice })
}

fn disagreement(facts: &Facts, found: &mut Vec<Finding>) {
    let answers = answers(facts);
    let known: Vec<_> = answers
        .iter()
        .filter_map(|(server, answer)| Some((server, registered(answer.brokers.as_ref().ok()?))))
        .collect();
    let union: BTreeSet<String> = known.iter().flat_map(|(_, brokers)| brokers.clone()).collect();
    for (server, brokers) in &known {
        let missing: Vec<&str> = union.difference(brokers).map(String::as_str).collect();
        if !missing.is_empty() {
            found.push(Finding {
                code: "name_servers_disagree",
                what: format!(
                    "name server {} does not know {}",
                    server.address,
                    missing.join(", ")
                ),
                advice:
                    "each broker registers at every name server in its namesrvAddr, every 30 s: \
                         check that all brokers list all name servers and can reach them"
                        .to_owned(),
            });
        }
    }
    let says = |word: &str| -> Vec<String> {
        let says =
            |answer: &NameServerAnswer| answer.topic.as_ref().is_some_and(|t| t.word() == word);
        let servers = answers.iter().filter(|(_, answer)| says(answer));
        servers.map(|(server, _)| server.address.to_string()).collect()
    };
    let (with, without) = (says("known"), says("unknown"));
    if let Some(topic) = facts.topic.as_ref().filter(|_| !with.is_empty() && !without.is_empty()) {
        found.push(Finding {
            code: "name_servers_disagree",
            what: format!(
                "topic {topic} is known at {}, and not at {}",
                with.join(", "),
                without.join(", ")
            ),
            advice: "brokers with the topic do not register everywhere: check their namesrvAddr"
                .to_owned(),
        });
    }
}

/// Each broker of a cluster as text.
fn registered(info: &ClusterInfo) -> BTreeSet<String> {
    let each = |broker: &BrokerData| {
        let name = broker.broker_name.clone();
        let addresses = broker.addresses.clone().into_iter();
        addresses.map(move |(id, address)| format!("{name} {id} at {address}"))
    };
    info.brokers.iter().flat_map(|(_, broker)| each(broker)).collect()
}

fn topic(facts: &Facts, found: &mut Vec<Finding>) {
    let Some(topic) = &facts.topic else { return };
    let answers = answers(facts);
    let mut route = None;
    for (server, answer) in &answers {
        match &answer.topic {
            Some(TopicAnswer::Known(known)) => route = route.or(Some(known)),
            Some(TopicAnswer::Refused(problem)) => found.push(Finding {
                code: "route_refused",
                what: format!("name server {}, asked for {topic}: {problem}", server.address),
                advice: "look at the name server's log".to_owned(),
            }),
            Some(TopicAnswer::Absent) | None => {}
        }
    }
    let absent = answers.iter().any(|(_, answer)| answer.topic == Some(TopicAnswer::Absent));
    match route {
        Some(route) => check_route(topic.as_str(), route, found),
        None if absent => found.push(Finding {
            code: "topic_not_found",
            what: format!("no name server knows the topic {topic}"),
            advice: format!(
                "check its spelling, or create it: mqadmin updateTopic -n '{}' -t {topic} -c CLUSTER",
                facts.name_servers.iter().map(|s| s.address.as_str()).collect::<Vec<_>>().join(";")
            ),
        }),
        None => {}
    }
}

fn check_route(topic: &str, route: &TopicRouteData, found: &mut Vec<Finding>) {
    let writable = |queue: &&QueueData| perm::is_writable(queue.perm) && queue.write_queue_nums > 0;
    let read_only: Vec<String> = route
        .queues
        .iter()
        .filter(|queue| !writable(queue))
        .map(|queue| format!("{} (perm {})", queue.broker_name, perm::text(queue.perm)))
        .collect();
    if !read_only.is_empty() {
        let (code, which) = match read_only.len() == route.queues.len() {
            true => ("topic_not_writable", "at any broker"),
            false => ("broker_not_writable", "everywhere"),
        };
        found.push(Finding {
            code,
            what: format!("topic {topic} cannot be written {which}: {}", read_only.join(", ")),
            advice: "give the topic perm 6 (mqadmin updateTopic -p 6), or the broker its write \
                     permission back (brokerPermission=6, mqadmin addWritePerm)"
                .to_owned(),
        });
    }
    for queue in route.queues.iter().filter(writable) {
        let name = &queue.broker_name;
        match route.brokers.iter().find(|broker| broker.broker_name == *name) {
            Some(broker) => no_master(broker, found),
            None => found.push(Finding {
                code: "broker_missing",
                what: format!("topic {topic} has queues on {name}, which is not registered"),
                advice: "start the broker, or wait until the name server forgets it (2 min)"
                    .to_owned(),
            }),
        }
    }
}

fn no_master(broker: &BrokerData, found: &mut Vec<Finding>) {
    if broker.address(MASTER_ID).is_some() {
        return;
    }
    let finding = Finding {
        code: "no_master",
        what: format!("broker {} has no master: nothing can be sent to it", broker.broker_name),
        advice: "start the master (brokerId=0), or check where it registers".to_owned(),
    };
    if !found.contains(&finding) {
        found.push(finding);
    }
}

fn no_brokers(answers: &[(&NameServerFacts, &NameServerAnswer)]) -> Finding {
    let refused = answers.iter().find_map(|(_, answer)| answer.brokers.as_ref().err());
    match refused {
        Some(problem) => Finding {
            code: "cluster_unknown",
            what: format!("no name server lists its brokers ({problem})"),
            advice:
                "name a topic with --topic; a proxy in the place of a name server knows no more"
                    .to_owned(),
        },
        None => Finding {
            code: "no_brokers",
            what: "no broker is registered".to_owned(),
            advice: "start a broker with -n, or namesrvAddr, naming these name servers".to_owned(),
        },
    }
}

fn broker(broker: &BrokerFacts) -> Option<Finding> {
    let BrokerFacts { name, advertised, dialled, .. } = broker;
    let is_mapped = broker.unmapped.is_some();
    let way = if is_mapped { format!("{advertised} -> {dialled}") } else { dialled.to_string() };
    let (code, what, advice) = match &broker.answer {
        Ok(answer) if answer.code == 0 => return None,
        Ok(answer) => (
            "broker_refused",
            format!("answered a heartbeat with code {}: {}", answer.code, answer.remark),
            "look at the broker's log; with ACL on, the producer needs an access key".to_owned(),
        ),
        Err(error @ AskError::Dial(_)) if is_mapped => (
            "mapped_unreachable",
            error.to_string(),
            format!("the address map sends us to {dialled}: check that the port is forwarded"),
        ),
        Err(error @ AskError::Dial(_)) => {
            ("advertised_unreachable", error.to_string(), other_address(advertised))
        }
        Err(error @ AskError::Silent(_)) => (
            "broker_silent",
            error.to_string(),
            "it hangs or is overloaded, or something between swallows the bytes".to_owned(),
        ),
        Err(error) => (
            "not_a_broker",
            error.to_string(),
            match is_mapped {
                true => format!("the address map sends us to {dialled}: check what listens there"),
                false => format!("unless it asks for TLS: {}", other_address(advertised)),
            },
        ),
    };
    Some(Finding { code, what: format!("broker {name} at {way}: {what}"), advice })
}

/// What to do about an address that leads nowhere from here.
fn other_address(advertised: &Address) -> String {
    format!(
        "the broker advertises {advertised}{}; set brokerIP1 in its configuration to an address \
         that can be reached from here, or map it: --address-map {advertised}=HOST:PORT",
        origin(advertised.host())
    )
}

/// Where an address like this usually comes from.
fn origin(host: &str) -> &'static str {
    let Ok(ip) = host.parse::<std::net::Ipv4Addr>() else { return "" };
    match ip.octets() {
        [127, ..] => ", which only its own host can reach",
        [172, 17..=31, ..] => ", which looks like an address inside docker",
        [10, ..] | [192, 168, ..] | [172, 16, ..] => ", a private address (kubernetes, NAT, VPN?)",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
