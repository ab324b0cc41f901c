//! A real Apache RocketMQ for tests: start it, hurt it, read back what it stored, stop it.
//!
//! ```no_run
//! use tests::cluster::{Cluster, Release, Topic};
//!
//! let cluster = Cluster::builder(Release::V5_4_0).master("a").start()?;
//! cluster.create_topic(&Topic::new("orders", 4))?;
//! cluster.master("a")?.kill();
//! cluster.master("a")?.restart()?;
//! assert!(cluster.read_back("orders")?.is_empty());
//! # Ok::<(), tests::cluster::Error>(())
//! ```
//!
//! It needs a JDK 17 and Maven; the jars are kept in the user's cache folder, or in
//! `$ROCKETMQ_PRODUCER_CACHE`. Every wait has a limit, and every process dies with the test.

mod bridge;
mod builder;
mod error;
mod home;
mod interop_wait;
pub mod java;
mod jvm;
mod members;
mod mqadmin;
mod node;
mod port;
mod process;
pub mod raw;
mod release;
pub mod session;
mod stored;
mod topic;

use std::fmt;
use std::time::Duration;

pub use bridge::Bridged;
pub use builder::{BrokerSpec, Builder, ServerTls};
pub use error::{Error, Result};
pub use members::public_members;
pub use mqadmin::mqadmin;
pub use node::{Node, Role};
pub use release::{Release, jars};
pub use stored::Stored;
pub use topic::{Topic, create_at, read_from};

use home::Home;
use interop_wait::wait_for;
pub(crate) use interop_wait::wait_for as within;

/// A running cluster. Dropping it kills all nodes and removes their files; if the test panics it
/// first prints the end of their logs.
#[derive(Debug)]
pub struct Cluster {
    bridge: Option<Bridged>,
    name_servers: Vec<Node>,
    brokers: Vec<Node>,
    release: Release,
    // Last, so that it is removed after the nodes are dead.
    home: Home,
}

impl Cluster {
    /// Describe it, then [`Builder::start`] it.
    pub fn builder(release: Release) -> Builder {
        Builder::new(release)
    }

    /// What runs.
    pub fn release(&self) -> Release {
        self.release
    }

    /// `ip:port;ip:port`, as Java clients take it.
    pub fn name_server_list(&self) -> String {
        let addresses = self.name_servers.iter().map(|node| node.address().to_string());
        addresses.collect::<Vec<_>>().join(";")
    }

    /// What stands before it, if it was [asked for](Builder::bridged).
    pub fn bridge(&self) -> Option<&Bridged> {
        self.bridge.as_ref()
    }

    /// The n-th name server.
    pub fn name_server(&self, nth: usize) -> Result<&Node> {
        self.name_servers.get(nth).ok_or_else(|| Error::new(format!("no name server {nth}")))
    }

    /// The master of that name.
    pub fn master(&self, name: &str) -> Result<&Node> {
        self.broker(name, 0)
    }

    /// A broker by name and id; slaves count from 1.
    pub fn broker(&self, name: &str, id: i64) -> Result<&Node> {
        let role = Role::Broker { name: name.to_owned(), id };
        let found = self.brokers.iter().find(|node| *node.role() == role);
        found.ok_or_else(|| Error::new(format!("no broker {}", role.label())))
    }

    /// All nodes, name servers first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.name_servers.iter().chain(&self.brokers)
    }

    /// Waits until every live broker is known to every live name server, and makes brokers
    /// register at once instead of within 30 s. For use after a name server came back.
    pub fn wait_registered(&self) -> Result<()> {
        self.brokers.iter().filter(|node| node.is_live()).try_for_each(Node::wait_registered)
    }

    /// Creates or changes a topic on the masters it names, and waits until all live name servers
    /// show it there.
    pub fn create_topic(&self, topic: &Topic) -> Result<()> {
        for (broker, node) in self.live_masters() {
            if topic.is_on(broker) {
                topic.create_on(&mut node.client()?)?;
                for server in self.name_servers.iter().filter(|server| server.is_live()) {
                    topic.wait_visible(&mut server.client()?, broker)?;
                }
            }
        }
        Ok(())
    }

    /// Every message of a topic, from every queue of every live master, ordered by broker, queue
    /// and offset. A message may take some milliseconds to appear after its answer: see
    /// [`Cluster::read_back_when`].
    pub fn read_back(&self, topic: &str) -> Result<Vec<Stored>> {
        let mut messages = Vec::new();
        for (broker, node) in self.live_masters() {
            messages.append(&mut topic::read(&mut node.client()?, broker, topic)?);
        }
        Ok(messages)
    }

    /// As [`Cluster::read_back`], once there are `count` messages; what there is after five
    /// seconds if they do not come.
    pub fn read_back_when(&self, topic: &str, count: usize) -> Result<Vec<Stored>> {
        let enough = wait_for(Duration::from_secs(5), || {
            let messages = self.read_back(topic)?;
            Ok((messages.len() >= count).then_some(messages))
        })?;
        enough.map_or_else(|| self.read_back(topic), Ok)
    }

    /// The last lines of all logs.
    pub fn log_tails(&self) -> String {
        self.nodes().map(Node::log_tail).collect::<Vec<_>>().join("\n")
    }

    fn live_masters(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.brokers.iter().filter_map(|node| match node.role() {
            Role::Broker { name, id: 0 } if node.is_live() => Some((name.as_str(), node)),
            _ => None,
        })
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes().map(|node| format!("{} at {}", node.label(), node.address()));
        write!(f, "{} in {}", nodes.collect::<Vec<_>>().join(", "), self.home.path().display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log_tails());
        }
    }
}
