//! The nodes of the cluster, what was done to them, and doing it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sim::model::broker::Times;
use sim::model::name_server::NameServerFaults;
use sim::serve::{BrokerHandle, EmbeddedCluster, NameServerHandle};

use crate::demo::TOPIC;
use crate::orders::Order;

/// The cluster, and a note of what was done to each node: the models do not tell.
#[derive(Debug)]
pub(crate) struct Nodes {
    cluster: Arc<EmbeddedCluster>,
    ailments: Mutex<BTreeMap<String, Ailments>>,
    /// One order at a time: what is noted is then what was done.
    order: tokio::sync::Mutex<()>,
}

/// What was done to a node and not undone.
#[derive(Clone, Copy, Debug, Default)]
struct Ailments {
    paused: bool,
    cut_off: bool,
    stale: bool,
    slow: Duration,
    fault: Option<&'static str>,
}

/// Why an order was not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    NoNode,
    /// A node of that kind cannot do it.
    Unable,
    /// The operating system does not let it.
    Io(io::Error),
}

/// What the interface calls a broker: its name, and what it is if it is no master.
pub fn node_name(broker: &BrokerHandle) -> String {
    match broker.id() {
        0 => broker.name(),
        _ => format!("{}-slave", broker.name()),
    }
}

impl Nodes {
    pub(crate) fn new(cluster: Arc<EmbeddedCluster>) -> Self {
        Self { cluster, ailments: Mutex::default(), order: tokio::sync::Mutex::default() }
    }

    /// The masters, in the order that the ledger numbers them.
    pub(crate) fn masters(&self) -> impl Iterator<Item = &BrokerHandle> {
        self.cluster.brokers().iter().filter(|broker| broker.id() == 0)
    }

    /// Carries out an order.
    pub(crate) async fn obey(&self, node: &str, order: Order) -> Result<(), Failure> {
        let _one = self.order.lock().await;
        if let Some(server) = self.name_server(node) {
            return self.on_name_server(node, server, order).await;
        }
        let broker = self.cluster.brokers().iter().find(|broker| node_name(broker) == node);
        self.on_broker(node, broker.ok_or(Failure::NoNode)?, order).await
    }

    /// Starts what is down, and ends all faults.
    pub(crate) async fn heal(&self) -> Result<(), Failure> {
        let servers =
            (0..self.cluster.all_name_servers().len()).map(|number| format!("ns-{number}"));
        let brokers = self.cluster.brokers().iter().map(node_name);
        for node in servers.chain(brokers).collect::<Vec<_>>() {
            self.obey(&node, Order::Heal).await?;
            self.obey(&node, Order::Restart).await?;
        }
        Ok(())
    }

    /// All nodes as JSON.
    pub(crate) async fn state(&self) -> Value {
        let mut nodes = Vec::new();
        for (number, server) in self.cluster.all_name_servers().iter().enumerate() {
            let name = format!("ns-{number}");
            let (topics, connections) =
                server.with(|node, _| (node.topics().len(), node.connections()));
            let mut state = self.common(&name, server.is_up().await, &server.address().to_string());
            state["kind"] = "name-server".into();
            state["topics"] = topics.into();
            state["connections"] = connections.into();
            nodes.push(state);
        }
        for broker in self.cluster.brokers() {
            let name = node_name(broker);
            let counters = broker.counters();
            let mut state = self.common(&name, broker.is_up().await, &broker.address().to_string());
            state["kind"] = if broker.id() == 0 { "master" } else { "slave" }.into();
            state["connections"] = broker.with(|node, _| node.connections()).into();
            state["sends"] = counters.sends.into();
            state["stored"] = counters.stored.into();
            state["dropped"] = counters.dropped.into();
            nodes.push(state);
        }
        json!({ "topic": TOPIC, "nodes": nodes })
    }

