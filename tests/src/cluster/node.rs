//! One name server or broker: a JVM of its own with its files, ports and settings, and what a test
//! can do to it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use producer_core::wire::Fields;
use producer_core::wire::code::request::{
    GET_BROKER_CLUSTER_INFO, GET_BROKER_CONFIG, UPDATE_BROKER_CONFIG,
};

use super::home::tail;
use super::interop_wait::wait_for;
use super::jvm;
use super::port::Ports;
use super::process::{Process, Signal};
use super::raw::Client;
use super::release::write;
use super::{Error, Release, Result};

/// A name server or a broker of a [`Cluster`](super::Cluster). All methods take `&self`, so one
/// thread can hurt a node while another sends.
#[derive(Debug)]
pub struct Node {
    role: Role,
    release: Release,
    jars: PathBuf,
    home: PathBuf,
    /// What goes into the configuration file, without the ports.
    config: BTreeMap<String, String>,
    /// Where a broker registers; empty for a name server.
    name_servers: Vec<SocketAddr>,
    state: Mutex<State>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The n-th name server.
    NameServer(usize),
    /// A broker of that name; id 0 is the master.
    Broker {
        /// The broker name, shared by a master and its slaves.
        name: String,
        /// 0 for the master, 1 and up for slaves.
        id: i64,
    },
}

#[derive(Debug)]
struct State {
    ports: Ports,
    process: Option<Process>,
    is_frozen: bool,
    /// Settings changed at run time: lost by a restart, which writes the file anew.
    updates: BTreeMap<String, String>,
}

/// How a new node is made; the cluster's builder fills it.
pub(super) struct Plan {
    pub(super) role: Role,
    pub(super) release: Release,
    pub(super) jars: PathBuf,
    pub(super) home: PathBuf,
    pub(super) config: BTreeMap<String, String>,
    pub(super) name_servers: Vec<SocketAddr>,
    pub(super) ports: Ports,
}

impl Node {
    /// Starts the JVM and does not wait for it.
    pub(super) fn start(plan: Plan) -> Result<Self> {
        let Plan { role, release, jars, home, config, name_servers, ports } = plan;
        let state = State { ports, process: None, is_frozen: false, updates: BTreeMap::new() };
        let state = Mutex::new(state);
        let node = Self { role, release, jars, home, config, name_servers, state };
        jvm::write_logback(release, &node.home)?;
        node.launch(&mut node.state())?;
        Ok(node)
    }

    /// SIGKILL: dead when this returns. What it had acknowledged is there after a restart.
    pub fn kill(&self) {
        self.state().process = None;
    }

    /// SIGSTOP: connections stay open and nothing is answered. After [`Node::thaw`] the requests
    /// that waited in its sockets are stored and answered.
    pub fn freeze(&self) -> Result<()> {
        let mut state = self.state();
        self.running(&state)?.signal(Signal::Stop)?;
        state.is_frozen = true;
        Ok(())
    }

    /// SIGCONT.
    pub fn thaw(&self) -> Result<()> {
        let mut state = self.state();
        self.running(&state)?.signal(Signal::Cont)?;
        state.is_frozen = false;
        Ok(())
    }

    /// The graceful stop as far as clients see it: SIGTERM, 0.3 s to unregister and close the
    /// port, then SIGKILL, for a broker takes 7 to 17 s to end by itself. A 4.9.7 broker leaves
    /// the route only by the SIGKILL.
    pub fn terminate(&self) -> Result<()> {
        self.terminate_within(TERM_LIMIT)
    }

    /// As [`Node::terminate`], with more or less time before the SIGKILL.
    pub fn terminate_within(&self, limit: Duration) -> Result<()> {
        let mut state = self.state();
        self.running(&state)?.signal(Signal::Term)?;
        let process = state.process.take();
        drop(state);
        if let Some(mut process) = process {
            wait_for(limit, || Ok(process.exit_status()))?;
        }
        Ok(())
    }

    /// Starts it again (after SIGKILL, if it runs) with the same files and port, and waits until
    /// it serves; a broker until every live name server knows it. Settings made by
    /// [`Node::update_config`] are gone. A name server comes back without routes:
    /// [`Cluster::wait_registered`](super::Cluster::wait_registered) fills it.
    pub fn restart(&self) -> Result<()> {
        self.launch(&mut self.state())?;
        self.wait_serving()?;
        self.wait_registered()
    }

