//! What do name servers and brokers say when they are asked?

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use producer_core::wire::Fields;
use producer_core::wire::client::Heartbeat;
use producer_core::wire::cluster::ClusterInfo;
use producer_core::wire::code::{request, response};
use producer_core::wire::name_server::RouteRequest;
use producer_core::wire::route::{BrokerData, TopicRouteData};
use producer_native::{Address, TopicName};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::ask::{Answer, AskError, ask, dial};
use crate::exit::Failure;
use crate::options::{Cluster, Reach};

/// All that was found out.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) topic: Option<TopicName>,
    pub(super) name_servers: Vec<NameServerFacts>,
    /// Brokers of the topic; without a topic, or if nobody knows it, of the whole cluster.
    pub(super) brokers: Vec<BrokerFacts>,
    /// Addresses in routes that are none: broker name and text.
    pub(super) bad_addresses: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct NameServerFacts {
    pub(super) address: Address,
    pub(super) answer: Result<NameServerAnswer, AskError>,
}

#[derive(Debug)]
pub(super) struct NameServerAnswer {
    pub(super) elapsed: Duration,
    pub(super) version: i32,
    /// All brokers it knows, or why it does not tell.
    pub(super) brokers: Result<ClusterInfo, String>,
    /// What it says of the topic, if one is looked at.
    pub(super) topic: Option<TopicAnswer>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum TopicAnswer {
    Known(TopicRouteData),
    Absent,
    /// It answered something else.
    Refused(String),
}

impl TopicAnswer {
    /// In one word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Known(_) => "known",
            Self::Absent => "unknown",
            Self::Refused(_) => "refused",
        }
    }
}

#[derive(Debug)]
pub(super) struct BrokerFacts {
    pub(super) name: String,
    /// 0 is the master.
    pub(super) id: i64,
    pub(super) advertised: Address,
    pub(super) dialled: Address,
    /// Whether the advertised address could be dialled, where another one is dialled for it.
    pub(super) unmapped: Option<Result<(), AskError>>,
    /// The answer to a heartbeat.
    pub(super) answer: Result<Answer, AskError>,
}

/// Asks everybody.
pub(super) async fn survey(
    cluster: &Cluster,
    topic: Option<TopicName>,
    limit: Duration,
) -> Result<Facts, Failure> {
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let reach = cluster.reach().await?;
    let ask = |address: &Address| {
        let asking = ask_name_server(reach.clone(), address.clone(), topic.clone(), limit);
        at_a_time(&room, asking)
    };
    let servers: Vec<_> = reach.name_servers.iter().map(ask).collect();
    let name_servers = all(servers).await;
    let mut bad_addresses = Vec::new();
    let mut found = Vec::new();
    for (name, id, text) in known_brokers(&name_servers) {
        match Address::new(&text) {
            Ok(advertised) => {
                let asking = ask_broker(reach.clone(), name, id, advertised, limit);
                found.push(at_a_time(&room, asking));
            }
            Err(_) => bad_addresses.push((name, text)),
        }
    }
    Ok(Facts { topic, name_servers, brokers: all(found).await, bad_addresses })
}

/// Name, id and address of each broker that any name server names, once.
fn known_brokers(servers: &[NameServerFacts]) -> BTreeSet<(String, i64, String)> {
    let answers = || servers.iter().filter_map(|server| server.answer.as_ref().ok());
    let routes = answers().filter_map(|answer| match &answer.topic {
        Some(TopicAnswer::Known(route)) => Some(&route.brokers),
        _ => None,
    });
    let of_topic: Vec<&BrokerData> = routes.flatten().collect();
    let all = answers().filter_map(|answer| answer.brokers.as_ref().ok());
    let all = all.flat_map(|info| info.brokers.iter().map(|(_, broker)| broker));
    let brokers = if of_topic.is_empty() { all.collect() } else { of_topic };
    let each = |broker: &BrokerData| {
        let name = broker.broker_name.clone();
        let addresses = broker.addresses.clone().into_iter();
        addresses.map(move |(id, address)| (name.clone(), id, address))
    };
    brokers.into_iter().flat_map(each).collect()
}

async fn ask_name_server(
    reach: Reach,
    address: Address,
    topic: Option<TopicName>,
    limit: Duration,
) -> NameServerFacts {
    let code = request::GET_BROKER_CLUSTER_INFO;
    let answer = match ask(&reach.dialer, &address, code, &Fields::new(), &[], limit).await {
        Err(error) => Err(error),
        Ok(info) => ask_topic(&reach, &address, topic, limit).await.map(|topic| NameServerAnswer {
            elapsed: info.elapsed,
            version: info.version,
            brokers: cluster_info(&info),
            topic,
        }),
    };
    NameServerFacts { address, answer }
}

fn cluster_info(answer: &Answer) -> Result<ClusterInfo, String> {
    match answer.code {
        response::SUCCESS => ClusterInfo::decode(&answer.body).map_err(|error| error.to_string()),
        code => Err(format!("code {code}: {}", answer.remark)),
    }
}

async fn ask_topic(
    reach: &Reach,
    address: &Address,
    topic: Option<TopicName>,
    limit: Duration,
) -> Result<Option<TopicAnswer>, AskError> {
    let Some(topic) = topic else { return Ok(None) };
    let question =
        RouteRequest { topic: topic.as_str().to_owned(), accept_standard_json_only: Some(true) };
    let code = request::GET_ROUTEINFO_BY_TOPIC;
    let answer = ask(&reach.dialer, address, code, &question.to_ext(), &[], limit).await?;
    Ok(Some(match answer.code {
        response::SUCCESS => match TopicRouteData::decode(&answer.body) {
            Ok(route) => TopicAnswer::Known(route),
            Err(error) => TopicAnswer::Refused(format!("its route cannot be read: {error}")),
        },
        response::TOPIC_NOT_EXIST => TopicAnswer::Absent,
        code => TopicAnswer::Refused(format!("code {code}: {}", answer.remark)),
    }))
}

async fn ask_broker(
    reach: Reach,
    name: String,
    id: i64,
    advertised: Address,
    limit: Duration,
) -> BrokerFacts {
    let dialled = reach.dialled(&advertised);
    let unmapped = match dialled == advertised {
        true => None,
        false => Some(dial(&reach.dialer, &advertised, limit).await.map(drop)),
    };
    let heartbeat = Heartbeat {
        client_id: format!("doctor@{}", std::process::id()),
        producer_groups: vec![GROUP.to_owned()],
        ..Heartbeat::default()
    };
    // The broker forgets the group when the connection ends.
    let code = request::HEART_BEAT;
    let answer =
        ask(&reach.dialer, &dialled, code, &Fields::new(), &heartbeat.encode(), limit).await;
    BrokerFacts { name, id, advertised, dialled, unmapped, answer }
}

/// Begins the work as soon as there is room.
fn at_a_time<T: Send + 'static>(
    room: &Arc<Semaphore>,
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let room = room.clone();
    tokio::spawn(async move {
        let _place = room.acquire_owned().await.expect("it is never closed");
        work.await
    })
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(match task.await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        });
    }
    results
}

/// Peers that are asked at a time.
const AT_A_TIME: usize = 32;
const GROUP: &str = "rocketmq-producer-doctor";
