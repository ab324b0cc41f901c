//! How is a node of an embedded cluster watched and broken while it runs?

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use producer_core::wire::perm;
use producer_core::wire::stored::StoredMessage;

use super::server::Server;
use crate::model::Instant;
use crate::model::broker::{Broker, Counters, Fault, Message, Times};
use crate::model::name_server::{NameServer, NameServerFaults};

/// One broker. Clones are the same broker.
#[derive(Clone)]
pub struct BrokerHandle {
    pub(super) server: Arc<Server<Broker>>,
}

impl BrokerHandle {
    /// Stops the broker at once: connections are reset and its port refuses new ones. Name
    /// servers see its connection end and forget it. Its log stays.
    pub async fn kill(&self) {
        self.server.kill().await;
    }

    /// Starts a killed broker on its old port, with its log and faults.
    pub async fn restart(&self) -> io::Result<()> {
        self.server.start().await
    }

    /// Kills the broker, if it is up, and starts it on another free port, with its log. Name
    /// servers learn the new address; message ids carry it from then on.
    pub async fn restart_elsewhere(&self) -> io::Result<SocketAddr> {
        self.server.kill().await;
        let ip = self.address().ip();
        let address = self.server.move_to(SocketAddr::new(ip, 0)).await?;
        // The name servers hear of it when the broker starts.
        self.server.shared.enter(|broker, now| broker.set_address(now, address));
        self.server.start().await?;
        Ok(address)
    }

    /// Has name servers name another address than the one it listens on, until it moves: that of
    /// whoever stands before it, such as an end of TLS. They hear of it a moment later.
    pub fn advertise(&self, address: SocketAddr) {
        self.with(|broker, now| broker.set_address(now, address));
    }

    /// Whether the broker is up; a paused one is.
    pub async fn is_up(&self) -> bool {
        self.server.is_up().await
    }

    /// Freezes the broker, as `SIGSTOP` does: connections are taken by the kernel and what they
    /// send is not read.
    pub fn pause(&self) {
        self.server.shared.gate.set_open(false);
        self.with(|broker, _| broker.freeze());
    }

    /// Ends a pause: all that was sent meanwhile is executed and answered.
    pub fn resume(&self) {
        self.with(Broker::thaw);
        self.server.shared.gate.set_open(true);
    }

    /// Cuts the broker off from whoever connects to it, until [`Self::rejoin`]: nothing arrives in
    /// either direction and no connection ends. It runs on, and name servers, to which it connects
    /// itself, hear of it as before. New connections are taken by the kernel, as in a pause.
    pub fn cut_off(&self) {
        self.server.shared.way_in.set_open(false);
    }

    /// Ends being cut off: what was sent meanwhile arrives late.
    pub fn rejoin(&self) {
        self.server.shared.way_in.set_open(true);
    }

    /// Lets each answer to a send leave so much later; [`Duration::ZERO`] for at once.
    pub fn slow(&self, by: Duration) {
        self.with(|broker, _| broker.delay_answers(by));
    }

    /// Switches a fault of sends on.
    pub fn fault(&self, fault: Fault, times: Times) {
        self.with(|broker, _| broker.fault(fault, times));
    }

    /// Takes the write permission away: routes say so, while direct sends are still stored, as
    /// with a real broker.
    pub fn read_only(&self) {
        self.with(|broker, now| broker.set_permission(now, perm::READ));
    }

    /// Ends delays, faults, a full or slow disk and a missing permission.
    pub fn heal(&self) {
        self.with(|broker, now| {
            broker.clear_faults();
            broker.delay_answers(Duration::ZERO);
            broker.slow_disk(Duration::ZERO);
            broker.fill_disk(false);
            if broker.config().permission != perm::READ | perm::WRITE {
                broker.set_permission(now, perm::READ | perm::WRITE);
            }
        });
    }

    /// The messages of a topic in the order they were stored.
    pub fn messages(&self, topic: &str) -> Vec<Message> {
        let mut messages = self.server.shared.look(Broker::messages);
        messages.retain(|message| message.topic == topic);
        messages
    }

    /// Waits until a topic has more than so many messages; returns those after them, in the order
    /// they were stored.
    pub async fn messages_after(&self, topic: &str, number: usize) -> Vec<Message> {
        let look = |broker: &Broker| {
            let messages = broker.messages().into_iter().filter(|message| message.topic == topic);
            let new: Vec<_> = messages.skip(number).collect();
            (!new.is_empty()).then_some(new)
        };
        self.server.shared.until(look).await
    }

    /// Shows what was stored since somebody last looked: see [`Broker::stored_since`]. The broker
    /// stands still meanwhile: `show` that asks it anything waits for ever.
    pub fn stored_since(
        &self,
        number: u64,
        most: usize,
        show: impl FnMut(&StoredMessage<'_>),
    ) -> Range<u64> {
        self.server.shared.look(|broker| broker.stored_since(number, most, show))
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.server.shared.look(Broker::counters)
    }

    /// Broker name.
    pub fn name(&self) -> String {
        self.server.shared.look(|broker| broker.config().name.clone())
    }

    /// 0 for a master.
    pub fn id(&self) -> i64 {
        self.server.shared.look(|broker| broker.config().id)
    }

    /// Where the broker listens, or did.
    pub fn address(&self) -> SocketAddr {
        self.server.shared.address()
    }

    /// Does anything else to the model.
    pub fn with<R>(&self, change: impl FnOnce(&mut Broker, Instant) -> R) -> R {
        self.server.shared.enter(change)
    }
}

/// One name server. Clones are the same name server.
#[derive(Clone)]
pub struct NameServerHandle {
    pub(super) server: Arc<Server<NameServer>>,
}

impl NameServerHandle {
    /// Stops the name server at once: connections are reset and its port refuses new ones.
    pub async fn kill(&self) {
        self.server.kill().await;
    }

    /// Kills the name server, if it is up, and starts it on its port without brokers, routes and
    /// values, as a real one starts. Brokers come back when they next try, after
    /// [`crate::model::broker::BrokerConfig::reconnect_delay`].
    pub async fn restart_empty(&self) -> io::Result<()> {
        self.server.kill().await;
        self.with(|name_server, _| name_server.forget());
        self.server.start().await
    }

    /// Whether the name server is up; a paused one is.
    pub async fn is_up(&self) -> bool {
        self.server.is_up().await
    }

    /// Freezes the name server, as `SIGSTOP` does.
    pub fn pause(&self) {
        self.server.shared.gate.set_open(false);
        self.with(|name_server, _| name_server.freeze());
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.with(NameServer::thaw);
        self.server.shared.gate.set_open(true);
    }

    /// Switches faults; [`NameServerFaults::default`] for none.
    pub fn fault(&self, faults: NameServerFaults) {
        self.with(|name_server, _| name_server.fault(faults));
    }

    /// Where the name server listens, or did.
    pub fn address(&self) -> SocketAddr {
        self.server.shared.address()
    }

    /// Does anything else to the model.
    pub fn with<R>(&self, change: impl FnOnce(&mut NameServer, Instant) -> R) -> R {
        self.server.shared.enter(change)
    }
}

impl fmt::Debug for BrokerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, id, address) = (self.name(), self.id(), self.address());
        write!(f, "BrokerHandle({name}/{id} at {address})")
    }
}

impl fmt::Debug for NameServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameServerHandle(at {})", self.address())
    }
}
