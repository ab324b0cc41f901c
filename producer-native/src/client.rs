//! Several producer groups over one set of connections.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use producer_core::{CloseReport, GroupId, GroupName, Stats};

use crate::builder::{BuildError, Builder};
use crate::door::{Effects, Shared};
use crate::producer::{Owner, Producer};

/// The connections, routes and memory that several producers share: one client id, one connection a
/// broker, one heartbeat that names all groups (Java: several producers with one instance name).
///
/// ```no_run
/// use std::time::Duration;
/// use producer_native::{Client, Message};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder().name_servers("10.0.0.1:9876").build_client()?;
/// let (orders, mails) = (client.producer("orders")?, client.producer("mails")?);
/// orders.send(Message::new("orders", "paid")?).await?;
/// mails.send(Message::new("mails", "thanks")?).await?;
///
/// orders.close(Duration::from_secs(5)).await; // `mails` goes on
/// client.close(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
///
/// A producer of a client is a [`Producer`] with these differences: limits, statistics, hooks, traces
/// and the transaction checker are those of the client (a check says for which group it is:
/// `TransactionCheck::group_name`); [`flush`](Producer::flush) waits for the sends of all;
/// [`close`](Producer::close) refuses further sends of the group, waits until the sends of the client
/// that were accepted before have ended, at most for its deadline, and says good-bye for the group.
/// What is in hand then goes on, and its report is empty. Dropping its last clone says good-bye at
/// once.
///
/// The client lives as long as it or one of its producers; when the last is dropped, it ends as a
/// [`Producer`] does.
#[derive(Clone)]
pub struct Client {
    base: Producer,
}

/// The group that a client is known by beside those of its producers; Java has the same.
const INNER_GROUP: &str = "CLIENT_INNER_PRODUCER";

impl Client {
    /// Begins to make a client: finish with [`Builder::build_client`].
    pub fn builder() -> Builder {
        Builder::new(INNER_GROUP)
    }

    pub(crate) fn new(base: Producer) -> Self {
        Self { base }
    }

    /// A producer of this group. Brokers hear of it at once.
    ///
    /// # Errors
    /// [`BuildError::Group`] when the name is none, [`BuildError::GroupTaken`] when the client has a
    /// producer of this group, or 1,024 groups.
    pub fn producer(&self, group: impl AsRef<str>) -> Result<Producer, BuildError> {
        let given = group.as_ref();
        let name = GroupName::new(given)
            .map_err(|problem| BuildError::Group { given: given.to_owned(), problem })?;
        let shared = self.base.shared();
        let id = shared.enter(|state, now| {
            let taken = state.groups.iter().any(|&id| *state.core.group_name(id) == name);
            let own = *state.core.group_name(GroupId::default()) == name;
            let id = if taken || own { None } else { state.core.add_group(now, &name) };
            state.groups.extend(id);
            id
        });
        let group = id.ok_or_else(|| BuildError::GroupTaken { group: given.to_owned() })?;
        let member = Member { group, client: self.base.owner().clone() };
        Ok(Producer::member(shared.clone(), member))
    }

    /// Closes all producers and the connections: [`Producer::close`].
    ///
    /// **Cancel**: the close goes on.
    pub async fn close(&self, deadline: Duration) -> CloseReport {
        self.base.close(deadline).await
    }

    /// Counters and levels of all producers together.
    pub fn stats(&self) -> Stats {
        self.base.stats()
    }

    /// The client id that brokers know all of them by.
    pub fn client_id(&self) -> String {
        self.base.client_id()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("client_id", &self.client_id()).finish_non_exhaustive()
    }
}

/// What makes a producer one of a client.
pub(crate) struct Member {
    pub(crate) group: GroupId,
    /// Keeps the client alive.
    client: Arc<Owner>,
}

impl Member {
    /// Sends of the group are refused from now on.
    pub(crate) fn stop(&self) {
        self.client.shared().enter(|state, _| state.core.stop_group(self.group));
    }

    /// Says good-bye for the group, once.
    pub(crate) fn leave(&self, shared: &Arc<Shared>) {
        let _torn = shared.enter_if_sound(&mut Effects::default(), |state, now| {
            let here = state.groups.iter().position(|&id| id == self.group);
            if let Some(at) = here {
                state.groups.swap_remove(at);
                state.core.remove_group(now, self.group);
            }
        });
    }
}
