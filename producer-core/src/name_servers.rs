//! Who are the name servers, and what becomes of lookups when that changes?

use alloc::string::String;
use alloc::vec::Vec;

use crate::connection_end::ConnectionEnd;
use crate::error::ErrorKind;
use crate::names::Address;
use crate::peers::Rest;
use crate::producer::{ClosingStage, Producer};
use crate::slab::Key;
use crate::time::Instant;

/// A name server and the connection to it.
pub(crate) struct NameServer {
    pub(crate) address: Address,
    pub(crate) conn: Key,
    pub(crate) rest: Rest,
    /// How it failed last.
    pub(crate) failed: Option<ConnectionEnd>,
}

impl NameServer {
    pub(crate) fn new(address: Address) -> Self {
        Self { address, conn: Key::NONE, rest: Rest::default(), failed: None }
    }
}

impl<T> Producer<T> {
    /// Asks these name servers from now on, and no others. No send is lost: routes that are known
    /// stay, a lookup under way at a server that is gone begins anew at one that is there, and what
    /// waits for a name server to come back is looked up at once. Connections to servers that stay
    /// are kept. An empty list makes every further lookup fail with
    /// [`ErrorKind::NoNameServer`](crate::ErrorKind::NoNameServer), unless
    /// [`await_name_servers`](Self::await_name_servers) was called.
    pub fn set_name_servers(&mut self, now: Instant, addresses: Vec<Address>) {
        self.advance(now);
        let current = self.name_servers.get(self.current_server).map(|it| it.address.clone());
        let gone = |known: &NameServer| !addresses.contains(&known.address);
        let (gone, mut servers): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.name_servers).into_iter().partition(gone);
        let kept = servers.len();
        for address in addresses {
            if servers.iter().all(|known| known.address != address) {
                servers.push(NameServer::new(address));
            }
        }
        let is_new = servers.len() > kept;
        let current = servers.iter().position(|server| Some(&server.address) == current.as_ref());
        let any = u32::try_from(servers.len()).unwrap_or(u32::MAX);
        self.current_server = current.unwrap_or_else(|| self.random.below(any.max(1)) as usize);
        self.name_servers = servers;
        if self.closing.as_ref().is_some_and(|closing| closing.stage != ClosingStage::Draining) {
            return; // no lookup may begin any more
        }
        if !gone.is_empty() {
            self.begin_lookups_anew();
        }
        for server in gone {
            if self.routes.brokers.iter().all(|broker| broker.conn != server.conn) {
                self.retire(server.conn);
            }
        }
        if is_new {
            self.look_up_suspects_now();
        }
        self.run_ready();
    }

    /// The driver is looking for name servers and will tell by
    /// [`set_name_servers`](Self::set_name_servers). Until there is one, sends wait within their
    /// deadline; those whose deadline passes say `why`. May be called again with another reason.
    pub fn await_name_servers(&mut self, why: String) {
        self.awaited = Some(why);
    }

    /// A route is wanted and there is no name server to ask: true if one is to come.
    pub(crate) fn waits_for_name_server(&mut self, id: crate::route::TopicId) -> bool {
        if self.awaited.is_none() {
            return false;
        }
        if !self.suspects.iter().any(|&(suspect, _)| suspect == id) {
            self.suspects.push((id, Instant::FAR));
        }
        true
    }

    /// Why there is no name server, if there is none.
    pub(crate) fn name_server_problem(&self) -> Option<ErrorKind> {
        if !self.name_servers.is_empty() {
            return None;
        }
        let last = self.awaited.clone();
        Some(
            last.map_or(ErrorKind::NoNameServer, |last| ErrorKind::NameServersUnreachable { last }),
        )
    }

    /// Answers to what was asked before count no more.
    fn begin_lookups_anew(&mut self) {
        for id in core::mem::take(&mut self.lookups) {
            self.routes.topic_mut(id).lookup = None;
            self.look_up(id);
        }
    }

    /// There is somebody new to ask: nobody waits until the next look.
    pub(crate) fn look_up_suspects_now(&mut self) {
        let now = self.now;
        for (_, at) in &mut self.suspects {
            *at = now;
        }
        if !self.suspects.is_empty() {
            self.wake_by(now);
        }
    }
}