    /// As [`Node::restart`], with another port. Only for brokers, which announce it themselves.
    pub fn restart_on_another_port(&self) -> Result<()> {
        if matches!(self.role, Role::NameServer(_)) {
            return Err(Error::new("brokers would not find a name server on another port"));
        }
        let ports = Ports::take()?;
        let mut state = self.state();
        state.process = None;
        state.ports = ports;
        drop(state);
        self.restart()
    }

    /// Changes a setting of a running broker (code 25), effective at once. Any key is accepted,
    /// unknown ones too. `listenPort` and `brokerIP1` change only what the broker announces.
    pub fn update_config(&self, key: &str, value: &str) -> Result<()> {
        // Brokers register when this setting is written, whatever its value: the route follows
        // at once and not at the next 30 s turn.
        let permission = self.setting("brokerPermission").unwrap_or_else(|| "6".to_owned());
        let body = match key {
            "brokerPermission" => format!("{key}={value}\n"),
            _ => format!("{key}={value}\nbrokerPermission={permission}\n"),
        };
        self.client()?.call(UPDATE_BROKER_CONFIG, &Fields::new(), body.as_bytes())?.ok()?;
        self.state().updates.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Makes a broker register with its name servers now.
    pub fn poke(&self) -> Result<()> {
        let permission = self.setting("brokerPermission").unwrap_or_else(|| "6".to_owned());
        let body = format!("brokerPermission={permission}\n");
        self.client()?.call(UPDATE_BROKER_CONFIG, &Fields::new(), body.as_bytes())?.ok().map(drop)
    }

    /// A new connection to it.
    pub fn client(&self) -> Result<Client> {
        Client::connect(self.address())
    }

    /// What it is.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// `namesrv-0`, `a-0`: also the name of its folder.
    pub fn label(&self) -> String {
        self.role.label()
    }

    /// Where it listens, whatever it announces.
    pub fn address(&self) -> SocketAddr {
        self.state().ports.address()
    }

    /// The process id, `None` when it is down.
    pub fn pid(&self) -> Option<u32> {
        self.state().process.as_ref().map(Process::pid)
    }

    /// Running and not frozen.
    pub fn is_live(&self) -> bool {
        let mut state = self.state();
        let runs = state.process.as_mut().is_some_and(|process| process.exit_status().is_none());
        runs && !state.is_frozen
    }

    /// The last lines of what it logged and printed.
    pub fn log_tail(&self) -> String {
        let mut text = format!("--- {} {} ---", self.label(), self.release);
        for file in ["server.log", STDOUT, STDERR] {
            text += &format!("\n[{file}]\n{}", tail(&self.home.join(file)));
        }
        text
    }

    /// Waits until the port answers.
    pub(super) fn wait_serving(&self) -> Result<()> {
        // Any answer will do, but a 4.9.7 name server gives none to a code it does not know.
        let code = match self.role {
            Role::NameServer(_) => GET_BROKER_CLUSTER_INFO,
            Role::Broker { .. } => GET_BROKER_CONFIG,
        };
        let served = wait_for(START_LIMIT, || {
            self.check_started()?;
            let asked = Client::connect_within(self.address(), ANSWER_LIMIT)
                .and_then(|mut client| client.call(code, &Fields::new(), &[]));
            Ok(asked.ok())
        })?;
        // A broker whose VIP or replication port is taken may answer and yet be broken.
        self.check_started()?;
        served.map(drop).ok_or_else(|| self.failure(format_args!("not ready in {START_LIMIT:?}")))
    }

    /// Waits until every live name server has the broker under its id and address, and pokes it
    /// meanwhile: 5.4.0 loses one first registration in six and tries again only after 10 s.
    pub(super) fn wait_registered(&self) -> Result<()> {
        let Role::Broker { name, id } = &self.role else { return Ok(()) };
        let announced = self.announced();
        let mut last_poke = Instant::now();
        let known = wait_for(START_LIMIT, || {
            self.check_alive()?;
            if self.name_servers.iter().all(|server| knows(*server, name, *id, &announced)) {
                return Ok(Some(()));
            }
            if last_poke.elapsed() > POKE_INTERVAL {
                // A broker that does not answer yet is poked again.
                let _ = self.poke();
                last_poke = Instant::now();
            }
            Ok(None)
        })?;
        known.ok_or_else(|| self.failure(format_args!("not registered in {START_LIMIT:?}")))
    }

    fn launch(&self, state: &mut State) -> Result<()> {
        state.process = None;
        state.is_frozen = false;
        state.updates.clear();
        // Unpacked or generated at each start, left behind by a kill.
        for entry in fs::read_dir(&self.home).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("librocksdbjni") || name.starts_with("keyutil_") {
                let _ = fs::remove_file(entry.path());
            }
        }
        let config = self.home.join("node.conf");
        write(&config, &self.config_text(&state.ports))?;
        let mut java = Command::new("java");
        jvm::server_flags(self.release, &self.jars, &self.home, &mut java);
        match self.role {
            Role::NameServer(_) => java.args(["-Xms8m", "-Xmx64m", NAME_SERVER]),
            // Each thread that stores has a buffer of 4 MiB off the heap; without one, timers stop.
            Role::Broker { .. } => {
                // A disk that is nearly full is no reason to store nothing of a test.
                java.args([
                    "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
                    "-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.99",
                    "-Xms16m",
                    "-Xmx128m",
                    "-XX:MaxDirectMemorySize=512m",
                    BROKER,
                ])
            }
        };
        java.arg("-c").arg(config).env("ROCKETMQ_HOME", &self.home).env_remove("NAMESRV_ADDR");
        java.current_dir(&self.home);
        let process = Process::start(java, &self.home.join(STDOUT), &self.home.join(STDERR))?;
        state.process = Some(process);
        Ok(())
    }

