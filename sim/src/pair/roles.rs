//! Who is master, who is slave, and whose log counts?

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::node::{Power, Server};
use super::steps::broker_number;
use super::{Pair, note};
use crate::history::{CutFromLog, History, Stored};
use crate::model::broker::{Broker, Cut, Message, Why};
use crate::plan::{FaultKind, Heard, Plan, Tail};

impl Pair {
    /// The number of an epoch that no log has.
    pub(super) fn next_epoch(&mut self) -> i64 {
        self.epochs += 1;
        self.epochs
    }

    /// The other one of a master and its slave, if there are two.
    pub(super) fn partner(&self, node: usize) -> Option<usize> {
        partner(&self.plan, node)
    }

    /// Begins or ends a fault of the roles of a master and its slave.
    pub(super) fn apply_to_roles(&mut self, at: usize, node: usize, kind: FaultKind, begins: bool) {
        let Some(number) = self.broker_number(node) else { return };
        let master = self.masters[number];
        let Some(slave) = self.partner(master) else { return };
        match kind {
            FaultKind::Promote { tail, silent, .. } if begins => {
                if tail == Tail::Kept {
                    self.catch_up(slave, master);
                }
                self.progress[at].node = Some(master);
                self.outage(master, if silent { Power::Off } else { Power::Crashed }, true);
            }
            FaultKind::Promote { .. } => {
                if let Some(lost) = self.progress[at].node {
                    self.outage(lost, Power::Crashed, false);
                }
            }
            FaultKind::Swap if begins => {
                let changed = self.change_places(master, slave);
                self.progress[at].node = changed.then_some(slave);
            }
            FaultKind::Swap if self.progress[at].node == Some(master) => {
                self.change_places(master, slave);
            }
            FaultKind::ActingMaster => self.let_slave_act(at, master, begins),
            FaultKind::SplitBrain { heard } => self.split(at, (master, slave), heard, begins),
            _ => {}
        }
    }

    /// The slave of a master that is gone becomes master.
    pub(super) fn promote(&mut self, at: usize) {
        let Some(lost) = self.progress[at].node else { return };
        let (Some(number), Some(slave)) = (self.broker_number(lost), self.partner(lost)) else {
            return;
        };
        if self.masters[number] == lost && self.nodes[slave].power == Power::Up {
            self.make_master(slave, true);
            self.make_slave(lost);
        }
    }

    /// Slave and master change places; false if one of them is down.
    fn change_places(&mut self, master: usize, slave: usize) -> bool {
        if [master, slave].iter().any(|node| self.nodes[*node].power != Power::Up) {
            return false;
        }
        self.catch_up(slave, master);
        self.make_master(slave, true);
        self.make_slave(master);
        true
    }

    /// A node becomes master; `elected` if the other one is not any more.
    fn make_master(&mut self, node: usize, elected: bool) {
        note!(self, "{} is master", self.nodes[node].name);
        let (now, epoch) = (self.now, self.next_epoch());
        if elected && let Some(number) = self.broker_number(node) {
            self.masters[number] = node;
        }
        if let Some(broker) = self.nodes[node].broker() {
            let state = if elected { epoch } else { broker.state() };
            broker.become_master(now, epoch, state);
        }
        self.drain_if_up(node);
    }

    /// A node becomes the slave of the other one.
    fn make_slave(&mut self, node: usize) {
        note!(self, "{} is slave", self.nodes[node].name);
        let now = self.now;
        let Some(master) = self.partner(node) else { return };
        let address = self.nodes[master].address.clone();
        if let Some(broker) = self.nodes[node].broker() {
            broker.become_slave(now, &address);
        }
        self.drain_if_up(node);
    }

    /// The slave of a master that has moved follows it.
    pub(super) fn slave_follows(&mut self, master: usize) {
        let is_master = self.masters.contains(&master);
        if let Some(slave) = self.partner(master).filter(|_| is_master) {
            self.make_slave(slave);
        }
    }

    /// The slave gets what it lacks at once.
    fn catch_up(&mut self, slave: usize, master: usize) {
        let split = self.nodes.split_at_mut(slave.max(master));
        let (low, high) = (&mut split.0[slave.min(master)], &mut split.1[0]);
        let (slave, master) = if slave < master { (low, high) } else { (high, low) };
        if let (Server::Broker(slave), Server::Broker(master)) = (&mut slave.server, &master.server)
        {
            slave.catch_up_with(master);
        }
    }

