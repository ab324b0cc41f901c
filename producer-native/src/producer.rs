//! The handle: what an application can ask of a producer.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use producer_core::{
    CloseReport, InvalidName, Message, QueueChoice, Receipt, Reply, Route, Selector, SendError,
    SendOptions, Stats, TopicName,
};

use crate::builder::{Builder, name_server_list};
use crate::client::Member;
use crate::door::{Effects, Shared, State};
use crate::hooks::{Hooked, Note, SendEnd, SendKind};
use crate::log::Log;
use crate::slots::{Ended, Slot};
use crate::ticket::{Ticket, Tickets, TrySendError};
use crate::wait::{Sending, SendingOneway, UnderWay, Wait};

/// A RocketMQ producer on tokio and TCP. Clone it freely: clones are one producer, with one set of
/// connections. There is no start; see [`close`](Self::close) for the end.
///
/// When the last clone is dropped, the sends in hand end at once, as what they are (not sent or
/// unknown); brokers are told good-bye in the background, for at most 300 ms; then the connections
/// are closed and the tasks end. [`Ticket`]s keep no producer alive.
#[derive(Clone)]
pub struct Producer {
    owner: Arc<Owner>,
}

/// What all clones share; dropped with the last.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    /// What makes it one of several of a client.
    member: Option<Member>,
}

impl Owner {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// Sends begun under one lock.
const BATCH_MAX: usize = 1024;

impl Producer {
    /// Begins to make a producer of this group. Name it after the service.
    pub fn builder(group: impl AsRef<str>) -> Builder {
        Builder::new(group.as_ref())
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { owner: Arc::new(Owner { shared, member: None }) }
    }

    pub(crate) fn member(shared: Arc<Shared>, member: Member) -> Self {
        Self { owner: Arc::new(Owner { shared, member: Some(member) }) }
    }

    pub(crate) fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    /// Options as the core gets them.
    #[inline]
    pub(crate) fn prepared(&self, mut options: SendOptions, reply: Reply) -> SendOptions {
        options.reply = reply;
        if let QueueChoice::Select(select) = &options.queue {
            options.queue = caught(select.clone());
        }
        if let Some(member) = &self.owner.member {
            options.group = member.group;
        }
        options
    }

    /// Sends a message and waits for the broker's receipt. If there is no room for one more, it
    /// waits for room first; all of it within the send timeout.
    ///
    /// **Cancel**: nothing is sent before the first poll. Dropped before a byte of it was taken by
    /// a connection, the message is not sent; dropped later, it goes on by itself, without
    /// retries. Frames are never torn.
    ///
    /// # Errors
    /// [`SendError`] tells by its [`outcome`](SendError::outcome) whether the message may be
    /// stored, by its [`kind`](SendError::kind) why, and lists the attempts.
    #[inline]
    pub fn send(&self, message: Message) -> Sending<'_> {
        self.send_with(message, SendOptions::default())
    }

