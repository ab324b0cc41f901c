//! What a cluster consists of, and how it is started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::bridge::Bridged;
use super::home::Home;
use super::jvm::TLS;
use super::node::{Node, Plan, Role};
use super::port::Ports;
use super::release::{cache, create, jars, lock, require_java, say, write};
use super::{Cluster, Error, Release, Result};

/// Describes a [`Cluster`]: one name server unless told otherwise, and no broker.
#[derive(Clone, Debug)]
pub struct Builder {
    release: Release,
    name_servers: usize,
    name_server_config: Vec<(String, String)>,
    brokers: Vec<BrokerSpec>,
    tls: Option<ServerTls>,
    bridged: bool,
    /// Files of every node's home: path and content.
    files: Vec<(&'static str, String)>,
}

/// What servers that speak TLS show, in PEM.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Their certificate, for 127.0.0.1.
    pub certificate: String,
    /// Its key, PKCS#8.
    pub key: String,
    /// Who must have signed the certificates of clients, which then must have one.
    pub clients: Option<String>,
}

/// Describes one broker.
#[derive(Clone, Debug)]
pub struct BrokerSpec {
    name: String,
    is_slave: bool,
    config: Vec<(String, String)>,
}

impl BrokerSpec {
    /// An ASYNC_MASTER that flushes asynchronously.
    pub fn master(name: &str) -> Self {
        Self { name: name.to_owned(), is_slave: false, config: Vec::new() }
    }

    /// A slave of the master of that name.
    pub fn slave(name: &str) -> Self {
        Self { is_slave: true, ..Self::master(name) }
    }

    /// Adds a line to the configuration file, or replaces the harness's own.
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.config.push((key.to_owned(), value.to_owned()));
        self
    }
}

impl ServerTls {
    fn write(&self, home: &Path) -> Result<()> {
        let file = |name: &str, content: &str| {
            let path = home.join(name);
            write(&path, content).map(|()| path.display().to_string())
        };
        let mut lines = vec![
            "tls.test.mode.enable=false".to_owned(),
            format!("tls.server.certPath={}", file("server.pem", &self.certificate)?),
            format!("tls.server.keyPath={}", file("server.key", &self.key)?),
        ];
        if let Some(clients) = &self.clients {
            lines.push("tls.server.need.client.auth=require".to_owned());
            lines.push("tls.server.authClient=true".to_owned());
            lines.push(format!("tls.server.trustCertPath={}", file("clients.pem", clients)?));
        }
        file(TLS, &(lines.join("\n") + "\n")).map(drop)
    }
}

impl Builder {
    pub(super) fn new(release: Release) -> Self {
        Self {
            release,
            name_servers: 1,
            name_server_config: Vec::new(),
            brokers: Vec::new(),
            tls: None,
            bridged: false,
            files: Vec::new(),
        }
    }

    /// What will run.
    pub fn release(&self) -> Release {
        self.release
    }

    /// How many name servers; brokers register with each.
    pub fn name_servers(mut self, count: usize) -> Self {
        self.name_servers = count;
        self
    }

    /// Adds a line to the configuration file of every name server.
    pub fn name_server_config(mut self, key: &str, value: &str) -> Self {
        self.name_server_config.push((key.to_owned(), value.to_owned()));
        self
    }

    /// All nodes speak TLS and plain on one port, as by default, but with this certificate.
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Producers of tests reach it through a bridge.
    pub fn bridged(mut self) -> Self {
        self.bridged = true;
        self
    }

    /// Puts a file into every node's home (`ROCKETMQ_HOME`).
    pub fn file(mut self, path: &'static str, content: &str) -> Self {
        self.files.push((path, content.to_owned()));
        self
    }

    /// Adds a broker.
    pub fn broker(mut self, spec: BrokerSpec) -> Self {
        self.brokers.push(spec);
        self
    }

    /// Adds a master with default settings.
    pub fn master(self, name: &str) -> Self {
        self.broker(BrokerSpec::master(name))
    }

    /// Adds a slave with default settings.
    pub fn slave(self, name: &str) -> Self {
        self.broker(BrokerSpec::slave(name))
    }

    /// Starts all nodes at once and returns when every broker is registered with every name
    /// server. Starts anew, with other ports, if another program took one of them meanwhile.
    pub fn start(&self) -> Result<Cluster> {
        require_java()?;
        // One cluster at a time on this machine: starting takes all cores there are.
        let _turn = lock(&cache()?.join("start.lock"), TURN_LIMIT)?;
        let mut attempts = 3;
        loop {
            attempts -= 1;
            match self.start_once() {
                Err(error) if error.is_port_taken() && attempts > 0 => {}
                other => return other,
            }
        }
    }

