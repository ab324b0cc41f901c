//! Sends that are under way before anybody waits for them.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use producer_core::{Message, MessageId, Receipt, SendError};

use crate::door::{Effects, Shared};
use crate::wait::{UnderWay, cancel, receipt};

/// A send under way, made by [`Producer::enqueue`](crate::Producer::enqueue): a future of its
/// receipt. It belongs to no task and keeps no producer alive.
///
/// Dropped, it cancels the send: if no byte of it was taken, it is not sent; else it goes on by
/// itself, without retries, and nobody learns how it ended. See [`detach`](Self::detach).
#[must_use = "a ticket that is dropped cancels its send"]
pub struct Ticket {
    shared: Arc<Shared>,
    send: Option<UnderWay>,
}

impl Ticket {
    pub(crate) fn new(shared: Arc<Shared>, send: UnderWay) -> Self {
        Self { shared, send: Some(send) }
    }

    /// The id that the message is sent under; `None` once the send has ended.
    pub fn message_id(&self) -> Option<MessageId> {
        let send = self.send?;
        self.shared.peek().core.message_id(send.id)
    }

    /// Lets the send go on without anybody waiting for it, with its retries.
    /// [`Producer::flush`](crate::Producer::flush) and [`Producer::close`](crate::Producer::close)
    /// wait for it, [`Producer::stats`](crate::Producer::stats) counts how it ended.
    pub fn detach(mut self) {
        if let Some(send) = self.send.take() {
            drop(self.shared.enter(|state, _| state.slots.abandon(send.slot)));
        }
    }
}

impl Future for Ticket {
    type Output = Result<Receipt, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let send = self.send.expect("a ticket is not polled after it was ready");
        let ended = send.poll(&self.shared, cx);
        if ended.is_ready() {
            self.send = None;
        }
        ended.map(receipt)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(send) = self.send {
            cancel(&self.shared, &[send]);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("open", &self.send.is_some()).finish_non_exhaustive()
    }
}

/// Sends under way, made by [`Producer::enqueue_all`](crate::Producer::enqueue_all), in the order
/// of their messages. What is not awaited when it is dropped is cancelled as a [`Ticket`] is.
#[must_use = "tickets that are dropped cancel their sends"]
pub struct Tickets {
    shared: Arc<Shared>,
    sends: VecDeque<UnderWay>,
    /// The ends of those before `sends`, fetched many at a time.
    fetched: VecDeque<Result<Receipt, SendError>>,
}

/// Ends fetched under one lock.
const FETCH_MAX: usize = 64;

impl Tickets {
    pub(crate) fn new(shared: Arc<Shared>, sends: VecDeque<UnderWay>) -> Self {
        Self { shared, sends, fetched: VecDeque::new() }
    }

    /// How the next send ended, in the order of the messages; `None` after the last. It may be
    /// dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Receipt, SendError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// How all that are left ended, in the order of the messages.
    pub async fn all(mut self) -> Vec<Result<Receipt, SendError>> {
        let mut results = Vec::with_capacity(self.len());
        while let Some(result) = self.next().await {
            results.push(result);
        }
        results
    }

    /// Sends whose end was not given out yet.
    pub fn len(&self) -> usize {
        self.fetched.len() + self.sends.len()
    }

    /// Whether the end of every send was given out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// [`next`](Self::next) for those who poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Receipt, SendError>>> {
        if let Some(result) = self.fetched.pop_front() {
            return Poll::Ready(Some(result));
        }
        let Some(&first) = self.sends.front() else { return Poll::Ready(None) };
        let mut state = self.shared.peek();
        let ended = match state.slots.poll(first.slot, cx.waker()) {
            Ok(ended) => ended,
            Err(stale) => {
                drop(state);
                drop(stale);
                return Poll::Pending;
            }
        };
        self.sends.pop_front();
        while self.fetched.len() < FETCH_MAX
            && let Some(&next) = self.sends.front()
            && state.slots.is_ended(next.slot)
            && let Ok(ended) = state.slots.poll(next.slot, cx.waker())
        {
            self.sends.pop_front();
            self.fetched.push_back(receipt(ended));
        }
        Poll::Ready(Some(receipt(ended)))
    }

    /// Lets all of them go on without anybody waiting: [`Ticket::detach`].
    pub fn detach(mut self) {
        let sends = std::mem::take(&mut self.sends);
        let shared = self.shared.clone();
        shared.enter_with(&mut Effects::default(), |state, _| {
            sends.iter().map(|send| state.slots.abandon(send.slot)).collect::<Vec<_>>()
        });
    }
}

impl Drop for Tickets {
    fn drop(&mut self) {
        if !self.sends.is_empty() {
            cancel(&self.shared, self.sends.make_contiguous());
        }
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Why [`Producer::try_send`](crate::Producer::try_send) took no message. It gives it back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError {
    /// Too many sends or bytes are in hand.
    Full(Message),
    /// The producer is closed or closing.
    Closed(Message),
}

impl TrySendError {
    /// The message.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message) | Self::Closed(message) => message,
        }
    }
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("too many sends or bytes are in hand"),
            Self::Closed(_) => f.write_str("the producer is closed"),
        }
    }
}

impl std::error::Error for TrySendError {}