    fn config_text(&self, ports: &Ports) -> String {
        let mut config = self.config.clone();
        config.insert("listenPort".to_owned(), ports.address().port().to_string());
        if matches!(self.role, Role::Broker { .. }) {
            config.insert("haListenPort".to_owned(), ports.replication().to_string());
        }
        config.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }

    fn check_alive(&self) -> Result<()> {
        let ended = match self.state().process.as_mut() {
            Some(process) => process.exit_status(),
            None => return Err(Error::new(format!("{} is down", self.label()))),
        };
        match ended {
            None => Ok(()),
            Some(status) => Err(self.failure(format_args!("ended with {status}"))),
        }
    }

    /// A JVM that failed to bind a port lives on without serving, so what it printed counts too.
    fn check_started(&self) -> Result<()> {
        self.check_alive()?;
        for file in [STDOUT, STDERR] {
            let printed = fs::read_to_string(self.home.join(file)).unwrap_or_default();
            if printed.contains("Exception") || printed.contains("Lock failed") {
                return Err(self.failure(format_args!("failed at start")));
            }
        }
        Ok(())
    }

    fn failure(&self, what: std::fmt::Arguments<'_>) -> Error {
        Error::new(format!("{} {what}\n{}", self.label(), self.log_tail()))
    }

    fn running<'a>(&self, state: &'a State) -> Result<&'a Process> {
        state.process.as_ref().ok_or_else(|| Error::new(format!("{} is down", self.label())))
    }

    /// The address that the broker tells name servers.
    fn announced(&self) -> String {
        let own = self.address();
        let ip = self.setting("brokerIP1").unwrap_or_else(|| own.ip().to_string());
        let port = self.setting("listenPort").unwrap_or_else(|| own.port().to_string());
        format!("{ip}:{port}")
    }

    fn setting(&self, key: &str) -> Option<String> {
        self.state().updates.get(key).or_else(|| self.config.get(key)).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Role {
    pub(super) fn label(&self) -> String {
        match self {
            Self::NameServer(nth) => format!("namesrv-{nth}"),
            Self::Broker { name, id } => format!("{name}-{id}"),
        }
    }
}

/// True also for a name server that is down or frozen: nothing can register there.
fn knows(name_server: SocketAddr, broker: &str, id: i64, announced: &str) -> bool {
    let asked = Client::connect_within(name_server, ANSWER_LIMIT)
        .and_then(|mut client| client.cluster_info());
    let Ok(info) = asked else { return true };
    let data = info.brokers.iter().find(|(name, _)| name == broker);
    data.is_some_and(|(_, data)| data.address(id) == Some(announced))
}

const NAME_SERVER: &str = "org.apache.rocketmq.namesrv.NamesrvStartup";
const BROKER: &str = "org.apache.rocketmq.broker.BrokerStartup";
const STDOUT: &str = "stdout";
const STDERR: &str = "stderr";
const TERM_LIMIT: Duration = Duration::from_millis(300);
const START_LIMIT: Duration = Duration::from_secs(60);
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
const POKE_INTERVAL: Duration = Duration::from_millis(150);
