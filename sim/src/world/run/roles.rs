//! Who is master, who is slave, and whose log counts? As on the pair level.

use std::rc::Rc;

use super::Stage;
use super::board::note;
use crate::model::broker::Broker;
use crate::pair::node::{Power, Server};
use crate::pair::roles::{Log, partner, read_logs};
use crate::pair::steps::broker_number;
use crate::plan::{FaultKind, Heard, Tail};

impl Stage {
    /// The number of an epoch that no log has.
    pub(super) fn next_epoch(&self) -> i64 {
        self.epochs.set(self.epochs.get() + 1);
        self.epochs.get()
    }

    pub(super) fn partner(&self, node: usize) -> Option<usize> {
        partner(&self.plan, node)
    }

    /// Begins or ends a fault of the roles of a master and its slave.
    pub(super) fn apply_to_roles(
        self: &Rc<Self>,
        at: usize,
        node: usize,
        kind: FaultKind,
        begins: bool,
    ) {
        let Some(number) = broker_number(&self.plan, node) else { return };
        let master = self.masters.borrow()[number];
        let Some(slave) = self.partner(master) else { return };
        let changed = self.progress.borrow()[at].node;
        match kind {
            FaultKind::Promote { tail, silent, .. } if begins => {
                if tail == Tail::Kept {
                    self.catch_up(slave, master);
                }
                self.progress.borrow_mut()[at].node = Some(master);
                self.outage(master, if silent { Power::Off } else { Power::Crashed }, true);
            }
            FaultKind::Promote { .. } => {
                if let Some(lost) = changed {
                    self.outage(lost, Power::Crashed, false);
                }
            }
            FaultKind::Swap if begins => {
                let swapped = self.change_places(master, slave);
                self.progress.borrow_mut()[at].node = swapped.then_some(slave);
            }
            FaultKind::Swap if changed == Some(master) => {
                self.change_places(master, slave);
            }
            FaultKind::ActingMaster => self.let_slave_act(at, master, begins),
            FaultKind::SplitBrain { heard } => self.split(at, (master, slave), heard, begins),
            _ => {}
        }
    }

    /// The slave of a master that is gone becomes master.
    pub(super) fn promote(&self, at: usize) {
        let Some(lost) = self.progress.borrow()[at].node else { return };
        let (number, slave) = (broker_number(&self.plan, lost), self.partner(lost));
        let (Some(number), Some(slave)) = (number, slave) else { return };
        if self.masters.borrow()[number] == lost && self.is_up(slave) {
            self.make_master(slave, true);
            self.make_slave(lost);
        }
    }

    /// The slave of a master that has moved follows it.
    pub(super) fn slave_follows(&self, master: usize) {
        let is_master = self.masters.borrow().contains(&master);
        if let Some(slave) = self.partner(master).filter(|_| is_master) {
            self.make_slave(slave);
        }
    }

    /// Writes down the logs of the masters.
    pub(super) fn read_logs(&self, history: &mut crate::history::History) {
        for &master in self.masters.borrow().iter() {
            let members = [Some(master), self.partner(master)].into_iter().flatten();
            let logs = members.filter_map(|member| {
                self.host(member).look(|server| match server {
                    Server::Broker(broker) => Some(Log::of(broker)),
                    Server::NameServer(_) => None,
                })
            });
            read_logs(history, logs.collect());
        }
    }

    /// Slave and master change places; false if one of them is down.
    fn change_places(&self, master: usize, slave: usize) -> bool {
        if !self.is_up(master) || !self.is_up(slave) {
            return false;
        }
        self.catch_up(slave, master);
        self.make_master(slave, true);
        self.make_slave(master);
        true
    }

    /// A node becomes master; `elected` if the other one is not any more.
    fn make_master(&self, node: usize, elected: bool) {
        note(&self.board.lock(), format_args!("#{node} is master"));
        let epoch = self.next_epoch();
        if elected && let Some(number) = broker_number(&self.plan, node) {
            self.masters.borrow_mut()[number] = node;
        }
        self.with_broker(node, |broker, now| {
            let state = if elected { epoch } else { broker.state() };
            broker.become_master(now, epoch, state);
        });
    }

    /// A node becomes the slave of the other one.
    fn make_slave(&self, node: usize) {
        let Some(master) = self.partner(node) else { return };
        note(&self.board.lock(), format_args!("#{node} is slave"));
        let address = self.host(master).address().to_string();
        self.with_broker(node, |broker, now| broker.become_slave(now, &address));
    }

    /// The slave gets what it lacks at once.
    fn catch_up(&self, slave: usize, master: usize) {
        self.host(master).look(|server| {
            if let Server::Broker(master) = server {
                self.with_broker(slave, |slave, _| slave.catch_up_with(master));
            }
        });
    }

    fn let_slave_act(self: &Rc<Self>, at: usize, master: usize, begins: bool) {
        let lost = *self.progress.borrow_mut()[at].node.get_or_insert(master);
        for node in [Some(lost), self.partner(lost)].into_iter().flatten() {
            self.with_broker(node, |broker, now| broker.let_slaves_act(now, begins));
        }
        self.outage(lost, Power::Crashed, begins);
    }

    fn split(&self, at: usize, (master, slave): (usize, usize), heard: Heard, begins: bool) {
        let usurper = self.progress.borrow()[at].node;
        let tell = |node, half| self.with_broker(node, |b, _| Broker::register_with_half(b, half));
        if begins {
            if self.is_up(slave) && !self.is_split(slave) {
                self.progress.borrow_mut()[at].node = Some(slave);
                tell(slave, heard == Heard::Half);
                self.make_master(slave, false);
            }
        } else if let Some(usurper) = usurper {
            tell(usurper, false);
            // Who was elected meanwhile stays.
            if usurper != master {
                self.make_slave(usurper);
            }
        }
    }

    fn is_split(&self, slave: usize) -> bool {
        self.host(slave).look(|server| match server {
            Server::Broker(broker) => broker.config().id == 0,
            Server::NameServer(_) => false,
        })
    }

    pub(super) fn is_up(&self, node: usize) -> bool {
        self.nodes.borrow()[node].power == Power::Up
    }
}