    fn common(&self, name: &str, up: bool, address: &str) -> Value {
        let ailments = self.lock().get(name).copied().unwrap_or_default();
        json!({
            "id": name,
            "address": address,
            "up": up,
            "paused": ailments.paused,
            "cutOff": ailments.cut_off,
            "stale": ailments.stale,
            "slowMs": ailments.slow.as_millis() as u64,
            "fault": ailments.fault,
        })
    }

    fn name_server(&self, node: &str) -> Option<&NameServerHandle> {
        let number: usize = node.strip_prefix("ns-")?.parse().ok()?;
        self.cluster.all_name_servers().get(number)
    }

    async fn on_broker(
        &self,
        node: &str,
        broker: &BrokerHandle,
        order: Order,
    ) -> Result<(), Failure> {
        if let Some((fault, name)) = order.fault() {
            // A second fault would wait until the first is used up.
            broker.with(|broker, _| broker.clear_faults());
            let once = order == Order::HalfAnswer;
            broker.fault(fault, if once { Times::Next(1) } else { Times::All });
            self.note(node, |ailments| ailments.fault = (!once).then_some(name));
            return Ok(());
        }
        match order {
            Order::Kill => broker.kill().await,
            Order::Restart => {
                if !broker.is_up().await {
                    broker.restart().await?;
                    self.note(node, |ailments| ailments.paused = false);
                }
            }
            Order::Move => {
                broker.restart_elsewhere().await?;
                self.note(node, |ailments| ailments.paused = false);
            }
            Order::Pause => {
                broker.pause();
                self.note(node, |ailments| ailments.paused = true);
            }
            Order::Resume => {
                broker.resume();
                self.note(node, |ailments| ailments.paused = false);
            }
            Order::Slow(by) => {
                broker.slow(by);
                self.note(node, |ailments| ailments.slow = by);
            }
            Order::CutOff => {
                broker.cut_off();
                self.note(node, |ailments| ailments.cut_off = true);
            }
            Order::Rejoin => {
                broker.rejoin();
                self.note(node, |ailments| ailments.cut_off = false);
            }
            Order::Heal => {
                broker.heal();
                broker.rejoin();
                if self.lock().get(node).is_some_and(|ailments| ailments.paused) {
                    broker.resume();
                }
                self.note(node, |ailments| *ailments = Ailments::default());
            }
            Order::Stale | Order::DropAnswers | Order::Busy | Order::HalfAnswer => {
                return Err(Failure::Unable);
            }
        }
        Ok(())
    }

    async fn on_name_server(
        &self,
        node: &str,
        server: &NameServerHandle,
        order: Order,
    ) -> Result<(), Failure> {
        let change: fn(&mut Ailments, Duration) = match order {
            Order::Kill => {
                server.kill().await;
                return Ok(());
            }
            Order::Restart if server.is_up().await => return Ok(()),
            Order::Restart => {
                server.restart_empty().await?;
                |ailments, _| ailments.paused = false
            }
            Order::Pause => {
                server.pause();
                |ailments, _| ailments.paused = true
            }
            Order::Resume => {
                server.resume();
                |ailments, _| ailments.paused = false
            }
            Order::Slow(_) => |ailments, by| ailments.slow = by,
            Order::Stale => |ailments, _| ailments.stale = true,
            Order::Heal => {
                if self.lock().get(node).is_some_and(|ailments| ailments.paused) {
                    server.resume();
                }
                |ailments, _| *ailments = Ailments::default()
            }
            _ => return Err(Failure::Unable),
        };
        let by = if let Order::Slow(by) = order { by } else { Duration::ZERO };
        let now = self.note(node, |ailments| change(ailments, by));
        server.fault(NameServerFaults { delay: now.slow, stale: now.stale, silent: false });
        Ok(())
    }

    fn note(&self, node: &str, change: impl FnOnce(&mut Ailments)) -> Ailments {
        let mut all = self.lock();
        let ailments = all.entry(node.to_owned()).or_default();
        change(ailments);
        *ailments
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Ailments>> {
        self.ailments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