    fn start_once(&self) -> Result<Cluster> {
        let jars = jars(self.release)?;
        let home = Home::create()?;
        let plan = |role: Role, config, name_servers, ports| {
            let home = home.folder(&role.label())?;
            if let Some(tls) = &self.tls {
                tls.write(&home)?;
            }
            for (path, content) in &self.files {
                let path = home.join(path);
                if let Some(folder) = path.parent() {
                    create(folder)?;
                }
                write(&path, content)?;
            }
            let (release, jars) = (self.release, jars.clone());
            Node::start(Plan { role, release, jars, home, config, name_servers, ports })
        };
        let mut name_servers = Vec::new();
        for nth in 0..self.name_servers {
            let config = self.name_server_settings();
            name_servers.push(plan(Role::NameServer(nth), config, Vec::new(), Ports::take()?)?);
        }
        let addresses: Vec<_> = name_servers.iter().map(Node::address).collect();
        let mut brokers: Vec<Node> = Vec::new();
        for spec in &self.brokers {
            let id = self.next_id(spec, &brokers)?;
            let role = Role::Broker { name: spec.name.clone(), id };
            let store = home.path().join(role.label()).join("store").display().to_string();
            let config = spec.settings(id, &store, &addresses);
            brokers.push(plan(role, config, addresses.clone(), Ports::take()?)?);
        }
        let release = self.release;
        let mut cluster = Cluster { bridge: None, name_servers, brokers, home, release };
        cluster.nodes().try_for_each(Node::wait_serving)?;
        cluster.wait_registered()?;
        if self.bridged {
            cluster.bridge = Some(Bridged::start(&cluster.name_server_list())?);
        }
        say(format_args!("Apache RocketMQ {} runs: {cluster}", self.release));
        Ok(cluster)
    }

    /// 0 for a master, else one more than the slaves of that name so far.
    fn next_id(&self, spec: &BrokerSpec, so_far: &[Node]) -> Result<i64> {
        let is_taken = |id| {
            let role = Role::Broker { name: spec.name.clone(), id };
            so_far.iter().any(|node| *node.role() == role)
        };
        let first = i64::from(spec.is_slave);
        let id = (first..).find(|id| !is_taken(*id)).expect("there are endless numbers");
        match spec.is_slave || id == 0 {
            true => Ok(id),
            false => Err(Error::new(format!("two masters are called {}", spec.name))),
        }
    }

    fn name_server_settings(&self) -> BTreeMap<String, String> {
        let mut settings = self.loopback_only();
        settings.extend(self.name_server_config.iter().cloned());
        settings
    }

    /// 4.9.7 does not know the key and listens everywhere.
    fn loopback_only(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("bindAddress".to_owned(), "127.0.0.1".to_owned())])
    }
}

impl BrokerSpec {
    fn settings(&self, id: i64, store: &str, addresses: &[SocketAddr]) -> BTreeMap<String, String> {
        let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        let own = [
            ("brokerClusterName", "DefaultCluster"),
            ("brokerName", &self.name),
            ("brokerId", &id.to_string()),
            ("brokerRole", if self.is_slave { "SLAVE" } else { "ASYNC_MASTER" }),
            ("flushDiskType", "ASYNC_FLUSH"),
            ("namesrvAddr", &addresses.join(";")),
            ("brokerIP1", "127.0.0.1"),
            ("brokerIP2", "127.0.0.1"),
            ("bindAddress", "127.0.0.1"),
            ("storePathRootDir", store),
            ("storePathCommitLog", &format!("{store}/commitlog")),
            // Small files: a fresh store then takes 4 MB of disk.
            ("mappedFileSizeCommitLog", "16777216"),
            ("mappedFileSizeConsumeQueue", "600000"),
            ("maxHashSlotNum", "10000"),
            ("maxIndexNum", "40000"),
            ("mappedFileSizeTimerLog", "1048576"),
            ("diskMaxUsedSpaceRatio", "95"),
            ("autoCreateTopicEnable", "true"),
            // A thread of 5.4.0 spins for this long after the start, 10 s by default.
            ("transactionMetricFlushInterval", "500"),
            // Costs a third of a core for ever; tests of timers turn it on.
            ("timerWheelEnable", "false"),
        ];
        let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
        own.into_iter().chain(self.config.iter().cloned()).collect()
    }
}

const TURN_LIMIT: Duration = Duration::from_secs(600);