    /// [`send`](Self::send) with options. [`SendOptions::reply`] is ignored: a send that is not
    /// answered is a [`send_oneway`](Self::send_oneway).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_with(&self, message: Message, options: SendOptions) -> Sending<'_> {
        Sending::new(self.shared(), message, self.prepared(options, Reply::Awaited))
    }

    /// Sends a message that no broker answers, and waits until its bytes were handed to a
    /// connection. `Ok` says nothing about whether they arrived, let alone were stored.
    ///
    /// **Cancel**: as [`send`](Self::send).
    ///
    /// # Errors
    /// [`SendError`] when not even a connection took it within the send timeout.
    pub fn send_oneway(&self, message: Message) -> SendingOneway<'_> {
        self.send_oneway_with(message, SendOptions::default())
    }

    /// [`send_oneway`](Self::send_oneway) with options.
    ///
    /// # Errors
    /// As [`send_oneway`](Self::send_oneway).
    pub fn send_oneway_with(&self, message: Message, options: SendOptions) -> SendingOneway<'_> {
        SendingOneway::new(self.shared(), message, self.prepared(options, Reply::OneWay))
    }

    /// Takes over a message if there is room for it now; it is under way when this returns.
    ///
    /// # Errors
    /// [`TrySendError`] gives the message back: there is no room, or the producer is closed.
    pub fn try_send(&self, message: Message) -> Result<Ticket, TrySendError> {
        self.try_send_with(message, SendOptions::default())
    }

    /// [`try_send`](Self::try_send) with options.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_send_with(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Result<Ticket, TrySendError> {
        let options = self.prepared(options, Reply::Awaited);
        let hooked = self.shared().hooked(SendKind::Message, options.group, message);
        let send = self.shared().enter(|state, now| {
            let (message, call) = match hooked {
                Ok(hooked) => hooked,
                Err(error) => return Ok(state.refuse_send(error)),
            };
            if !state.closing && state.core.has_room(&message) {
                return Ok(begin(state, now, Ok((message, call)), options));
            }
            state.notes.extend(call.map(|call| Note::Ended(call, SendEnd::GivenUp)));
            Err(match state.closing {
                true => TrySendError::Closed(message),
                false => TrySendError::Full(message),
            })
        })?;
        Ok(Ticket::new(self.shared().clone(), send))
    }

    /// Takes over a message; it is under way, or waits for room, when this returns. The ticket is
    /// a future of its receipt; many of them need no task each.
    ///
    /// **Cancel**: dropping the ticket, as with [`send`](Self::send).
    pub fn enqueue(&self, message: Message) -> Ticket {
        self.enqueue_with(message, SendOptions::default())
    }

    /// [`enqueue`](Self::enqueue) with options.
    pub fn enqueue_with(&self, message: Message, options: SendOptions) -> Ticket {
        let options = self.prepared(options, Reply::Awaited);
        let hooked = self.shared().hooked(SendKind::Message, options.group, message);
        let send = self.shared().enter(|state, now| begin(state, now, hooked, options));
        Ticket::new(self.shared().clone(), send)
    }

    /// [`enqueue`](Self::enqueue) for many messages, which is cheaper than one by one: they are
    /// begun 1,024 under one lock. The iterator has run to its end before the first is begun.
    pub fn enqueue_all(&self, messages: impl IntoIterator<Item = Message>) -> Tickets {
        let options = self.prepared(SendOptions::default(), Reply::Awaited);
        let group = options.group;
        let hooked = |message| self.shared().hooked(SendKind::Message, group, message);
        let messages: Vec<Hooked> = messages.into_iter().map(hooked).collect();
        let mut sends = VecDeque::with_capacity(messages.len());
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            self.shared().enter(|state, now| {
                for hooked in messages.by_ref().take(BATCH_MAX) {
                    sends.push_back(begin(state, now, hooked, options.clone()));
                }
            });
        }
        Tickets::new(self.shared().clone(), sends)
    }

    /// Sends many messages and waits for all: how each ended, in their order.
    ///
    /// **Cancel**: each as with [`send`](Self::send).
    pub async fn send_all(
        &self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Vec<Result<Receipt, SendError>> {
        let tickets = self.enqueue_all(messages);
        tickets.all().await
    }

    /// Looks up the routes of topics and begins to connect to their brokers, so that the first
    /// send finds them ready. It is never needed.
    ///
    /// **Cancel**: the lookups go on.
    ///
    /// # Errors
    /// The first [`SendError`] of a topic whose route was not found within the send timeout.
    pub async fn prepare(
        &self,
        topics: impl IntoIterator<Item = TopicName>,
    ) -> Result<(), SendError> {
        let topics: Vec<TopicName> = topics.into_iter().collect();
        let slots: Vec<Slot> = self.shared().enter(|state, now| {
            let timeout = self.shared().query_timeout;
            let ask = |topic: &TopicName| {
                let slot = state.slots.insert(0, None);
                state.core.query_route(now, slot, topic, timeout, true);
                slot
            };
            topics.iter().map(ask).collect()
        });
        let waits: Vec<Wait<'_>> = slots.into_iter().map(|slot| self.wait(slot)).collect();
        for wait in waits {
            route_of(wait.await)?;
        }
        Ok(())
    }

    /// The route of a topic as this producer sees it, looked up if it is not known.
    ///
    /// **Cancel**: the lookup goes on.
    ///
    /// # Errors
    /// [`SendError`] when there is none within the send timeout.
    pub async fn route(&self, topic: &TopicName) -> Result<Route, SendError> {
        let timeout = self.shared().query_timeout;
        let slot = self.shared().enter(|state, now| {
            let slot = state.slots.insert(0, None);
            state.core.query_route(now, slot, topic, timeout, false);
            slot
        });
        route_of(self.wait(slot).await)
    }

    /// Waits until every send has ended that was accepted before: from this handle or another,
    /// awaited or detached. Later ones do not delay it. Messages that wait to share a request with
    /// others ([`Builder::auto_batch`]) wait no longer.
    ///
    /// **Cancel**: the sends go on.
    pub async fn flush(&self) {
        let slot = self.shared().enter(|state, now| {
            state.core.flush(now);
            let slot = state.slots.insert(0, None);
            state.eras.flush(slot);
            slot
        });
        self.wait(slot).await;
    }

    /// Accepts no more sends (they end with [`ErrorKind::Closed`](crate::ErrorKind::Closed)),
    /// finishes those in hand for at most `deadline`, says good-bye to the brokers (at most 300 ms
    /// more), closes the connections and ends the tasks. What is not finished in time ends as what
    /// it is, not sent or unknown. The report accounts for every send that was in hand.
    ///
    /// A second call, from any clone, waits for the same end and gets the same report; it can only
    /// bring the deadline forward.
    ///
    /// **Cancel**: the close goes on.
    pub async fn close(&self, deadline: Duration) -> CloseReport {
        let shared = self.shared();
        if let Some(member) = &self.owner.member {
            member.stop();
            // What has not ended by then goes on.
            let flushed = {
                let _inside = shared.runtime.enter();
                tokio::time::timeout(deadline, self.flush())
            };
            let _late = flushed.await;
            member.leave(shared);
            return CloseReport::default();
        }
        let slot = shared.enter(|state, now| state.begin_close(now, now + deadline));
        self.wait(slot).await;
        let report = shared.peek().closed.clone();
        report.unwrap_or_default()
    }

    /// Asks these name servers from now on, written as for
    /// [`Builder::name_servers`](crate::Builder::name_servers). No send is lost: routes that are
    /// known stay, and a lookup under way at a server that is gone begins anew at one that is there.
    /// A [`Discovery`](crate::Discovery) ends with this.
    ///
    /// # Errors
    /// [`InvalidName`] when one of them is no address, or there is none; then nothing changes.
    pub fn set_name_servers(&self, list: &str) -> Result<(), InvalidName> {
        let servers = name_server_list(list)?;
        let searching = self.shared().enter(|state, now| {
            state.core.set_name_servers(now, servers);
            state.search.end()
        });
        if let Some(search) = searching {
            search.wake();
        }
        Ok(())
    }

    /// Counters since the producer was made, and levels now.
    pub fn stats(&self) -> Stats {
        let state = self.shared().peek();
        let mut stats = state.core.stats();
        let checks = state.checks.counts;
        stats.checks_without_checker = checks.without_checker;
        stats.checks_dropped = checks.dropped;
        stats.checks_failed = checks.failed;
        stats
    }

    /// Panics of hooks ([`SendHook`](crate::SendHook), [`FrameHook`](crate::FrameHook)).
    pub fn hook_panics(&self) -> u64 {
        self.shared().hooks.panics()
    }

    /// The client id that brokers know this producer by.
    pub fn client_id(&self) -> String {
        self.shared().peek().core.client_id().to_owned()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    pub(crate) fn wait(&self, slot: Slot) -> Wait<'_> {
        Wait { shared: self.shared(), slot: Some(slot) }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(member) = &self.member {
            return member.leave(&self.shared);
        }
        let _torn = self.shared.enter_if_sound(&mut Effects::default(), |state, now| {
            state.closing = true;
            if state.closed.is_none() {
                state.core.close(now, now);
            }
        });
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("client_id", &self.client_id()).finish_non_exhaustive()
    }
}

#[inline]
fn begin(
    state: &mut State,
    now: producer_core::Instant,
    hooked: Hooked,
    options: SendOptions,
) -> UnderWay {
    let (message, call) = match hooked {
        Ok(hooked) => hooked,
        Err(error) => return state.refuse_send(error),
    };
    let slot = state.begin_send(None);
    state.called(slot, call);
    UnderWay { slot, id: state.core.send(now, slot, message, options) }
}

fn route_of(ended: Ended) -> Result<Route, SendError> {
    match ended {
        Ended::Route(result) => result,
        _ => unreachable!("the core answers a query with a route"),
    }
}

/// The core runs a selector while it is locked and half changed, so a panic must not get out of
/// one: the send fails as if the selector had chosen nothing.
#[cold]
fn caught(select: Selector) -> QueueChoice {
    QueueChoice::select(move |queues, message| {
        let chosen = catch_unwind(AssertUnwindSafe(|| select(queues, message)));
        chosen.unwrap_or_else(|_panic| {
            Log::selector_panicked();
            None
        })
    })
}