    fn let_slave_act(&mut self, at: usize, master: usize, begins: bool) {
        let now = self.now;
        let lost = *self.progress[at].node.get_or_insert(master);
        for node in [Some(lost), self.partner(lost)].into_iter().flatten() {
            if let Some(broker) = self.nodes[node].broker() {
                broker.let_slaves_act(now, begins);
            }
            self.drain_if_up(node);
        }
        self.outage(lost, Power::Crashed, begins);
    }

    fn split(&mut self, at: usize, (master, slave): (usize, usize), heard: Heard, begins: bool) {
        if begins {
            if self.nodes[slave].power == Power::Up && !self.is_split(slave) {
                self.progress[at].node = Some(slave);
                if let Some(broker) = self.nodes[slave].broker() {
                    broker.register_with_half(heard == Heard::Half);
                }
                self.make_master(slave, false);
            }
        } else if let Some(usurper) = self.progress[at].node {
            if let Some(broker) = self.nodes[usurper].broker() {
                broker.register_with_half(false);
            }
            // Who was elected meanwhile stays.
            if usurper != master {
                self.make_slave(usurper);
            }
        }
    }

    fn is_split(&self, slave: usize) -> bool {
        self.nodes[slave].as_broker().is_some_and(|broker| broker.config().id == 0)
    }

    /// Writes down what is in the logs of the masters, and what was in any log and is in them no
    /// more.
    pub(super) fn read_logs(&mut self) {
        for &master in &self.masters {
            let members = [Some(master), self.partner(master)].into_iter().flatten();
            let logs = members.filter_map(|member| self.nodes[member].as_broker());
            read_logs(&mut self.history, logs.map(Log::of).collect());
        }
    }
}

/// The other one of a master and its slave, if there are two.
pub(crate) fn partner(plan: &Plan, node: usize) -> Option<usize> {
    let cluster = &plan.cluster;
    let number = broker_number(plan, node)?;
    let first = usize::from(cluster.name_servers) + number;
    let second = first + usize::from(cluster.brokers);
    let is_pair = number < usize::from(cluster.slaves);
    is_pair.then_some(if node == first { second } else { first })
}

/// What a broker has, and had.
pub(crate) struct Log {
    broker: String,
    messages: Vec<Message>,
    cuts: Vec<Cut>,
}

impl Log {
    pub(crate) fn of(broker: &Broker) -> Self {
        Self {
            broker: broker.config().name.clone(),
            messages: broker.messages(),
            cuts: broker.cuts().to_vec(),
        }
    }
}

/// Writes down the log of a master, which comes first, and what was in it or its slave's and is in
/// it no more.
pub(crate) fn read_logs(history: &mut History, mut logs: Vec<Log>) {
    if logs.is_empty() {
        return;
    }
    let Log { broker, messages: stored, cuts: mut gone } = logs.remove(0);
    for Log { messages, cuts, .. } in logs {
        gone.extend(cuts);
        gone.extend(messages.into_iter().map(|message| Cut { message, why: Why::NotCopied }));
    }
    let left = without(gone, &stored);
    let cut = |Cut { message, why }| CutFromLog { broker: broker.clone(), message, why };
    history.cuts.extend(left.into_iter().map(cut));
    history.stored.reserve(stored.len());
    let stored = stored.into_iter().map(|message| Stored { broker: broker.clone(), message });
    history.stored.extend(stored);
}

/// What is gone and is not stored, once each, for the best reason that there is.
fn without(gone: Vec<Cut>, stored: &[Message]) -> Vec<Cut> {
    if gone.is_empty() {
        return Vec::new();
    }
    let stored: BTreeSet<Identity<'_>> = stored.iter().map(identity).collect();
    let mut left: BTreeMap<Identity<'_>, (&Message, Why)> = BTreeMap::new();
    for Cut { message, why } in &gone {
        if !stored.contains(&identity(message)) {
            let known = left.entry(identity(message)).or_insert((message, *why));
            known.1 = known.1.max(*why);
        }
    }
    let left = left.into_values();
    left.map(|(message, why)| Cut { message: message.clone(), why }).collect()
}

/// By what copies of one stored message are known to be the same.
type Identity<'m> = (i64, SocketAddr, i64, &'m str);

fn identity(message: &Message) -> Identity<'_> {
    let id = message.uniq_key().unwrap_or("");
    (message.physical_offset, message.store_host, message.store_timestamp, id)
}

/// Begins or ends the time in which a broker is a slave by itself, beside the slave it may have.
pub(crate) fn demote(broker: &mut Broker, now: producer_core::Instant, begins: bool) {
    match (begins, broker.config().id) {
        (true, 0) => broker.set_id(now, DEMOTED),
        (false, DEMOTED) => broker.set_id(now, 0),
        _ => {}
    }
}

/// Id of a master that is demoted.
const DEMOTED: i64 = 2;
